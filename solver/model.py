"""
What a timetable problem and its answer look like: frozen records with string ids that check themselves.

A `Dataset` cannot exist in a broken state: `Dataset(...)` raises `InputError` with *every* problem found, each with
a JSON pointer, a code and the offending value. Nothing else in the solver checks ids or ranges again.

Slots are day-major integers from 0 on the grid of `TimeGrid`; a session covers `session_slots` consecutive slots of one
day and never crosses the lunch break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from solver.checks import dataset_issues
from solver.errors import InputError, Issue
from solver.grid import TimeGrid
from solver.terms import CORE_SUBJECT_TYPE, DEFAULT_COURSE_DAY_LIMIT, NEUTRAL_LIKING, LinkType, SessionKey, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """`code` is what the books of the institution call it; people call it by its name."""

    id: str
    code: str = ""
    name: str = ""
    capacity: int
    type: str = "lecture_hall"
    features: tuple[str, ...] = ()
    building: str | None = None
    department_id: str | None = None
    unavailable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Faculty:
    """
    `preferences` maps a slot to a liking in [0, 1]; of a slot that is not named nothing is said, and it counts as 0.5.

    A limit of None is none.
    """

    id: str
    code: str = ""
    name: str = ""
    department_id: str | None = None
    max_sessions_per_week: int | None = None
    max_sessions_per_day: int | None = None
    unavailable: tuple[int, ...] = ()
    preferences: Mapping[int, float] = field(default_factory=dict)

    def contented_at(self, num_slots: int) -> float:
        """
        The liking from which on a slot costs nothing, on a grid of `num_slots`.

        Who names no slot below 0.5, or every slot that there is for them, asks for chosen slots only: the best of
        those named cost nothing, and any other one costs what it falls short of them. Everybody else asks to be spared
        some slots: these cost what they fall short of 0.5, and the rest of the week costs nothing.
        """
        if not self.preferences:
            return 0.0
        best, worst = max(self.preferences.values()), min(self.preferences.values())
        if worst >= NEUTRAL_LIKING or len({*self.preferences, *self.unavailable}) >= num_slots:
            return best
        return NEUTRAL_LIKING

    def liking(self, slot: int) -> float:
        """How much the slot is liked, in [0, 1]."""
        return self.preferences.get(slot, NEUTRAL_LIKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    id: str
    name: str = ""
    size: int = 0
    department_id: str | None = None
    max_sessions_per_day: int | None = None
    unavailable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedSession:
    """Session number `session` must start at `slot`, and stand in `room_id` where one is given."""

    session: int
    slot: int
    room_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """
    One section of a subject. All `faculty_ids` teach every session together.

    Empty `room_types` means any type; `allowed_slots` lists start slots, None means every slot;
    `expected_students` None means the larger of the enrolled students and the sum of the group sizes. `batches` (id ->
    name) are those whose students attend it one and all, for whoever looks for the timetable of a batch; no rule counts
    them, as it counts `group_ids`.
    """

    id: str
    code: str = ""
    name: str = ""
    department_id: str | None = None
    subject_type: str = CORE_SUBJECT_TYPE
    credits: float = 0
    faculty_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    student_ids: tuple[str, ...] = ()
    batches: Mapping[str, str] = field(default_factory=dict)
    expected_students: int | None = None
    sessions_per_week: int = 1
    session_slots: int = 1
    room_types: tuple[str, ...] = ()
    required_features: tuple[str, ...] = ()
    min_days: int = 1
    max_sessions_per_day: int | None = DEFAULT_COURSE_DAY_LIMIT
    allowed_slots: tuple[int, ...] | None = None
    fixed: tuple[FixedSession, ...] = ()
    prerequisites: tuple[str, ...] = ()
    priority: int = 0

    @property
    def title(self) -> str:
        return self.code or self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Ties sessions pairwise, i before j in list order; session None means every session of the course."""

    type: LinkType
    sessions: tuple[tuple[str, int | None], ...]
    tier: Tier = "hard"
    weight: int = 1
    value: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """How teaching at `slot` went in an earlier term, rating in [0, 1]; read by the behavioural dimension."""

    faculty_id: str
    slot: int
    rating: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetting:
    """
    What a dataset says about one rule; None keeps the value of `RULES`.

    `bendable` False makes a hard rule rigid that has a price; True makes no rule bendable that has none.
    """

    tier: Tier | None = None
    weight: int | None = None
    value: int | None = None
    bendable: bool | None = None


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
    def student_ids(self) -> tuple[str, ...]:
        """Every enrolled student once, in order of first appearance."""
        return tuple(dict.fromkeys(student for course in self.courses for student in course.student_ids))

    @cached_property
    def attendees_are_groups(self) -> bool:
        """Whether rules about the shape of a day look at groups; at students where no course is taught to a group."""
        return any(course.group_ids for course in self.courses)

    def expected_students(self, course: Course) -> int:
        """Seats the course needs."""
        if course.expected_students is not None:
            return course.expected_students
        return max(len(course.student_ids), sum(self.group[g].size for g in course.group_ids))

    def expand(self, link: Link) -> Iterator[tuple[SessionKey, SessionKey]]:
        """The ordered pairs of sessions a link ties together; a session is never paired with itself."""
        members = [
            [
                (course_id, n)
                for n in ([session] if session is not None else range(self.course[course_id].sessions_per_week))
            ]
            for course_id, session in link.sessions
        ]
        if len(members) == 1:
            members = [[key] for key in members[0]]
        for i, earlier in enumerate(members):
            for later in members[i + 1 :]:
                yield from ((a, b) for a in earlier for b in later if a != b)

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
