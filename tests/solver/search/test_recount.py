"""The second counter against the first: two independent ways to count every rule, on any timetable."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, encode
from solver.context import build_context
from solver.model import Dataset
from solver.person_rules import KindName
from solver.rules import RULE_IDS
from solver.search.recount import count_rules
from solver.search.recount_days import UNITS, Clock, Days
from solver.verify import verify
from tests.builders import datasets, random_timetable
from tests.solver.rule_cases import CASES, Case, case_id
from tests.solver.week_cases import WEEK_CASES


@settings(max_examples=150)
@given(datasets(), st.integers(0, 2**32 - 1))
def test_array_counters_agree_with_the_verifier_on_every_rule(data: Dataset, seed: int) -> None:
    context = build_context(data)
    compiled = compile_dataset(data, context=context)
    timetable = random_timetable(data, Random(seed))
    counted = count_rules(compiled, *encode(timetable, data))
    assert list(counted) == list(RULE_IDS)
    assert counted == verify(data, timetable, context=context).counts


@pytest.mark.parametrize("case", CASES + WEEK_CASES, ids=case_id)
def test_a_breach_is_counted_and_nothing_where_a_rule_just_holds(case: Case) -> None:
    compiled = compile_dataset(case.dataset)
    broken, kept = (count_rules(compiled, *encode(table, case.dataset)) for table in (case.breaks, case.keeps))
    assert (broken[case.rule], kept[case.rule]) == (case.count, 0)


def test_an_empty_timetable_breaks_nothing() -> None:
    data = datasets_example()
    compiled = compile_dataset(data)
    nothing = np.full(compiled.num_sessions, -1, dtype=np.int32)
    assert set(count_rules(compiled, nothing, nothing).values()) == {0}


def datasets_example() -> Dataset:
    from tests.builders import random_dataset

    return random_dataset(Random(5), 6)


def test_shapes_of_a_day_count_gaps_isolated_periods_and_long_runs() -> None:
    day = np.array([[1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=bool)[:, None, :]

    def units(kind: KindName, limit: int, *, rest: int | None = None, closed: int | None = None) -> list[int]:
        shut = np.arange(6) == closed
        clock = Clock(*np.array([[range(8, 14)], [range(9, 15)]]), (np.arange(6) == rest)[None, :], np.array([6]))
        days = Days(day, np.broadcast_to(shut, day.shape), np.full(3, limit), False, (0, 0), clock)
        found: list[int] = UNITS[kind](days).tolist()
        return found

    assert units("gap", 0) == [2, 0, 0]
    assert units("gap", 1) == units("gap", 0, closed=2) == [1, 0, 0]
    assert units("isolated", 0) == [1, 0, 0]
    assert units("run", 2) == [1, 0, 4]
    assert units("run", 2, rest=3) == [1, 0, 2], "a run ends at a break"
