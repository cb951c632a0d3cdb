"""A timetable as the counters walk it: placed sessions by person, cohort, course and room, and days by attendee."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from solver.calendar import DAY_MINUTES
from solver.model import Course, Dataset, Placement, Room, Timetable
from solver.names import Names
from solver.rules import Profile
from solver.terms import CORE_SUBJECT_TYPE, SessionKey

if TYPE_CHECKING:
    from solver.context import Context

Subject: TypeAlias = tuple[Any, ...]
"""What a place is about; the arguments of the `tell` of its rule. Hashable: places with one subject are one offence."""
Places: TypeAlias = Iterator[tuple[int, Subject]]
"""One entry per place where a rule could be broken: units broken there (0 = it holds), and the subject."""


class Told(NamedTuple):
    """An offence in words, with the sessions and the ids of everybody involved."""

    message: str
    sessions: tuple[SessionKey, ...] = ()
    entities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counter:
    """
    How one rule is counted and told.

    `points` is 0 when a place holds or does not. Graded rules give the points that a place can lose at most; their
    broken places are the points lost divided by it, rounded up, so that a half-liked slot is half a breach.
    """

    count: Callable[[View], Places]
    tell: Callable[..., Told]
    points: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PlacedSession:
    """
    `course` is what the session is: its course, or its part of the course, which is number `part` of `Dataset.parts`.

    `rooms` are in the order of the dataset, none where it takes no room. `end` is exclusive and may lie beyond the day
    when the session does not fit; `slots` never leave the day. `since` and `until` are minutes since the week began.
    """

    key: SessionKey
    part: int
    course: Course
    rooms: tuple[Room, ...]
    room_ids: tuple[str, ...]
    start: int
    end: int
    day: int
    slots: range
    since: int
    until: int

    @property
    def seats(self) -> int:
        """Seats of all its rooms together."""
        return self.rooms[0].capacity if len(self.rooms) == 1 else sum(room.capacity for room in self.rooms)

    @property
    def building(self) -> str | None:
        """The one of its first room; None also where it takes no room."""
        return self.rooms[0].building if self.rooms else None


Standing: TypeAlias = Mapping[str, list[PlacedSession]]
Mark: TypeAlias = tuple[int, int]
"""Part of a session, and the number of its class where it may clash with others, or else one below 0 for the part."""
Attendee: TypeAlias = tuple[str, str]
"""("teacher", id), ("group", id of a cohort) or ("student", id)."""
DayPeriods: TypeAlias = Mapping[int, list[int]]
"""Occupied periods per day, in order, each once; only days with any."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One timetable of one dataset, indexed. All placements are known to be of this dataset and on its grid."""

    dataset: Dataset
    timetable: Timetable
    profile: Profile
    given_context: Context | None = None

    @cached_property
    def names(self) -> Names:
        """What ids are called in sentences."""
        return Names(self.dataset)

    @cached_property
    def context(self) -> Context:
        """Built on demand only: it is the one part that costs more than the walk."""
        if self.given_context is not None:
            return self.given_context
        from solver.context import build_context

        return build_context(self.dataset)

    @cached_property
    def placed(self) -> Mapping[SessionKey, PlacedSession]:
        """Every placed session, in the order of the placements."""
        return {
            placement.key: self._place(*placement.key, placement.slot, placement.room_ids)
            for placement in self.timetable.placements
        }

    def _place(self, course_id: str, number: int, start: int, room_ids: tuple[str, ...]) -> PlacedSession:
        part, grid = self.dataset.part_number[course_id, number], self.dataset.time_grid
        course = self.dataset.parts[part]
        day, end = grid.day_of(start), start + course.session_slots
        room_ids = room_ids if len(room_ids) == 1 else self.dataset.in_order(room_ids)
        slots = range(start, min(end, grid.slots_of(day).stop))
        return PlacedSession(
            key=(course_id, number),
            part=part,
            course=course,
            rooms=tuple([self.dataset.room[id] for id in room_ids]),
            room_ids=room_ids,
            start=start,
            end=end,
            day=day,
            slots=slots,
            since=day * DAY_MINUTES + grid.start_of(start),
            until=day * DAY_MINUTES + grid.end_of(slots[-1]),
        )

    @cached_property
    def week_classes(self) -> tuple[View, ...]:
        """The timetable of each week class; this one where there is only one."""
        dataset = self.dataset
        if len(dataset.week_classes) == 1:
            return (self,)
        of_class: list[list[Placement]] = [[] for _ in dataset.week_classes]
        for placement in self.timetable.placements:
            for k in dataset.classes_of_part[dataset.part_number[placement.key]]:
                of_class[k].append(placement)
        return tuple(replace(self, timetable=Timetable(placements=tuple(own))) for own in of_class)

    @cached_property
    def by_course(self) -> Standing:
        """Placed sessions of each course that has any, over all of its parts."""
        return self._grouped(lambda session: (session.course.id,))

    @cached_property
    def by_part(self) -> Mapping[int, list[PlacedSession]]:
        """Placed sessions of each of `Dataset.parts` that has any, by its number."""
        parts: dict[int, list[PlacedSession]] = defaultdict(list)
        for session in self.placed.values():
            parts[session.part].append(session)
        return parts

    @cached_property
    def by_teacher(self) -> Standing:
        """Placed sessions of each teacher who has any."""
        return self._grouped(lambda session: session.course.faculty_ids)

    @cached_property
    def by_cohort(self) -> Standing:
        """Placed sessions of each cohort that has any; the groups themselves where none is part of another one."""
        return self._grouped(lambda session: self.dataset.cohorts_of(session.course))

    @cached_property
    def by_room(self) -> Standing:
        """Placed sessions in each room that has any."""
        return self._grouped(lambda session: session.room_ids)

    def _grouped(self, owners: Callable[[PlacedSession], Iterable[str]]) -> Standing:
        grouped: dict[str, list[PlacedSession]] = defaultdict(list)
        for session in self.placed.values():
            for owner in owners(session):
                grouped[owner].append(session)
        return grouped

    @cached_property
    def seats_wanted(self) -> Mapping[int, int]:
        """Seats for each of `Dataset.parts` with a placed session, by its number; 0 where it needs no room."""
        parts = self.dataset.parts
        return {n: self.dataset.expected_students(parts[n]) if parts[n].rooms_needed else 0 for n in self.by_part}

    def where(self, session: PlacedSession) -> str:
        """ "room A", "rooms A and B" or "no room"."""
        return self.names.rooms(session.room_ids)

    @cached_property
    def parts_of_student(self) -> Mapping[str, tuple[int, ...]]:
        """Which of `Dataset.parts` each student attends; only those with a placed session."""
        parts: dict[str, list[int]] = defaultdict(list)
        for part in self.by_part:
            for student in self.dataset.students_of(self.dataset.parts[part]):
                parts[student].append(part)
        return {student: tuple(taken) for student, taken in parts.items()}

    @cached_property
    def core_parts(self) -> frozenset[int]:
        """Numbers of the parts that are core subjects, placed or not."""
        return frozenset(n for n, part in enumerate(self.dataset.parts) if part.subject_type == CORE_SUBJECT_TYPE)

    @property
    def core_matters(self) -> bool:
        """Whether clashes of core courses are told apart: the rule is on, and not every course is one."""
        return self.profile.is_on("core_clash") and len(self.core_parts) < len(self.dataset.parts)

    @cached_property
    def slots_of_part(self) -> Mapping[int, list[int]]:
        """Covered slots of the placed sessions of each part; a slot covered twice stands there twice."""
        return {
            part: [slot for session in sessions for slot in session.slots] for part, sessions in self.by_part.items()
        }

    @cached_property
    def marked_slots_of_part(self) -> Mapping[int, list[tuple[int, Mark]]]:
        """The same with a mark: two sessions at once clash when their marks differ in both."""
        classes = self.dataset.together
        return {
            part: [(t, (part, classes.get(s.key, -1 - part))) for s in sessions for t in s.slots]
            for part, sessions in self.by_part.items()
        }

    def apart(self, sessions: Sequence[PlacedSession]) -> int:
        """How many sessions there are, those that may clash with each other taken for one."""
        classes = self.dataset.together
        if not classes or len(sessions) < 2:
            return len(sessions)
        return len({classes.get(session.key, session.key) for session in sessions})

    @cached_property
    def cohort_days(self) -> Mapping[str, DayPeriods]:
        """Occupied periods of each cohort with a placed session."""
        return {
            cohort: self._days(slot for session in sessions for slot in session.slots)
            for cohort, sessions in self.by_cohort.items()
        }

    @cached_property
    def student_days(self) -> Mapping[str, DayPeriods]:
        """Students with the same courses share one object: at a university most of them have many such fellows."""
        slots, taking = self.slots_of_part, self.parts_of_student
        days = {parts: self._days(slot for part in parts for slot in slots[part]) for parts in set(taking.values())}
        return {student: days[parts] for student, parts in taking.items()}

    @cached_property
    def teacher_days(self) -> Mapping[str, DayPeriods]:
        """Occupied periods of each teacher with a placed session."""
        return {
            teacher: self._days(slot for session in sessions for slot in session.slots)
            for teacher, sessions in self.by_teacher.items()
        }

    def days_of(self, who: Attendee) -> DayPeriods:
        """Occupied periods of one person who has any."""
        kind, id = who
        return {"teacher": self.teacher_days, "group": self.cohort_days, "student": self.student_days}[kind][id]

    @cached_property
    def _no_room(self) -> frozenset[int]:
        """Slots at which no room is open; none where nobody needs one."""
        rooms = [frozenset(room.unavailable) for room in self.dataset.rooms]
        return frozenset.intersection(*rooms) if rooms else frozenset()

    @cached_property
    def _closed(self) -> dict[Attendee, tuple[frozenset[int], ...]]:
        return {}

    def closed(self, who: Attendee) -> tuple[frozenset[int], ...]:
        """The periods of each day that are closed to somebody: they are away, or there is no room at all."""
        if who not in self._closed:
            away = self._away(*who)
            self._closed[who] = self._by_day(self._no_room | away) if away else self._rooms_closed
        return self._closed[who]

    @cached_property
    def _rooms_closed(self) -> tuple[frozenset[int], ...]:
        return self._by_day(self._no_room)

    def _by_day(self, slots: frozenset[int]) -> tuple[frozenset[int], ...]:
        grid = self.dataset.time_grid
        days: list[set[int]] = [set() for _ in range(grid.num_days)]
        for slot in slots:
            days[grid.day_of(slot)].add(grid.period_of(slot))
        return tuple(map(frozenset, days))

    def _away(self, kind: str, id: str) -> frozenset[int]:
        data = self.dataset
        if kind == "teacher":
            return frozenset(data.teacher[id].unavailable)
        if kind == "group":
            return frozenset(data.cohort[id].unavailable)
        groups = data.groups_of_student.get(id, ())
        return frozenset(slot for group in groups for slot in data.group[group].unavailable)

    def attendee(self, who: Attendee) -> str:
        """The name of a teacher, cohort or student."""
        kind, id = who
        if kind == "teacher":
            return f"teacher {self.names.teacher(id)}"
        return f"group {self.names.cohort(id)}" if kind == "group" else self.names.student(id)

    def _days(self, slots: Iterable[int]) -> DayPeriods:
        periods = self.dataset.time_grid.num_periods
        days: dict[int, list[int]] = {}
        for slot in sorted(set(slots)):
            days.setdefault(slot // periods, []).append(slot % periods)
        return days

    def sessions_of(self, who: Attendee, day: int) -> tuple[SessionKey, ...]:
        """Placed sessions of somebody that start on a day, from 0; they have at least one in the week."""
        kind, id = who
        if kind == "student":
            return tuple(s.key for part in self.parts_of_student[id] for s in self.by_part[part] if s.day == day)
        standing = self.by_teacher if kind == "teacher" else self.by_cohort
        return tuple(s.key for s in standing[id] if s.day == day)

    def ids_of(self, who: Attendee) -> tuple[str, ...]:
        """Under which ids whoever is meant is found: a student's own, or the groups of a cohort."""
        kind, id = who
        return self.dataset.cohort[id].groups if kind == "group" else (id,)


def by_slot(sessions: Iterable[PlacedSession]) -> Mapping[int, list[PlacedSession]]:
    """Who covers each slot."""
    covering: dict[int, list[PlacedSession]] = {}
    for session in sessions:
        for slot in session.slots:
            covering.setdefault(slot, []).append(session)
    return covering


def by_day(sessions: Iterable[PlacedSession]) -> Mapping[int, list[PlacedSession]]:
    """Who starts on each day."""
    starting: dict[int, list[PlacedSession]] = {}
    for session in sessions:
        starting.setdefault(session.day, []).append(session)
    return starting


def keys_of(sessions: Iterable[PlacedSession]) -> tuple[SessionKey, ...]:
    """Their (course, number) pairs, in the same order."""
    return tuple(session.key for session in sessions)
