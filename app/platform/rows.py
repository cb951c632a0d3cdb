"""
What the platform's own rows say of its jobs: `generation_jobs` is read beside what we are told over HTTP.

Calls get lost, and the platform writes its row whatever becomes of them: `cancelling` when a person cancels, though we
may be down or may not have the job yet; `running` whenever a POST is taken, though its job may have ended long before.
So the row wins where it says `cancelling` of a job that lives, our end wins where it says that an ended job lives, and
of a job that never comes nothing stays `cancelling`. Rows are read while there is something to compare them with, and
now and then: a database that sleeps when nobody asks may do so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import LiteralString

import anyio
import psycopg

from app.domain.jobs import Event, Job, JobError, TooManyCancels
from app.domain.telemetry import Happening, Moved, Seen
from app.platform.connections import connected
from app.platform.database import call_off
from app.platform.delivery import NotDelivered
from app.service.supervisor import Supervisor
from app.settings import Settings
from app.store import StoreError
from app.store.notifications import Channel

CANCELLING = "cancelling"
LIVE = frozenset({"pending", "queued", "running", CANCELLING})
"""What a row says of a job that has not ended."""
MOST_ROWS = 10_000
FOLLOWED_SECONDS = 600.0
"""So long after an end, or after the platform has spoken of it once more, its row is compared with it."""
PAUSES = (5.0, 20.0, 60.0, 180.0)
"""Seconds after the first, second ... time that an end is told again to a row that says something else."""
WORKER_SECONDS = 30.0
"""So long the platform's workers may take to write a row, where we do not write it."""
IDLE_SECONDS = 1800.0
"""Between two looks while there is nothing to compare: somebody may have cancelled what never came, unheard by us."""
LEAST_SECONDS = 0.3
"""Between two looks, however much happens."""
START_SECONDS = 3.0
"""What waiting jobs may wait for the platform's rows at the start of the service; later looks catch up."""
LOOK_SECONDS = 10.0

_QUESTION: LiteralString = """
    SELECT id::text, status FROM generation_jobs WHERE status = 'cancelling' OR id::text = ANY(%(ids)s::text[])
"""

_log = logging.getLogger("timetable.platform")


async def statuses(settings: Settings, job_ids: Collection[str]) -> Mapping[str, str]:
    """
    The status of the rows of these jobs, and of all that say `cancelling`; nothing where there is no such table.

    Raises OSError, TimeoutError, psycopg.Error.
    """
    async with connected(settings, "timetable-rows") as connection:
        await connection.set_read_only(True)
        # Not at the start of the session: what pools connections for many refuses that.
        await connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(int(LOOK_SECONDS * 1000)),))
        try:
            answer = await connection.execute(_QUESTION, {"ids": list(job_ids)[:MOST_ROWS]})
        except psycopg.errors.UndefinedTable:
            return {}
        return dict(await answer.fetchmany(2 * MOST_ROWS))


async def called_off(settings: Settings, job_ids: Collection[str]) -> Collection[str]:
    """Which of these the platform's rows call off. Nobody waits long for that: nothing where it does not answer."""
    try:
        with anyio.fail_after(START_SECONDS):
            found = await statuses(settings, job_ids)
    except (psycopg.Error, OSError, TimeoutError) as error:
        _log.warning("waiting jobs go on, the platform's rows cannot be read yet: %s", type(error).__name__)
        return ()
    return [job_id for job_id in job_ids if found.get(job_id) == CANCELLING]


@dataclass(slots=True)
class _Followed:
    """An ended job whose row is compared until the monotonic time `until`, and told again from `next_at` on."""

    until: float
    next_at: float
    times: int = 0


