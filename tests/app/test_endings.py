"""What the end of an attempt means for its job, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from app.endings import MAX_RELEASES, NOT_COUNTED, PUBLISH_ATTEMPTS, TAKEN_DOWN, Ending, How, settle, step_down
from app.jobs import RUNG_ORDER, Event, Job, Status, advance
from solver.result import Quality, StoppedBy
from solver.rules import Score

AT = 1_700_000_000.0
MAX = 3
HELD = Score(0, 0, 0, 40)
LOSSES = sorted(set(How) - NOT_COUNTED - {How.RESULT, How.INPUT, How.CANCEL})
RESULT: dict[str, Any] = {
    "score": Score(0, 0, 0, 12),
    "bound": None,
    "placed": 5,
    "total": 5,
    "quality": Quality.FEASIBLE,
    "stopped_by": StoppedBy.DEADLINE,
    "rung": "full",
    "result_attempt": 1,
    "result_digest": "d",
}


def running(**fields: Any) -> Job:
    return Job(id="j1", body_hash="h", created_at=AT, status=Status.RUNNING, **{"attempt": 1, **fields})


def ending(how: How, **fields: Any) -> Ending:
    return Ending(how=how, at=AT + 10, **fields)


def test_a_result_completes_the_job() -> None:
    after = settle(running(), ending(How.RESULT, result=RESULT), MAX)
    assert after.status is Status.COMPLETED
    assert (after.placed, after.quality, after.result_attempt, after.finished_at) == (5, Quality.FEASIBLE, 1, AT + 10)


def test_a_result_with_nothing_placed_is_a_failure_with_a_reason() -> None:
    after = settle(running(), ending(How.RESULT, result={**RESULT, "placed": 0}), MAX)
    assert after.status is Status.FAILED
    assert after.error == "nothing could be placed: 0 of 5 sessions."
    assert after.result_attempt is None


def test_a_result_that_arrives_after_a_cancel_is_kept_and_marked() -> None:
    after = settle(running(cancel_requested=True), ending(How.RESULT, result=RESULT), MAX)
    assert (after.status, after.stopped_by, after.result_attempt) == (Status.CANCELLED, StoppedBy.CANCELLED, 1)


@pytest.mark.parametrize("how", sorted(How))
def test_a_cancelled_job_is_cancelled_however_its_child_ended(how: How) -> None:
    assert settle(running(cancel_requested=True), ending(how), MAX).status is Status.CANCELLED


@pytest.mark.parametrize("how", sorted(NOT_COUNTED))
def test_our_own_ends_are_not_held_against_the_job(how: How) -> None:
    after = settle(running(failed_attempts=2), ending(how, rung="full"), MAX)
    assert (after.status, after.failed_attempts, after.start_at) == (Status.QUEUED, 2, "full")


@pytest.mark.parametrize("how", sorted(TAKEN_DOWN))
@pytest.mark.parametrize("held", [None, HELD])
def test_a_job_under_which_everything_ends_again_and_again_ends_too(how: How, held: Score | None) -> None:
    job, rounds = running(), 0
    while job.status is not Status.FAILED:
        job = settle(job, ending(how, held=held, message="all gone", taken_down=rounds), MAX)
        job = advance(job, Event.CLAIM, AT) if job.status is Status.QUEUED else job
        rounds += 1
    assert MAX_RELEASES < rounds <= MAX_RELEASES + MAX + PUBLISH_ATTEMPTS
    assert job.error == "all gone"


def test_input_that_the_solver_refuses_is_not_tried_again() -> None:
    after = settle(running(), ending(How.INPUT, message="/rooms: empty"), MAX)
    assert (after.status, after.error) == (Status.FAILED, "/rooms: empty")


@pytest.mark.parametrize("how", LOSSES)
def test_a_lost_attempt_is_tried_again_one_rung_down_in_the_time_that_is_left(how: How) -> None:
    after = settle(running(time_limit_seconds=60.0), ending(how, rung="relaxed", seconds=20.0), MAX)
    assert (after.status, after.failed_attempts, after.start_at) == (Status.QUEUED, 1, "greedy")
    assert after.remaining_seconds == 40.0


@pytest.mark.parametrize("how", LOSSES)
def test_the_last_lost_attempt_without_a_timetable_fails_the_job_with_its_cause(how: How) -> None:
    after = settle(running(failed_attempts=MAX - 1), ending(how, message="it broke"), MAX)
    assert (after.status, after.error) == (Status.FAILED, "it broke")


@pytest.mark.parametrize(
    ("how", "stopped_by"), [(How.MEMORY, StoppedBy.MEMORY), (How.CRASH, StoppedBy.CRASH), (How.HANG, StoppedBy.CRASH)]
)
def test_the_last_lost_attempt_with_a_timetable_has_it_published(how: How, stopped_by: StoppedBy) -> None:
    after = settle(running(failed_attempts=MAX - 1), ending(how, held=HELD), MAX)
    assert (after.status, after.publish, after.score) == (Status.QUEUED, stopped_by, HELD)


def test_a_timetable_is_published_when_the_time_is_used_up() -> None:
    after = settle(running(time_limit_seconds=30.0), ending(How.DEADLINE, held=HELD, seconds=36.0), MAX)
    assert (after.status, after.publish) == (Status.QUEUED, StoppedBy.DEADLINE)


def test_without_a_timetable_the_last_chance_begins_on_a_rung_that_answers_in_seconds() -> None:
    after = settle(running(time_limit_seconds=30.0), ending(How.DEADLINE, seconds=36.0, rung="full"), MAX)
    assert (after.status, after.start_at, after.publish) == (Status.QUEUED, "greedy", None)


def test_a_finish_publishes_the_timetable_of_a_child_that_did_not_end() -> None:
    after = settle(running(finish_requested=True), ending(How.FINISH, held=HELD), MAX)
    assert (after.status, after.publish) == (Status.QUEUED, StoppedBy.FINISHED_EARLY)


def test_a_finish_is_remembered_when_the_service_stops_first() -> None:
    after = settle(running(finish_requested=True), ending(How.SHUTDOWN, held=HELD), MAX)
    assert (after.status, after.publish) == (Status.QUEUED, StoppedBy.FINISHED_EARLY)


def test_publishing_says_why_the_search_ended_not_why_publishing_did() -> None:
    after = settle(running(publish=StoppedBy.MEMORY), ending(How.RESULT, result=RESULT), MAX)
    assert (after.status, after.stopped_by, after.publish) == (Status.COMPLETED, StoppedBy.MEMORY, None)


def test_publishing_that_fails_again_and_again_ends() -> None:
    job, rounds = settle(running(), ending(How.FINISH, held=HELD), MAX), 0
    while job.status is Status.QUEUED:
        rounds += 1
        job = settle(advance(job, Event.CLAIM, AT), ending(How.CRASH, held=HELD), MAX)
    assert (job.status, rounds) == (Status.FAILED, PUBLISH_ATTEMPTS)


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("held", [None, HELD])
def test_a_job_whose_every_attempt_is_lost_ends_after_finitely_many(how: How, held: Score | None) -> None:
    job, rounds = running(time_limit_seconds=100.0), 0
    while job.status is not Status.FAILED:
        rounds += 1
        job = settle(job, ending(how, held=held, seconds=1.0), MAX)
        job = advance(job, Event.CLAIM, AT) if job.status is Status.QUEUED else job
    assert rounds <= MAX + PUBLISH_ATTEMPTS


def test_a_child_that_died_while_building_the_context_is_followed_by_one_with_a_simplified_context() -> None:
    assert settle(running(), ending(How.DEADLINE, stage="context"), MAX).simplified_context
    assert not settle(running(), ending(How.DEADLINE, stage="search"), MAX).simplified_context


def test_stepping_down_stops_on_the_last_rung() -> None:
    assert [step_down("full", rung) for rung in RUNG_ORDER] == ["relaxed", "greedy", "reduced", "manual", "manual"]
    assert step_down("greedy", None) == "reduced"
    assert step_down("greedy", "full") == "reduced", "a later attempt never climbs up again"
