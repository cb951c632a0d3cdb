"""
Two pure-ASGI layers in front of the routes: a counter of body bytes, and one spelling for every path.

A check of `Content-Length` alone is bypassed by chunked encoding, so the bytes are counted as they arrive.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import BadFraming, BodyTooLarge, refuse

API_PREFIX = "/api"


class BodyLimit:
    """Refuses a body of more than `limit` bytes: before reading when it is announced, else as soon as it shows."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = dict(scope["headers"])
        if b"content-length" in headers and b"transfer-encoding" in headers:
            # Two statements about where the body ends: a proxy in front of us may have believed the other one.
            return await refuse(BadFraming("Give Content-Length or Transfer-Encoding, not both."), scope, receive, send)
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._limit:
            return await refuse(self._error(), scope, receive, send)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise self._error()
            return message

        return await self._app(scope, counted, send)

    def _error(self) -> BodyTooLarge:
        return BodyTooLarge(f"The request body has more than {self._limit} bytes. Maybe send the data in parts.")


class OneSpelling:
    """
    Gives every route four spellings without a redirect: with and without `/api`, with and without a trailing slash.

    The platform uses all of them, and an HTTP client that follows a redirect of a POST may drop its body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = plain_path(scope["path"])
        await self._app(scope, receive, send)


def plain_path(path: str) -> str:
    """The path without `/api` in front and without a slash at the end; the root stays `/`."""
    if path == API_PREFIX or path.startswith(API_PREFIX + "/"):
        path = path.removeprefix(API_PREFIX)
    return path.removesuffix("/") or "/"
