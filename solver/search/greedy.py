"""
Placing sessions one by one where they cost least, and taking out those that break hard rules.

Both work on the same `State` and packed costs as annealing. Packed costs compare like (hard part, cost), so "where it
breaks nothing, and there where it is cheapest" is a plain minimum.
"""

from __future__ import annotations

import numpy as np

from solver.compiled import Ints
from solver.control import BEAT_WORD, STOP_WORD
from solver.search.day_shapes import shape_cost
from solver.search.jit import Longs, Number, inlined, inner, kernel
from solver.search.pairwise import pairwise_cost
from solver.search.permits import granted
from solver.search.problem import UNOFFERED, Problem
from solver.search.state import ADDING, BUSY, COST, COUNT, HARD_PART, NOBODY, State, cost_of, hard_of, put_in, take_out

NOWHERE = np.int64(1 << 62)
"""In place of a packed cost: no place exists at all."""
SESSIONS_PER_BEAT = 64


@inner
def slot_insertion(p: Problem, st: State, s: Number, t: Number) -> Number:
    """Packed cost that an unplaced session brings by starting at t, rooms and pairwise parts left out."""
    c, d = np.int64(p.course_of[s]), np.int64(p.day_of[t])
    w = p.whole[c]
    total = p.slot_cost[c, t]
    for v in range(t, t + p.length[c]):
        total += st.clash[c, v, ADDING]
        if st.slot_count[v] >= p.peak_limit:
            total += p.peak_weight
    if st.course_day[w, d] >= p.course_day_limit[w]:
        total += p.course_day_weight
    if st.course_day[w, d] == 0 and 0 < st.days_used[w] < p.min_days[w]:
        total -= p.min_days_weight
    if st.days_used[w] == 0 and p.min_days[w] > 1:
        total += p.min_days_weight * np.int64(p.min_days[w] - 1)
    if p.counted != 0:
        total += _day_insertion(p, st, c, d)
    return total + _shape_insertion(p, st, c, t)


@inlined
def _day_insertion(p: Problem, st: State, c: Number, d: Number) -> Number:
    total = 0
    for k in range(p.resource_ptr[c, 0], p.resource_ptr[c, 2]):
        x = np.int64(p.resource[k])
        for i in range(2):
            if st.day_count[x, d] >= p.day_limit[x, i]:
                total += p.day_weight[x, i]
        if p.day_weight[x, 2] != 0:
            week = 0
            for e in range(p.num_days):
                week += st.day_count[x, e]
            if week >= p.day_limit[x, 2]:
                total += p.day_weight[x, 2]
    return total


@inlined
def _shape_insertion(p: Problem, st: State, c: Number, t: Number) -> Number:
    total = 0
    d = p.day_of[t]
    plan = p.plan_of[d]
    new = ((np.int64(1) << np.int64(p.length[c])) - 1) << np.int64(p.period_of[t])
    for k in range(p.resource_ptr[c, 1], p.resource_ptr[c, 3]):
        x = np.int64(p.resource[k])
        kind = np.int64(p.shape_kind[x])
        before = st.mask[x, d, BUSY]
        total += shape_cost(p, kind, plan, before | new) - shape_cost(p, kind, plan, before)
    return total


@inner
def full_rooms(p: Problem, st: State, c: Number, t: Number, q: Number) -> Number:
    """In how many slots rooms of a set cannot take one more session of course c from slot t on, over all of them."""
    full: Number = 0
    for k in range(p.place_ptr[q], p.place_ptr[q + 1]):
        for v in range(t, t + p.length[c]):
            if st.room_cell[p.place_room[k], v, COUNT] > 0:
                full += 1
    return full


