"""The list of rules, what a dataset may change about them, and the only place where weights meet counts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.model import Dataset, Faculty, RuleSetting
from solver.rules import (
    CONTEXT_POINTS,
    PREFERENCE_POINTS,
    RULE_IDS,
    RULE_OF,
    RULES,
    Score,
    fair_share,
    peak_limit,
    preference_points,
    profile_of,
    score,
    travel_units,
    waste_units,
)
from tests.builders import course, dataset

RIGID = ("faculty_clash", "room_clash", "group_clash", "slot_forbidden", "fixed_moved")


@pytest.fixture
def data() -> Dataset:
    return dataset(course("a"))


def test_every_rule_has_an_id_of_its_own_and_a_sentence_for_people() -> None:
    assert len(set(RULE_IDS)) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", rule.id)
        assert rule.sentence[0].isupper()
        assert rule.sentence.endswith(".")
        assert rule.unit
        assert rule.weight >= 1


def test_no_rule_is_told_by_its_id() -> None:
    for rule in RULES:
        for text in (rule.name, rule.sentence, rule.amount(1), rule.amount(2)):
            assert "_" not in text and "`" not in text
            assert "faculty" not in text.lower()  # people say teacher
        assert rule.name[0].isupper() and rule.name.lower() != rule.id.replace("_", " ")


def test_amounts_are_told_in_one_and_in_many() -> None:
    assert RULE_OF["room_stability"].amount(1) == "1 extra room"
    assert RULE_OF["room_stability"].amount(5) == "5 extra rooms"
    assert RULE_OF["room_capacity"].amount(0) == "0 students without a seat"


def test_exactly_five_rules_are_rigid_and_the_other_hard_ones_have_a_price() -> None:
    assert tuple(rule.id for rule in RULES if rule.tier == "hard" and rule.price is None) == RIGID
    assert all(rule.price is None for rule in RULES if rule.tier != "hard")


def test_bendable_limits_stand_in_the_order_of_their_price() -> None:
    limits = ["group_daily_limit", "course_daily_limit", "faculty_daily_limit", "faculty_weekly_limit"]
    prices = [rule.price for rule in RULES if rule.id in limits]
    assert prices == sorted(p for p in prices if p is not None)


def test_a_profile_without_settings_is_the_list_of_rules(data: Dataset) -> None:
    profile = profile_of(data)
    assert tuple(profile.rules) == RULE_IDS
    for rule in RULES:
        active = profile[rule.id]
        assert (active.tier, active.value) == (rule.tier, rule.value)
        assert active.weight == (rule.price if rule.price is not None else rule.weight)
        assert active.rigid == (rule.id in RIGID)
        assert profile.is_on(rule.id) == (rule.tier != "off")


def test_a_dataset_may_change_tier_weight_and_value_of_any_rule() -> None:
    settings = {
        "room_capacity": RuleSetting(tier="soft", weight=1),
        "group_gap": RuleSetting(tier="hard"),
        "faculty_clash": RuleSetting(tier="off"),
        "min_days": RuleSetting(weight=9),
        "consecutive_limit": RuleSetting(value=2),
    }
    profile = profile_of(dataset(course("a"), rules=settings))
    assert (profile["room_capacity"].tier, profile["room_capacity"].bendable) == ("soft", False)
    assert (profile["group_gap"].bendable, profile["group_gap"].rigid, profile["group_gap"].weight) == (True, False, 2)
    assert not profile.is_on("faculty_clash")
    assert profile["min_days"].weight == 9
    assert (profile["consecutive_limit"].value, profile["consecutive_limit"].weight) == (2, 2)


@pytest.mark.parametrize("base", [RuleSetting(tier="off"), RuleSetting(tier="soft"), RuleSetting(bendable=False)])
def test_core_clash_is_off_where_student_clash_may_not_be_bent_unless_a_dataset_says_more(base: RuleSetting) -> None:
    profile = profile_of(dataset(course("a"), rules={"student_clash": base, "core_clash": RuleSetting(weight=7)}))
    assert profile["core_clash"].tier == "off"
    rules = {"student_clash": base, "core_clash": RuleSetting(tier="hard", weight=7)}
    assert profile_of(dataset(course("a"), rules=rules))["core_clash"].weight == 7


def test_core_clash_may_be_rigid_while_student_clash_bends() -> None:
    profile = profile_of(dataset(course("a"), rules={"core_clash": RuleSetting(bendable=False)}))
    assert profile["core_clash"].rigid and profile["student_clash"].bendable


def test_overrides_win_over_the_dataset() -> None:
    data = dataset(course("a"), rules={"group_gap": "off"})
    assert profile_of(data)["group_gap"].tier == "off"
    assert profile_of(data, {"group_gap": RuleSetting(tier="soft", weight=4)})["group_gap"].weight == 4


def test_unknown_rules_are_refused_all_at_once(data: Dataset) -> None:
    with pytest.raises(InputError) as error:
        profile_of(data, {"tea_break": RuleSetting(), "nap": RuleSetting()})
    assert [issue.pointer for issue in error.value.issues] == ["/rules/tea_break", "/rules/nap"]
    assert {issue.code for issue in error.value.issues} == {"unknown_rule"}


def test_each_count_goes_to_the_level_of_its_rule(data: Dataset) -> None:
    profile = profile_of(data)
    counts = {"faculty_clash": 2, "room_clash": 1, "student_clash": 3, "min_days": 2, "group_gap": 1, "student_gap": 50}
    assert score(counts, profile, unplaced=4) == Score(rigid=3, unplaced=4, bent=3 * 24, soft=2 * 5 + 1 * 2)


def test_a_rigid_rule_counts_units_whatever_its_weight() -> None:
    data = dataset(course("a"), rules={"room_clash": RuleSetting(weight=100)})
    assert score({"room_clash": 2}, profile_of(data)).rigid == 2


def test_a_soft_rule_made_hard_is_bent_at_its_weight() -> None:
    data = dataset(course("a"), rules={"min_days": RuleSetting(tier="hard")})
    assert score({"min_days": 2}, profile_of(data)) == Score(rigid=0, unplaced=0, bent=10, soft=0)


def test_scores_compare_by_rigid_then_unplaced_then_bent_then_soft() -> None:
    worse_and_worse = [Score(0, 0, 0, 9), Score(0, 0, 1, 0), Score(0, 1, 0, 0), Score(1, 0, 0, 0)]
    assert sorted([*worse_and_worse[2:], *worse_and_worse[:2]]) == worse_and_worse
    assert [each.complete for each in worse_and_worse] == [True, False, False, False]


@given(st.dictionaries(st.sampled_from(RULE_IDS), st.integers(0, 10**6)), st.sampled_from(RULE_IDS))
def test_one_more_unit_never_makes_a_score_better(counts: dict[str, int], rule_id: str) -> None:
    profile = profile_of(dataset(course("a")))
    more = {**counts, rule_id: counts.get(rule_id, 0) + 1}
    assert score(more, profile) >= score(counts, profile)


@pytest.mark.parametrize(("liking", "points"), [(1.0, 0), (0.9, 1), (0.5, 5), (0.25, 8), (0.0, PREFERENCE_POINTS)])
def test_preference_points_are_the_tenths_that_are_missing(liking: float, points: int) -> None:
    assert preference_points(liking) == points


@pytest.mark.parametrize(
    ("preferences", "likings", "points"),
    [
        ({}, (0.5,), (0,)),
        ({0: 0.1}, (0.1, 0.5), (4, 0)),
        ({0: 0.1, 1: 1.0}, (0.1, 0.5, 1.0), (4, 0, 0)),
        ({0: 0.9}, (0.5, 0.9), (4, 0)),
        ({0: 0.5}, (0.5,), (0,)),
        ({0: 0.9, 1: 0.3, 2: 0.3, 3: 0.3}, (0.9, 0.3), (0, 6)),
        (dict.fromkeys(range(4), 0.2), (0.2,), (0,)),
    ],
)
def test_a_teacher_is_content_with_what_was_asked_for_and_pays_for_what_falls_short_of_it(
    preferences: dict[int, float], likings: tuple[float, ...], points: tuple[int, ...]
) -> None:
    contented = Faculty(id="f", preferences=preferences).contented_at(4)
    assert tuple(preference_points(liking, contented) for liking in likings) == points


@pytest.mark.parametrize(("capacity", "students", "units"), [(30, 30, 0), (39, 30, 0), (40, 30, 1), (10, 30, 0)])
def test_waste_counts_full_units_of_empty_seats(capacity: int, students: int, units: int) -> None:
    assert waste_units(capacity, students) == units


@pytest.mark.parametrize(("minutes", "units"), [(0, 0), (1, 1), (5, 1), (6, 2), (20, 4)])
def test_travel_counts_started_units(minutes: int, units: int) -> None:
    assert travel_units(minutes) == units


@pytest.mark.parametrize(("minutes", "between", "units"), [(20, 20, 0), (20, 19, 1), (20, 15, 1), (20, 30, 0)])
def test_travel_counts_what_does_not_fit_between_two_sessions(minutes: int, between: int, units: int) -> None:
    assert travel_units(minutes, between) == units


@pytest.mark.parametrize(("sessions", "days", "share"), [(3, 0, 3), (0, 5, 0), (5, 5, 1), (6, 5, 2), (10, 5, 2)])
def test_the_fair_share_is_an_even_spread_rounded_up(sessions: int, days: int, share: int) -> None:
    assert fair_share(sessions, days) == share


@pytest.mark.parametrize(("total", "slots", "limit"), [(0, 20, 1), (4, 20, 1), (20, 20, 2), (160, 40, 5)])
def test_the_peak_is_one_and_a_quarter_times_the_mean_rounded_up_and_at_least_one(
    total: int, slots: int, limit: int
) -> None:
    assert peak_limit(total, slots) == limit


def test_points_of_a_place_are_bounded() -> None:
    assert (PREFERENCE_POINTS, CONTEXT_POINTS) == (10, 10)
