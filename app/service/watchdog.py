"""
Who watches the supervisor: tasks that die are started again, and a queue that does not move is noticed.

A queue is stuck when a job could run, a slot is free, nothing excuses it (the store answers, the solver is loaded), and
yet nothing is claimed. Then the dispatcher is started anew, and the service says that it is not ready until a job is
claimed. The watchdog's own beat is what liveness looks at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from app.domain.telemetry import QueueStuck
from app.processes.children import ForkServer, ForkServerLost
from app.service.dispatcher import Dispatcher
from app.service.job_registry import Desk
from app.store import StoreError

LOOK_SECONDS = 0.5
PING_SECONDS = 1.0
LOOK_AFTER_SECONDS = 1.0
STUCK_SECONDS = 10.0
RESTART_SECONDS = 0.5

_log = logging.getLogger("timetable.supervisor")


async def keep(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Sees to it that `work` is done until it returns; what dies by an error is begun again."""
    while True:
        try:
            return await work()
        except Exception:  # noqa: BLE001 - whatever it was, a task of the supervisor is never silently gone
            _log.exception("the task %r has failed; it is started again", name)
        await anyio.sleep(RESTART_SECONDS)


class Watchdog:
    """Looks at dispatcher, store and disk. `stuck` says that the queue does not move at the moment."""

    def __init__(self, desk: Desk, dispatcher: Dispatcher) -> None:
        self._desk, self._dispatcher = desk, dispatcher
        self._claims = 0
        self._beat_at = self._moved_at = time.monotonic()
        self.stuck = False

    @property
    def beat_age(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self._beat_at

    async def watch(self) -> None:
        """Never waits for anything but the clock."""
        while True:
            self._beat_at = time.monotonic()
            self._desk.in_store.look()
            self._look_at_queue()
            await anyio.sleep(LOOK_SECONDS)

    async def probe(self) -> None:
        """Keeps known whether the store takes writes and how much room there is. May hang when these do."""
        while True:
            try:
                await anyio.to_thread.run_sync(self._desk.disk_reserve.look)
                await self._desk.in_store.ping()
            except StoreError:
                _log.debug("the store does not take a write", exc_info=True)  # whoever looks is told by the storage
            await anyio.sleep(PING_SECONDS)

    async def look_after(self, forkserver: ForkServer) -> None:
        """Keeps known whether the forkserver answers; a stopped one is told to go on, another one is replaced."""
        while not self._dispatcher.closing:
            await anyio.sleep(LOOK_AFTER_SECONDS)
            try:
                await forkserver.look()
            except ForkServerLost as error:
                _log.error("%s", error)
                self._desk.wake.set()  # the dispatcher starts another one, before a job has need of it

    def _look_at_queue(self) -> None:
        desk, dispatcher, now = self._desk, self._dispatcher, time.monotonic()
        waiting = desk.waiting(dispatcher.resting)
        free = dispatcher.takes == "any" and dispatcher.busy < dispatcher.slots and not desk.board.preparing
        if not waiting or not free or desk.in_store.refusal is not None or dispatcher.claims != self._claims:
            self._claims, self._moved_at, self.stuck = dispatcher.claims, now, False
        elif min(now - self._moved_at, max(waiting)) >= STUCK_SECONDS:
            _log.error("%d job(s) wait although a slot is free; the dispatcher is started anew", len(waiting))
            desk.tell(QueueStuck(waiting=len(waiting), seconds=max(waiting)))
            self._moved_at, self.stuck = now, True
            dispatcher.restart()
