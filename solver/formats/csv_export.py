"""
A timetable as CSV for spreadsheets: RFC 4180, and inert.

A spreadsheet runs cells that begin with `=`, `+`, `-`, `@` as formulas, so such cells get an apostrophe in front
(OWASP, "CSV Injection"); names come from strangers. A file begins with the mark of UTF-8: without it spreadsheets show
most scripts as gibberish.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from solver.calendar import clock_of
from solver.formats.meetings import Of, is_of, part_of
from solver.formats.safe import inert_in_csv
from solver.labels import NO_ROOM, Labels, readable, taught_name
from solver.model import Course, Dataset, Placement, Timetable

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


def dump_csv(dataset: Dataset, timetable: Timetable, of: Of | None = None) -> str:
    """
    One row per session, by time, then in course order; sessions without a place stand last, their place left empty.

    The timetable names only courses, rooms and slots of the dataset. `of` keeps only what belongs to one owner; there
    sessions without a place are left out for a room. Raises `InputError` when the dataset has no such owner.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows_of(dataset, timetable, of):
        writer.writerow([inert_in_csv(str(row.get(column, ""))) for column in COLUMNS])
    return text.getvalue()


def csv_file(dataset: Dataset, timetable: Timetable, of: Of | None = None) -> bytes:
    """The same as a file. Half surrogate pairs, which UTF-8 cannot hold, become question marks."""
    return dump_csv(dataset, timetable, of).encode("utf-8-sig", errors="replace")


def rows_of(dataset: Dataset, timetable: Timetable, of: Of | None = None) -> Iterator[Mapping[str, object]]:
    """The rows as they stand in the file, by column; what is not known is left out."""
    order, labels = {key: n for n, key in enumerate(dataset.sessions)}, Labels(dataset)
    placed = part_of(dataset, timetable, of).placements
    for placement in sorted(placed, key=lambda p: (p.slot, order[p.key])):
        course = dataset.part_of(placement.key)
        yield {**_place(dataset, labels, placement), **_subject(dataset, labels, course)}
    for course_id, session in dataset.sessions:
        course = dataset.part_of((course_id, session))
        if (course_id, session) not in timetable.by_session and (of is None or is_of(dataset, course, (), of)):
            yield _subject(dataset, labels, course)


def _place(dataset: Dataset, labels: Labels, placement: Placement) -> Mapping[str, object]:
    grid, rooms = dataset.time_grid, [dataset.room[id] for id in dataset.in_order(placement.room_ids)]
    first = grid.period_of(placement.slot)
    day = grid.day_of(placement.slot)
    # A session that runs past the end of the day is a mistake of the timetable; it is shown ending with the day.
    length = min(dataset.part_of(placement.key).session_slots, len(grid.periods_of(day)) - first)
    return {
        "day": grid.day_names[day],
        "start": clock_of(grid.start_of(placement.slot)),
        "end": clock_of(grid.end_of(placement.slot + length - 1)),
        "room": LIST_SEPARATOR.join(labels.rooms[room.id] for room in rooms) or NO_ROOM,
        "building": readable(rooms[0].building) if rooms else "",
    }


def _subject(dataset: Dataset, labels: Labels, course: Course) -> Mapping[str, object]:
    return {
        "course_code": course.code or course.id,
        "course_name": taught_name(course),
        "teachers": LIST_SEPARATOR.join(labels.teachers[id] for id in course.faculty_ids),
        "groups": LIST_SEPARATOR.join(labels.groups[id] for id in course.group_ids),
        "students": dataset.expected_students(course),
    }
