"""
How often one client may ask: a token bucket per client and kind of request, and a cap on open event streams.

A client is its API key, or its address where no keys are in use. Health, progress, cancel and finish are never counted
(`app.http.access`), so that whoever has used up a share can still follow and stop a job. The defaults are far above
what the platform and its pollers do; they stop a loop that has run away, not a busy day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.token_bucket import Buckets
from app.http.access import Rate, access_of
from app.http.problems import RateLimited, TooManyStreams, refuse
from app.settings import Settings


class StreamLimit:
    """Counts open event streams, in all and per client."""

    def __init__(self, most: int, most_per_client: int) -> None:
        self._most, self._most_per_client = most, most_per_client
        self._open: dict[str, int] = {}

    def enter(self, client: str) -> None:
        """Raises RateLimited, TooManyStreams."""
        mine = self._open.get(client, 0)
        if mine >= self._most_per_client:
            raise RateLimited(f"You have {mine} event streams open, which is the limit; close one or poll instead.", 5)
        if sum(self._open.values()) >= self._most:
            raise TooManyStreams("As many event streams are open as the service serves; poll the progress instead.")
        self._open[client] = mine + 1

    def leave(self, client: str) -> None:
        """One stream of the client has ended."""
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class RateLimit:
    """The layer: refuses with 429 and Retry-After before a body is read."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._streams = StreamLimit(settings.max_streams, settings.max_streams_per_client)
        self._buckets: Mapping[Rate, Buckets] = {
            Rate.SUBMIT: Buckets(settings.submits_per_minute),
            Rate.CHECK: Buckets(settings.checks_per_minute),
            Rate.READ: Buckets(settings.reads_per_minute),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        rate, client = access_of(scope["method"], scope["path"]).rate, client_of(scope)
        if rate is Rate.STREAM:
            return await self._stream(client, scope, receive, send)
        wait = self._buckets[rate].wait(client) if rate in self._buckets else 0.0
        if wait:
            seconds = math.ceil(wait)
            told = f"Too many requests of this kind ({rate}); the next one is welcome in {seconds} s."
            return await refuse(RateLimited(told, seconds), scope, receive, send)
        return await self._app(scope, receive, send)

    async def _stream(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._streams.enter(client)
        except (RateLimited, TooManyStreams) as error:
            return await refuse(error, scope, receive, send)
        try:
            return await self._app(scope, receive, send)
        finally:
            self._streams.leave(client)


def client_of(scope: Scope) -> str:
    """The id of the key that the request came with, else the address it came from."""
    key_id: str | None = scope.get("key_id")
    return f"key {key_id}" if key_id else f"address {(scope.get('client') or ('unknown',))[0]}"
