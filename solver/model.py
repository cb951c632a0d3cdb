"""
What a timetable problem and its answer look like: a `Dataset` of frozen records that checks itself, and a `Timetable`.

A `Dataset` cannot exist in a broken state: `Dataset(...)` raises `InputError` with *every* problem found, each with
a JSON pointer, a code and the offending value. Nothing else in the solver checks ids or ranges again.

The records themselves stand in `records`, below the checks; everybody takes them from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from solver.checks import dataset_issues
from solver.cohorts import Cohort, cohorts_of, memberships, people_in
from solver.errors import InputError, Issue
from solver.grid import TimeGrid
from solver.pairing import pairs_of, sessions_of, together
from solver.records import Course, Faculty, FixedSession, Group, Link, Rating, Room, RuleSetting
from solver.terms import SessionKey

__all__ = [
    "Cohort",
    "Course",
    "Dataset",
    "Faculty",
    "FixedSession",
    "Group",
    "Link",
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
    def _students_of(self) -> Mapping[str, tuple[str, ...]]:
        """Course -> its students, for courses that are taught to a group with members."""
        return {
            course.id: tuple(
                dict.fromkeys((*course.student_ids, *(s for id in course.group_ids for s in self.members.get(id, ()))))
            )
            for course in self.courses
            if any(id in self.members for id in course.group_ids)
        }

    def students_of(self, course: Course) -> tuple[str, ...]:
        """Everybody known by name who attends a course, each once: those that it names, then members of its groups."""
        return self._students_of.get(course.id, course.student_ids) if self.groups_of_student else course.student_ids

    @cached_property
    def student_ids(self) -> tuple[str, ...]:
        """Everybody known by name once: by the courses that they attend, then members of groups without any."""
        enrolled = dict.fromkeys(student for course in self.courses for student in self.students_of(course))
        return tuple(enrolled | dict.fromkeys(self.groups_of_student))

    @cached_property
    def lone_students(self) -> frozenset[str]:
        """Students without a group: members of none, and none of whose courses is taught to one."""
        grouped = {student for course in self.courses if course.group_ids for student in self.students_of(course)}
        return frozenset(self.student_ids) - grouped - self.groups_of_student.keys()

    @cached_property
    def num_people(self) -> int:
        """Students, as many as are known by name; else as the sizes of the groups tell, parts not counted again."""
        return len(self.student_ids) or sum(group.size for group in self.groups if not group.part_of)

    @cached_property
    def teaches_groups(self) -> bool:
        """Whether any course is taught to a group."""
        return any(course.group_ids for course in self.courses)

    def expected_students(self, course: Course) -> int:
        """Seats the course needs."""
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
    """Session `session` of a course starts at `slot` in `room_id`."""

    course_id: str
    session: int
    slot: int
    room_id: str

    @property
    def key(self) -> SessionKey:
        return (self.course_id, self.session)


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
