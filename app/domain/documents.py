"""JSON documents as bytes, the way all of them leave the service."""

from __future__ import annotations

import json
from collections.abc import Mapping


def joined(*parts: Mapping[str, object] | bytes) -> bytes:
    """One JSON object of the members of several; bytes are an object that was encoded elsewhere."""
    texts = (part if isinstance(part, bytes) else encoded(part) for part in parts)
    pieces: list[bytes | memoryview] = []
    for text in texts:
        if len(text) > len(b"{}"):
            pieces += (b"," if pieces else b"{", memoryview(text)[1:-1])  # copied once: they may be large
    return b"".join((*pieces, b"}")) if pieces else b"{}"


def encoded(content: object) -> bytes:
    """Compact JSON in UTF-8. Raises ValueError for NaN and infinities."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
