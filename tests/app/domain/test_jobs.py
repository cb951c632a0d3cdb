"""The table of transitions is the truth: what is in it happens, what is not raises."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from app.domain.jobs import (
    LAST_CHANCE_SECONDS,
    MIN_SOLVE_SECONDS,
    RUNG_ORDER,
    TRANSITIONS,
    Event,
    Job,
    JobRequest,
    JobStateError,
    Status,
    advance,
    effective_dataset,
    new_job,
)
from app.domain.options import SolveOptions
from solver.result import Quality, StoppedBy
from solver.rules import Score
from tests.options import with_options

AT = 1_700_000_000.0


def job(status: Status = Status.QUEUED, **fields: object) -> Job:
    return Job(id="j1", body_hash="h", created_at=AT, status=status, **with_options(fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_exactly_the_events_of_the_table_are_possible(status: Status, event: Event) -> None:
    if (status, event) in TRANSITIONS:
        assert advance(job(status), event, AT).status is TRANSITIONS[status, event]
    else:
        with pytest.raises(JobStateError, match=f"not possible to {event} job 'j1', because it is {status}"):
            advance(job(status), event, AT)


def test_terminal_states_are_left_by_a_restart_only() -> None:
    assert {event for status, event in TRANSITIONS if status.terminal} == {Event.RESTART}


def test_every_state_can_be_reached_and_every_live_state_can_end() -> None:
    assert set(TRANSITIONS.values()) == set(Status)
    for status in (Status.QUEUED, Status.RUNNING):
        assert any(after.terminal for (before, _), after in TRANSITIONS.items() if before is status)


def test_a_claim_raises_the_attempt_number_and_keeps_the_first_start() -> None:
    once = advance(job(), Event.CLAIM, AT + 1)
    twice = advance(advance(once, Event.LOSE, AT + 2), Event.CLAIM, AT + 3)
    assert (once.attempt, once.started_at) == (1, AT + 1)
    assert (twice.attempt, twice.started_at, twice.failed_attempts) == (2, AT + 1, 1)


def test_a_release_counts_nothing_against_the_job() -> None:
    assert advance(job(Status.RUNNING, attempt=4, failed_attempts=1), Event.RELEASE, AT).failed_attempts == 1


def test_an_end_has_a_time_and_nothing_left_to_publish_or_to_regret() -> None:
    ended = advance(job(Status.RUNNING, publish=StoppedBy.CRASH, error="killed"), Event.COMPLETE, AT + 9)
    assert (ended.finished_at, ended.publish, ended.error) == (AT + 9, None, None)


def test_a_restart_forgets_the_run_but_not_what_is_held() -> None:
    ended = job(
        Status.COMPLETED,
        attempt=3,
        failed_attempts=2,
        start_at="greedy",
        used_seconds=40.0,
        cancel_requested=True,
        finish_requested=True,
        score=Score(0, 0, 0, 7),
        quality=Quality.FEASIBLE,
        stopped_by=StoppedBy.CRASH,
        error="x",
        result_attempt=3,
        result_digest="d",
    )
    again = advance(ended, Event.RESTART, AT)
    assert (again.attempt, again.failed_attempts, again.options.start_at, again.used_seconds) == (3, 0, "full", 0.0)
    assert not (again.cancel_requested or again.finish_requested or again.error or again.quality or again.stopped_by)
    assert (again.score, again.result_attempt, again.result_digest) == (Score(0, 0, 0, 7), 3, "d")


def test_the_remaining_time_is_counted_across_attempts_down_to_a_last_chance() -> None:
    fresh = job(time_limit_seconds=60.0)
    assert fresh.remaining_seconds == 60.0
    assert replace(fresh, used_seconds=25.0).remaining_seconds == 35.0
    assert replace(fresh, used_seconds=70.0).remaining_seconds == LAST_CHANCE_SECONDS
    assert job(time_limit_seconds=2.0, used_seconds=2.0).remaining_seconds == 2.0


def test_a_new_job_waits_and_carries_what_was_asked() -> None:
    request = JobRequest(
        job_id="j", body_hash="h", packed=b"", meta={"semester": 1}, options=SolveOptions(num_variants=2, seed=5)
    )
    made = new_job(request, AT)
    assert (made.status, made.attempt, made.options.num_variants, made.options.seed, made.meta) == (
        Status.QUEUED,
        0,
        2,
        5,
        {"semester": 1},
    )


def test_the_rules_of_a_request_are_laid_over_those_of_the_dataset() -> None:
    document = {"name": "x", "rules": {"group_gap": {"tier": "soft", "weight": 2}, "travel": {"tier": "off"}}}
    merged = effective_dataset(document, {"group_gap": {"weight": 9}, "last_slot": {"tier": "hard"}})
    assert merged["rules"] == {
        "group_gap": {"tier": "soft", "weight": 9},
        "travel": {"tier": "off"},
        "last_slot": {"tier": "hard"},
    }
    assert document["rules"]["group_gap"] == {"tier": "soft", "weight": 2}  # type: ignore[index]
    assert effective_dataset({"name": "x"}, {}) == {"name": "x"}


def test_the_rungs_are_those_of_the_ladder_in_its_order() -> None:
    ladder = pytest.importorskip("solver.ladder.walk")
    assert tuple(rung.id for rung in ladder.RUNGS) == RUNG_ORDER


def test_a_last_chance_is_for_jobs_that_hold_nothing() -> None:
    spent = {"time_limit_seconds": 60.0, "used_seconds": 59.5}
    assert job(**spent).remaining_seconds == LAST_CHANCE_SECONDS
    assert job(**spent, score=Score(0, 0, 0, 7)).remaining_seconds == MIN_SOLVE_SECONDS


def test_a_completed_job_says_what_its_timetable_lacks_and_no_other_job_does() -> None:
    assert job(Status.COMPLETED, placed=48, total=180).open_note == "132 of 180 sessions have no place"
    assert job(Status.COMPLETED, placed=179, total=180).open_note == "1 of 180 sessions has no place"
    assert job(Status.COMPLETED, placed=180, total=180).open_note == ""
    assert job(Status.COMPLETED).open_note == "", "a job of an older version may not know"
    assert job(Status.FAILED, placed=0, total=180).open_note == ""
