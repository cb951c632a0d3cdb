"""Packed request bodies: taken as gzip, with the limits of plain ones; anything else is refused in a sentence."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from app.http import problems
from app.http.gzip_bodies import MOST_MEMBERS, PIECE_BYTES, GzipBodies
from app.http.limits import BodyLimit

pytestmark = pytest.mark.anyio
LIMIT = 2_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(GzipBodies, limit=LIMIT)
    app.add_middleware(BodyLimit, limit=LIMIT)

    @app.post("/")
    async def told(request: Request) -> dict[str, Any]:
        body = await request.body()
        return {"bytes": len(body), "sum": zlib.crc32(body), "encoding": request.headers.get("content-encoding")}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as client:
        yield client


async def posted(client: httpx.AsyncClient, body: bytes, encoding: str = "gzip", piece: int = 0) -> httpx.Response:
    async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    content = pieces(body[i : i + piece] for i in range(0, len(body), piece)) if piece else body
    return await client.post("/", content=content, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize("piece", [0, 1, 777])
@pytest.mark.parametrize("size", [0, 5, PIECE_BYTES, PIECE_BYTES + 1, LIMIT])
async def test_a_packed_body_arrives_as_it_was(client: httpx.AsyncClient, piece: int, size: int) -> None:
    plain = (b"timetable " * (size // 10 + 1))[:size]
    answer = await posted(client, gzip.compress(plain), piece=piece)
    assert answer.json() == {"bytes": size, "sum": zlib.crc32(plain), "encoding": None}


async def test_several_members_and_no_encoding_at_all_are_one_body(client: httpx.AsyncClient) -> None:
    assert (await posted(client, gzip.compress(b"ab") + gzip.compress(b"cd"))).json()["sum"] == zlib.crc32(b"abcd")
    assert (await posted(client, b"abcd", "identity")).json()["sum"] == zlib.crc32(b"abcd")


async def test_members_without_end_are_refused_however_little_is_in_them(client: httpx.AsyncClient) -> None:
    few = await posted(client, gzip.compress(b"") * (MOST_MEMBERS - 1) + gzip.compress(b"ab"))
    assert few.json()["sum"] == zlib.crc32(b"ab")
    many = await posted(client, gzip.compress(b"") * (MOST_MEMBERS + 1))
    assert (many.status_code, many.json()["code"]) == (400, "bad_gzip")
    assert "members" in many.json()["detail"]


async def test_a_bomb_is_refused_before_it_takes_room(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(bytes(500_000_000), 1)
    assert len(bomb) < LIMIT * 2
    bomb = bomb[: LIMIT - 1]
    tracemalloc.start()
    try:
        answer = await posted(client, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "when it is unpacked" in answer.json()["detail"]
    assert peak < 5 * LIMIT


@pytest.mark.parametrize("piece", [0, 3])
async def test_what_is_no_gzip_or_not_all_of_it_is_told(client: httpx.AsyncClient, piece: int) -> None:
    for body in (b'{"dataset_name": "tiny"}', gzip.compress(b"x" * 1000)[:-9], b"\x1f\x8b"):
        answer = await posted(client, body, piece=piece)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_gzip")


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x\tx"])
async def test_another_encoding_is_refused_by_name_with_the_one_that_is_taken(
    client: httpx.AsyncClient, encoding: str
) -> None:
    answer = await posted(client, json.dumps({}).encode(), encoding)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")
    assert "Content-Encoding: gzip" in answer.json()["detail"]
