"""
Who solves: this service alone, or all that share its store, as far as the store knows them.

`members()` is answered by the clock of the store, so it does not matter whose clock is wrong. The methods about
messages are those of `app.store.SharedStore`, called beside all else, so that a busy store holds up neither.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Collection
from dataclasses import asdict

import anyio

from app import service_version
from app.service.dispatcher import Dispatcher
from app.service.job_registry import JobRegistry
from app.service.side_channel import SideChannel
from app.store import Introduction, Member, Message, SharedStore, StoreError

LOOK_SECONDS = 3.0
SILENT_SECONDS = 6.0
"""Two renewals of its leases have failed to come: it may be gone."""
LOST_SECONDS = 15.0
"""Its leases have run out: it is gone, or might as well be."""
LISTED_SECONDS = 60.0
"""One that was not heard of for so long is no more among those who solve."""
MISSED_SECONDS = 900.0
"""And after so long nobody waits for it any more: it has come back under another name, or was taken away."""

_log = logging.getLogger("timetable.membership")


class Membership:
    """`known` is the last look: everybody who shares the store, or this service alone."""

    def __init__(self, registry: JobRegistry, dispatcher: Dispatcher) -> None:
        self._registry, self._dispatcher = registry, dispatcher
        self._ask = SideChannel(registry)
        self._store: SharedStore | None = None
        self._began_at = time.time()
        self.known: list[Member] = []
        self._heard: set[str] = set()

    async def begin(self) -> None:
        """Says to the others who we are. Raises StoreError."""
        store = self._registry.store
        if isinstance(store, SharedStore):
            self._store = store
            await self._registry.in_store(store.introduce, self._me)

    async def watch(self) -> None:
        """Keeps known how many jobs can be solved at once, by which waiting times are estimated."""
        while self._store is not None:
            try:
                await self.members()
            except StoreError as error:  # what was known before is good enough, and whoever asks is told
                _log.debug("the others cannot be looked at: %s", error)
            await anyio.sleep(LOOK_SECONDS)

    async def members(self) -> list[Member]:
        """Everybody, of now. Raises StoreError."""
        if self._store is None:
            jobs = tuple(sorted(self._dispatcher.attempts))
            me = asdict(self._me)
            alone = Member(**me, owner=me["host"], started_at=self._began_at, silent_seconds=0.0, jobs=jobs)
            self.known = [alone]
        else:
            before = {one.owner for one in self.lost}
            self.known = await self._ask(lambda store: store.members())
            self._heard |= {one.owner for one in self.known if one.silent_seconds < SILENT_SECONDS}
            self._registry.tracks.slots = self.slots
            for one in self.lost:
                if one.owner not in before:
                    told = "%s %s (process %d on %s) was not heard of for %.0f s; its jobs are taken over"
                    _log.error(told, one.role, one.owner, one.pid, one.host, one.silent_seconds)
        return [one for one in self.known if one.silent_seconds < LISTED_SECONDS]

    @property
    def lost(self) -> list[Member]:
        """Others that were here while we were, are silent for longer than a lease, and did not say that they go."""
        return [
            one for one in self.known if LOST_SECONDS <= one.silent_seconds < MISSED_SECONDS and self._is_missed(one)
        ]

    def _is_missed(self, one: Member) -> bool:
        return self._store is not None and one.owner in self._heard and one.owner != self._store.owner

    @property
    def slots(self) -> int:
        """Jobs that are solved at once by all that were heard of lately."""
        return sum(member.slots for member in self.known if member.silent_seconds < SILENT_SECONDS)

    async def due(self) -> list[Message]:
        """The messages to be sent now; none with a store of one service. Raises StoreError."""
        return [] if self._store is None else await self._ask(lambda store: store.due())

    async def not_sent(self, messages: Collection[Message]) -> None:
        """Has messages that could not be sent due again. Raises StoreError."""
        if self._store is not None:
            await self._ask(lambda store: store.not_sent(messages))

    async def send_again(self) -> None:
        """Has all messages sent once more, since a queue may have lost them. Raises StoreError."""
        if self._store is not None:
            await self._ask(lambda store: store.send_again())

    @property
    def _me(self) -> Introduction:
        return Introduction(
            role="worker" if self._dispatcher.takes == "named" else "service",
            slots=self._dispatcher.slots,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=service_version(),
        )
