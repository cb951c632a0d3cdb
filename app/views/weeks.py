"""
A result as the page looks at it, a small piece at a time: the week of one group, teacher, room or student, and the
lists to choose from.

A large university has thousands of sessions; a week has thirty. So the page never fetches a timetable as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, get_args

from app.views.entries import Entries
from solver.calendar import Pause, TimeGrid, clock_of
from solver.dates import Term
from solver.formats.meetings import taught_groups
from solver.labels import Labels, readable
from solver.model import Course, Dataset, Placement, Room
from solver.names import Names
from solver.ranks import highest_first
from solver.result import Variant
from solver.terms import SessionKey

View = dict[str, object]
WeekOf = Literal["group", "teacher", "room", "student"]
WEEKS_OF: tuple[WeekOf, ...] = get_args(WeekOf)
MAX_STUDENTS = 200


class _Owner(NamedTuple):
    """Whose week it is: the name, what is known besides, the slots that are closed, and which courses are theirs."""

    name: str
    about: str
    unavailable: tuple[int, ...]
    attends: Callable[[Course], bool]


def grid_view(dataset: Dataset) -> View:
    """
    Days and periods with their clock times: `bells` are the periods of each day, `periods` those of the longest one.

    `breaks` stand between two periods: each before period `before` of the days in `days`. `lunch_period` is the first
    period after lunch where that is the same on all days, else null. `term` is null where the dataset has none.
    """
    grid = dataset.time_grid
    days = range(grid.num_days)
    bells = [[{"start": clock_of(a), "end": clock_of(b)} for a, b in grid.periods_of(day)] for day in days]
    lunches = {grid.after_lunch(day) for day in days}
    return {
        "days": list(grid.day_names),
        "periods": max(bells, key=len),
        "bells": bells,
        "breaks": list(_breaks(grid)),
        "lunch_period": lunches.pop() if len(lunches) == 1 else None,
        "term": None if dataset.term is None else _term(dataset.term),
    }


def _term(term: Term) -> View:
    """Dates are texts like 2026-09-07, null where the weeks have none; `moved_days` is the day each date follows."""
    return {
        "weeks": term.weeks,
        "first_day": term.first_day and term.first_day.isoformat(),
        "last_day": term.last_day and term.last_day.isoformat(),
        "time_zone": term.time_zone,
        "holidays": [
            {"first": each.first.isoformat(), "last": each.last.isoformat(), "name": each.name}
            for each in term.holidays
        ],
        "moved_days": {day.isoformat(): name for day, name in term.moved.items()},
    }


def _breaks(grid: TimeGrid) -> Iterator[View]:
    at: dict[tuple[int, Pause], list[int]] = {}
    for period in range(grid.num_periods):
        for day in range(grid.num_days):
            for pause in grid.pauses_before(day, period):
                at.setdefault((period, pause), []).append(day)
    for (period, pause), days in at.items():
        clock = {"start": clock_of(pause.start), "end": clock_of(pause.end)}
        yield {"before": period, "name": pause.name, **clock, "days": days}


def week_view(dataset: Dataset, variant: Variant, of: WeekOf, id: str) -> View | None:
    """The sessions of one of them with everything a grid shows; None when there is nobody of this id."""
    owner = _owner(dataset, of, id)
    if owner is None:
        return None
    mine = {n for n, part in enumerate(dataset.parts) if owner.attends(part)}
    placements = [
        placement
        for placement in variant.timetable.placements
        if (id in placement.room_ids if of == "room" else dataset.part_number[placement.key] in mine)
    ]
    entries = Entries(dataset).chosen(placements, _told_conflicts(variant, placements))
    names = Names(dataset)
    return {
        "of": of,
        "id": id,
        "name": owner.name,
        "about": owner.about,
        "grid": grid_view(dataset),
        "unavailable": list(owner.unavailable),
        "entries": entries,
        "open": [
            {"course_id": key[0], "session": key[1], "name": names.session(key)}
            for key in highest_first(dataset, variant.report.unplaced)
            if dataset.part_number[key] in mine
        ],
    }


def who_view(dataset: Dataset) -> View:
    """
    Every teacher, room, and group with a course as `[id, name, about]`; students are only counted, see `students_view`.
    """
    labels, taught = Labels(dataset), taught_groups(dataset)
    groups = [group for group in dataset.groups if group.id in taught]
    return {
        "group": [[g.id, labels.groups[g.id], f"{g.size} students" if g.size else ""] for g in groups],
        "teacher": [[f.id, labels.teachers[f.id], f.department_id or ""] for f in dataset.faculty],
        "room": [[r.id, labels.rooms[r.id], _room_about(r)] for r in dataset.rooms],
        "students": len(dataset.student_ids),
        "grid": grid_view(dataset),
    }


def students_view(dataset: Dataset, search: str, limit: int) -> View:
    """Students whose id contains `search`, with the number of their courses; those that begin with it come first."""
    wanted = search.strip().lower()
    matching = [id for id in dataset.student_ids if wanted in id.lower()]
    matching.sort(key=lambda id: not id.lower().startswith(wanted))
    shown = matching[:limit]
    attended: dict[str, set[str]] = {id: set() for id in shown}
    for part in dataset.parts:
        for id in attended.keys() & set(dataset.students_of(part)):
            attended[id].add(part.id)
    return {
        "students": [[id, id, f"{len(attended[id])} courses"] for id in shown],
        "found": len(matching),
        "total": len(dataset.student_ids),
    }


def _told_conflicts(variant: Variant, placements: Iterable[Placement]) -> Mapping[SessionKey, list[str]]:
    """What the account of the variant says about these sessions; each rule names its worst offenders there."""
    told: dict[SessionKey, list[str]] = {placement.key: [] for placement in placements}
    for concession in variant.concessions:
        for offence in concession.offences:
            for key in offence.sessions:
                if key in told:
                    told[key].append(offence.message)
    return told


def _owner(dataset: Dataset, of: WeekOf, id: str) -> _Owner | None:
    return _OWNERS[of](dataset, id)


def _group(dataset: Dataset, id: str) -> _Owner | None:
    group = dataset.group.get(id)
    if group is None:
        return None
    about = f"{group.size} students" if group.size else ""
    name, theirs = Labels(dataset).groups[id], dataset.attending_groups
    return _Owner(name, about, group.unavailable, lambda course: id in theirs(course))


def _teacher(dataset: Dataset, id: str) -> _Owner | None:
    teacher = dataset.teacher.get(id)
    if teacher is None:
        return None
    about = teacher.department_id or ""
    return _Owner(Labels(dataset).teachers[id], about, teacher.unavailable, lambda course: id in course.faculty_ids)


def _room(dataset: Dataset, id: str) -> _Owner | None:
    room = dataset.room.get(id)
    if room is None:
        return None
    return _Owner(Labels(dataset).rooms[id], _room_about(room), room.unavailable, lambda course: False)


def _student(dataset: Dataset, id: str) -> _Owner | None:
    known = id in dataset.groups_of_student or any(id in part.student_ids for part in dataset.parts)
    return _Owner(id, "", (), lambda course: id in dataset.students_of(course)) if known else None


_OWNERS: Mapping[WeekOf, Callable[[Dataset, str], _Owner | None]] = {
    "group": _group,
    "teacher": _teacher,
    "room": _room,
    "student": _student,
}


def _room_about(room: Room) -> str:
    building = f"building {room.building}" if readable(room.building) else ""
    return ", ".join(filter(None, (room.type.replace("_", " "), f"{room.capacity} seats", building)))
