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
from solver.rules import RULE_IDS
from solver.search.recount import count_rules, gap_units, isolated_units, run_units
from solver.verify import verify
from tests.builders import datasets, random_timetable
from tests.solver.rule_cases import CASES, Case, case_id


@settings(max_examples=150)
@given(datasets(), st.integers(0, 2**32 - 1))
def test_array_counters_agree_with_the_verifier_on_every_rule(data: Dataset, seed: int) -> None:
    context = build_context(data)
    compiled = compile_dataset(data, context=context)
    timetable = random_timetable(data, Random(seed))
    counted = count_rules(compiled, *encode(timetable, data))
    assert list(counted) == list(RULE_IDS)
    assert counted == verify(data, timetable, context=context).counts


@pytest.mark.parametrize("case", CASES, ids=case_id)
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
    day = np.array([[1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=bool)
    assert gap_units(day).tolist() == [2, 0, 0]
    assert isolated_units(day).tolist() == [1, 0, 0]
    rest = np.zeros((3, 6), dtype=bool)
    assert run_units(day, 2, rest).tolist() == [1, 0, 4]
    rest[2, 3] = True
    assert run_units(day, 2, rest).tolist() == [1, 0, 2], "a run ends at a break of its day"
