"""
Timetable entries as the platform reads them: one per session, under all the names its two versions and its pages use.

What a dataset does not know (the year of study, the section letter) is null, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from solver.grid import clock_of
from solver.model import Course, Dataset, Placement, Timetable
from solver.names import DAY_NAMES
from solver.result import Report, RuleCount
from solver.terms import SessionKey
from solver.verifier import verify

Entry = dict[str, object]


class Entries:
    """Writes the entries of one dataset; what does not depend on the placement is prepared once per course and room."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def of(self, timetable: Timetable, report: Report) -> list[Entry]:
        """Every placed session, by day, slot and course; sessions in a hard breach are flagged with the reason."""
        return self.chosen(timetable.placements, conflicts_of(self._dataset, timetable, report))

    def of_department(self, id: str, timetable: Timetable, report: Report) -> list[Entry]:
        """The same of the courses of one department, which is that of the course, of its first group or its teacher."""
        placed = [p for p in timetable.placements if self._of_course[p.course_id]["department_id"] == id]
        return self.chosen(placed, conflicts_of(self._dataset, timetable, report))

    def chosen(self, placements: Iterable[Placement], conflicts: Mapping[SessionKey, Iterable[str]]) -> list[Entry]:
        """These placements alone, in the same order, each with what `conflicts` says of it."""
        ordered = sorted(placements, key=lambda p: (p.slot, p.course_id, p.session))
        return [self._entry(placement, conflicts.get(placement.key, ())) for placement in ordered]

    def _entry(self, placement: Placement, conflicts: Iterable[str]) -> Entry:
        course = self._dataset.course[placement.course_id]
        told = "; ".join(conflicts)
        return {
            **self._time(placement.slot, course.session_slots),
            **self._of_course[course.id],
            **self._of_room[placement.room_id],
            "session_number": placement.session,
            "has_conflict": bool(told),
            "conflict_description": told,
        }

    def _time(self, slot: int, length: int) -> Entry:
        """`day` counts from 0 = Monday, `period` from 0 within the day, `time_slot_id` over the whole week."""
        grid = self._dataset.time_grid
        day, period = grid.day_of(slot), grid.period_of(slot)
        start, end = clock_of(grid.periods[period][0]), clock_of(grid.periods[period + length - 1][1])
        return {
            "day": day,
            "day_name": DAY_NAMES[day],
            "day_of_week": DAY_NAMES[day].lower(),
            "period": period,
            "time_slot_id": str(slot),
            "time_slot": f"{start}-{end}",
            "start_time": start,
            "end_time": end,
            "duration_slots": length,
        }

    @cached_property
    def _of_course(self) -> Mapping[str, Entry]:
        return {course.id: self._course(course) for course in self._dataset.courses}

    def _course(self, course: Course) -> Entry:
        teachers = [self._dataset.teacher[id] for id in course.faculty_ids]
        groups = [self._dataset.group[id] for id in course.group_ids]
        code, name = course.code or course.id, course.name or course.code or course.id
        departments = [course.department_id, *(g.department_id for g in groups), *(f.department_id for f in teachers)]
        return {
            "course_id": course.id,
            "course_code": code,
            "subject_code": code,
            "course_name": name,
            "subject_name": name,
            "subject_type": course.subject_type,
            "faculty_id": course.faculty_ids[0] if teachers else None,
            "faculty_ids": list(course.faculty_ids),
            "faculty_name": ", ".join(teacher.name or teacher.id for teacher in teachers),
            "batch_name": ", ".join(group.name or group.id for group in groups),
            "batch_ids": list(course.group_ids),
            "department_id": next((id for id in departments if id is not None), None),
            "year": None,
            "section": None,
            "enrolled_count": self._dataset.expected_students(course),
        }

    @cached_property
    def _of_room(self) -> Mapping[str, Entry]:
        return {
            room.id: {
                "room_id": room.id,
                "room_code": room.name or room.id,
                "room_number": room.name or room.id,
                "room_type": room.type,
                "room_capacity": room.capacity,
                "building": room.building,
            }
            for room in self._dataset.rooms
        }


def conflicts_of(dataset: Dataset, timetable: Timetable, report: Report) -> dict[SessionKey, list[str]]:
    """The hard breaches of each session, in words."""
    told: dict[SessionKey, list[str]] = defaultdict(list)
    for rule in hard_breaches(dataset, timetable, report):
        for offence in rule.offences:
            for key in offence.sessions:
                told[key].append(offence.message)
    return told


def hard_breaches(dataset: Dataset, timetable: Timetable, report: Report) -> list[RuleCount]:
    """
    Every hard rule that is broken, each breach once, with all of its offences.

    A stored report names only the worst offenders of a rule; when some are missing here we count once more.
    """
    broken = report.breaches
    if any(rule.broken > len(rule.offences) for rule in broken):
        recount = verify(dataset, timetable, max_offences=max(rule.broken for rule in broken))
        broken = [recount.rules[rule.rule] for rule in broken]
    return broken
