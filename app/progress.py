"""
What a poller sees of a job: one document, made from memory.

It carries the field names of both platform versions at once (`progress` and `overall_progress`, `message` and `stage`,
`eta` and `eta_seconds` ...). Three promises: the percentage never goes back within a run, `eta_seconds` is a number
while the job is alive (a null is shown as "Almost done"), and `stage` is always one of the platform's nine names, which
never go back either. Our own stage stands in `metadata.stage`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import anyio

from app.jobs import Job, Status
from app.messages import IncumbentFrame, ProgressFrame
from app.watch import Health
from solver.control import Stage
from solver.rules import Score


class Span(NamedTuple):
    """The platform's name of a stage, and the part of the bar that the stage takes, in percent."""

    platform: str
    low: float
    high: float


SPANS: Mapping[Stage, Span] = {
    "load": Span("loading", 0, 3),
    "validate": Span("loading", 3, 5),
    "context": Span("clustering", 5, 15),
    "construct": Span("cpsat_solving", 15, 20),
    "search": Span("cpsat_solving", 20, 65),
    "exact": Span("cpsat_solving", 65, 75),
    "variants": Span("ga_optimization", 75, 90),
    "verify": Span("rl_refinement", 90, 98),
    "store": Span("rl_refinement", 98, 99),
}
PLATFORM_STAGES = ("initializing", *dict.fromkeys(span.platform for span in SPANS.values()))
TIME_SHARE = 75.0
"""Walking down the ladder repeats stages; meanwhile the bar follows the clock, at most to here."""
PREPARING = "the solver is being made ready (its kernels are compiled once, which takes about half a minute)"
OVERHEAD_SECONDS = 5.0
"""Loading, starting a child and the last recount, on top of the time limit."""


