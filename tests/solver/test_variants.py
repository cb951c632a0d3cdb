"""Several timetables: verified, distant, each better at something it can name."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from solver.compiled import compile_dataset
from solver.ladder import solve
from solver.params import SolveParams
from solver.rules import RULE_IDS
from solver.samples import sample
from solver.variants import EMPHASES, distance, stressed
from solver.verifier import verify
from tests.builders import course, dataset, timetable


def test_distance_is_the_share_of_sessions_that_stand_elsewhere() -> None:
    first = timetable(a=0, b=1, c=2, d=3)
    assert distance(first, first, 4) == 0
    assert distance(first, timetable(a=0, b=1, c=2, d=5), 4) == 0.25
    assert distance(first, timetable(a=(0, "r2"), b=1, c=2, d=3), 4) == 0.25
    assert distance(first, timetable(a=0, b=1), 4) == 0.5


def test_sessions_that_are_open_in_both_count_as_the_same() -> None:
    assert distance(timetable(a=0), timetable(a=0), 2) == 0


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
        apart = distance(one.timetable, other.timetable, len(data.sessions))
        assert apart >= wanted
        assert one.distances[other.name] == apart


def test_data_with_one_possible_timetable_yields_one_variant_and_says_why() -> None:
    data = dataset(course("a", fixed=[(0, 0, "r1")]), course("b", fixed=[(0, 1, "r1")]))
    result = solve(data, SolveParams(time_limit_seconds=2.0, num_variants=3))
    assert len(result.variants) == 1
    assert any("1 of 3 variants" in note for note in result.notes)
