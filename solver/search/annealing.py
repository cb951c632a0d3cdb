"""
The annealing kernel: draws moves at one temperature, applies what passes, remembers the best timetable.

The threshold of Metropolis, ``-T ln u``, is drawn before a move is evaluated, so that its evaluation can stop early.
A target room that holds one session of the same length means a swap; the state may be in breach of any rule at any
time.
"""

from __future__ import annotations

import numpy as np

from solver.control import BEAT_WORD, STOP_WORD
from solver.search.chains import try_chain
from solver.search.jit import Longs, Number, inlined, inner, kernel
from solver.search.moves import REJECTED, are_kin, move_delta, slot_part
from solver.search.problem import Problem
from solver.search.state import (
    BEST_COST,
    BEST_HARD,
    COMING,
    COST,
    COUNT,
    GOING,
    HARD_PART,
    IMPROVEMENTS,
    SUM,
    State,
    cost_of,
    hard_of,
    occupy,
    occupy_room,
)

LOG_STEPS = 4096
NEGATIVE_LOG = -np.log((np.arange(LOG_STEPS) + 0.5) / LOG_STEPS)
"""-ln u for u in (0, 1)."""
PROPOSALS_PER_BEAT = 4096
SHIFT_A, SHIFT_B, SHIFT_C, SHIFT_HIGH = np.uint64(13), np.uint64(7), np.uint64(17), np.uint64(32)
CHAIN_BITS = np.uint64(10)
"""Bits of a random number above those that choose a kind of room."""


@inlined
def next_random(seed: Number) -> Number:
    """One step of xorshift64 (Marsaglia 2003, doi:10.18637/jss.v008.i14)."""
    seed ^= seed << SHIFT_A
    seed ^= seed >> SHIFT_B
    return seed ^ (seed << SHIFT_C)


@inlined
def below(seed: Number, bound: Number) -> Number:
    """A number in [0, bound) from the upper half of `seed`."""
    return np.int64(((seed >> SHIFT_HIGH) * np.uint64(bound)) >> SHIFT_HIGH)


@inlined
def draw_room(p: Problem, st: State, s: Number, seed: Number, shares: Longs) -> Number:
    """A target room: the same one, that of a sibling session, any, or most often one that fits."""
    c = np.int64(p.course_of[s])
    choice = np.int64(seed & np.uint64(1023))
    if choice < shares[0]:
        return st.room[s]
    if choice < shares[1]:
        first = p.sibling_ptr[c, 0]
        sibling = st.room[first + below(seed, p.sibling_ptr[c, 1] - first)]
        return sibling if sibling >= 0 else st.room[s]
    if choice < shares[2]:
        return below(seed, p.num_rooms)
    row = p.room_row[c]
    first, count = p.fit_ptr[row], p.fit_ptr[row + 1] - p.fit_ptr[row]
    k = below(seed, count)
    if p.fits_vary != 0:
        k = k * (k + 1) // (count + 1)  # the cheap ones stand in front
    return p.fit[first + k]


@inlined
def partner(p: Problem, st: State, s: Number, u: Number, q: Number) -> Number:
    """The session to swap with, -1 for none, -2 when the place is held by one that cannot take the place of s."""
    if q >= p.num_rooms or st.room_cell[q, u, COUNT] != 1:
        return -1
    s2 = np.int64(st.room_cell[q, u, SUM])
    if s2 < 0 or s2 == s:
        return -1
    c, c2, t = p.course_of[s], p.course_of[s2], st.slot[s]
    if p.length[c2] != p.length[c] or st.slot[s2] != u or st.room[s2] != q:
        return -1  # one that holds room q among others keeps it
    # What is counted over a whole course would be counted for each of the two as if the other one stayed.
    if p.whole[c] == p.whole[c2] or p.start_possible[c2, t] == 0 or p.frozen[s2] > 1:
        return -2
    if t != u and (p.frozen[s2] != 0 or (u < t + p.length[c] and t < u + p.length[c])):
        return -2
    return s2