@inlined
def room_insertion(p: Problem, st: State, s: Number, t: Number, r: Number) -> Number:
    """Packed cost that an unplaced session brings by standing in room r from slot t on, pairwise parts left out."""
    c = np.int64(p.course_of[s])
    total = p.room_cost[p.room_row[c], r]
    if r < p.num_rooms:
        for v in range(t, t + p.length[c]):
            if st.room_cell[r, v, COUNT] > 0:
                total += p.room_weight
    else:
        total += p.room_weight * full_rooms(p, st, c, t, r)
    siblings, here = 0, 0
    for b in range(p.sibling_ptr[c, 0], p.sibling_ptr[c, 1]):
        if b != s and st.room[b] >= 0 and p.family_of[b] == p.family_of[s]:
            siblings = 1
            if st.room[b] == r:
                here = 1
    return total + (p.stability_weight if siblings > here else 0)


@inlined
def _pairwise_insertion(p: Problem, st: State, s: Number, t: Number, r: Number) -> Number:
    """Packed cost of links, walks and pin of an unplaced session, placed for a moment."""
    if p.slack[p.course_of[s], 2] == 0:
        return 0
    st.slot[s], st.room[s] = t, r
    total = pairwise_cost(p, st, s, NOBODY)
    st.slot[s], st.room[s] = -1, -1
    return total


@inner
def room_total(p: Problem, st: State, s: Number, t: Number, r: Number) -> Number:
    """Packed cost of everything about an unplaced session at (t, r) that depends on its room."""
    return room_insertion(p, st, s, t, r) + _pairwise_insertion(p, st, s, t, r)


@inlined
def neighbour_room(p: Problem, st: State, s: Number, i: Number) -> Number:
    """
    Room of the i-th session that s would like to share one with: siblings first, then linked ones; -1 when unplaced.
    """
    c = np.int64(p.course_of[s])
    siblings = p.sibling_ptr[c, 1] - p.sibling_ptr[c, 0]
    if i < siblings:
        return np.int64(st.room[p.sibling_ptr[c, 0] + i])
    k = p.session_link[p.session_link_ptr[s] + i - siblings]
    return np.int64(st.room[p.link_a[k] + p.link_b[k] - s])


@inlined
def is_free(p: Problem, st: State, c: Number, t: Number, r: Number) -> bool:
    """Whether room r is open and takes one more session of course c from slot t on."""
    if r >= p.num_rooms:
        return bool(full_rooms(p, st, c, t, r) == 0)
    free = True
    for v in range(t, t + p.length[c]):
        free = free and st.room_cell[r, v, COUNT] <= 0
    return bool(free)


@inner
def cheapest_room(p: Problem, st: State, s: Number, t: Number, limit: Number) -> tuple[Number, Number]:
    """
    (packed cost, room) of the best room for session s at slot t among those worth a look.

    What costs `limit` or more need not be found; with a limit rooms that do not fit must cost something hard.
    """
    best: Number = NOWHERE
    best_room: Number = -1
    c = np.int64(p.course_of[s])
    row = p.room_row[c]
    neighbours = p.sibling_ptr[c, 1] - p.sibling_ptr[c, 0] + p.session_link_ptr[s + 1] - p.session_link_ptr[s]
    fits = p.fit_ptr[row + 1] - p.fit_ptr[row]
    count = neighbours + fits + p.num_rooms
    if p.frozen[s] == 2:
        count = 1
    found = False
    for i in range(count):
        if i >= neighbours + fits and found:
            break  # any other room is only looked at when all that fit are taken
        if p.frozen[s] == 2:
            r = np.int64(p.pinned_room[s])
        elif i < neighbours:
            r = neighbour_room(p, st, s, i)
        elif i < neighbours + fits:
            r = np.int64(p.fit[p.fit_ptr[row] + i - neighbours])
            if p.room_cost[row, r] >= limit:
                break  # nor are those behind it any cheaper
        else:
            r = np.int64(i - neighbours - fits)
        if r < 0 or (best_room >= 0 and i >= neighbours and not is_free(p, st, c, t, r)):
            continue
        if p.room_cost[row, r] >= UNOFFERED:
            continue
        cost = room_total(p, st, s, t, r)
        if cost < best:
            best, best_room = cost, r
        if i >= neighbours and hard_of(cost) == 0:
            found = True
            if i < neighbours + fits:
                break  # the rooms that fit stand cheapest first
    return best, best_room


