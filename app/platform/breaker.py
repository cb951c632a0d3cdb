"""
A circuit breaker: whoever did not answer is left alone for a while, so that nobody waits for time-outs in vain.

After `FAILURES` in a row it is open: nothing is tried until the pause is over, then one try at a time. The pause
doubles up to `LONGEST_PAUSE_SECONDS`; the first success closes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

FAILURES = 2
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0

_log = logging.getLogger("timetable.platform")


class Breaker:
    """
    Of one dependency, called `name` in log and metrics. `changed` hears when it opens (False) and closes (True).

    `error` says what went wrong last; empty while all is well.
    """

    def __init__(self, name: str, changed: Callable[[str, bool], None] = lambda name, up: None) -> None:
        self.name, self.error = name, ""
        self._changed = changed
        self._failures, self._pause, self._until = 0, FIRST_PAUSE_SECONDS, 0.0
        self._up = True
        self._asked = self._reached = False

    @property
    def up(self) -> bool:
        """Whether the last tries worked; True before the first."""
        return self._up

    @property
    def known_up(self) -> bool | None:
        """The same for people: None before the first try, and never True of what was not reached once."""
        return self._up and self._reached if self._asked else None

    @property
    def seconds_closed(self) -> float:
        """Seconds until something may be tried; 0 = now."""
        return 0.0 if self._up else max(0.0, self._until - time.monotonic())

    def succeeded(self) -> None:
        """It has answered: calls go through, and the next pause is the shortest again."""
        self._asked = self._reached = True
        self._failures, self._pause, self.error = 0, FIRST_PAUSE_SECONDS, ""
        if not self._up:
            self._up = True
            _log.info("the %s answers again", self.name)
            self._changed(self.name, True)

    def failed(self, why: str) -> None:
        """It has not answered, and why; after `FAILURES` in a row it is left alone for a pause that doubles."""
        self._asked = True
        self._failures += 1
        self.error = why
        if self._failures < FAILURES:
            return
        self._until = time.monotonic() + self._pause
        self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
        if self._up:
            self._up = False
            _log.warning("the %s does not answer: %s", self.name, why)
            self._changed(self.name, False)
