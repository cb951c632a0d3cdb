"""
The outbox: sees to it that whoever has to hear of the end of a job does, whatever is killed or away meanwhile.

The store writes the rows in the transaction that ends the job; one task per channel takes them from there. A delivery
that fails is tried again, later each time, and put aside as `dead` after a bounded number of tries. What was sent and
could not be noted any more is sent again after the next start, under the same event id. The channel that carries the
timetable itself goes first; the others are told when it has arrived, or was given up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import anyio

from app.domain.jobs import Job, StaleAttempt
from app.domain.telemetry import Happening, Moved, Seen
from app.platform.delivery import NotDelivered, Outlet, pause_before
from app.service.supervisor import Supervisor
from app.service.watchdog import keep
from app.settings import Settings
from app.store import DeliveryRow, StoreError
from app.store.notifications import Channel, carrier_of
from app.system.failpoints import failpoint

LOOK_SECONDS = 5.0
"""A channel looks for what is due at least this often."""
READ_SECONDS = 30.0
"""The store is read again at least this often: a service that shared it with us may be gone, and have left some."""
STORE_RETRY_SECONDS = 0.5
MOST_ERROR = 500

_log = logging.getLogger("timetable.platform")

Told = Callable[[Channel, str], None]
OF_THE_ROW: frozenset[Channel] = frozenset({"sql", "celery", "callback"})
"""Channels whose receivers write the platform's row of a job, or look it up: without one they have nothing to do."""


