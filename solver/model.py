"""
What a timetable problem and its answer look like: a `Dataset` of frozen records that checks itself, and a `Timetable`.

A `Dataset` cannot exist in a broken state: `Dataset(...)` raises `InputError` with *every* problem found, each with
a JSON pointer, a code and the offending value. Nothing else in the solver checks ids or ranges again.

The records themselves stand in `records`, below the checks; everybody takes them from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from solver.calendar import TimeGrid
from solver.checks import dataset_issues
from solver.cohorts import Cohort, cohorts_of, memberships, people_in
from solver.dates import Term
from solver.errors import InputError, Issue
from solver.pairing import pairs_of, sessions_of, together
from solver.places import Place, places_of
from solver.records import Course, Faculty, FixedSession, Group, Link, Part, Rating, Room, RuleSetting
from solver.terms import SessionKey

__all__ = [
    "Cohort",
    "Course",
    "Dataset",
    "Faculty",
    "FixedSession",
    "Group",
    "Link",
    "Part",
    "Placement",
    "Rating",
    "Room",
    "RuleSetting",
    "Timetable",
]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A whole problem. Raises `InputError` with every inconsistency at once."""

    name: str = ""
    time_grid: TimeGrid = field(default_factory=TimeGrid)
    term: Term | None = None
    rooms: tuple[Room, ...]
    faculty: tuple[Faculty, ...] = ()
    groups: tuple[Group, ...] = ()
    courses: tuple[Course, ...]
    links: tuple[Link, ...] = ()
    travel_minutes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    history: tuple[Rating, ...] = ()
    rules: Mapping[str, RuleSetting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        issues = list(dataset_issues(self))
        if issues:
            raise InputError(issues)

    @cached_property
    def course(self) -> Mapping[str, Course]:
        return {course.id: course for course in self.courses}

    @cached_property
    def room(self) -> Mapping[str, Room]:
        return {room.id: room for room in self.rooms}

    @cached_property
    def teacher(self) -> Mapping[str, Faculty]:
        return {teacher.id: teacher for teacher in self.faculty}

    @cached_property
    def group(self) -> Mapping[str, Group]:
        return {group.id: group for group in self.groups}

    @cached_property
    def sessions(self) -> tuple[SessionKey, ...]:
        """Every session that has to be placed, in course order."""
        return tuple((course.id, n) for course in self.courses for n in range(course.sessions_per_week))

    @cached_property
    def parts(self) -> tuple[Course, ...]:
        """
        What is alike in all of its sessions: every course without parts, and every part of the others as a course of
        its own, which has the id of the whole one (see `Course.apart`); in the order of `sessions`.
        """
        return tuple(part for course in self.courses for part in course.apart())

    @cached_property
    def part_number(self) -> Mapping[SessionKey, int]:
        """Where in `parts` each session belongs."""
        numbers = (n for n, part in enumerate(self.parts) for _ in range(part.sessions_per_week))
        return dict(zip(self.sessions, numbers, strict=True))

    @cached_property
    def sessions_of_part(self) -> tuple[tuple[SessionKey, ...], ...]:
        """The sessions of each of `parts`."""
        found: list[list[SessionKey]] = [[] for _ in self.parts]
        for key, number in self.part_number.items():
            found[number].append(key)
        return tuple(map(tuple, found))

    def part_of(self, session: SessionKey) -> Course:
        """What a session is: its course, or its part of the course, see `parts`."""
        return self.parts[self.part_number[session]]

    @cached_property
    def cohorts(self) -> tuple[Cohort, ...]:
        """The groups as people belong to them; the groups themselves, in order, where none is part of another one."""
        return cohorts_of(self.groups)

    @cached_property
    def cohort(self) -> Mapping[str, Cohort]:
        return {cohort.id: cohort for cohort in self.cohorts}

    @cached_property
    def _cohorts_in(self) -> Mapping[str, tuple[str, ...]]:
        """Group -> the cohorts that belong to it."""
        found: dict[str, list[str]] = {group.id: [] for group in self.groups}
        for cohort in self.cohorts:
            for group_id in cohort.groups:
                found[group_id].append(cohort.id)
        return {group_id: tuple(ids) for group_id, ids in found.items()}

    @cached_property
    def _has_parts(self) -> bool:
        return any(group.part_of for group in self.groups)

    def cohorts_of(self, course: Course) -> tuple[str, ...]:
        """The cohorts that a course is taught to: all of each of its groups, each once."""
        if not self._has_parts:
            return course.group_ids
        return tuple(dict.fromkeys(id for group_id in course.group_ids for id in self._cohorts_in[group_id]))

    def attending_groups(self, course: Course) -> tuple[str, ...]:
        """The groups of which some people at least attend a course, those that it names first."""
        if not self._has_parts:
            return course.group_ids
        theirs = (id for cohort in self.cohorts_of(course) for id in self.cohort[cohort].groups)
        return tuple(dict.fromkeys((*course.group_ids, *theirs)))

    @cached_property
    def groups_of_student(self) -> Mapping[str, tuple[str, ...]]:
        """The groups that each member of any belongs to."""
        return memberships(self.groups)

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """The members of each group that has any that are known, those of its parts included."""
        found: dict[str, list[str]] = {}
        for student, group_ids in self.groups_of_student.items():
            for group_id in group_ids:
                found.setdefault(group_id, []).append(student)
        return {group_id: tuple(students) for group_id, students in found.items()}

    @cached_property
    def _students_of(self) -> dict[int, tuple[str, ...]]:
        """The students of each of `parts` by its identity: the lists are long, and asked for again and again."""
        return {id(part): self._all_students(part) for part in self.parts}

    def _all_students(self, course: Course) -> tuple[str, ...]:
        through_groups = (student for id in course.group_ids for student in self.members.get(id, ()))
        return tuple(dict.fromkeys((*course.student_ids, *through_groups)))

    def students_of(self, course: Course) -> tuple[str, ...]:
        """Everybody known by name who attends a course, or a part: those that it names, then members of its groups."""
        if not self.groups_of_student:
            return course.student_ids
        found = self._students_of.get(id(course))
        return self._all_students(course) if found is None else found

    @cached_property
    def student_ids(self) -> tuple[str, ...]:
        """Everybody known by name once: by the courses that they attend, then members of groups without any."""
        enrolled = dict.fromkeys(student for part in self.parts for student in self.students_of(part))
        return tuple(enrolled | dict.fromkeys(self.groups_of_student))

    @cached_property
    def lone_students(self) -> frozenset[str]:
        """Students without a group: members of none, and none of whose courses is taught to one."""
        grouped = {student for part in self.parts if part.group_ids for student in self.students_of(part)}
        return frozenset(self.student_ids) - grouped - self.groups_of_student.keys()

    @cached_property
    def num_people(self) -> int:
        """Students, as many as are known by name; else as the sizes of the groups tell, parts not counted again."""
        return len(self.student_ids) or sum(group.size for group in self.groups if not group.part_of)

    @cached_property
    def teaches_groups(self) -> bool:
        """Whether any course is taught to a group."""
        return any(part.group_ids for part in self.parts)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where sessions may stand: every room, then "no room" and sets of rooms, where some part asks for such."""
        return places_of(self.rooms, self.parts, self.expected_students)

    @cached_property
    def place_number(self) -> Mapping[tuple[str, ...], int]:
        """Where in `places` a set of rooms is, by their ids in the order of the dataset."""
        return {place.ids: q for q, place in enumerate(self.places)}

    @cached_property
    def room_order(self) -> Mapping[str, int]:
        """Where in `rooms` each room stands."""
        return {room.id: r for r, room in enumerate(self.rooms)}

    def in_order(self, room_ids: Iterable[str]) -> tuple[str, ...]:
        """Ids of rooms as they follow each other in the dataset."""
        return tuple(sorted(room_ids, key=self.room_order.__getitem__))

    def expected_students(self, course: Course) -> int:
        """Seats that a course without parts needs, or one of `parts`."""
        if course.expected_students is not None:
            return course.expected_students
        students = len(self.students_of(course))
        groups = [self.group[id] for id in course.group_ids]
        if all(group.id in self.members and group.size <= len(self.members[group.id]) for group in groups):
            return students
        return max(students, people_in(course.group_ids, self.group))

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Number of sessions of each course."""
        return {course.id: course.sessions_per_week for course in self.courses}

    def expand(self, link: Link) -> Iterator[tuple[SessionKey, SessionKey]]:
        """
        The ordered pairs of sessions a link ties together; a session is never paired with itself.

        None where the link looks at all its sessions together, see `sessions_of`.
        """
        return pairs_of(link, self.sizes)

    def sessions_of(self, link: Link) -> list[SessionKey]:
        """Every session that a link names, once, in its order."""
        return sessions_of(link, self.sizes)

    @cached_property
    def together(self) -> Mapping[SessionKey, int]:
        """Sessions that may clash with others, by the number of their class: those of one class clash with no other."""
        return together(self.links, self.sizes)

    def may_clash(self, a: SessionKey, b: SessionKey) -> bool:
        """Whether nobody who is in both of two sessions at once is counted for it."""
        return a in self.together and self.together[a] == self.together.get(b)

    def travel(self, building: str | None, other: str | None) -> int:
        """Minutes between two buildings; one direction given serves both; 0 when nothing is known."""
        if building is None or other is None or building == other:
            return 0
        there = self.travel_minutes.get(building, {}).get(other)
        back = self.travel_minutes.get(other, {}).get(building)
        return there if there is not None else back if back is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """
    Session `session` of a course starts at `slot` in `room_id`, and in `more_rooms` besides where it takes several; in
    no room where `room_id` is None.
    """

    course_id: str
    session: int
    slot: int
    room_id: str | None
    more_rooms: tuple[str, ...] = ()

    @classmethod
    def at(cls, key: SessionKey, slot: int, room_ids: Sequence[str]) -> Placement:
        """A session at a start in all of these rooms."""
        more = tuple(room_ids[1:])
        return cls(course_id=key[0], session=key[1], slot=slot, room_id=next(iter(room_ids), None), more_rooms=more)

    @property
    def key(self) -> SessionKey:
        return (self.course_id, self.session)

    @property
    def room_ids(self) -> tuple[str, ...]:
        """Every room that it takes, `room_id` first."""
        return () if self.room_id is None else (self.room_id, *self.more_rooms)


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """An answer, complete or partial. Sessions of the dataset that have no placement are unplaced."""

    placements: tuple[Placement, ...] = ()

    def __post_init__(self) -> None:
        if len(self.by_session) != len(self.placements):
            seen: set[SessionKey] = set()
            raise InputError(
                Issue(
                    pointer=f"/placements/{i}",
                    code="duplicate",
                    message=f"session {p.key} is placed twice",
                    value=list(p.key),
                )
                for i, p in enumerate(self.placements)
                if p.key in seen or seen.add(p.key)  # type: ignore[func-returns-value]
            )

    @cached_property
    def by_session(self) -> Mapping[SessionKey, Placement]:
        return {placement.key: placement for placement in self.placements}
