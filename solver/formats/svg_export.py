"""
The week of one group, teacher, room or student as a picture: SVG, drawn here, one box per meeting.

Meetings that run at the same time stand side by side. Texts are cut to their box, by the width of a common letter; the
whole text is the title of the box, which browsers show and screen readers read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from unicodedata import east_asian_width
from xml.etree.ElementTree import Element, SubElement, tostring  # nosec B405 - writes XML, parses none

from solver.formats.meetings import Meeting, Of, Week, Weeks
from solver.formats.safe import printable, shortened
from solver.grid import TimeGrid, clock_of
from solver.model import Dataset, Timetable
from solver.names import DAY_NAMES

MARGIN, TITLE, HEAD, CLOCKS = 16, 36, 26, 60
DAY_WIDTH, PERIOD_HEIGHT = 170, 66
LINE, LETTER, BOLD_LETTER = 15, 7.0, 8.2
"""Height of a line of text and width of a letter of 12 pixels, in pixels, as all lengths here."""
MIN_LANE = 40
"""A box is at least so wide: a day with many meetings at once is drawn wider than the others."""
MAX_LANES = 40
"""Beside more meetings at once only a count is drawn."""
_FILLS = ("#dbe9f6", "#e2f0d9", "#fdebd3", "#eadcf4", "#fbdfe3", "#d9f0ee", "#f4f0cf", "#e3e3ea")


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
    height = 2 * MARGIN + TITLE + HEAD + PERIOD_HEIGHT * grid.num_periods
    picture = Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", "role": "img"}
        | {"width": str(width), "height": str(height), "font-family": "system-ui, Noto Sans, sans-serif"},
    )
    SubElement(picture, "title").text = printable(f"Week of {week.of.kind} {week.title}")
    _rect(picture, 0, 0, width, height, fill="#ffffff")
    _text(picture, MARGIN, MARGIN + 18, week.title, width - 2 * MARGIN, size=18, weight="bold")
    _draw_clocks(picture, grid, width)
    left = MARGIN + CLOCKS
    for name, boxes, day_width in zip(DAY_NAMES, days, widths, strict=False):
        _text(picture, left + 6, MARGIN + TITLE + 17, name, day_width, size=12, weight="bold")
        _draw_day(picture, week, boxes, left, day_width)
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
    for period, (begin, _) in enumerate(grid.periods):
        top = _top(period)
        line = {"x1": str(MARGIN), "x2": str(width - MARGIN), "y1": str(top), "y2": str(top), "stroke": "#c8ccd2"}
        SubElement(picture, "line", line)
        _text(picture, MARGIN, top + LINE, clock_of(begin), CLOCKS, size=12)


def _draw_day(picture: Element, week: Week, boxes: Sequence[Box], left: int, width: int) -> None:
    fills = {code: _FILLS[n % len(_FILLS)] for n, code in enumerate(dict.fromkeys(m.course_id for m in week.meetings))}
    lane_width = width / min(MAX_LANES, _lanes_used(boxes))
    for box in boxes:
        if box.lane < MAX_LANES:
            _draw_box(picture, box, left + box.lane * lane_width, lane_width, fills[box.meeting.course_id])
    left_out = sorted(box.meeting.period for box in boxes if box.lane >= MAX_LANES)
    for period, more in groupby(left_out):
        _text(picture, left, _top(period) - 2, f"and {len(list(more))} more", width, size=11)


def _draw_box(picture: Element, box: Box, left: float, width: float, fill: str) -> None:
    meeting = box.meeting
    lines = [meeting.title, meeting.place, ", ".join(meeting.teachers), ", ".join(meeting.groups)]
    group = SubElement(picture, "g")
    told = "; ".join(filter(None, [f"{DAY_NAMES[meeting.day]} {meeting.clock}", *lines]))
    SubElement(group, "title").text = printable(told)
    top, height = _top(meeting.period), meeting.length * PERIOD_HEIGHT
    _rect(group, left + 2, top + 2, width - 4, height - 4, fill=fill, stroke="#7a8794", rx="4")
    for n, line in enumerate(filter(None, lines)):
        _text(
            group, left + 8, top + 4 + LINE * (n + 1) - 2, line, width - 14, size=12, weight="normal" if n else "bold"
        )


def _top(period: int) -> int:
    return MARGIN + TITLE + HEAD + period * PERIOD_HEIGHT


def _rect(parent: Element, x: float, y: float, width: float, height: float, **more: str) -> None:
    box = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{height:g}"}
    SubElement(parent, "rect", {**box, **more})


def _text(parent: Element, x: float, y: float, text: str, width: float, *, size: int, weight: str = "normal") -> None:
    """One line, cut to about `width` pixels."""
    letter = (BOLD_LETTER if weight == "bold" else LETTER) * size / 12
    line = " ".join(printable(text).split())
    wide = sum(east_asian_width(character) in "WF" for character in line)
    most = max(1, int(width / letter * len(line) / max(1, len(line) + wide)))
    place = {"x": f"{x:g}", "y": f"{y:g}", "font-size": str(size), "font-weight": weight, "fill": "#16202a"}
    element = SubElement(parent, "text", {**place, "unicode-bidi": "plaintext"})
    element.text = shortened(line, most)
