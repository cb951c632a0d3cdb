"""
A timetable as one HTML file to be printed, or made a PDF by the browser: a page per group, teacher, room or student.

The file needs nothing else: no script, no font, no picture from elsewhere, and a policy in it that forbids them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from solver.calendar import TimeGrid
from solver.errors import InputError, Issue
from solver.formats.frame import BreakRow, PeriodRow, rows_of_week
from solver.formats.meetings import Meeting, Of, Week, Weeks
from solver.formats.print_size import height_of, points_of
from solver.formats.safe import CONTENT_POLICY, printable
from solver.model import Dataset, Timetable
from solver.names import counted

MAX_PAGES = 10_000

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 75rem; color: #111; background: #fff;
       font: 10pt/1.35 system-ui, "Noto Sans", sans-serif; }
h1 { font-size: 16pt; margin: 0 0 .4rem; } h2 { font-size: 13pt; margin: 0 0 .4rem; }
h2 small { font-weight: normal; color: #555; }
nav ul { columns: 16rem; padding-left: 1.2rem; } nav a { color: #0b4f8a; }
section { margin: 2rem 0; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th, td { border: 1px solid #999; padding: .25rem .35rem; vertical-align: top; text-align: start;
         overflow-wrap: anywhere; }
thead th { background: #e8eef5; } tbody th { font-weight: normal; white-space: nowrap; }
col.clock { width: 6.5rem; }
.lunch > * { padding-block: .1rem; background: #f3f5f8; color: #555; font-size: 8pt; text-align: center; }
.lunch > th { text-align: start; }
.meeting + .meeting { border-top: 1px dashed #999; margin-top: .3rem; padding-top: .3rem; }
.meeting b { display: block; } .meeting span { display: block; color: #333; font-size: 9pt; }
@page { size: A4 landscape; margin: 10mm; }
@media print {
  body { padding: 0; max-width: none; } section { margin: 0; break-before: page; } tr { break-inside: avoid; }
  nav a { color: inherit; text-decoration: none; } thead th, .lunch > * { print-color-adjust: exact; }
  .alone { break-before: auto; }
  /* A week has one page. How large its letters may be for that is said with each week. */
  h2 { font-size: 12pt; margin: 0 0 1mm; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  th, td { padding: .3mm 1mm; } th { font-size: 8pt; line-height: 1.2; } col.clock { width: 22mm; }
  td { font-size: var(--letters); line-height: 1.2; } .meeting span { font-size: inherit; }
  .meeting + .meeting { margin-top: .3mm; padding-top: .3mm; } .lunch > * { font-size: 7pt; padding-block: 0; }
}
"""


def dump_html(dataset: Dataset, timetable: Timetable, of: Of | None = None) -> str:
    """
    The weeks of all groups, teachers and rooms behind a list of them, or the week of one owner.

    Raises
    ------
    InputError
        The dataset has no such owner, or more than `MAX_PAGES` of them.
    """
    weeks = Weeks(dataset, timetable)
    wanted = [weeks.week(of)] if of else list(weeks.weeks())
    if len(wanted) > MAX_PAGES:
        message = f"{len(wanted)} pages are more than {MAX_PAGES}; ask for one group, teacher or room"
        raise InputError([Issue(pointer="/group", code="too_large", message=message, value=len(wanted))])
    title = wanted[0].title if of else dataset.name or "Timetable"
    return "".join(_document(title, wanted, dataset.time_grid, alone=of is not None))


def _document(title: str, weeks: Sequence[Week], grid: TimeGrid, *, alone: bool) -> Iterator[str]:
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head><body>\n"
    )
    if not alone:
        yield f"<h1>{_name(title)}</h1>\n<nav><ul>\n"
        yield from (
            f'<li><a href="#week-{n}">{week.of.kind} {_name(week.name)}</a></li>\n' for n, week in enumerate(weeks)
        )
        yield "</ul></nav>\n"
    head = "".join(f'<th scope="col">{_name(day)}</th>' for day in grid.day_names)
    for n, week in enumerate(weeks):
        yield (
            f'<section id="week-{n}"{" class=alone" if alone else ""} style="--letters: {points_of(week, grid):g}pt">'
            f"<h2>{_name(week.title)} "
            f"<small>{week.of.kind}, {counted(len(week.meetings), 'session')} a week</small></h2>\n"
            '<table><colgroup><col class="clock"></colgroup>'
            f'<thead><tr><th scope="col">Time</th>{head}</tr></thead><tbody>\n'
        )
        yield from _rows(week, grid)
        yield "</tbody></table></section>\n"
    yield "</body></html>\n"


def _rows(week: Week, grid: TimeGrid) -> Iterator[str]:
    """A meeting of several periods stands in one high cell, where nothing else runs beside it."""
    cells, covered = week.cells(), set[tuple[int, int]]()
    for row in rows_of_week(grid):
        if isinstance(row, BreakRow):
            yield _break(row, grid)
            continue
        yield f'<tr><th scope="row">{row.head}</th>'
        for day in range(grid.num_days):
            if (day, row.period) in covered:
                continue
            here = cells.get((day, row.period), [])
            height = height_of(here, cells, grid)
            covered.update((day, row.period + k) for k in range(height))
            span = f' rowspan="{height}"' if height > 1 else ""
            yield f"<td{span}>{''.join(_meeting(week, meeting, row, height) for meeting in here)}</td>"
        yield "</tr>\n"


def _break(row: BreakRow, grid: TimeGrid) -> str:
    """One cell where all days have the same breaks."""
    if row.shared:
        days = f'<td colspan="{grid.num_days}">{_name(row.shared)}</td>'
    else:
        days = "".join(f"<td>{_name(name) if name else ''}</td>" for name in row.names)
    return f'<tr class="lunch"><th scope="row">{row.clock}</th>{days}</tr>\n'


def _meeting(week: Week, meeting: Meeting, row: PeriodRow, height: int) -> str:
    """The rows say when it is, unless it takes more of them than its cell, or days have times of their own."""
    clock = [] if height == meeting.length and row.clock else [meeting.clock]
    return f'<div class="meeting"><b>{_name(meeting.title)}</b>{_spans((*clock, *week.lines(meeting)))}</div>'


def _spans(lines: Iterable[str]) -> str:
    return "".join(f"<span>{_name(line)}</span>" for line in lines if line)


def _name(text: str) -> str:
    """In a box of its own direction, so that a name written from right to left leaves its neighbours alone."""
    return f"<bdi>{_safe(text)}</bdi>"


def _safe(text: str) -> str:
    return escape(printable(text))
