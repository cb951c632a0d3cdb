"""
How an attempt can end, and what its end means for the job. Pure, like `app.jobs`.

    cancel asked for                -> cancelled, the incumbent stays
    result                          -> completed, or failed when nothing at all could be placed
    service or forkserver ended     -> queued, nothing counted against the job; from the sixth time on, as below
    input refused by the solver     -> failed, trying again would not help
    anything else (crash, memory, hang, deadline)
        an incumbent, and no time or no attempts left, or finish asked for  -> queued to be published
        attempts left               -> queued, one rung down
        otherwise                   -> failed, with the causes

Publishing is an attempt like any other: a child recounts the incumbent with the verifier and hands in a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.jobs import MIN_SOLVE_SECONDS, RUNG_ORDER, Event, Job, advance
from solver.result import RungId, StoppedBy
from solver.rules import Score

PUBLISH_ATTEMPTS = 2
"""Attempts in which an incumbent may be recounted and published, beyond those of solving."""
MAX_RELEASES = 5
"""So often in one run the service or the forkserver may end under a job; then we take it that the job is the cause."""


class How(StrEnum):
    """How an attempt ended. Metrics and the journal count by these words."""

    RESULT = "result"
    INPUT = "input"
    ERROR = "error"
    CRASH = "crash"
    MEMORY = "memory"
    HANG = "hang"
    DEADLINE = "deadline"
    CANCEL = "cancel"
    FINISH = "finish"
    SHUTDOWN = "shutdown"
    FORKSERVER_LOST = "forkserver_lost"
    SERVICE_LOST = "service_lost"
    NOT_STARTED = "not_started"


TAKEN_DOWN = frozenset({How.FORKSERVER_LOST, How.SERVICE_LOST})
"""Ends of more than one job at once; any of these jobs, or none of them, may have been the cause."""
NOT_COUNTED = TAKEN_DOWN | {How.SHUTDOWN, How.NOT_STARTED}
"""Ends that are our fault: the job is tried again as if nothing had happened."""

_STOPPED_BY: Mapping[How, StoppedBy] = {
    How.MEMORY: StoppedBy.MEMORY,
    How.DEADLINE: StoppedBy.DEADLINE,
    How.FINISH: StoppedBy.FINISHED_EARLY,
}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """
    One ended attempt, as the supervisor saw it.

    `seconds` of solving time, `rung` the one it was on, `held` the score of the incumbent, `result` the fields of `Job`
    that come with a result. `verdict` and `place` are what the diagnosis said of a child that had to be killed,
    `peak_mb` its largest resident memory, `overshoot_seconds` how long it outlived the time limit of its job, `bundle`
    the evidence (samples, stacks, threads) as JSON. `taken_down` counts the earlier attempts of this run that ended by
    one of `TAKEN_DOWN`.
    """

    how: How
    at: float
    seconds: float = 0.0
    stage: str | None = None
    rung: RungId | None = None
    exit_code: int | None = None
    message: str | None = None
    held: Score | None = None
    result: Mapping[str, Any] | None = None
    verdict: str | None = None
    place: str | None = None
    peak_mb: int | None = None
    overshoot_seconds: float = 0.0
    bundle: Mapping[str, Any] | None = None
    taken_down: int = 0

    @property
    def counted(self) -> bool:
        """Whether it is held against the job."""
        return self.how not in NOT_COUNTED or (self.how in TAKEN_DOWN and self.taken_down >= MAX_RELEASES)


def settle(job: Job, ending: Ending, max_attempts: int) -> Job:
    """What becomes of a running job when its attempt has ended; see the top of this module."""
    spent = {
        "used_seconds": job.used_seconds + ending.seconds,
        "stage": ending.stage,
        "rung": ending.rung or job.rung,
        "score": ending.held or job.score,
    }
    if job.cancel_requested:
        return advance(job, Event.CANCEL, ending.at, **{**spent, **_cancelled(ending)})
    if ending.how is How.RESULT and ending.result is not None:
        return _with_result(job, ending, spent)
    if ending.how is How.INPUT:
        return advance(job, Event.FAIL, ending.at, **spent, error=ending.message)
    if not ending.counted:
        publish = StoppedBy.FINISHED_EARLY if job.finish_requested and ending.held else job.publish
        return advance(job, Event.RELEASE, ending.at, **spent, publish=publish)
    return _after_loss(job, ending, max_attempts, spent)


def _cancelled(ending: Ending) -> Mapping[str, Any]:
    """A child that answered in time leaves its result; it is kept, and marked by the status and by `stopped_by`."""
    return {**(ending.result or {}), "stopped_by": StoppedBy.CANCELLED}


def _with_result(job: Job, ending: Ending, spent: Mapping[str, Any]) -> Job:
    result = dict(ending.result or {})
    if job.publish is not None:
        result["stopped_by"] = job.publish
    if not result.get("placed"):
        kept = {key: value for key, value in result.items() if not key.startswith("result_")}
        error = f"nothing could be placed: 0 of {result.get('total')} sessions. {ending.message or ''}".strip()
        return advance(job, Event.FAIL, ending.at, **{**spent, **kept}, error=error)
    return advance(job, Event.COMPLETE, ending.at, **{**spent, **result})


def _after_loss(job: Job, ending: Ending, max_attempts: int, spent: Mapping[str, Any]) -> Job:
    error = ending.message or f"the attempt ended by {ending.how}"
    attempts_left = job.failed_attempts + 1 < max_attempts
    time_left = job.time_limit_seconds - spent["used_seconds"] > MIN_SOLVE_SECONDS
    if job.publish is not None:
        if job.failed_attempts + 1 < max_attempts + PUBLISH_ATTEMPTS:
            return advance(job, Event.LOSE, ending.at, **spent, error=error)
        return advance(job, Event.FAIL, ending.at, **spent, error=error, failed_attempts=job.failed_attempts + 1)
    if ending.held and (ending.how is How.FINISH or job.finish_requested or not (attempts_left and time_left)):
        cause = StoppedBy.FINISHED_EARLY if job.finish_requested else _STOPPED_BY.get(ending.how, StoppedBy.CRASH)
        # Publishing has attempts of its own; a job that dies early must not come to it with fewer.
        failed = max(job.failed_attempts + 1, max_attempts)
        return advance(job, Event.LOSE, ending.at, **spent, error=error, publish=cause, failed_attempts=failed)
    if not attempts_left:
        lost = {"failed_attempts": job.failed_attempts + 1, "stopped_by": _STOPPED_BY.get(ending.how, StoppedBy.CRASH)}
        return advance(job, Event.FAIL, ending.at, **spent, **lost, error=error)
    step = step_down(job.start_at, ending.rung)
    if not time_left:
        step = max(step, "greedy", key=RUNG_ORDER.index)
    simplified = job.simplified_context or ending.stage == "context"
    return advance(job, Event.LOSE, ending.at, **spent, error=error, start_at=step, simplified_context=simplified)


def step_down(start_at: RungId, died_on: RungId | None) -> RungId:
    """The rung after the one a child died on; the last one stays."""
    here = max(start_at, died_on or start_at, key=RUNG_ORDER.index)
    return RUNG_ORDER[min(RUNG_ORDER.index(here) + 1, len(RUNG_ORDER) - 1)]
