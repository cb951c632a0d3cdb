"""
What a move would change, in packed cost, without applying it.

A move takes session s to (u, q); when another session stands there and may take its place, the two swap. The parts of
the cost are evaluated cheapest first, and a move is given up as soon as even the most that the rest could save
(`Problem.slack`) leaves it above the limit that was drawn for it beforehand. That changes no
decision but for walks to more than one neighbour session at once, which only clashing timetables have.

In a swap, whatever both sessions share (teachers, groups, students) does not change; `other` is the course on the far
side, or -1 for a plain move.
"""

from __future__ import annotations

import numpy as np

from solver.search.day_shapes import shape_cost
from solver.search.jit import Number, inlined, inner
from solver.search.pairwise import anchor_part, pairwise_part
from solver.search.problem import Problem
from solver.search.state import ADDING, BUSY, COUNT, REMOVING, TWICE, State, cost_of, hard_of

REJECTED = 1 << 62
"""In place of a packed cost: not worth the rest of the evaluation."""


@inlined
def shares(p: Problem, c: Number, x: Number) -> Number:
    """1 when resource x belongs to course c; 0 for course -1."""
    if c < 0:
        return 0
    return (p.member[c, x >> 6] >> (x & 63)) & 1


@inlined
def are_kin(p: Problem, c: Number, c2: Number) -> bool:
    """Whether two courses have anybody in common; a course is its own kin."""
    return bool((p.kin[c, c2 >> 6] >> (c2 & 63)) & 1)


# --- parts that are always evaluated


@inlined
def slot_part(p: Problem, st: State, c: Number, t: Number, u: Number) -> Number:
    """Leaving start t for u: likings, absences and clashes; the slots covered both before and after do not change."""
    delta = p.slot_cost[c, u] - p.slot_cost[c, t]
    length = p.length[c]
    for i in range(length):
        v = u + i
        if v < t or v >= t + length:
            delta += st.clash[c, v, ADDING]
        v = t + i
        if v < u or v >= u + length:
            delta -= st.clash[c, v, REMOVING]
    return delta


@inlined
def peak_part(p: Problem, st: State, c: Number, t: Number, u: Number) -> Number:
    """Slots above the peak; nothing changes in a swap."""
    delta: Number = 0
    length = p.length[c]
    for i in range(length):
        v = u + i
        if (v < t or v >= t + length) and st.slot_count[v] >= p.peak_limit:
            delta += p.peak_weight
        v = t + i
        if (v < u or v >= u + length) and st.slot_count[v] > p.peak_limit:
            delta -= p.peak_weight
    return delta


@inlined
def has_room(p: Problem, q: Number, r: Number) -> bool:
    """Whether room r is one of place q."""
    found = False
    for k in range(p.place_ptr[q], p.place_ptr[q + 1]):
        found = found or p.place_room[k] == r
    return bool(found)


@inner
def _room_sets_part(p: Problem, st: State, c: Number, t: Number, r: Number, u: Number, q: Number) -> Number:
    """`room_clash_part` where either place is a set of rooms: for each room that is in one of them, or in both."""
    delta: Number = 0
    length = p.length[c]
    for k in range(p.place_ptr[q], p.place_ptr[q + 1]):
        a = p.place_room[k]
        stays = has_room(p, r, a)
        for v in range(u, u + length):
            if not (stays and t <= v < t + length) and st.room_cell[a, v, COUNT] > 0:
                delta += p.room_weight
    for k in range(p.place_ptr[r], p.place_ptr[r + 1]):
        a = p.place_room[k]
        stays = has_room(p, q, a)
        for v in range(t, t + length):
            if not (stays and u <= v < u + length) and st.room_cell[a, v, COUNT] > 1:
                delta -= p.room_weight
    return delta


@inlined
def room_clash_part(p: Problem, st: State, c: Number, t: Number, r: Number, u: Number, q: Number) -> Number:
    """Overbooked rooms; nothing changes in a swap."""
    if r >= p.num_rooms or q >= p.num_rooms:
        return _room_sets_part(p, st, c, t, r, u, q)
    delta: Number = 0
    length = p.length[c]
    for i in range(length):
        v = u + i
        if (r != q or v < t or v >= t + length) and st.room_cell[q, v, COUNT] > 0:
            delta += p.room_weight
        v = t + i
        if (r != q or v < u or v >= u + length) and st.room_cell[r, v, COUNT] > 1:
            delta -= p.room_weight
    return delta


