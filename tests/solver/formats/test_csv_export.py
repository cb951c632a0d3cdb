"""The CSV export: every session has a row, any text survives, and no cell runs as a formula."""

from __future__ import annotations

import csv
import io
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.calendar import clock_of
from solver.formats.csv_export import COLUMNS, csv_file, dump_csv
from solver.formats.meetings import Week
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, datasets, grid, group, random_timetable, room, teacher, timetable
from tests.solver.formats.exported import made

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", " =1", "\0=1", '=HYPERLINK("http://x","y")')
SPLIT = {
    ";=1": ";'=1",
    "a;=1+1": "a;'=1+1",
    "a; @x;b": "a; '@x;b",
    'a;"=1': "a;\"'=1",
    "a\n-1": "a\n'-1",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    "C++; C": "C++; C",
}
"""What stands in a cell whose parts may end up in cells of their own."""


def rows(data: Dataset, table: Timetable) -> list[dict[str, str]]:
    """The export as a strict reader sees it."""
    return list(csv.DictReader(io.StringIO(dump_csv(data, table), newline=""), strict=True))


def test_a_row_says_when_what_who_and_where() -> None:
    data = dataset(
        course("c1", code="CS101", name="Logic", faculty="f1 f2", groups="g1", slots=2, size=30),
        room("r1", name="LH-1", building="North"),
        teacher("f1", name="A. Rao"),
        group("g1", name="CSE-1"),
        grid=grid(days=2, periods=4, lunch_after=2),
    )
    assert rows(data, timetable(c1=6)) == [
        {
            "day": "Tuesday",
            "start": "11:00",
            "end": "13:00",
            "course_code": "CS101",
            "course_name": "Logic",
            "teachers": "A. Rao; f2",
            "groups": "CSE-1",
            "room": "LH-1",
            "building": "North",
            "students": "30",
        }
    ]


def test_rows_stand_in_order_of_time_and_open_sessions_last() -> None:
    data = dataset(course("a", sessions=2), course("b"), course("c"))
    found = [(row["day"], row["start"], row["course_code"]) for row in rows(data, timetable(a=[9, None], b=1, c=1))]
    assert found == [
        ("Monday", "09:00", "b"),
        ("Monday", "09:00", "c"),
        ("Wednesday", "09:00", "a"),
        ("", "", "a"),
    ]


def test_lines_end_as_rfc_4180_wants_and_the_header_is_first() -> None:
    lines = dump_csv(dataset(course("a")), timetable(a=0)).split("\r\n")
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 3 and lines[-1] == ""


@pytest.mark.parametrize(("text", "shown"), [*((text, f"'{text}") for text in FORMULAS), *SPLIT.items()])
def test_what_a_spreadsheet_would_run_wherever_it_splits_gets_an_apostrophe(text: str, shown: str) -> None:
    data = dataset(
        course("c", code=text, name=text, faculty="f", groups="g"),
        room("r1", name=text, building=text),
        teacher("f", name=text),
        group("g", name=text),
    )
    (row,) = rows(data, timetable(c=0))
    cells = [row[column] for column in ("course_code", "course_name", "teachers", "groups", "room", "building")]
    assert cells == [shown] * 6


@given(datasets(), st.integers(0, 2**32 - 1))
def test_every_session_has_exactly_one_row(data: Dataset, seed: int) -> None:
    table = random_timetable(data, Random(seed))
    found = rows(data, table)
    assert len(found) == len(data.sessions)
    assert sum(row["day"] != "" for row in found) == len(table.placements)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_name_survives(name: str) -> None:
    (row,) = rows(dataset(course("c", name=name)), timetable(c=0))
    assert row["course_name"].replace("'", "") == name.replace("'", "")
    for part in re.split("[;\r\n]", row["course_name"]):
        assert not part.lstrip(' "').startswith(("=", "+", "-", "@"))
    assert not row["course_name"].startswith(("\t", "\r", "\n", "\0"))


def test_the_csv_of_one_owner_has_the_rows_of_the_week(college: tuple[Dataset, Timetable], week: Week) -> None:
    text = made(*college, "csv", **{week.of.kind: week.of.id}).decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [(row["day"], row["start"], row["end"], row["course_code"], row["room"]) for row in found] == [
        (m.day_name, clock_of(m.begin), clock_of(m.end), m.code, m.room) for m in week.meetings
    ]


def test_a_file_begins_with_the_mark_of_utf_8_so_that_spreadsheets_show_every_script() -> None:
    data = dataset(course("c", name="गणित"))
    assert csv_file(data, timetable(c=0)) == b"\xef\xbb\xbf" + dump_csv(data, timetable(c=0)).encode()
