"""The layer that counts and times requests."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.operations.metrics import INTERNAL_ERROR, Metrics

_EVENT_STREAM = b"text/event-stream"


class Measured:
    """
    The ASGI layer that feeds `Metrics`. An event stream counts as a connection for as long as it lives.

    `unforeseen` is told of each request that was answered with an internal error.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, unforeseen: Callable[[], None] = lambda: None) -> None:
        self._app = app
        self._metrics, self._unforeseen = metrics, unforeseen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status, stream = time.monotonic(), 0, False

        async def watched(message: Message) -> None:
            nonlocal status, stream
            if message["type"] == "http.response.start":
                status = message["status"]
                stream = any(value.startswith(_EVENT_STREAM) for _, value in message.get("headers", ()))
            await send(message)

        with self._metrics.connections.track_inprogress():
            try:
                await self._app(scope, receive, watched)
            finally:
                self._metrics.observe_request(scope, status, time.monotonic() - started, stream=stream)
                if scope.get("error_code") == INTERNAL_ERROR:
                    self._unforeseen()
        return None
