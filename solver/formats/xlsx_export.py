"""
A timetable as a workbook: an index with links, all sessions as a list, and the weeks of groups, teachers and rooms.

While there are few enough of them, everybody has a sheet. Nobody finds anything among thousands of tabs, and
spreadsheets take minutes to open them; so beyond that a kind shares one sheet, week below week, and the index leads to
the row. Sheets are written as a stream: a workbook holds no cells in memory.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet

from solver.calendar import TimeGrid
from solver.errors import InputError, Issue
from solver.formats.csv_export import COLUMNS, rows_of
from solver.formats.frame import BreakRow, PeriodRow, rows_of_week
from solver.formats.meetings import LISTED_KINDS, Kind, Meeting, Of, Week, Weeks
from solver.formats.safe import inert, printable, shortened
from solver.model import Dataset, Timetable

MAX_OWN_SHEETS = 250
"""So many weeks get a sheet each."""
MAX_TITLE = 31
"""Characters of a sheet's name, which Excel counts in units of UTF-16."""
MAX_CELL = 2_000
"""Characters of a cell that are written; Excel refuses more than 32,767."""
MAX_ROWS = 1_000_000
"""Of one sheet; Excel has 1,048,576."""
SHARED_TITLES: dict[Kind, str] = {"group": "Groups", "teacher": "Teachers", "room": "Rooms", "student": "Students"}
INDEX, SESSIONS = "Index", "Sessions"

