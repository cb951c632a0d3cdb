"""
What a model will be about, decided with NumPy before any variable exists.

A *unit* is a set of interchangeable sessions of one course. Sessions that are not free stay where they are and become
the *background*: counts per (teacher, slot), (room, slot) and so on. Starts and rooms that the hard rules or the
background rule out never become variables: narrowing domains beforehand makes small models, adding equalities
afterwards does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.compiled import NO_LIMIT, START_UNITS, TIER_BENDABLE, TIER_OFF, TIER_RIGID, Compiled
from solver.rules import RULE_IDS, waste_units

Array: TypeAlias = NDArray[Any]


class Treatment(IntEnum):
    """What a model does about a rule: leave it out, count it, or keep it."""

    IGNORE = 0
    PRICE = 1
    FORBID = 2


Treatments: TypeAlias = Mapping[str, Treatment]


def treatments(compiled: Compiled, *, bend: bool) -> dict[str, Treatment]:
    """The usual treatment: rigid rules are kept, soft ones counted, bendable ones counted only when `bend`."""
    result = {}
    for k, rule_id in enumerate(RULE_IDS):
        tier = int(compiled.rule_tier[k])
        if tier == TIER_RIGID or (tier == TIER_BENDABLE and not bend):
            result[rule_id] = Treatment.FORBID
        elif tier == TIER_OFF or compiled.rule_weight[k] == 0:
            result[rule_id] = Treatment.IGNORE
        else:
            result[rule_id] = Treatment.PRICE
    return result


def room_costs(compiled: Compiled, course: int) -> dict[str, Array]:
    """Units of the rules that depend on the room alone, each ``(places,)``, for one session of the course."""
    seats = int(compiled.seats[course])
    return {
        "room_capacity": np.maximum(0, seats - compiled.room_seats),
        "room_unsuitable": compiled.room_unsuitable[course],
        "room_penalty": compiled.room_penalty[course],
        "room_waste": np.array([waste_units(int(capacity), seats) for capacity in compiled.room_seats]),
        "context": compiled.context_building[course][compiled.room_building],
    }


@dataclass(frozen=True, slots=True)
class Unit:
    """
    Interchangeable sessions of one course (a part, see `compiled`) and where they may go.

    `places` maps a start slot to the rooms (places, see `compiled`) that are possible there; `length` is in slots.
    """

    course: int
    length: int
    sessions: tuple[int, ...]
    places: Mapping[int, tuple[int, ...]]

    @property
    def size(self) -> int:
        return len(self.sessions)


@dataclass(frozen=True, slots=True)
class Background:
    """
    The placed sessions that do not move, counted.

    `faculty`, `group`, `room` and `course` are ``(owners, slots)`` sessions covering a slot, the `_day` arrays
    ``(owners, days)`` sessions starting on a day (`course_day` by whole courses), `sessions` the sessions themselves.
    Of sessions that may clash with each other, one counts for teachers and groups; `classes` has those of each class by
    themselves.
    """

    sessions: Array
    faculty: Array
    group: Array
    room: Array
    course: Array
    faculty_day: Array
    group_day: Array
    course_day: Array
    classes: Mapping[int, Background] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Everything needed to build a model. `slots` and `rooms` are the timetable it starts from, -1 where unplaced.

    `elsewhere` says that a session that is neither free nor in the background may stand anywhere, because the plan is
    about some courses only; otherwise it stays unplaced.
    """

    compiled: Compiled
    treat: Treatments
    slots: Array
    rooms: Array
    units: tuple[Unit, ...]
    background: Background
    elsewhere: bool = False

    @property
    def literals(self) -> int:
        """Number of start and room variables of the model with rooms."""
        return sum(len(unit.places) + sum(map(len, unit.places.values())) for unit in self.units)

    @property
    def size(self) -> int:
        """`literals` plus a rough figure for what the rules will add; measured to be within a factor of three."""
        lone = int(self.compiled.lone_student.sum(dtype=np.int64))
        everybody = self.treat["student_gap"] is not Treatment.IGNORE
        attendees = self.compiled.num_groups + (self.compiled.num_students if everybody else lone)
        extra = 4 * min(attendees, 40 * len(self.units)) * self.compiled.num_slots
        travel = self.treat["travel"] is not Treatment.IGNORE and bool(self.compiled.travel.any())
        pairs = len(self.compiled.people) if travel else 0
        if self.treat["student_clash"] is Treatment.PRICE:
            pairs += len(self.compiled.conflict) // 2
        elif self.treat["core_clash"] is not Treatment.IGNORE:
            pairs += int((self.compiled.conflict_core > 0).sum()) // 2
        return self.literals + extra + min(pairs, len(self.units) ** 2) * self.compiled.num_slots


