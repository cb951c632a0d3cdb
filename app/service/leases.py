"""
Several services on one store: what the others do is seen here, and what they leave behind is taken up.

Four tasks; on a store of one service they end at once. `renew` keeps the leases of our jobs; when it could not for
`FENCE_SECONDS`, `guard` has the children killed and their results dropped, before anybody else may begin their jobs
anew. `follow` shows what was written elsewhere: new jobs, requests to end ours, progress, ends, deletions. `reclaim`
settles running jobs that nobody works on any more.

Durations are measured by a clock that goes on while this machine sleeps, so that whoever wakes up late fences itself
before anything else. That is courtesy and saves work; what keeps results right is the attempt number in every write.
"""

from __future__ import annotations

import logging
import time

import anyio
import anyio.to_thread

from app.domain.jobs import Job, Status
from app.domain.progress import NORMAL, SERVICE_SILENT, Track
from app.domain.telemetry import Seen
from app.service.dispatcher import Dispatcher
from app.service.job_registry import JobRegistry
from app.service.recovery import take_up
from app.service.spool import Spool
from app.store import Changes, SharedStore, StoredIncumbent, StoreError, StoreUnavailable

RENEW_SECONDS = 3.0
RETRY_SECONDS = 0.5
FENCE_SECONDS = 10.0
"""Less than a lease (`app.store.postgres.LEASE_SECONDS`) by more than children need to end that are told to."""
GUARD_SECONDS = 0.2
FOLLOW_SECONDS = 0.5
SILENT_SECONDS = 2 * RENEW_SECONDS
"""A service that has not renewed its leases for so long may be gone; its jobs are shown as stalled."""

_log = logging.getLogger("timetable.leases")


