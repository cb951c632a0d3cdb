"""
Progress as a stream of server-sent events: `connected`, `progress` whenever something changed, `done`.

Each `progress` has the version of its snapshot as id. A reader that comes back with `Last-Event-ID` gets the newest
snapshot at once, or nothing when that is the one it has; a reader that comes back after `done` is told not to.

Nothing is queued for a reader: it gets the newest snapshot when it has taken the one before. One that takes nothing for
`PATIENCE_SECONDS` is dropped. When the service closes, every stream ends with `closing`, and readers come back to the
next service by themselves.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from http import HTTPStatus
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.exceptions import JobNotFound
from app.domain.jobs import Status
from app.http.dependencies import JobIdInPath, Running
from app.service.tenant import Jobs

router = APIRouter(tags=["jobs"])

MIN_PAUSE_SECONDS = 0.2
"""A fast search improves many times a second; nobody can read more than five events in that time."""
PATIENCE_SECONDS = 10.0
RETRY_MILLISECONDS = 2000
_HEADERS = {
    "Cache-Control": "no-cache, no-store, no-transform",
    "X-Accel-Buffering": "no",  # proxies must pass each event on at once
    "Content-Encoding": "identity",
}
_PING = b": ping\n\n"


class Streams:
    """The event streams of one application: how many are open, how many readers were dropped, and the end of all."""

    def __init__(self) -> None:
        self.open = 0
        self.dropped = 0
        self.closing = anyio.Event()

    def close(self) -> None:
        """Ends all streams. To be called on the event loop as soon as the service is told to stop."""
        self.closing.set()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts a stream as open for as long as the block runs."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@router.get("/progress/{job_id}/events")
async def progress_events(
    job_id: JobIdInPath,
    request: Request,
    service: Running,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """The progress of a job as server-sent events, until it ends."""
    await service.jobs.look_up(job_id)
    snapshot = service.jobs.snapshot(job_id)
    if snapshot is None:
        raise JobNotFound(job_id, status="not_found", progress=0)
    if Status(snapshot["status"]).terminal and last_event_id == _end_of(snapshot["version"]):
        return Response(status_code=HTTPStatus.NO_CONTENT)  # the one answer after which no browser comes back
    streams: Streams = request.app.state.streams
    events = _events(job_id, service.jobs, service.settings.heartbeat_seconds, last_event_id)
    return EventStream(events, streams)


class EventStream(Response):
    """An answer that goes on until its events end, its client has gone or takes nothing, or the service closes."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], streams: Streams) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._events, self._streams = events, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.counted():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._until_gone, receive, tasks.cancel_scope)
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                taken = await self._follow(send)
                if taken and self._streams.closing.is_set():
                    taken = await _sent(send, _closing())
                if taken:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                else:
                    self._streams.dropped += 1  # left unfinished, so that the server closes the connection
                tasks.cancel_scope.cancel()

    async def _until_gone(self, receive: Receive, whole: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        whole.cancel()

    async def _follow(self, send: Send) -> bool:
        """Sends event after event; whether the reader has taken all of them."""
        taken = True
        async with anyio.create_task_group() as tasks, aclosing(self._events):
            tasks.start_soon(self._until_closing, tasks.cancel_scope)
            async for event in self._events:
                taken = await _sent(send, event)
                if not taken:
                    break
            tasks.cancel_scope.cancel()
        return taken

    async def _until_closing(self, following: anyio.CancelScope) -> None:
        await self._streams.closing.wait()
        following.cancel()


async def _sent(send: Send, event: bytes) -> bool:
    with anyio.move_on_after(PATIENCE_SECONDS) as patience:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    return not patience.cancelled_caught


async def _events(job_id: str, jobs: Jobs, ping_seconds: float, last_event_id: str | None) -> AsyncGenerator[bytes]:
    """Comments keep the connection open while nothing changes; proxies cut silent ones."""
    yield _event("connected", {"job_id": job_id}, retry=RETRY_MILLISECONDS)
    seen = -1
    while True:
        version = await jobs.wait_for_change(job_id, seen, ping_seconds)
        snapshot = jobs.snapshot(job_id)
        if snapshot is None:
            yield _event("done", {"status": "not_found"})
            return
        if version == seen:
            yield _PING
            continue
        seen = version
        if snapshot["version"] != last_event_id:
            yield _event("progress", snapshot, id=snapshot["version"])
        if Status(snapshot["status"]).terminal:
            yield _event("done", {"status": snapshot["status"]}, id=_end_of(snapshot["version"]))
            return
        await anyio.sleep(MIN_PAUSE_SECONDS)


def _event(name: str, data: object, *, id: str | None = None, retry: int | None = None) -> bytes:
    fields = {"event": name, "data": json.dumps(data, separators=(",", ":")), "id": id, "retry": retry}
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None).encode() + b"\n"


def _closing() -> bytes:
    return _event("closing", {"reason": "the service is closing; come back"}, retry=RETRY_MILLISECONDS)


def _end_of(version: str) -> str:
    """The id of the last event of a job."""
    return f"{version}-done"
