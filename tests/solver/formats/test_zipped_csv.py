"""A CSV set as a zip file: read like the folder, and no archive takes more than it may."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError, Issue
from solver.formats import load_platform_csv, read_source
from solver.formats.zipped_csv import MAX_MEMBERS, MAX_RATIO, SMALL, load_zipped_csv
from tests.solver.formats.test_platform_csv import CLEAN


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def refusal(data: bytes) -> Issue:
    with pytest.raises(InputError) as raised:
        load_zipped_csv(data)
    return raised.value.issues[0]


@pytest.mark.parametrize("folder", ["", "set/", "../../etc/", "/"])
def test_a_zip_file_is_read_like_the_folder_whatever_folders_its_names_claim(folder: str) -> None:
    files = {f"{folder}{name}": text for name, text in CLEAN.items()}
    more = {"__MACOSX/._students.csv": b"\0\xff", f"{folder}read me.txt": "hello", f"{folder}more.zip": zipped(CLEAN)}
    assert load_zipped_csv(zipped({**files, **more})) == load_platform_csv(CLEAN)


def test_a_zip_file_is_known_by_its_suffix_or_its_first_letters(tmp_path: Path) -> None:
    for name in ("set.zip", "set"):
        (tmp_path / name).write_bytes(zipped(CLEAN))
        assert read_source(tmp_path / name) == load_platform_csv(CLEAN, "set")


def test_a_set_is_called_as_its_file_or_folder_so_that_calendars_of_two_are_never_one(tmp_path: Path) -> None:
    for name in ("north", "south"):
        (tmp_path / f"{name}.zip").write_bytes(zipped(CLEAN))
        (tmp_path / name).mkdir()
        for file, text in CLEAN.items():
            (tmp_path / name / file).write_text(text)
        assert {read_source(tmp_path / place).dataset.name for place in (name, f"{name}.zip")} == {name}


def test_what_was_mended_has_file_and_line() -> None:
    imported = load_zipped_csv(zipped({**CLEAN, "classrooms.csv": "room_id,capacity\nR1,huge\n,60\n"}))
    assert [(note.file, note.line) for note in imported.repairs] == [("classrooms", 2)]
    assert [(note.file, note.line) for note in imported.unusable] == [("classrooms", 3)]


def test_text_that_is_no_utf_8_is_refused_with_file_and_line() -> None:
    issue = refusal(
        zipped({**CLEAN, "students.csv": "student_id,electives\nJörg-Çağ,Optics\nS2,".encode() + b"\xff\n"})
    )
    assert (issue.code, issue.pointer) == (
        "bad_utf8",
        "/students",
    ) and "students.csv is no UTF-8 text in line 3" in issue.message


def test_a_field_without_end_is_refused_with_file_and_line() -> None:
    issue = refusal(
        zipped({**CLEAN, "students.csv": "student_id,electives\nS1," + random.Random(1).randbytes(80_000).hex()})
    )
    assert (issue.code, issue.pointer) == ("bad_csv", "/students") and "students.csv, line 2" in issue.message


def test_a_bomb_is_not_unpacked() -> None:
    issue = refusal(zipped({**CLEAN, "students.csv": b"a" * (64 << 20)}))
    assert issue.code == "too_large" and "students.csv" in issue.message


def test_an_archive_that_lies_about_sizes_is_found_out() -> None:
    data = bytearray(zipped({"students.csv": b"a" * (8 << 20)}))
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = (100).to_bytes(4, "little")  # the unpacked size that it states
    assert refusal(bytes(data)).code in {"bad_zip", "too_large", "missing"}


def test_honest_tables_are_no_bombs() -> None:
    rows = "".join(f"S{n},Optics\n" for n in range(20_000))
    text = f"student_id,electives\n{rows}"
    assert len(text) > SMALL
    packed = zipped({"x.csv": text})
    assert len(text) < MAX_RATIO * len(packed)


def test_too_many_entries_encrypted_ones_and_two_of_one_name_are_refused() -> None:
    assert refusal(zipped({f"{n}.txt": "" for n in range(MAX_MEMBERS + 1)})).code == "too_large"
    assert refusal(zipped({"a/students.csv": "x", "b/Students.csv": "y"})).code == "duplicate"
    data = bytearray(zipped({"students.csv": "x"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert refusal(bytes(data)).code == "bad_zip"


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_damaged_archives_are_refused_or_read_and_nothing_else(noise: bytes, seed: int) -> None:
    data = bytearray(zipped(CLEAN))
    rng = random.Random(seed)
    for byte in noise[:8]:
        data[rng.randrange(len(data))] = byte
    for candidate in (bytes(data), bytes(data)[: rng.randrange(len(data))], noise, b"PK" + noise):
        try:
            load_zipped_csv(candidate)
        except InputError as error:
            assert error.issues
