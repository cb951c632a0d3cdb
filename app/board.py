"""
All jobs as they are shown, in memory: whoever asks how a job is never waits for the store.
"""

from __future__ import annotations

from typing import Any

import anyio

from app.jobs import Job, Status
from app.progress import Track


class Board:
    """One `Track` per job, in order of submission, and who waits before whom. `slots` children solve at a time."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._tracks: dict[str, Track] = {}
        self._order: dict[str, int] = {}
        self._queued: set[str] = set()
        self.preparing = False
        """Whether nothing can start because the solver is being loaded, as at the very first start."""

    def __getitem__(self, job_id: str) -> Track:
        return self._tracks[job_id]

    def get(self, job_id: str) -> Track | None:
        return self._tracks.get(job_id)

    def add(self, job: Job) -> Track:
        """A job that is later than all others."""
        self._order[job.id] = len(self._order)
        track = self._tracks[job.id] = Track(job)
        self._place(job)
        return track

    def set(self, job: Job) -> None:
        """The row of a known job has changed."""
        self._place(job)
        self._tracks[job.id].set_job(job)

    def _place(self, job: Job) -> None:
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
        if job_id not in self._queued:
            return None
        return 1 + sum(self._order[other] < self._order[job_id] for other in self._queued)

    def snapshot(self, job_id: str) -> dict[str, Any] | None:
        """The progress document; None for an unknown id."""
        track = self._tracks.get(job_id)
        return None if track is None else track.document(self.position(job_id), self._slots, self.preparing)

    async def wait_for_change(self, job_id: str, seen: int, timeout: float) -> int:
        """Waits until the snapshot has a version other than `seen`, `timeout` seconds at most; returns the version."""
        track = self._tracks.get(job_id)
        if track is None:
            return seen
        with anyio.move_on_after(timeout):
            while track.version == seen:
                await track.changed.wait()
        return track.version
