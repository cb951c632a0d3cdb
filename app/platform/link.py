"""
The link to the platform: everything that is switched on, put together. `app.main` makes one per application.

What is not switched on is not imported either: the clients of databases and brokers would make every start a third of a
second longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from app.domain.jobs import Job
from app.domain.source import DataSource
from app.domain.telemetry import Happening
from app.platform.breaker import Breaker
from app.platform.delivery import Documents, Outlet
from app.platform.outbox import Outbox
from app.platform.pinned import Poster
from app.platform.webhook import CALLBACK_SECONDS, WEBHOOK_SECONDS, Callback, Webhook
from app.service.result_cache import ResultCache
from app.service.supervisor import Supervisor
from app.service.watchdog import keep
from app.settings import Settings
from app.store.notifications import DEPENDENCIES, Channel, carrier_of, channels_of
from app.system.addresses import keys_of

if TYPE_CHECKING:
    from app.platform.redis_keys import RedisKeys
    from app.platform.rows import PlatformRows


def has_rows(settings: Settings) -> bool:
    """Whether the platform's rows can be read, and have to do with what it is told."""
    return bool(settings.platform_database_url and channels_of(settings))


async def called_off(settings: Settings, job_ids: Collection[str]) -> Collection[str]:
    """Which of these waiting jobs the platform has called off while we were away."""
    if not has_rows(settings):
        return ()
    from app.platform import rows

    return await rows.called_off(settings, job_ids)


@asynccontextmanager
async def opened_source(settings: Settings) -> AsyncIterator[DataSource | None]:
    """Where requests without data get theirs from; None unless that is switched on."""
    if settings.platform_source != "yes":
        yield None
        return
    from app.platform.source import PlatformSource

    source = PlatformSource(settings)
    try:
        yield source
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(source.close)


class PlatformLink:
    """
    What the service knows of its platform. `told` hears of every try of a delivery: channel, and what came of it.

    `reachable` hears when a dependency is lost (False) or back (True).
    """

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        results: ResultCache,
        told: Callable[[str, str], None],
        reachable: Callable[[str, bool], None],
    ) -> None:
        self._settings, self._reachable = settings, reachable
        self._breakers = {
            channel: Breaker(DEPENDENCIES[channel], self._heard_from(channel)) for channel in channels_of(settings)
        }
        documents = Documents(results)
        self._redis: RedisKeys | None = None
        if settings.platform_redis_url:
            from app.platform.redis_keys import RedisKeys

            self._redis = RedisKeys(supervisor, documents, settings, self._breakers["redis"])
        self._rows: PlatformRows | None = None
        if has_rows(settings):
            from app.platform.rows import PlatformRows

            self._rows = PlatformRows(supervisor, settings, carrier_of(settings), self.wake)
        outlets = {channel: self._outlet(channel, documents) for channel in self._breakers}
        self._outbox = Outbox(supervisor, outlets, settings, told)

    def _heard_from(self, channel: Channel) -> Callable[[str, bool], None]:
        def changed(name: str, up: bool) -> None:
            self._reachable(name, up)
            if up:
                self._outbox.resume(channel)

        return changed

    def _outlet(self, channel: Channel, documents: Documents) -> Outlet:
        settings, breaker = self._settings, self._breakers[channel]
        if channel == "redis":
            assert self._redis is not None
            return self._redis
        if channel == "sql":
            from app.platform.database import DatabaseUpdate

            assert self._rows is not None
            return DatabaseUpdate(settings, documents, breaker, self._rows.seen)
        if channel == "celery":
            from app.platform.celery_task import CeleryTask

            return CeleryTask(settings, documents, breaker)
        if channel == "callback":
            poster = Poster(url=settings.platform_callback_url, seconds=CALLBACK_SECONDS, private=True)
            return Callback(poster, documents, breaker)
        poster = Poster(url=settings.webhook_url, seconds=WEBHOOK_SECONDS, private=settings.webhook_private == "yes")
        return Webhook(poster, keys_of(settings.webhook_secrets), breaker)

    def observe(self, happening: Happening) -> None:
        """An observer of `app.domain.telemetry`."""
        self._outbox.observe(happening)
        for part in (self._redis, self._rows):
            if part is not None:
                part.observe(happening)

    async def announce(self, job: Job) -> None:
        """Lets the platform see a job that was just taken; short, whoever answers."""
        if self._redis is not None:
            await self._redis.announce(job)

    async def run(self) -> None:
        """Delivers, until it is cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keep, "outbox", self._outbox.run)
                if self._redis is not None:
                    tasks.start_soon(keep, "progress in Redis", self._redis.run)
                if self._rows is not None:
                    tasks.start_soon(keep, "the platform's rows", self._rows.run)
        finally:
            if self._redis is not None:
                with anyio.move_on_after(1.0, shield=True):
                    await self._redis.close()

    def wake(self) -> None:
        """There are rows in the store that were not there before."""
        self._outbox.wake(read=True)

    def heed(self, job_id: str) -> None:
        """The platform has spoken of a job that has ended, or that is not here."""
        self.wake()
        if self._rows is not None:
            self._rows.heed(job_id)

    def up(self) -> Mapping[str, bool]:
        """Every dependency that was asked yet: whether it answers."""
        return {breaker.name: up for breaker in self._breakers.values() if (up := breaker.known_up) is not None}

    def count(self, state: str) -> Mapping[str, int]:
        """Deliveries of a state by channel."""
        return {str(channel): count for channel, count in self._outbox.count(state).items()}

    def view(self) -> dict[str, Any]:
        """What `/health` shows; `up` is None of what nobody has asked yet, so that nothing is known of it."""
        return {
            "dependencies": {
                breaker.name: {"up": breaker.known_up, "error": breaker.error or None}
                for breaker in self._breakers.values()
            },
            "deliveries": {state: self.count(state) for state in ("pending", "dead")},
        }
