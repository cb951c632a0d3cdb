"""
The service as a caller sees it who is bound to an organisation: with the jobs of that organisation, and no others.

Routes get this in place of the whole service (`app.http.dependencies.Running`) and need not think of it. Another
organisation's job is treated as one that does not exist, so the two are answered alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from app.domain.callers import Caller
from app.domain.exceptions import NotAllowed
from app.domain.jobs import Job, JobConflict, JobRequest, Status
from app.processes.questions import Work
from app.service.result_cache import CacheSize, ResultCache
from app.service.supervisor import Supervisor
from app.store import DeliveryRow, PortfolioRow
from app.store.notifications import Channel

ORGANISATION = "organization_id"
"""Where the metadata of a job have its organisation."""


class TenantJobs:
    """The jobs that one caller may see; what is done with them is told in `Supervisor`."""

    def __init__(self, supervisor: Supervisor, caller: Caller) -> None:
        self._supervisor, self._caller = supervisor, caller

    def _is_mine(self, job: Job) -> bool:
        return self._caller.reaches(job.meta.get(ORGANISATION))

    @property
    def children(self) -> int:
        """Of all organisations: a number that says how long a job may wait, and not for whom."""
        return self._supervisor.children

    def known(self, job_id: str) -> Job | None:
        """As if the jobs of other organisations were not there."""
        job = self._supervisor.known(job_id)
        return job if job is not None and self._is_mine(job) else None

    async def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """Takes a job of the caller's organisations. Raises NotAllowed, JobConflict."""
        if not self._caller.reaches(request.meta.get(ORGANISATION)):
            raise NotAllowed("The key is for another organisation than the one that is named.")
        job, created = await self._supervisor.submit(request)
        if not self._is_mine(job):  # the hash of a body covers the organisation, so this is a belt beside the braces
            raise JobConflict(request.job_id)
        return job, created

    def snapshot(self, job_id: str) -> dict[str, Any] | None:
        """Progress of a job of the caller's."""
        return self._supervisor.snapshot(job_id) if self.known(job_id) is not None else None

    def curve(self, job_id: str) -> list[dict[str, object]] | None:
        """Cost and bound of a job of the caller's."""
        return self._supervisor.curve(job_id) if self.known(job_id) is not None else None

    async def wait_for_change(self, job_id: str, seen: int, timeout: float) -> int:
        """Does not wait for jobs of others."""
        if self.known(job_id) is None:
            return seen
        return await self._supervisor.wait_for_change(job_id, seen, timeout)

    async def look_up(self, job_id: str) -> None:
        """Reads any job into memory; the others decide who may see it."""
        await self._supervisor.look_up(job_id)

    async def job(self, job_id: str) -> Job | None:
        """A job of the caller's, None for all others."""
        job = await self._supervisor.job(job_id)
        return job if job is not None and self._is_mine(job) else None

    async def jobs(
        self, *, status: Status | None = None, dead_letter: bool | None = None, limit: int = 100, offset: int = 0
    ) -> list[Job]:
        """A page of the caller's jobs."""
        return await self._supervisor.jobs(
            status=status, dead_letter=dead_letter, limit=limit, offset=offset, among=self._is_mine
        )

    async def cancel(self, job_id: str) -> Job | None:
        """As there; one that is not the caller's is answered like one that has not come."""
        mine = self._caller.organisations
        return await self._supervisor.cancel(job_id, among=self._is_mine, organisations=mine)

    async def finish(self, job_id: str) -> Job | None:
        """Steers only jobs of the caller's."""
        return await self._supervisor.finish(job_id, among=self._is_mine)

    async def restart(self, job_id: str) -> Job | None:
        """Steers only jobs of the caller's."""
        return await self._supervisor.restart(job_id, among=self._is_mine)

    async def delete(self, job_id: str) -> Job | None:
        """Steers only jobs of the caller's."""
        return await self._supervisor.delete(job_id, among=self._is_mine)

    # What is read by id is looked at again when it has come: the id may belong to another job by then.

    async def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """Empty for jobs of others."""
        found = await self._supervisor.attempts(job_id)
        return found if self.known(job_id) is not None else []

    async def portfolio(self, job_id: str) -> list[PortfolioRow]:
        """Without the names of machines, which are not theirs to know."""
        found = await self._supervisor.portfolio(job_id)
        return [replace(row, worker="") for row in found] if self.known(job_id) is not None else []

    async def bundle(self, job_id: str, attempt: int) -> Mapping[str, Any] | None:
        """None for jobs of others."""
        found = await self._supervisor.bundle(job_id, attempt)
        return found if self.known(job_id) is not None else None

    async def deliveries(self, job_id: str) -> list[DeliveryRow]:
        """Empty for jobs of others."""
        found = await self._supervisor.deliveries(job_id)
        return found if self.known(job_id) is not None else []

    async def tell_again(self, job_id: str, only: Channel | None = None) -> int:
        """Tells nothing of jobs of others: 0."""
        return await self._supervisor.tell_again(job_id, only) if await self.job(job_id) is not None else 0

    async def deliver_again(self, job_id: str) -> int:
        """Tells nothing of jobs of others: 0."""
        return await self._supervisor.deliver_again(job_id) if await self.job(job_id) is not None else 0


class TenantResults:
    """Their results, as in `ResultCache`."""

    def __init__(self, results: Results, jobs: TenantJobs) -> None:
        self._results, self._jobs = results, jobs

    async def body(self, job: Job, work: Work, **asked: str | int | bool) -> bytes | None:
        """None for jobs of others, also for one that was deleted meanwhile."""
        if self._jobs.known(job.id) is None:
            return None
        made = await self._results.body(job, work, **asked)
        return made if self._jobs.known(job.id) is not None else None

    def kept(self, is_meant: Callable[[Job | None], bool] = lambda job: True) -> CacheSize:
        """Counts what is kept of the caller's jobs."""
        return self._results.kept(self._mine(is_meant))

    def forget(self, is_meant: Callable[[Job | None], bool]) -> CacheSize:
        """Drops what is kept of the caller's jobs."""
        return self._results.forget(self._mine(is_meant))

    def _mine(self, is_meant: Callable[[Job | None], bool]) -> Callable[[Job | None], bool]:
        return lambda job: job is not None and self._jobs.known(job.id) is not None and is_meant(job)


Jobs: TypeAlias = Supervisor | TenantJobs
Results: TypeAlias = ResultCache | TenantResults
"""What routes need of jobs and results is what both kinds have."""
