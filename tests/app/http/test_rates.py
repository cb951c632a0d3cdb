from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.token_bucket import MAX_BUCKETS, Buckets
from app.http.limits import OneSpelling
from app.http.problems import RateLimited, TooManyStreams, install
from app.http.rates import RateLimit, StreamLimit
from app.settings import Settings

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


# --- buckets ---------------------------------------------------------------------------------------------------------


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)
    assert [buckets.wait("a") for _ in range(60)] == [0.0] * 60
    assert buckets.wait("a") == pytest.approx(1.0)
    assert buckets.wait("b") == 0.0, "clients do not share"
    clock.now = 1.0
    assert (buckets.wait("a"), buckets.wait("a")) == (0.0, pytest.approx(1.0))


@given(st.integers(1, 100), st.lists(st.floats(0, 120), max_size=60))
def test_no_client_gets_more_than_a_burst_and_its_rate_and_waiting_as_told_is_enough(
    per_minute: int, pauses: list[float]
) -> None:
    clock = Clock()
    buckets, passed = Buckets(per_minute, clock), 0
    for pause in pauses:
        clock.now += pause
        wait = buckets.wait("a")
        passed += not wait
        if wait:
            clock.now += wait + 1e-6
            assert not buckets.wait("a")
            passed += 1
    assert passed <= per_minute * (1 + clock.now / 60) + 1


def test_nothing_is_counted_where_no_limit_is_set() -> None:
    buckets = Buckets(0)
    assert not any(buckets.wait("a") for _ in range(1000))


def test_any_number_of_clients_takes_bounded_memory() -> None:
    buckets = Buckets(1, Clock())
    for client in range(MAX_BUCKETS + 100):
        buckets.wait(str(client))
    assert len(buckets._levels) == MAX_BUCKETS
    assert buckets.wait(str(MAX_BUCKETS + 99)), "the last ones are still remembered"


def test_streams_are_counted_per_client_and_in_all() -> None:
    streams = StreamLimit(most=3, most_per_client=2)
    streams.enter("a")
    streams.enter("a")
    with pytest.raises(RateLimited):
        streams.enter("a")
    streams.enter("b")
    with pytest.raises(TooManyStreams):
        streams.enter("c")
    streams.leave("a")
    streams.enter("c")


# --- the layer -------------------------------------------------------------------------------------------------------


class Named:
    """Stands in for the layer that knows keys: the client says who it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["key_id"] = dict(scope["headers"]).get(b"x-key", b"").decode() or None
        await self._app(scope, receive, send)


def limited(closed: anyio.Event | None = None, **limits: Any) -> httpx.AsyncClient:
    settings = Settings(data_dir=Path("unused"), **limits)
    app = FastAPI(middleware=[Middleware(OneSpelling), Middleware(Named), Middleware(RateLimit, settings=settings)])
    install(app)

    async def fine() -> str:
        return "fine"

    async def events() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            assert closed is not None
            await closed.wait()
            yield "done"

        return StreamingResponse(lines())

    for path in ("/health", "/progress/{job_id}", "/jobs", "/variants/{job_id}/{n}"):
        app.get(path)(fine)
    for path in ("/generate_variants", "/cancel/{job_id}", "/finish/{job_id}", "/validate"):
        app.post(path)(fine)
    app.get("/progress/{job_id}/events")(events)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async with limited(submits_per_minute=2, checks_per_minute=1, reads_per_minute=1) as client:
        assert [(await client.post("/generate_variants")).status_code for _ in range(2)] == [200, 200]
        answer = await client.post("/api/generate_variants/")
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert answer.headers["content-type"] == "application/problem+json"
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert (await client.post("/generate_variants", headers={"x-key": "other"})).status_code == 200
        for method, path in (("GET", "/jobs"), ("POST", "/validate")):
            assert (await client.request(method, path)).status_code == 200, "kinds do not share"
            assert (await client.request(method, path)).status_code == 429
        assert (await client.get("/variants/j/1")).status_code == 429, "exports and checks are one kind"


@pytest.mark.parametrize("route", ["GET /health", "GET /progress/j", "POST /cancel/j", "POST /finish/j"])
async def test_a_job_can_be_followed_and_stopped_however_often_one_asks(route: str) -> None:
    async with limited(submits_per_minute=1, checks_per_minute=1, reads_per_minute=1) as client:
        for _ in range(50):
            assert (await client.request(*route.split())).status_code == 200


async def test_streams_beyond_the_limits_are_refused_until_one_is_closed() -> None:
    closed = anyio.Event()
    async with limited(closed, max_streams=3, max_streams_per_client=2) as client, anyio.create_task_group() as tasks:

        async def follow(key: str) -> None:
            assert (await client.get("/progress/j/events", headers={"x-key": key})).status_code == 200

        for key in ("a", "a", "b"):
            tasks.start_soon(follow, key)
        await anyio.wait_all_tasks_blocked()
        mine = await client.get("/progress/j/events", headers={"x-key": "a"})
        assert (mine.status_code, mine.json()["code"]) == (429, "rate_limited")
        other = await client.get("/progress/j/events", headers={"x-key": "c"})
        assert (other.status_code, other.json()["code"]) == (503, "too_many_streams")
        assert other.headers["retry-after"]
        closed.set()
    async with limited(closed, max_streams=1) as client:
        for _ in range(3):
            assert (await client.get("/progress/j/events")).status_code == 200
