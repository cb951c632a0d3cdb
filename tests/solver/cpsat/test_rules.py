from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, decode, encode
from solver.cpsat.exact import build_model
from solver.cpsat.plan import Treatment, treatments
from solver.cpsat.rules import BUILDERS
from solver.model import Dataset, Timetable
from solver.person_rules import IN_SESSIONS, PERSON_RULE
from solver.rules import RULE_IDS
from solver.verify import verify
from tests.builders import Planted, datasets, planted, random_timetable
from tests.solver.cpsat.counting import count_everything, counts_of, fix, minimised_counts
from tests.solver.rule_cases import CASES, Case, case_id
from tests.solver.week_cases import WEEK_CASES


@pytest.mark.parametrize("case", CASES + WEEK_CASES, ids=case_id)
def test_a_rule_counts_a_breach_and_nothing_where_it_just_holds(case: Case) -> None:
    broken, kept = (counts_of(case.dataset, table, split=True) for table in (case.breaks, case.keeps))
    assert broken is not None and kept is not None
    assert broken[case.rule] == case.count
    assert kept[case.rule] == 0


@pytest.mark.parametrize("case", CASES + WEEK_CASES, ids=case_id)
def test_a_kept_rule_makes_the_breach_impossible_and_nothing_else(case: Case) -> None:
    treat = {**dict.fromkeys(RULE_IDS, Treatment.IGNORE), case.rule: Treatment.FORBID}
    assert _possible(case.dataset, case.keeps, treat)
    assert not _possible(case.dataset, case.breaks, treat)


def _possible(data: Dataset, table: Timetable, treat: dict[str, Treatment]) -> bool:
    """Whether the narrowed model still has exactly this timetable among its solutions."""
    slots, rooms = encode(table, data)
    builder = build_model(compile_dataset(data), slots, rooms, treat=treat, partial=True, split=True)
    placed = [(s, u) for u, unit in enumerate(builder.plan.units) for s in unit.sessions if slots[s] >= 0]
    for s, u in placed:
        if rooms[s] not in builder.plan.units[u].places.get(int(slots[s]), ()):
            return False
    fix(builder)
    return minimised_counts(builder) is not None


def test_every_rule_has_a_builder_or_is_about_the_shape_of_days() -> None:
    about_days = PERSON_RULE.keys()
    assert about_days & BUILDERS.keys() == IN_SESSIONS
    assert about_days | BUILDERS.keys() == set(RULE_IDS)


@settings(max_examples=60, deadline=None)
@given(data=datasets(), seed=st.integers(0, 2**32 - 1))
def test_model_and_verifier_agree_on_any_timetable_rule_by_rule(data: Dataset, seed: int) -> None:
    table = random_timetable(data, Random(seed))
    assert counts_of(data, table, split=True) == verify(data, table).counts


@settings(max_examples=60, deadline=None)
@given(case=planted(), seed=st.integers(0, 2**32 - 1), bend=st.booleans())
def test_the_production_model_allows_what_keeps_the_hard_rules_and_counts_the_rest(
    case: Planted, seed: int, bend: bool
) -> None:
    data, rng = case.dataset, Random(seed)
    compiled = compile_dataset(data)
    treat = treatments(compiled, bend=bend)
    table = case.timetable
    if rng.random() < 0.5:
        other = random_timetable(data, rng).by_session
        moved = rng.choice(table.placements)
        table = Timetable(placements=tuple(other.get(p.key, p) if p.key == moved.key else p for p in table.placements))
    report = verify(data, table)
    allowed = all(report.counts[rule] == 0 for rule in RULE_IDS if treat[rule] is Treatment.FORBID)
    slots, rooms = encode(table, data)
    builder = build_model(compiled, slots, rooms, treat=treat, partial=True)
    present = (
        all(
            slots[s] < 0 or rooms[s] in unit.places.get(int(slots[s]), ())
            for unit in builder.plan.units
            for s in unit.sessions
        )
        and sum(builder.value(literal) for x in builder.x for literal in x.values()) == report.placed
    )
    fix(builder)
    counts = minimised_counts(builder) if present else None
    assert (counts is not None) == allowed
    if counts is not None:
        for rule in RULE_IDS:
            if treat[rule] is Treatment.PRICE:
                assert counts[rule] == report.counts[rule], rule


@settings(max_examples=60, deadline=None)
@given(data=datasets(), seed=st.integers(0, 2**32 - 1))
def test_a_neighbourhood_counts_exactly_what_its_free_sessions_change(data: Dataset, seed: int) -> None:
    rng, compiled = Random(seed), compile_dataset(data)
    first = encode(random_timetable(data, rng), data)
    free = [s for s in range(compiled.num_sessions) if rng.random() < 0.5]
    moves = np.isin(np.arange(compiled.num_sessions), free)
    second = tuple(np.where(moves, b, a) for a, b in zip(first, encode(random_timetable(data, rng), data), strict=True))
    change = []
    for slots, rooms in (first, second):
        builder = build_model(compiled, slots, rooms, treat=count_everything(), free=free, partial=True, split=True)
        fix(builder)
        counts = minimised_counts(builder)
        assert counts is not None
        whole = verify(data, decode(slots, rooms, data)).counts
        change.append({rule: whole[rule] - counts[rule] for rule in RULE_IDS})
    assert change[0] == change[1]


@settings(max_examples=30, deadline=None)
@given(case=planted())
def test_the_hint_is_complete_and_feasible_auxiliaries_included(case: Planted) -> None:
    compiled = compile_dataset(case.dataset)
    slots, rooms = encode(case.timetable, case.dataset)
    builder = build_model(compiled, slots, rooms, treat=treatments(compiled, bend=False))
    for variable, hint in zip(builder.variables, builder.hints, strict=True):
        builder.model.add(variable == hint)
    counts = minimised_counts(builder)
    report = verify(case.dataset, case.timetable)
    treat = treatments(compiled, bend=False)
    assert counts is not None
    assert {r: n for r, n in counts.items() if treat[r] is Treatment.PRICE} == {
        r: n for r, n in report.counts.items() if treat[r] is Treatment.PRICE
    }
