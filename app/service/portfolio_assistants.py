"""
Idle slots that help with large jobs of others: a child like any other, whose job is not ours.

An assistant changes nothing but its own row in the store. It saves what it finds there, at most once a second; it ends
when its time is over, when the attempt is (it sees that in the store, or is told by the message that tells owners), and
when jobs wait for the slot that it takes. Whatever happens to it is its own end and nobody else's.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio

from app.domain.jobs import Job, StaleAttempt, Status
from app.domain.outcomes import How
from app.domain.portfolio import Left, seed
from app.domain.progress import Track
from app.domain.telemetry import Assisted, ChildSigns
from app.processes.attempt import Attempt
from app.processes.children import ForkServer, ForkServerLost
from app.service.job_registry import JobRegistry
from app.service.side_channel import SideChannel
from app.store import (
    Assistance,
    AssistanceKey,
    SharedStore,
    StoredIncumbent,
    StoreError,
    StoreUnavailable,
)

LOOK_SECONDS = 1.0
"""The lease is renewed so often, and so soon an assistant learns that it is not wanted any more."""
SILENT_LOOKS = 10
"""So many renewals in a row may fail; then somebody else may have the place."""

_log = logging.getLogger("timetable.portfolio")


@dataclass(eq=False)
class Assistant:
    """One assistance, from its place to its end. `left` says why it was stopped, where it was."""

    given: Assistance
    attempt: Attempt
    left: str | None = None

    @property
    def key(self) -> AssistanceKey:
        """What the store knows this assistance by."""
        return AssistanceKey(self.given.job.id, self.given.job.attempt, self.given.number)

    def stop(self, left: str) -> None:
        """Ends the search; `left` says why in the store, and the first reason counts."""
        self.left = self.left or left
        self.attempt.stop(How.SHUTDOWN)


class Assistants:
    """Those of one worker. `run` sees one through, in a slot that the caller has for it."""

    def __init__(self, registry: JobRegistry, forkserver: ForkServer) -> None:
        self._registry, self._forkserver = registry, forkserver
        self._at_work: list[Assistant] = []
        self._ask = SideChannel(registry)
        self._none_left = anyio.Event()
        self._missed = 0

    def __len__(self) -> int:
        return len(self._at_work)

    def signs(self) -> list[ChildSigns]:
        """Of their children, without costs: those are told by the owners of the jobs."""
        found = (assistant.attempt.signs() for assistant in self._at_work)
        return [replace(signs, cost=None) for signs in found if signs is not None]

    # --- from a place to its end ---

    async def join(self, job_id: str) -> Assistant | None:
        """Takes a place at a running job, if there is one for us; then `run` is owed. Raises StoreUnavailable."""
        store = self._registry.store
        if not isinstance(store, SharedStore):
            return None
        try:
            given = await self._registry.in_store(store.join, job_id)
            assistant = None if given is None else Assistant(given, self._attempt(given))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - asking again would not help, and others wait behind it
            _log.exception("job %s cannot be helped with", job_id)
            return None
        if assistant is not None:
            self._at_work.append(assistant)
        return assistant

    async def run(self, assistant: Assistant) -> None:
        """Helps until that is over; the attempt may have left a child that cannot be killed."""
        given = assistant.given
        _log.info("job %s, attempt %d: assisted as number %d", given.job.id, given.job.attempt, given.number)
        try:
            how = await self._help(assistant)
        finally:
            self._at_work.remove(assistant)
            if not self._at_work:
                self._none_left.set()
        with anyio.CancelScope(shield=True):
            await self._leave(assistant, how)

    def _attempt(self, given: Assistance) -> Attempt:
        """What the child is to do: look for one timetable, for as long as its owner has use for that."""
        job = replace(
            given.job,
            options=replace(
                given.job.options,
                seed=seed(given.job, given.number),
                num_variants=1,
                time_limit_seconds=given.seconds,
            ),
            failed_attempts=0,
            used_seconds=0.0,
        )
        return Attempt(job, self._registry.settings, self._forkserver, Track(job), self._saving(given))

    def _saving(self, given: Assistance) -> Callable[[StoredIncumbent], Awaitable[bool]]:
        async def save(held: StoredIncumbent) -> bool:
            try:
                await self._ask(lambda store: store.save_found(given.job, given.number, held))
            except (StaleAttempt, StoreError) as error:
                _log.debug("job %s: what assistant %d has found is not kept: %s", given.job.id, given.number, error)
                return False
            return True

        return save

    async def _help(self, assistant: Assistant) -> str:
        registry, attempt, job = self._registry, assistant.attempt, assistant.given.job
        if assistant.left is not None:
            return assistant.left
        try:
            best = await registry.in_store.stored_best_of(job.id)
            attempt.begin_with(best.held, saved=True, damage=best.damage)
            dataset = await registry.in_store(registry.store.dataset, job.id) or b""
            outcome = await attempt.run(dataset, _nothing)
        except (ForkServerLost, StoreError) as error:
            _log.warning("job %s: no help with attempt %d: %s", job.id, job.attempt, error)
            return assistant.left or How.NOT_STARTED
        except Exception:  # noqa: BLE001 - a bug in somebody's help must not end anything else
            _log.exception("job %s: the help with attempt %d failed", job.id, job.attempt)
            return How.ERROR
        if assistant.left is None and outcome.how is not How.RESULT:
            _log.warning("job %s: no more help with attempt %d: %s", job.id, job.attempt, outcome.message)
        return assistant.left or outcome.how

    async def _leave(self, assistant: Assistant, how: str) -> None:
        job, number = assistant.given.job, assistant.given.number
        with suppress(StoreError):  # the place is free when its lease has run out
            await self._ask(lambda store: store.leave(job, number, how))
        _log.info("job %s, attempt %d: assistant %d has ended: %s", job.id, job.attempt, number, how)
        self._registry.tell(Assisted(job=job, number=number, how=how))

    # --- who ends them ---

    def see(self, job: Job) -> None:
        """A job as the store has it now."""
        over = job.status is not Status.RUNNING or job.cancel_requested or job.finish_requested
        for assistant in self._at_work:
            if assistant.given.job.id == job.id and (over or assistant.given.job.attempt != job.attempt):
                assistant.stop(Left.OVER)

    def let_go(self, job_id: str, attempt: int) -> None:
        """The attempt was taken from its owner."""
        for assistant in self._at_work:
            if (assistant.key.job_id, assistant.key.attempt) == (job_id, attempt):
                assistant.stop(Left.OVER)

    async def watch(self) -> None:
        """Keeps the leases, and sees who is still wanted; for ever."""
        while isinstance(self._registry.store, SharedStore):
            await anyio.sleep(LOOK_SECONDS)
            if self._at_work:
                await self._look()
            else:
                self._missed = 0

    async def _look(self) -> None:
        asked = [assistant.key for assistant in self._at_work]
        try:
            standing = await self._ask(lambda store: store.assisting(asked))
        except StoreError as error:
            _log.debug("the places of assistants are not renewed: %s", error)
            self._missed += 1
            if self._missed >= SILENT_LOOKS:
                self._stop_all(Left.LOST)
            return
        self._missed = 0
        for assistant in self._at_work:
            if assistant.key in asked and assistant.key not in standing.wanted:
                assistant.stop(Left.OVER)
            elif assistant.key in standing.crowded:
                assistant.stop(Left.YIELDED)

    async def close(self) -> None:
        """Ends them all, and waits for that."""
        self._stop_all(How.SHUTDOWN)
        while self._at_work:
            self._none_left = anyio.Event()
            await self._none_left.wait()

    def _stop_all(self, left: str) -> None:
        for assistant in self._at_work:
            assistant.stop(left)


async def _nothing(pid: int) -> None:
    """The process of an assistant stands in no journal."""
