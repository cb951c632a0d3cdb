"""
The keys that the platform reads from its Redis while it waits for a job.

| key | what | kept for |
|---|---|---|
| `progress:job:{id}` | the progress document, in the names of both versions | 2 h |
| `result:job:{id}` | variants without their rows | 24 h |
| `start_time:job:{id}` | when the job was taken, ISO-8601 | 1 h |
| `state:job:{id}` | `{job_id, state, reason, timestamp}` | 1 h |
| `cancel:job:{id}` | whoever sets it cancels the job; we set it when it is cancelled here | 1 h |

Every document also goes out on the channel `progress:{id}`. The first one is written before the POST is answered; the
last one, which says how the job has ended, is a delivery of the outbox, so it comes after the commit and after the
platform's own row. Nothing here ever makes a job wait: time-outs are short, and a Redis that does not answer is left
alone for a while (`app.platform.breaker`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

import anyio
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.domain.documents import joined
from app.domain.jobs import Event, Job, JobError, Status
from app.domain.telemetry import Happening, Moved, Seen
from app.platform.addresses import tls_of, with_index
from app.platform.breaker import Breaker
from app.platform.delivery import NOT_ARRIVED, Documents, NotDelivered
from app.service.supervisor import Supervisor
from app.settings import Settings
from app.store import DeliveryRow, StoreError

PROGRESS_SECONDS = 7200
RESULT_SECONDS = 86_400
SHORT_SECONDS = 3600
REDIS_SECONDS = 1.0
"""For connecting, and for any answer; a round that takes longer is given up."""
ANNOUNCE_SECONDS = 1.5
HEARTBEAT_SECONDS = 3.0
"""A document is written at least this often while its job is alive, also when nothing is new."""
AT_ONCE = 50
"""Jobs whose documents go out together."""
CANCELLED_BY_FLAG = "cancellation_requested"

Document = dict[str, Any]
T = TypeVar("T")

_log = logging.getLogger("timetable.platform")


class RedisKeys:
    """The channel `redis`, and what is written while jobs are alive."""

    def __init__(self, supervisor: Supervisor, documents: Documents, settings: Settings, breaker: Breaker) -> None:
        self.breaker = breaker
        self._supervisor, self._documents = supervisor, documents
        self._every = settings.platform_redis_seconds
        self._redis = _client(settings)
        self._writing = anyio.Lock()
        self._alive: dict[str, float] = {}
        self._states: dict[str, str] = {}
        self._again: set[str] = set()
        self._told_cancelled: set[str] = set()

    def observe(self, happening: Happening) -> None:
        """An observer of `app.domain.telemetry`."""
        if isinstance(happening, Seen) and happening.job.status.terminal:
            self._forget(happening.job.id)
        if not isinstance(happening, Moved):
            return
        job = happening.job
        if job.status.terminal:
            self._forget(job.id)
        else:
            self._alive.setdefault(job.id, 0.0)
        if happening.event is Event.RESTART:
            self._again.add(job.id)

    def _forget(self, job_id: str) -> None:
        self._alive.pop(job_id, None)
        self._states.pop(job_id, None)
        self._told_cancelled.discard(job_id)

    # --- while jobs are alive ---

    async def announce(self, job: Job) -> None:
        """Writes the first keys of a job, if Redis answers soon; else the next round does."""
        if self.breaker.seconds_closed > 0 or job.status.terminal:
            return
        with anyio.move_on_after(ANNOUNCE_SECONDS):
            await self._tell([job], first=True)

    async def run(self) -> None:
        """Writes the documents of all jobs that are alive, until it is cancelled."""
        for status in (Status.QUEUED, Status.RUNNING):
            for job in await self._supervisor.jobs(status=status, limit=1_000_000_000):
                self._alive.setdefault(job.id, 0.0)
        while True:
            if self.breaker.seconds_closed == 0:
                await self._round()
            await anyio.sleep(self._every)

    async def _round(self) -> None:
        flagged: list[str] = []
        for some in _in_parts(list(self._alive), AT_ONCE):
            due = [job for job_id in some if (job := await self._supervisor.job(job_id)) and self._is_due(job)]
            found = await self._tell(due, ask=some)
            if found is None:
                return
            flagged += found
        if not self._alive:
            await self._ask(lambda pipe: pipe.ping())
        for job_id in flagged:
            await self._cancel(job_id)

    def _is_due(self, job: Job) -> bool:
        """A job that waits has little news, and there may be many of them."""
        age = time.monotonic() - self._alive.get(job.id, 0.0)
        return job.status is Status.RUNNING or age >= HEARTBEAT_SECONDS or job.id not in self._states

    async def _tell(self, jobs: Iterable[Job], *, ask: Iterable[str] = (), first: bool = False) -> list[str] | None:
        """
        Writes the documents of `jobs`; returns those of `ask` that somebody has flagged for cancelling.

        None when Redis did not take it. The lock keeps an older document from coming after the last one of its job.
        """
        asked = list(ask)
        async with self._writing:
            again = [job_id for job_id in asked if job_id in self._again]
            documents = list(self._documents_of(jobs))
            if not documents and not asked:
                return []

            def fill(pipe: Pipeline) -> None:
                if again:
                    pipe.delete(*(f"cancel:job:{job_id}" for job_id in again))
                for job, document in documents:
                    self._put(pipe, job, document, first=first)
                if asked:
                    pipe.mget([f"cancel:job:{job_id}" for job_id in asked])

            answers = await self._ask(fill)
            if answers is None:
                return None
            for job, document in documents:
                self._states[job.id] = document["status"]
                if job.id in self._alive:
                    self._alive[job.id] = time.monotonic()
                if job.cancel_requested:
                    self._told_cancelled.add(job.id)
            self._again.difference_update(again)
            flags = answers[-1] if asked else []
        return [job_id for job_id, flag in zip(asked, flags, strict=False) if flag]

    def _documents_of(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Document]]:
        """What has ended meanwhile is the outbox's to tell."""
        for job in jobs:
            document = self._supervisor.snapshot(job.id)
            if document is not None and not Status(document["status"]).terminal:
                yield job, document

    def _put(self, pipe: Pipeline, job: Job, document: Document, *, first: bool) -> None:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        pipe.set(f"progress:job:{job.id}", text, ex=PROGRESS_SECONDS)
        pipe.publish(f"progress:{job.id}", text)
        if first or job.id not in self._states:
            at = datetime.fromtimestamp(job.created_at, UTC).isoformat()
            pipe.set(f"start_time:job:{job.id}", at, ex=SHORT_SECONDS)
        if self._states.get(job.id) != document["status"]:
            pipe.set(f"state:job:{job.id}", _state(job, document), ex=SHORT_SECONDS)
        if job.cancel_requested and job.id not in self._told_cancelled:
            told = {"reason": "cancelled by request", "timestamp": document["timestamp"]}
            pipe.set(f"cancel:job:{job.id}", json.dumps(told), ex=SHORT_SECONDS)
            pipe.publish(f"progress:{job.id}", json.dumps({"job_id": job.id, "event": CANCELLED_BY_FLAG, **told}))

    async def _cancel(self, job_id: str) -> None:
        job = await self._supervisor.job(job_id)
        if job is None or job.cancel_requested or job.status.terminal:
            return
        try:
            await self._supervisor.cancel(job_id)
            _log.info("job %s: cancelled by its flag in Redis", job_id)
        except (JobError, StoreError) as error:
            _log.warning("job %s: its flag in Redis cannot be followed yet: %s", job_id, error)

    # --- the end of a job ---

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """Writes progress and result of the job under the platform's keys. Raises NotDelivered."""
        document = self._supervisor.snapshot(job.id)
        if document is None:
            raise NotDelivered("the job is deleted", final=True)
        result = None
        if row.status is Status.COMPLETED and arrived:
            result = joined(await self._documents.of(job, "summary"), {"metadata": document["metadata"]})
        elif row.status is Status.COMPLETED:
            document = not_arrived(document)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))

        def fill(pipe: Pipeline) -> None:
            if result is not None:
                pipe.set(f"result:job:{job.id}", result, ex=RESULT_SECONDS)
            pipe.delete(f"cancel:job:{job.id}")
            pipe.set(f"state:job:{job.id}", _state(job, document), ex=SHORT_SECONDS)
            pipe.set(f"progress:job:{job.id}", text, ex=PROGRESS_SECONDS)
            pipe.publish(f"progress:{job.id}", text)

        async with self._writing:
            now = await self._supervisor.job(job.id)
            if now is None or now.finished_at != row.ended_at:
                return  # it runs again; the outbox finds that out as well
            if await self._ask(fill) is None:
                raise NotDelivered(f"Redis does not take it: {self.breaker.error}", down=False)  # it is counted already

    # --- Redis ---

    async def _ask(self, fill: Any) -> list[Any] | None:
        """Sends one transaction; None when Redis does not answer."""
        try:
            with anyio.fail_after(2 * REDIS_SECONDS):
                async with self._redis.pipeline(transaction=True) as pipe:
                    fill(pipe)
                    answers: list[Any] = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self.breaker.failed(type(error).__name__)
            return None
        self.breaker.succeeded()
        return answers

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()


def not_arrived(document: Document) -> Document:
    """A timetable that the platform does not have must not be announced to it as completed: that would show nothing."""
    metadata = {**document["metadata"], "error": NOT_ARRIVED}
    told = {"status": "failed", "stage": "failed", "message": NOT_ARRIVED, "error": NOT_ARRIVED, "metadata": metadata}
    return {**document, **told, "failed_at": document.get("completed_at")}


def _state(job: Job, document: Mapping[str, Any]) -> str:
    told = {"state": document["status"], "reason": document["error"], "timestamp": document["timestamp"]}
    return json.dumps({"job_id": job.id, **told})


def _client(settings: Settings) -> Redis:
    url = with_index(settings.platform_redis_url, settings.platform_redis_db)
    return Redis.from_url(
        url,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
        **tls_of(url, settings),
    )


def _in_parts(whole: list[T], size: int) -> Iterator[list[T]]:
    rest = iter(whole)
    while part := list(islice(rest, size)):
        yield part
