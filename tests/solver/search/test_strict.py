"""Strict mode notices what a search keeps wrongly, also where no move has been priced by it yet."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import solver.search
from solver.compiled import compile_dataset
from solver.control import Control
from solver.search import SearchParams, SearchResult, anneal
from solver.search.annealing import anneal_level
from solver.search.building import build_problem
from solver.search.problem import Problem
from solver.search.state import BUSY, TWICE, State
from tests.builders import course, dataset, grid, teacher
from tests.solver.search.cases import nothing_placed

STRICT = SearchParams(max_proposals=400, levels=8, accept_share=1.0, strict=True, start_temperature=1e6)
IDLE = 0
"""The first teacher of `anneal_strictly` teaches nothing, so no move is ever priced by a day of theirs."""


def anneal_strictly() -> SearchResult:
    data = dataset(teacher("idle"), course("a", groups="g"), course("b", groups="g"), grid=grid(2, 4))
    compiled = compile_dataset(data)
    return anneal(data, compiled, nothing_placed(compiled), control=Control(), seconds=60, seed=1, params=STRICT)


def damaging(damage: Callable[[State], None]) -> Callable[..., Any]:
    """The kernel, but what it leaves behind is damaged."""

    def level(problem: Problem, state: State, *rest: Any) -> Any:
        done = anneal_level(problem, state, *rest)
        damage(state)
        return done

    return level


def wrong_day(column: int) -> Callable[[State], None]:
    def damage(state: State) -> None:
        state.mask[IDLE, 1, column] ^= 0b0101

    return damage


def wrong_count(field: str) -> Callable[[State], None]:
    def damage(state: State) -> None:
        getattr(state, field)[IDLE] += 1

    return damage


COUNTS = ("busy_count", "day_count", "course_day", "days_used", "slot_count")
DAMAGES = [
    ("mask", wrong_day(BUSY)),
    ("mask", wrong_day(TWICE)),
    *((name, wrong_count(name)) for name in COUNTS),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda pair: pair[0])
def test_a_count_that_is_kept_wrongly_is_noticed(
    monkeypatch: pytest.MonkeyPatch, damage: tuple[str, Callable[[State], None]]
) -> None:
    name, spoil = damage
    anneal_strictly()
    monkeypatch.setattr("solver.search.engine.anneal_level", damaging(spoil))
    with pytest.raises(AssertionError, match=rf"State\.{name}\[\d.*\] is kept as .* a recount finds"):
        anneal_strictly()


def test_a_wrong_price_of_a_day_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of day shapes is not made of what recounts them, so that a mistake in one of the two shows."""

    def mispriced(*args: Any) -> Problem:
        problem = build_problem(*args)
        return replace(problem, shape_table=np.ascontiguousarray(problem.shape_table[:, ::-1]))

    monkeypatch.setattr("solver.search.engine.build_problem", mispriced)
    with pytest.raises(AssertionError, match="the kernel claims"):
        anneal_strictly()


RECOUNT = {"recount", "recount_days", "recount_links"}
MAY_ASK = {"__init__", "engine", "repair", "strict"}
"""Who may ask what a whole timetable costs. Nobody of them builds a table or evaluates a move."""


def test_the_recount_and_what_prices_moves_share_no_code() -> None:
    for path in Path(solver.search.__path__[0]).glob("*.py"):
        imported = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        of_search = {module for module in imported if module and module.startswith("solver.search")}
        if path.stem in RECOUNT:
            assert of_search <= {f"solver.search.{stem}" for stem in RECOUNT}
        elif path.stem not in MAY_ASK:
            assert not of_search & {f"solver.search.{stem}" for stem in RECOUNT}, path.name
