"""What the end of an attempt means for its job, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.jobs import RUNG_ORDER, Event, Job, Status, advance
from app.domain.outcomes import (
    MAX_RELEASES,
    MOST_ERROR,
    NOT_COUNTED,
    PUBLISH_ATTEMPTS,
    TAKEN_DOWN,
    How,
    Outcome,
    settle,
    step_down,
)
from solver.control import Place
from solver.result import Quality, StoppedBy
from solver.rules import Score
from tests.options import with_options

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
    return Job(id="j1", body_hash="h", created_at=AT, status=Status.RUNNING, **with_options({"attempt": 1, **fields}))


def outcome(how: How, **fields: Any) -> Outcome:
    return Outcome(how=how, at=AT + 10, **fields)


def test_a_result_completes_the_job() -> None:
    after = settle(running(), outcome(How.RESULT, result=RESULT), MAX)
    assert after.status is Status.COMPLETED
    assert (after.placed, after.quality, after.result_attempt, after.finished_at) == (5, Quality.FEASIBLE, 1, AT + 10)


def test_a_result_with_nothing_placed_is_a_failure_with_a_reason() -> None:
    after = settle(running(), outcome(How.RESULT, result={**RESULT, "placed": 0}), MAX)
    assert after.status is Status.FAILED
    assert after.error == "nothing could be placed: 0 of 5 sessions."
    assert after.result_attempt is None


def test_a_result_that_arrives_after_a_cancel_is_kept_and_marked() -> None:
    after = settle(running(cancel_requested=True), outcome(How.RESULT, result=RESULT), MAX)
    assert (after.status, after.stopped_by, after.result_attempt) == (Status.CANCELLED, StoppedBy.CANCELLED, 1)


@pytest.mark.parametrize("how", sorted(How))
def test_a_cancelled_job_is_cancelled_however_its_child_ended(how: How) -> None:
    assert settle(running(cancel_requested=True), outcome(how), MAX).status is Status.CANCELLED


@pytest.mark.parametrize("how", sorted(NOT_COUNTED))
def test_our_own_ends_are_not_held_against_the_job(how: How) -> None:
    after = settle(running(failed_attempts=2), outcome(how, rung="full"), MAX)
    assert (after.status, after.failed_attempts, after.options.start_at, after.error) == (
        Status.QUEUED,
        2,
        "full",
        None,
    )


def test_a_hang_while_the_result_is_handed_over_is_followed_by_publishing_what_is_held() -> None:
    after = settle(running(), outcome(How.HANDOVER, held=HELD, place="store"), MAX)
    assert (after.status, after.failed_attempts, after.publish) == (Status.QUEUED, 0, StoppedBy.CRASH)
    assert settle(running(), outcome(How.HANDOVER, place="store"), MAX).publish is None


@pytest.mark.parametrize("how", sorted(TAKEN_DOWN))
@pytest.mark.parametrize("held", [None, HELD])
def test_a_job_under_which_everything_ends_again_and_again_ends_too(how: How, held: Score | None) -> None:
    job, rounds, spoken = running(), 0, how.replace("_", " ")
    while job.status is not Status.FAILED:
        job = settle(job, outcome(how, held=held, message="all gone", taken_down=rounds), MAX)
        job = advance(job, Event.CLAIM, AT) if job.status is Status.QUEUED else job
        rounds += 1
    assert MAX_RELEASES < rounds <= MAX_RELEASES + MAX + PUBLISH_ATTEMPTS
    assert job.error is not None and job.error.endswith(f"{spoken}: all gone") and job.dead_letter


def test_input_that_the_solver_refuses_is_not_tried_again() -> None:
    after = settle(running(), outcome(How.INPUT, message="/rooms: empty"), MAX)
    assert (after.status, after.error) == (Status.FAILED, "/rooms: empty")


@pytest.mark.parametrize("how", sorted(set(LOSSES) - {How.MEMORY}))
def test_a_lost_attempt_is_tried_again_one_rung_down_in_the_time_that_is_left(how: How) -> None:
    after = settle(running(time_limit_seconds=60.0), outcome(how, rung="full", seconds=20.0), MAX)
    assert (after.status, after.failed_attempts, after.options.start_at) == (Status.QUEUED, 1, "relaxed")
    assert (after.remaining_seconds, after.options.workers) == (40.0, None)


@pytest.mark.parametrize("place", ["model_build", "cpsat_presolve", "cpsat_search", "local_search", "verify", "other"])
@pytest.mark.parametrize("how", [How.HANG, How.DEADLINE, How.CRASH])
def test_a_child_that_was_lost_while_solving_is_followed_by_one_on_the_next_rung(how: How, place: str) -> None:
    after = settle(running(), outcome(how, place=place, rung="full"), MAX)
    assert (after.options.start_at, after.options.simplified_context) == ("relaxed", False)


def test_a_child_that_was_lost_in_the_context_engine_is_followed_by_one_with_a_simplified_context() -> None:
    first = settle(running(), outcome(How.HANG, place="context_engine"), MAX)
    assert (first.options.simplified_context, first.options.start_at) == (True, "full")
    again = settle(advance(first, Event.CLAIM, AT), outcome(How.HANG, place="context_engine"), 9)
    assert again.options.simplified_context and again.options.start_at == "greedy"


def test_when_memory_runs_out_there_are_fewer_threads_first_and_then_the_core() -> None:
    first = settle(running(), outcome(How.MEMORY, rung="full", workers=4), 9)
    assert (first.options.workers, first.options.start_at) == (1, "full")
    second = settle(running(), outcome(How.MEMORY, rung="full", workers=1), 9)
    assert second.options.start_at == "reduced"


def test_after_a_leak_there_are_fewer_threads_and_only_the_core_at_once() -> None:
    after = settle(running(), outcome(How.MEMORY, rung="full", workers=4, leaking=True), 9)
    assert (after.options.workers, after.options.start_at) == (1, "reduced")


def test_after_two_lost_attempts_the_next_one_runs_on_safe_settings() -> None:
    after = settle(running(failed_attempts=1), outcome(How.CRASH, rung="full"), MAX)
    assert (after.options.workers, after.options.start_at) == (1, "greedy")


def test_the_last_lost_attempt_without_a_timetable_makes_the_job_a_dead_letter_with_all_causes() -> None:
    job = running()
    for number, how in enumerate((How.CRASH, How.MEMORY, How.HANG), 1):
        job = settle(job, outcome(how, message=f"cause {number}"), MAX)
        job = advance(job, Event.CLAIM, AT) if job.status is Status.QUEUED else job
    assert (job.status, job.dead_letter, job.failed_attempts) == (Status.FAILED, True, 3)
    assert job.error == "attempt 1: crash: cause 1; attempt 2: memory: cause 2; attempt 3: hang: cause 3"
    again = advance(job, Event.RESTART, AT)
    assert (again.dead_letter, again.error, again.options.workers) == (False, None, 1)


def test_input_and_empty_results_are_failures_but_no_dead_letters() -> None:
    assert not settle(running(), outcome(How.INPUT, message="/rooms: empty"), MAX).dead_letter
    assert not settle(running(), outcome(How.RESULT, result={**RESULT, "placed": 0}), MAX).dead_letter


@pytest.mark.parametrize(
    ("how", "stopped_by"), [(How.MEMORY, StoppedBy.MEMORY), (How.CRASH, StoppedBy.CRASH), (How.HANG, StoppedBy.CRASH)]
)
def test_the_last_lost_attempt_with_a_timetable_has_it_published(how: How, stopped_by: StoppedBy) -> None:
    after = settle(running(failed_attempts=MAX - 1), outcome(how, held=HELD), MAX)
    assert (after.status, after.publish, after.score) == (Status.QUEUED, stopped_by, HELD)


def test_a_timetable_is_published_when_the_time_is_used_up() -> None:
    after = settle(running(time_limit_seconds=30.0), outcome(How.DEADLINE, held=HELD, seconds=36.0), MAX)
    assert (after.status, after.publish) == (Status.QUEUED, StoppedBy.DEADLINE)


def test_without_a_timetable_the_last_chance_begins_on_a_rung_that_answers_in_seconds() -> None:
    after = settle(running(time_limit_seconds=30.0), outcome(How.DEADLINE, seconds=36.0, rung="full"), MAX)
    assert (after.status, after.options.start_at, after.publish) == (Status.QUEUED, "greedy", None)


def test_a_finish_publishes_the_timetable_of_a_child_that_did_not_end() -> None:
    after = settle(running(finish_requested=True), outcome(How.FINISH, held=HELD), MAX)
    assert (after.status, after.publish) == (Status.QUEUED, StoppedBy.FINISHED_EARLY)


def test_a_finish_is_remembered_when_the_service_stops_first() -> None:
    after = settle(running(finish_requested=True), outcome(How.SHUTDOWN, held=HELD), MAX)
    assert (after.status, after.publish) == (Status.QUEUED, StoppedBy.FINISHED_EARLY)


def test_publishing_says_why_the_search_ended_not_why_publishing_did() -> None:
    after = settle(running(publish=StoppedBy.MEMORY), outcome(How.RESULT, result=RESULT), MAX)
    assert (after.status, after.stopped_by, after.publish) == (Status.COMPLETED, StoppedBy.MEMORY, None)


def test_publishing_that_fails_again_and_again_ends() -> None:
    job, rounds = settle(running(), outcome(How.FINISH, held=HELD), MAX), 0
    while job.status is Status.QUEUED:
        rounds += 1
        job = settle(advance(job, Event.CLAIM, AT), outcome(How.CRASH, held=HELD), MAX)
    assert (job.status, rounds) == (Status.FAILED, MAX - 1 + PUBLISH_ATTEMPTS)


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("held", [None, HELD])
def test_a_job_whose_every_attempt_is_lost_ends_after_finitely_many(how: How, held: Score | None) -> None:
    job, rounds = running(time_limit_seconds=100.0), 0
    while job.status is not Status.FAILED:
        rounds += 1
        job = settle(job, outcome(how, held=held, seconds=1.0), MAX)
        job = advance(job, Event.CLAIM, AT) if job.status is Status.QUEUED else job
    assert rounds <= MAX + PUBLISH_ATTEMPTS


Lost = st.builds(
    Outcome,
    how=st.sampled_from(sorted(How)),
    at=st.just(AT),
    seconds=st.floats(0, 50),
    stage=st.sampled_from([None, "context", "search", "verify"]),
    rung=st.sampled_from([None, *RUNG_ORDER]),
    place=st.sampled_from([None, "no such place", *(place.label for place in Place)]),
    message=st.one_of(st.none(), st.text(max_size=3000)),
    held=st.sampled_from([None, HELD]),
    workers=st.integers(1, 8),
)


@given(st.lists(Lost, min_size=40, max_size=60), st.integers(1, 5), st.booleans())
def test_any_sequence_of_bad_ends_reaches_an_end_in_bounded_steps(
    endings: list[Outcome], max_attempts: int, finish: bool
) -> None:
    job, taken_down, harmless, steps = running(finish_requested=finish), 0, 0, 0
    for step in endings:
        before = job
        job = settle(job, Outcome(**{**_fields(step), "taken_down": taken_down}), max_attempts)
        taken_down += step.how in TAKEN_DOWN
        harmless += step.how in (How.SHUTDOWN, How.NOT_STARTED)
        steps += 1
        assert len(job.error or "") <= MOST_ERROR or step.how in (How.INPUT, How.RESULT)
        if job.status.terminal:
            break
        assert RUNG_ORDER.index(job.options.start_at) >= RUNG_ORDER.index(before.options.start_at), "never up again"
        assert job.options.simplified_context >= before.options.simplified_context and (
            job.options.workers == 1 or job.options.workers is None
        )
        job = advance(job, Event.CLAIM, AT)
    # Only what is never counted may go on for ever, and it does no work.
    assert steps - harmless <= MAX_RELEASES + max_attempts + PUBLISH_ATTEMPTS + 1


def _fields(found: Outcome) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Outcome.__dataclass_fields__}


def test_stepping_down_stops_on_the_last_rung() -> None:
    assert [step_down("full", rung) for rung in RUNG_ORDER] == ["relaxed", "greedy", "reduced", "manual", "manual"]
    assert step_down("greedy", None) == "reduced"
    assert step_down("greedy", "full") == "reduced", "a later attempt never climbs up again"
