from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from app.http.limits import BodyLimit, OneSpelling, plain_path
from app.http.measured import Measured
from app.http.problems import install
from app.operations.metrics import Metrics

pytestmark = pytest.mark.anyio
LIMIT = 10


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(redirect_slashes=False, middleware=[Middleware(OneSpelling), Middleware(BodyLimit, limit=LIMIT)])
    install(app)

    @app.get("/number/{n}")
    async def number(n: int) -> int:
        return n

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        yield client


async def test_an_announced_body_above_the_limit_is_refused_before_it_is_read(client: httpx.AsyncClient) -> None:
    assert (await client.post("/echo", content=b"x" * LIMIT)).json() == LIMIT
    answer = await client.post("/echo", content=b"x" * (LIMIT + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_both_ways_of_refusing_a_body_are_counted_as_errors() -> None:
    metrics = Metrics()

    app = FastAPI(middleware=[Middleware(Measured, metrics=metrics), Middleware(BodyLimit, limit=LIMIT)])
    install(app)

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * (LIMIT + 1)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert (await client.post("/echo", content=b"x" * (LIMIT + 1))).status_code == 413
        assert (await client.post("/echo", content=chunks())).status_code == 413
    labels = {"error_type": "body_too_large", "service": "timetable"}
    assert metrics.registry.get_sample_value("app_errors_total", labels) == 2


async def test_a_chunked_body_cannot_get_around_the_limit(client: httpx.AsyncClient) -> None:
    async def chunks(number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield b"x" * 5

    assert (await client.post("/echo", content=chunks(2))).json() == LIMIT
    answer = await client.post("/echo", content=chunks(3))
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_lies_about_its_length_is_counted_all_the_same(client: httpx.AsyncClient) -> None:
    answer = await client.post("/echo", content=b"x" * (LIMIT + 1), headers={"content-length": "1"})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/number/5", "/number/5/", "/api/number/5", "/api/number/5/"])
async def test_every_route_has_four_spellings_and_no_redirect(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.json()) == (200, 5)


def test_only_one_prefix_and_one_slash_are_taken_off() -> None:
    assert plain_path("/api/api/x//") == "/api/x/"
    assert plain_path("/apiary") == "/apiary"
    assert plain_path("/api") == plain_path("/api/") == plain_path("/") == "/"
