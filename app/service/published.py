"""
Published results, as they lie in the store; and what a cancelled job publishes whose child could not hand one in.

That is the best timetable it held, recounted. A cancel never waits for that; it is done when the result is asked for
the first time, and then stored. Where an earlier run of the job has left a result, the better of the two counts;
between equals the stored one, which may have variants. Recounting the largest takes seconds, which a parse worker has
(`app.service.result_cache`) and the event loop has not.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from app.domain.jobs import Job, StaleAttempt, Status, effective_dataset
from app.domain.messages import unpack
from app.processes.salvage import Salvageable, Salvaged, salvage
from app.service.job_registry import JobRegistry
from app.service.store_access import ForClient

T = TypeVar("T")

Salvaging: TypeAlias = Callable[[Job, Salvageable], Awaitable[Salvaged | None]]
"""Who salvages it; None when there is nothing to publish that is not published already."""

_log = logging.getLogger("timetable.supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
    """
    A result and the dataset it was verified against, packed as they lie in the store, and the rules of the request.

    Unpacking a large one holds the interpreter for long, which a service that answers others cannot afford.
    """

    packed_dataset: bytes
    packed_result: bytes
    rules: Mapping[str, Any]

    @property
    def dataset(self) -> dict[str, Any]:
        """The native document, with the rules."""
        return effective_dataset(unpack(self.packed_dataset), self.rules)

    @property
    def result(self) -> dict[str, Any]:
        """The result as native JSON, unpacked anew by every call."""
        document: dict[str, Any] = unpack(self.packed_result)
        return document


async def in_a_thread(job: Job, held: Salvageable) -> Salvaged | None:
    """For tools and tests, which serve nobody meanwhile."""
    return await anyio.to_thread.run_sync(salvage, held)


class StoredResults:
    """The results of the jobs on one registry."""

    def __init__(self, registry: JobRegistry, for_client: ForClient) -> None:
        self._registry, self._for_client = registry, for_client
        self._one_recount = anyio.Lock()

    async def of(self, job_id: str, salvaging: Salvaging) -> StoredResult | None:
        """See `Supervisor.result`."""
        track = self._registry.tracks.get(job_id)
        if track is None or (track.job.result_attempt is None and track.job.status is not Status.CANCELLED):
            return None
        job, store = track.job, self._registry.store
        packed = await self._read(store.dataset, job_id)
        if packed is None:
            return None
        kept = await self._salvaged(job, packed, salvaging) if job.status is Status.CANCELLED else None
        body = kept.body if kept is not None else await self._read(store.result, job_id)
        if body is None:
            return None
        return StoredResult(packed_dataset=packed, packed_result=body, rules=dict(job.options.rules))

    async def _salvaged(self, job: Job, packed: bytes, salvaging: Salvaging) -> Salvaged | None:
        """The recounted result of a cancelled job; None when the stored one is it, or there is none at all."""
        async with self._one_recount:
            track = self._registry.tracks.get(job.id)
            if track is None:
                return None
            job = track.job
            if job.result_attempt == job.attempt or track.recounted_attempt == job.attempt:
                return None
            held = await self._held(job, packed)
            kept = None if held is None else await salvaging(job, held)
            if kept is None:
                track.recounted_attempt = job.attempt
                return None
            try:
                await self._for_client(lambda: self._keep(job, kept), self._registry.moving)
            except StaleAttempt:
                _log.info("job %s: restarted while its timetable was recounted", job.id)
            return kept

    async def _held(self, job: Job, packed: bytes) -> Salvageable | None:
        held, _ = await self._for_client(lambda: self._registry.in_store.best_of(job.id))
        earlier = await self._read(self._registry.store.result, job.id)
        if held is None:
            return None
        return Salvageable(
            dataset=packed,
            timetable=held.timetable,
            earlier=earlier,
            options=job.options,
            score=held.score,
            rung=held.rung,
        )

    async def _keep(self, job: Job, kept: Salvaged) -> None:
        after = published(job, kept)
        await self._registry.in_store.must(self._registry.store.move, job, after, result=kept.body)
        self._registry.show(after)

    async def _read(self, call: Callable[[str], T], job_id: str) -> T:
        return await self._for_client(partial(self._registry.in_store, call, job_id))


def published(job: Job, found: Salvaged) -> Job:
    """The row of the job once this is its result."""
    return replace(
        job,
        score=found.score,
        bound=None,
        placed=found.placed,
        total=found.total,
        quality=found.quality,
        rung=found.rung,
        result_attempt=job.attempt,
        result_digest=hashlib.sha256(found.body).hexdigest(),
    )
