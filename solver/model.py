"""
What a timetable problem and its answer look like: frozen records with string ids that check themselves.

A `Dataset` cannot exist in a broken state: `Dataset(...)` raises `InputError` with *every* problem found, each with
a JSON pointer, a code and the offending value. Nothing else in the solver checks ids or ranges again.

Slots are day-major integers from 0 on the grid of `TimeGrid`; a session covers `session_slots` consecutive slots of one
day and never crosses the lunch break.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal, TypeAlias

Tier: TypeAlias = Literal["hard", "soft", "off"]
LinkType: TypeAlias = Literal[
    "precedence",
    "not_overlap",
    "same_start",
    "same_day",
    "different_day",
    "same_room",
    "different_room",
    "consecutive",
    "min_gap",
]
SessionKey: TypeAlias = tuple[str, int]
"""(course id, session number from 0)."""

LINK_TYPES: tuple[LinkType, ...] = LinkType.__args__  # type: ignore[attr-defined]
CORE_SUBJECT_TYPE = "core"

MAX_DAYS = 7
MAX_SLOTS_PER_DAY = 48
MAX_NUMBER = 1_000_000
"""No capacity, size, weight or limit in a dataset may exceed this; keeps every cost inside 64 bits."""
MAX_ID_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One problem of the input: where (JSON pointer), what kind (stable code), which value, and a sentence."""

    pointer: str
    code: str
    message: str
    value: object = None


class SolverError(Exception):
    """Base of everything the solver raises on purpose. Infeasible, late and cancelled are results, not errors."""


class InputError(SolverError):
    """The input cannot be used; `issues` lists every problem found, in document order."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        first = self.issues[0] if self.issues else None
        more = f" (and {len(self.issues) - 1} more)" if len(self.issues) > 1 else ""
        super().__init__(f"{first.pointer}: {first.message}{more}" if first else "invalid input")


def minutes_of(clock: str) -> int | None:
    """Minutes after midnight of "HH:MM" or "HH:MM:SS" (24:00 allowed as an end), None when it is no clock time."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?", clock.strip())
    if not match:
        return None
    hours, minutes = int(match[1]), int(match[2])
    total = hours * 60 + minutes
    return total if minutes < 60 and int(match[3] or 0) < 60 and total <= 24 * 60 else None


