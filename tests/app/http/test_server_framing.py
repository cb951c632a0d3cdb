"""Requests that are no proper HTTP, sent over real sockets to a real server: none is served, and the next one is."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import AsyncIterator

import anyio
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware import Middleware

from app.http.limits import BodyLimit
from app.http.problems import install

pytestmark = pytest.mark.anyio
HEAD = b"POST /echo HTTP/1.1\r\nHost: service\r\n"
SECONDS = 30.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def port(anyio_backend: str) -> AsyncIterator[int]:
    app = FastAPI(middleware=[Middleware(BodyLimit, limit=10)])
    install(app)

    @app.post("/echo")
    async def echo(request: Request) -> str:
        return (await request.body()).decode()

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        while not server.started:
            await anyio.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True


async def answered(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes; one that wants to hear more is left a moment after it."""
    closes = b"Connection: close" in request
    received = b""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            received += await stream.receive()
            with anyio.move_on_after(math.inf if closes else 0.5):
                while True:
                    received += await stream.receive()
    return received


async def test_a_proper_request_is_served(port: int) -> None:
    with anyio.fail_after(SECONDS):
        answer = await answered(port, HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi")
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'"hi"')


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nhi",
        b"Content-Length: 2, 5\r\n\r\nhi",
        b"Content-Length: -2\r\n\r\nhi",
        b"Content-Length: +2\r\n\r\nhi",
        b"Content-Length: two\r\n\r\nhi",
        b"Content-Length: 0x2\r\n\r\nhi",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\nhi",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhi\r\n0\r\n\r\n",
        b"Content-Length : 2\r\n\r\nhi",
        b"X-A: a\r\n b\x00c\r\n\r\n",
        b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
        b"".join(b"X-%d: a\r\n" % i for i in range(20_000)) + b"\r\n",
    ],
)
async def test_a_request_framed_in_a_doubtful_way_is_refused(port: int, framing: bytes) -> None:
    with anyio.fail_after(SECONDS):
        answer = await answered(port, HEAD + framing)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert answer.count(b"HTTP/1.1") <= 1, "nothing behind it is taken for a second request"


async def test_a_path_without_end_is_refused(port: int) -> None:
    with anyio.fail_after(SECONDS):
        answer = await answered(port, b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: service\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
