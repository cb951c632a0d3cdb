"""Taking sessions out of a timetable: those that break hard rules, and single ones that are in the way of another."""

from __future__ import annotations

import numpy as np

from solver.compiled import Ints
from solver.search.greedy import (
    NOWHERE,
    cheapest_place,
    cheapest_room,
    drop,
    insertion,
    lift,
    room_total,
    slot_insertion,
)
from solver.search.jit import Longs, Number, inner, kernel
from solver.search.pairwise import anchor_total, blocks
from solver.search.permits import are_permitted, granted
from solver.search.problem import Problem
from solver.search.state import COST, COUNT, HARD_PART, NOBODY, SUM, State, cost_of, hard_of

ANYWHERE = -1
"""In place of a start for `rebuild`."""


@kernel
def hard_shares(p: Problem, st: State, sessions: Ints, shares: Longs) -> None:
    """
    Fills `shares` with the hard part that would go with each of these sessions; 0 for unplaced ones.

    Where a set of sessions makes more blocks than one, each of them has a share, though it may mend nothing alone.
    """
    for i in range(len(sessions)):
        s = np.int64(sessions[i])
        shares[i] = 0
        if st.slot[s] >= 0:
            t, r = np.int64(st.slot[s]), np.int64(st.room[s])
            cost = lift(p, st, s)
            drop(p, st, s, t, r, cost)
            shares[i] = max(hard_of(cost), broken_blocks(p, st, s))


@inner
def broken_blocks(p: Problem, st: State, s: Number) -> Number:
    """The hard part of the blocks above one that the sets of session s make."""
    total = np.int64(0)
    for i in range(p.session_set_ptr[s], p.session_set_ptr[s + 1]):
        k = np.int64(p.session_set[i])
        if hard_of(p.set_cost[k]) > 0:
            total += hard_of(p.set_cost[k]) * max(np.int64(0), blocks(p, st, k, NOBODY, NOBODY) - 1)
    return total


@kernel
def take_out_strays(p: Problem, st: State) -> int:
    """
    Takes out, of every set of sessions that has to make one block and makes several, those outside the block with the
    most sessions; returns how many. No session alone mends such a set where each block has two or more.
    """
    taken = 0
    for k in range(len(p.set_cost)):
        if hard_of(p.set_cost[k]) <= 0 or blocks(p, st, np.int64(k), NOBODY, NOBODY) < 2:
            continue
        day, first, last, most = np.int64(0), np.int64(0), np.int64(0), 0
        for i in range(p.set_ptr[k], p.set_ptr[k + 1]):
            t = np.int64(st.slot[p.set_session[i]])
            if t < 0:
                continue
            d, low, high = np.int64(p.day_of[t]), np.int64(p.period_of[t]), np.int64(p.period_of[t])
            walls = p.plan_walls[p.plan_of[d]]
            while low > 0 and (walls >> low) & 1 == 0 and (st.covered[d] >> (low - 1)) & 1 != 0:
                low -= 1
            while (walls >> (high + 1)) & 1 == 0 and (st.covered[d] >> (high + 1)) & 1 != 0:
                high += 1
            inside = 0
            for j in range(p.set_ptr[k], p.set_ptr[k + 1]):
                u = np.int64(st.slot[p.set_session[j]])
                if u >= 0 and p.day_of[u] == d and low <= p.period_of[u] <= high:
                    inside += 1
            if inside > most:
                day, first, last, most = d, low, high, inside
        for i in range(p.set_ptr[k], p.set_ptr[k + 1]):
            s = np.int64(p.set_session[i])
            u = np.int64(st.slot[s])
            if u >= 0 and (p.day_of[u] != day or p.period_of[u] < first or p.period_of[u] > last):
                lift(p, st, s)
                taken += 1
    return taken


@kernel
def take_out_breakers(p: Problem, st: State, order: Ints) -> int:
    """
    Takes out, in this order, every session that still breaks something hard when its turn comes; returns how many.
    """
    taken = 0
    for i in range(len(order)):
        s = np.int64(order[i])
        if st.slot[s] < 0:
            continue
        t, r = np.int64(st.slot[s]), np.int64(st.room[s])
        cost = lift(p, st, s)
        if hard_of(cost) > 0:
            taken += 1
        else:
            drop(p, st, s, t, r, cost)
    return taken


@kernel
def take_out_courses(p: Problem, st: State, order: Ints) -> int:
    """
    Takes out, in this order, every course without which less is broken; returns how many.

    For rules that one session less makes worse, such as `min_days` when a dataset makes it hard. Writes over the best
    timetable.
    """
    taken = 0
    for i in range(len(order)):
        c = np.int64(order[i])
        first, end = p.sibling_ptr[c, 0], p.sibling_ptr[c, 1]
        before = st.totals[HARD_PART]
        for s in range(first, end):
            st.best_slot[s] = st.slot[s]
            st.best_room[s] = st.room[s]
            if st.slot[s] >= 0:
                lift(p, st, np.int64(s))
        if st.totals[HARD_PART] < before:
            taken += 1
            continue
        for s in range(first, end):
            if st.best_slot[s] >= 0:
                t, r = np.int64(st.best_slot[s]), np.int64(st.best_room[s])
                drop(p, st, np.int64(s), t, r, insertion(p, st, np.int64(s), t, r))
    return taken