def clock_of(minutes: int) -> str:
    """ "HH:MM" of minutes after midnight."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass(frozen=True, kw_only=True)
class TimeGrid:
    """
    The weekly grid. `num_periods` follows the platform's clamp: never more periods than fit between start and end.

    A period never straddles lunch and never ends after `end_time`; the platform's own grid gets both wrong.
    """

    working_days: int = 6
    slots_per_day: int = 8
    start_time: str = "08:00"
    end_time: str = "17:00"
    slot_minutes: int = 60
    lunch: tuple[str, str] | None = ("12:00", "13:00")

    @cached_property
    def periods(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of each period of a day, in minutes after midnight."""
        start, end = minutes_of(self.start_time) or 0, minutes_of(self.end_time) or 0
        lunch_start, lunch_end = self._lunch_minutes
        lunch_length = max(0, lunch_end - lunch_start)
        wanted = min(self.slots_per_day, max(1, (end - start - lunch_length) // self.slot_minutes))
        periods: list[tuple[int, int]] = []
        clock = start
        while len(periods) < wanted and clock + self.slot_minutes <= end:
            if clock < lunch_end and clock + self.slot_minutes > lunch_start and lunch_length:
                clock = lunch_end
                continue
            periods.append((clock, clock + self.slot_minutes))
            clock += self.slot_minutes
        return tuple(periods)

    @property
    def _lunch_minutes(self) -> tuple[int, int]:
        if self.lunch is None:
            return (0, 0)
        return (minutes_of(self.lunch[0]) or 0, minutes_of(self.lunch[1]) or 0)

    @cached_property
    def lunch_period(self) -> int | None:
        """The first period after lunch, None when lunch cuts no day in two."""
        if self.lunch is None:
            return None
        lunch_end = self._lunch_minutes[1]
        after = [p for p, (start, _) in enumerate(self.periods) if start >= lunch_end]
        return after[0] if after and after[0] > 0 and lunch_end > self._lunch_minutes[0] else None

    @property
    def num_days(self) -> int:
        return self.working_days

    @property
    def num_periods(self) -> int:
        return len(self.periods)

    @property
    def num_slots(self) -> int:
        return self.num_days * self.num_periods

    def day_of(self, slot: int) -> int:
        return slot // self.num_periods

    def period_of(self, slot: int) -> int:
        return slot % self.num_periods

    def can_start(self, slot: int, length: int) -> bool:
        """Whether a session of `length` slots that starts at `slot` stays inside the day and clear of lunch."""
        if not 0 <= slot < self.num_slots:
            return False
        first = self.period_of(slot)
        last = first + length - 1
        lunch = self.lunch_period
        return last < self.num_periods and not (lunch is not None and first < lunch <= last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    id: str
    name: str = ""
    capacity: int
    type: str = "lecture_hall"
    features: tuple[str, ...] = ()
    building: str | None = None
    department_id: str | None = None
    unavailable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Faculty:
    """`preferences` maps a slot to a liking in [0, 1]; a slot not named counts as 0.5. A limit of None is none."""

    id: str
    name: str = ""
    department_id: str | None = None
    max_sessions_per_week: int | None = None
    max_sessions_per_day: int | None = None
    unavailable: tuple[int, ...] = ()
    preferences: Mapping[int, float] = field(default_factory=dict)


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
    `expected_students` None means the larger of the enrolled students and the sum of the group sizes.
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
    expected_students: int | None = None
    sessions_per_week: int = 1
    session_slots: int = 1
    room_types: tuple[str, ...] = ()
    required_features: tuple[str, ...] = ()
    min_days: int = 1
    max_sessions_per_day: int | None = 2
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
    """What a dataset says about one rule; None keeps the value of `RULES`."""

    tier: Tier | None = None
    weight: int | None = None
    value: int | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A whole problem. Raises `InputError` with every inconsistency at once."""

    name: str = ""
    time_grid: TimeGrid = TimeGrid()
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


# --- checking -------------------------------------------------------------------------------------------------------


def dataset_issues(dataset: Dataset) -> Iterator[Issue]:
    """Every inconsistency of a dataset, in document order. Shapes and types are the parser's business, not ours."""
    yield from _grid_issues(dataset.time_grid)
    if any(_grid_issues(dataset.time_grid)):
        return
    yield from _collection_issues(dataset)
    yield from _room_issues(dataset)
    yield from _faculty_issues(dataset)
    yield from _group_issues(dataset)
    yield from _course_issues(dataset)
    yield from _cycle_issues(dataset)
    yield from _link_issues(dataset)
    yield from _travel_and_history_issues(dataset)


def _grid_issues(grid: TimeGrid) -> Iterator[Issue]:
    here = "/time_grid"
    yield from _range(f"{here}/working_days", grid.working_days, 1, MAX_DAYS)
    yield from _range(f"{here}/slots_per_day", grid.slots_per_day, 1, MAX_SLOTS_PER_DAY)
    yield from _range(f"{here}/slot_minutes", grid.slot_minutes, 5, 24 * 60)
    clocks = [("start_time", grid.start_time), ("end_time", grid.end_time)]
    if grid.lunch is not None:
        clocks += [("lunch/start", grid.lunch[0]), ("lunch/end", grid.lunch[1])]
    bad = [(key, text) for key, text in clocks if minutes_of(text) is None]
    for key, text in bad:
        yield Issue(pointer=f"{here}/{key}", code="bad_time", message=f"expected HH:MM, got {text!r}", value=text)
    if bad or grid.slot_minutes < 1 or grid.slots_per_day < 1:
        return
    start, end = minutes_of(grid.start_time) or 0, minutes_of(grid.end_time) or 0
    if end <= start:
        yield Issue(
            pointer=f"{here}/end_time",
            code="impossible_grid",
            message=f"the day ends at {grid.end_time}, not after its start at {grid.start_time}",
            value=grid.end_time,
        )
    elif grid.lunch is not None and (minutes_of(grid.lunch[1]) or 0) < (minutes_of(grid.lunch[0]) or 0):
        yield Issue(
            pointer=f"{here}/lunch/end",
            code="impossible_grid",
            message=f"lunch ends at {grid.lunch[1]}, before it starts at {grid.lunch[0]}",
            value=grid.lunch[1],
        )
    elif grid.num_periods == 0:
        yield Issue(
            pointer=f"{here}/slot_minutes",
            code="impossible_grid",
            message=f"no period of {grid.slot_minutes} minutes fits between {grid.start_time} and {grid.end_time}",
            value=grid.slot_minutes,
        )


def _collection_issues(dataset: Dataset) -> Iterator[Issue]:
    for key, items in (("rooms", dataset.rooms), ("courses", dataset.courses)):
        if not items:
            yield Issue(pointer=f"/{key}", code="empty", message=f"at least one entry is needed in {key}", value=[])
    collections: tuple[tuple[str, tuple[Room | Faculty | Group | Course, ...]], ...] = (
        ("rooms", dataset.rooms),
        ("faculty", dataset.faculty),
        ("groups", dataset.groups),
        ("courses", dataset.courses),
    )
    for key, entities in collections:
        seen: dict[str, int] = {}
        for i, entity in enumerate(entities):
            pointer = f"/{key}/{i}/id"
            if not entity.id or len(entity.id) > MAX_ID_LENGTH or not entity.id.isprintable():
                yield Issue(
                    pointer=pointer,
                    code="bad_id",
                    message=f"an id has 1 to {MAX_ID_LENGTH} printable characters, got {entity.id[:40]!r}",
                    value=entity.id,
                )
            elif entity.id in seen:
                yield Issue(
                    pointer=pointer,
                    code="duplicate",
                    message=f"{key} entry {entity.id!r} already stands at /{key}/{seen[entity.id]}",
                    value=entity.id,
                )
            seen.setdefault(entity.id, i)


def _room_issues(dataset: Dataset) -> Iterator[Issue]:
    for i, room in enumerate(dataset.rooms):
        yield from _range(f"/rooms/{i}/capacity", room.capacity, 0, MAX_NUMBER)
        yield from _slots(f"/rooms/{i}/unavailable", room.unavailable, dataset)


def _faculty_issues(dataset: Dataset) -> Iterator[Issue]:
    for i, teacher in enumerate(dataset.faculty):
        here = f"/faculty/{i}"
        yield from _range(f"{here}/max_sessions_per_week", teacher.max_sessions_per_week, 0, MAX_NUMBER)
        yield from _range(f"{here}/max_sessions_per_day", teacher.max_sessions_per_day, 0, MAX_NUMBER)
        yield from _slots(f"{here}/unavailable", teacher.unavailable, dataset)
        for slot, liking in teacher.preferences.items():
            yield from _slots(f"{here}/preferences/{slot}", (slot,), dataset, single=True)
            yield from _range(f"{here}/preferences/{slot}", liking, 0, 1)


def _group_issues(dataset: Dataset) -> Iterator[Issue]:
    for i, group in enumerate(dataset.groups):
        here = f"/groups/{i}"
        yield from _range(f"{here}/size", group.size, 0, MAX_NUMBER)
        yield from _range(f"{here}/max_sessions_per_day", group.max_sessions_per_day, 0, MAX_NUMBER)
        yield from _slots(f"{here}/unavailable", group.unavailable, dataset)


def _course_issues(dataset: Dataset) -> Iterator[Issue]:
    rooms, teachers = {r.id for r in dataset.rooms}, {f.id for f in dataset.faculty}
    groups, courses = {g.id for g in dataset.groups}, {c.id for c in dataset.courses}
    num_slots = dataset.time_grid.num_slots
    for i, course in enumerate(dataset.courses):
        here = f"/courses/{i}"
        yield from _range(f"{here}/sessions_per_week", course.sessions_per_week, 1, num_slots, f"course {course.id!r}")
        yield from _range(
            f"{here}/session_slots", course.session_slots, 1, dataset.time_grid.num_periods, f"course {course.id!r}"
        )
        yield from _range(f"{here}/expected_students", course.expected_students, 0, MAX_NUMBER)
        yield from _range(f"{here}/credits", course.credits, 0, MAX_NUMBER)
        yield from _range(f"{here}/min_days", course.min_days, 0, MAX_NUMBER)
        yield from _range(f"{here}/max_sessions_per_day", course.max_sessions_per_day, 1, MAX_NUMBER)
        yield from _range(f"{here}/priority", course.priority, -MAX_NUMBER, MAX_NUMBER)
        yield from _references(f"{here}/faculty_ids", course.faculty_ids, teachers, "faculty")
        yield from _references(f"{here}/group_ids", course.group_ids, groups, "group")
        yield from _references(f"{here}/prerequisites", course.prerequisites, courses, "course")
        yield from _unique(f"{here}/student_ids", course.student_ids)
        if course.allowed_slots is not None:
            yield from _slots(f"{here}/allowed_slots", course.allowed_slots, dataset)
        yield from _fixed_issues(f"{here}/fixed", course, rooms, dataset)


def _fixed_issues(pointer: str, course: Course, rooms: set[str], dataset: Dataset) -> Iterator[Issue]:
    yield from _unique(pointer, tuple(f.session for f in course.fixed), key="/session")
    for k, fixed in enumerate(course.fixed):
        yield from _range(f"{pointer}/{k}/session", fixed.session, 0, course.sessions_per_week - 1)
        if fixed.room_id is not None:
            yield from _references(f"{pointer}/{k}/room_id", (fixed.room_id,), rooms, "room", single=True)
        if not dataset.time_grid.can_start(fixed.slot, course.session_slots):
            yield Issue(
                pointer=f"{pointer}/{k}/slot",
                code="bad_slot",
                message=f"course {course.id!r}: a session of {course.session_slots} slot(s) cannot start "
                f"at slot {fixed.slot}",
                value=fixed.slot,
            )


def _cycle_issues(dataset: Dataset) -> Iterator[Issue]:
    """Names one cycle of prerequisites, if there is any."""
    known = {course.id for course in dataset.courses}
    graph = {c.id: [p for p in c.prerequisites if p in known] for c in dataset.courses}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        position = next(i for i, course in enumerate(dataset.courses) if course.id == cycle[0])
        shown = " -> ".join(cycle if len(cycle) <= 12 else [*cycle[:6], "...", *cycle[-5:]])
        yield Issue(
            pointer=f"/courses/{position}/prerequisites",
            code="cycle",
            message=f"prerequisites run in a circle: {shown}",
            value=cycle,
        )


def _link_issues(dataset: Dataset) -> Iterator[Issue]:
    sessions_of = {course.id: course.sessions_per_week for course in dataset.courses}
    known_courses = set(sessions_of)
    for i, link in enumerate(dataset.links):
        here = f"/links/{i}"
        if link.type not in LINK_TYPES:
            yield Issue(
                pointer=f"{here}/type", code="unknown_link", message=f"unknown link type {link.type!r}", value=link.type
            )
        yield from _range(f"{here}/weight", link.weight, 0, MAX_NUMBER)
        yield from _range(f"{here}/value", link.value, 0, MAX_NUMBER)
        if link.type == "min_gap" and link.value is None:
            yield Issue(
                pointer=f"{here}/value", code="missing", message="a min_gap link needs a value in slots", value=None
            )
        if not link.sessions or (len(link.sessions) == 1 and link.sessions[0][1] is not None):
            yield Issue(
                pointer=f"{here}/sessions",
                code="too_few",
                message="a link ties at least two sessions",
                value=[list(member) for member in link.sessions],
            )
        for k, (course_id, session) in enumerate(link.sessions):
            yield from _references(f"{here}/sessions/{k}/0", (course_id,), known_courses, "course", single=True)
            if session is not None and course_id in sessions_of:
                yield from _range(f"{here}/sessions/{k}/1", session, 0, sessions_of[course_id] - 1)


def _travel_and_history_issues(dataset: Dataset) -> Iterator[Issue]:
    for building, row in dataset.travel_minutes.items():
        for other, minutes in row.items():
            yield from _range(f"/travel_minutes/{_escape(building)}/{_escape(other)}", minutes, 0, 24 * 60)
    teachers = {f.id for f in dataset.faculty}
    for i, rating in enumerate(dataset.history):
        yield from _references(f"/history/{i}/faculty_id", (rating.faculty_id,), teachers, "faculty", single=True)
        yield from _slots(f"/history/{i}/slot", (rating.slot,), dataset, single=True)
        yield from _range(f"/history/{i}/rating", rating.rating, 0, 1)


def _escape(key: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _range(pointer: str, value: float | None, low: float, high: float, owner: str = "") -> Iterator[Issue]:
    if value is None or low <= value <= high:
        return
    name = pointer.rsplit("/", 1)[1]
    bound = f">= {low}" if value < low else f"<= {high}"
    prefix = f"{owner}: " if owner else ""
    yield Issue(
        pointer=pointer, code="out_of_range", message=f"{prefix}{name} must be {bound}, got {value}", value=value
    )


def _slots(pointer: str, slots: tuple[int, ...], dataset: Dataset, *, single: bool = False) -> Iterator[Issue]:
    last = dataset.time_grid.num_slots - 1
    for k, slot in enumerate(slots):
        if not 0 <= slot <= last:
            yield Issue(
                pointer=pointer if single else f"{pointer}/{k}",
                code="bad_slot",
                message=f"slot {slot} is not on the grid, which has slots 0 to {last}",
                value=slot,
            )


def _references(
    pointer: str, ids: tuple[str, ...], known: Iterable[str], kind: str, *, single: bool = False
) -> Iterator[Issue]:
    known = known if isinstance(known, set) else set(known)
    for k, reference in enumerate(ids):
        if reference not in known:
            yield Issue(
                pointer=pointer if single else f"{pointer}/{k}",
                code="dangling_id",
                message=f"there is no {kind} with id {reference!r}",
                value=reference,
            )
    if not single:
        yield from _unique(pointer, ids)


def _unique(pointer: str, values: tuple[object, ...], key: str = "") -> Iterator[Issue]:
    if len(set(values)) == len(values):
        return
    seen: set[object] = set()
    for k, value in enumerate(values):
        if value in seen:
            yield Issue(
                pointer=f"{pointer}/{k}{key}", code="duplicate", message=f"{value!r} stands here twice", value=value
            )
        seen.add(value)
