"""
What the routes need of the jobs of a service: all of them (`app.service.supervisor.Supervisor`), or those of one
organisation (`app.service.tenant.TenantJobs`). What both do is said there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from app.domain.jobs import Job, JobRequest, Status
from app.processes.questions import Work
from app.service.result_cache import CacheSize
from app.store import DeliveryRow, PortfolioRow
from app.store.notifications import Channel


class Jobs(Protocol):
    """Jobs of which some caller knows."""

    @property
    def children(self) -> int:
        """Jobs that are being solved now."""

    def known(self, job_id: str) -> Job | None:
        """The job as it is in memory, None when it is not there."""

    async def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """Takes a job; the second value says whether it is new. Raises JobConflict, QueueFull, StoreError."""

    def snapshot(self, job_id: str) -> dict[str, Any] | None:
        """What `GET /progress` says of a job, None when it is not in memory."""

    def curve(self, job_id: str) -> list[dict[str, object]] | None:
        """How cost and bound went, None when the job is not in memory."""

    async def wait_for_change(self, job_id: str, seen: int, timeout: float) -> int:
        """Waits `timeout` seconds at most for a version of the progress after `seen`; returns the newest."""

    async def look_up(self, job_id: str) -> None:
        """Sees to it that a job that another service has just taken in is known here. Raises StoreUnavailable."""

    async def job(self, job_id: str) -> Job | None:
        """The job from memory or from the store, None when there is none."""

    async def jobs(
        self, *, status: Status | None = None, dead_letter: bool | None = None, limit: int = 100, offset: int = 0
    ) -> list[Job]:
        """A page of the jobs, newest first; None does not choose."""

    async def cancel(self, job_id: str) -> Job | None:
        """Ends a job without a new result; None when there is none. Raises StoreError."""

    async def finish(self, job_id: str) -> Job | None:
        """Ends a running job with the best timetable it has; None when there is none."""

    async def restart(self, job_id: str) -> Job | None:
        """Runs an ended job again; None when there is none. Raises JobStateError for one at work."""

    async def delete(self, job_id: str) -> Job | None:
        """Removes an ended job; None when there is none. Raises JobStateError for one at work."""

    async def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """The journal of a job, oldest first; empty when there is no such job."""

    async def portfolio(self, job_id: str) -> list[PortfolioRow]:
        """Who has worked on attempts that several did; empty when there is no such job."""

    async def bundle(self, job_id: str, attempt: int) -> Mapping[str, Any] | None:
        """The evidence of an attempt that had to be ended, None when there is none."""

    async def deliveries(self, job_id: str) -> list[DeliveryRow]:
        """What was told, or is to be, of the ends of a job, oldest first."""

    async def tell_again(self, job_id: str, only: Channel | None = None) -> int:
        """Has the last end of a job told again, on one channel or all; returns on how many."""

    async def deliver_again(self, job_id: str) -> int:
        """Has deliveries that were given up tried again; returns how many."""


class Results(Protocol):
    """Their results (`app.service.result_cache.ResultCache`, or those of one organisation)."""

    async def body(self, job: Job, work: Work, **asked: str | int | bool) -> bytes | None:
        """The encoded answer that `work` makes of a result; None when the job has none."""

    def kept(self, is_meant: Callable[[Job | None], bool] = ...) -> CacheSize:
        """What is in memory of the jobs that are meant, of all by default."""

    def forget(self, is_meant: Callable[[Job | None], bool]) -> CacheSize:
        """Drops it; returns how much it was."""