@inlined
def swap_correction(p: Problem, st: State, c: Number, t: Number, c2: Number, u: Number) -> Number:
    """What the two clash parts of a swap count although the sessions only change places with each other."""
    delta: Number = 0
    length = np.int64(p.length[c])
    for k in range(p.resource_ptr[c, 0], p.resource_ptr[c, 2]):
        x = np.int64(p.resource[k])
        if shares(p, c2, x) != 0 and p.clash_weight[x] != 0:
            for i in range(length):
                doubled = min(st.busy_count[x, t + i], 2) + min(st.busy_count[x, u + i], 2) - 2  # both are at least 1
                delta -= p.clash_weight[x] * (2 - doubled)
    if p.students_clash != 0:
        low, high = p.conflict_ptr[c], p.conflict_ptr[c + 1]
        while low < high:
            middle = (low + high) >> 1
            if p.conflict[middle] < c2:
                low = middle + 1
            else:
                high = middle
        if low < p.conflict_ptr[c + 1] and p.conflict[low] == c2:
            delta -= 2 * length * p.conflict_cost[low]
    return delta


# --- parts that are evaluated while the move may still be accepted


@inlined
def stability_part(p: Problem, st: State, s: Number, r: Number, q: Number) -> Number:
    """Whether the course gains room q and loses room r; the other sessions of the course stay where they are."""
    keeps, new = 0, 1
    c = p.course_of[s]
    for b in range(p.sibling_ptr[c, 0], p.sibling_ptr[c, 1]):
        if b == s or p.family_of[b] != p.family_of[s]:
            continue
        if st.room[b] == r:
            keeps = 1
        if st.room[b] == q:
            new = 0
    if (keeps == 0 and new == 1) or (keeps == 1 and new == 0):
        return 0
    return p.stability_weight if keeps == 1 else -p.stability_weight


@inlined
def day_part(p: Problem, st: State, c: Number, d: Number, e: Number, other: Number) -> Number:
    """Counts per day of the course, its teachers and groups, for a session that leaves day d for another day e."""
    delta: Number = 0
    w = p.whole[c]
    leaving, joining = st.course_day[w, d], st.course_day[w, e]
    if joining >= p.course_day_limit[w]:
        delta += p.course_day_weight
    if leaving > p.course_day_limit[w]:
        delta -= p.course_day_weight
    if p.min_days_weight != 0:
        used = st.days_used[w]
        after = used - (leaving == 1) + (joining == 0)
        delta += p.min_days_weight * np.int64(max(0, p.min_days[w] - after) - max(0, p.min_days[w] - used))
    if p.counted != 0:
        for k in range(p.resource_ptr[c, 0], p.resource_ptr[c, 2]):
            x = np.int64(p.resource[k])
            if shares(p, other, x) == 0:
                for i in range(2):
                    if st.day_count[x, e] >= p.day_limit[x, i]:
                        delta += p.day_weight[x, i]
                    if st.day_count[x, d] > p.day_limit[x, i]:
                        delta -= p.day_weight[x, i]
    return delta


@inlined
def shape_part(
    p: Problem, st: State, c: Number, t: Number, u: Number, other: Number, delta: Number, top: Number
) -> Number:
    """
    `delta` plus the change of the days of everybody in course c when a session moves from start t to u.

    `top` is the highest cost that all later parts may still bring below the limit; `REJECTED` above it.
    """
    length = np.int64(p.length[c])
    d, e = p.day_of[t], p.day_of[u]
    block = (np.int64(1) << length) - 1
    old, new = block << np.int64(p.period_of[t]), block << np.int64(p.period_of[u])
    first, end = p.resource_ptr[c, 1], p.resource_ptr[c, 3]
    for k in range(first, end):
        x = np.int64(p.resource[k])
        if shares(p, other, x) != 0:
            continue
        kind = np.int64(p.shape_kind[x])
        left = old & ~st.mask[x, d, TWICE]
        for side in range(1 if d == e else 2):
            day = d if side == 0 else e
            plan = p.plan_of[day]
            before = st.mask[x, day, BUSY]
            after = before & ~left if side == 0 else before
            if day == e:
                after |= new
            delta += shape_cost(p, kind, plan, after) - shape_cost(p, kind, plan, before)
        if cost_of(delta) > top + length * p.shape_drop * (end - k - 1):
            return REJECTED
    return delta


