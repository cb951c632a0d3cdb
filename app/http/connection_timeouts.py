"""How long a client may take over what it sends and over what it takes."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol_with_timeout(seconds: float) -> type[H11Protocol]:
    """
    HTTP connections that end when a request header is not complete within `seconds`, or when what was written has not
    gone within that time; uvicorn waits for ever for both.
    """

    class Connection(H11Protocol):
        _header_due: asyncio.TimerHandle | None = None
        _written_due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            transport.set_write_buffer_limits(high=0)  # so that we hear of everything that waits here to be taken
            self._header_due = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._no_header_due()
            elif self._header_due is None:  # a further request has begun, and uvicorn's own timer has ended with that
                self._header_due = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._written_due = self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._nothing_due()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._no_header_due()
            self._nothing_due()
            super().connection_lost(exc)

        def _nothing_due(self) -> None:
            if self._written_due is not None:
                self._written_due.cancel()
                self._written_due = None

        def _no_header_due(self) -> None:
            if self._header_due is not None:
                self._header_due.cancel()
                self._header_due = None

    return Connection
