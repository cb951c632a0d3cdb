"""
A job: where it is, what it holds, and what may happen to it next. Pure: no I/O, no clock, no thread.

Three questions, three fields. `status` says where the job is and moves only along `TRANSITIONS`; `stopped_by` says why
the work ended; `quality` says what we hold. The table drives `advance()`, and the store repeats the old status and the
attempt number in its update, so that an event which is not in the table can neither be computed nor written.

`attempt` is the fencing number: it rises with every claim, also across restarts, and never falls. A child, or a
supervisor, that comes back with an older number is refused by the store. What the end of an attempt means for its job
stands in `app.domain.outcomes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, get_args

from app.domain.options import SolveOptions
from solver.names import open_note
from solver.result import Quality, RungId, StoppedBy
from solver.rules import Score

RUNG_ORDER: tuple[RungId, ...] = get_args(RungId)
"""Ids of `solver.ladder.walk.RUNGS` in their order; a test compares the two. States need only the names."""
MIN_SOLVE_SECONDS = 1.0
"""Least time limit of a job; with less time left, no further attempt starts for a job that holds a timetable."""
LAST_CHANCE_SECONDS = 10.0
"""Least time of a further attempt: a job that used up its time without any timetable gets this much for a floor."""


class Status(StrEnum):
    """The states of a job; the values stand in the store and in answers."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended; only a restart changes it then."""
        return self not in (Status.QUEUED, Status.RUNNING)


class Event(StrEnum):
    """What may happen to a job. LOSE counts an attempt against the job, RELEASE does not."""

    CLAIM = "claim"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    LOSE = "lose"
    RELEASE = "release"
    RESTART = "restart"


TRANSITIONS: Mapping[tuple[Status, Event], Status] = {
    (Status.QUEUED, Event.CLAIM): Status.RUNNING,
    (Status.QUEUED, Event.CANCEL): Status.CANCELLED,
    (Status.RUNNING, Event.COMPLETE): Status.COMPLETED,
    (Status.RUNNING, Event.FAIL): Status.FAILED,
    (Status.RUNNING, Event.CANCEL): Status.CANCELLED,
    (Status.RUNNING, Event.LOSE): Status.QUEUED,
    (Status.RUNNING, Event.RELEASE): Status.QUEUED,
    (Status.COMPLETED, Event.RESTART): Status.QUEUED,
    (Status.FAILED, Event.RESTART): Status.QUEUED,
    (Status.CANCELLED, Event.RESTART): Status.QUEUED,
}


class JobError(Exception):
    """Base of everything that can be wrong with what is asked of a job."""


class JobConflict(JobError):
    """A job of this id exists and was submitted with another body."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"there is already a job {job_id!r} with another request; choose another job_id")


class QueueFull(JobError):
    """As many jobs wait as are allowed to."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"{limit} jobs are waiting already, which is the limit; try again later")


class TooManyCancels(JobError):
    """More jobs that are not here were cancelled within a minute than anybody waits for."""

    def __init__(self) -> None:
        super().__init__("too many jobs that are not here were cancelled within a minute; try again later")


