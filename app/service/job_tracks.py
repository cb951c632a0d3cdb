"""
All jobs as they are shown, in memory: whoever asks how a job is never waits for the store.

Each snapshot has a `version`, different from all others of its job, also from those of earlier services; a reader who
comes back with one can be told whether there is anything new.
"""

from __future__ import annotations

import heapq
import math
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import anyio

from app.domain.eta import RunTimes
from app.domain.jobs import Job, Status, tenant_of
from app.domain.progress import Track
from app.domain.snapshot import COMPILING, PREPARING, document

LOADING_SECONDS = 8.0
"""Loading kernels that are in the cache takes no longer; what goes on after that is their compilation."""
COMPILING_SECONDS = 45.0
SCHEDULE_SECONDS = 1.0
"""The estimate of when each waiting job will be done is this old at most."""


class QueuePlace(NamedTuple):
    """Where a waiting job stands, from 1, and the seconds until it is done."""

    position: int
    seconds: float


class JobTracks:
    """
    One `Track` per job, in order of submission, and who waits before whom. `slots` children solve at a time.

    `checkpointed` says that somebody stores how far the bars may go, see `Track.reserve`.
    """

    def __init__(self, slots: int, *, checkpointed: bool = False) -> None:
        self._slots, self._checkpointed = slots, checkpointed
        self._run_times = RunTimes()
        self._run = secrets.token_hex(4)
        self._tracks: dict[str, Track] = {}
        self._order: dict[str, int] = {}
        self._queued: set[str] = set()
        self._added = 0
        self._schedule: dict[str, QueuePlace] = {}
        self._scheduled_at = -math.inf
        self._preparing_since: float | None = None

    @property
    def preparing(self) -> bool:
        """Whether nothing can start because the solver is being loaded, as at the very first start."""
        return self._preparing_since is not None

    @preparing.setter
    def preparing(self, preparing: bool) -> None:
        """Whether compiling is under way; estimates change when that does."""
        if preparing != self.preparing:
            self._preparing_since = time.monotonic() if preparing else None
            self._scheduled_at = -math.inf

    @property
    def slots(self) -> int:
        """How many jobs are solved at a time, by whomever."""
        return self._slots

    @slots.setter
    def slots(self, slots: int) -> None:
        """How many jobs are solved at once, at least 1; the time until a queued one begins depends on it."""
        self._slots = max(1, slots)

    def __getitem__(self, job_id: str) -> Track:
        return self._tracks[job_id]

    def __len__(self) -> int:
        return len(self._tracks)

    def get(self, job_id: str) -> Track | None:
        """The track of a job, None when nothing of it is in memory."""
        return self._tracks.get(job_id)

    def add(self, job: Job) -> Track:
        """A job that is later than all others."""
        self._order[job.id] = self._added
        self._added += 1
        track = self._tracks[job.id] = Track(job, self._run_times, self._checkpointed)
        self._place(job)
        return track

    def set(self, job: Job) -> None:
        """The row of a known job has changed."""
        self._place(job)
        self._tracks[job.id].set_job(job)

    def remove(self, job_id: str) -> None:
        """The job is deleted; whoever waits for a change of it is woken."""
        del self._order[job_id]
        self._queued.discard(job_id)
        self._scheduled_at = -math.inf
        self._tracks.pop(job_id).bump()

    def newest_first(self) -> Iterator[Track]:
        """The tracks in memory, from the job that came last."""
        return reversed(self._tracks.values())

    @property
    def ended(self) -> int:
        """Number of jobs that have ended, in whichever way."""
        return sum(track.job.status.terminal for track in self._tracks.values())

    def _place(self, job: Job) -> None:
        self._scheduled_at = -math.inf
        if job.status is Status.QUEUED:
            self._queued.add(job.id)
        else:
            self._queued.discard(job.id)

    def counts(self) -> dict[str, int]:
        """Number of jobs of each status."""
        counts = dict.fromkeys((status.value for status in Status), 0)
        for track in self._tracks.values():
            counts[track.job.status.value] += 1
        return counts

    def position(self, job_id: str) -> int | None:
        """Place in the queue from 1; None when the job does not wait."""
        place = self._places().get(job_id)
        return None if place is None else place.position

    def snapshot(self, job_id: str) -> dict[str, Any] | None:
        """The progress document; None for an unknown id."""
        track = self._tracks.get(job_id)
        if track is None:
            return None
        place = self._places().get(job_id)
        position, seconds = place or (None, track.seconds_left())
        shown = document(track, position, math.ceil(seconds), self._told_of_preparing())
        return {**shown, "version": f"{self._run}-{track.version}"}

    def curve(self, job_id: str) -> list[dict[str, object]] | None:
        """How cost and bound went since the job began, as far as this service has seen it; None for an unknown id."""
        track = self._tracks.get(job_id)
        return None if track is None else track.history.view(track.job.started_at or track.job.created_at)

    async def wait_for_change(self, job_id: str, seen: int, timeout: float) -> int:
        """Waits until the snapshot has a version other than `seen`, `timeout` seconds at most; returns the version."""
        track = self._tracks.get(job_id)
        if track is None:
            return seen
        with anyio.move_on_after(timeout):
            while track.version == seen:
                await track.changed.wait()
        return track.version

    def _preparing_seconds_left(self, now: float) -> float:
        """Seconds until the solver is loaded; whether kernels have to be compiled shows in how long it has taken."""
        if self._preparing_since is None:
            return 0.0
        gone = now - self._preparing_since
        return max(1.0, (LOADING_SECONDS if gone < LOADING_SECONDS else COMPILING_SECONDS) - gone)

    def _told_of_preparing(self) -> str:
        if self._preparing_since is None:
            return ""
        return PREPARING if time.monotonic() - self._preparing_since < LOADING_SECONDS else COMPILING

    def _in_turn(self) -> list[str]:
        """Waiting jobs in the order in which the store gives them out, as far as that is known before."""
        busy = Counter(tenant_of(track.job) for track in self._tracks.values() if track.job.status is Status.RUNNING)
        place: dict[str, int] = {}
        for job_id in sorted(self._queued, key=self._order.__getitem__):
            tenant = tenant_of(self._tracks[job_id].job)
            place[job_id] = busy[tenant]
            busy[tenant] += 1
        return sorted(place, key=place.__getitem__)  # in order of submission among equals

    def _places(self) -> dict[str, QueuePlace]:
        """Every waiting job, in turn onto the slot that is free first."""
        now = time.monotonic()
        if now - self._scheduled_at < SCHEDULE_SECONDS:
            return self._schedule
        running = [track.seconds_left() for track in self._tracks.values() if track.job.status is Status.RUNNING]
        free = sorted(running)[-self._slots :]
        free += [0.0] * (self._slots - len(free))
        loading = self._preparing_seconds_left(now)
        free = [max(seconds, loading) for seconds in free]
        heapq.heapify(free)
        self._schedule, self._scheduled_at = {}, now
        for position, job_id in enumerate(self._in_turn(), 1):
            done = max(1.0, free[0] + self._tracks[job_id].seconds_left())
            heapq.heapreplace(free, done)
            self._schedule[job_id] = QueuePlace(position, done)
        return self._schedule
