"""Answers about jobs: taking, following and steering them."""

from __future__ import annotations

from typing import Any, Literal

from app.domain.telemetry import Health
from app.http.answers.common import Answer, JobStatus, Levels, Notice, QualityName, RungName, Seconds, StopReason
from app.http.answers.results import Account


class Accepted(Answer):
    """A job that was taken, or was here already."""

    job_id: str
    status: JobStatus
    message: str
    estimated_time_seconds: int
    estimated_time_minutes: int
    created: bool
    adjusted: dict[str, Any]
    warnings: list[Notice]
    num_variants: int
    time_limit_seconds: Seconds
    poll_seconds: Seconds
    progress_url: str
    variants_url: str


class Steered(Answer):
    """What was asked of a job, and the state that it is in; `unknown` while a job that was called off has not come."""

    job_id: str
    status: Literal["cancellation_requested", "finish_requested", "queued", "deleted"]
    message: str
    job_status: JobStatus | Literal["unknown"]


class ProgressMetadata(Answer):
    """What the job knows besides; fields of the request stand here as well, under their own names."""

    semester: int | str | None = None
    academic_year: str | None = None
    dataset: str | None = None
    stage: str | None
    phase: str
    rung: str | None
    quality: str | None
    stopped_by: str | None
    error: str | None
    warning: str | None
    total_items: int | None
    completed_items: int | None
    failed_attempts: int
    attempt_started_at: Seconds | None
    verdict: str | None
    place: str | None
    last_improvement_at: Seconds | None = None


class Progress(Answer):
    """How far a job is, under the names of both platform versions."""

    job_id: str
    status: JobStatus
    stage: str
    stage_progress: float
    overall_progress: float
    progress: int
    percentage: float
    message: str
    error: str | None
    rung: str | None
    cost: int | None
    levels: Levels | None
    bound: int | None
    gap: float | None
    placed: int | None
    total: int | None
    eta_seconds: int | None
    time_remaining_seconds: int | None
    eta: str | None
    started_at: Seconds | None
    last_updated: Seconds
    timestamp: str
    last_improvement_at: Seconds | None
    last_beat_at: Seconds | None
    health: Health
    verdict: str | None
    stage_deadline_at: Seconds | None
    attempt: int
    queue_position: int | None
    metadata: ProgressMetadata
    version: str
    completed_at: Seconds | None = None
    failed_at: Seconds | None = None
    cancelled_at: Seconds | None = None


class CurvePoint(Answer):
    """Cost and bound at a time since the job began; `cost` is null while sessions are open."""

    seconds: Seconds
    cost: int | None
    bound: int | None
    complete: bool


class Curve(Answer):
    """How cost and bound of a job went, oldest first."""

    job_id: str
    points: list[CurvePoint]


class JobState(Answer):
    """Where a job is; cost and levels are those of the best timetable held."""

    job_id: str
    status: JobStatus
    rung: RungName | None
    quality: QualityName | None
    stopped_by: StopReason | None
    stage: str | None
    percent: float
    error: str | None
    dead_letter: bool
    attempt: int
    failed_attempts: int
    placed: int | None
    total: int | None
    lower_bound: int | None
    cost: int | None
    levels: Levels | None
    num_variants: int
    time_limit_seconds: Seconds
    rules: dict[str, Any]
    created_at: Seconds
    started_at: Seconds | None
    finished_at: Seconds | None
    metadata: dict[str, Any]


class JobSummary(JobState):
    """A row of the job list."""

    seed: int


class JobList(Answer):
    """A page of the jobs that the caller may see, newest first."""

    jobs: list[JobSummary]
    limit: int
    offset: int


class Attempt(Answer):
    """One child process that worked on the job, and how it ended."""

    attempt: int
    started_at: Seconds | None
    pid: int | None
    ended_at: Seconds | None
    how: str | None
    exit_code: int | None
    stage: str | None
    rung: str | None
    seconds: Seconds | None
    message: str | None
    verdict: str | None
    place: str | None
    peak_mb: int | None


class PortfolioMember(Answer):
    """One of those that worked on an attempt together; number 0 is its owner."""

    attempt: int
    number: int
    role: Literal["owner", "assistant"]
    worker: str
    seed: int
    began_at: Seconds
    ended_at: Seconds | None
    how: str | None
    rung: str | None
    cost: int | None
    levels: Levels | None
    found_at: Seconds | None
    published: bool


class Delivery(Answer):
    """One line of what the platform is told of a job: an event on a channel, and whether it has arrived."""

    event_id: str
    channel: str
    job_id: str
    status: JobStatus
    ended_at: Seconds
    state: str
    tries: int
    next_at: Seconds
    done_at: Seconds | None
    error: str | None


class JobAccount(JobState, Account):
    """
    A job with its processes and, once there is a result, the account of it.

    Without a result the account is empty, and `diagnosis` null.
    """

    progress: Progress | None
    attempts: list[Attempt]
    portfolio: list[PortfolioMember]
    deliveries: list[Delivery]
    has_result: bool


class AttemptDiagnosis(Answer):
    """What is known about an attempt that ended uncleanly: how its process was, its threads and stacks, its limits."""

    verdict: str
    sentence: str
    beat_age_seconds: Seconds | None
    peak_mb: int
    samples: list[dict[str, Any]]
    threads: list[dict[str, Any]]
    stacks: str
    attempt: int
    start_at: str
    simplified_context: bool
    limits: dict[str, float]
    versions: dict[str, str]