@inner
def cheapest_place(p: Problem, st: State, s: Number) -> tuple[Number, Number, Number]:
    """(packed cost, slot, room) of the best place for an unplaced session; `NOWHERE` when it has no start."""
    best: Number = NOWHERE
    slot: Number = -1
    room: Number = -1
    c = np.int64(p.course_of[s])
    if p.frozen[s] == 3:
        return best, slot, room
    first, end = p.start_ptr[c], p.start_ptr[c + 1]
    if p.frozen[s] > 0:
        end = first + 1
    likely = first
    least: Number = NOWHERE
    for k in range(first, end):
        t = np.int64(p.start[k]) if p.frozen[s] == 0 else np.int64(p.pinned_slot[s])
        cost = slot_insertion(p, st, s, t)
        if cost < least:
            least, likely = cost, k
    for i in range(first - 1, end):  # the likely one first: after it few are worth looking for a room
        k = likely if i < first else i
        if i == likely:
            continue
        t = np.int64(p.start[k]) if p.frozen[s] == 0 else np.int64(p.pinned_slot[s])
        cost = slot_insertion(p, st, s, t)
        given = granted(p, st, s, t, NOBODY) if p.together[s] >= 0 else np.int64(0)
        if cost - given >= best:
            continue
        room_cost, r = cheapest_room(p, st, s, t, best - cost + given if p.misfits_are_hard != 0 else NOWHERE)
        if r >= 0 and cost + room_cost < best:
            best, slot, room = cost + room_cost, t, r
    return best, slot, room


@inner
def insertion(p: Problem, st: State, s: Number, t: Number, r: Number) -> Number:
    """Packed cost that an unplaced session brings at (t, r)."""
    return slot_insertion(p, st, s, t) + room_total(p, st, s, t, r)


@inner
def lift(p: Problem, st: State, s: Number) -> Number:
    """Takes a placed session out; returns the packed cost that goes with it."""
    t, r = np.int64(st.slot[s]), np.int64(st.room[s])
    take_out(p, st, s)
    cost = insertion(p, st, s, t, r)
    st.totals[COST] -= cost_of(cost)
    st.totals[HARD_PART] -= hard_of(cost)
    return cost


@inner
def drop(p: Problem, st: State, s: Number, t: Number, r: Number, cost: Number) -> None:
    """Places an unplaced session that brings `cost` there."""
    put_in(p, st, s, t, r)
    st.totals[COST] += cost_of(cost)
    st.totals[HARD_PART] += hard_of(cost)


@kernel
def place_sessions(p: Problem, st: State, order: Ints, keep_hard: bool, words: Longs) -> int:
    """
    Places the unplaced sessions of `order` one after the other; returns how many were placed.

    With `keep_hard` a session that would break something hard everywhere stays unplaced.
    """
    placed = 0
    for i in range(len(order)):
        if i % SESSIONS_PER_BEAT == 0:
            words[BEAT_WORD] += 1
            if words[STOP_WORD] != 0:
                break
        s = np.int64(order[i])
        if st.slot[s] >= 0:
            continue
        cost, t, r = cheapest_place(p, st, s)
        if t < 0 or (keep_hard and hard_of(cost) > 0):
            continue
        drop(p, st, s, t, r, cost)
        placed += 1
    return placed


@kernel
def put_all(p: Problem, st: State, slots: Ints, rooms: Ints) -> None:
    """Places every session that has a place in the arrays; the state must be empty, the totals are the caller's."""
    for s in range(p.num_sessions):
        if slots[s] >= 0 and rooms[s] >= 0:
            drop(p, st, s, np.int64(slots[s]), np.int64(rooms[s]), np.int64(0))
