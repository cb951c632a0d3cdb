"""
How an attempt can end, and what its end means for the job. Pure, like `app.domain.jobs`.

    cancel asked for                -> cancelled, the incumbent stays
    result                          -> completed, or failed when nothing at all could be placed
    service or forkserver ended, the
    lease of the service was not
    renewed, or it hung handing over -> queued, nothing counted against the job; from the sixth time on, as below
    input refused by the solver     -> failed, trying again would not help
    anything else (crash, memory, hang, deadline)
        an incumbent, and no time or no attempts left, or finish asked for  -> queued to be published
        attempts left               -> queued; how it starts depends on where the last one was lost, see `RECOVERIES`
        otherwise                   -> failed as a dead letter, with the causes of all attempts

Publishing is an attempt like any other: a child recounts the incumbent with the verifier and hands in a result. After
`SAFE_AFTER` lost attempts the next one runs on safe settings, with one thread and without the exact solver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from app.domain.jobs import MIN_SOLVE_SECONDS, RUNG_ORDER, Event, Job, advance
from solver.control import Place
from solver.result import RungId, StoppedBy
from solver.rules import Score

PUBLISH_ATTEMPTS = 2
"""Attempts in which an incumbent may be recounted and published, beyond those of solving."""
MAX_RELEASES = 5
"""So often in one run the service or the forkserver may end under a job; then we take it that the job is the cause."""
SAFE_AFTER = 2
"""Lost attempts, after which the next one is made as safe as we can."""
SAFE_RUNG: RungId = "greedy"
REDUCED_RUNG: RungId = "reduced"
MOST_ERROR = 4000
"""Characters of the causes that a job keeps; the journal has them all."""


class How(StrEnum):
    """How an attempt ended. Metrics and the journal count by these words."""

    RESULT = "result"
    INPUT = "input"
    ERROR = "error"
    CRASH = "crash"
    MEMORY = "memory"
    HANG = "hang"
    HANDOVER = "handover"
    DEADLINE = "deadline"
    CANCEL = "cancel"
    FINISH = "finish"
    SHUTDOWN = "shutdown"
    FORKSERVER_LOST = "forkserver_lost"
    SERVICE_LOST = "service_lost"
    FENCED = "fenced"
    NOT_STARTED = "not_started"


TAKEN_DOWN = frozenset({How.FORKSERVER_LOST, How.SERVICE_LOST, How.FENCED, How.HANDOVER})
"""
Ends that the job is hardly the cause of: more than one job ended at once, or the work was done and hung while it was
handed over. Only when they happen again and again are they held against it.
"""
NOT_COUNTED = TAKEN_DOWN | {How.SHUTDOWN, How.NOT_STARTED}
"""Ends that are our fault: the job is tried again as if nothing had happened."""

_STOPPED_BY: Mapping[How, StoppedBy] = {
    How.MEMORY: StoppedBy.MEMORY,
    How.DEADLINE: StoppedBy.DEADLINE,
    How.FINISH: StoppedBy.FINISHED_EARLY,
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    One ended attempt, as the supervisor saw it.

    `seconds` of solving time, `rung` the one it was on, `held` the score of the incumbent, `result` the fields of `Job`
    that come with a result. `verdict` and `place` are what the diagnosis said of a child that had to be killed,
    `peak_mb` its largest resident memory, `overshoot_seconds` how long it outlived the time limit of its job, `bundle`
    the evidence (samples, stacks, threads) as JSON, `workers` its solver threads. `leaking` says that its memory grew
    although nothing else went on, `by_kernel` that it was not we who ended it for want of memory. `taken_down` counts
    the earlier attempts of this run that ended by one of `TAKEN_DOWN`. `noted_seconds` is solving time that the row of
    the job counts already, None when unknown: all that is left of an attempt whose service was killed.
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
    workers: int = 1
    leaking: bool = False
    by_kernel: bool = False
    taken_down: int = 0
    noted_seconds: float | None = None

    @property
    def seconds_in_journal(self) -> float | None:
        """Solving time of the attempt, None when nobody was left to measure it."""
        return self.noted_seconds if self.how is How.SERVICE_LOST else self.seconds

    @property
    def counted(self) -> bool:
        """Whether it is held against the job."""
        return self.how not in NOT_COUNTED or (self.how in TAKEN_DOWN and self.taken_down >= MAX_RELEASES)


def settle(job: Job, outcome: Outcome, max_attempts: int) -> Job:
    """What becomes of a running job when its attempt has ended; see the top of this module."""
    spent = {
        "used_seconds": job.used_seconds + outcome.seconds,
        "stage": outcome.stage,
        "rung": outcome.rung or job.rung,
        "score": outcome.held or job.score,
    }
    if job.cancel_requested:
        return advance(job, Event.CANCEL, outcome.at, **{**spent, **_cancelled(outcome)})
    if outcome.how is How.RESULT and outcome.result is not None:
        return _with_result(job, outcome, spent)
    if outcome.how is How.INPUT:
        return advance(job, Event.FAIL, outcome.at, **spent, error=outcome.message)
    if not outcome.counted:
        return advance(job, Event.RELEASE, outcome.at, **spent, publish=_publish_next(job, outcome))
    return _after_loss(job, outcome, max_attempts, spent)


def _publish_next(job: Job, outcome: Outcome) -> StoppedBy | None:
    """Why the attempt after one that is not counted only publishes, if it does."""
    if outcome.held and job.finish_requested:
        return StoppedBy.FINISHED_EARLY
    if outcome.held and job.publish is None and _time_left(job, outcome) <= MIN_SOLVE_SECONDS:
        return StoppedBy.DEADLINE
    return job.publish or (StoppedBy.CRASH if outcome.held and outcome.how is How.HANDOVER else None)


def _time_left(job: Job, outcome: Outcome) -> float:
    return job.options.time_limit_seconds - job.used_seconds - outcome.seconds


def _cancelled(outcome: Outcome) -> Mapping[str, Any]:
    """A child that answered in time leaves its result; it is kept, and marked by the status and by `stopped_by`."""
    return {**(outcome.result or {}), "stopped_by": StoppedBy.CANCELLED}


def _with_result(job: Job, outcome: Outcome, spent: Mapping[str, Any]) -> Job:
    result = dict(outcome.result or {})
    if job.publish is not None:
        result["stopped_by"] = job.publish
    if not result.get("placed"):
        kept = {key: value for key, value in result.items() if not key.startswith("result_")}
        error = f"nothing could be placed: 0 of {result.get('total')} sessions. {outcome.message or ''}".strip()
        return advance(job, Event.FAIL, outcome.at, **{**spent, **kept}, error=error)
    return advance(job, Event.COMPLETE, outcome.at, **{**spent, **result})


def _after_loss(job: Job, outcome: Outcome, max_attempts: int, spent: Mapping[str, Any]) -> Job:
    lost = {**spent, "error": causes(job, outcome)}
    attempts_left = job.failed_attempts + 1 < max_attempts
    time_left = _time_left(job, outcome) > MIN_SOLVE_SECONDS
    if job.publish is not None:
        if job.failed_attempts + 1 < max_attempts + PUBLISH_ATTEMPTS:
            return advance(job, Event.LOSE, outcome.at, **lost)
        return _dead_letter(job, outcome, lost)
    if outcome.held and (outcome.how is How.FINISH or job.finish_requested or not (attempts_left and time_left)):
        cause = StoppedBy.FINISHED_EARLY if job.finish_requested else _STOPPED_BY.get(outcome.how, StoppedBy.CRASH)
        return advance(job, Event.LOSE, outcome.at, **lost, publish=cause)
    if not attempts_left:
        stopped_by = _STOPPED_BY.get(outcome.how, StoppedBy.CRASH)
        return _dead_letter(job, outcome, {**lost, "stopped_by": stopped_by})
    recovery = next_start(job, outcome)
    if not time_left or job.failed_attempts + 1 >= SAFE_AFTER:
        recovery["start_at"] = _further(recovery.get("start_at", job.options.start_at), SAFE_RUNG)
    if job.failed_attempts + 1 >= SAFE_AFTER:
        recovery["workers"] = 1
    return advance(job, Event.LOSE, outcome.at, **lost, options=replace(job.options, **recovery))


def _dead_letter(job: Job, outcome: Outcome, lost: Mapping[str, Any]) -> Job:
    """It waits for a person; restarting it by hand begins anew."""
    failed = job.failed_attempts + 1
    return advance(job, Event.FAIL, outcome.at, **lost, failed_attempts=failed, dead_letter=True)


def causes(job: Job, outcome: Outcome) -> str:
    """What all attempts of this run that are held against the job ended by, the latest last."""
    how = outcome.how.replace("_", " ")
    latest = f"attempt {job.attempt}: {how}: {outcome.message or 'no more is known'}"
    return "; ".join(filter(None, (job.error, latest)))[-MOST_ERROR:]


# --- how to go on, by the place where it went wrong -------------------------------------------------------------------

Recovery: TypeAlias = Callable[[Job, Outcome], dict[str, Any]]


def _simplify(job: Job, outcome: Outcome) -> dict[str, Any]:
    """Without the optional dimensions of the context; when that was so already, one rung down."""
    return {"simplified_context": True, **(_next_rung(job, outcome) if job.options.simplified_context else {})}


def _next_rung(job: Job, outcome: Outcome) -> dict[str, Any]:
    return {"start_at": step_down(job.options.start_at, outcome.rung)}


def _smaller(job: Job, outcome: Outcome) -> dict[str, Any]:
    """
    Fewer threads first, because each has a copy of the search; then the priority core before the rest.

    Both at once after a leak, which is not a matter of how much is held at a time.
    """
    fewer = {"workers": 1} if outcome.workers > 1 else {}
    if fewer and not outcome.leaking:
        return fewer
    return {**fewer, "start_at": _further(step_down(job.options.start_at, outcome.rung), REDUCED_RUNG)}


RECOVERIES: Mapping[Place, Recovery] = {
    Place.CONTEXT_ENGINE: _simplify,
    Place.MODEL_BUILD: _next_rung,
    Place.CPSAT_PRESOLVE: _next_rung,
    Place.CPSAT_SEARCH: _next_rung,
    Place.LOCAL_SEARCH: _next_rung,
}
"""Where an attempt was lost, and what the next one does otherwise; a place that is not named: `_next_rung`."""


def next_start(job: Job, outcome: Outcome) -> dict[str, Any]:
    """The options with which the next attempt starts, where they differ. Memory is the same wherever it runs out."""
    if outcome.how is How.MEMORY:
        return _smaller(job, outcome)
    at = Place.CONTEXT_ENGINE if outcome.stage == "context" else _PLACES.get(outcome.place or "", Place.OTHER)
    return RECOVERIES.get(at, _next_rung)(job, outcome)


_PLACES: Mapping[str, Place] = {place.label: place for place in Place}


def step_down(start_at: RungId, died_on: RungId | None) -> RungId:
    """The rung after the one a child died on; the last one stays."""
    here = _further(start_at, died_on or start_at)
    return RUNG_ORDER[min(RUNG_ORDER.index(here) + 1, len(RUNG_ORDER) - 1)]


def _further(one: RungId, other: RungId) -> RungId:
    """The weaker promise of two."""
    return max(one, other, key=RUNG_ORDER.index)