@inlined
def first_parts(p: Problem, st: State, s: Number, u: Number, q: Number, s2: Number, delta: Number) -> Number:
    """`delta`, which is the slot part of session s, plus rooms and the same of its partner."""
    c, t, r = np.int64(p.course_of[s]), np.int64(st.slot[s]), np.int64(st.room[s])
    delta += p.room_cost[p.room_row[c], q] - p.room_cost[p.room_row[c], r]
    if s2 < 0:
        delta += room_clash_part(p, st, c, t, r, u, q)
        if t != u and p.peak_weight != 0:
            delta += peak_part(p, st, c, t, u)
        return delta
    c2 = np.int64(p.course_of[s2])
    delta += p.room_cost[p.room_row[c2], r] - p.room_cost[p.room_row[c2], q]
    if t != u:
        delta += slot_part(p, st, c2, u, t)
        if are_kin(p, c, c2):
            delta += swap_correction(p, st, c, t, c2, u)
    return delta


@inlined
def day_and_shape_parts(
    p: Problem, st: State, s: Number, u: Number, q: Number, s2: Number, delta: Number, top: Number
) -> Number:
    """
    `delta` plus everything that is counted per course, per day, and by the shape of days; `top` as in `shape_part`.
    """
    t, r = np.int64(st.slot[s]), np.int64(st.room[s])
    d, e = np.int64(p.day_of[t]), np.int64(p.day_of[u])
    sides = 1 if s2 < 0 else 2
    c = np.int64(p.course_of[s])
    c2 = np.int64(p.course_of[s2]) if s2 >= 0 else -1
    mixed = s2 >= 0 and are_kin(p, c, c2)  # only then do resources have to be looked up on the other side
    for side in range(sides):  # one loop for both sides: the parts are copied into the kernel only once
        mover, course, far = (s, c, c2) if side == 0 else (s2, c2, c)
        other = far if mixed else -1
        if p.stability_weight != 0 and r != q:
            delta += stability_part(p, st, mover, r if side == 0 else q, q if side == 0 else r)
        if d != e:
            delta += day_part(p, st, course, d if side == 0 else e, e if side == 0 else d, other)
    if t == u:
        return delta
    open_slack = p.slack[c, 1] + (p.slack[c2, 1] if s2 >= 0 else 0)
    for side in range(sides):
        if cost_of(delta) > top + open_slack:
            return REJECTED
        course, far, come, go = (c, c2, t, u) if side == 0 else (c2, c, u, t)
        other = far if mixed else -1
        open_slack -= p.slack[course, 1]
        delta = shape_part(p, st, course, come, go, other, delta, top + open_slack)
        if delta == REJECTED:
            return REJECTED
    return delta


@inlined
def move_delta(
    p: Problem, st: State, s: Number, u: Number, q: Number, s2: Number, slots: Number, limit: Number, closed: bool
) -> Number:
    """
    Packed change of the cost when session s goes to (u, q), and s2, unless it is -1, to the place of s.

    `slots` is the slot part of session s. When `closed`, moves that clash more than before are rejected at any cost.
    `REJECTED` when its cost half is certainly above `limit`; the caller compares what is returned otherwise.
    """
    delta = first_parts(p, st, s, u, q, s2, slots)
    if closed and hard_of(delta) > 0 and p.together[s] < 0 and (s2 < 0 or p.together[s2] < 0):
        return REJECTED  # unless some of it may yet be granted
    c = p.course_of[s]
    slack, pairwise_slack = p.slack[c, 0], p.slack[c, 2]
    if s2 >= 0:
        c2 = p.course_of[s2]
        slack += p.slack[c2, 0]
        pairwise_slack += p.slack[c2, 2]
    if cost_of(delta) > limit + slack:
        return REJECTED
    delta = day_and_shape_parts(p, st, s, u, q, s2, delta, limit + pairwise_slack)
    if pairwise_slack > 0 and delta != REJECTED and cost_of(delta) <= limit + pairwise_slack:
        delta += pairwise_part(p, st, s, u, q, s2)
        if p.num_anchors > 0:
            delta += anchor_part(p, st, s, u, q, s2)
    return delta
