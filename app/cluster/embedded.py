"""The queue of a service that solves itself, as health and routes see a queue."""

from __future__ import annotations

from typing import Any, NamedTuple


class Embedded(NamedTuple):
    """Nobody is in between."""

    slots: int
    notes: tuple[str, ...] = ()

    def view(self) -> dict[str, Any]:
        """This service solves its jobs itself, so many at once."""
        return {"kind": "embedded", "slots": self.slots}
