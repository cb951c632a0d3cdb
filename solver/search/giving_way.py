"""
Who gives way: a session that found no place takes that of sessions of lower ranks (`solver.ranks`).

Greedy placing, ejection and the taking out of what breaks hard rules look for places for everybody, and where there
are not enough, whoever comes first has one. Here the sessions that are open, highest rank first, look for a start at
which nobody of their own rank or a higher one is in the way. Those who are go; they are placed anew if they find
another place, by themselves or again at the cost of a lower rank. So none is left open that could stand if only lower
ones went, and every step makes what is left open worth less. Where all courses are of one rank nothing is done.
"""

from __future__ import annotations

import heapq

import numpy as np

from solver.compiled import Ints
from solver.control import NUM_WORDS, Control
from solver.search.chains import FROM_ROOM, FROM_SLOT, SESSION, in_chain
from solver.search.ejection import eject_for
from solver.search.greedy import NOWHERE, cheapest_room, drop, insertion, lift, place_sessions
from solver.search.jit import Longs, Number, inlined, inner, kernel
from solver.search.permits import are_permitted
from solver.search.problem import Problem
from solver.search.state import COST, COUNT, HARD_PART, MAX_TOUCHED, SUM, State, hard_of, put_in, take_out

EJECTION_TRIES = 40
NEVER = 1 << 62
"""In place of a loss: somebody who does not give way is there."""
RANK_STEP = 1 << 20
"""A loss is the highest rank that goes times this, and the number of sessions that go."""


def give_way(problem: Problem, state: State, order: Ints, control: Control) -> None:
    """
    Places open sessions at the cost of lower ranks, in place; breaks nothing hard that was not broken before.

    `order` holds all sessions: among those of one rank the first one has the first choice. Ends early when `control`
    says so, with whatever has been reached.
    """
    rank = problem.rank[problem.course_of]
    if not rank.any():
        return
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = np.arange(len(order))
    waiting = [(-int(rank[s]), int(turn[s]), int(s), False) for s in np.flatnonzero(state.slot < 0)]
    heapq.heapify(waiting)
    while waiting and not control.should_stop:
        _, _, s, went = heapq.heappop(waiting)
        control.beat()
        if problem.frozen[s] == 3 or (went and _placed_anew(problem, state, s)) or rank[s] == 0:
            continue
        for gone in _claim(problem, state, s):
            heapq.heappush(waiting, (-int(rank[gone]), int(turn[gone]), gone, True))


def _placed_anew(problem: Problem, state: State, s: int) -> bool:
    words = np.zeros(NUM_WORDS, dtype=np.int64)
    alone = np.array([s], dtype=np.int32)
    return bool(place_sessions(problem, state, alone, True, words) or eject_for(problem, state, s, EJECTION_TRIES))


def _claim(problem: Problem, state: State, s: int) -> list[int]:
    """Places session s where the least goes for it, if there is such a start; returns who has gone."""
    course = problem.course_of[s]
    first, end = problem.start_ptr[course : course + 2]
    # A copy, for numba would compile another version for arrays that cannot be written to.
    starts = np.array(problem.start[first:end] if problem.frozen[s] == 0 else problem.pinned_slot[s : s + 1])
    losses = np.empty(len(starts), dtype=np.int64)
    count_losses(problem, state, s, starts, losses)
    for k in np.argsort(losses, kind="stable")[: int((losses < NEVER).sum())].tolist():
        if (gone := take_start(problem, state, s, int(starts[k]))) >= 0:
            return [int(other) for other in state.chain[:gone, SESSION]]
    return []


@kernel
def count_losses(p: Problem, st: State, s: int, starts: Ints, losses: Longs) -> None:
    """
    Fills `losses` with what would have to go for open session s at each of `starts`, so that people have time for it.

    `NEVER` where one of them has the rank of s or a higher one. Rooms and limits are not looked at.
    """
    for i in range(len(starts)):
        t = np.int64(starts[i])
        count = in_the_way(p, st, np.int64(s), t)
        losses[i] = NEVER if count < 0 else count
        for k in range(count):
            rank = np.int64(p.rank[p.course_of[st.chain[k, SESSION]]])
            losses[i] = max(losses[i], rank * RANK_STEP + count)


@inner
def in_the_way(p: Problem, st: State, s: Number, t: Number) -> Number:
    """
    Fills `State.chain` with the sessions whose people keep session s from starting at t; returns how many.

    -1 when one of them does not give way, or when there are more than the chain can note.
    """
    c = np.int64(p.course_of[s])
    end = t + p.length[c]
    resources = p.resource_ptr[c, 2] - p.resource_ptr[c, 0]
    count = np.int64(0)
    for i in range(resources + (1 if p.students_clash != 0 else 0)):
        by_student = i == resources
        x = 0 if by_student else p.resource[p.resource_ptr[c, 0] + i]
        first = p.conflict_ptr[c] if by_student else p.owner_ptr[x]
        last = p.conflict_ptr[c + 1] if by_student else p.owner_ptr[x + 1]
        for k in range(first, last):
            if by_student and hard_of(p.conflict_cost[k]) == 0:
                continue
            other = p.conflict[k] if by_student else p.owner[k]
            for b in range(p.session_ptr[other], p.session_ptr[other + 1]):
                u = st.slot[b]
                if u < 0 or u >= end or t >= u + p.length[other] or in_chain(st, count, b) or are_permitted(p, s, b):
                    continue
                if p.rank[other] >= p.rank[c] or count == MAX_TOUCHED:
                    return np.int64(-1)
                st.chain[count, SESSION] = b
                count += 1
    return count


