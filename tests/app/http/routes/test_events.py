"""
Event streams as browsers and proxies see them: a real server on a real port, answering from real tracks.

The tracks stand in for the whole supervisor, which only passes these questions on to them; so the tests decide what
happens to a job, and when.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import anyio
import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from app.domain.jobs import Event, Job, advance
from app.domain.messages import ProgressFrame
from app.http import problems
from app.http.dependencies import Service
from app.http.routes import events, jobs
from app.http.routes.events import Streams
from app.service.job_tracks import JobTracks
from app.settings import Settings
from tests.effort import PATIENCE_SECONDS

PING_SECONDS = 0.1
"""Nothing takes as long that is waited for here."""


class Heard(NamedTuple):
    name: str
    data: dict[str, Any]
    id: str | None


class Known(JobTracks):
    """A supervisor, as far as streams need one: it knows all jobs that there are."""

    async def look_up(self, job_id: str) -> None:
        """No other service takes any in."""


class Server(NamedTuple):
    tracks: JobTracks
    streams: Streams
    uvicorn: uvicorn.Server
    client: httpx.AsyncClient
    port: int


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    tracks, streams, app = Known(2), Streams(), FastAPI()
    problems.install(app)
    app.include_router(events.router)
    app.include_router(jobs.router)
    app.state.streams = streams
    app.state.service = Service(
        Settings(heartbeat_seconds=PING_SECONDS), cast(Any, tracks), *[cast(Any, None)] * (len(Service._fields) - 2)
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = uvicorn.Config(app, lifespan="off", log_level="critical", timeout_graceful_shutdown=20)
    server = uvicorn.Server(config)
    base_url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=base_url, timeout=10) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        yield Server(tracks, streams, server, client, port)
        streams.close()
        server.should_exit = True


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


def running(tracks: JobTracks, job_id: str = "j") -> None:
    job = Job(id=job_id, body_hash="h", created_at=time.time())
    tracks.add(job)
    tracks.set(advance(job, Event.CLAIM, time.time()))
    tracks[job_id].begin_attempt(time.time(), 60.0)


def moves(tracks: JobTracks, share: float, job_id: str = "j") -> None:
    tracks[job_id].hear(ProgressFrame(stage="search", share=share))


def ends(tracks: JobTracks, job_id: str = "j") -> None:
    tracks.set(advance(tracks[job_id].job, Event.FAIL, time.time(), error="on purpose"))


async def heard(lines: AsyncIterator[str]) -> AsyncIterator[Heard | str]:
    """Events, and comments as they stand."""
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            yield line
        elif line:
            key, _, value = line.partition(": ")
            fields[key] = value
        elif "event" in fields:
            yield Heard(fields["event"], json.loads(fields["data"]), fields.get("id"))
            fields = {}


@asynccontextmanager
async def listening(server: Server, last: str | None = None) -> AsyncIterator[Callable[[], Awaitable[Heard]]]:
    """Calls give the next event, without pings."""
    headers = {"Last-Event-ID": last} if last else {}
    async with server.client.stream("GET", "/progress/j/events", headers=headers) as answer:
        assert answer.status_code == 200
        told = heard(answer.aiter_lines())

        async def following() -> Heard:
            with anyio.fail_after(PATIENCE_SECONDS):
                while isinstance(event := await anext(told), str):
                    pass
            return event

        yield following


async def until(what: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not what():
            await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_a_stream_tells_every_change_with_its_version_and_ends_with_the_job(server: Server) -> None:
    running(server.tracks)
    async with listening(server) as following:
        assert await following() == Heard("connected", {"job_id": "j"}, None)
        first = await following()
        moves(server.tracks, 0.5)
        second = await following()
        ends(server.tracks)
        last, done = await following(), await following()
        with pytest.raises(StopAsyncIteration):
            await following()
    assert (first.name, second.name, last.name) == ("progress", "progress", "progress")
    assert [event.id for event in (first, second, last)] == [event.data["version"] for event in (first, second, last)]
    assert len({first.id, second.id, last.id}) == 3
    assert second.data["percentage"] > first.data["percentage"]
    assert (done.name, done.data) == ("done", {"status": "failed"})


@pytest.mark.anyio
async def test_headers_keep_proxies_from_holding_events_back(server: Server) -> None:
    running(server.tracks)
    async with server.client.stream("GET", "/progress/j/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        lines = answer.aiter_lines()
        opening = [await anext(lines) for _ in range(3)]
        assert "retry: 2000" in opening
        told = heard(lines)
        with anyio.fail_after(PATIENCE_SECONDS):
            while await anext(told) != ": ping":  # a proxy that cuts silent connections hears something
                pass


@pytest.mark.anyio
async def test_a_reader_that_has_the_newest_version_is_told_nothing_old(server: Server) -> None:
    running(server.tracks)
    async with listening(server) as following:
        await following()
        seen = await following()
    async with listening(server, seen.id) as following:
        assert (await following()).name == "connected"
        moves(server.tracks, 0.7)
        news = await following()
    assert (news.name, news.data["stage_progress"]) == ("progress", 70.0)


@pytest.mark.anyio
@pytest.mark.parametrize("last", ["an older one", "an earlier service-1", "not ours at all"])
async def test_a_reader_that_has_anything_else_gets_the_newest_at_once(server: Server, last: str) -> None:
    running(server.tracks)
    moves(server.tracks, 0.1)
    older = server.tracks.snapshot("j")
    moves(server.tracks, 0.9)
    newest = server.tracks.snapshot("j")
    assert older is not None and newest is not None
    async with listening(server, older["version"] if last == "an older one" else last) as following:
        await following()
        event = await following()
    assert (event.id, event.data["stage_progress"]) == (newest["version"], 90.0)


@pytest.mark.anyio
async def test_a_browser_that_comes_back_after_the_end_is_told_to_stay_away(server: Server) -> None:
    running(server.tracks)
    ends(server.tracks)
    async with listening(server) as following:
        told = [await following() for _ in range(3)]
    again = await server.client.get("/progress/j/events", headers={"Last-Event-ID": str(told[-1].id)})
    assert (told[-1].name, again.status_code, again.content) == ("done", 204, b"")
    async with listening(server, told[-2].id) as following:  # it has seen the last snapshot, but not the end
        assert [(await following()).name, (await following()).name] == ["connected", "done"]


@pytest.mark.anyio
async def test_an_unknown_job_is_a_problem_and_no_stream(server: Server) -> None:
    answer = await server.client.get("/progress/nobody/events")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.anyio
async def test_a_job_that_is_deleted_ends_its_streams(server: Server) -> None:
    running(server.tracks)
    async with listening(server) as following:
        await following()
        await following()
        server.tracks.remove("j")
        assert await following() == Heard("done", {"status": "not_found"}, None)


@pytest.mark.anyio
async def test_when_the_service_closes_readers_are_told_to_come_back(server: Server) -> None:
    running(server.tracks)
    async with listening(server) as following:
        await following()
        await following()
        server.streams.close()
        server.uvicorn.should_exit = True
        told = await following()
        with pytest.raises(StopAsyncIteration):
            await following()
    assert told.name == "closing"


@pytest.mark.anyio
async def test_readers_that_vanish_leave_nothing_behind(server: Server) -> None:
    running(server.tracks)
    connections = []
    for _ in range(30):
        stream = await anyio.connect_tcp("127.0.0.1", server.port)
        await stream.send(b"GET /progress/j/events HTTP/1.1\r\nHost: x\r\n\r\n")
        connections.append(stream)
    await until(lambda: server.streams.open == 30)
    for stream in connections:
        await stream.aclose()
    await until(lambda: server.streams.open == 0)
    assert server.streams.dropped == 0
    await until(lambda: not server.uvicorn.server_state.connections)


@pytest.mark.anyio
async def test_a_reader_that_takes_nothing_is_dropped_and_nothing_is_piled_up_for_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(events, "MIN_PAUSE_SECONDS", 0.0)
    running(server.tracks)
    server.tracks["j"].message = "x" * 200_000  # fills the buffers of both ends in a few events
    reader = socket.create_connection(("127.0.0.1", server.port))
    reader.sendall(b"GET /progress/j/events HTTP/1.1\r\nHost: x\r\n\r\n")
    with anyio.fail_after(PATIENCE_SECONDS):
        while not server.streams.dropped:
            server.tracks["j"].bump()
            await anyio.sleep(0.005)
    assert (server.streams.open, server.streams.dropped) == (0, 1)
    reader.close()


@pytest.mark.anyio
async def test_a_slow_reader_skips_to_the_newest_snapshot(server: Server) -> None:
    running(server.tracks)
    async with listening(server) as following:
        await following()
        await following()
        for share in range(1, 101):  # far more often than a stream is written to
            moves(server.tracks, share / 100)
        shares = [(await following()).data["stage_progress"]]
    assert shares == [100.0]
