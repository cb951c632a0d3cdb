"""
The records that a timetable problem is made of: frozen, with string ids. A `Dataset` holds them and checks them.

Slots are day-major integers from 0 on the grid of `TimeGrid`; a session covers `session_slots` consecutive slots of one
day and crosses no break but those that sessions may run over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from solver.terms import CORE_SUBJECT_TYPE, DEFAULT_COURSE_DAY_LIMIT, NEUTRAL_LIKING, LinkType, Pairing, Tier, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """
    `code` is what the books of the institution call it; people call it by its name. `sessions_at_once` is how many
    sessions may share it, each of which needs a seat for all of its students.
    """

    id: str
    code: str = ""
    name: str = ""
    capacity: int
    type: str = "lecture_hall"
    features: tuple[str, ...] = ()
    building: str | None = None
    department_id: str | None = None
    unavailable: tuple[int, ...] = ()
    sessions_at_once: int = 1


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
        The liking from which on a slot costs nothing, on a grid with so many slots.

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
    """
    People who move together.

    A group that is part of others takes its people from them. Parts of one group that have the same `division` have
    nobody in common; parts of different divisions have (halves for the laboratory, languages). `student_ids` are the
    members, where they are known: whoever is a member of a part is one of the whole, and need not be named there. Two
    students of one group may also be in different other groups.
    """

    id: str
    name: str = ""
    size: int = 0
    department_id: str | None = None
    max_sessions_per_day: int | None = None
    unavailable: tuple[int, ...] = ()
    part_of: tuple[str, ...] = ()
    division: str = ""
    student_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedSession:
    """
    Session number `session` must start at `slot`, and stand in `room_id` where one is given; in `more_rooms` as well
    where it needs several.
    """

    session: int
    slot: int
    room_id: str | None = None
    more_rooms: tuple[str, ...] = ()

    @property
    def room_ids(self) -> tuple[str, ...]:
        """Where it must stand, `room_id` first; empty where any room will do."""
        return () if self.room_id is None else (self.room_id, *self.more_rooms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    Sessions of one course that are alike: so many of one kind and length. What is None is as the course says.

    `kind` is a word for people ("lab"); sessions of one kind keep one room.
    """

    kind: str = ""
    sessions: int = 1
    session_slots: int | None = None
    faculty_ids: tuple[str, ...] | None = None
    group_ids: tuple[str, ...] | None = None
    student_ids: tuple[str, ...] | None = None
    expected_students: int | None = None
    room_types: tuple[str, ...] | None = None
    required_features: tuple[str, ...] | None = None
    allowed_slots: tuple[int, ...] | None = None
    times: Mapping[int, int] | None = None
    time_penalties: Mapping[int, int | None] | None = None
    rooms: Mapping[str, int] | None = None
    room_penalties: Mapping[str, int | None] | None = None
    rooms_needed: int | None = None
    weeks: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """
    One section of a subject. All `faculty_ids` teach every session together.

    A course whose sessions differ has `parts`: its sessions are numbered over them, one part after the other, and
    `sessions_per_week` is the sum of theirs, which need not be given. Each part in turn, with what it leaves to the
    course filled in, is a `Course` of its own that has no parts (see `apart`): it has the id of the whole course, and
    its own `kind`. Limits, `min_days`, prerequisites and priority are about the whole course.

    `times` are the starts that it may take, each with a penalty, None means any; `time_penalties` are further penalties
    by start, where None prohibits it. `rooms` and `room_penalties` say the same of rooms. `rooms_needed` is how many
    rooms each session takes at once, 0 for none at all.

    Empty `room_types` means any type; `allowed_slots` lists start slots, None means every slot; `weeks` are those of
    the term in which its sessions are given, in order, from 1, None means all;
    `expected_students` None means as many as are known: the students, members of its groups included, or the people of
    the groups by their sizes, nobody counted twice of whom it is known, whichever are more. `student_ids` are the
    students who are named here rather than as members of a group. `batches` (id -> name) are those whose students
    attend it one and all, for whoever looks for the timetable of a batch; no rule counts them, as it counts
    `group_ids`.
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
    times: Mapping[int, int] | None = None
    time_penalties: Mapping[int, int | None] = field(default_factory=dict)
    rooms: Mapping[str, int] | None = None
    room_penalties: Mapping[str, int | None] = field(default_factory=dict)
    rooms_needed: int = 1
    kind: str = ""
    weeks: tuple[int, ...] | None = None
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if self.parts and self.sessions_per_week == 1:
            object.__setattr__(self, "sessions_per_week", sum(part.sessions for part in self.parts))

    @property
    def title(self) -> str:
        return self.code or self.name or self.id

    @property
    def chooses_starts(self) -> bool:
        """Whether there may be starts that it may not take."""
        banned = any(penalty is None for penalty in self.time_penalties.values())
        return self.allowed_slots is not None or self.times is not None or banned

    def may_start(self, slot: int) -> bool:
        """Whether the start is one that it may take, wherever it would end."""
        allowed = self.allowed_slots is None or slot in self.allowed_slots
        return allowed and (self.times is None or slot in self.times) and self.time_penalties.get(slot, 0) is not None

    def penalty_at(self, slot: int) -> int:
        """What starting there costs; 0 where it may not start, which is another matter."""
        return ((self.times or {}).get(slot, 0) + (self.time_penalties.get(slot, 0) or 0)) * self.may_start(slot)

    def may_use(self, room_id: str) -> bool:
        """Whether the room is among those that it may use, whatever its kind."""
        listed = self.rooms is None or room_id in self.rooms
        return listed and self.room_penalties.get(room_id, 0) is not None

    def penalty_of(self, room_id: str) -> int:
        """What standing in the room costs; 0 for one that it may not use, which is another matter."""
        return ((self.rooms or {}).get(room_id, 0) + (self.room_penalties.get(room_id, 0) or 0)) * self.may_use(room_id)

    def apart(self) -> Iterator[Course]:
        """
        Its parts, each as a course without parts; the course itself where it has none.

        `fixed` of each are those of its own sessions, which keep the numbers that they have in the whole course.
        """
        if not self.parts:
            yield self
        first = 0
        for part in self.parts:
            numbers = range(first, first + part.sessions)
            first = numbers.stop
            stated = {name: value for name in _OF_A_PART if (value := getattr(part, name)) is not None}
            fixed = tuple(pin for pin in self.fixed if pin.session in numbers)
            yield replace(
                self, **stated, kind=part.kind or self.kind, sessions_per_week=part.sessions, fixed=fixed, parts=()
            )


_OF_A_PART = tuple(name for name in Part.__dataclass_fields__ if name not in ("kind", "sessions"))
"""What a part may say in place of its course, under the same names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """
    Ties sessions pairwise, i before j in list order, or all together; session None means every session of the course.

    Which session is tied to which says `pairing`; None means what the type usually means, see `pairing.pairing_of`.
    `value` is the least that a link asks for, in slots (`min_gap`) or in days (`days_apart`), and `most` the most, in
    days.
    """

    type: LinkType
    sessions: tuple[tuple[str, int | None], ...]
    tier: Tier = "hard"
    weight: int = 1
    value: int | None = None
    most: int | None = None
    pairing: Pairing | None = None


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

    `bendable` False makes a hard rule rigid that has a price; True makes no rule bendable that has none. `values` are
    those of single people, groups or students by id, for rules about somebody's day or week; `unit` says what a limit
    counts ("sessions", "slots" or "minutes") where it may be said, and `window` from when to when a lunch may be.
    """

    tier: Tier | None = None
    weight: int | None = None
    value: int | None = None
    bendable: bool | None = None
    values: Mapping[str, int] = field(default_factory=dict)
    unit: Unit | None = None
    window: tuple[str, str] | None = None
