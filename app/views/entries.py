"""
Timetable entries as the platform reads them: one per session, under all the names its two versions and its pages use.

What a dataset does not know (the year of study, the section letter) is null, never guessed. Rooms, teachers and groups
are written by their labels, which differ (`solver.labels`): the platform finds double bookings by comparing what is
written, so two rooms of one number would look like one. `rows` are the same entries for the platform's own pages, where
everybody has to find their sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from app.views.flags import Conflicts, conflicts_of
from solver.calendar import clock_of
from solver.formats.platform_tables import origin_of
from solver.labels import NO_ROOM, Labels, taught_name
from solver.model import Course, Dataset, Placement, Timetable
from solver.result import Report
from solver.terms import SessionKey

Entry = dict[str, object]
_OF_NO_ROOM = ("room_id", "room_code", "room_number", "room_type", "room_capacity", "building")


class Entries:
    """Writes the entries of one dataset; what does not depend on the placement is prepared once per course and room."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._labels = Labels(dataset)

    def of(self, timetable: Timetable, report: Report) -> list[Entry]:
        """Every placed session, by day, slot and course; sessions that people must look at say why."""
        return self.chosen(timetable.placements, conflicts_of(self._dataset, timetable, report))

    def rows(self, placements: Iterable[Placement], conflicts: Conflicts, *, students: bool) -> list[Entry]:
        """
        The entries of these placements as the platform stores them.

        A row has one teacher, so that each of several finds it: the further ones have rows of their own, which bring
        nothing else twice, see `_as_seen_by`. `students` adds the ids of those who attend, by which the platform finds
        a student's week.
        """
        return [row for entry in self.chosen(placements, conflicts) for row in self._rows(entry, students)]

    def chosen(self, placements: Iterable[Placement], conflicts: Conflicts) -> list[Entry]:
        """These placements alone, by day, slot and course, each with what `conflicts` says of it."""
        ordered = sorted(placements, key=lambda p: (p.slot, p.course_id, p.session))
        return [self._entry(placement, conflicts.get(placement.key, ())) for placement in ordered]

    def of_department(self, id: str, placements: Iterable[Placement]) -> list[Placement]:
        """Those of one department, which is that of the course, of its first group or its teacher."""
        return [p for p in placements if self._subject(p.key)["department_id"] == id]

    def _rows(self, entry: Entry, students: bool) -> Iterator[Entry]:
        course = self._dataset.part_of((str(entry["course_id"]), int(str(entry["session_number"]))))
        teachers = course.faculty_ids
        names = [self._labels.teachers[id] for id in teachers]
        first = {"faculty_name": names[0]} if names else {}
        if entry["room_id"] is None:  # the platform takes two of one name at one time for a double booking
            entry = {**entry, "room_number": f"{NO_ROOM} ({entry['subject_code']})"}
        yield {**entry, **first, **({"student_ids": list(self._dataset.students_of(course))} if students else {})}
        for n, id in enumerate(teachers[1:], start=1):
            yield self._as_seen_by(id, entry, ", ".join(names[:n]), students)

    def _as_seen_by(self, id: str, entry: Entry, before: str, students: bool) -> Entry:
        """
        The session once more, for a teacher who gives it together with those `before`, who have their rows already.

        Its students, batches and conflicts stand in the first row, so that they see it once and it counts once; and
        what is written for the room differs from all these rows, since the same room twice at one time looks like a
        double booking to the platform.
        """
        return {
            **entry,
            "faculty_id": id,
            "faculty_name": self._labels.teachers[id],
            "room_number": f"{entry['room_number']} (with {before})",
            "batch_id": None,
            "batch_ids": [],
            "has_conflict": False,
            "conflict_description": "",
            **({"student_ids": []} if students else {}),
        }

    def _entry(self, placement: Placement, conflicts: Iterable[str]) -> Entry:
        told = "; ".join(conflicts)
        return {
            **self._time(placement.slot, self._dataset.part_of(placement.key).session_slots),
            **self._subject(placement.key),
            **self._in_rooms(self._dataset.in_order(placement.room_ids)),
            "session_number": placement.session,
            "has_conflict": bool(told),
            "conflict_description": told,
        }

    def _time(self, slot: int, length: int) -> Entry:
        """`day` counts from 0 = Monday, `period` from 0 within the day, `time_slot_id` over the whole week."""
        grid = self._dataset.time_grid
        day, period = grid.day_of(slot), grid.period_of(slot)
        # A session that runs past the end of the day is a mistake of the timetable; it is shown ending with the day.
        last = min(slot + length, grid.slots_of(day).stop) - 1
        start, end = clock_of(grid.start_of(slot)), clock_of(grid.end_of(last))
        return {
            "day": day,
            "day_name": grid.day_names[day],
            "day_of_week": grid.day_names[day].lower(),
            "period": period,
            "time_slot_id": str(slot),
            "time_slot": f"{start}-{end}",
            "start_time": start,
            "end_time": end,
            "duration_slots": length,
        }

    def _subject(self, session: SessionKey) -> Entry:
        return self._of_part[self._dataset.part_number[session]]

    @cached_property
    def _of_part(self) -> Sequence[Entry]:
        return [self._course(part) for part in self._dataset.parts]

    def _course(self, course: Course) -> Entry:
        code, name = course.code or course.id, taught_name(course) or course.code or course.id
        origin = origin_of(course.id)
        return {
            "course_id": course.id,
            "offering_id": origin and origin.offering_id,
            "course_code": code,
            "subject_code": code,
            "course_name": name,
            "subject_name": name,
            "subject_type": course.subject_type,
            "faculty_id": next(iter(course.faculty_ids), None),
            "faculty_ids": list(course.faculty_ids),
            "faculty_name": ", ".join(self._labels.teachers[id] for id in course.faculty_ids),
            **self._batches(course),
            "department_id": self._department(course),
            "year": None,
            "section": None,
            "enrolled_count": self._dataset.expected_students(course),
        }

    def _batches(self, course: Course) -> Entry:
        """Those that attend as a whole: the groups, or the batches that are named for those who look for them."""
        named = {**{id: self._labels.groups[id] for id in course.group_ids}, **course.batches}
        return {
            "batch_id": next(iter(named), None),
            "batch_ids": list(named),
            "batch_name": ", ".join(filter(None, named.values())),
        }

    def _department(self, course: Course) -> str | None:
        groups = (self._dataset.group[id] for id in course.group_ids)
        teachers = (self._dataset.teacher[id] for id in course.faculty_ids)
        departments = [course.department_id, *(g.department_id for g in groups), *(f.department_id for f in teachers)]
        return next((id for id in departments if id is not None), None)

    def _in_rooms(self, ids: tuple[str, ...]) -> Entry:
        """The room, the first one of several with the labels and the seats of all, or that there is none."""
        if len(ids) == 1:
            return self._of_room[ids[0]]
        first = self._of_room[ids[0]] if ids else dict.fromkeys(_OF_NO_ROOM)
        labels = ", ".join(self._labels.rooms[id] for id in ids) or NO_ROOM
        return {
            **first,
            "room_code": labels,
            "room_number": labels,
            "room_type": first["room_type"] or "",
            "room_capacity": sum(self._dataset.room[id].capacity for id in ids),
        }

    @cached_property
    def _of_room(self) -> Mapping[str, Entry]:
        return {
            room.id: {
                "room_id": room.id,
                "room_code": room.code or self._labels.rooms[room.id],
                "room_number": self._labels.rooms[room.id],
                "room_type": room.type,
                "room_capacity": room.capacity,
                "building": room.building,
            }
            for room in self._dataset.rooms
        }
