"""The workbook opened again by openpyxl, and compared with the timetable it was made from."""

from __future__ import annotations

import csv
import io
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats import xlsx_export
from solver.formats.csv_export import COLUMNS
from solver.formats.frame import PeriodRow, rows_of_week
from solver.formats.meetings import Week, Weeks
from solver.formats.safe import inert, printable
from solver.formats.xlsx_export import INDEX, MAX_TITLE, SESSIONS, Titles, cell_text
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, group, room, teacher, timetable
from tests.solver.formats.exported import made, named, names


def workbook(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data))


def grid_of(sheet: Any, first_row: int, data: Dataset) -> dict[tuple[int, int], str]:
    """(day, period) -> text of the week that begins at a row."""
    found = {}
    for period in range(data.time_grid.num_periods):
        row = first_row + 2 + period + sum(before <= period for before in data.time_grid.rested)
        for day in range(data.time_grid.num_days):
            value = sheet.cell(row, day + 2).value
            if value is not None:
                found[day, period] = value
    return found


def expected_grid(week: Week, data: Dataset) -> dict[tuple[int, int], str]:
    rows = {row.period: row for row in rows_of_week(data.time_grid) if isinstance(row, PeriodRow)}
    return {
        (day, period): inert(printable("\n".join(cell_text(week, m, rows[period]) for m in meetings)))
        for (day, period), meetings in week.cells().items()
    }


@pytest.mark.parametrize("own_sheets", [1000, 10])
def test_the_workbook_has_every_session_and_every_week_where_the_index_says(
    college: tuple[Dataset, Timetable], own_sheets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_export, "MAX_OWN_SHEETS", own_sheets)
    data, table = college
    book = workbook(made(data, table, "xlsx"))
    text = list(csv.reader(io.StringIO(made(data, table, "csv").decode("utf-8-sig"), newline="")))
    sessions = [["" if v is None else str(v) for v in row] for row in book[SESSIONS].iter_rows(values_only=True)]
    assert sessions == text and tuple(text[0]) == COLUMNS
    weeks = {(week.of.kind, week.of.id): week for week in Weeks(data, table).weeks()}
    index = list(book[INDEX].iter_rows(min_row=4))
    assert len(index) == len(weeks) == len(data.groups) + len(data.faculty) + len(data.rooms)
    assert (len(book.sheetnames) > len(weeks)) is (own_sheets == 1000)
    for kind, name, id, count in index:
        week = weeks[kind.value, id.value]
        title, _, cell = name.hyperlink.location.rpartition("!")
        sheet, row = book[title.strip("'").replace("''", "'")], int(cell[1:])
        assert sheet.cell(row, 1).value == f"{week.of.kind.capitalize()} {week.title}"
        assert sheet.cell(row, 2).value is None, "nothing stands in the way of a long name"
        assert "Lunch" in [sheet.cell(row + 2 + n, 2).value for n in range(data.time_grid.num_periods)]
        assert name.hyperlink.ref == name.coordinate and count.value == len(week.meetings)
        assert grid_of(sheet, row, data) == expected_grid(week, data)


def test_every_sheet_tells_whose_it_is_by_its_name_and_its_colour() -> None:
    long = "Department of Computer Science and Engineering, year 2, section"
    data = dataset(
        course("c", groups="gA gB g101"),
        *(group(f"g{letter}", name=f"{long} {letter}") for letter in "AB"),
        group("g101", name="101"),
        room("r101", name="101"),
        *(teacher(id, name="A. Rao") for id in ("F1", "F2")),
        teacher("F3", name="B. Sen"),
    )
    book = workbook(made(data, timetable(), "xlsx"))
    assert book.sheetnames[2:] == [
        *(f"Department of C…ar 2, section {letter}" for letter in "AB"),
        *("Group 101", "A. Rao (F1)", "A. Rao (F2)", "B. Sen", "Room 101"),
    ]
    assert len({book[name].sheet_properties.tabColor.rgb for name in book.sheetnames[2:]}) == 3


def test_the_workbook_of_one_owner_has_one_week(college: tuple[Dataset, Timetable], week: Week) -> None:
    book = workbook(made(*college, "xlsx", **{week.of.kind: week.of.id}))
    assert len(book.sheetnames) == 3
    assert grid_of(book[book.sheetnames[2]], 1, college[0]) == expected_grid(week, college[0])
    assert book[SESSIONS].max_row == 1 + len(week.meetings)


@given(names)
@settings(max_examples=40, deadline=None)
def test_no_cell_of_a_workbook_is_a_formula_whatever_the_names(name: str) -> None:
    book = workbook(made(*named(name), "xlsx"))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert not [c.value for c in cells if c.data_type == "s" and inert(c.value) != c.value]
    assert any(printable(name).replace("\r\n", "\n").strip()[:20] in str(cell.value) for cell in cells) or "\r" in name


@given(st.lists(st.one_of(names, st.sampled_from(["Index", "INDEX", "x" * 31, "x" * 40])), max_size=30))
def test_titles_of_sheets_are_valid_and_differ_without_regard_to_capitals(wanted: list[str]) -> None:
    titles = Titles((INDEX,))
    found = [titles.free(name) for name in wanted]
    assert len({title.casefold() for title in (INDEX, *found)}) == len(found) + 1
    for title in found:
        assert 1 <= len(title.encode("utf-16-le")) // 2 <= MAX_TITLE
        assert not set(title) & set("\\/*?:[]") and title.strip("'") and title[0] != "'" != title[-1]


def test_a_workbook_with_more_rows_than_a_sheet_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_export, "MAX_OWN_SHEETS", 0)
    monkeypatch.setattr(xlsx_export, "MAX_ROWS", 5)
    with pytest.raises(InputError, match="rows"):
        made(dataset(course("a")), timetable(a=0), "xlsx")
