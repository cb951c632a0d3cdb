"""
A TCP proxy between a service and something it depends on, which a test can cut off and bring back.

`cut()` ends all connections and refuses new ones; `stall()` keeps them open and lets nothing through, which is how a
lost network looks; `restore()` lets everything through again. With `tls` it is the end of an encrypted way.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

PIECE = 65_536


class Proxy:
    """Use it as an async context; `url` is the address of the target with the proxy's host and port in it."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._parts = urlsplit(url)
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        login, at, _ = self._parts.netloc.rpartition("@")
        scheme = self._parts.scheme + ("s" if self._tls else "")
        self.url = urlunsplit(self._parts._replace(scheme=scheme, netloc=f"{login}{at}127.0.0.1:{port}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        self._refuses = True
        for task in self._tasks:
            task.cancel()

    def stall(self) -> None:
        self._flows.clear()

    def restore(self) -> None:
        self._refuses = False
        self._flows.set()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._refuses:
                await self._connect(near, back)
        except (asyncio.CancelledError, OSError):
            pass  # cut off, by the test or by one of the two
        finally:
            self._tasks.discard(task)
            back.transport.abort()

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._carry(near, forth))
                ways.create_task(self._carry(far, back))
        except* OSError:
            pass
        finally:
            forth.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(PIECE):
            await self._flows.wait()
            target.write(piece)
            await target.drain()
        if target.can_write_eof():  # an encrypted way has no half-closed state
            with contextlib.suppress(OSError):
                target.write_eof()
        else:
            target.close()
