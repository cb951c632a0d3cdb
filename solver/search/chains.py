"""
Kempe chains: two starts exchange a connected set of sessions, so that nobody is in two places at once afterwards.

A chain grows from one session that goes from start t to start u: whoever is at u and has people in common with it must
go to t, and so on. Chains reach timetables that single moves and swaps reach over clashes only, which matters at the
end, when clashes are no longer accepted (Lü and Hao 2010, doi:10.1016/j.ejor.2008.12.007).

What a chain would cost without its rooms is estimated first, because most chains end there; the rest are carried
out session by session, and undone when they turn out too dear.
"""

from __future__ import annotations

import numpy as np

from solver.search.day_shapes import shape_cost
from solver.search.greedy import NOWHERE, cheapest_room, drop, insertion, is_free, lift, room_total, slot_insertion
from solver.search.jit import Number, first_bit, inlined, inner
from solver.search.moves import day_part
from solver.search.pairwise import anchor_total
from solver.search.problem import Problem
from solver.search.state import (
    BUSY,
    COST,
    COUNT,
    HARD_PART,
    MAX_CHAIN,
    MAX_TOUCHED,
    NOBODY,
    REMOVING,
    SUM,
    State,
    cost_of,
    hard_of,
    put_in,
    take_out,
)

SESSION, FROM_SLOT, FROM_ROOM = 0, 1, 2
"""Columns of `State.chain`."""


@inlined
def in_chain(st: State, count: Number, s: Number) -> bool:
    """Whether session s is among the first `count` of the chain."""
    found = False
    for i in range(count):
        found = found or st.chain[i, SESSION] == s
    return found


@inlined
def may_go(p: Problem, s: Number, u: Number) -> bool:
    """Whether session s may start at u."""
    return bool(p.frozen[s] == 0 and p.start_possible[p.course_of[s], u] != 0)


@inlined
def add_course(
    p: Problem, st: State, count: Number, c: Number, v: Number, away: Number, length: Number, back: Number
) -> Number:
    """Adds the sessions of course c that run at slot v to the chain; returns its length, 0 when one cannot come."""
    first, end = np.int64(p.session_ptr[c]), np.int64(p.session_ptr[c + 1])
    if st.course_cell[c, v, COUNT] == 1:
        first = np.int64(st.course_cell[c, v, SUM])
        end = first + 1
    for other in range(first, end):
        u = st.slot[other]
        if u < 0 or v < u or v >= u + p.length[c] or in_chain(st, count, other):
            continue
        if u != away or p.length[c] != length or count == MAX_CHAIN or not may_go(p, other, back):
            return 0
        st.chain[count, SESSION] = other
        count += 1
    return count


@inlined
def collect(p: Problem, st: State, s: Number, u: Number) -> Number:
    """
    Fills `State.chain` with what must move when session s goes to start u; returns its length, 0 when it cannot move.
    """
    t, length = np.int64(st.slot[s]), np.int64(p.length[p.course_of[s]])
    if abs(t - u) < length or not may_go(p, s, u):
        return 0
    st.chain[0, SESSION] = s
    count, at = np.int64(1), 0
    while at < count:
        member = np.int64(st.chain[at, SESSION])
        course = np.int64(p.course_of[member])
        back = np.int64(st.slot[member])
        away = t + u - back
        at += 1
        for v in range(away, away + length):
            for word in range(p.kin.shape[1]):
                kin = st.present[v, word] & p.kin[course, word]
                while kin != 0:
                    bit = first_bit(kin)
                    kin ^= np.int64(1) << bit
                    count = add_course(p, st, count, (word << 6) + bit, v, away, length, back)
                    if count == 0:
                        return 0
    return count


@inlined
def estimate(p: Problem, st: State, count: Number, t: Number, u: Number) -> Number:
    """
    What exchanging the chain costs, on the low side: likings, days and shapes change, rooms become the cheapest ones.

    A guess: members are judged one at a time, so a chain that it refuses might have passed (one whose teachers teach at
    both starts, where loads per day count). People with a session at either start keep the shape of their days, and a
    course with sessions at both keeps its days.
    """
    delta: Number = 0
    for i in range(count):
        s = np.int64(st.chain[i, SESSION])
        c, v, r = np.int64(p.course_of[s]), np.int64(st.slot[s]), np.int64(st.room[s])
        w = t + u - v
        row, length = p.room_row[c], np.int64(p.length[c])
        delta += p.slot_cost[c, w] - p.slot_cost[c, v] - cost_of(p.slack[c, 2])
        for k in range(length):
            delta -= st.clash[c, v + k, REMOVING]
        delta += min(0, p.room_cost[row, p.fit[p.fit_ptr[row]]] - p.room_cost[row, r])
        delta -= length * p.peak_weight
        if p.stability_weight != 0 and is_alone(p, st, s, c, r):
            delta -= p.stability_weight
        d, e = np.int64(p.day_of[v]), np.int64(p.day_of[w])
        if d != e and not course_stays(p, st, count, c, v):
            delta += day_part(p, st, c, d, e, NOBODY)
        block = (np.int64(1) << length) - 1
        old, new = block << np.int64(p.period_of[v]), block << np.int64(p.period_of[w])
        left, come = p.plan_of[d], p.plan_of[e]
        for k in range(p.resource_ptr[c, 1], p.resource_ptr[c, 3]):
            x = np.int64(p.resource[k])
            if st.mask[x, e, BUSY] & new:
                continue
            kind = np.int64(p.shape_kind[x])
            here, there = st.mask[x, d, BUSY], st.mask[x, e, BUSY]
            if d == e:
                delta += shape_cost(p, kind, left, (here & ~old) | new) - shape_cost(p, kind, left, here)
            else:
                delta += shape_cost(p, kind, left, here & ~old) - shape_cost(p, kind, left, here)
                delta += shape_cost(p, kind, come, there | new) - shape_cost(p, kind, come, there)
    return delta