_NOT_IN_TITLES = re.compile(r"[\\/*?:\[\]\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_BOLD, _LINK = Font(bold=True), Font(color="0563C1", underline="single")
_TITLE, _HEAD, _LUNCH = Font(bold=True, size=14), PatternFill("solid", fgColor="DDE6F0"), Font(italic=True)
TAB_COLOURS: dict[Kind, str] = {"group": "3A62D6", "teacher": "2B7A2F", "room": "9A5B00", "student": "8B3FB0"}
_WRAP = Alignment(wrap_text=True, vertical="top")
_Value = str | int
_Place = tuple[str, int]
"""Sheet and row where a week begins."""


def dump_xlsx(dataset: Dataset, timetable: Timetable, of: Of | None = None) -> bytes:
    """
    The workbook of everything, or of one owner's week.

    Raises
    ------
    InputError
        The dataset has no such owner, or more weeks than a sheet has rows.
    """
    weeks = Weeks(dataset, timetable)
    wanted = [weeks.week(of)] if of else list(weeks.weeks())
    plan = _own_places if len(wanted) <= MAX_OWN_SHEETS else _shared_places
    places = plan(wanted, dataset.time_grid)
    book = Workbook(write_only=True)
    _write_index(_Sheet(book, INDEX, (12, 44, 24, 12)), dataset.name, wanted, places)
    _write_sessions(_Sheet(book, SESSIONS, (12, 8, 8, 16, 40, 32, 32, 20, 20, 10)), dataset, timetable, of)
    _write_weeks(book, dataset.time_grid, wanted, places)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


class _Sheet:
    """One sheet as a stream of rows, which knows the number of the row it writes."""

    def __init__(self, book: Workbook, title: str, widths: Iterable[int]) -> None:
        self._sheet = book.create_sheet(title)
        self.next_row = 1
        for n, width in enumerate(widths, start=1):
            self._sheet.column_dimensions[get_column_letter(n)].width = width

    def append(self, *values: _Value | Cell) -> None:
        self._sheet.append([self.cell(value) if isinstance(value, str) else value for value in values])
        self.next_row += 1

    def head(self, *texts: str) -> None:
        self.append(*(self.cell(text, font=_BOLD, fill=_HEAD) for text in texts))

    def cell(self, text: str, **style: Font | PatternFill | Alignment) -> Cell:
        """A cell that is text whatever it says."""
        cell = WriteOnlyCell(self._sheet, inert(shortened(printable(text), MAX_CELL)))
        cell.data_type = "s"
        for name, value in style.items():
            setattr(cell, name, value)
        return cell

    def link(self, text: str, place: _Place, column: str) -> Cell:
        """A cell of the next row that leads to another place of the workbook."""
        title, row = place
        cell = self.cell(text, font=_LINK)
        link = Hyperlink(ref="", location=f"{quote_sheetname(title)}!A{row}")
        cell.hyperlink = link
        link.ref = f"{column}{self.next_row}"  # a cell of a stream does not know where it will stand
        return cell

    def freeze(self, corner: str) -> None:
        self._sheet.freeze_panes = corner

    def dress(self, kind: Kind, *, one_page: bool) -> None:
        """A tab in the colour of the kind; on paper A4, as wide as a page and, where it is one week, as high."""
        self._sheet.sheet_properties.tabColor = TAB_COLOURS[kind]
        self._sheet.page_setup.orientation = "landscape"
        self._sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
        self._sheet.sheet_properties.pageSetUpPr.fitToPage = True
        self._sheet.page_setup.fitToHeight = int(one_page)


def _own_places(weeks: Sequence[Week], grid: TimeGrid) -> list[_Place]:
    titles = Titles((INDEX, SESSIONS))
    return [(titles.free(name), 1) for name in telling_names(weeks)]


def telling_names(weeks: Sequence[Week]) -> list[str]:
    """A name for each sheet that no other one has even when it is cut: the name, with the kind, or else the id."""
    names = [week.name for week in weeks]
    kinds = [week.of.kind.capitalize() for week in weeks]
    for better in ([week.name for week in weeks], [week.of.id for week in weeks]):
        seen = Counter(_shortened(name, MAX_TITLE).casefold() for name in names)
        names = [
            f"{kind} {other}" if seen[_shortened(name, MAX_TITLE).casefold()] > 1 else name
            for name, kind, other in zip(names, kinds, better, strict=True)
        ]
    return names


def _shared_places(weeks: Sequence[Week], grid: TimeGrid) -> list[_Place]:
    height = grid.num_periods + 3 + len(grid.rested)  # title, days, a blank row
    rows: dict[Kind, Iterator[int]] = {kind: count(1, height) for kind in LISTED_KINDS}
    places = [(SHARED_TITLES[week.of.kind], next(rows[week.of.kind])) for week in weeks]
    lowest = max(row for _, row in places) + height
    if lowest > MAX_ROWS:
        message = f"the weeks take {lowest} rows, a sheet has {MAX_ROWS}; ask for one group, teacher or room"
        raise InputError([Issue(pointer="/group", code="too_large", message=message, value=lowest)])
    return places


def _write_index(sheet: _Sheet, name: str, weeks: Sequence[Week], places: Sequence[_Place]) -> None:
    sheet.freeze("A4")
    sheet.append(sheet.cell(name or "Timetable", font=_BOLD))
    sheet.append(sheet.link("All sessions", (SESSIONS, 1), "A"))
    sheet.head("kind", "name", "id", "sessions")
    for week, place in zip(weeks, places, strict=True):
        sheet.append(week.of.kind, sheet.link(week.name, place, "B"), week.of.id, len(week.meetings))


def _write_sessions(sheet: _Sheet, dataset: Dataset, timetable: Timetable, of: Of | None) -> None:
    sheet.freeze("A2")
    sheet.head(*COLUMNS)
    for row in rows_of(dataset, timetable, of):
        values = (row.get(column, "") for column in COLUMNS)
        sheet.append(*(value if isinstance(value, int) else str(value) for value in values))


def _write_weeks(book: Workbook, grid: TimeGrid, weeks: Sequence[Week], places: Sequence[_Place]) -> None:
    """Weeks of one sheet follow each other, each at the row that was planned for it."""
    sheet, current = None, ""
    for week, (title, _) in zip(weeks, places, strict=True):
        if sheet is None or title != current:
            sheet, current = _Sheet(book, title, (14, *(26,) * grid.num_days, 14)), title
            sheet.dress(week.of.kind, one_page=title not in SHARED_TITLES.values())
        _write_week(sheet, week, grid)


def _write_week(sheet: _Sheet, week: Week, grid: TimeGrid) -> None:
    # Alone in its row, so that nothing stands in the way of a long name.
    sheet.append(sheet.cell(f"{week.of.kind.capitalize()} {week.title}", font=_TITLE))
    days = (sheet.cell(day, font=_BOLD, fill=_HEAD) for day in ("", *grid.day_names))
    sheet.append(*days, sheet.link("to the index", (INDEX, 1), get_column_letter(grid.num_days + 2)))
    cells = week.cells()
    for row in rows_of_week(grid):
        if isinstance(row, BreakRow):
            sheet.append(row.clock, *(sheet.cell(name, font=_LUNCH) if name else "" for name in row.names))
            continue
        here = (cells.get((day, row.period), ()) for day in range(grid.num_days))
        texts = ("\n".join(cell_text(week, meeting, row) for meeting in meetings) for meetings in here)
        sheet.append(row.head, *(sheet.cell(text, alignment=_WRAP) if text else "" for text in texts))
    sheet.append()


def cell_text(week: Week, meeting: Meeting, row: PeriodRow) -> str:
    """What a cell of the grid says about a meeting that runs then: its time, too, where the row does not."""
    if row.period > meeting.period:
        return f"({meeting.code}, continued)"
    clock = () if row.clock else (meeting.clock,)
    return "\n".join(filter(None, (meeting.title, *clock, *week.lines(meeting))))


class Titles:
    """Names of sheets: each once whatever its capitals, of at most 31 characters, none of them forbidden."""

    def __init__(self, taken: Iterable[str]) -> None:
        # Excel keeps this name for itself.
        self._taken = {"history", *(title.casefold() for title in taken)}

    def free(self, name: str) -> str:
        """A title as close to the name as can be."""
        plain = _NOT_IN_TITLES.sub("_", name).strip().strip("'") or "_"
        for n in count(1):
            tail = "" if n == 1 else f" ({n})"
            title = (_shortened(plain, MAX_TITLE - len(tail)).rstrip().rstrip("'") or "_") + tail
            if title.casefold() not in self._taken:
                self._taken.add(title.casefold())
                return title
        raise AssertionError("numbers do not end")


def _shortened(text: str, most: int) -> str:
    """Names that are too long differ at their ends, so what is cut out is the middle."""
    if text == _first_units(text, most):
        return text
    head = _first_units(text, most // 2)
    return f"{head.rstrip()}…{_last_units(text, most - most // 2 - 1).lstrip()}"


def _first_units(text: str, most: int) -> str:
    """As much of the text as fits into `most` units of UTF-16; no character is cut in two."""
    return text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


def _last_units(text: str, most: int) -> str:
    """As much of the end of the text."""
    return text.encode("utf-16-le")[-2 * most :].decode("utf-16-le", "ignore")
