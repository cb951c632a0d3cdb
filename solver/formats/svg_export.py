"""
The week of one group, teacher, room or student as a picture: SVG, drawn here, one box per meeting.

The colours are those of the page by day, and a course has the same one in both. Meetings that run at the same time
stand side by side. Texts are cut to their box, by the width of a common letter; the
whole text is the title of the box, which browsers show and screen readers read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from unicodedata import east_asian_width
from xml.etree.ElementTree import Element, SubElement, tostring  # nosec B405 - writes XML, parses none

from solver.calendar import TimeGrid
from solver.formats.frame import BreakRow, PeriodRow, rows_of_week
from solver.formats.meetings import Meeting, Of, Week, Weeks
from solver.formats.safe import printable, shortened
from solver.model import Dataset, Timetable

MARGIN, TITLE, HEAD, CLOCKS = 16, 36, 26, 60
DAY_WIDTH, PERIOD_HEIGHT, BREAK_HEIGHT = 170, 70, 24
LINE, LETTER, BOLD_LETTER = 15, 7.0, 8.2
"""Height of a line of text and width of a letter of 12 pixels, in pixels, as all lengths here."""
MIN_LANE = 40
"""A box is at least so wide: a day with many meetings at once is drawn wider than the others."""
MAX_LANES = 40
"""Beside more meetings at once only a count is drawn."""
HUES = ("#3a62d6", "#0b7d72", "#9a5b00", "#8b3fb0", "#b23a55", "#2b7a2f", "#1673a8", "#6a6312")
TINT = 0.11
"""A box is white with so much of its hue."""
INK, INK_2, INK_3, LINE_COLOUR, SUNK = "#18202f", "#3f4a5f", "#596479", "#dde2eb", "#eef1f6"
BORDER = 3


class Box(NamedTuple):
    """Where a meeting is drawn within its day; `lane` counts from 0."""

    meeting: Meeting
    lane: int


def dump_svg(dataset: Dataset, timetable: Timetable, of: Of) -> str:
    """Raises `InputError` when the dataset has no such owner."""
    week, grid = Weeks(dataset, timetable).week(of), dataset.time_grid
    days = [_lanes([m for m in week.meetings if m.day == day]) for day in range(grid.num_days)]
    widths = [max(DAY_WIDTH, MIN_LANE * min(MAX_LANES, _lanes_used(day))) for day in days]
    width = 2 * MARGIN + CLOCKS + sum(widths)
    height = _top(grid, grid.num_periods) + MARGIN
    picture = Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", "role": "img"}
        | {"width": str(width), "height": str(height), "font-family": "system-ui, Noto Sans, sans-serif"},
    )
    SubElement(picture, "title").text = printable(f"Week of {week.of.kind} {week.title}")
    _rect(picture, 0, 0, width, height, fill="#ffffff")
    _text(picture, MARGIN, MARGIN + 18, week.title, width - 2 * MARGIN, size=18, weight="bold")
    _draw_clocks(picture, grid, width)
    _draw_breaks(picture, grid, widths)
    left = MARGIN + CLOCKS
    for name, boxes, day_width in zip(grid.day_names, days, widths, strict=True):
        _text(picture, left + 6, MARGIN + TITLE + 17, name, day_width, size=12, weight="bold")
        _draw_day(picture, week, grid, boxes, left, day_width)
        left += day_width
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(picture, encoding="unicode") + "\n"


def _lanes(meetings: Iterable[Meeting]) -> list[Box]:
    """Each meeting gets the first lane that is free when it begins."""
    boxes: list[Box] = []
    busy_until: list[int] = []
    for meeting in sorted(meetings, key=lambda m: m.period):
        end = meeting.period + meeting.length
        lane = next((n for n, until in enumerate(busy_until) if until <= meeting.period), len(busy_until))
        busy_until[lane : lane + 1] = [end]
        boxes.append(Box(meeting, lane))
    return boxes


def _lanes_used(boxes: Sequence[Box]) -> int:
    return max((box.lane for box in boxes), default=0) + 1


def _draw_clocks(picture: Element, grid: TimeGrid, width: int) -> None:
    for row in rows_of_week(grid):
        top = _top(grid, row.period)
        if isinstance(row, PeriodRow):
            line = {"x1": str(MARGIN), "x2": str(width - MARGIN), "y1": str(top), "y2": str(top), "stroke": LINE_COLOUR}
            SubElement(picture, "line", line)
            begin, _, end = row.head.partition("-")
            _text(picture, MARGIN, top + LINE, begin, CLOCKS, size=12, weight="bold", fill=INK_2)
            _text(picture, MARGIN, top + 2 * LINE, end, CLOCKS, size=12, fill=INK_3)
        else:
            begin = row.clock.partition("-")[0]
            _text(picture, MARGIN, top - BREAK_HEIGHT + LINE + 1, begin, CLOCKS, size=12, weight="bold", fill=INK_2)


def _draw_breaks(picture: Element, grid: TimeGrid, widths: Sequence[int]) -> None:
    """A bar over the days that have the break: one over all of them where it is the same."""
    for row in rows_of_week(grid):
        if isinstance(row, BreakRow):
            top, left = _top(grid, row.period) - BREAK_HEIGHT, MARGIN + CLOCKS
            bars = [(row.shared, sum(widths))] if row.shared else zip(row.names, widths, strict=True)
            for name, width in bars:
                if name:
                    _rect(picture, left, top, width, BREAK_HEIGHT, fill=SUNK)
                    middle = left + max(0.0, (width - LETTER * len(name)) / 2)
                    _text(picture, middle, top + LINE + 1, name, width, size=12, fill=INK_3)
                left += width


def _draw_day(picture: Element, week: Week, grid: TimeGrid, boxes: Sequence[Box], left: int, width: int) -> None:
    lane_width = width / min(MAX_LANES, _lanes_used(boxes))
    for box in boxes:
        if box.lane < MAX_LANES:
            _draw_box(picture, week, grid, box, left + box.lane * lane_width, lane_width)
    left_out = sorted(box.meeting.period for box in boxes if box.lane >= MAX_LANES)
    for period, more in groupby(left_out):
        _text(picture, left, _top(grid, period) - 2, f"and {len(list(more))} more", width, size=11)


def _draw_box(picture: Element, week: Week, grid: TimeGrid, box: Box, left: float, width: float) -> None:
    meeting, hue = box.meeting, hue_of(box.meeting.code)
    group = SubElement(picture, "g")
    told = [f"{meeting.day_name} {meeting.clock}", meeting.title, meeting.place]
    told += [", ".join(meeting.teachers), ", ".join(meeting.groups)]
    SubElement(group, "title").text = printable("; ".join(filter(None, told)))
    top = _top(grid, meeting.period)
    height = _top(grid, meeting.period + meeting.length - 1) + PERIOD_HEIGHT - top
    _rect(group, left + 2, top + 2, width - 4, height - 4, fill=tinted(hue), rx="5")
    _line(group, left + 2 + BORDER / 2, top + 3, top + height - 3, hue)
    clock = () if grid.alike else (meeting.clock,)
    for n, line in enumerate([meeting.title, *clock, *week.lines(meeting)]):
        style = {"weight": "normal", "fill": INK_2} if n else {"weight": "bold", "fill": INK}
        _text(group, left + 10, top + 2 + LINE * (n + 1), line, width - 16, size=12, **style)


def hue_of(code: str) -> str:
    """The colour that the page gives to a course of this code, by the same sum as `hueOf` in `week.js`."""
    digest = 7
    for letter in map(ord, code):
        # JavaScript sees the first half only of a letter beyond 16 bits.
        unit = letter if letter < 2**16 else 0xD800 + (letter - 2**16 >> 10)
        digest = (digest * 31 + unit) % 2**32
    return HUES[digest % len(HUES)]


def tinted(hue: str) -> str:
    """White with a little of a colour."""
    parts = (int(hue[n : n + 2], 16) for n in (1, 3, 5))
    return "#" + "".join(f"{round(255 - TINT * (255 - part)):02x}" for part in parts)


def _top(grid: TimeGrid, period: int) -> int:
    """Where a period begins; one behind the last is the end of the picture."""
    breaks = sum(BREAK_HEIGHT for before in grid.rested if period >= before)
    return MARGIN + TITLE + HEAD + period * PERIOD_HEIGHT + breaks


def _line(parent: Element, x: float, top: float, bottom: float, stroke: str) -> None:
    place = {"x1": f"{x:g}", "x2": f"{x:g}", "y1": f"{top:g}", "y2": f"{bottom:g}"}
    SubElement(parent, "line", {**place, "stroke": stroke, "stroke-width": str(BORDER), "stroke-linecap": "round"})


def _rect(parent: Element, x: float, y: float, width: float, height: float, **more: str) -> None:
    box = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}
    SubElement(parent, "rect", {**box, **more})


def _text(
    parent: Element, x: float, y: float, text: str, width: float, *, size: int, weight: str = "normal", fill: str = INK
) -> None:
    """One line, cut to about `width` pixels."""
    letter = (BOLD_LETTER if weight == "bold" else LETTER) * size / 12
    line = " ".join(printable(text).split())
    wide = sum(east_asian_width(character) in "WF" for character in line)
    most = max(1, int(width / letter * len(line) / max(1, len(line) + wide)))
    place = {"x": f"{x:g}", "y": f"{y:g}", "font-size": str(size), "font-weight": weight, "fill": fill}
    element = SubElement(parent, "text", {**place, "unicode-bidi": "plaintext"})
    element.text = shortened(line, most)
