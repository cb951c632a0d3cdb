"""Compiles, or loads from the cache, every kernel by using it once."""

from __future__ import annotations

from functools import cache

import numpy as np

from solver.compiled import compile_dataset
from solver.control import Control
from solver.model import Course, Dataset, Room
from solver.search.annealing import remember_now
from solver.search.building import build_problem
from solver.search.ejection import eject_for, take_out_courses, take_out_strays
from solver.search.engine import anneal
from solver.search.giving_way import count_losses, take_start
from solver.search.greedy import put_all
from solver.search.params import SearchParams
from solver.search.repair import mend, strip
from solver.search.state import new_state
from solver.search.weights import weights_of

PROPOSALS = 1000


@cache
def warm_up() -> None:
    """
    Makes the first real search start at once: about half a minute when nothing is cached, a fraction of a second later.

    All datasets share one signature per kernel, so a tiny one will do.
    """
    courses = tuple(Course(id=f"c{i}", expected_students=1, max_sessions_per_day=None) for i in range(3))
    dataset = Dataset(name="warm-up", rooms=(Room(id="r", capacity=1),), courses=courses)
    compiled = compile_dataset(dataset)
    clashing = np.zeros(compiled.num_sessions, dtype=np.int32)
    params = SearchParams(max_proposals=PROPOSALS, levels=2)
    anneal(dataset, compiled, (clashing, clashing), control=Control(), seconds=60, seed=0, params=params)
    strip(compiled, clashing, clashing, keep_bent=False)
    problem = build_problem(compiled, weights_of(compiled, params), params)
    state = new_state(problem, seed=0)
    eject_for(problem, state, 0, 1)
    put_all(problem, state, clashing, clashing)
    mend(problem, state, Control())
    remember_now(state)
    take_out_courses(problem, state, clashing[:0])
    take_out_strays(problem, state)
    state = new_state(problem, seed=0)
    count_losses(problem, state, 0, clashing, np.zeros(len(clashing), dtype=np.int64))
    take_start(problem, state, 0, 0)