def boot_seconds() -> float:
    """Monotonic, and unlike `time.monotonic` it counts what this machine has slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Leases:
    """
    The leases of one service, and what it knows of the others.

    Use `begin` when the store is open, before the jobs are read.
    """

    def __init__(self, registry: JobRegistry, dispatcher: Dispatcher, spool: Spool) -> None:
        self._registry, self._dispatcher, self._spool = registry, dispatcher, spool
        self._one_renewal = anyio.CapacityLimiter(1)
        self._renewed_at = boot_seconds()
        self._missed = False
        self._upto: int | None = None
        self._store: SharedStore | None = None
        dispatcher.may_claim = lambda: self.fenced_because is None

    async def begin(self) -> None:
        """What is written from now on is followed."""
        store = self._registry.store
        if isinstance(store, SharedStore):
            self._store = store
            self._upto = (await self._registry.in_store(store.changes, None, ())).upto
        self._renewed_at = boot_seconds()

    @property
    def shared(self) -> bool:
        """Whether there may be any."""
        return self._store is not None

    @property
    def fenced_because(self) -> str | None:
        """Why this service takes no jobs and runs none at the moment; None when it may."""
        silent = boot_seconds() - self._renewed_at
        if self._store is None or silent < FENCE_SECONDS:
            return None
        return f"the leases of its jobs could not be renewed for {silent:.0f} s, so other services may take these over"

    async def latest(self, job_id: str) -> Track | None:
        """A job as the store has it, where others may have moved it, else as we know it. The caller holds the lock."""
        track = self._registry.tracks.get(job_id)
        if not self.shared or job_id in self._dispatcher.attempts:
            return track
        stored = await self._registry.in_store(self._registry.store.job, job_id)
        if stored is not None and (track is None or track.job != stored):
            return self._registry.show(stored)
        if stored is None and track is not None:
            self._registry.forget(job_id)
            return None
        return track

    # --- leases ---

    async def renew(self) -> None:
        """Renews the leases for as long as the task runs; ends at once with a store of one service."""
        while self._store is not None:
            await anyio.sleep(RENEW_SECONDS if await self._renewed(self._store) else RETRY_SECONDS)

    async def _renewed(self, store: SharedStore) -> bool:
        self._look()  # whoever was stopped for long ends its children before it claims to be alive
        ours = {job_id: attempt.job.attempt for job_id, attempt in self._dispatcher.attempts.items()}
        began = boot_seconds()
        try:
            held = await anyio.to_thread.run_sync(store.renew, limiter=self._one_renewal)
        except StoreError as error:
            if not self._missed:  # once is enough; readiness tells for how long
                _log.warning("the leases of %d job(s) are not renewed: %s", len(ours), error)
            self._missed = True
            return False
        self._renewed_at, self._missed = began, False
        for job_id, attempt in ours.items():
            if held.get(job_id) != attempt:
                self._dispatcher.fence(job_id, attempt)
        return True

    async def guard(self) -> None:
        """Fences this service when its leases may have run out, whatever the store does meanwhile."""
        while self._store is not None:
            self._look()
            await anyio.sleep(GUARD_SECONDS)

    def _look(self) -> None:
        if self.fenced_because is not None:
            for job_id, attempt in list(self._dispatcher.attempts.items()):
                self._dispatcher.fence(job_id, attempt.job.attempt)

    # --- what others have written ---

    async def follow(self) -> None:
        """Shows what other services do with the jobs. What one look misses the next one sees."""
        while self._store is not None:
            try:
                if self._registry.in_store.refusal is None:
                    await self._follow(self._store)
            except StoreError as error:  # what we miss now is seen at the next look
                _log.debug("the other services cannot be followed at the moment: %s", error)
            await anyio.sleep(FOLLOW_SECONDS)

    async def _follow(self, store: SharedStore) -> None:
        registry = self._registry
        async with registry.moving:
            look = registry.in_store.if_willing(store.changes)
            changes = await registry.in_store(look, self._upto, tuple(self._dispatcher.attempts))
            for job in changes.jobs:
                self._dispatcher.assistants.see(job)
                self._show(job)
            self._show_life(changes)
            if changes.total != len(registry.tracks):
                await self._compare_ids(store)
            self._upto = changes.upto

    def _show(self, job: Job) -> None:
        track, attempt = self._registry.tracks.get(job.id), self._dispatcher.attempts.get(job.id)
        if attempt is None or track is None:
            if track is None or track.job != job:
                self._registry.show(job)
                self._registry.tell(Seen(job=job))
        elif (job.status, job.attempt) != (Status.RUNNING, attempt.job.attempt):
            self._dispatcher.fence(job.id, attempt.job.attempt)
            self._registry.show(job)
            self._registry.tell(Seen(job=job))
        else:
            self._dispatcher.asked(job)

    def _show_life(self, changes: Changes) -> None:
        """How jobs are that run elsewhere."""
        for job_id, held in changes.incumbents.items():
            self._show_incumbent(job_id, held)
        for job_id, seconds in changes.silent_seconds.items():
            track = self._registry.tracks.get(job_id)
            if track is None or track.job.status is not Status.RUNNING:
                continue
            if seconds >= SILENT_SECONDS:
                track.look("stalled", None, SERVICE_SILENT, track.place, silent_seconds=seconds)
            elif job_id in changes.lives:
                track.follow(*changes.lives[job_id])
            else:  # it has only begun
                track.look("ok", None, NORMAL, silent_seconds=seconds)

    def _show_incumbent(self, job_id: str, held: StoredIncumbent) -> None:
        track = self._registry.tracks.get(job_id)
        if track is not None and job_id not in self._dispatcher.attempts:
            if track.score is None or held.score < track.score:
                track.score, track.improved_at = held.score, held.found_at
            track.rung = held.rung or track.rung
            track.bump()

    async def _compare_ids(self, store: SharedStore) -> None:
        """Something was deleted elsewhere, or came in at this very moment."""
        registry = self._registry
        there = set(await registry.in_store(store.ids))
        for track in list(registry.tracks.newest_first()):
            if track.job.id not in there and track.job.id not in self._dispatcher.attempts:
                registry.forget(track.job.id)

    # --- what others have left ---

    async def reclaim(self) -> None:
        """Takes up jobs whose service is gone."""
        while self._store is not None:
            await anyio.sleep(RENEW_SECONDS)
            try:
                if self._registry.in_store.refusal is None and self.fenced_because is None:
                    await self._reclaim(self._store)
            except StoreError as error:  # they are still there at the next look
                _log.warning("abandoned jobs cannot be taken up at the moment: %s", error)

    async def _reclaim(self, store: SharedStore) -> None:
        async with self._registry.moving:
            for job in await self._registry.in_store(store.abandoned, tuple(self._dispatcher.attempts)):
                _log.warning("job %s: nobody works on attempt %d any more", job.id, job.attempt)
                try:
                    after = await take_up(self._registry, self._spool, job)
                except StoreUnavailable:
                    raise
                except Exception:  # noqa: BLE001 - what is wrong with one job must not hold up those behind it
                    _log.exception("job %s cannot be taken up", job.id)
                    continue
                if after is not None:
                    self._registry.show(after)