class PlatformRows:
    """
    Compares rows with jobs. `carrier` is the channel that writes the platform's row; `to_tell` is called when it has
    something to tell again.
    """

    def __init__(
        self, supervisor: Supervisor, settings: Settings, carrier: Channel | None, to_tell: Callable[[], None]
    ) -> None:
        self._supervisor, self._settings, self._carrier, self._to_tell = supervisor, settings, carrier, to_tell
        self._alive: set[str] = set()
        self._followed: dict[str, _Followed] = {}
        self._strangers: dict[str, float] = {}
        self._settled: set[str] = set()
        self._again: set[str] = set()
        self._seen: dict[str, None] = {}
        self._looks_until = time.monotonic() + self._patience
        self._looked_at = 0.0
        self._failed = False
        self._news = anyio.Event()

    @property
    def _patience(self) -> float:
        """Seconds that a job may take to come after the platform has called it off."""
        return 2 * self._settings.platform_rows_seconds

    def seen(self, job_id: str) -> bool:
        """Whether there was a row of this job."""
        return job_id in self._seen

    def observe(self, happening: Happening) -> None:
        """An observer of `app.domain.telemetry`."""
        if not isinstance(happening, Moved | Seen):
            return
        job_id = happening.job.id
        if happening.job.status.terminal:
            self._alive.discard(job_id)
            self._follow(job_id)
        elif job_id not in self._alive or (isinstance(happening, Moved) and happening.event is Event.RESTART):
            self._alive.add(job_id)
            self._followed.pop(job_id, None)
            if isinstance(happening, Moved) and happening.event is Event.RESTART:
                self._again.add(job_id)  # what the row says is of the run before
            self._wake()

    def heed(self, job_id: str) -> None:
        """The platform has spoken of a job that has ended or is not here."""
        job = self._supervisor.known(job_id)
        if job is not None and job.status.terminal:
            self._follow(job_id)
        self._looks_until = time.monotonic() + 3 * self._patience
        self._wake()

    def _follow(self, job_id: str) -> None:
        now = time.monotonic()
        next_at = now if self._carrier == "sql" else now + WORKER_SECONDS
        self._followed[job_id] = _Followed(until=now + FOLLOWED_SECONDS, next_at=next_at)

    def _wake(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        await self._recollect()
        while True:
            news = self._news
            if self._has_to_look():
                await self._look()
            await anyio.sleep(LEAST_SECONDS)
            with anyio.move_on_after(max(0.0, self._settings.platform_rows_seconds - LEAST_SECONDS)):
                await news.wait()

    def _has_to_look(self) -> bool:
        now = time.monotonic()
        busy = self._alive or self._followed or self._strangers
        return bool(busy) or now < self._looks_until or now - self._looked_at >= IDLE_SECONDS

    async def _recollect(self) -> None:
        """At the start: what lives, and what has ended not long ago, and may have been spoken of while we were away."""
        recent = time.time() - 6 * FOLLOWED_SECONDS
        for job in await self._supervisor.jobs(limit=MOST_ROWS):
            if not job.status.terminal:
                self._alive.add(job.id)
            elif (job.finished_at or 0.0) > recent:
                self._follow(job.id)

    async def _look(self) -> None:
        asked, self._looked_at = [*self._alive, *self._followed], time.monotonic()
        try:
            with anyio.fail_after(LOOK_SECONDS):
                found = await statuses(self._settings, asked)
        except (psycopg.Error, OSError, TimeoutError) as error:
            if not self._failed:  # once is enough; the deliveries say for how long
                _log.warning("the platform's rows cannot be read: %s", type(error).__name__)
            self._failed = True
            return
        self._failed = False
        ours = [job_id for job_id in asked if job_id in found]
        self._note_seen(ours)
        for job_id in dict.fromkeys([*ours, *found]):
            try:
                await self._compare(job_id, found[job_id])
            except TooManyCancels:  # many rows were left behind; the rest has its turn at a later look
                break
            except (JobError, StoreError) as error:
                _log.warning("job %s: what its row says cannot be followed yet: %s", job_id, error)
        self._forget(found)

    def _note_seen(self, job_ids: Collection[str]) -> None:
        self._seen.update(dict.fromkeys(job_ids))
        while len(self._seen) > MOST_ROWS:
            del self._seen[next(iter(self._seen))]

    def _forget(self, found: Mapping[str, str]) -> None:
        """What is over, and what is gone here."""
        now = time.monotonic()
        self._alive = {job_id for job_id in self._alive if self._supervisor.known(job_id) is not None}
        self._followed = {job_id: one for job_id, one in self._followed.items() if now < one.until}
        self._strangers = {job_id: at for job_id, at in self._strangers.items() if found.get(job_id) == CANCELLING}
        self._settled = {job_id for job_id in self._settled if found.get(job_id) == CANCELLING}
        self._again &= self._alive

    async def _compare(self, job_id: str, status: str) -> None:
        job = self._supervisor.known(job_id)
        if job is None and job_id not in self._settled:
            job = await self._supervisor.job(job_id)
        if status != CANCELLING:
            self._again.discard(job_id)
        if job is None:
            if status == CANCELLING and job_id not in self._settled:
                await self._never_came(job_id)
        elif job.status.terminal:
            if status in LIVE:
                await self._correct(job)
        elif status == CANCELLING and not job.cancel_requested and job_id not in self._again:
            await self._supervisor.cancel(job_id)
            _log.info("job %s: cancelled by its row", job_id)

    async def _never_came(self, job_id: str) -> None:
        """It is called off for good, whether it comes or not, and its row need not wait for that."""
        since = self._strangers.setdefault(job_id, time.monotonic())
        if time.monotonic() - since < self._patience or await self._supervisor.cancel(job_id) is not None:
            return
        if self._settings.platform_update == "yes":
            try:
                await call_off(self._settings, job_id)
            except NotDelivered as error:
                _log.warning("job %s: its row cannot be told yet that it is cancelled: %s", job_id, error)
                self._strangers[job_id] = time.monotonic()
                return
            _log.info("job %s was cancelled and has never come; its row says so now", job_id)
        del self._strangers[job_id]
        self._settled.add(job_id)

    async def _correct(self, job: Job) -> None:
        """The row says that an ended job lives. Who writes the row is told again, seldomer each time."""
        followed = self._followed.get(job.id)
        if followed is None:
            self._follow(job.id)
            followed = self._followed[job.id]
        now = time.monotonic()
        if self._carrier is None or followed.times >= len(PAUSES) or now < followed.next_at:
            return
        if await self._supervisor.tell_again(job.id, self._carrier):
            _log.info("job %s: its row says that it goes on, and is told again that it is %s", job.id, job.status)
            followed.next_at = now + PAUSES[followed.times]
            followed.times += 1
            self._to_tell()