@dataclass
class Track:
    """Everything that is shown about one job. `job` is the row as the store has it."""

    job: Job
    version: int = 0
    stage: Stage | None = None
    stage_share: float = 0.0
    message: str = ""
    rung: str | None = None
    score: Score | None = None
    bound: int | None = None
    placed: int | None = None
    total: int | None = None
    percent: float = 0.0
    platform_stage: str = PLATFORM_STAGES[0]
    health: Health = "ok"
    stage_deadline_at: float | None = None
    ends_at: float | None = None
    updated_at: float = field(default_factory=time.time)
    improved_at: float | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        """A row from the store; of the way it has come, only the last stage is known."""
        for stage, span in SPANS.items():
            if stage == self.job.stage:
                self.percent, self.platform_stage = span.high, span.platform
        self._remember_best()

    def set_job(self, job: Job) -> None:
        """The row has changed; a run that starts anew starts its bar anew."""
        again = self.job.status.terminal and not job.status.terminal
        self.job = job
        if again:
            self.percent, self.platform_stage, self.improved_at = 0.0, PLATFORM_STAGES[0], None
        if job.status is not Status.RUNNING:
            self.stage, self.stage_share, self.health = None, 0.0, "ok"
            self.stage_deadline_at = self.ends_at = None
        self._remember_best()
        self.bump()

    def _remember_best(self) -> None:
        job = self.job
        if job.score is not None:
            self.score = job.score
        if job.placed is not None:
            self.bound, self.placed, self.total = job.bound, job.placed, job.total
        self.rung = job.rung or self.rung

    def begin_attempt(self, now: float, seconds: float) -> None:
        """A child starts that may solve for `seconds`."""
        self.ends_at = now + seconds + OVERHEAD_SECONDS
        self.message = "starting" if self.job.attempt == 1 else f"starting attempt {self.job.attempt}"
        self.bump()

    def hear(self, frame: ProgressFrame | IncumbentFrame) -> None:
        """News from the child. Only a timetable that we hold changes the score; one that is told of may be lost."""
        now = time.time()
        self.rung = frame.rung or self.rung
        if isinstance(frame, IncumbentFrame):
            score = Score(*frame.score)
            if self.score is None or score < self.score:
                self.score, self.improved_at = score, now
        else:
            self.stage, self.stage_share, self.message = frame.stage, frame.share, frame.message
            self.bound = frame.bound if frame.bound is not None else self.bound
            self.placed = frame.placed if frame.placed is not None else self.placed
            self.total = frame.total if frame.total is not None else self.total
            self._advance(now)
        self.bump()

    def _advance(self, now: float) -> None:
        assert self.stage is not None
        span = SPANS[self.stage]
        reached = span.low + self.stage_share * (span.high - span.low)
        if self.stage not in ("load", "validate", "context") and self.job.started_at is not None:
            elapsed = max(0.0, now - self.job.started_at) / (self.job.time_limit_seconds + OVERHEAD_SECONDS)
            reached = max(reached, min(TIME_SHARE, TIME_SHARE * elapsed))
        self.percent = max(self.percent, reached)
        self.platform_stage = max(self.platform_stage, span.platform, key=PLATFORM_STAGES.index)

    def look(self, health: Health, stage_deadline_at: float | None) -> None:
        """What the watch sees; only a change of health is news."""
        self.stage_deadline_at = stage_deadline_at
        if health != self.health:
            self.health = health
            self.bump()

    def bump(self) -> None:
        """Wakes everybody who waits for a change."""
        self.version += 1
        self.updated_at = time.time()
        changed, self.changed = self.changed, anyio.Event()
        changed.set()

    def document(self, queue_position: int | None, slots: int, preparing: bool = False) -> dict[str, Any]:
        """
        The snapshot, ready for JSON. `queue_position` counts from 1; None when the job does not wait.

        `preparing` says that no job can start yet, because the solver is being loaded.
        """
        job, now = self.job, time.time()
        percent = 100.0 if job.status is Status.COMPLETED else round(self.percent, 2)
        eta = self._eta_seconds(now, queue_position, slots)
        stage = self.platform_stage if not job.status.terminal else job.status.value
        return {
            "job_id": job.id,
            "status": job.status.value,
            "stage": stage,
            "stage_progress": 100.0 if job.status is Status.COMPLETED else round(100 * self.stage_share, 2),
            "overall_progress": percent,
            "progress": int(percent),
            "percentage": percent,
            "message": self._message(queue_position, preparing),
            "error": job.error if job.status is Status.FAILED else None,
            **self._holding(),
            "eta_seconds": eta,
            "time_remaining_seconds": eta,
            "eta": _iso(now + eta),
            "started_at": job.started_at or job.created_at,
            "last_updated": round(now if job.status is Status.RUNNING else self.updated_at, 3),
            "timestamp": _iso(now),
            "last_improvement_at": self.improved_at,
            "health": self.health,
            "stage_deadline_at": self.stage_deadline_at,
            "attempt": job.attempt,
            "queue_position": queue_position,
            "metadata": self._metadata(),
            **({f"{job.status.value}_at": job.finished_at} if job.status.terminal else {}),
        }

    def _holding(self) -> dict[str, Any]:
        score, bound = self.score, self.bound
        gap = None
        if score is not None and bound is not None and score.complete:
            gap = round((score.soft - bound) / max(score.soft, 1), 4)
        return {
            "rung": self.rung,
            "cost": score.soft if score is not None else None,
            "levels": score._asdict() if score is not None else None,
            "bound": bound,
            "gap": gap,
            "placed": self.placed,
            "total": self.total,
        }

    def _eta_seconds(self, now: float, queue_position: int | None, slots: int) -> int:
        """Whole seconds; at least 1 while the job is alive, 0 when it has ended."""
        job = self.job
        if job.status.terminal:
            return 0
        if job.status is Status.RUNNING and self.ends_at is not None:
            left = self.ends_at - now
            return max(1, math.ceil(min(left, OVERHEAD_SECONDS) if self.stage in ("verify", "store") else left))
        turns = 1 + ((queue_position or 1) - 1) // slots
        return math.ceil(turns * (job.remaining_seconds + OVERHEAD_SECONDS))

    def _message(self, queue_position: int | None, preparing: bool) -> str:
        job = self.job
        if job.status is Status.FAILED:
            return job.error or "failed"
        if job.status is Status.CANCELLED:
            return "cancelled" + ("; the best timetable so far is kept" if self.score is not None else "")
        if job.status is Status.COMPLETED:
            return f"completed: {self.placed} of {self.total} sessions placed"
        if job.status is Status.QUEUED:
            again = f", after attempt {job.attempt} ended: {job.error}" if job.attempt and job.error else ""
            loading = f"; {PREPARING}" if preparing else ""
            return f"waiting at position {queue_position or 1}{again}{loading}"
        return "cancelling" if job.cancel_requested else self.message

    def _metadata(self) -> dict[str, Any]:
        job = self.job
        return {
            "semester": None,
            "academic_year": None,
            **job.meta,
            "stage": self.stage or job.stage,
            "phase": self.message,
            "rung": self.rung,
            "quality": job.quality and job.quality.value,
            "stopped_by": job.stopped_by and job.stopped_by.value,
            "error": job.error,
            "total_items": self.total,
            "completed_items": self.placed,
            "failed_attempts": job.failed_attempts,
        }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
