"""
How large the letters of a printed week may be so that it takes one page of A4, landscape.

Browsers scale no table to a page, and cutting texts would hide what people print a week for. So the lines of each row
are counted, by the width of a common letter, and the letters are made as small as the page asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from solver.calendar import TimeGrid
from solver.formats.meetings import Meeting, Week

Cells = Mapping[tuple[int, int], Sequence[Meeting]]

PAGE_WIDTH, PAGE_HEIGHT = 277.0, 190.0
"""Millimetres of A4 landscape within its margins, as all lengths here."""
CLOCKS, HEADING, DAYS, BREAK = 22.0, 8.0, 6.0, 5.0
"""Width of the clocks; heights of the heading, of the names of the days, and of a row of breaks."""
CELL_PADDING, ROW_PADDING, MEETING_GAP = 2.6, 1.2, 0.9
MIN_ROW = 4.5
LARGEST, SMALLEST, STEP = 9.0, 2.0, 0.25
"""Points. Whoever has dozens of meetings at once gets letters for a magnifying glass, and one page all the same."""
LETTER, BOLD_LETTER, LINE = 0.54, 0.62, 1.25
"""Width of a letter and height of a line, by the size of the letters."""
MILLIMETRES = 25.4 / 72
SPARE = 0.97
"""Fonts differ from machine to machine."""


def points_of(week: Week, grid: TimeGrid) -> float:
    """The size of the letters, in points."""
    room = SPARE * (PAGE_HEIGHT - HEADING - DAYS - BREAK * len(grid.rested))
    cells = week.cells()
    for n in count():
        points = LARGEST - n * STEP
        if points <= SMALLEST or _height(week, grid, cells, points) <= room:
            return max(points, SMALLEST)
    raise AssertionError("sizes do not end")


def height_of(here: Sequence[Meeting], cells: Cells, grid: TimeGrid) -> int:
    """Rows of one cell: all periods of a meeting that has them for itself, with no row of breaks between; else one."""
    if len(here) != 1:
        return 1
    (only,) = here
    periods = range(only.period, only.period + only.length)
    runs_through = not grid.rested.isdisjoint(periods[1:])
    alone = all(cells[only.day, period] == [only] for period in periods)
    return only.length if alone and not runs_through else 1


def _height(week: Week, grid: TimeGrid, cells: Cells, points: float) -> float:
    """Of all rows together."""
    rows = [MIN_ROW] * grid.num_periods
    letter = points * MILLIMETRES
    width = (PAGE_WIDTH - CLOCKS) / grid.num_days - CELL_PADDING
    tall = []
    for (_, period), here in cells.items():
        rowspan = height_of(here, cells, grid)
        needed = ROW_PADDING + sum(_lines(week, m, width / letter, rowspan) * letter * LINE + MEETING_GAP for m in here)
        if rowspan == 1:
            rows[period] = max(rows[period], needed)
        elif here[0].period == period:
            tall.append((period, rowspan, needed))
    for period, rowspan, needed in tall:
        missing = needed - sum(rows[period : period + rowspan])
        rows[period + rowspan - 1] += max(0.0, missing)
    return sum(rows)


def _lines(week: Week, meeting: Meeting, width: float, rowspan: int) -> int:
    """Lines of a meeting in a cell so many letters' sizes wide; its clock is one where the rows do not tell it."""
    texts = [(meeting.title, BOLD_LETTER), *((line, LETTER) for line in week.lines(meeting))]
    return (meeting.length != rowspan) + sum(_wrapped(text, width / size) for text, size in texts)


def _wrapped(text: str, most: float) -> int:
    """Lines of a text that breaks at blanks, or in the middle of a word that is longer than a line."""
    lines, left = 1, most
    for word in text.split():
        length = _width(word)
        if length > left and left < most:
            lines, left = lines + 1, most
        if length > most:
            more = int(length // most)
            lines, left, length = lines + more, most, length - more * most
        left -= length + 1
    return lines


def _width(word: str) -> float:
    """In common letters; those of Chinese, Japanese and Korean, and pictures, are about twice as wide."""
    return sum(2.0 if ord(letter) > 0x2E7F else 1.0 for letter in word)
