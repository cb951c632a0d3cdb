"""
The stage before the child: the data of a job whose request brought none is fetched and kept.

The source blocks, so it works in a thread of its own, one per slot; neither a cancel nor the end of the service
waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio
import anyio.to_thread

from app.domain.jobs import StaleAttempt, Status
from app.domain.messages import unpack
from app.domain.outcomes import How
from app.domain.source import ACCOUNT, AWAITED, DataSource, Fetched, Query, SourceError
from app.processes.attempt import Attempt
from app.service.job_registry import JobRegistry


class NotLoaded(Exception):
    """There is no dataset to work on; `how` is how the attempt has ended."""

    def __init__(self, how: How, message: str) -> None:
        super().__init__(message)
        self.how = how


class Loading:
    """Turns tickets (see `app.domain.source`) into datasets."""

    def __init__(self, registry: JobRegistry, source: DataSource | None) -> None:
        self._registry, self._source = registry, source
        self._threads = anyio.CapacityLimiter(registry.settings.slots)

    async def load(self, attempt: Attempt, ticket: bytes) -> bytes:
        """
        The packed dataset of a ticket, which the store keeps from now on.

        Raises
        ------
        NotLoaded
            The source has no usable data, or the attempt was asked to end in the meantime.
        """
        source = self._source
        if source is None:
            raise NotLoaded(How.INPUT, "its data was to come from the platform database, and none is configured now")
        try:
            fetched = await self._unless_dropped(attempt, lambda: source.fetch(Query(**unpack(ticket))))
        except SourceError as error:
            raise NotLoaded(How.INPUT, str(error)) from error
        await self._keep(attempt, fetched)
        return fetched.packed

    async def _unless_dropped(self, attempt: Attempt, fetch: Callable[[], Fetched]) -> Fetched:
        fetched: list[Fetched] = []
        failed: list[SourceError] = []
        dropped: list[How] = []

        async def work() -> None:
            try:
                found = await anyio.to_thread.run_sync(fetch, abandon_on_cancel=True, limiter=self._threads)
                fetched.append(found)
            except SourceError as error:  # out of the task group as itself, not wrapped in a group
                failed.append(error)
            tasks.cancel_scope.cancel()

        async def listen() -> None:
            dropped.append(await attempt.until_dropped())
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            tasks.start_soon(listen)
        if failed:
            raise failed[0]
        if not fetched:
            raise NotLoaded(dropped[0], "it was stopped while its data was fetched")
        return fetched[0]

    async def _keep(self, attempt: Attempt, fetched: Fetched) -> None:
        """Writes the dataset and what became of its rows; under the lock, for a cancel may change the row meanwhile."""
        registry = self._registry
        async with registry.moving:
            track = registry.tracks.get(attempt.job.id)
            if track is None or (track.job.status, track.job.attempt) != (Status.RUNNING, attempt.job.attempt):
                raise NotLoaded(How.FENCED, "it was taken over while its data was fetched")
            job = track.job
            meta = {name: value for name, value in job.meta.items() if name != AWAITED}
            kept = replace(job, meta={**meta, ACCOUNT: dict(fetched.account)})
            try:
                await registry.in_store.must(registry.store.keep_dataset, kept, fetched.packed)
            except StaleAttempt as error:
                raise NotLoaded(How.FENCED, str(error)) from error
            registry.show(kept)