def rough_literals(compiled: Compiled, treat: Treatments) -> int:
    """Number of start and room variables of the whole problem before closed rooms are taken off; costs no memory."""
    rooms_of: dict[tuple[int, int, bytes, bytes], int] = {}
    total = 0
    for c in range(compiled.num_courses):
        wants = (compiled.room_unsuitable[c].tobytes(), compiled.room_penalty[c].tobytes())
        key = (int(compiled.seats[c]), int(compiled.rooms_needed[c]), *wants)
        if key not in rooms_of:
            kept = [units for rule, units in room_costs(compiled, c).items() if treat[rule] is Treatment.FORBID]
            fits = (sum(kept, np.zeros(compiled.num_places)) == 0) & (compiled.place_offered[c] > 0)
            rooms_of[key] = int(fits.sum())
        total += int(compiled.start_possible[c].sum()) * (1 + rooms_of[key])
    return total


def make_plan(
    compiled: Compiled,
    slots: Array,
    rooms: Array,
    *,
    treat: Treatments,
    free: Iterable[int] | None = None,
    split: bool = False,
    max_rooms: int | None = None,
) -> Plan:
    """
    Narrows everything there is to narrow.

    Parameters
    ----------
    slots, rooms
        ``(sessions,) int``: the timetable to start from, -1 for unplaced sessions.
    free
        Sessions that may move; None for all. The others stay, or stay unplaced.
    split
        Makes each session a unit of its own; done anyway where two sessions of one course may overlap.
    max_rooms
        Offers each unit at most so many rooms, the cheapest ones and those its course uses now. None offers all.
    """
    free_sessions = np.arange(compiled.num_sessions) if free is None else np.unique(np.fromiter(free, dtype=np.int64))
    moves = np.zeros(compiled.num_sessions, dtype=bool)
    moves[free_sessions] = True
    background = background_of(compiled, slots, rooms, np.flatnonzero(~moves & (slots >= 0) & (rooms >= 0)))
    narrowing = _Narrowing(compiled, treat, background, rooms, max_rooms)
    split = split or treat["group_clash"] is not Treatment.FORBID
    units = tuple(narrowing.unit(course, sessions) for course, sessions in _partition(compiled, free_sessions, split))
    return Plan(compiled, treat, slots, rooms, units, background)


def _partition(compiled: Compiled, free: Array, split: bool) -> list[tuple[int, tuple[int, ...]]]:
    """Free sessions by course; fixed ones and those named by a link stand alone, their numbers matter."""
    linked = np.diff(compiled.session_link_ptr) + np.diff(compiled.session_set_ptr) + (compiled.together >= 0)
    alone: list[tuple[int, tuple[int, ...]]] = []
    together: dict[int, list[int]] = {}
    for s in free.tolist():
        course = int(compiled.course_of_session[s])
        if split or compiled.fixed_slot[s] >= 0 or linked[s]:
            alone.append((course, (s,)))
        else:
            together.setdefault(course, []).append(s)
    return sorted(alone + [(course, tuple(sessions)) for course, sessions in together.items()])


def _owned(pointers: Array, items: Array, courses: Array) -> tuple[Array, Array]:
    """(position in `courses`, item) of every item of every listed course."""
    counts = pointers[courses + 1] - pointers[courses]
    where = np.repeat(np.arange(len(courses)), counts)
    offsets = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
    return where, items[pointers[courses][where] + offsets]


