"""
What assistants have found, on its way into a child that solves: the talking thread puts it in, the solving thread takes
it out, and neither ever waits.

Who has found a timetable is told by the timetable itself: one that came of an offer, by going on from it, is the
child's own.
"""

from __future__ import annotations

from collections import deque

from app.domain.messages import OfferFrame
from app.processes.child_log import tell_error
from app.processes.claims import NotVerified
from app.processes.last_recount import timetable_of
from solver.model import Timetable


class Offers:
    """Only the newest that was not taken yet: the supervisor sends what is better than all before, and nothing else."""

    def __init__(self) -> None:
        self._newest: deque[OfferFrame] = deque(maxlen=1)
        self._finders: dict[int, int] = {}

    def put(self, frame: OfferFrame) -> None:
        """Offers a timetable; a former one that nobody has taken is dropped."""
        self._newest.append(frame)

    def take(self) -> Timetable | None:
        """The newest offer, once. One that cannot be read is left out: the work here goes on without it."""
        if not self._newest:
            return None
        frame = self._newest.popleft()
        try:
            timetable = timetable_of(frame.body)
        except NotVerified:
            tell_error("an offered timetable cannot be read, and is left out")
            return None
        self._finders.setdefault(_print_of(timetable), frame.found_by)
        return timetable

    def finder_of(self, timetable: Timetable) -> int:
        """The number of the assistant that has offered exactly this; 0 when nobody has."""
        return self._finders.get(_print_of(timetable), 0) if self._finders else 0


def _print_of(timetable: Timetable) -> int:
    return hash(frozenset(timetable.placements))
