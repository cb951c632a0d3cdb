"""
What every channel of the outbox has in common: what it is given, how it says no, where it gets its documents.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Protocol

from app.domain.jobs import Job, Status
from app.platform.breaker import Breaker
from app.service.result_cache import ResultCache
from app.settings import Settings
from app.store import DeliveryRow

CANCELLED_BY_USER = "Cancelled by user"
POSTING_SECONDS = 120.0
NOT_ARRIVED = "the timetables are made and kept, but the platform's database did not take them"


class NotDelivered(Exception):
    """
    A delivery did not arrive. `final`: trying again will not help. `down`: nobody could have got through just now.

    `gone`: the platform has deleted its job, so there is nobody to tell. The text is stored and shown; it never holds
    an address with a key in it.
    """

    def __init__(self, why: str, *, final: bool = False, down: bool = True, gone: bool = False) -> None:
        super().__init__(why)
        self.final, self.down, self.gone = final or gone, down and not (final or gone), gone


def error_of(row: DeliveryRow, job: Job) -> str | None:
    """Why there is no timetable, or what the one that there is lacks, as the platform's pages show it."""
    if row.status is Status.COMPLETED:
        return job.open_note or None
    return CANCELLED_BY_USER if row.status is Status.CANCELLED else job.error


def is_late(job: Job, at: float) -> bool:
    """Whether the platform's own transaction, in which it posts a job, is over by the wall time `at` in any case."""
    return at - job.created_at > POSTING_SECONDS


class Outlet(Protocol):
    """One channel of the outbox."""

    @property
    def breaker(self) -> Breaker:
        """What knows whether the other side answers."""

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """
        Tells that `job` has ended. `arrived` False: the channel that brings the timetable was given up.

        Raises NotDelivered. What was told may be told again after a kill, under the same event id.
        """


class Documents:
    """ResultCache in the shapes of `app.views.shapes`, as bytes of JSON objects."""

    def __init__(self, results: ResultCache) -> None:
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