@inner
def lone_blocker(p: Problem, st: State, s: Number, t: Number) -> Number:
    """The one session whose people keep session s from starting at t; -1 for none, -2 for several."""
    c = np.int64(p.course_of[s])
    end = t + p.length[c]
    found = -1
    rows = p.resource_ptr[c, 2] - p.resource_ptr[c, 0]
    if p.students_clash != 0:
        rows += 1
    for i in range(rows):
        by_student = i == p.resource_ptr[c, 2] - p.resource_ptr[c, 0]
        x = 0 if by_student else p.resource[p.resource_ptr[c, 0] + i]
        first = p.conflict_ptr[c] if by_student else p.owner_ptr[x]
        last = p.conflict_ptr[c + 1] if by_student else p.owner_ptr[x + 1]
        for k in range(first, last):
            if by_student and p.conflict_cost[k] == 0:
                continue
            other = p.conflict[k] if by_student else p.owner[k]
            for b in range(p.session_ptr[other], p.session_ptr[other + 1]):
                u = st.slot[b]
                if u >= 0 and u < end and t < u + p.length[other] and b != found and not are_permitted(p, s, b):
                    if found >= 0:
                        return -2
                    found = b
    return found


@inner
def displace(p: Problem, st: State, s: Number, t: Number, b: Number, r: Number) -> bool:
    """
    Puts session s at t and blocker b, which is there now, wherever it still breaks nothing; undoes it when that fails.

    `r` is the room for s, -1 for the best one.
    """
    old_slot, old_room = np.int64(st.slot[b]), np.int64(st.room[b])
    back = lift(p, st, b)
    if r < 0:
        cost, room = cheapest_room(p, st, s, t, NOWHERE)
    else:
        cost, room = room_total(p, st, s, t, r), r
    cost += slot_insertion(p, st, s, t)
    if room >= 0 and hard_of(cost) <= 0:
        drop(p, st, s, t, room, cost)
        cost, u, q = cheapest_place(p, st, b)
        if u >= 0 and hard_of(cost) <= 0:
            drop(p, st, b, u, q, cost)
            return True
        lift(p, st, s)
    drop(p, st, b, old_slot, old_room, back)
    return False


@inner
def eject(p: Problem, st: State, s: Number, tries: Number) -> bool:
    """Places session s by moving one other session out of its way, if `tries` attempts suffice; breaks nothing hard."""
    c = np.int64(p.course_of[s])
    row = p.room_row[c]
    for k in range(p.start_ptr[c], p.start_ptr[c + 1]):
        t = np.int64(p.start[k]) if p.frozen[s] == 0 else np.int64(p.pinned_slot[s])
        b = lone_blocker(p, st, s, t)
        if b >= 0 and p.frozen[b] == 0:
            tries -= 1
            if displace(p, st, s, t, np.int64(b), np.int64(-1)):
                return True
        given = granted(p, st, s, t, NOBODY) if p.together[s] >= 0 else np.int64(0)
        if b == -1 and hard_of(slot_insertion(p, st, s, t) - given) <= 0:  # nobody is busy: it is the rooms
            for i in range(p.fit_ptr[row], p.fit_ptr[row + 1]):
                r = np.int64(p.fit[i])
                if r >= p.num_rooms:
                    continue
                holder = np.int64(st.room_cell[r, t, SUM])
                if p.frozen[s] < 2 and st.room_cell[r, t, COUNT] == 1 and holder >= 0 and p.frozen[holder] == 0:
                    tries -= 1
                    if displace(p, st, s, t, holder, r):
                        return True
                if tries <= 0:
                    return False
        if tries <= 0 or p.frozen[s] != 0:
            return False
    return False


@kernel
def eject_for(p: Problem, st: State, s: int, tries: int) -> bool:
    """`eject` for Python."""
    return eject(p, st, np.int64(s), tries)


@kernel
def rebuild(p: Problem, st: State, order: Ints, start: int, slots: Ints, rooms: Ints, tries: int, most: int) -> bool:
    """
    Takes out the sessions of `order`, puts the first one at `start`, unless that is `ANYWHERE`, and every other one
    where it breaks least, one after the other, each with one ejection if that helps.

    True when the hard part is `most` afterwards, or less; otherwise all is left as it was, which is what the two arrays
    have to hold.
    """
    anchors = anchor_total(p, st)
    for i in range(len(order)):
        lift(p, st, np.int64(order[i]))
    for i in range(len(order)):
        if st.totals[HARD_PART] > most:
            break
        s, t = np.int64(order[i]), np.int64(start)
        if i == 0 and start != ANYWHERE:
            cost, r = cheapest_room(p, st, s, t, NOWHERE)
            drop(p, st, s, t, r, cost + slot_insertion(p, st, s, t))
            continue
        cost, t, r = cheapest_place(p, st, s)
        if hard_of(cost) <= 0 or not eject(p, st, s, tries):
            drop(p, st, s, t, r, cost)
    anchors = anchor_total(p, st) - anchors
    st.totals[COST] += cost_of(anchors)
    st.totals[HARD_PART] += hard_of(anchors)
    if st.totals[HARD_PART] <= most:
        return True
    st.totals[COST] -= cost_of(anchors)
    st.totals[HARD_PART] -= hard_of(anchors)
    put_back(p, st, slots, rooms)
    return False


@inner
def put_back(p: Problem, st: State, slots: Ints, rooms: Ints) -> None:
    """Makes the timetable that of the arrays; touches only sessions that stand elsewhere."""
    for s in range(p.num_sessions):
        if st.slot[s] >= 0 and (st.slot[s] != slots[s] or st.room[s] != rooms[s]):
            lift(p, st, np.int64(s))
    for s in range(p.num_sessions):
        if st.slot[s] < 0 <= slots[s]:
            t, r = np.int64(slots[s]), np.int64(rooms[s])
            drop(p, st, np.int64(s), t, r, insertion(p, st, np.int64(s), t, r))