@inlined
def send_away(p: Problem, st: State, b: Number, count: Number) -> Number:
    """Takes session b out and notes in the chain, as number `count`, where it was; returns the length of the chain."""
    st.chain[count, SESSION], st.chain[count, FROM_SLOT], st.chain[count, FROM_ROOM] = b, st.slot[b], st.room[b]
    lift(p, st, b)
    return count + 1


@kernel
def take_start(p: Problem, st: State, s: int, t: int) -> int:
    """
    Places open session s at t; sessions of lower ranks go as far as they have to, and stay open.

    Returns how many have gone; they stand in the chain. -1 when that is not enough, or would break something hard;
    then all is left as it was.
    """
    session, start = np.int64(s), np.int64(t)
    cost, hard = st.totals[COST], st.totals[HARD_PART]
    count = in_the_way(p, st, session, start)
    if count < 0:
        return -1
    for k in range(count):
        send_away(p, st, np.int64(st.chain[k, SESSION]), k)
    r, count = room_for(p, st, session, start, count)
    if r >= 0:
        brings, count = free_limits(p, st, session, start, r, count)
        if hard_of(brings) <= 0:
            drop(p, st, session, start, r, brings)
            if st.totals[HARD_PART] <= hard:
                return int(count)
            take_out(p, st, session)
    for k in range(count):
        b = np.int64(st.chain[k, SESSION])
        put_in(p, st, b, np.int64(st.chain[k, FROM_SLOT]), np.int64(st.chain[k, FROM_ROOM]))
    st.totals[COST], st.totals[HARD_PART] = cost, hard
    return -1


@inner
def room_for(p: Problem, st: State, s: Number, t: Number, count: Number) -> tuple[Number, Number]:
    """
    A room for session s at t: a free one, or else one whose holders, who go, have the lowest rank.

    Returns the room, -1 for none, and the length of the chain.
    """
    cost, best = cheapest_room(p, st, s, t, NOWHERE)
    if hard_of(cost) <= 0:
        return best, count
    c = np.int64(p.course_of[s])
    row = p.room_row[c]
    lowest = np.int64(p.rank[c])
    first, end = p.fit_ptr[row], p.fit_ptr[row + 1]
    if p.frozen[s] == 2:
        end = first + 1
    for k in range(first, end):
        r = np.int64(p.fit[k]) if p.frozen[s] != 2 else np.int64(p.pinned_room[s])
        highest = holders_rank(p, st, c, t, r)
        if highest < lowest:
            lowest, best = highest, r
    if lowest < p.rank[c]:
        for v in range(t, t + p.length[c]):
            if st.room_cell[best, v, COUNT] == 1 and count < MAX_TOUCHED:
                count = send_away(p, st, np.int64(st.room_cell[best, v, SUM]), count)
    return best, count


@inlined
def holders_rank(p: Problem, st: State, c: Number, t: Number, r: Number) -> Number:
    """
    The highest rank in room r while a session of course c would be there from t on; `NEVER` where it is closed, shared
    by several, or a set of rooms.
    """
    if r >= p.num_rooms:
        return np.int64(NEVER)
    highest: Number = np.int64(-1)
    for v in range(t, t + p.length[c]):
        holder = np.int64(st.room_cell[r, v, SUM])
        if st.room_cell[r, v, COUNT] == 1 and holder >= 0:
            highest = max(highest, np.int64(p.rank[p.course_of[holder]]))
        elif st.room_cell[r, v, COUNT] > 0:
            highest = np.int64(NEVER)
    return highest


@inner
def free_limits(p: Problem, st: State, s: Number, t: Number, r: Number, count: Number) -> tuple[Number, Number]:
    """
    Sends away sessions of lower ranks that use up the limits of the people of session s, or that links tie to it.

    Those of the same day go first, and only those without whom less would be broken. Returns the packed cost that s
    then brings at (t, r), and the length of the chain.
    """
    c = np.int64(p.course_of[s])
    cost = insertion(p, st, s, t, r)
    if hard_of(cost) <= 0:
        return cost, count
    for far in range(2):
        for i in range(p.resource_ptr[c, 0], p.resource_ptr[c, 2]):
            x = p.resource[i]
            for k in range(p.owner_ptr[x], p.owner_ptr[x + 1]):
                other = p.owner[k]
                for b in range(p.session_ptr[other], p.session_ptr[other + 1]):
                    u = st.slot[b]
                    if hard_of(cost) > 0 and u >= 0 and (p.day_of[u] != p.day_of[t]) == (far == 1):
                        cost, count = without(p, st, s, t, r, np.int64(b), cost, count)
    for i in range(p.session_link_ptr[s], p.session_link_ptr[s + 1]):
        tie = p.session_link[i]
        tied = np.int64(p.link_a[tie] + p.link_b[tie] - s)
        if hard_of(cost) > 0 and st.slot[tied] >= 0:
            cost, count = without(p, st, s, t, r, tied, cost, count)
    return cost, count


@inner
def without(
    p: Problem, st: State, s: Number, t: Number, r: Number, b: Number, cost: Number, count: Number
) -> tuple[Number, Number]:
    """
    Sends session b away if it is of a lower rank and session s, which brings `cost` at (t, r), breaks less there then.

    Returns what s brings afterwards, and the length of the chain.
    """
    if p.rank[p.course_of[b]] >= p.rank[p.course_of[s]] or count == MAX_TOUCHED:
        return cost, count
    u, q = np.int64(st.slot[b]), np.int64(st.room[b])
    longer = send_away(p, st, b, count)
    less = insertion(p, st, s, t, r)
    if hard_of(less) < hard_of(cost):
        return less, longer
    drop(p, st, b, u, q, insertion(p, st, b, u, q))
    return cost, count
