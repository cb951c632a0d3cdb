"""
The store as the supervisor uses it: whether it answers is known at any moment, and whoever asks for too long is told.

Three kinds of trouble are kept apart. A store that refuses or hangs is tried again until it answers; a client waits
`PATIENCE_SECONDS` for it, and what has begun by then is seen through without the client. A store that is full gets the
reserve (`app.service.disk_reserve`) for what must be written. A damaged one is shown as such and never written around.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Generic, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from app.domain.jobs import Job, JobError, StaleAttempt, Status
from app.domain.telemetry import Happening, Slow, StoreCalled, StoreTrouble
from app.service.disk_reserve import DiskReserve
from app.store import StoreDamaged, StoreFull, StoreUnavailable, Traffic, access, traffic_of
from app.store.access import StoreAccess, StoreBusy
from app.system.failpoints import failpoint

T = TypeVar("T")
P = ParamSpec("P")

HANGING_SECONDS = 2.0
"""A call that takes longer says that the store does not answer; it may still do so."""
_NOBODY = Job(id="", body_hash="", created_at=0.0, status=Status.RUNNING)
"""No job has an empty id. Writing in its name takes all that a write takes, and writes nothing."""


def passing(call: Callable[P, T], before: str | None = None, after: str | None = None) -> Callable[P, T]:
    """`call` with a failpoint in front of it and one behind it, in the thread of the store."""

    @wraps(call)
    def run(*args: P.args, **given: P.kwargs) -> T:
        if before is not None:
            failpoint(before)
        answer = call(*args, **given)
        if after is not None:
            failpoint(after)
        return answer

    return run


class Storage(StoreAccess):
    """`tell` hears when the store begins to refuse, when it answers again, and of calls over `slow_seconds`."""

    def __init__(self, disk_reserve: DiskReserve, tell: Callable[[Happening], None], slow_seconds: float) -> None:
        super().__init__()
        self._disk_reserve, self._tell, self._slow_seconds = disk_reserve, tell, slow_seconds
        self._refusal: str | None = None
        self._at_work_since: float | None = None
        self._told: str | None = None

    async def __call__(self, call: Callable[P, T], *args: P.args, **given: P.kwargs) -> T:
        traffic, seconds = traffic_of(call), 0.0

        def timed() -> T:
            nonlocal seconds
            began = self._at_work_since = time.monotonic()
            try:
                return call(*args, **given)
            finally:
                seconds, self._at_work_since = time.monotonic() - began, None

        try:
            answer = await super().__call__(timed)
        except StoreFull:
            raise
        except StoreUnavailable as error:
            self._refuses(str(error))
            raise
        except StoreDamaged as error:
            if traffic is Traffic.WRITE:  # one damaged row can be read by nobody, and concerns nobody else
                self._refuses(str(error))
            raise
        except JobError:
            self._answers(traffic)
            raise
        finally:
            what = "store.other" if traffic is None else f"store.{call.__name__}"
            if seconds:  # 0 when it was refused before its turn
                self._tell(StoreCalled(what=what, seconds=seconds))
            if seconds > self._slow_seconds:
                self._tell(Slow(what=what, seconds=seconds))
        self._answers(traffic)
        return answer

    async def must(self, call: Callable[P, T], *args: P.args, **given: P.kwargs) -> T:
        """A write that is worth the reserve: for want of room alone it does not fail."""
        try:
            return await self(call, *args, **given)
        except StoreFull:
            if not await anyio.to_thread.run_sync(self._disk_reserve.release):
                raise
        return await self(call, *args, **given)

    def if_willing(self, call: Callable[P, T]) -> Callable[P, T]:
        """
        `call` for what we could do without: refused at once when the store refuses by the time it has its turn.

        So that ends and clients do not stand in line behind it, while every call is waited for until it is refused.
        """

        @wraps(call)
        def run(*args: P.args, **given: P.kwargs) -> T:
            if self._refusal is not None:
                raise StoreUnavailable(self._refusal)
            return call(*args, **given)

        return run

    async def ping(self) -> None:
        """Finds out whether the store takes a write at this moment. Raises StoreError when it does not."""
        try:
            await self(self.store.request, _NOBODY)
        except StaleAttempt:
            return

    def forget(self, job_id: str) -> None:
        """The job is deleted."""
        self._unsaved.pop(job_id, None)

    @property
    def refusal(self) -> str | None:
        """Why the store takes nothing at the moment, None when it does."""
        since = self._at_work_since
        if since is not None and time.monotonic() - since >= HANGING_SECONDS:
            return f"the store has not answered for {time.monotonic() - since:.0f} s"
        return self._refusal

    def look(self) -> None:
        """Says so when trouble has begun or is over."""
        trouble = self.refusal or self._disk_reserve.full_because
        if (trouble is None) != (self._told is None):
            self._tell(StoreTrouble(reason=trouble))
        self._told = trouble

    def _refuses(self, why: str) -> None:
        self._refusal = why
        self.look()

    def _answers(self, traffic: Traffic | None) -> None:
        """Only a write tells: a store that is locked can still be read."""
        if traffic is Traffic.WRITE and self._refusal is not None:
            self._refusal = None
            self.look()


class ClientCall(Generic[T]):
    """Something that a client has asked for. The client may stop waiting; what has begun is seen through."""

    def __init__(self, work: Callable[[], Awaitable[T]], turn: anyio.Lock | None) -> None:
        self._work, self._turn = work, turn
        self._waiting = anyio.CancelScope()
        self._done = anyio.Event()
        self._answer: T
        self._error: Exception | None = StoreBusy("the service has ended")

    async def run(self) -> None:
        """Makes the call, a write in its turn. What it came to, also an exception, is kept for its client."""
        if self._turn is None:  # a read: one that has not begun when its client leaves is not begun
            with self._waiting:
                await self._do()
            return
        with self._waiting:
            await self._turn.acquire()
        if not self._waiting.cancelled_caught:
            try:
                await self._do()
            finally:
                self._turn.release()
        return

    async def _do(self) -> None:
        try:
            self._answer = await self._work()
            self._error = None
        except Exception as error:  # noqa: BLE001 - it belongs to the client, whatever it is
            self._error = error
        finally:
            self._done.set()

    async def outcome(self) -> T:
        """What the work has returned or raised. Raises StoreBusy when it takes too long."""
        with anyio.move_on_after(access.PATIENCE_SECONDS):
            await self._done.wait()
        if not self._done.is_set():
            self._waiting.cancel()
            raise StoreBusy(f"the store has been busy for {access.PATIENCE_SECONDS:g} s")
        if self._error is not None:
            raise self._error
        return self._answer


class ForClient(Protocol):
    """Does something that a client waits for, who may leave; `for_client` with the tasks of a supervisor."""

    async def __call__(self, work: Callable[[], Awaitable[T]], turn: anyio.Lock | None = None) -> T: ...


async def for_client(tasks: TaskGroup, work: Callable[[], Awaitable[T]], turn: anyio.Lock | None = None) -> T:
    """Does `work` when it has its turn. Raises StoreBusy when a client should rather ask again later."""
    call = ClientCall(work, turn)
    tasks.start_soon(call.run)
    return await call.outcome()