@inlined
def is_alone(p: Problem, st: State, s: Number, c: Number, r: Number) -> bool:
    """Whether session s stands in another room than all others of its course, so that leaving it may save one."""
    first, end = p.sibling_ptr[c, 0], p.sibling_ptr[c, 1]
    alone = end - first > 1
    for b in range(first, end):
        alone = alone and (b == s or st.room[b] != r or p.family_of[b] != p.family_of[s])
    return bool(alone)


@inlined
def course_stays(p: Problem, st: State, count: Number, c: Number, t: Number) -> bool:
    """Whether another session of course c goes the other way."""
    found = False
    for i in range(count):
        other = st.chain[i, SESSION]
        found = found or (p.course_of[other] == c and st.slot[other] != t)
    return found


@inlined
def place_member(p: Problem, st: State, s: Number, u: Number, room: Number, count: Number) -> Number:
    """
    Puts a session of the chain at start u, in the room it comes from or in the cheapest one.

    Returns the length of the chain, which grows by the sessions that change rooms for it.
    """
    cost, q = cheapest_room(p, st, s, u, NOWHERE)
    if q != room and is_free(p, st, np.int64(p.course_of[s]), u, room):
        stay = room_total(p, st, s, u, room)
        if stay <= cost:
            cost, q = stay, room
    if hard_of(cost) > 0 and p.length[p.course_of[s]] == 1:
        freed, count = free_room(p, st, s, u, count)
        if freed >= 0:
            cost, q = room_total(p, st, s, u, freed), freed
    drop(p, st, s, u, q, cost + slot_insertion(p, st, s, u))
    return count


@inner
def free_room(p: Problem, st: State, s: Number, u: Number, count: Number) -> tuple[Number, Number]:
    """
    Frees a room that fits session s at start u, by moving others of that slot from room to room.

    A breadth-first search for an augmenting path in the matching of sessions and rooms that fit them. Sessions that
    change rooms join the chain, so that they are put back with it.

    Returns
    -------
    (room, length of the chain); room -1 when there is no such path, or when it is longer than a chain can note
    """
    for r in range(p.num_rooms):
        st.wanted_by[r] = -1
    st.waiting[0] = s
    at, end = 0, 1
    found = np.int64(-1)
    while at < end and found < 0:
        b = np.int64(st.waiting[at])
        row = p.room_row[p.course_of[b]]
        at += 1
        for k in range(p.fit_ptr[row], p.fit_ptr[row + 1]):
            q = np.int64(p.fit[k])
            if found >= 0 or q >= p.num_rooms or st.wanted_by[q] >= 0 or st.room_cell[q, u, COUNT] > 1:
                continue
            holder = np.int64(st.room_cell[q, u, SUM])
            if st.room_cell[q, u, COUNT] <= 0:
                st.wanted_by[q] = b
                found = q
            elif holder >= 0 and st.room[holder] == q and p.frozen[holder] < 2 and p.length[p.course_of[holder]] == 1:
                st.wanted_by[q] = b
                st.waiting[end] = holder
                end += 1
    while found >= 0 and st.wanted_by[found] != s:
        b = np.int64(st.wanted_by[found])
        old = np.int64(st.room[b])
        if not in_chain(st, count, b):
            if count == MAX_TOUCHED:
                return np.int64(-1), count
            st.chain[count, SESSION], st.chain[count, FROM_SLOT], st.chain[count, FROM_ROOM] = b, st.slot[b], old
            count += 1
        lift(p, st, b)
        drop(p, st, b, u, found, insertion(p, st, b, u, found))
        found = old
    return found, count


@inner
def exchange(p: Problem, st: State, count: Number, t: Number, u: Number, limit: Number) -> bool:
    """Exchanges the chain when that costs at most `limit`; undoes it otherwise."""
    cost, hard, anchors = st.totals[COST], st.totals[HARD_PART], anchor_total(p, st)
    for i in range(count):
        b = np.int64(st.chain[i, SESSION])
        st.chain[i, FROM_SLOT], st.chain[i, FROM_ROOM] = st.slot[b], st.room[b]
        lift(p, st, b)
    members = count
    for i in range(members):
        away = t + u - np.int64(st.chain[i, FROM_SLOT])
        count = place_member(p, st, np.int64(st.chain[i, SESSION]), away, np.int64(st.chain[i, FROM_ROOM]), count)
    anchors = anchor_total(p, st) - anchors
    st.totals[COST] += cost_of(anchors)
    st.totals[HARD_PART] += hard_of(anchors)
    if st.totals[COST] - cost <= limit:
        return True
    for i in range(count):
        take_out(p, st, np.int64(st.chain[i, SESSION]))
    for i in range(count):
        put_in(
            p, st, np.int64(st.chain[i, SESSION]), np.int64(st.chain[i, FROM_SLOT]), np.int64(st.chain[i, FROM_ROOM])
        )
    st.totals[COST], st.totals[HARD_PART] = cost, hard
    return False


@inlined
def try_chain(p: Problem, st: State, s: Number, u: Number, limit: Number) -> bool:
    """
    Exchanges the chain of session s and start u if it costs at most `limit`.

    Rejected ones, which most are, never leave the calling kernel: a call copies both tuples over its fast cache.
    """
    t = np.int64(st.slot[s])
    if st.course_cell[p.course_of[s], u, COUNT] != 0:
        return False  # a sibling would come the other way: nothing would change but their numbers
    count = collect(p, st, s, u)
    if count == 0 or cost_of(estimate(p, st, count, t, u)) > limit:
        return False
    return exchange(p, st, count, t, u, limit)
