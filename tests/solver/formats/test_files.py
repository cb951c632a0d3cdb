"""Files by suffix: what is read, what is written, and refusals before anybody has solved anything."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from solver.errors import InputError
from solver.formats import WRITABLE, dump_csv, dump_dataset, dump_sln, dump_solution, dump_timetable, load_result
from solver.formats.files import read_dataset, read_source, read_timetable, write_result
from solver.formats.html_export import dump_html
from tests.builders import course, dataset, timetable
from tests.solver.formats.test_answers import full_result
from tests.solver.formats.test_ctt import TOY
from tests.solver.formats.test_platform_csv import CLEAN
from tests.solver.formats.test_tim import TWO

DATA = dataset(course("a", sessions=2, groups="g"), course("b"), name="two courses")


def code_of(error: InputError) -> str:
    (issue,) = error.issues
    return issue.code


@pytest.mark.parametrize("name", ["data.json", "DATA.JSON", "data", "data.txt"])
def test_native_json_is_known_by_suffix_or_by_its_first_brace(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("\ufeff  " + json.dumps(dump_dataset(DATA)), encoding="utf-8")
    assert read_dataset(file) == read_dataset(str(file)) == DATA


@pytest.mark.parametrize("name", ["toy.ctt", "toy.CTT", "toy", "toy.txt"])
def test_a_ctt_file_is_known_by_suffix_or_by_its_first_word(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TOY, encoding="utf-8")
    assert read_dataset(tmp_path / name).name == "ToyExample"


def test_a_name_with_an_accent_in_latin_1_does_not_keep_a_problem_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "toy.ctt").write_bytes(TOY.replace("ToyExample", "Città").encode("latin-1"))
    assert read_dataset(tmp_path / "toy.ctt").name == "Città"


@pytest.mark.parametrize("name", ["toy.tim", "TOY.TIM", "toy", "toy.txt"])
def test_a_tim_file_is_known_by_suffix_or_by_its_four_numbers_and_named_after_the_file(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("\n".join(TWO), encoding="utf-8")
    data = read_dataset(tmp_path / name)
    assert data.name == Path(name).stem and len(data.courses) == 2


def test_an_unknown_kind_of_file_is_refused_and_a_missing_one_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match=r"\.json, \.ctt") as raised:
        read_dataset(tmp_path / "notes.txt")
    assert code_of(raised.value) == "unknown_format"
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path / "absent.json")


def test_a_folder_is_a_csv_set(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read_dataset(tmp_path)
    assert {issue.code for issue in raised.value.issues} == {"missing"}


def test_the_account_of_a_csv_set_comes_with_it_and_goes_into_the_written_result(tmp_path: Path) -> None:
    for name, text in CLEAN.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "classrooms.csv").write_text("room_id,capacity\nR1,huge\n,60\n", encoding="utf-8")
    source = read_source(tmp_path)
    assert source.dataset == read_dataset(tmp_path)
    assert [(note.file, note.line) for note in source.repairs] == [("classrooms", 2)]
    assert [(note.file, note.line) for note in source.unusable] == [("classrooms", 3)]
    result = full_result(DATA, Random(1))
    write_result(tmp_path / "r.json", source=source)(DATA, result)
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text)["import"] == source.account()
    assert load_result(text) == result


def test_a_file_that_is_used_as_it_is_has_no_account(tmp_path: Path) -> None:
    (tmp_path / "toy.ctt").write_text(TOY, encoding="utf-8")
    source = read_source(tmp_path / "toy.ctt")
    assert source.repairs == source.unusable == () and not source.rows
    write_result(tmp_path / "r.json", source=source)(source.dataset, full_result(DATA, Random(1)))
    assert "import" not in json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))


def test_a_timetable_is_read_from_native_json_from_a_result_and_from_an_answer(tmp_path: Path) -> None:
    table = timetable(a=[0, 5], b=3)
    (tmp_path / "t.json").write_text(json.dumps(dump_timetable(table)), encoding="utf-8")
    (tmp_path / "t.sol").write_text(dump_solution(DATA, table), encoding="utf-8")
    assert read_timetable(tmp_path / "t.json", DATA) == table
    assert read_timetable(tmp_path / "t.sol", DATA) == table
    (tmp_path / "t.sln").write_text(dump_sln(DATA, table), encoding="utf-8")
    assert read_timetable(tmp_path / "t.sln", DATA) == table
    result = full_result(DATA, Random(1))
    write_result(tmp_path / "r.json")(DATA, result)
    assert read_timetable(tmp_path / "r.json", DATA) == result.best.timetable
    with pytest.raises(InputError) as raised:
        read_timetable(tmp_path / "t.xml", DATA)
    assert code_of(raised.value) == "unknown_format"


def test_every_writable_suffix_is_written(tmp_path: Path) -> None:
    result = full_result(DATA, Random(2))
    best = result.best.timetable
    expected = {
        ".csv": "\ufeff" + dump_csv(DATA, best),
        **dict.fromkeys((".sol", ".ctt"), dump_solution(DATA, best)),
        **dict.fromkeys((".sln", ".tim"), dump_sln(DATA, best)),
        ".html": dump_html(DATA, best),
    }
    week = {"group": "g", "term_start": "2026-09-01", "term_end": "2026-12-18"}
    asked: dict[str, dict[str, str]] = {".svg": week, ".ics": week}
    beginnings = {".xlsx": b"PK", ".svg": b"<?xml", ".ics": b"BEGIN:VCALENDAR\r\n"}
    for suffix in WRITABLE:
        file = tmp_path / f"out{suffix}"
        write_result(file, asked=asked.get(suffix))(DATA, result)
        if suffix in beginnings:
            assert file.read_bytes().startswith(beginnings[suffix])
            continue
        text = file.read_bytes().decode()
        if suffix == ".json":
            assert json.loads(text)["dataset"] == "two courses"
            assert load_result(text) == result
        else:
            assert text == expected[suffix]


@pytest.mark.parametrize("format", ["csv", ".csv", "CSV"])
def test_a_format_wins_over_the_suffix(tmp_path: Path, format: str) -> None:
    result = full_result(DATA, Random(3))
    write_result(tmp_path / "out.txt", format)(DATA, result)
    table = (tmp_path / "out.txt").read_bytes().decode("utf-8-sig")
    assert table == dump_csv(DATA, result.best.timetable)


@pytest.mark.parametrize("suffix", [".pdf", ""])
def test_an_unknown_format_is_refused_at_once_with_the_known_ones(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError) as raised:
        write_result(tmp_path / f"out{suffix}")
    assert code_of(raised.value) == "unknown_format"
    assert all(known in str(raised.value) for known in WRITABLE)


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for path in (tmp_path / "absent" / "out.json", tmp_path / "folder.json"):
        with pytest.raises(InputError) as raised:
            write_result(path)
        assert code_of(raised.value) == "not_writable"
