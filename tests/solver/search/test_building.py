"""What the kernels read: packed weights, the rooms worth a look, and one kernel signature for all datasets."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import Compiled, compile_dataset
from solver.model import RuleSetting
from solver.rules import RULE_IDS
from solver.search import SearchParams
from solver.search.annealing import anneal_level
from solver.search.building import build_problem
from solver.search.day_shapes import DAY_RULES, GROUP, LONE, NUM_KINDS, STUDENT
from solver.search.precompile import warm_up
from solver.search.recount import COUNTERS, Placed
from solver.search.state import cost_of
from solver.search.weights import HARD, RIGID_UNITS, publishable, soft_unit, weights_of
from tests.builders import course, crowded_students, dataset, grid, room
from tests.solver.search.cases import random_case


@pytest.mark.parametrize("cost", [-5, 0, 7, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("hard", [-3, 0, 4096])
def test_a_packed_cost_gives_back_both_halves_with_their_signs(cost: int, hard: int) -> None:
    packed = cost + HARD * hard
    assert getattr(cost_of, "py_func", cost_of)(packed) == cost
    assert (packed - getattr(cost_of, "py_func", cost_of)(packed)) >> 32 == hard


def test_bent_rules_cost_in_proportion_to_their_price_and_rigid_ones_most() -> None:
    compiled = compile_dataset(dataset(course("a")))
    bent = weights_of(compiled, SearchParams(bend=True))
    kept = weights_of(compiled, SearchParams(bend=False))
    cost = dict(zip(RULE_IDS, bent.cost.tolist(), strict=True))
    assert cost["room_capacity"] < cost["faculty_daily_limit"] < cost["student_clash"] <= cost["faculty_clash"]
    assert kept.of("room_capacity") % HARD == kept.of("faculty_clash") % HARD == 20
    assert kept.of("faculty_clash") // HARD == RIGID_UNITS and kept.of("group_gap") == 2
    assert publishable(compiled, bent, keep_bent=True).of("student_clash") < HARD


@pytest.mark.parametrize("bend", [False, True])
def test_two_core_courses_cost_more_together_only_where_students_may_have_to_clash(bend: bool) -> None:
    compiled, params = compile_dataset(crowded_students()), SearchParams(bend=bend)
    p = build_problem(compiled, weights_of(compiled, params), params)
    core, elective, *_ = p.conflict_cost.tolist()  # a with b, and a with c
    each = weights_of(compiled, params).of("student_clash")
    more = weights_of(compiled, params).of("core_clash")
    assert (core, elective) == (4 * (each + more), 5 * each)
    assert (more != 0) == (core > elective) == bend


def test_weights_follow_the_scale_of_the_soft_rules() -> None:
    on = {"group_gap": RuleSetting(tier="soft", weight=50)}
    off = {rule_id: RuleSetting(tier="off") for rule_id in RULE_IDS if rule_id not in ("group_gap", "room_clash")}
    compiled = compile_dataset(dataset(course("a"), rules={**off, **on}))
    assert soft_unit(compiled) == 50
    assert weights_of(compiled, SearchParams()).of("room_clash") % HARD == 1000


def test_rooms_that_fit_stand_cheapest_first_and_are_never_missing() -> None:
    rooms = [room("large", 90), room("small", 31), room("tiny", 5), room("lab", 40, type="lab")]
    data = dataset(course("a", size=30, types="lecture_hall"), course("b", size=500), *rooms, grid=grid(1, 2))
    compiled, params = compile_dataset(data), SearchParams()
    p = build_problem(compiled, weights_of(compiled, params), params)
    fits = [p.fit[p.fit_ptr[row] : p.fit_ptr[row + 1]].tolist() for row in p.room_row]
    assert fits[0] == [1, 0]
    assert fits[1][0] == 0 and len(fits[1]) == 4, "no room is large enough: the least overfull one comes first"


def test_all_datasets_share_one_signature_per_kernel() -> None:
    warm_up()
    before = len(getattr(anneal_level, "signatures", ()))
    for seed in range(5):
        case = random_case(Random(seed))
        p = build_problem(case.compiled, weights_of(case.compiled, SearchParams()), SearchParams())
        values = list(p.contents().values())
        assert all(isinstance(v, (int, np.ndarray)) for v in values)
        assert not any(v.flags.writeable for v in values if isinstance(v, np.ndarray))
    warm_up()
    assert len(getattr(anneal_level, "signatures", ())) == before


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_the_table_of_day_shapes_prices_every_day_as_a_recount_does(seed: int) -> None:
    case = random_case(Random(seed))
    c, params = case.compiled, SearchParams(bend=seed % 2 == 0)
    weights = weights_of(c, params)
    p = build_problem(c, weights, params)
    for kind in (GROUP, STUDENT, LONE):
        for day, plan in enumerate(p.plan_of.tolist()):
            for mask in range(1 << c.day_periods[day]):
                counted = counted_on_one_day(c, day, mask, kind)
                expected = sum(weights.of(rule_id) * count for rule_id, count in counted.items())
                assert p.shape_table[plan * NUM_KINDS + kind, mask] == expected, (kind, day, mask, counted)


def counted_on_one_day(c: Compiled, day: int, mask: int, kind: int) -> dict[str, int]:
    """What the recount finds under the rules about days where one cohort, or one student, is busy in these periods."""
    busy, nobody = np.zeros((2, 1, c.num_days, c.num_periods), dtype=bool)
    busy[0, day] = (mask >> np.arange(c.num_periods)) & 1 == 1
    nobody = nobody[:0]
    groups, students = (busy, nobody) if kind == GROUP else (nobody, busy)
    attendees = nobody if kind == STUDENT else busy
    placed = SimpleNamespace(compiled=c, group_days=groups, student_days=students, attendee_days=attendees)
    return {rule_id: COUNTERS[rule_id](cast(Placed, placed)) for rule_id in DAY_RULES}