def background_of(compiled: Compiled, slots: Array, rooms: Array, fixed: Array) -> Background:
    """Counts the sessions `fixed`, all of them placed."""
    courses = compiled.course_of_session[fixed]
    starts, lengths = slots[fixed], compiled.length[courses]
    days = starts // compiled.num_periods
    own = np.arange(len(fixed))

    def covered(where: Array, owners: Array, size: int) -> Array:
        table = np.zeros((size, compiled.num_slots), dtype=np.int32)
        for offset in range(int(lengths.max(initial=1))):
            long = lengths[where] > offset
            np.add.at(table, (owners[long], starts[where[long]] + offset), 1)
        return table

    def daily(where: Array, owners: Array, size: int) -> Array:
        table = np.zeros((size, compiled.num_days), dtype=np.int32)
        np.add.at(table, (owners, days[where]), 1)
        return table

    faculty = _owned(compiled.faculty_ptr, compiled.faculty, courses)
    group = _owned(compiled.group_ptr, compiled.group, courses)
    number = compiled.together[fixed]
    classes = {
        k: background_of(compiled._replace(together=alone), slots, rooms, fixed[number == k])
        for k in np.unique(number[number >= 0]).tolist()
        for alone in (np.full_like(compiled.together, -1),)
    }
    more = {
        name: sum((np.maximum(0, getattr(one, name) - 1) for one in classes.values()), np.int64(0))
        for name in ("faculty", "group")
    }
    room = _owned(compiled.place_ptr, compiled.place_room, rooms[fixed])
    return Background(
        sessions=fixed,
        faculty=covered(*faculty, compiled.num_faculty) - more["faculty"],
        group=covered(*group, compiled.num_clash_groups) - more["group"],
        classes=classes,
        room=covered(*room, compiled.num_rooms),
        course=covered(own, courses, compiled.num_courses),
        faculty_day=daily(*faculty, compiled.num_faculty),
        group_day=daily(*group, compiled.num_clash_groups),
        course_day=daily(own, compiled.whole[courses], compiled.num_wholes),
    )


def on_grid(compiled: Compiled, length: int) -> Array:
    """``(slots,)`` whether a session of so many slots that starts there stays in the day and runs over no wall."""
    first = np.arange(compiled.num_slots) % compiled.num_periods
    fits = first + length <= np.repeat(compiled.day_periods, compiled.num_periods)
    if length > 1:
        fits &= clear(np.append(compiled.wall[1:] == 0, True), length - 1)  # no wall on the way from slot to slot
    return np.asarray(fits)


