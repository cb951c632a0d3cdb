"""How a running attempt is, as text: written by whoever runs it, read by all others that share the store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """
    What the watch over a child and its last words say; fields as in `app.domain.progress.Track`.

    `silent_seconds` have gone since its last beat, `deadline_seconds` are left of its stage, both as of when it was
    told; None where nothing is known.
    """

    attempt: int
    health: str = "ok"
    verdict: str = ""
    place: str | None = None
    stage: str | None = None
    stage_share: float = 0.0
    message: str = ""
    rung: str | None = None
    bound: int | None = None
    placed: int | None = None
    total: int | None = None
    silent_seconds: float | None = None
    deadline_seconds: float | None = None


_KINDS: dict[str, tuple[type, ...]] = {
    "attempt": (int,),
    **dict.fromkeys(("health", "verdict", "message"), (str,)),
    **dict.fromkeys(("place", "stage", "rung"), (str, type(None))),
    **dict.fromkeys(("bound", "placed", "total"), (int, type(None))),
    **dict.fromkeys(("silent_seconds", "deadline_seconds"), (float, int, type(None))),
    "stage_share": (float, int),
}


def text_of(life: Life) -> str:
    return json.dumps(asdict(life), separators=(",", ":"))


def life_of(text: str) -> Life | None:
    """
    What was told; None for what cannot be understood.

    Nobody depends on it, and another version of this program may know more fields, or others.
    """
    try:
        document: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or "attempt" not in document:
        return None
    known = {field.name: document[field.name] for field in fields(Life) if field.name in document}
    if not all(isinstance(value, _KINDS[name]) for name, value in known.items()):
        return None
    return Life(**known)
