"""
What the hard rules leave to each session when it is looked at alone: start slots, covered slots, rooms.

Only rules that are hard in the profile count; a soft rule never makes anything impossible. Sets of slots and of rooms
are integers with one bit per slot or room: a week of 48 slots times a thousand rooms is then a few machine words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from solver.model import Course, Dataset, FixedSession, Room
from solver.names import Names, listed
from solver.rules import Profile
from solver.terms import SessionKey

Bits = int


def bits(indices: Iterable[int]) -> Bits:
    """The set of these indices."""
    mask = 0
    for index in indices:
        mask |= 1 << index
    return mask


def indices(mask: Bits) -> Iterator[int]:
    """The members of a set, in order."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def starts_touching(slots: Bits, length: int) -> Bits:
    """Starts from which a session of `length` slots would cover one of `slots`; may name starts of the day before."""
    mask = 0
    for back in range(length):
        mask |= slots >> back
    return mask


def covered(starts: Bits, length: int) -> Bits:
    """Slots that sessions of `length` slots from these starts cover, all together."""
    mask = 0
    for ahead in range(length):
        mask |= starts << ahead
    return mask


@dataclass(frozen=True, slots=True)
class Removal:
    """Starts that one hard rule takes from a session, and the reason in words: "teacher A. Rao (F1) is away"."""

    rule: str
    starts: Bits
    why: str


