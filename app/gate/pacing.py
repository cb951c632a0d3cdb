"""
Answers go out in pieces, and a client that takes them too slowly is left.

A server that is handed a large answer at once keeps all of it for whoever reads a byte a minute. Here a piece is handed
over when the one before has gone, and an answer as a whole has as long as its length at a slow line takes. Event
streams have no length; they have a rule of their own (`app.api.events`).
"""

from __future__ import annotations

import time

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE_BYTES = 64 * 1024
SLOWEST_BYTES_PER_SECOND = 32 * 1024
ANSWER_SECONDS = 30.0
"""Every answer has this long, and a second more for each `SLOWEST_BYTES_PER_SECOND` of it."""


class Paced:
    """The layer around all others. What it does not finish, the server ends with the connection."""

    def __init__(self, app: ASGIApp, seconds: float = ANSWER_SECONDS) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = _Delivery(send, self._seconds).send if scope["type"] == "http" else send
        await self._app(scope, receive, inner)


class _Delivery:
    """One answer on its way."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send, self._seconds = send, seconds
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
        for start in range(0, max(1, len(body)), PIECE_BYTES):
            end = start + PIECE_BYTES
            piece: Message = {**message, "body": bytes(body[start:end]), "more_body": more or end < len(body)}
            with anyio.move_on_after(self._due - time.monotonic()) as patience:
                await self._send(piece)
            if patience.cancelled_caught:
                self._left = True
                return
