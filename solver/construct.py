"""
The greedy floor: a timetable within seconds that breaks no hard rule; what does not fit is left out.

Sessions are placed one by one, the most constrained first, each where it breaks nothing and costs least; a session
that finds no place may push one other session aside, and then takes the place of sessions of lower ranks
(`solver.ranks`). An earlier timetable (`start`) keeps its places as far as they break nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from solver.compiled import Compiled, Ints
from solver.control import NUM_WORDS, Control, Stop
from solver.rules import RULES
from solver.search.building import build_problem
from solver.search.ejection import eject_for
from solver.search.giving_way import give_way
from solver.search.greedy import place_sessions, put_all
from solver.search.params import Arrays, SearchParams
from solver.search.problem import Problem
from solver.search.recount import count_rules
from solver.search.repair import clear_breaches
from solver.search.state import State, new_state
from solver.search.warm_start import loadable, placing_order
from solver.search.weights import Weights, publishable, weights_of

SESSIONS_PER_CHUNK = 512
EJECTION_SECONDS = 1.0
EJECTION_TRIES = 40


class Floor(NamedTuple):
    """Slot and room per session, -1 for unplaced."""

    slots: Ints
    rooms: Ints


def construct(
    compiled: Compiled,
    *,
    control: Control,
    seed: int,
    start: Arrays | None = None,
    first: bool = False,
    by_rank: bool = False,
) -> Floor:
    """
    Places what it can without breaking a hard rule.

    Parameters
    ----------
    first
        True: only a cancel ends it early. "Finish now" and a deadline wait for it: it takes seconds, and without it
        there would be nothing to hand over. False: any stop and the deadline end it.
    seed
        Breaks ties in the order of placing.
    start
        A timetable to begin with; whatever breaks a hard rule in it is placed anew.
    by_rank
        Nobody is placed before all of higher ranks have had their turn: worth while where not all will find a place,
        but the sessions that are hard to place come late.
    """
    params = SearchParams()
    final = publishable(compiled, weights_of(compiled, params), keep_bent=False)
    weights = _growing(compiled, final)
    problem = build_problem(compiled, weights, params)
    state = new_state(problem, seed)
    if start is not None:
        put_all(problem, state, *loadable(problem, *start))
        clear_breaches(compiled, problem, weights, state)
    order = _order(problem, seed)
    ejecting = control.until(EJECTION_SECONDS)
    for part in _ranks_apart(problem, order) if by_rank else (order,):
        _place(problem, state, part, control, first=first)
        _eject(problem, state, part, ejecting)
    # Where others wait for this floor it is finished, and a few sessions take no time.
    giving = Control() if first and control.stop is not Stop.CANCEL else control
    give_way(problem, state, order, giving.until(EJECTION_SECONDS))
    if final.total(count_rules(compiled, state.slot, state.room))[1] > 0:
        problem, state = _judged(compiled, problem, state, final, params)
    return Floor(state.slot, state.room)


def _ranks_apart(problem: Problem, order: Ints) -> Iterator[Ints]:
    """Parts of the order, highest rank first."""
    rank = problem.rank[problem.course_of[order]]
    return (order[rank == one] for one in np.unique(rank)[::-1])


def _place(problem: Problem, state: State, order: Ints, control: Control, *, first: bool) -> None:
    unstoppable = np.zeros(NUM_WORDS, dtype=np.int64)
    for done in range(0, len(order), SESSIONS_PER_CHUNK):
        if (control.stop is Stop.CANCEL) if first else control.should_stop:
            break
        place_sessions(problem, state, order[done : done + SESSIONS_PER_CHUNK], True, unstoppable)
        control.beat()


def _growing(compiled: Compiled, weights: Weights) -> Weights:
    growing = np.array([rule.growing for rule in RULES])
    return weights._replace(hard=np.where(growing, 0, weights.hard))


def _judged(
    compiled: Compiled, problem: Problem, state: State, final: Weights, params: SearchParams
) -> tuple[Problem, State]:
    """The same timetable under all hard rules, without the sessions that break one of them."""
    judging = build_problem(compiled, final, params)
    judged = new_state(judging, seed=0)
    put_all(judging, judged, state.slot, state.room)
    clear_breaches(compiled, judging, final, judged)
    return judging, judged


def _order(problem: Problem, seed: int) -> Ints:
    """Most constrained first; the seed shuffles sessions of one difficulty by shuffling all of them a little."""
    order = placing_order(problem)
    shift = np.random.default_rng(seed).uniform(0, 0.02 * len(order), len(order)) if seed else np.zeros(len(order))
    pinned = problem.frozen[order] > 0
    return order[np.lexsort((np.arange(len(order)) + shift, ~pinned))]


def _eject(problem: Problem, state: State, order: Ints, control: Control) -> None:
    for s in order[state.slot[order] < 0].tolist():
        if control.should_stop:
            return
        if problem.frozen[s] < 3:
            eject_for(problem, state, s, EJECTION_TRIES)
