"""
The store as the event loop sees it: calls that block run in one thread at a time, and nobody waits for their turn
without end.

It also remembers the timetables that the store did not take, so that a full disk costs durability and not the result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from app.domain.jobs import Job, StaleAttempt
from app.domain.outcomes import TAKEN_DOWN
from app.settings import Settings
from app.store import Store, StoreDamaged, StoredIncumbent, StoreError, StoreUnavailable
from app.store.manifests import Manifest
from app.store.opening import back_up, open_store
from app.store.signing import read_key

T = TypeVar("T")
P = ParamSpec("P")

LEAST_NOTED_SECONDS = 0.001
"""Less is the rounding of a sum: nothing was noted."""
PATIENCE_SECONDS = 5.0
"""Waiting for its turn in the store, a client's call takes no longer than this."""

_log = logging.getLogger("timetable.store")


class StoreBusy(StoreUnavailable):
    """The store has been busy for so long that a client should rather ask again later."""


class Best(NamedTuple):
    """The best timetable of a job. `damage` says why the one in the store is set aside, where it is."""

    held: StoredIncumbent | None
    damage: str | None = None


class StoreAccess:
    """`await access(store.method, ...)` calls a method; one connection serves one thread at a time."""

    store: Store

    def __init__(self) -> None:
        self._one_at_a_time = anyio.CapacityLimiter(1)
        self._one_backup = anyio.CapacityLimiter(1)
        self._unsaved: dict[str, StoredIncumbent] = {}

    async def open(self, settings: Settings) -> Store:
        """Raises StoreError when the store that the settings name cannot be used."""
        self.store = await self(open_store, settings)
        return self.store

    async def __call__(self, call: Callable[P, T], *args: P.args, **given: P.kwargs) -> T:
        return await anyio.to_thread.run_sync(partial(call, *args, **given), limiter=self._one_at_a_time)

    async def backup(self, folder: Path, keep: int, key_file: str = "") -> Manifest:
        """
        Makes a verified backup (`app.store.manifests`) beside the other calls; one at a time. Raises StoreError.

        `key_file` names the key that signs it, empty for none.
        """

        def work() -> Manifest:
            return back_up(self.store, folder, keep, read_key(key_file))

        return await anyio.to_thread.run_sync(work, limiter=self._one_backup, abandon_on_cancel=True)

    async def note(self, call: Callable[..., None], job: Job, what: object) -> bool:
        """Writes something that a job can go on without when the store refuses it; says whether it is stored."""
        try:
            await self(call, job, what)
        except (StaleAttempt, StoreError) as error:
            _log.warning("job %s: not stored: %s", job.id, error)
            return False
        return True

    async def times_taken_down(self, job: Job) -> int:
        """Attempts of this run that ended together with the service or the forkserver."""
        journal = await self(self.store.attempts, job.id)
        return sum(row.how in TAKEN_DOWN and row.started_at >= (job.started_at or 0.0) for row in journal)

    async def noted_seconds(self, job: Job) -> float | None:
        """
        Solving time of the open attempt of a running job, as far as a checkpoint noted it; None before the first one.

        The checkpoint added it to that of the earlier attempts of this run.
        """
        journal = await self(self.store.attempts, job.id)
        run = [row for row in journal if row.started_at >= (job.started_at or 0.0)]
        noted = job.used_seconds - sum(row.seconds or 0.0 for row in run if row.attempt != job.attempt)
        return noted if noted > LEAST_NOTED_SECONDS else None

    # --- timetables, stored or not ---

    async def stored_best_of(self, job_id: str) -> Best:
        """
        The best timetable of a job in the store; one that is not what was written is set aside, and this is said.

        It stays where it is until a better one is found, which is then any: a job can be solved again from scratch.
        """
        try:
            return Best(await self(self.store.incumbent, job_id))
        except StoreDamaged as error:
            _log.error("job %s: the best timetable it had is set aside: %s", job_id, error)
            return Best(None, str(error))

    async def best_of(self, job_id: str) -> Best:
        """The same, or that in memory when the store did not take it."""
        best, unsaved = await self.stored_best_of(job_id), self._unsaved.get(job_id)
        return Best(unsaved) if unsaved and (best.held is None or unsaved.score < best.held.score) else best

    def is_saved(self, job_id: str, held: StoredIncumbent | None) -> bool:
        """Whether what `best_of` holds stands in the store."""
        return held is None or held is not self._unsaved.get(job_id)

    def remember(self, job_id: str, held: StoredIncumbent | None, *, saved: bool) -> None:
        """What an attempt held at its end; None says nothing new."""
        if held is not None and saved:
            self._unsaved.pop(job_id, None)
        elif held is not None:
            self._unsaved[job_id] = held
