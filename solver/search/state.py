"""
`State`: where every session stands, and the counts that make the cost of a move cheap to know.

Only `put_in` and `take_out` change the counts. They walk the neighbours of a course; moves are drawn twenty times as
often as they are applied, so everything that can be counted on the way in is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.compiled import Ints
from solver.search.jit import Longs, Number, inlined, inner
from solver.search.numba_struct import NumbaStruct
from solver.search.problem import Problem

COST, HARD_PART, BEST_COST, BEST_HARD, IMPROVEMENTS, NUM_TOTALS = 0, 1, 2, 3, 4, 5
"""Places in `State.totals`."""
ADDING, REMOVING = 0, 1
"""Columns of `State.clash`."""
COUNT, SUM = 0, 1
"""Columns of `State.room_cell` and `State.course_cell`."""
BUSY, TWICE = 0, 1
"""Columns of `State.mask`."""
COMING, GOING = np.int64(1), np.int64(-1)
"""Signs of counting a session in and out."""
NOBODY = np.int64(-1)
"""
In place of a session or a course where there is none. Typed, like the signs: of a function that is handed a plain
number numba compiles one more version, for that number.
"""
NAMELESS = -(1 << 30)
"""Below it no sum of numbers of sessions comes to 0 again."""
MAX_CHAIN = 12
"""Longer chains are hardly ever accepted."""
MAX_TOUCHED = 3 * MAX_CHAIN
"""Sessions of a chain and those that change rooms for it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class State(NumbaStruct):
    """Everything a kernel may write to."""

    slot: Ints
    room: Ints
    """``(sessions,)`` -1 unplaced, both or neither."""
    best_slot: Ints
    best_room: Ints
    totals: Longs
    """Cost and hard part now, of the best timetable so far, and the number of times that one changed."""
    random: NDArray[np.uint64]
    """``(1,)`` state of the random numbers, never 0."""

    room_cell: Ints
    """
    ``(rooms, slots, 2)`` number of sessions and the sum of their numbers, so that a lone one is known by name. A closed
    slot holds a phantom session -1; a room that several may share has so many fewer at first, and a sum below 0, so
    that nobody there is ever known by name.
    """
    busy_count: Ints
    """``(resources, slots)`` sessions that run."""
    mask: Longs
    """``(resources, days, 2)`` bit per period: busy, and busy with two sessions or more."""
    clash: Longs
    """
    ``(courses, slots, 2)`` packed cost of clashes that one more session of the course would add by covering the slot,
    and that one session less would save.
    """
    day_count: Ints
    """``(resources, days)`` sessions that start."""
    course_day: Ints
    """``(wholes, days)`` sessions that start."""
    days_used: Ints
    """``(wholes,)``"""
    slot_count: Ints
    """``(slots,)`` sessions that run."""
    course_cell: Ints
    """``(courses, slots, 2)`` sessions that run: their number and the sum of theirs, as in `room_cell`."""
    present: Longs
    """``(slots, words)`` the courses that have a session running: bit sets like `Problem.kin`."""
    same: Ints
    """``(anchors,)`` sessions that stand as in the anchor."""
    covered: Longs
    """``(days,)`` scratch: bit per period that one of a set of sessions covers."""
    chain: Ints
    """``(MAX_TOUCHED, 3)`` scratch: sessions of a chain, and the slots and rooms they come from."""
    wanted_by: Ints
    """``(rooms,)`` scratch: the session that a room would be freed for, -1 for none."""
    waiting: Ints
    """``(rooms + 1,)`` scratch: sessions that want another room."""


