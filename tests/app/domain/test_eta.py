"""The estimate of the end: within the budget, learned from what was measured, smooth, and a number of at least one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.eta import SMOOTH_SECONDS, Estimate, RunTimes

SHARES = st.lists(st.floats(0, 1), max_size=25)
SIZES = st.none() | st.integers(0, 30_000)


def experienced(shares: list[float], sessions: int | None = 100) -> RunTimes:
    run_times = RunTimes()
    for share in shares:
        run_times.learn_run(share, sessions)
    return run_times


@given(SHARES, SIZES, st.floats(0, 4000), st.floats(1, 3600))
def test_a_run_is_never_expected_to_outlive_its_limit(
    shares: list[float], sessions: int | None, used: float, limit: float
) -> None:
    rest = experienced(shares, sessions).solving(used, limit, sessions)
    assert 0 <= rest <= max(0.0, limit - used) + 1e-6


@given(st.floats(0, 3600), st.floats(1, 3600), SIZES)
def test_without_experience_the_budget_is_the_estimate(used: float, limit: float, sessions: int | None) -> None:
    assert RunTimes().solving(used, limit, sessions) == pytest.approx(max(0.0, limit - used), abs=1e-6)


def test_runs_that_ended_early_make_the_next_estimate_shorter_but_only_for_their_size() -> None:
    run_times = experienced([0.01] * 20)
    assert run_times.solving(0, 300, 100) < 20
    assert run_times.solving(0, 300, 5000) == 300


def test_a_run_that_outlasts_all_others_is_expected_to_use_its_limit() -> None:
    assert experienced([0.01] * 20).solving(30, 300, 100) == pytest.approx(270)


def test_a_run_of_unknown_size_is_expected_to_be_like_all_others() -> None:
    run_times = experienced([0.1] * 10, 100)
    assert run_times.solving(0, 100, None) < 20


@given(st.lists(st.floats(0.01, 100), min_size=20, max_size=30), st.integers(0, 30_000))
def test_parts_outside_the_limit_are_learned_in_proportion_to_the_size(seconds: list[float], sessions: int) -> None:
    run_times = RunTimes()
    for each in seconds:
        run_times.learn("after", each, sessions)
    learned = run_times.outside("after", sessions)
    assert 0 < learned <= max(seconds) * 1.001 + 0.02
    assert run_times.outside("after", 30_001) >= learned


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 10)), min_size=1, max_size=30))
def test_the_estimate_shown_is_whole_positive_and_between_the_estimates_made(aims: list[tuple[float, float]]) -> None:
    estimate, now, ends = Estimate(), 1000.0, []
    for rest, gone in aims:
        now += gone
        estimate.aim(rest, now)
        ends.append(now + rest)
        assert estimate.end is not None and min(ends) - 1e-6 <= estimate.end <= max(ends) + 1e-6
        shown = estimate.seconds(now)
        assert isinstance(shown, int) and shown >= 1


@given(st.floats(1, 1000), st.floats(1, 1000), st.floats(0.01, 10))
def test_the_end_moves_towards_news_by_a_share_of_the_way_and_never_beyond(old: float, new: float, gone: float) -> None:
    estimate = Estimate()
    estimate.aim(old, 0.0)
    estimate.aim(new, gone)
    assert estimate.end is not None
    way = new + gone - old
    assert abs(estimate.end - old) <= abs(way) * (1 - math.exp(-gone / SMOOTH_SECONDS)) + 1e-6
    assert (estimate.end - old) * way >= 0


@given(st.floats(5, 1000))
def test_an_estimate_that_holds_falls_with_the_clock(rest: float) -> None:
    estimate, shown = Estimate(), []
    for tick in range(100):
        now = tick * rest / 100
        estimate.aim(rest - now, now)
        shown.append(estimate.seconds(now))
    assert shown == sorted(shown, reverse=True)


def test_facts_are_shown_at_once() -> None:
    estimate = Estimate()
    estimate.aim(300, 0.0)
    estimate.aim(2, 10.0, at_once=True)
    assert estimate.seconds(10.0) == 2
