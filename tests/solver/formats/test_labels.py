"""Rooms and teachers that are called alike are told apart in every file that people take away, in the same words."""

from __future__ import annotations

import io
import zipfile

import pytest

from solver.formats import EXPORTS, export, read_wanted
from solver.formats.meetings import Of, Weeks
from tests.builders import course, dataset, room, teacher, timetable

DATA = dataset(
    *(course("a", faculty="f1"), course("b", faculty="f2")),
    *(teacher("f1", name="A. Rao", code="T-1"), teacher("f2", name="A. Rao", code="T-2")),
    *(room("r1", name="101", building="North"), room("r2", name="101", building="South")),
)
TABLE = timetable(a=(0, "r1"), b=(0, "r2"))
ASKED = {
    "csv": {},
    "html": {},
    "xlsx": {},
    "ics": {"term_start": "2026-09-01", "term_end": "2026-09-30"},
    "svg": {"teacher": "f1"},
}


def text_of(data: bytes) -> str:
    if data[:2] != b"PK":
        return data.decode("utf-8-sig").replace("\r\n ", "")
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))


@pytest.mark.parametrize("format", ASKED)
def test_every_file_tells_them_apart(format: str) -> None:
    text = text_of(export(DATA, TABLE, format, read_wanted(format, ASKED[format])))
    wanted = ["101 (North)"] if format == "svg" else ["A. Rao (T-1)", "A. Rao (T-2)", "101 (North)", "101 (South)"]
    assert [label for label in wanted if label not in text] == []
    assert "101 (North), North" not in text


def test_no_format_for_people_is_left_out() -> None:
    assert EXPORTS.keys() == ASKED.keys() | {"ctt", "tim"}


def test_a_place_names_a_building_that_its_label_does_not() -> None:
    data = dataset(course("a"), room("r1", name="101", building="North"))
    (meeting,) = Weeks(data, timetable(a=(0, "r1"))).week(Of(kind="room", id="r1")).meetings
    assert meeting.place == "101, North"
