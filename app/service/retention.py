"""
How long ended jobs stay: so many days, and so many of them. What is over is deleted in the background, a few at a time.
"""

from __future__ import annotations

import logging
import math
import time

import anyio

from app.domain.jobs import Job, JobStateError, StaleAttempt
from app.service.job_registry import JobRegistry
from app.service.store_access import passing
from app.store import StoreError

SWEEP_SECONDS = 60.0
BATCH = 20
PAUSE_SECONDS = 0.05
"""Between two deletes, so that clients and ends of attempts have their turn."""
DAY = 86_400.0

_log = logging.getLogger("timetable.retention")


class Retention:
    """Deletes ended jobs, when somebody asks and when their time is over."""

    def __init__(self, registry: JobRegistry) -> None:
        self._registry = registry

    async def run(self) -> None:
        """Sweeps until it is cancelled; an outage of the store only postpones."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:  # they are still there at the next sweep
                _log.warning("old jobs cannot be deleted at the moment: %s", error)
            await anyio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> int:
        """Deletes every job whose time is over; returns how many these were."""
        deleted = 0
        while batch := await self._over():
            before = deleted
            for job_id in batch:
                async with self._registry.moving:
                    deleted += await self._delete_if_ended(job_id)
                await anyio.sleep(PAUSE_SECONDS)
            if deleted == before:
                break  # none of them could go, because they have just been restarted
        if deleted:
            _log.info("deleted %d ended job(s)", deleted)
        return deleted

    async def delete(self, job_id: str) -> Job | None:
        """
        Deletes one job now; None for an unknown id. The caller holds the lock.

        Raises
        ------
        JobStateError
            The job waits or runs.
        """
        track = self._registry.tracks.get(job_id)
        if track is None:
            return None
        if not track.job.status.terminal:
            raise JobStateError(track.job, "delete")
        remove = passing(self._registry.store.delete, before="delete.before_commit")
        await self._registry.in_store.must(remove, track.job)
        self._registry.forget(job_id)
        return track.job

    async def _over(self) -> list[str]:
        """Some of the jobs that are to go: too old ones, then the oldest of too many."""
        settings, in_store, store = self._registry.settings, self._registry.in_store, self._registry.store
        if settings.keep_days:
            old = await in_store(store.expired, time.time() - settings.keep_days * DAY, BATCH)
            if old:
                return old
        surplus = self._registry.tracks.ended - settings.keep_jobs if settings.keep_jobs else 0
        return await in_store(store.expired, math.inf, min(surplus, BATCH)) if surplus > 0 else []

    async def _delete_if_ended(self, job_id: str) -> bool:
        track = self._registry.tracks.get(job_id)
        if track is None or not track.job.status.terminal:
            return False
        try:
            return await self.delete(job_id) is not None
        except StaleAttempt:  # another service was faster, and we shall hear of it
            return False
