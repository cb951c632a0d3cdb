"""How many workers a job may have, and where each of them begins."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.jobs import Job
from app.domain.portfolio import ASKED, MOST_SEED, OWNER, places, seconds_for_search, seed
from app.settings import Settings
from solver.result import StoppedBy
from tests.options import with_options

SHARED = Settings(portfolio_workers=4, portfolio_sessions=1000)


def job(**given: Any) -> Job:
    return Job(id="j", body_hash="h", created_at=0.0, **with_options(given))


@given(st.integers(1, 10**6))
def test_by_default_every_job_has_one_worker_however_large_it_is(sessions: int) -> None:
    assert places(job(), sessions, Settings()) == 0
    assert places(job(meta={ASKED: 8}), sessions, Settings()) == 0


def test_only_large_jobs_are_shared_and_at_most_among_as_many_as_the_setting_says() -> None:
    assert places(job(), 999, SHARED) == 0
    assert places(job(), 1000, SHARED) == 3


def test_a_request_may_want_fewer_or_be_small_and_never_gets_more_than_the_setting() -> None:
    assert places(job(meta={ASKED: 1}), 5000, SHARED) == 0
    assert places(job(meta={ASKED: 2}), 5000, SHARED) == 1
    assert places(job(meta={ASKED: 3}), 10, SHARED) == 2
    assert places(job(meta={ASKED: 99}), 10, SHARED) == 3


def test_nobody_helps_with_an_attempt_that_only_publishes() -> None:
    assert places(job(publish=StoppedBy.CRASH), 5000, SHARED) == 0


@given(st.integers(0, MOST_SEED - 1), st.integers(0, 5))
def test_every_worker_has_a_seed_of_its_own_and_the_owner_the_one_that_was_asked_for(asked: int, lost: int) -> None:
    shared = job(seed=asked, failed_attempts=lost)
    seeds = [seed(shared, number) for number in range(64)]
    assert seeds[OWNER] == (asked + lost) % MOST_SEED
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= one < MOST_SEED for one in seeds)


def test_assistants_have_the_time_in_which_the_owner_looks_for_its_best_timetable() -> None:
    assert seconds_for_search(job(num_variants=1, time_limit_seconds=100.0)) == 100.0
    assert seconds_for_search(job(num_variants=3, time_limit_seconds=100.0)) == 80.0
    assert seconds_for_search(job(num_variants=3, time_limit_seconds=100.0, used_seconds=50.0)) == 40.0
