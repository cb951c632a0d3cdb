"""What a child is told to do: the options of its job, and what this attempt makes of them."""

from __future__ import annotations

from dataclasses import replace

from app.domain.jobs import Job
from app.domain.messages import Start
from app.processes.watch import LOAD_SECONDS, VERIFY_SECONDS
from app.settings import Settings
from solver.result import RungId

LAST_RESORT_SECONDS = 60.0
"""Beyond the longest that we let a stage last; then a child ends itself."""


def start_frame(job: Job, settings: Settings, dataset: bytes, rung: RungId | None) -> Start:
    """The first word to the child of the attempt that `job` is at; `rung` is that of the timetable it was given."""
    return Start(
        job_id=job.id,
        attempt=job.attempt,
        options=replace(
            job.options,
            time_limit_seconds=job.remaining_seconds,
            workers=workers_of(job, settings),
            seed=seed_of(job),
        ),
        max_courses=settings.max_courses,
        max_faculty=settings.max_faculty,
        max_rooms=settings.max_rooms,
        quality_threshold=settings.quality_threshold,
        publish=job.publish,
        rung=rung,
        last_resort_seconds=_last_resort_seconds(job, settings),
        body=dataset,
    )


def workers_of(job: Job, settings: Settings) -> int:
    """Solver threads of an attempt."""
    return job.options.workers or settings.workers_per_job


def seed_of(job: Job) -> int:
    """What crashed with one seed may well run with another."""
    return job.options.seed + job.failed_attempts


def _last_resort_seconds(job: Job, settings: Settings) -> float:
    longest = (job.remaining_seconds + settings.stage_grace_seconds, settings.context_seconds)
    return LAST_RESORT_SECONDS + max(*longest, LOAD_SECONDS, VERIFY_SECONDS, settings.first_answer_seconds)
