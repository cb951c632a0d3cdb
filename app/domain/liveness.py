"""How a running attempt is, as text: written by whoever runs it, read by all others that share the store."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError


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


_LIFE = TypeAdapter(Life)


def text_of(life: Life) -> str:
    """As `life_of` reads it."""
    return _LIFE.dump_json(life).decode()


def life_of(text: str) -> Life | None:
    """
    What was told; None for what cannot be understood.

    Nobody depends on it, and another version of this program may know more fields, or others.
    """
    try:
        return _LIFE.validate_json(text, strict=True)
    except ValidationError:
        return None