class DiskFull(JobError):
    """There is too little room on the disk for another job."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; running jobs go on, new ones are taken when there is room again")


class JobStateError(JobError):
    """The job is in a state in which this cannot happen."""

    def __init__(self, job: Job, wanted: str) -> None:
        self.job_id, self.status = job.id, job.status
        super().__init__(f"it is not possible to {wanted} job {job.id!r}, because it is {job.status}")


class StaleAttempt(JobError):
    """Somebody wrote in the name of an attempt, or of a state, that the job has left behind."""


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """
    What a client asks for, already checked.

    `packed` is the native dataset as `app.domain.messages.pack` makes it; the rules among the `options` are merged into
    it by the child.
    """

    job_id: str
    body_hash: str
    packed: bytes
    meta: Mapping[str, Any] = field(default_factory=dict)
    options: SolveOptions = field(default_factory=SolveOptions)


@dataclass(frozen=True, kw_only=True)
class Job:
    """
    One row of the job table.

    Times ending in `_at` are wall-clock seconds since 1970, for people; durations are measured elsewhere.
    `used_seconds` is the solving time spent by earlier attempts of this run. `publish` is set when the next attempt
    shall only recount and publish the incumbent, and says why the search ended. `options` are those of the next
    attempt. `percent` is the progress last shown; `score` to `total` describe the best timetable we hold. `dead_letter`
    marks a job that failed because its attempts ended uncleanly too often: it waits for a person, with the bundles of
    its attempts as evidence.
    """

    id: str
    body_hash: str
    status: Status = Status.QUEUED
    attempt: int = 0
    failed_attempts: int = 0
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    # what was asked for
    meta: Mapping[str, Any] = field(default_factory=dict)
    options: SolveOptions = field(default_factory=SolveOptions)
    # how the next attempt starts
    used_seconds: float = 0.0
    publish: StoppedBy | None = None
    cancel_requested: bool = False
    finish_requested: bool = False
    # what we hold
    percent: float = 0.0
    stage: str | None = None
    rung: str | None = None
    score: Score | None = None
    bound: int | None = None
    placed: int | None = None
    total: int | None = None
    quality: Quality | None = None
    stopped_by: StoppedBy | None = None
    error: str | None = None
    dead_letter: bool = False
    result_attempt: int | None = None
    result_digest: str | None = None

    @property
    def remaining_seconds(self) -> float:
        """Solving time left for the next attempt; a job that holds no timetable gets a last chance in any case."""
        limit = self.options.time_limit_seconds
        left = limit - self.used_seconds
        least = LAST_CHANCE_SECONDS if self.score is None else MIN_SOLVE_SECONDS
        return min(limit, max(least, left))

    @property
    def open_note(self) -> str:
        """What has to be said of the timetable of a completed job, wherever it is told of; nothing when it is whole."""
        if self.status is not Status.COMPLETED or self.placed is None or self.total is None:
            return ""
        return open_note(self.placed, self.total)


def tenant_of(job: Job) -> str:
    """Whose job it is, as far as the queue is fair among them: the organisation that the request names, or nobody."""
    return str(job.meta.get("organization_id") or "")


def new_job(request: JobRequest, at: float) -> Job:
    """The job of a request that came at the wall time `at`, queued."""
    return Job(
        id=request.job_id,
        body_hash=request.body_hash,
        created_at=at,
        meta=request.meta,
        options=request.options,
    )


def advance(job: Job, event: Event, at: float, **changes: Any) -> Job:
    """
    The job after `event` at wall time `at`; `changes` are further fields that come with it.

    Raises
    ------
    JobStateError
        The event is not possible in the state of the job.
    """
    status = TRANSITIONS.get((job.status, event))
    if status is None:
        raise JobStateError(job, event.value)
    if event is Event.CLAIM:
        changes = {"attempt": job.attempt + 1, "started_at": job.started_at or at, **changes}
    elif event is Event.LOSE:
        changes = {"failed_attempts": job.failed_attempts + 1, **changes}
    elif event is Event.RESTART:
        options = replace(job.options, start_at=RUNG_ORDER[0], simplified_context=False)
        changes = {**_FRESH_RUN, "options": options, **changes}
    elif event is Event.COMPLETE:
        changes = {"error": None, **changes}  # what earlier attempts died of stands in the journal
    if status.terminal:
        changes = {"finished_at": at, "publish": None, **changes}
    return replace(job, status=status, **changes)


_FRESH_RUN: Mapping[str, Any] = {
    "failed_attempts": 0,
    "started_at": None,
    "finished_at": None,
    "used_seconds": 0.0,
    "percent": 0.0,
    "dead_letter": False,
    "publish": None,
    "cancel_requested": False,
    "finish_requested": False,
    "stage": None,
    "quality": None,
    "stopped_by": None,
    "error": None,
}
"""
What a restart forgets. The incumbent, its score and an earlier result stay until something better replaces them, and so
does the number of threads: as asked for, or the one that was left after memory ran out.
"""


def effective_dataset(document: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The native document with the rule settings of the request laid over its own, setting by setting."""
    merged = dict(document.get("rules") or {})
    for rule_id, setting in rules.items():
        below = merged.get(rule_id)
        merged[rule_id] = (
            {**below, **setting} if isinstance(below, Mapping) and isinstance(setting, Mapping) else setting
        )
    return {**document, "rules": merged} if merged else dict(document)
