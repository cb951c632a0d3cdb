"""
How a person steers a job: cancel, finish, restart, delete.

Each of them has its turn alone, under the lock of the registry: it looks at the job as it is by then, writes to the
store, and shows what was written. A running attempt is only told to end; its end goes through the dispatcher like any
other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from app.domain.jobs import Event, Job, JobStateError, StaleAttempt, Status, TooManyCancels, advance
from app.domain.outcomes import How
from app.domain.token_bucket import Buckets
from app.service.dispatcher import Dispatcher
from app.service.job_registry import JobRegistry
from app.service.leases import Leases
from app.service.retention import Retention
from app.service.store_access import ForClient, passing
from app.store import EarlyCancel
from solver.result import StoppedBy

Among = Callable[[Job], bool]
"""Which jobs are meant; one that is not among them is treated as one that does not exist."""

CalledOff = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Which of some jobs somebody has called off who could not reach us."""

EARLY_PER_MINUTE = 600
"""
Cancels of jobs that are not here, by callers of the same organisations. Nobody who steers a job is ever counted, but
what is remembered is written, and an endless stream of it would keep the store from everybody.
"""
OVERTAKEN = 3
"""So often something is tried again because another service has moved the job meanwhile."""

_log = logging.getLogger("timetable.supervisor")


def anyone(job: Job) -> bool:
    """Among whose jobs a caller without limits steers."""
    return True


class Steering:
    """What the methods of `Supervisor` do that have the same names. All answer None for a job that is not meant."""

    def __init__(
        self,
        registry: JobRegistry,
        dispatcher: Dispatcher,
        leases: Leases,
        retention: Retention,
        for_client: ForClient,
    ) -> None:
        self._registry, self._dispatcher = registry, dispatcher
        self._leases, self._retention = leases, retention
        self._for_client = for_client
        self._early = Buckets(EARLY_PER_MINUTE)

    async def cancel(self, job_id: str, among: Among, organisations: tuple[str, ...] | None = None) -> Job | None:
        """A job that is not there may still come; for a while it is remembered that these organisations want none."""

        async def remember() -> None:
            if self._early.wait(repr(organisations)):
                raise TooManyCancels
            cancel = EarlyCancel(job_id=job_id, asked_at=time.time(), organisations=organisations)
            found = await self._registry.in_store(self._registry.store.remember_cancel, cancel)
            if found is not None and among(found):
                raise StaleAttempt(f"job {job_id!r} has come at this very moment")

        return await self._steer(self._cancel, job_id, among, remember)

    async def finish(self, job_id: str, among: Among) -> Job | None:
        """Ends a running job with the best timetable it has; None when there is none among these."""
        return await self._steer(self._finish, job_id, among)

    async def restart(self, job_id: str, among: Among) -> Job | None:
        """Runs an ended job again; None when there is none among these."""
        return await self._steer(self._restart, job_id, among)

    async def delete(self, job_id: str, among: Among) -> Job | None:
        """Removes an ended job; None when there is none among these."""
        return await self._steer(self._delete, job_id, among)

    async def cancel_waiting(self, called_off: CalledOff) -> None:
        """
        Whoever cancelled a job while we were away could not reach us: what waits is looked at before it goes on.

        To be called before there is anybody who could run a job or ask for it.
        """
        waiting = [track.job.id for track in self._registry.tracks.newest_first() if track.job.status is Status.QUEUED]
        for job_id in await called_off(waiting) if waiting else ():
            try:
                await self._cancel(self._registry.tracks[job_id].job)
            except StaleAttempt as error:
                _log.info("job %s: another service has it: %s", job_id, error)

    async def _steer(
        self,
        act: Callable[[Job], Awaitable[Job | None]],
        job_id: str,
        among: Among,
        otherwise: Callable[[], Awaitable[None]] | None = None,
    ) -> Job | None:
        """Does `act` with a job, alone, or `otherwise` where there is none; the job as `act` leaves it."""

        async def once() -> Job | None:
            track = await self._leases.latest(job_id)
            if track is not None and among(track.job):
                return await act(track.job)
            if otherwise is not None:
                await otherwise()
            return None

        return await self._for_client(lambda: self._anew(once), self._registry.moving)

    async def _anew(self, work: Callable[[], Awaitable[Job | None]]) -> Job | None:
        """Other services move jobs beside us: what was refused because of that is done once more."""
        if not self._leases.shared:
            return await work()
        for _ in range(OVERTAKEN):
            try:
                return await work()
            except StaleAttempt as error:
                _log.info("overtaken by another service: %s", error)
        return await work()

    async def _cancel(self, job: Job) -> Job:
        if job.cancel_requested or job.status is Status.CANCELLED:
            return job
        in_store, store = self._registry.in_store, self._registry.store
        if job.status is Status.RUNNING:
            await in_store.must(passing(store.request, after="cancel.after_commit"), job, cancel=True)
            self._stop_attempt(job.id, How.CANCEL)
            after = replace(job, cancel_requested=True)
            self._registry.show(after)
        elif job.status is Status.QUEUED:
            after = advance(job, Event.CANCEL, time.time(), stopped_by=StoppedBy.CANCELLED)
            await in_store.must(passing(store.move, after="cancel.after_commit"), job, after)
            self._registry.moved(after, Event.CANCEL)
        else:
            raise JobStateError(job, "cancel")
        return after

    async def _finish(self, job: Job) -> Job:
        if job.finish_requested:
            return job
        in_store, store = self._registry.in_store, self._registry.store
        if job.status is Status.RUNNING and not job.cancel_requested:
            await in_store.must(store.request, job, finish=True)
            self._stop_attempt(job.id, How.FINISH)
            after = replace(job, finish_requested=True)
        elif job.status is Status.QUEUED and (await in_store.best_of(job.id)).held is not None:
            after = replace(job, publish=StoppedBy.FINISHED_EARLY, finish_requested=True)
            await in_store.must(store.move, job, after)
        else:
            raise JobStateError(job, "finish")
        self._registry.show(after)
        return after

    async def _restart(self, job: Job) -> Job:
        after = advance(job, Event.RESTART, time.time())
        await self._registry.in_store.must(passing(self._registry.store.move, after="restart.after_commit"), job, after)
        return self._registry.moved(after, Event.RESTART)

    async def _delete(self, job: Job) -> Job | None:
        return await self._retention.delete(job.id)

    def _stop_attempt(self, job_id: str, how: How) -> None:
        if job_id in self._dispatcher.attempts:
            self._dispatcher.attempts[job_id].stop(how)
