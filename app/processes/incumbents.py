"""The timetables of one attempt: the best there is, and whether the store has it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

from app.domain.messages import IncumbentFrame
from app.store import StoredIncumbent
from solver.rules import Score

SAVE_EVERY_SECONDS = 1.0


class Incumbents:
    """
    `held` is the best timetable known, from before or from the child, and `unsaved` says that the store does not have
    it yet. `found` is the best that the child has found itself, without what it was offered and what it began with.

    `save` is called for a timetable that is to be kept and says whether it is.
    """

    def __init__(self, save: Callable[[StoredIncumbent], Awaitable[bool]]) -> None:
        self.held: StoredIncumbent | None = None
        self.unsaved = False
        self.found: StoredIncumbent | None = None
        self._began_with: Score | None = None
        self._save = save

    @property
    def score(self) -> Score | None:
        """That of the best timetable known, None while there is none."""
        return None if self.held is None else self.held.score

    def begin_with(self, held: StoredIncumbent | None, *, saved: bool) -> None:
        """The best timetable of the attempts before, and whether the store has it."""
        self.held, self.unsaved = held, held is not None and not saved
        self._began_with = self.score

    def hear(self, frame: IncumbentFrame) -> bool:
        """Takes what the child tells; whether that is better than all that was known."""
        score = Score.of(frame.score)
        told = StoredIncumbent(score=score, timetable=frame.body, rung=frame.rung, found_at=time.time())
        known = self._began_with if self.found is None else self.found.score
        if not frame.found_by and (known is None or score < known):
            self.found = told
        if self.held is not None and score >= self.held.score:
            return False
        self.held, self.unsaved = told, True
        return True

    async def keep(self) -> None:
        """Saves the newest, at most once a second, until it is cancelled."""
        while True:
            await self.save()
            await anyio.sleep(SAVE_EVERY_SECONDS)

    async def save(self) -> None:
        """Until the store has said yes the timetable counts as unsaved, whatever interrupts us."""
        held = self.held
        if self.unsaved and held is not None and await self._save(held):
            self.unsaved = held is not self.held