class Outbox:
    """
    Delivers over `outlets`. `told` hears of every try: "delivered", "retried", "dead" or "superseded".
    """

    def __init__(
        self, supervisor: Supervisor, outlets: Mapping[Channel, Outlet], settings: Settings, told: Told
    ) -> None:
        self._supervisor, self._outlets, self._settings, self._told = supervisor, outlets, settings, told
        self._carrier = carrier_of(settings)
        self._rows: dict[tuple[str, Channel], DeliveryRow] = {}
        self._over: set[tuple[str, Channel]] = set()
        self._stale, self._read_at = True, 0.0
        self._news = anyio.Event()

    def observe(self, happening: Happening) -> None:
        """An observer of `app.domain.telemetry`."""
        if isinstance(happening, Moved | Seen) and happening.job.status.terminal:
            self.wake(read=True)

    def wake(self, *, read: bool = False) -> None:
        """Makes every channel look at once; `read`: there are new rows in the store."""
        self._stale = self._stale or read
        news, self._news = self._news, anyio.Event()
        news.set()

    def resume(self, channel: Channel) -> None:
        """Whoever was away is back: what waits for the next try waits no longer."""
        for key, row in self._rows.items():
            if row.channel == channel and row.state == "pending":
                self._rows[key] = replace(row, next_at=0.0)
        self.wake()

    def count(self, state: str) -> Mapping[Channel, int]:
        """Rows of a state by channel: what is `pending`, what is `dead`."""
        counts: dict[Channel, int] = dict.fromkeys(self._outlets, 0)
        for row in self._rows.values():
            if row.state == state and row.channel in counts:
                counts[row.channel] += 1
        return counts

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            for channel in self._outlets:
                tasks.start_soon(keep, f"deliveries by {channel}", lambda channel=channel: self._serve(channel))

    async def _serve(self, channel: Channel) -> None:
        while True:
            news = self._news
            if self._stale or time.monotonic() - self._read_at >= READ_SECONDS:
                await self._read()
            row = self._next(channel)
            wait = LOOK_SECONDS if row is None else max(row.next_at - time.time(), self._shut(channel))
            if row is None or wait > 0:
                with anyio.move_on_after(min(wait, LOOK_SECONDS)):
                    await news.wait()
            else:
                await self._try(row)

    def _shut(self, channel: Channel) -> float:
        return self._outlets[channel].breaker.seconds_closed

    async def _read(self) -> None:
        """What memory knows of a row is newer than what was read: a delivery may be under way, or over by now."""
        self._stale, self._read_at = False, time.monotonic()
        self._over.clear()
        try:
            rows = await self._supervisor.undelivered()
        except StoreError:
            self._stale = True
            await anyio.sleep(STORE_RETRY_SECONDS)
            return
        read = {(row.event_id, row.channel): row for row in rows}
        kept = {key: row for key, row in self._rows.items() if row.state != "dead"}  # a dead one may be revived
        self._rows = {key: kept.get(key, row) for key, row in read.items() if key not in self._over}
        self.wake()  # the other channels have looked meanwhile, and have seen nothing

    def _next(self, channel: Channel) -> DeliveryRow | None:
        """The row of a channel that is due first, or will be; those that wait for the carrier are not looked at."""
        pending = (r for r in self._rows.values() if r.channel == channel and r.state == "pending")
        return min((r for r in pending if not self._waits(r)), key=lambda r: (r.next_at, r.ended_at), default=None)

    def _waits(self, row: DeliveryRow) -> bool:
        first = self._carried(row)
        return row.channel != self._carrier and first is not None and first.state == "pending"

    def _carried(self, row: DeliveryRow) -> DeliveryRow | None:
        """The carrier's row of the same event; None when it has been delivered, or there is none."""
        return None if self._carrier is None else self._rows.get((row.event_id, self._carrier))

    async def _try(self, row: DeliveryRow) -> None:
        job = await self._supervisor.job(row.job_id)
        if job is None:
            self._rows.pop((row.event_id, row.channel), None)
        elif not job.status.terminal or job.finished_at != row.ended_at:
            await self._note(replace(row, state="superseded", done_at=time.time()))
        else:
            await self._note(await self._delivered(row, job))

    async def _delivered(self, row: DeliveryRow, job: Job) -> DeliveryRow:
        """The row after one more try."""
        outlet, first = self._outlets[row.channel], self._carried(row)
        row = replace(row, tries=row.tries + 1)
        failpoint("delivery.before_send")
        try:
            await outlet.deliver(row, job, arrived=first is None or first.state != "dead")
        except NotDelivered as error:
            if error.gone:
                await self._give_up_for_all(row, str(error))
                return _gone(row, str(error))
            if error.down:
                outlet.breaker.failed(str(error))
            return self._failed(row, error)
        except Exception as error:  # noqa: BLE001 - one delivery that cannot be made must not hold up all others
            _log.exception("job %s: its delivery by %s failed", row.job_id, row.channel)
            return self._failed(row, NotDelivered(f"internal error: {type(error).__name__}"))
        outlet.breaker.succeeded()
        failpoint("delivery.after_send")
        return replace(row, state="delivered", done_at=time.time(), error=None)

    async def _give_up_for_all(self, row: DeliveryRow, why: str) -> None:
        """Whoever would look for the platform's row as well; first them, because they wait for this one."""
        for channel in OF_THE_ROW - {row.channel}:
            other = self._rows.get((row.event_id, channel))
            if other is not None and other.state == "pending":
                await self._note(_gone(other, why))

    def _failed(self, row: DeliveryRow, error: NotDelivered) -> DeliveryRow:
        why = str(error)[:MOST_ERROR]
        if error.final or row.tries >= self._settings.delivery_tries:
            _log.error("job %s: %s is not told, after %d tries: %s", row.job_id, row.channel, row.tries, why)
            return replace(row, state="dead", done_at=time.time(), error=why)
        return replace(row, next_at=time.time() + pause_before(row.tries, self._settings), error=why)

    async def _note(self, row: DeliveryRow) -> None:
        """Writes down what has happened, for as long as it takes: what is not noted would be told again."""
        self._told(row.channel, "retried" if row.state == "pending" else row.state)
        key = (row.event_id, row.channel)
        while True:
            try:
                await self._supervisor.note_delivery(row)
                break
            except StaleAttempt:
                self._rows.pop(key, None)
                return
            except StoreError as error:
                _log.warning("job %s: what became of its delivery is not stored yet: %s", row.job_id, error)
                await anyio.sleep(STORE_RETRY_SECONDS)
        if row.state in ("pending", "dead"):
            self._rows[key] = row
        else:
            self._over.add(key)
            self._rows.pop(key, None)
        if row.channel == self._carrier:
            self.wake()


def _gone(row: DeliveryRow, why: str) -> DeliveryRow:
    """Nobody has to hear of this any more, and nobody has to be alarmed by that."""
    _log.info("job %s: %s is not told: %s", row.job_id, row.channel, why)
    return replace(row, state="superseded", done_at=time.time(), error=why[:MOST_ERROR])
