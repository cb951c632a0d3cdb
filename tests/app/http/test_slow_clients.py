"""Slow readers over real sockets and a real server: the answer is given up, and the connection with all it held."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.http.connection_timeouts import protocol_with_timeout
from app.http.head import HeadAsGet
from app.http.slow_clients import PIECE_BYTES, SlowClients
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.anyio
PATIENCE_SECONDS = 0.5
LARGE = 32 << 20
"""More than the kernel keeps for a client that reads nothing."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[uvicorn.Server]:
    async def large(request: Request) -> Response:
        return Response(bytes(LARGE), media_type="application/json")

    app = Starlette(routes=[Route("/large", large)])
    config = uvicorn.Config(app, log_level="critical", lifespan="off", http=protocol_with_timeout(PATIENCE_SECONDS))
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        while not server.started:
            await anyio.sleep(0.01)
        yield server
        server.should_exit = True


async def test_a_client_that_takes_nothing_is_left(server: uvicorn.Server) -> None:
    port = server.servers[0].sockets[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: service\r\n\r\n")
        while not server.server_state.connections:
            await anyio.sleep(0.01)
        with anyio.fail_after(20 * PATIENCE_SECONDS):
            while server.server_state.connections:
                await anyio.sleep(0.05)


class Line:
    """The sending side of a server whose client takes `pieces`, and then nothing more."""

    def __init__(self, pieces: float) -> None:
        self.pieces, self.taken, self.finished = pieces, 0, False

    async def send(self, message: dict[str, object]) -> None:
        if self.pieces <= 0:
            await anyio.sleep_forever()
        if message["type"] == "http.response.body":
            body = message["body"]
            assert isinstance(body, bytes) and len(body) <= PIECE_BYTES
            self.pieces -= 1
            self.taken += len(body)
            self.finished = not message.get("more_body", False)


async def answered(answer: Response, line: Line, seconds: float) -> None:
    async def receive() -> dict[str, object]:
        await anyio.sleep_forever()
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.4"}}
    await SlowClients(answer, seconds)(scope, receive, line.send)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 1])
async def test_a_large_answer_goes_out_whole_in_small_pieces(length: int) -> None:
    line = Line(float("inf"))
    await answered(Response(bytes(length)), line, 10.0)
    assert (line.taken, line.finished) == (length, True)


async def test_an_answer_that_is_not_taken_in_its_time_is_given_up() -> None:
    line = Line(2)
    with anyio.fail_after(30):
        await answered(Response(bytes(2 * PIECE_BYTES + 1)), line, 0.1)
    assert not line.finished and line.taken == 2 * PIECE_BYTES


async def test_all_answers_together_are_bounded_and_the_oldest_is_given_up_first() -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(bytes(2 * PIECE_BYTES))(scope, receive, send)
        gone.append(scope["path"])

    async def receive() -> Message:
        return await anyio.sleep_forever()  # type: ignore[return-value]

    gone: list[str] = []
    paced = SlowClients(large, 60.0, most=5 * PIECE_BYTES)
    async with anyio.create_task_group() as clients:
        for name in ("first", "second", "third"):
            scope = {"type": "http", "path": name}
            clients.start_soon(paced, scope, receive, Line(1).send)
            await anyio.wait_all_tasks_blocked()
        assert gone == ["first"]
        clients.start_soon(paced, {"type": "http", "path": "fourth"}, receive, Line(1).send)
        await anyio.wait_all_tasks_blocked()
        assert gone == ["first", "second"]
        quick = Line(float("inf"))
        await paced({"type": "http", "path": "quick"}, receive, quick.send)
        await anyio.wait_all_tasks_blocked()
        assert quick.finished and set(gone) == {"first", "second", "third", "quick"}
        clients.cancel_scope.cancel()


def test_the_service_paces_its_answers(tmp_path: Path) -> None:
    layers = [layer.cls for layer in create_app(Settings(data_dir=tmp_path)).user_middleware]
    assert layers[:2] == [HeadAsGet, SlowClients], "whatever is sent goes through it"


async def test_an_event_stream_has_a_rule_of_its_own() -> None:
    async def events() -> AsyncIterator[bytes]:
        for _ in range(3):
            await anyio.sleep(0.05)
            yield b": ping\n\n"

    line = Line(float("inf"))
    await answered(StreamingResponse(events(), media_type="text/event-stream"), line, 0.0)
    assert line.finished and line.taken == 3 * len(b": ping\n\n")
