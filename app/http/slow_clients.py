"""
Answers go out in pieces, and a client that takes them too slowly is left.

A server that is handed a large answer at once keeps all of it for whoever reads a byte a minute. Here a piece is handed
over when the one before has gone, and an answer as a whole has as long as its length at a slow line takes. Event
streams have no length; they have a rule of their own (`app.http.routes.events`).

Many slow clients together could still make the service hold many answers. So there is a bound for all of them: when a
new answer takes the sum above it, the ones that have been on their way for longest are given up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_BYTES = 64 * 1024
SLOWEST_BYTES_PER_SECOND = 32 * 1024
ANSWER_SECONDS = 30.0
"""Every answer has this long, and a second more for each `SLOWEST_BYTES_PER_SECOND` of it."""
MAX_HELD_BYTES = 128 << 20
"""Of all answers together that are on their way. One answer that is larger alone is still sent."""


class SlowClients:
    """The layer around all others. What it does not finish, the server ends with the connection."""

    def __init__(self, app: ASGIApp, seconds: float = ANSWER_SECONDS, most: int = MAX_HELD_BYTES) -> None:
        self._app, self._seconds, self._held = app, seconds, _Held(most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = _Delivery(send, self._seconds, self._held).send if scope["type"] == "http" else send
        await self._app(scope, receive, inner)


class _Held:
    """The pieces of memory that wait for their clients, oldest first."""

    def __init__(self, most: int) -> None:
        self._most, self._sum = most, 0
        self._sizes: dict[anyio.CancelScope, int] = {}

    @contextmanager
    def counted(self, size: int, patience: anyio.CancelScope) -> Iterator[None]:
        """While an answer of this size is sent; it is given up by way of `patience`."""
        self._sizes[patience] = size
        self._sum += size
        excess = self._sum - self._most
        for oldest, freed in self._sizes.items():
            if excess <= 0 or oldest is patience:
                break
            # One that is given up is counted until it has let go, and is not given up twice for others.
            oldest.cancel()
            excess -= freed
        try:
            yield
        finally:
            self._sum -= self._sizes.pop(patience)


class _Delivery:
    """One answer on its way."""

    def __init__(self, send: Send, seconds: float, held: _Held) -> None:
        self._send, self._seconds, self._held = send, seconds, held
        self._due = 0.0
        self._endless = self._left = False

    async def send(self, message: Message) -> None:
        if self._left:
            return None
        if message["type"] == "http.response.start":
            self._due = time.monotonic() + self._seconds
            self._endless = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message["headers"]
            )
        if self._endless or message["type"] != "http.response.body":
            return await self._send(message)
        return await self._in_pieces(message)

    async def _in_pieces(self, message: Message) -> None:
        body, more = memoryview(message.get("body", b"")), message.get("more_body", False)
        self._due += len(body) / SLOWEST_BYTES_PER_SECOND
        with (
            anyio.move_on_after(self._due - time.monotonic()) as patience,
            self._held.counted(len(body), patience),
        ):
            for start in range(0, max(1, len(body)), PIECE_BYTES):
                end = start + PIECE_BYTES
                piece: Message = {**message, "body": bytes(body[start:end]), "more_body": more or end < len(body)}
                await self._send(piece)
        self._left = patience.cancelled_caught
