"""How often one client may ask: a token bucket per client."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_BUCKETS = 10_000
"""Clients remembered; of more, those that were away longest start again with a full bucket."""
MINUTE = 60.0
Clock = Callable[[], float]


class Buckets:
    """
    A bucket per client that holds `per_minute` tokens and fills up again within a minute; 0 means no limit.

    Not thread-safe: it lives on the event loop.
    """

    def __init__(self, per_minute: int, clock: Clock = time.monotonic) -> None:
        self._size, self._clock = float(per_minute), clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Takes a token; 0 when there was one, else the seconds until there is."""
        if not self._size:
            return 0.0
        now = self._clock()
        level, at = self._levels.pop(client, (self._size, now))
        level = min(self._size, level + (now - at) * self._size / MINUTE)
        wait = 0.0 if level >= 1 else (1 - level) * MINUTE / self._size
        self._levels[client] = (level if wait else level - 1, now)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return wait
