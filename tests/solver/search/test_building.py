"""What the kernels read: packed weights, the rooms worth a look, and one kernel signature for all datasets."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import Compiled, compile_dataset
from solver.model import RuleSetting
from solver.person_rules import DAY_KINDS, PERSON_RULES
from solver.rules import RULE_IDS
from solver.search import SearchParams
from solver.search.annealing import anneal_level
from solver.search.building import build_problem, people_of_resources
from solver.search.precompile import warm_up
from solver.search.recount_days import DAY_MINUTES, UNITS, Clock, Days
from solver.search.state import cost_of
from solver.search.weights import HARD, RIGID_UNITS, Weights, publishable, soft_unit, weights_of
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
    case, rng = random_case(Random(seed)), Random(seed)
    c, params = case.compiled, SearchParams(bend=seed % 2 == 0)
    weights = weights_of(c, params)
    p = build_problem(c, weights, params)
    people = people_of_resources(c, weights)
    for x in rng.sample(range(len(people)), min(len(people), 3)):
        for day in range(c.num_days):
            for mask in range(1 << int(c.day_periods[day])):
                expected = priced_by_recount(c, weights, int(people[x]), day, mask)
                assert p.shape_table[p.shape_row[x, day], mask] == expected, (x, day, mask)


def priced_by_recount(c: Compiled, weights: Weights, person: int, day: int, mask: int) -> int:
    """What the recount finds under the rules about days where one person is busy in these periods of a day."""
    busy = ((mask >> np.arange(c.num_periods)) & 1 == 1)[None, None, :]
    today = slice(day * c.num_periods, (day + 1) * c.num_periods)
    clock = Clock(
        *(table[None, today] - np.int64(DAY_MINUTES * day) for table in (c.slot_start, c.slot_end)),
        c.rest[None, today] > 0,
        c.day_periods[day : day + 1].astype(np.int64),
    )
    total = 0
    for k, number in enumerate(c.person_rule.tolist() if person >= 0 else []):
        rule, limit = PERSON_RULES[number], int(c.person_limit[k, person])
        if limit >= 0 and rule.kind in DAY_KINDS:
            minutes, window = bool(c.person_in_minutes[k]), (int(c.person_window[k, 0]), int(c.person_window[k, 1]))
            closed = c.closed[person, today][None, None, :] > 0
            days = Days(busy, closed, np.array([limit], dtype=np.int64), minutes, window, clock)
            total += weights.of(rule.id) * int(UNITS[rule.kind](days).sum())
    return total
