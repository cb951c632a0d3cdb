"""
The parts of a move's cost that depend on single other sessions: links, walks, pins and anchors.

They are evaluated last.
"""

from __future__ import annotations

import numpy as np

from solver.rules import MINUTES_PER_TRAVEL_UNIT
from solver.search.jit import Number, inlined, inner
from solver.search.permits import granted
from solver.search.problem import Problem
from solver.search.state import NOBODY, State


@inner
def link_broken(p: Problem, st: State, k: Number) -> bool:
    """Whether link pair k of two placed sessions does not hold."""
    a, b = p.link_a[k], p.link_b[k]
    t, u = st.slot[a], st.slot[b]
    same_room = 1 if st.room[a] == st.room[b] else 0
    return bool(p.link_broken[p.link_row[k], same_room, t, u])


@inner
def blocks(p: Problem, st: State, k: Number, s: Number, skip: Number) -> Number:
    """
    Blocks that the placed sessions of set k make, `s` and `skip` left out; `State.covered` then holds what they cover.
    """
    for d in range(p.num_days):
        st.covered[d] = 0
    for i in range(p.set_ptr[k], p.set_ptr[k + 1]):
        member = np.int64(p.set_session[i])
        t = np.int64(st.slot[member])
        if t >= 0 and member != s and member != skip:
            covers = (np.int64(1) << np.int64(p.length[p.course_of[member]])) - 1
            st.covered[p.day_of[t]] |= covers << np.int64(p.period_of[t])
    count = np.int64(0)
    for d in range(p.num_days):
        cut = p.plan_walls[p.plan_of[d]]
        begins = st.covered[d] & ~((st.covered[d] << 1) & ~cut)
        while begins != 0:
            begins &= begins - 1
            count += 1
    return count


@inner
def block_cost(p: Problem, st: State, s: Number, skip: Number) -> Number:
    """What placed session s adds to the blocks above one of its sets, `skip` left out; below 0 where it joins two."""
    total = np.int64(0)
    for i in range(p.session_set_ptr[s], p.session_set_ptr[s + 1]):
        k = np.int64(p.session_set[i])
        above = max(0, blocks(p, st, k, NOBODY, skip) - 1) - max(0, blocks(p, st, k, s, skip) - 1)
        total += p.set_cost[k] * np.int64(above)
    return total


@inlined
def travel_of(p: Problem, st: State, s: Number, skip: Number) -> Number:
    """Walks to and from session s that do not fit in between, but not those between it and `skip`."""
    total: Number = 0
    c, t = p.course_of[s], np.int64(st.slot[s])
    here, last = p.room_building[st.room[s]], t + p.length[p.course_of[s]] - 1
    earliest, latest = p.walk_since[t], p.walk_until[last]
    if here == 0 or (earliest == t and latest == last):
        return total
    for k in range(p.people_ptr[c], p.people_ptr[c + 1]):
        other = p.people[k]
        for b in range(p.session_ptr[other], p.session_ptr[other + 1]):
            u = st.slot[b]
            if u > latest or u < 0 or b == s:
                continue
            if b == skip:
                continue
            minutes: Number = 0
            if u > last:
                way = p.travel_minutes[here, p.room_building[st.room[b]]]
                minutes = way - (p.slot_start[u] - p.slot_end[last])
            else:
                end = u + p.length[other] - 1
                if end >= earliest and end < t:
                    way = p.travel_minutes[p.room_building[st.room[b]], here]
                    minutes = way - (p.slot_start[t] - p.slot_end[end])
            if minutes > 0:
                units = (minutes + MINUTES_PER_TRAVEL_UNIT - 1) // MINUTES_PER_TRAVEL_UNIT
                total += p.people_shared[k] * units * p.travel_weight
    return total


@inner
def pairwise_cost(p: Problem, st: State, s: Number, skip: Number) -> Number:
    """
    Cost of everything about placed session s that depends on single other sessions, `skip` left out, and of its pin.
    """
    total = 0
    for i in range(p.session_link_ptr[s], p.session_link_ptr[s + 1]):
        k = np.int64(p.session_link[i])
        other = p.link_a[k] + p.link_b[k] - s
        if other != skip and st.slot[other] >= 0 and link_broken(p, st, k):
            total += p.link_cost[k]
    if p.session_set_ptr[s] != p.session_set_ptr[s + 1]:
        total += block_cost(p, st, s, skip)
    if p.together[s] >= 0:
        total -= granted(p, st, s, np.int64(st.slot[s]), skip)
    if p.travels != 0:
        total += travel_of(p, st, s, skip)
    if p.fixed_weight != 0 and p.pinned_slot[s] >= 0:
        away = p.pinned_room[s] >= 0 and p.pinned_room[s] != st.room[s]
        if away or p.pinned_slot[s] != st.slot[s]:
            total += p.fixed_weight
    return total


@inner
def pairwise_part(p: Problem, st: State, s: Number, u: Number, q: Number, s2: Number) -> Number:
    """Change of `pairwise_cost`: the new places are written down for a moment."""
    t, r = np.int64(st.slot[s]), np.int64(st.room[s])
    delta: Number = 0
    for sign in range(-1, 2, 2):
        if sign > 0:
            st.slot[s], st.room[s] = u, q
            if s2 >= 0:
                st.slot[s2], st.room[s2] = t, r
        delta += sign * pairwise_cost(p, st, s, NOBODY)
        if s2 >= 0:
            delta += sign * pairwise_cost(p, st, s2, s)
    st.slot[s], st.room[s] = t, r
    if s2 >= 0:
        st.slot[s2], st.room[s2] = u, q
    return delta


@inlined
def anchor_step(p: Problem, st: State, a: Number, s: Number, u: Number, q: Number) -> Number:
    """1 when session s comes to stand as in anchor a by going to (u, q), -1 when it leaves that place, 0 otherwise."""
    slot, room = p.anchor_slot[a, s], p.anchor_room[a, s]
    step = 1 if slot == u and room == q else 0
    return step - 1 if slot == st.slot[s] and room == st.room[s] else step


@inlined
def anchor_total(p: Problem, st: State) -> Number:
    """Packed cost of the sessions that stand as in an anchor beyond the allowed number."""
    total: Number = 0
    for a in range(p.num_anchors):
        too_many: Number = np.int64(st.same[a]) - p.anchor_allowed
        total += p.anchor_weight * max(0, too_many)
    return total


@inner
def anchor_part(p: Problem, st: State, s: Number, u: Number, q: Number, s2: Number) -> Number:
    """Change of the sessions that stand as in an anchor beyond the allowed number."""
    delta: Number = 0
    for a in range(p.num_anchors):
        change = anchor_step(p, st, a, s, u, q)
        if s2 >= 0:
            change += anchor_step(p, st, a, s2, np.int64(st.slot[s]), np.int64(st.room[s]))
        too_many = np.int64(st.same[a]) - p.anchor_allowed
        delta += p.anchor_weight * (max(0, too_many + change) - max(0, too_many))
    return delta