@dataclass(frozen=True, slots=True)
class Options:
    """What is left to a session: possible starts, possible rooms, and what was taken away by which rule."""

    starts: Bits
    rooms: Bits
    removals: tuple[Removal, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that took something away, each once."""
        return tuple(dict.fromkeys(removal.rule for removal in self.removals))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Answers for one dataset under one profile, each computed once."""

    dataset: Dataset
    profile: Profile
    _options: dict[tuple[str, FixedSession | None], Options] = field(default_factory=dict)
    _seating: dict[int, Bits] = field(default_factory=dict)
    _kinds: dict[tuple[tuple[str, ...], tuple[str, ...]], Bits] = field(default_factory=dict)
    _open_starts: dict[tuple[Bits, int], Bits] = field(default_factory=dict)
    _blocks: dict[tuple[Bits, int], int] = field(default_factory=dict)

    @cached_property
    def names(self) -> Names:
        """What ids are called in sentences."""
        return Names(self.dataset)

    def hard(self, *rules: str) -> bool:
        """Whether all these rules are hard."""
        return all(self._is_hard[rule] for rule in rules)

    def rigid(self, rule: str) -> bool:
        """Whether this rule is hard and may not be bent."""
        return self.profile[rule].rigid

    @cached_property
    def _is_hard(self) -> Mapping[str, bool]:
        return {rule: active.tier == "hard" for rule, active in self.profile.rules.items()}

    @cached_property
    def seats_wanted(self) -> Mapping[str, int]:
        """Seats that each course needs."""
        return {course.id: self.dataset.expected_students(course) for course in self.dataset.courses}

    @cached_property
    def fixed(self) -> Mapping[SessionKey, FixedSession]:
        """Fixed sessions, none when `fixed_moved` is not hard."""
        if not self.hard("fixed_moved"):
            return {}
        return {(course.id, fixed.session): fixed for course in self.dataset.courses for fixed in course.fixed}

    @cached_property
    def room_index(self) -> Mapping[str, int]:
        """The bit of each room."""
        return {room.id: r for r, room in enumerate(self.dataset.rooms)}

    @cached_property
    def on_grid(self) -> Mapping[int, Bits]:
        """Starts that keep a session of each length inside the day and clear of lunch."""
        grid = self.dataset.time_grid
        return {
            length: bits(t for t in range(grid.num_slots) if grid.can_start(t, length))
            for length in {course.session_slots for course in self.dataset.courses}
        }

    @cached_property
    def day_slots(self) -> tuple[Bits, ...]:
        """All slots of each day."""
        grid = self.dataset.time_grid
        return tuple(bits(range(d * grid.num_periods, (d + 1) * grid.num_periods)) for d in range(grid.num_days))

    @cached_property
    def half_days(self) -> tuple[Bits, ...]:
        """The stretches of slots that a session cannot leave: days, cut at lunch."""
        lunch = self.dataset.time_grid.lunch_period
        if lunch is None:
            return self.day_slots
        morning = bits(range(lunch))
        first = [(day & -day).bit_length() - 1 for day in self.day_slots]
        mornings = [(day, morning << start) for day, start in zip(self.day_slots, first, strict=True)]
        return tuple(part for day, before in mornings for part in (day & before, day & ~before))

    @cached_property
    def away(self) -> Mapping[tuple[str, str], Bits]:
        """Slots in which each ("teacher", id) or ("group", id of a cohort) is away."""
        teachers = {("teacher", teacher.id): bits(teacher.unavailable) for teacher in self.dataset.faculty}
        return teachers | {("group", cohort.id): bits(cohort.unavailable) for cohort in self.dataset.cohorts}

    @cached_property
    def closed(self) -> Mapping[str, Bits]:
        """Slots in which each room is closed."""
        return {room.id: bits(room.unavailable) for room in self.dataset.rooms}

    def suitable(self, course: Course) -> Bits:
        """Rooms of the right kind with enough seats, as far as those rules are hard."""
        seats = self.seats_wanted[course.id] if self.hard("room_capacity") else 0
        if seats not in self._seating:
            self._seating[seats] = bits(r for r, room in enumerate(self.dataset.rooms) if room.capacity >= seats)
        large = self._seating[seats]
        return large & self._right_kind(course) if self.hard("room_unsuitable") else large

    def _right_kind(self, course: Course) -> Bits:
        kind = (course.room_types, course.required_features)
        if kind not in self._kinds:
            self._kinds[kind] = bits(r for r, room in enumerate(self.dataset.rooms) if self.of_kind(course, room))
        return self._kinds[kind]

    def of_kind(self, course: Course, room: Room) -> bool:
        """Whether type and features of the room are what the course asks for."""
        right_type = not course.room_types or room.type in course.room_types
        return right_type and set(course.required_features) <= set(room.features)

    def open_starts(self, rooms: Bits, length: int) -> Bits:
        """Starts at which at least one of these rooms is open to the end of the session."""
        if not self.hard("room_clash"):
            return self.on_grid[length] if rooms else 0
        key = (rooms, length)
        if key not in self._open_starts:
            mask = 0
            for r in indices(rooms):
                mask |= self.on_grid[length] & ~starts_touching(self.closed[self.dataset.rooms[r].id], length)
                if mask == self.on_grid[length]:
                    break
            self._open_starts[key] = mask
        return self._open_starts[key]

    def stretches(self, slots: Bits) -> int:
        """How many stretches without a free slot these slots make; days and lunch end them."""
        return sum((part & ~(part << 1)).bit_count() for half in self.half_days if (part := slots & half))

    def blocks(self, slots: Bits, length: int) -> int:
        """How many sessions of at least `length` slots fit into these slots one after the other."""
        if (slots, length) not in self._blocks:
            self._blocks[slots, length] = sum(self._blocks_in(slots & part, length) for part in self.half_days)
        return self._blocks[slots, length]

    def _blocks_in(self, slots: Bits, length: int) -> int:
        total = run = 0
        last = -2
        for slot in indices(slots):
            run = run + 1 if slot == last + 1 else 1
            last = slot
            if run == length:
                total, run = total + 1, 0
        return total

    def options(self, key: SessionKey) -> Options:
        """What is left to a session."""
        fixed = self.fixed.get(key)
        memo = (key[0], fixed)
        if memo not in self._options:
            self._options[memo] = self._find_options(self.dataset.course[key[0]], fixed)
        return self._options[memo]

    def _find_options(self, course: Course, fixed: FixedSession | None) -> Options:
        rooms = self.suitable(course)
        if fixed is not None and fixed.room_id is not None:
            rooms &= 1 << self.room_index[fixed.room_id]
        possible = self.on_grid[course.session_slots]
        removals = [r for r in self._removals(course, fixed, rooms) if r.starts & possible]
        starts = possible
        for removal in removals:
            starts &= ~removal.starts
        return Options(starts=starts, rooms=rooms, removals=tuple(removals))

    def _removals(self, course: Course, fixed: FixedSession | None, rooms: Bits) -> Iterator[Removal]:
        possible, length = self.on_grid[course.session_slots], course.session_slots
        if fixed is not None:
            yield Removal("fixed_moved", possible & ~(1 << fixed.slot), f"it is fixed to {self.names.slot(fixed.slot)}")
        if course.allowed_slots is not None and self.hard("slot_forbidden"):
            yield Removal("slot_forbidden", possible & ~bits(course.allowed_slots), "the course may not start")
        if self.hard("faculty_unavailable"):
            for id in course.faculty_ids:
                starts = starts_touching(self.away["teacher", id], length)
                yield Removal("faculty_unavailable", starts, f"teacher {self.names.teacher(id)} is away")
        if self.hard("group_unavailable"):
            for id in self.dataset.cohorts_of(course):
                starts = starts_touching(self.away["group", id], length)
                yield Removal("group_unavailable", starts, f"group {self.names.cohort(id)} is away")
        closed = possible & ~self.open_starts(rooms, length)
        yield Removal("room_clash", closed, "every suitable room is closed" if rooms else "no room suits")

    def slots_in_words(self, mask: Bits, most: int = 4) -> str:
        """ "Monday 08:00, Monday 09:00 and 3 more"."""
        return listed([self.names.slot(t) for t in indices(mask)], most)