def new_state(p: Problem, seed: int) -> State:
    """A state with every session unplaced."""
    room_cell = np.zeros((p.num_rooms, p.num_slots, 2), dtype=np.int32)
    room_cell[:, :, COUNT] = 1 - p.room_limit
    room_cell[:, :, SUM] = np.select([p.room_limit == 0, p.room_limit > 1], [-1, NAMELESS], 0)
    unplaced = np.full(p.num_sessions, -1, dtype=np.int32)
    # A few steps of splitmix64 tell seeds 0, 1, 2 ... well apart.
    mixed = (seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    mixed ^= mixed >> 27
    return State(
        slot=unplaced.copy(),
        room=unplaced.copy(),
        best_slot=unplaced.copy(),
        best_room=unplaced.copy(),
        totals=np.zeros(NUM_TOTALS, dtype=np.int64),
        random=np.array([mixed or 1], dtype=np.uint64),
        room_cell=room_cell,
        busy_count=np.zeros((p.num_resources, p.num_slots), dtype=np.int32),
        mask=np.zeros((p.num_resources, p.num_days, 2), dtype=np.int64),
        clash=np.zeros((p.num_courses, p.num_slots, 2), dtype=np.int64),
        day_count=np.zeros((p.num_resources, p.num_days), dtype=np.int32),
        course_day=np.zeros((len(p.min_days), p.num_days), dtype=np.int32),
        days_used=np.zeros(len(p.min_days), dtype=np.int32),
        slot_count=np.zeros(p.num_slots, dtype=np.int32),
        course_cell=np.zeros((p.num_courses, p.num_slots, 2), dtype=np.int32),
        present=np.zeros((p.num_slots, p.kin.shape[1]), dtype=np.int64),
        same=np.zeros(p.num_anchors, dtype=np.int32),
        covered=np.zeros(p.num_days, dtype=np.int64),
        chain=np.zeros((MAX_TOUCHED, 3), dtype=np.int32),
        wanted_by=np.zeros(p.num_rooms, dtype=np.int32),
        waiting=np.zeros(p.num_rooms + 1, dtype=np.int32),
    )


@inlined
def cost_of(packed: Number) -> Number:
    """The cost half of a packed number, with its sign."""
    return ((packed + 2147483648) & 4294967295) - 2147483648


@inlined
def hard_of(packed: Number) -> Number:
    """The hard half of a packed number, with its sign."""
    return (packed - cost_of(packed)) >> 32


@inlined
def _occupy_resource(p: Problem, st: State, x: Number, v: Number, day: Number, bit: Number, sign: Number) -> None:
    """
    One more or one less session of resource x in slot v; its courses hear when a first or a second one comes or goes.
    """
    count = st.busy_count[x, v] + sign
    st.busy_count[x, v] = count
    level = count if sign > 0 else count + 1
    if level > 2:
        return
    column = level - 1  # the first session makes a new one clash, the second makes the first one's leaving worth while
    st.mask[x, day, column] ^= bit
    weight = p.clash_weight[x]
    if weight != 0:
        for k in range(p.owner_ptr[x], p.owner_ptr[x + 1]):
            st.clash[p.owner[k], v, column] += sign * weight


@inner
def _occupy_rooms(p: Problem, st: State, s: Number, c: Number, t: Number, q: Number, sign: Number) -> None:
    """The same in each room of a set."""
    for k in range(p.place_ptr[q], p.place_ptr[q + 1]):
        r = p.place_room[k]
        for v in range(t, t + p.length[c]):
            st.room_cell[r, v, COUNT] += sign
            st.room_cell[r, v, SUM] += sign * s


@inlined
def occupy_room(p: Problem, st: State, s: Number, c: Number, t: Number, r: Number, sign: Number) -> None:
    """What a session counts in its room and in anchors; all that changes when it only moves to another room."""
    if r < p.num_rooms:
        for v in range(t, t + p.length[c]):
            st.room_cell[r, v, COUNT] += sign
            st.room_cell[r, v, SUM] += sign * s
    else:
        _occupy_rooms(p, st, s, c, t, r, sign)
    for a in range(p.num_anchors):
        if p.anchor_slot[a, s] == t and p.anchor_room[a, s] == r:
            st.same[a] += sign


@inlined
def occupy(p: Problem, st: State, s: Number, c: Number, t: Number, r: Number, sign: Number) -> None:
    """Counts a session of course c at (t, r) in (sign `COMING`) or out (`GOING`)."""
    occupy_room(p, st, s, c, t, r, sign)
    day = np.int64(p.day_of[t])
    for v in range(t, t + p.length[c]):
        st.slot_count[v] += sign
        st.course_cell[c, v, COUNT] += sign
        st.course_cell[c, v, SUM] += sign * s
        if st.course_cell[c, v, COUNT] == (1 if sign > 0 else 0):
            st.present[v, c >> 6] ^= np.int64(1) << (c & 63)
        bit = 1 << np.int64(p.period_of[v])
        for k in range(p.resource_ptr[c, 0], p.resource_ptr[c, 3]):
            _occupy_resource(p, st, np.int64(p.resource[k]), v, day, bit, sign)
        if p.students_clash != 0:
            for k in range(p.conflict_ptr[c], p.conflict_ptr[c + 1]):
                change = sign * p.conflict_cost[k]
                st.clash[p.conflict[k], v, ADDING] += change
                st.clash[p.conflict[k], v, REMOVING] += change
    for k in range(p.resource_ptr[c, 0], p.resource_ptr[c, 2]):
        st.day_count[p.resource[k], day] += sign
    w = p.whole[c]
    before = st.course_day[w, day]
    st.course_day[w, day] = before + sign
    if before + sign == 0:
        st.days_used[w] -= 1
    elif before == 0:
        st.days_used[w] += 1


@inner
def put_in(p: Problem, st: State, s: Number, t: Number, r: Number) -> None:
    """Places an unplaced session; the totals are the caller's."""
    occupy(p, st, s, np.int64(p.course_of[s]), t, r, COMING)
    st.slot[s] = t
    st.room[s] = r


@inner
def take_out(p: Problem, st: State, s: Number) -> None:
    """Makes a placed session unplaced; the totals are the caller's."""
    occupy(p, st, s, np.int64(p.course_of[s]), np.int64(st.slot[s]), np.int64(st.room[s]), GOING)
    st.slot[s] = -1
    st.room[s] = -1