class _Narrowing:
    """Finds the places of units; keeps what units have in common."""

    def __init__(
        self, compiled: Compiled, treat: Treatments, background: Background, rooms: Array, max_rooms: int | None
    ) -> None:
        self.compiled, self.treat, self.background = compiled, treat, background
        self.rooms, self.max_rooms = rooms, max_rooms
        if self.keeps("room_clash"):
            free = background.room < compiled.room_limit
            self.room_free = np.logical_and.reduceat(free[compiled.place_room], compiled.place_ptr[:-1])
        else:
            self.room_free = np.ones((compiled.num_places, compiled.num_slots), dtype=bool)
        self.free_by_length: dict[int, Array] = {}

    def keeps(self, rule_id: str) -> bool:
        return self.treat[rule_id] is Treatment.FORBID

    def unit(self, course: int, sessions: tuple[int, ...]) -> Unit:
        starts = self.starts(course, sessions[0])
        rooms = self.candidate_rooms(course, sessions, starts)
        length = int(self.compiled.length[course])
        free = self.free_for(length)[np.ix_(rooms, starts)]
        places = {int(t): tuple(rooms[free[:, i]].tolist()) for i, t in enumerate(starts) if free[:, i].any()}
        return Unit(course, length, sessions, places)

    def starts(self, course: int, session: int) -> Array:
        compiled, background = self.compiled, self.background
        # With those of its class in the background it may clash: they are taken off again.
        mates = background.classes.get(int(compiled.together[session]))
        length = int(compiled.length[course])
        possible = on_grid(compiled, length)
        if self.keeps("fixed_moved") and compiled.fixed_slot[session] >= 0:
            possible &= np.arange(compiled.num_slots) == compiled.fixed_slot[session]
        for rule_id, name in START_UNITS.items():
            if self.keeps(rule_id):
                possible &= getattr(compiled, name)[course] == 0
        busy = np.zeros(compiled.num_slots, dtype=np.int64)
        if self.keeps("faculty_clash"):
            own = _row(compiled.faculty_ptr, compiled.faculty, course)
            busy += background.faculty[own].sum(axis=0)
            busy -= 0 if mates is None else (mates.faculty[own] > 0).sum(axis=0)
        if self.keeps("group_clash"):
            own = _row(compiled.group_ptr, compiled.group, course)
            busy += background.group[own].sum(axis=0)
            busy -= 0 if mates is None else (mates.group[own] > 0).sum(axis=0)
        if self.keeps("student_clash"):
            own = _row(compiled.conflict_ptr, compiled.conflict, course)
            busy += background.course[own].sum(axis=0)
            busy -= 0 if mates is None else mates.course[own].sum(axis=0)
        elif self.keeps("core_clash"):
            both_core = _row(compiled.conflict_ptr, compiled.conflict_core, course) > 0
            own = _row(compiled.conflict_ptr, compiled.conflict, course)[both_core]
            busy += background.course[own].sum(axis=0)
            busy -= 0 if mates is None else mates.course[own].sum(axis=0)
        return np.flatnonzero(possible & clear(busy == 0, length))

    def candidate_rooms(self, course: int, sessions: tuple[int, ...], starts: Array) -> Array:
        compiled = self.compiled
        possible = compiled.place_offered[course] > 0
        pinned = compiled.fixed_room[sessions[0]]
        if self.keeps("fixed_moved") and pinned >= 0:
            possible = possible & (np.arange(compiled.num_places) == pinned)
        costs = np.zeros(compiled.num_places, dtype=np.int64)
        for rule_id, units in room_costs(compiled, course).items():
            if self.keeps(rule_id):
                possible &= units == 0
            elif self.treat[rule_id] is Treatment.PRICE:
                costs += units * int(compiled.rule_weight[RULE_IDS.index(rule_id)])
        rooms = np.flatnonzero(possible)
        if self.max_rooms is None or len(rooms) <= self.max_rooms:
            return rooms
        return self.cheapest(course, rooms, costs, starts)

    def cheapest(self, course: int, rooms: Array, costs: Array, starts: Array) -> Array:
        """The course's present rooms, then the cheapest; among equals those that are free most often."""
        own = self.rooms[self.compiled.session_ptr[course] : self.compiled.session_ptr[course + 1]]
        free = self.free_for(int(self.compiled.length[course]))[np.ix_(rooms, starts)].sum(axis=1)
        order = np.lexsort((-free, costs[rooms], ~np.isin(rooms, own), free == 0))
        return np.sort(rooms[order[: self.max_rooms]])

    def free_for(self, length: int) -> Array:
        """``(places, slots)`` whether the room is free for a session of this length that starts there."""
        if length not in self.free_by_length:
            self.free_by_length[length] = clear(self.room_free, length)
        return self.free_by_length[length]


def clear(free: Array, length: int) -> Array:
    """Turns "free at a slot" (last axis) into "free for `length` slots from there"; past the end counts as free."""
    result = free.copy()
    for offset in range(1, length):
        result[..., :-offset] &= free[..., offset:]
    return result


def _row(pointers: Array, items: Array, i: int) -> Array:
    return items[pointers[i] : pointers[i + 1]]


def limited(limit: int) -> bool:
    """Whether a compiled limit is one."""
    return limit < NO_LIMIT
