"""
All jobs as they are known, in memory and in the store, and the one lock under which that changes.

Everybody who moves a job takes the lock (`moving`), writes to the store, and shows what was written; so a claim, a
cancel, a delete and the end of an attempt cannot overlap. The store's own guard (old status, attempt number) stands
behind it. Observers are told here and nowhere else; one that raises is logged once and never harms us.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

import anyio

from app.domain.jobs import Event, Job, Status
from app.domain.progress import Track
from app.domain.telemetry import Happening, Moved, Observer
from app.service.disk_reserve import DiskReserve
from app.service.job_tracks import JobTracks
from app.service.store_access import Storage
from app.settings import Settings
from app.store import Store

_log = logging.getLogger("timetable.supervisor")

_MOVES = {
    Status.COMPLETED: Event.COMPLETE,
    Status.FAILED: Event.FAIL,
    Status.CANCELLED: Event.CANCEL,
    Status.RUNNING: Event.CLAIM,
}


class JobRegistry:
    """What the parts of a supervisor share. `lost` are waiting jobs whose last attempt did not end by itself."""

    def __init__(self, settings: Settings, observe: Observer) -> None:
        self.settings = settings
        self.tracks = JobTracks(settings.slots, checkpointed=True)
        self.disk_reserve = DiskReserve(settings)
        self.in_store = Storage(self.disk_reserve, self.tell, settings.slow_seconds)
        self.moving = anyio.Lock()
        self.wake = anyio.Event()
        self.lost: set[str] = set()
        self._waiting_since: dict[str, float] = {}
        self._observe, self._observer_failed = observe, False

    @property
    def store(self) -> Store:
        """The store itself, for calls whose way is chosen by the caller."""
        return self.in_store.store

    def tell(self, happening: Happening) -> None:
        """Tells the observer, whatever it makes of it."""
        try:
            self._observe(happening)
        except Exception:  # noqa: BLE001 - whoever watches must not harm what is watched
            if not self._observer_failed:
                _log.exception("an observer failed on %s; this is logged once", type(happening).__name__)
            self._observer_failed = True

    def show(self, job: Job) -> Track:
        """Makes a written row the one we show; wakes the dispatcher when there is something to run."""
        if self.tracks.get(job.id) is None:
            self.tracks.add(job)
        else:
            self.tracks.set(job)
        if job.status is Status.QUEUED:
            self._waiting_since.setdefault(job.id, time.monotonic())
            self.wake.set()
        else:
            self._waiting_since.pop(job.id, None)
        return self.tracks[job.id]

    def moved(self, job: Job, event: Event | None) -> Job:
        """The same for a row that has changed its state."""
        self.show(job)
        self.tell(Moved(job=job, event=event))
        return job

    def forget(self, job_id: str) -> None:
        """A deleted job."""
        self.tracks.remove(job_id)
        self.in_store.forget(job_id)
        self._waiting_since.pop(job_id, None)
        self.lost.discard(job_id)

    def waiting(self, resting: Collection[str] = ()) -> list[float]:
        """Seconds that each queued job has waited, without those in `resting`."""
        now = time.monotonic()
        return [now - since for job_id, since in self._waiting_since.items() if job_id not in resting]


def event_between(before: Job, after: Job) -> Event:
    """What has happened to a running job that is now `after`."""
    if after.status is Status.QUEUED:
        return Event.LOSE if after.failed_attempts > before.failed_attempts else Event.RELEASE
    return _MOVES[after.status]
