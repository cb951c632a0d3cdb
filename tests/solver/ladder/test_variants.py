"""Several timetables: verified, distant, each better at something it can name."""

from __future__ import annotations

from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset
from solver.ladder.variants import EMPHASES, distance, stressed
from solver.ladder.walk import solve
from solver.model import Dataset, Link
from solver.params import SolveParams
from solver.rules import RULE_IDS
from solver.samples import sample
from solver.verify import verify
from tests.builders import course, dataset, datasets, link, random_timetable, room, timetable


def test_distance_is_the_share_of_sessions_that_stand_elsewhere() -> None:
    data = dataset(*(course(id) for id in "abcd"), room("r1"), room("r2"))
    first = timetable(a=0, b=1, c=2, d=3)
    assert distance(data, first, first) == 0
    assert distance(data, first, timetable(a=0, b=1, c=2, d=5)) == 0.25
    assert distance(data, first, timetable(a=(0, "r2"), b=1, c=2, d=3)) == 0.25
    assert distance(data, first, timetable(a=0, b=1)) == 0.5
    assert distance(data, timetable(a=0), timetable(b=0)) == 0.5


def test_sessions_that_are_open_in_both_count_as_the_same() -> None:
    data = dataset(course("a"), course("b", sessions=3))
    assert distance(data, timetable(a=0), timetable(a=0)) == 0
    assert distance(data, timetable(a=0, b=[5]), timetable(a=0, b=[None, None, 5])) == 0


def test_the_numbers_of_interchangeable_sessions_make_no_distance() -> None:
    data = dataset(course("a", sessions=4), room("r1"), room("r2"))
    assert distance(data, timetable(a=[0, 5, 9, 12]), timetable(a=[9, 12, 5, 0])) == 0
    assert distance(data, timetable(a=[0, 0, 5, 9]), timetable(a=[0, 5, 5, 9])) == 0.25
    assert distance(data, timetable(a=[(0, "r1"), (5, "r2")]), timetable(a=[(0, "r2"), (5, "r1")])) == 0.5


@pytest.mark.parametrize(
    ("fixed", "tie", "expected"),
    [
        ([(0, 0)], None, 0.5),
        ([], link("precedence", ("a", 0), "b"), 0.5),
        ([], link("precedence", "a", "b"), 0),
        ([], link("precedence", ("a", 0), "b", tier="off"), 0),
    ],
)
def test_a_session_that_the_data_name_keeps_its_number(
    fixed: list[tuple[int, int]], tie: Link | None, expected: float
) -> None:
    parts = [course("a", sessions=3, fixed=fixed), course("b"), *([tie] if tie else [])]
    apart = distance(dataset(*parts), timetable(a=[0, 5, 9], b=12), timetable(a=[5, 0, 9], b=12))
    assert apart == expected


@settings(max_examples=50)
@given(data=datasets(), seed=st.integers(0, 2**32 - 1))
def test_distance_is_symmetric_and_never_more_than_by_number(data: Dataset, seed: int) -> None:
    rng = Random(seed)
    one, other = random_timetable(data, rng), random_timetable(data, rng)
    apart = distance(data, one, other)
    assert apart == distance(data, other, one)
    assert distance(data, one, one) == 0
    differing = sum(one.by_session.get(key) != other.by_session.get(key) for key in data.sessions)
    assert 0 <= apart <= differing / len(data.sessions) + 1e-9


def test_an_emphasis_multiplies_the_weights_it_names_and_no_others() -> None:
    compiled = compile_dataset(dataset(course("a")))
    student = next(emphasis for emphasis in EMPHASES if emphasis.name == "student_compact")
    weights = stressed(compiled, student).rule_weight
    changed = {RULE_IDS[k] for k in np.flatnonzero(weights != compiled.rule_weight)}
    assert changed <= set(student.factors) and "group_gap" in changed


def test_the_variants_of_a_sample_are_verified_distant_and_no_worse_on_the_hard_rules() -> None:
    data = sample("tiny")
    wanted = 0.2
    result = solve(data, SolveParams(time_limit_seconds=8.0, num_variants=3, min_distance=wanted))
    assert [variant.name for variant in result.variants] == ["balanced", "student_compact", "faculty_preference"]
    for variant in result.variants:
        assert variant.score == verify(data, variant.timetable).score
        assert variant.score[:3] <= result.best.score[:3]
    for one, other in combinations(result.variants, 2):
        apart = distance(data, one.timetable, other.timetable)
        assert apart >= wanted
        assert one.distances[other.name] == apart


def test_data_with_one_possible_timetable_yields_one_variant_and_says_why() -> None:
    data = dataset(course("a", fixed=[(0, 0, "r1")]), course("b", fixed=[(0, 1, "r1")]))
    result = solve(data, SolveParams(time_limit_seconds=2.0, num_variants=3))
    assert len(result.variants) == 1
    assert any("1 of 3 variants" in note for note in result.notes)
