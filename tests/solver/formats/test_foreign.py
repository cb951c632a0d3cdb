"""Files that people have instead of those we read are named, in one sentence that says what to do."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from solver.errors import InputError, Issue
from solver.formats import load_ctt, load_dataset, load_platform_csv, load_timetable, load_zipped_csv, read_source
from solver.formats.files import read_timetable
from tests.builders import course, dataset
from tests.solver.formats.test_platform_csv import CLEAN


def workbook() -> bytes:
    data = io.BytesIO()
    openpyxl.Workbook().save(data)
    return data.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def refusal(path: Path) -> Issue:
    with pytest.raises(InputError) as raised:
        read_source(path)
    (issue,) = raised.value.issues
    return issue


OPEN_DOCUMENT = zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"})


@pytest.mark.parametrize(
    ("name", "data", "code", "said"),
    [
        (
            "set.xlsx",
            workbook(),
            "workbook",
            "is an Excel workbook: workbooks are not read yet; save each sheet as CSV",
        ),
        ("set.zip", workbook(), "workbook", "is an Excel workbook"),
        ("set.ods", OPEN_DOCUMENT, "workbook", "is an OpenDocument spreadsheet"),
        ("set.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "workbook", "old Excel workbook"),
        ("set.zip", zipped({"a/Students.xlsx": workbook()}), "workbook", "the zip file holds 'Students.xlsx'"),
        ("set.zip", zipped({"students.csv": workbook()}), "workbook", "students.csv is an Excel workbook"),
        ("plan.pdf", b"%PDF-1.7\n", "unknown_format", "is a PDF file"),
        ("x.fet", b'<?xml version="1.0"?>\n\n<fet version="6.9">', "unknown_format", "x.fet is a dataset of FET"),
        ("x.xml", b'<?xml version="1.0"?><!DOCTYPE problem ><problem name="x">', "unknown_format", "ITC-2019 problem"),
        ("x.json", b"<html></html>", "unknown_format", "is a web page"),
        ("x.sol", b"c1 r1 0 0\n", "unknown_format", "x.sol is the answer to a problem"),
        ("students.csv", b"student_id\n", "unknown_format", "is one table of a CSV set; give the folder"),
    ],
    ids=lambda given: (
        given if isinstance(given, str) and len(given) < 20 else ""
    ),  # bytes of a zip file differ by its date
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, data: bytes, code: str, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    issue = refusal(tmp_path / name)
    assert issue.code == code and said in issue.message


def test_a_folder_of_workbooks_is_named(tmp_path: Path) -> None:
    (tmp_path / "students.xlsx").write_bytes(workbook())
    assert refusal(tmp_path).code == "workbook"


def test_tables_are_known_by_name_whatever_their_capitals_and_suffix(tmp_path: Path) -> None:
    for name, text in CLEAN.items():
        upper = Path(name).stem.capitalize() + (".TSV" if name == "labs.csv" else ".CSV")
        (tmp_path / upper).write_text(text.replace(",", "\t") if upper.endswith("TSV") else text, encoding="utf-8")
    (tmp_path / "notes.txt").write_bytes(b"\xff\x00")
    assert read_source(tmp_path).dataset == load_platform_csv(CLEAN, tmp_path.name).dataset


def test_the_extended_ctt_format_is_one_sentence() -> None:
    text = "Name: x\nCourses: 1\nRooms: 1\nDays: 5\nPeriods_per_day: 4\nCurricula: 0\nMin_Max_Daily_Lectures: 2 3\n"
    with pytest.raises(InputError) as raised:
        load_ctt(text)
    (issue,) = raised.value.issues
    assert (issue.pointer, issue.code) == ("/line/7", "extended_format") and ".ectt" in issue.message


DATASET = dataset(course("a"))


@pytest.mark.parametrize(
    "document",
    [
        {"schema": "timetable-dataset/1", "rooms": [], "courses": []},
        {"rooms": [], "courses": []},
        {"dataset": {"rooms": []}, "job_id": "x"},
        {"job_id": "x", "variants": [{"timetable_entries": []}]},
    ],
)
def test_a_dataset_or_an_answer_in_place_of_a_timetable_is_named(document: dict[str, object]) -> None:
    with pytest.raises(InputError) as raised:
        load_timetable(document)
    assert [issue.code for issue in raised.value.issues] == ["wrong_kind"]


@pytest.mark.parametrize(
    "document",
    [
        {"schema": "timetable-result/1", "variants": []},
        {"schema": "timetable/1", "placements": []},
        {"placements": []},
        {"variants": []},
        {"dataset": {}, "num_variants": 2},
    ],
)
def test_a_result_or_a_request_in_place_of_a_dataset_is_named(document: dict[str, object]) -> None:
    with pytest.raises(InputError) as raised:
        load_dataset(document)
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == [("/schema", "wrong_kind")]


def test_a_dataset_read_as_a_timetable_from_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"schema": "timetable-dataset/1"}', encoding="utf-8")
    with pytest.raises(InputError, match="this is a dataset"):
        read_timetable(tmp_path / "d.json", DATASET)


def test_a_workbook_in_a_request_is_named() -> None:
    with pytest.raises(InputError, match="this is an Excel workbook"):
        load_zipped_csv(workbook())
