"""Bytes of CSV files as text: code pages of Windows, marks, damage, and what separates the cells."""

from __future__ import annotations

import random

import pytest

from solver.errors import InputError
from solver.formats import csv_text
from solver.formats.csv_text import decoded, separator_of

NAMES = {
    "cp1252": "Música Física Química Álgebra José Peña Núñez Estadística",
    "cp1250": "Łukasz Żółć Matematyka Śląsk Ćwiczenia Językoznawstwo Wstęp Piątek",
    "cp1254": "Öğretim Iş\u0131l Şahin Çağr\u0131 Türkçe Güneş Denklemler",
    "cp1257": "Matematika Žemaitė Kaunas Mokslų Įvadas Šiaulių",
    "cp1251": "Математика Физика Информатика Иванов Петров Сидорова",
    "cp1253": "Μαθηματικά Φυσική Χημεία Γιώργος Παπαδόπουλος",
    "cp1256": "الرياضيات الفيزياء الكيمياء محمد احمد علوم الحاسوب",
    "cp874": "คณิตศาสตร์ ฟิสิกส์ เคมี สมชาย",
    "cp932": "数学 物理 化学 プログラミング 田中 鈴木",
    "gb18030": "数学 物理 化学 计算机科学 王小明 李华",
    "cp949": "수학 물리 화학 프로그래밍 김철수 이영희",
}


def table(names: str) -> str:
    return "subject_id,subject_name\r\n" + "".join(f"S{n},{name}\r\n" for n, name in enumerate(names.split()))


@pytest.mark.parametrize("page", NAMES)
def test_a_file_in_a_code_page_of_windows_is_read(page: str) -> None:
    found = decoded({"subjects.csv": table(NAMES[page]).encode(page)})["subjects.csv"]
    assert (found.page, found.text) == (page, table(NAMES[page]))


@pytest.mark.parametrize(
    "names", ["Música Física", "Müller Straßenbau Übung", "Přednáška Jiří Dvořák Šárka", "Søren Ærø Måling", "Noël"]
)
def test_few_latin_names_are_read_in_the_page_whose_language_has_their_letters(names: str) -> None:
    page = "cp1250" if "ř" in names else "cp1252"
    assert decoded({"a.csv": table(names).encode(page)})["a.csv"].text == table(names)


def test_the_files_of_a_set_are_read_in_one_page_so_that_names_meet() -> None:
    texts = {"subjects.csv": table(NAMES["cp1250"]), "students.csv": "student_id,electives\nT1,Śląsk\n"}
    found = decoded({name: text.encode("cp1250") for name, text in texts.items()})
    assert {name: one.text for name, one in found.items()} == texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_with_and_without_its_mark(encoding: str) -> None:
    found = decoded({"a.csv": table(NAMES["cp1251"]).encode(encoding)})["a.csv"]
    assert found.text == table(NAMES["cp1251"]) and found.page in ("utf-8", "utf-16")


@pytest.mark.parametrize(
    "data",
    [
        "id,name\n1,Jürgen Müller\n2,Zoë".encode() + b"\xff\n",
        "id\nJürgen\nMü".encode()[:-1] + b"\n" + "Ü".encode() * 3,
        b"id\n1\n\x01\xff",
        "id\nabc".encode("utf-16-le"),
        b"\xff\xfe\n",
    ],
)
def test_damaged_utf_8_and_what_is_no_text_is_refused_with_file_and_line(data: bytes) -> None:
    with pytest.raises(InputError) as raised:
        decoded({"students.csv": data})
    (issue,) = raised.value.issues
    assert (issue.code, issue.pointer) == ("bad_utf8", "/students")
    assert "students.csv is no UTF-8 text in line" in issue.message


def test_only_so_many_lines_are_looked_at_however_large_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    ranked = csv_text._ranked

    def noted(sample: bytes) -> list[str]:
        looked_at.append(len(sample))
        return ranked(sample)

    monkeypatch.setattr(csv_text, "_ranked", noted)
    rows = "".join(f"S{n};Música;José Núñez\n" for n in range(20_000)).encode("cp1252")
    for data in (rows, b"x" * 3_000_000 + "Música Física".encode("cp1252"), random.Random(1).randbytes(300_000)):
        try:
            decoded({"a.csv": data.translate(None, bytes(range(9)) + bytes(range(14, 32)))})
        except InputError as error:
            assert error.issues
    assert len(looked_at) == 3
    assert max(looked_at) <= csv_text.MAX_SAMPLE + 2 * csv_text.AROUND + 2


@pytest.mark.parametrize(
    ("text", "separator", "skipped"),
    [
        ("room_id,capacity\n", ",", 0),
        ("room_id;capacity;type\n1;2,5;x\n", ";", 0),
        ("\n\nroom_id\tcapacity\n", "\t", 0),
        ("room_id|capacity\n", "|", 0),
        ("sep=;\r\nroom_id;capacity\r\n", ";", 1),
        ('"room_id";"note, long";"capacity"\n', ";", 0),
        ("room_id\n", ",", 0),
        ("", ",", 0),
    ],
)
def test_the_separator_is_the_one_under_which_the_header_has_its_columns(
    text: str, separator: str, skipped: int
) -> None:
    assert separator_of(text, ("room_id", "capacity")) == (separator, skipped)
