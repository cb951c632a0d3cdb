"""From a timetable that breaks hard rules to a smaller one that does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from solver.compiled import Compiled, Ints
from solver.control import NUM_WORDS, Control
from solver.links import LINK_CODES
from solver.search.annealing import remember_now
from solver.search.building import build_problem
from solver.search.ejection import (
    ANYWHERE,
    hard_shares,
    rebuild,
    take_out_breakers,
    take_out_courses,
    take_out_strays,
)
from solver.search.giving_way import give_way
from solver.search.greedy import place_sessions, put_all
from solver.search.params import Arrays, SearchParams
from solver.search.problem import Problem
from solver.search.recount import count_rules
from solver.search.state import BEST_HARD, COST, HARD_PART, State, new_state
from solver.search.warm_start import loadable, placing_order
from solver.search.weights import Weights, publishable, weights_of

MEND_TRIES = 100
GIVING_WAY_SECONDS = 0.5
"""No stop is heard meanwhile. Enough for about a thousand sessions of a large university."""
MEAN_EXCESS = 10
"""How much more than at best may be broken on the way, on average: some sessions above a limit, or half a clash."""
MOST_FAILURES = 500
"""So many ways to move a session that `mend` tries in vain take a second or two of a large university."""
MOST_STEPS = 300
"""On four times `bhu`, with one breach left, 24 walks ended without any after 7 to 152 steps, a tenth to 1.5 s."""
MOST_COMPANY = 12
"""More sessions than this are not taken out together."""


def strip(compiled: Compiled, slots: Ints, rooms: Ints, keep_bent: bool) -> Arrays:
    """
    Takes out a small set of sessions so that no rigid rule is broken, and tries to place them elsewhere: lower ranks
    go first, and leave their places to higher ones that find no other.

    Parameters
    ----------
    keep_bent
        True: bendable rules may stay broken. False: no hard rule at all is broken in what is returned.

    Returns
    -------
    (slots, rooms)
        New arrays; -1 for sessions that found no place.
    """
    params = SearchParams(bend=keep_bent)
    weights = publishable(compiled, weights_of(compiled, params), keep_bent=keep_bent)
    problem = build_problem(compiled, weights, params)
    state = new_state(problem, seed=0)
    put_all(problem, state, *loadable(problem, slots, rooms))
    clear_breaches(compiled, problem, weights, state)
    words = np.zeros(NUM_WORDS, dtype=np.int64)
    order = placing_order(problem)
    order = order[np.argsort(-_ranks(problem)[order], kind="stable")]
    place_sessions(problem, state, order, True, words)
    give_way(problem, state, order, Control().until(GIVING_WAY_SECONDS))
    return state.slot, state.room


def _ranks(problem: Problem) -> Ints:
    """``(sessions,)``"""
    return problem.rank[problem.course_of]


def clear_breaches(compiled: Compiled, problem: Problem, weights: Weights, state: State) -> None:
    """
    Takes sessions out of `state` until its hard part is 0: pinned ones last, lower ranks first, of these those that
    break most.
    """
    state.totals[COST], state.totals[HARD_PART] = weights.total(count_rules(compiled, state.slot, state.room))
    everybody = np.arange(problem.num_sessions, dtype=np.int32)
    shares = np.zeros(problem.num_sessions, dtype=np.int64)
    while state.totals[HARD_PART] > 0:
        hard_shares(problem, state, everybody, shares)
        order = np.lexsort((-shares, _ranks(problem), problem.pinned_slot >= 0))
        if take_out_breakers(problem, state, order[shares[order] > 0].astype(np.int32)):
            continue
        if take_out_strays(problem, state):
            continue
        if not take_out_courses(problem, state, np.argsort(problem.rank, kind="stable").astype(np.int32)):
            _take_out_any(problem, state)
        state.totals[COST], state.totals[HARD_PART] = weights.total(count_rules(compiled, state.slot, state.room))


def mend(problem: Problem, state: State, control: Control) -> None:
    """
    Moves sessions that break something hard to where they break less.

    First each by itself, with at most one other session out of its way. Then together with those that links tie to it,
    because a course that has to keep one room leaves it as a whole or not at all, and with all that keep it from one of
    its starts. It gives up where most of this leads nowhere, as where there are too few rooms for all.
    """
    failures = 0
    for s in _breakers(problem, state).tolist():
        alone = [(np.array([s], dtype=np.int32), ANYWHERE)] if problem.frozen[s] == 0 else []
        for company, start in chain(alone, _companies(problem, state, s, _starts(problem, s))):
            control.beat()
            if control.should_stop or failures == MOST_FAILURES:
                return
            failures += 1
            if _moved(problem, state, company, start, most=int(state.totals[HARD_PART]) - 1):
                failures -= 1
                break


def wander(problem: Problem, state: State, control: Control, seed: int) -> None:
    """
    Moves what is broken about until nothing is, `MOST_STEPS` far at most; the best timetable is remembered.

    Whoever keeps the last sessions from a place often finds none either that breaks nothing, so `mend` leaves them
    where they are. Here they move with their company although a little more is broken afterwards, until what is broken
    has come to where there is room for it. Only sessions in breach move, as in a focused walk on a formula (Selman,
    Kautz and Cohen 1994, Noise strategies for improving local search).
    """
    dice = np.random.default_rng(seed)
    breakers = _breakers(problem, state)
    for _ in range(MOST_STEPS):
        control.beat()
        if not len(breakers) or control.should_stop:
            return
        s = int(dice.choice(breakers))
        start = int(dice.choice(_starts(problem, s)))
        company = next((company for company, _ in _companies(problem, state, s, [start])), None)
        most = int(state.totals[BEST_HARD] + dice.exponential(MEAN_EXCESS))
        if company is not None and _moved(problem, state, company, start, most=most):
            remember_now(state)
            # Of any two that clash now, but did not before, one has moved.
            breakers = _breakers(problem, state, np.union1d(breakers, company))


def _breakers(problem: Problem, state: State, among: Ints | None = None) -> Ints:
    """Sessions that break something hard and are not held where they are, those that break most first."""
    sessions = np.arange(problem.num_sessions, dtype=np.int32) if among is None else among
    shares = np.zeros(len(sessions), dtype=np.int64)
    hard_shares(problem, state, sessions, shares)
    worst = sessions[np.argsort(-shares, kind="stable")[: int((shares > 0).sum())]]
    return worst[problem.frozen[worst] < 2]


def _moved(problem: Problem, state: State, company: Ints, start: int, *, most: int) -> bool:
    return rebuild(problem, state, company, start, state.slot.copy(), state.room.copy(), MEND_TRIES, most)


def _companies(p: Problem, st: State, s: int, starts: Sequence[int]) -> Iterator[tuple[Ints, int]]:
    """Session s and who has to be placed anew with it when it starts at one of `starts`; small companies first."""
    ties = p.session_link[p.session_link_ptr[s] : p.session_link_ptr[s + 1]]
    tied = p.link_a[ties] + p.link_b[ties] - s
    sets = p.session_set[p.session_set_ptr[s] : p.session_set_ptr[s + 1]]
    mates = [b for k in sets for b in p.set_session[p.set_ptr[k] : p.set_ptr[k + 1]].tolist()]
    together = [
        (int(p.length[p.course_of[one]]), _kin(p, st, one))
        for one in (s, *tied[p.link_type[ties] == LINK_CODES["same_start"]])
    ]
    found = []
    for start in starts:
        obstacles = [b for length, kin in together for b in _obstacles(p, st, kin, start, length).tolist()]
        company = np.array(list(dict.fromkeys([s, *tied.tolist(), *mates, *obstacles])), dtype=np.int32)
        found.append((company[p.frozen[company] < 2], start))
    yield from sorted((one for one in found if len(one[0]) <= MOST_COMPANY), key=lambda one: len(one[0]))


def _starts(p: Problem, s: int) -> list[int]:
    if p.frozen[s]:
        return [int(p.pinned_slot[s])] if p.frozen[s] == 1 else []
    c = p.course_of[s]
    starts: list[int] = p.start[p.start_ptr[c] : p.start_ptr[c + 1]].tolist()
    return starts


def _kin(p: Problem, st: State, s: int) -> Ints:
    """Placed sessions that share somebody with session s."""
    courses = p.course_of
    shares_somebody = (p.kin[courses[s], courses >> 6] >> (courses & 63)) & 1 == 1
    shares_somebody &= (p.together != p.together[s]) | (p.together < 0)
    return np.flatnonzero(shares_somebody & (st.slot >= 0)).astype(np.int32)


def _obstacles(p: Problem, st: State, kin: Ints, start: int, length: int) -> Ints:
    """Those of `kin` that meet while a session of this length would from `start` on."""
    begin = st.slot[kin]
    return kin[(begin < start + length) & (start < begin + p.length[p.course_of[kin]])]


def _take_out_any(problem: Problem, state: State) -> None:
    """Breaches that no single course explains: half of the placed sessions go, so that the loop ends soon."""
    slots, rooms = state.slot.copy(), state.room.copy()
    placed = np.flatnonzero(slots >= 0)
    placed = placed[np.argsort(-_ranks(problem)[placed], kind="stable")]
    slots[placed[len(placed) // 2 :]] = -1
    fresh = new_state(problem, seed=0)
    put_all(problem, fresh, slots, rooms)
    for name, old in state.contents().items():
        np.copyto(old, getattr(fresh, name))
