"""
Small colleges with more teaching than their week holds, of which it is known that the core subjects alone fit.

Core sessions are drawn into a hidden timetable, group by group, until little of the week is left; then electives are
added until there are more sessions than anybody could place. Who is left open is the question such a college asks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from solver.calendar import TimeGrid
from solver.model import Course, Dataset, Faculty, Group, Placement, Room, Timetable

Listing = Literal["core first", "electives first", "mixed"]
GROUP_SIZE, SEATS = 30, 60
CORE_SHARE = (0.6, 0.9)
"""Of the slots of each group, this share is taken by core sessions."""
TOO_MUCH = (1.15, 1.6)
"""All sessions of a group together take so many times the slots of its week."""
SHARED_SHARE, LAB_SHARE = 0.2, 0.2
"""Shares of the core courses that two groups attend together, and of those that meet in a laboratory for two slots."""
PRIORITIES = (0, 0, 0, 1, 2)


def overfull(seed: int, listing: Listing = "mixed", *, short_handed: bool = False) -> tuple[Dataset, Timetable]:
    """
    A college, and a timetable of its core subjects that breaks no hard rule.

    The same seed is the same college however its courses are listed. Where it is `short_handed`, teachers with more
    core sessions than the week has days may not teach as many a day as these need: each such limit has to be bent, and
    the timetable breaks no other rule.
    """
    college = _College(Random(seed))  # nosec B311 - a sample, not a secret
    college.teach_core()
    college.add_electives()
    courses = list(college.courses)
    Random(seed).shuffle(courses)  # nosec B311 - as above
    if listing != "mixed":
        courses.sort(key=lambda course: (course.subject_type == "core") == (listing == "electives first"))
    dataset = Dataset(
        name=f"Overfull college {seed}",
        time_grid=college.grid,
        rooms=tuple(college.rooms),
        faculty=tuple(college.staff(short_handed=short_handed)),
        groups=tuple(Group(id=group, size=GROUP_SIZE) for group in college.groups),
        courses=tuple(courses),
    )
    return dataset, Timetable(placements=tuple(college.placed))


@dataclass
class _College:
    """One college while it is drawn; `busy` holds (who or where, slot) of the hidden timetable."""

    rng: Random
    courses: list[Course] = field(default_factory=list)
    placed: list[Placement] = field(default_factory=list)
    busy: set[tuple[str, int]] = field(default_factory=set)
    load: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = self.rng
        self.grid = TimeGrid(working_days=rng.randint(2, 5), slots_per_day=rng.randint(4, 6), lunch=None)
        self.groups = [f"G{n}" for n in range(rng.randint(3, 6))]
        self.teachers = [f"T{n}" for n in range(2 * len(self.groups))]
        halls = len(self.groups) + rng.randint(0, 1)
        self.rooms = [Room(id=f"R{n}", capacity=SEATS) for n in range(halls)]
        self.rooms += [Room(id=f"L{n}", capacity=SEATS, type="lab") for n in range(2)]
        self.load = dict.fromkeys(self.groups, 0)

    def teach_core(self) -> None:
        """Each group to its share; what finds no place in the hidden timetable any more is not taught."""
        for group in self.groups:
            wanted = round(self.rng.uniform(*CORE_SHARE) * self.grid.num_slots)
            for _ in range(wanted):
                if self.load[group] < wanted:
                    self._teach(group, wanted - self.load[group])

    def _teach(self, group: str, most: int) -> None:
        rng, length = self.rng, 2 if most > 1 and self.rng.random() < LAB_SHARE else 1
        groups = {group, rng.choice(self.groups)} if rng.random() < SHARED_SHARE else {group}
        course = self._course("core", tuple(sorted(groups)), rng.randint(1, max(1, min(4, most // length))), length)
        places = [place for n in range(course.sessions_per_week) if (place := self._place(course, n)) is not None]
        if places:
            self.courses.append(replace(course, sessions_per_week=len(places)))
            self.placed += [replace(place, session=n) for n, place in enumerate(places)]
            for member in course.group_ids:
                self.load[member] += len(places) * length

    def _course(self, kind: str, groups: tuple[str, ...], sessions: int, length: int) -> Course:
        return Course(
            id=f"C{len(self.courses)}",
            subject_type=kind,
            group_ids=groups,
            faculty_ids=(self.rng.choice(self.teachers),),
            sessions_per_week=sessions,
            session_slots=length,
            room_types=("lab",) if length == 2 else (),
            max_sessions_per_day=None,
            priority=self.rng.choice(PRIORITIES),
        )

    def _place(self, course: Course, session: int) -> Placement | None:
        """A place in the hidden timetable where everybody has time, drawn from all there are."""
        free = [
            (slot, room.id)
            for slot in range(self.grid.num_slots)
            if self.grid.can_start(slot, course.session_slots)
            for room in self.rooms
            if (not course.room_types or room.type in course.room_types)
            and self.busy.isdisjoint(self._taken(course, slot, room.id))
        ]
        if not free:
            return None
        slot, room_id = self.rng.choice(free)
        self.busy |= self._taken(course, slot, room_id)
        return Placement(course_id=course.id, session=session, slot=slot, room_id=room_id)

    def _taken(self, course: Course, slot: int, room: str) -> set[tuple[str, int]]:
        slots = range(slot, slot + course.session_slots)
        return {(who, t) for who in (*course.group_ids, *course.faculty_ids, room) for t in slots}

    def staff(self, *, short_handed: bool) -> list[Faculty]:
        """All teachers; those of a short-handed college have a limit of one a day too few for their core sessions."""
        days = self.grid.working_days
        faculty = {course.id: course.faculty_ids for course in self.courses}
        taught = Counter(teacher for place in self.placed for teacher in faculty[place.course_id])
        limit = {teacher: (n - 1) // days for teacher, n in taught.items() if short_handed and n > days}
        return [Faculty(id=teacher, max_sessions_per_day=limit.get(teacher)) for teacher in self.teachers]

    def add_electives(self) -> None:
        for group in self.groups:
            wanted = round(self.rng.uniform(*TOO_MUCH) * self.grid.num_slots)
            while self.load[group] < wanted:
                course = self._course("elective", (group,), self.rng.randint(1, 4), 1)
                self.courses.append(course)
                self.load[group] += course.sessions_per_week
