"""
What every channel of the outbox has in common: what it is given, how it says no, where it gets its documents.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Protocol

from app.jobs import Job
from app.platform.breaker import Breaker
from app.results import Results
from app.settings import Settings
from app.store import DeliveryRow

NOT_ARRIVED = "the timetables are made and kept, but the platform's database did not take them"


class NotDelivered(Exception):
    """
    A delivery did not arrive. `final`: trying again will not help. `down`: nobody could have got through just now.

    The text is stored and shown; it never holds an address with a key in it.
    """

    def __init__(self, why: str, *, final: bool = False, down: bool = True) -> None:
        super().__init__(why)
        self.final, self.down = final, down and not final


class Outlet(Protocol):
    """One channel of the outbox."""

    @property
    def breaker(self) -> Breaker: ...

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """
        Tells that `job` has ended. `arrived` False: the channel that brings the timetable was given up.

        Raises NotDelivered. What was told may be told again after a kill, under the same event id.
        """


class Documents:
    """Results in the shapes of `app.shapes`, as bytes of JSON objects."""

    def __init__(self, results: Results) -> None:
        self._results = results

    async def of(self, job: Job, shape: str) -> bytes:
        """Raises NotDelivered when there is no result."""
        made = await self._results.body(job, "shape", shape=shape)
        if made is None:
            raise NotDelivered("there is no result any more", final=True)
        return made


def pause_before(tries: int, settings: Settings) -> float:
    """Seconds before the next try when `tries` have failed: doubled each time, with jitter, bounded."""
    longest = settings.delivery_longest_wait_seconds
    wait = min(longest, settings.delivery_first_wait_seconds * 2.0 ** min(tries - 1, 60))
    return wait * random.uniform(0.5, 1.0)  # nosec B311 - it spreads tries, it keeps no secret


def instant_of(at: float) -> str:
    """A wall time in ISO-8601."""
    return datetime.fromtimestamp(at, UTC).isoformat()
