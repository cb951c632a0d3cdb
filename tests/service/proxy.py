"""A network between a service and its database that a test can take away: refused, reset, or swallowing everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream

CHUNK = 65_536


class Proxy:
    """Forwards connections to where `url` leads. `url` of a proxy leads through it."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._lets_through = anyio.Event()
        self._lets_through.set()
        self._refuses = False
        self._streams: set[SocketStream] = set()
        self.url = url

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        port = listener.extra(SocketAttribute.local_port)
        self.url = self._target._replace(netloc=f"{self._target.username}@127.0.0.1:{port}").geturl()
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._forward)
            try:
                yield self
            finally:
                tasks.cancel_scope.cancel()

    async def cut(self) -> None:
        """Whatever is connected is dropped, and nobody connects."""
        self._refuses = True
        for stream in list(self._streams):
            await anyio.aclose_forcefully(stream)

    def swallow(self) -> None:
        """Connections stay, and nothing comes through them any more."""
        self._lets_through = anyio.Event()

    def mend(self) -> None:
        self._refuses = False
        self._lets_through.set()

    async def _forward(self, client: SocketStream) -> None:
        if self._refuses:
            await anyio.aclose_forcefully(client)
            return
        async with client, await anyio.connect_tcp(self._target.hostname or "", self._target.port or 0) as server:
            self._streams |= {client, server}
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pump, client, server, tasks.cancel_scope)
                    tasks.start_soon(self._pump, server, client, tasks.cancel_scope)
            finally:
                self._streams -= {client, server}

    async def _pump(self, source: SocketStream, sink: SocketStream, both: anyio.CancelScope) -> None:
        try:
            while True:
                data = await source.receive(CHUNK)
                await self._lets_through.wait()
                await sink.send(data)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            both.cancel()