@inner
def apply_move(p: Problem, st: State, s: Number, u: Number, q: Number, s2: Number, delta: Number) -> None:
    """Carries out a move whose packed change of cost is `delta`."""
    t, r = np.int64(st.slot[s]), np.int64(st.room[s])
    for step in range(4):  # s out, s2 out, s2 in, s in: one loop, so that the counting is copied in only once
        if s2 < 0 and 0 < step < 3:
            continue
        mover = s if step == 0 or step == 3 else s2
        slot, room = (t, r) if step % 2 == 0 else (u, q)
        sign = GOING if step < 2 else COMING
        if t == u:
            occupy_room(p, st, mover, np.int64(p.course_of[mover]), slot, room, sign)
        else:
            occupy(p, st, mover, np.int64(p.course_of[mover]), slot, room, sign)
    st.slot[s], st.room[s] = u, q
    if s2 >= 0:
        st.slot[s2], st.room[s2] = t, r
    st.totals[COST] += cost_of(delta)
    st.totals[HARD_PART] += hard_of(delta)


@inlined
def remember(st: State) -> None:
    """Keeps the timetable when it is the best so far: least hard part, then least cost."""
    hard, cost = st.totals[HARD_PART], st.totals[COST]
    if hard < st.totals[BEST_HARD] or (hard == st.totals[BEST_HARD] and cost < st.totals[BEST_COST]):
        st.totals[BEST_HARD] = hard
        st.totals[BEST_COST] = cost
        st.totals[IMPROVEMENTS] += 1
        for s in range(len(st.slot)):
            st.best_slot[s] = st.slot[s]
            st.best_room[s] = st.room[s]


@kernel
def remember_now(st: State) -> None:
    """`remember` for Python."""
    remember(st)


@kernel
def anneal_level(
    p: Problem,
    st: State,
    words: Longs,
    shares: Longs,
    temperature: float,
    closed: bool,
    proposals: int,
    most: int,
) -> tuple[int, int]:
    """
    Draws up to `proposals` moves, until `most` were accepted or a stop is asked for.

    When `closed`, a move that clashes more than before is dropped, unless it is a swap with somebody it clashes with.
    Without clashes of students it is dropped at once, because chains exchange those who clash: looking for a room that
    happens to hold one of them took an eighth to a third of the time on comp03, comp05 and comp10 of ITC-2007, and one
    in ten thousand proposals changed the cost that way.

    Parameters
    ----------
    words
        As in `Control`.
    shares
        ``(6,)`` of 1024: upper ends of the shares "same room", "sibling's room" and "any room" of all targets; the
        shares of chains while nothing hard is broken and while something is; the share that keeps its start.

    Returns
    -------
    (moves drawn, moves accepted)
    """
    seed = st.random[0]
    tried, accepted = 0, 0
    while tried < proposals and accepted < most:
        if tried % PROPOSALS_PER_BEAT == 0:
            words[BEAT_WORD] += 1
            if words[STOP_WORD] != 0:
                break
        tried += 1
        seed = next_random(seed)
        s = np.int64(p.mobile[below(seed, p.num_mobile)])
        limit = np.int64(temperature * NEGATIVE_LOG[np.int64(seed & np.uint64(LOG_STEPS - 1))])
        c, t, r = np.int64(p.course_of[s]), np.int64(st.slot[s]), np.int64(st.room[s])
        seed = next_random(seed)
        u = t
        if p.frozen[s] == 0 and np.int64(seed & np.uint64(1023)) >= shares[5]:
            u = np.int64(p.start[p.start_ptr[c] + below(seed, p.start_ptr[c + 1] - p.start_ptr[c])])
        seed = next_random(seed)
        chains = shares[3] if st.totals[HARD_PART] == 0 else shares[4]
        if np.int64((seed >> CHAIN_BITS) & np.uint64(1023)) < chains and t != u:
            if try_chain(p, st, s, u, limit):
                accepted += 1
                remember(st)
            continue
        slots: Number = slot_part(p, st, c, t, u) if t != u else 0
        clashes = closed and hard_of(slots) > 0 and p.together[s] < 0
        if clashes and p.students_clash == 0:
            continue
        q = np.int64(draw_room(p, st, s, seed, shares))
        if t == u and r == q:
            continue
        s2 = partner(p, st, s, u, q)
        if s2 == -2 or (clashes and (s2 < 0 or not are_kin(p, c, np.int64(p.course_of[s2])))):
            continue
        delta = move_delta(p, st, s, u, q, s2, slots, limit, closed)
        if delta == REJECTED or cost_of(delta) > limit:
            continue
        apply_move(p, st, s, u, q, s2, delta)
        accepted += 1
        remember(st)
    st.random[0] = seed
    return tried, accepted
