"""
A timetable as CSV for spreadsheets: RFC 4180, and inert.

A spreadsheet runs cells that begin with `=`, `+`, `-`, `@` as formulas, so such cells get an apostrophe in front
(OWASP, "CSV Injection"); names come from strangers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from solver.grid import clock_of
from solver.model import Course, Dataset, Placement, Timetable
from solver.names import DAY_NAMES

COLUMNS = (
    "day",
    "start",
    "end",
    "course_code",
    "course_name",
    "teachers",
    "groups",
    "room",
    "building",
    "students",
)
LIST_SEPARATOR = "; "
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def dump_csv(dataset: Dataset, timetable: Timetable) -> str:
    """
    One row per session, by time, then in course order; sessions without a place stand last, their place left empty.

    The timetable names only courses, rooms and slots of the dataset.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in _rows(dataset, timetable):
        writer.writerow([inert(str(row.get(column, ""))) for column in COLUMNS])
    return text.getvalue()


def inert(cell: str) -> str:
    """The cell as a spreadsheet shows it without running it."""
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def _rows(dataset: Dataset, timetable: Timetable) -> Iterator[Mapping[str, object]]:
    order = {key: n for n, key in enumerate(dataset.sessions)}
    for placement in sorted(timetable.placements, key=lambda p: (p.slot, order[p.key])):
        yield {**_place(dataset, placement), **_subject(dataset, dataset.course[placement.course_id])}
    for course_id, session in dataset.sessions:
        if (course_id, session) not in timetable.by_session:
            yield _subject(dataset, dataset.course[course_id])


def _place(dataset: Dataset, placement: Placement) -> Mapping[str, object]:
    grid, room = dataset.time_grid, dataset.room[placement.room_id]
    first = grid.period_of(placement.slot)
    # A session that runs past the end of the day is a mistake of the timetable; it is shown ending with the day.
    last = min(first + dataset.course[placement.course_id].session_slots, grid.num_periods) - 1
    return {
        "day": DAY_NAMES[grid.day_of(placement.slot)],
        "start": clock_of(grid.periods[first][0]),
        "end": clock_of(grid.periods[last][1]),
        "room": room.name or room.id,
        "building": room.building or "",
    }


def _subject(dataset: Dataset, course: Course) -> Mapping[str, object]:
    teachers = (dataset.teacher[id] for id in course.faculty_ids)
    groups = (dataset.group[id] for id in course.group_ids)
    return {
        "course_code": course.code or course.id,
        "course_name": course.name,
        "teachers": LIST_SEPARATOR.join(teacher.name or teacher.id for teacher in teachers),
        "groups": LIST_SEPARATOR.join(group.name or group.id for group in groups),
        "students": dataset.expected_students(course),
    }
