"""Sending to another process without blocking the event loop."""

from __future__ import annotations

import socket

import anyio


async def send_all(channel: socket.socket, data: bytes) -> None:
    """Sends everything on a socket that does not block. Raises OSError when nobody is at the other end any more."""
    rest = memoryview(data)
    while rest:
        await anyio.wait_writable(channel)
        try:
            rest = rest[channel.send(rest) :]
        except BlockingIOError:
            continue
