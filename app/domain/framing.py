"""
The frame in which our processes talk: two 4-byte lengths (big endian), a JSON header, a body of bytes. Never pickle.

Who says what in them stands elsewhere (`app.domain.messages`, `app.processes.questions`).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

LENGTHS = struct.Struct(">II")


class FrameError(Exception):
    """These bytes are no frame of ours."""


class FrameLimits(NamedTuple):
    """The most bytes that a header and a body may have."""

    header: int
    body: int

    def check(self, header: int, body: int) -> None:
        """Raises FrameError for a frame of such lengths, which nobody would take; an empty header is none either."""
        if not 0 < header <= self.header or body > self.body:
            raise FrameError(f"a frame of {header} + {body} bytes is outside the limits")


def framed(header: bytes, body: bytes) -> bytes:
    """Both as one frame."""
    return LENGTHS.pack(len(header), len(body)) + header + body
