"""
How long a job will still take, estimated from its budget and from how long jobs before it took. Pure: no clock.

The time limit covers everything from the context to the variants; loading comes before it, the last recount after it.
Those two are learned in seconds per session. How much of its limit a run uses is learned as well, by size: a run that
proves its optimum, or stops for lack of improvement, ends long before. The rest of a run is the mean rest of those
earlier runs of its size that lasted longer than it has so far; a run that uses its whole limit always counts as one of
them, so that without any experience, and for a run that outlasts all others, the answer is what the budget says.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal

Part = Literal["before", "after"]
"""Loading and checking the data; the last recount and storing the result."""

FIRST_GUESS: dict[Part, float] = {"before": 0.0006, "after": 0.0006}
"""Seconds per session, on a machine of 2020 that is busy."""
BASE_SESSIONS = 500
"""Starting a child and talking to it costs as much as this many sessions."""
TYPICAL_SESSIONS = 500
WEIGHT = 0.3
"""Weight of the newest measurement in a running mean."""
REMEMBERED_RUNS = 20
SMOOTH_SECONDS = 4.0
"""The estimate shown follows the estimate made with this time constant, so that it does not jump."""


@dataclass
class RunTimes:
    """What has been measured since the service started. Shared by all jobs."""

    _per_session: dict[Part, float] = field(default_factory=lambda: dict(FIRST_GUESS))
    _shares: dict[int, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=REMEMBERED_RUNS)))

    def learn(self, part: Part, seconds: float, sessions: int | None) -> None:
        """A part of a run outside its limit took `seconds`."""
        newest = seconds / _effort(sessions)
        self._per_session[part] += WEIGHT * (newest - self._per_session[part])

    def learn_run(self, share: float, sessions: int | None) -> None:
        """A run has ended by itself after `share` of its time limit."""
        self._shares[_size_class(sessions)].append(min(1.0, max(0.0, share)))

    def outside(self, part: Part, sessions: int | None) -> float:
        """Seconds that a part outside the limit takes."""
        return self._per_session[part] * _effort(sessions)

    def solving(self, used: float, limit: float, sessions: int | None) -> float:
        """Seconds that a run of which `used` have gone goes on; at most what is left of `limit`, at least 0."""
        gone = used / max(limit, 1e-9)
        longer = [share for share in self._runs_like(sessions) if share > gone]
        whole = max(0.0, 1.0 - gone)
        return limit * (whole + sum(share - gone for share in longer)) / (1 + len(longer))

    def whole(self, limit: float, sessions: int | None) -> float:
        """Seconds of a run that has not begun."""
        return self.outside("before", sessions) + self.solving(0.0, limit, sessions) + self.outside("after", sessions)

    def _runs_like(self, sessions: int | None) -> list[float]:
        """The runs of the same size; where the size is not known yet, all runs."""
        if sessions is None:
            return [share for shares in self._shares.values() for share in shares]
        return list(self._shares.get(_size_class(sessions), ()))


@dataclass
class Estimate:
    """The end of one attempt as it is shown: a smoothed instant of a monotonic clock, None before the first aim."""

    end: float | None = None
    _aimed_at: float = 0.0

    def aim(self, rest: float, now: float, *, at_once: bool = False) -> None:
        """
        There are `rest` seconds left by the best knowledge of `now`.

        `at_once` is for facts: a new attempt, a stop, the last stage. Anything else moves the end step by step.
        """
        target = now + rest
        if self.end is None or at_once:
            self.end = target
        else:
            gone = max(0.0, now - self._aimed_at)
            self.end += (target - self.end) * -math.expm1(-gone / SMOOTH_SECONDS)
        self._aimed_at = now

    def seconds(self, now: float) -> int:
        """Whole seconds to go, at least 1: what has not ended is not over."""
        return max(1, math.ceil(round((self.end or now) - now, 3)))


def _effort(sessions: int | None) -> int:
    return BASE_SESSIONS + (TYPICAL_SESSIONS if sessions is None else sessions)


def _size_class(sessions: int | None) -> int:
    """Sizes that differ by less than a factor of two count as alike."""
    return (TYPICAL_SESSIONS if sessions is None else sessions).bit_length()
