"""
What the hard rules leave to each session when it is looked at alone: start slots, covered slots, rooms.

Only rules that are hard in the profile count; a soft rule never makes anything impossible. Sets of slots and of rooms
are integers with one bit per slot or room: a week of 48 slots times a thousand rooms is then a few machine words. A
room is one of `Dataset.places` here, so that sessions in no room or in several have theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from solver.links import Clock
from solver.model import Course, Dataset, FixedSession
from solver.names import Names, listed
from solver.person_rules import IN_SESSIONS
from solver.places import suits
from solver.result import Proof
from solver.rules import Profile
from solver.terms import LinkType, SessionKey

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
    _options: dict[tuple[int, FixedSession | None], Options] = field(default_factory=dict)
    _seats: dict[int, int] = field(default_factory=dict)
    _seating: dict[tuple[int, int], Bits] = field(default_factory=dict)
    _kinds: dict[Hashable, Bits] = field(default_factory=dict)
    _open_starts: dict[tuple[Bits, int], Bits] = field(default_factory=dict)
    _blocks: dict[tuple[Bits, int], int] = field(default_factory=dict)
    partners: dict[tuple[LinkType, int, int, tuple[int, int], bool], tuple[Bits, ...]] = field(default_factory=dict)
    """What `ties.partner_starts` has worked out."""

    def of_each_class(self, prove: Callable[[int], Iterable[Proof]]) -> Iterator[Proof]:
        """What `prove` finds for each week class, by its number: once, and with the weeks unless all are meant."""
        found: dict[Proof, list[int]] = {}
        classes = self.dataset.week_classes
        for k in range(len(classes)):
            for proof in prove(k):
                found.setdefault(proof, []).append(k)
        for proof, numbers in found.items():
            weeks = sorted(week for k in numbers for week in classes[k])
            all_weeks = len(numbers) == len(classes)
            when = "" if all_weeks else f", in {self.dataset.weeks_in_words(weeks)}"
            yield replace(proof, sentence=proof.sentence + when)

    def parts_of_class(self, k: int) -> list[int]:
        """Numbers in `Dataset.parts` of what is given in a week class."""
        return [n for n, classes in enumerate(self.dataset.classes_of_part) if k in classes]

    @cached_property
    def names(self) -> Names:
        """What ids are called in sentences."""
        return Names(self.dataset)

    def hard(self, *rules: str) -> bool:
        """Whether all these rules are hard."""
        return all(self._is_hard[rule] for rule in rules)

    def limits_sessions(self, rule: str) -> bool:
        """Whether this limit is hard and counts sessions, not slots or minutes."""
        return self._is_hard[rule] and (rule not in IN_SESSIONS or self.profile[rule].unit == "sessions")

    def rigid(self, rule: str) -> bool:
        """Whether this rule is hard and may not be bent."""
        return self.profile[rule].rigid

    @cached_property
    def _is_hard(self) -> Mapping[str, bool]:
        return {rule: active.tier == "hard" for rule, active in self.profile.rules.items()}

    def seats_wanted(self, course: Course) -> int:
        """Seats that one of `Dataset.parts` needs; none where it needs no room."""
        # They live as long as the dataset, and hold lists of students that would be counted again for every session.
        if id(course) not in self._seats:
            self._seats[id(course)] = self.dataset.expected_students(course) if course.rooms_needed else 0
        return self._seats[id(course)]

    @cached_property
    def fixed(self) -> Mapping[SessionKey, FixedSession]:
        """Fixed sessions, none when `fixed_moved` is not hard."""
        if not self.hard("fixed_moved"):
            return {}
        return {(course.id, fixed.session): fixed for course in self.dataset.courses for fixed in course.fixed}

    @cached_property
    def clock(self) -> Clock:
        """When the slots are."""
        return Clock.of(self.dataset.time_grid)

    @cached_property
    def on_grid(self) -> Mapping[int, Bits]:
        """Starts that keep a session of each length inside the day and clear of breaks."""
        grid = self.dataset.time_grid
        return {
            length: bits(t for t in range(grid.num_slots) if grid.can_start(t, length))
            for length in {part.session_slots for part in self.dataset.parts}
        }

    @cached_property
    def day_slots(self) -> tuple[Bits, ...]:
        """All slots of each day."""
        grid = self.dataset.time_grid
        return tuple(bits(grid.slots_of(day)) for day in range(grid.num_days))

    @cached_property
    def all_slots(self) -> Bits:
        """All slots that there are."""
        return bits(self.dataset.time_grid.slots)

    @cached_property
    def parts_of_days(self) -> tuple[Bits, ...]:
        """The stretches of slots that a session cannot leave: days, cut at breaks that none runs over."""
        grid = self.dataset.time_grid
        found = []
        for day in range(grid.num_days):
            slots, walls = grid.slots_of(day), sorted(grid.walls(day))
            for first, end in pairwise([0, *walls, len(slots)]):
                found.append(bits(slots[first:end]))
        return tuple(found)

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
        """Places of as many rooms as wanted, of the right kind, with enough seats, as far as those rules are hard."""
        seats = self.seats_wanted(course) if self.hard("room_capacity") else 0
        key = (seats, course.rooms_needed)
        if key not in self._seating:
            self._seating[key] = bits(
                q
                for q, place in enumerate(self.dataset.places)
                if len(place.rooms) == course.rooms_needed and place.seats >= seats
            )
        large = self._seating[key]
        return large & self._right_kind(course) if self.hard("room_unsuitable") else large

    def _right_kind(self, course: Course) -> Bits:
        banned = tuple(id for id, penalty in course.room_penalties.items() if penalty is None)
        kind = (
            course.room_types,
            course.required_features,
            None if course.rooms is None else tuple(course.rooms),
            banned,
        )
        if kind not in self._kinds:
            right = {room.id for room in self.dataset.rooms if suits(course, room)}
            self._kinds[kind] = bits(q for q, place in enumerate(self.dataset.places) if right.issuperset(place.ids))
        return self._kinds[kind]

    def where(self, place: int) -> str:
        """ "room A", "rooms A and B" or "no room"."""
        return self.names.rooms(self.dataset.places[place].ids)

    def open_starts(self, rooms: Bits, length: int) -> Bits:
        """Starts at which at least one of these rooms is open to the end of the session."""
        if not self.hard("room_clash"):
            return self.on_grid[length] if rooms else 0
        key = (rooms, length)
        if key not in self._open_starts:
            mask = 0
            for r in indices(rooms):
                shut = 0
                for id in self.dataset.places[r].ids:
                    shut |= self.closed[id]
                mask |= self.on_grid[length] & ~starts_touching(shut, length)
                if mask == self.on_grid[length]:
                    break
            self._open_starts[key] = mask
        return self._open_starts[key]

    def stretches(self, slots: Bits) -> int:
        """How many stretches without a free slot these slots make; days and breaks that none runs over end them."""
        return sum((part & ~(part << 1)).bit_count() for whole in self.parts_of_days if (part := slots & whole))

    def blocks(self, slots: Bits, length: int) -> int:
        """How many sessions of at least `length` slots fit into these slots one after the other."""
        if (slots, length) not in self._blocks:
            self._blocks[slots, length] = sum(self._blocks_in(slots & part, length) for part in self.parts_of_days)
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
        memo = (self.dataset.part_number[key], fixed)
        if memo not in self._options:
            self._options[memo] = self._find_options(self.dataset.part_of(key), fixed)
        return self._options[memo]

    def _find_options(self, course: Course, fixed: FixedSession | None) -> Options:
        rooms = self.suitable(course)
        if fixed is not None and fixed.room_ids:
            rooms &= 1 << self.dataset.place_number[self.dataset.in_order(fixed.room_ids)]
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
        if course.chooses_starts and self.hard("slot_forbidden"):
            banned = bits(slot for slot in indices(possible) if not course.may_start(slot))
            yield Removal("slot_forbidden", banned, "the course may not start")
        if self.hard("faculty_unavailable"):
            for id in course.faculty_ids:
                starts = starts_touching(self.away["teacher", id], length)
                yield Removal("faculty_unavailable", starts, f"teacher {self.names.teacher(id)} is away")
        if self.hard("group_unavailable"):
            for id in self.dataset.cohorts_of(course):
                starts = starts_touching(self.away["group", id], length)
                yield Removal("group_unavailable", starts, f"group {self.names.cohort(id)} is away")
        if course.rooms_needed > 1 and rooms:
            return  # sets of rooms that are not offered may be open when all of these are closed
        closed = possible & ~self.open_starts(rooms, length)
        yield Removal("room_clash", closed, "every suitable room is closed" if rooms else "no room suits")

    def slots_in_words(self, mask: Bits, most: int = 4) -> str:
        """ "Monday 08:00, Monday 09:00 and 3 more"."""
        return listed([self.names.slot(t) for t in indices(mask)], most)
