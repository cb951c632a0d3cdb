"""
The start on a folder that an earlier service has left, whichever way it went.

Every job is read. One that is still marked running has no process any more, unless it runs in another service. If its
attempt had ended, and the store did not take the end then, the end is stored now; otherwise the job goes back into the
queue with what the last checkpoint knew of it: solving time used, how far it was, its best timetable.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from app.domain.jobs import Job, StaleAttempt, Status
from app.domain.outcomes import How, Outcome, settle
from app.domain.telemetry import AttemptEnded, Moved
from app.service.job_registry import JobRegistry, event_between
from app.service.spool import Spool, Spooled
from app.store import StoreUnavailable
from app.system.failpoints import failpoint

_log = logging.getLogger("timetable.supervisor")


async def recover(registry: JobRegistry, spool: Spool) -> int:
    """Shows every job, and settles those that an earlier service was running; returns how many these were."""
    interrupted = 0
    abandoned = {job.id: job.attempt for job in await registry.in_store(registry.store.abandoned, ())}
    for job in reversed(await registry.in_store(registry.store.jobs)):
        if job.status is Status.RUNNING and abandoned.get(job.id) == job.attempt:
            if interrupted:
                failpoint("recover.between")
            try:
                job = await take_up(registry, spool, job) or job
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001 - what is wrong with one job must not keep the others from starting
                _log.exception("job %s cannot be taken up", job.id)
            interrupted += 1
        held = (await registry.in_store.stored_best_of(job.id)).held if job.status is Status.QUEUED else None
        track = registry.show(job)
        if held is not None:
            track.score, track.improved_at = held.score, held.found_at
    await registry.in_store(spool.clear)
    return interrupted


async def take_up(registry: JobRegistry, spool: Spool, job: Job) -> Job | None:
    """Settles a running job that nobody works on: the job after that, or None when it is gone. Hold the lock."""
    try:
        return await _settled(registry, job, await registry.in_store(spool.read, job))
    except StaleAttempt:  # another service was faster
        return await registry.in_store(registry.store.job, job.id)


async def _settled(registry: JobRegistry, job: Job, spooled: Spooled | None) -> Job:
    outcome, body, used_seconds = spooled or (await _service_lost(registry, job), None, job.used_seconds)
    after = settle(replace(job, used_seconds=used_seconds), outcome, registry.settings.max_attempts)
    keep = body if after.result_attempt == job.attempt else None
    await registry.in_store.must(registry.store.move, job, after, outcome=outcome, result=keep)
    if spooled:
        _log.warning("job %s: the end of its last attempt, which the store did not take then, is stored now", job.id)
    if after.status is Status.QUEUED:
        registry.lost.add(job.id)
    registry.tell(AttemptEnded(job=job, after=after, outcome=outcome))
    registry.tell(Moved(job=after, event=event_between(job, after)))
    return after


async def _service_lost(registry: JobRegistry, job: Job) -> Outcome:
    held, _ = await registry.in_store.stored_best_of(job.id)
    return Outcome(
        how=How.SERVICE_LOST,
        at=time.time(),
        stage=job.stage,
        message="the service ended while this attempt ran",
        held=held.score if held else None,
        taken_down=await registry.in_store.times_taken_down(job),
        noted_seconds=await registry.in_store.noted_seconds(job),
    )
