"""
A pure-ASGI layer that unpacks request bodies sent with `Content-Encoding: gzip`.

A dataset of a university is megabytes of JSON that shrink to a tenth, and HTTP clients pack with one option; so gzip is
taken. A packed body has the limits of a plain one: as many bytes may come out as may come in (`max_body_mb`), and it is
unpacked in small pieces while it arrives, so that a bomb costs no more than a plain body of that size. The number of
its members is bounded as well: empty ones are work that no bound on what comes out would end. Any other encoding is
refused with a sentence that names this one.
"""

from __future__ import annotations

import zlib
from collections import deque

import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import BodyTooLarge, NotUnpacked, UnknownEncoding, refuse

PIECE_BYTES = 1 << 18
"""GzipBodies at a time, a fraction of a millisecond of work; others have their turn in between."""
MOST_MEMBERS = 1_000
"""Files put one behind the other; each costs as much as a piece, however little is in it."""
GZIP = (b"gzip", b"x-gzip")
_WINDOW = 31
"""For zlib: a gzip header, whatever window it names."""
_OF_THE_PACKED = (b"content-encoding", b"content-length")


class GzipBodies:
    """What comes behind it sees a plain body; `limit` are its bytes at most."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = [value.strip().lower() for name, value in scope.get("headers", ()) if name == b"content-encoding"]
        named = [encoding for encoding in named if encoding not in (b"", b"identity")]
        if scope["type"] != "http" or not named:
            return await self._app(scope, receive, send)
        if len(named) > 1 or named[0] not in GZIP:
            return await refuse(UnknownEncoding(b", ".join(named).decode("latin-1")), scope, receive, send)
        headers = [pair for pair in scope["headers"] if pair[0] not in _OF_THE_PACKED]
        return await self._app({**scope, "headers": headers}, _Unpacking(receive, self._limit), send)


class _Unpacking:
    """`receive` for a packed body."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit = receive, limit
        self._pieces: deque[bytes] = deque()
        self._inflate = zlib.decompressobj(_WINDOW)
        self._begun = self._complete = False
        self._seen, self._members = 0, 1

    async def __call__(self) -> Message:
        while not self._pieces and not self._complete:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._complete = not message.get("more_body", False)
            if message.get("body"):
                self._pieces.append(message["body"])
        await anyio.lowlevel.checkpoint()
        plain = self._unpacked()
        more = bool(self._pieces) or not self._complete
        if not more and self._begun and not self._inflate.eof:
            raise NotUnpacked("The body is not whole: its gzip data ends too early.")
        return {"type": "http.request", "body": plain, "more_body": more}

    def _unpacked(self) -> bytes:
        """The next piece. What was not used up comes first in the next call. Raises BodyTooLarge, NotUnpacked."""
        if not self._pieces:
            return b""
        packed = self._pieces.popleft()
        if self._inflate.eof:  # another member follows, as when files were put one behind the other
            self._inflate, self._members = zlib.decompressobj(_WINDOW), self._members + 1
            if self._members > MOST_MEMBERS:
                raise NotUnpacked(f"The body has more than {MOST_MEMBERS} gzip members; pack it in one.")
        self._begun = True
        try:
            plain = self._inflate.decompress(packed, PIECE_BYTES)
        except zlib.error as error:
            raise NotUnpacked("The body is not what Content-Encoding says: it is no gzip data.") from error
        rest = self._inflate.unconsumed_tail or self._inflate.unused_data
        if rest:
            self._pieces.appendleft(rest)
        elif len(plain) == PIECE_BYTES and not self._inflate.eof:
            self._pieces.appendleft(b"")  # it may hold more of what it has read already
        self._seen += len(plain)
        if self._seen > self._limit:
            raise BodyTooLarge(f"The request body has more than {self._limit} bytes when it is unpacked.")
        return plain
