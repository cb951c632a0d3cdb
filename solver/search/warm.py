"""Compiles, or loads from the cache, every kernel by using it once."""

from __future__ import annotations

import numpy as np

from solver.compiled import compile_dataset
from solver.control import Control
from solver.model import Course, Dataset, Room
from solver.search.engine import anneal
from solver.search.greedy import eject_for
from solver.search.params import SearchParams
from solver.search.problem import build_problem, weights_of
from solver.search.repair import strip
from solver.search.state import new_state

PROPOSALS = 1000


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
    eject_for(problem, new_state(problem, seed=0), 0, 1)
