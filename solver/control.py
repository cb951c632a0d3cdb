"""
The only clock of the solver, and the only way in for a stop.

A `Control` travels through every stage. It owns four integers (`words`) that may lie in shared memory, so that a
supervising process can watch the beat, read where the solver is and write the stop word while native code runs; the
kernels read and write them directly. Progress and incumbents leave through callbacks, which are called from the solving
thread and must be quick; what others have found comes in through one as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from solver.model import Timetable
from solver.rules import Score

Stage = Literal["load", "validate", "context", "construct", "search", "exact", "variants", "verify", "store"]
STAGES: tuple[Stage, ...] = Stage.__args__  # type: ignore[attr-defined]

STOP_WORD, BEAT_WORD, REASON_WORD, PLACE_WORD, NUM_WORDS = 0, 1, 2, 3, 4
"""The shared words. `REASON_WORD` says why a stop was asked for: 0, or a value that the two processes agree on."""


class Stop(IntEnum):
    """Value of the stop word: why somebody outside wants the solver to end now."""

    NO = 0
    CANCEL = 1
    FINISH = 2


class Place(IntEnum):
    """Value of the place word: the part of the solver that the solving thread is in. Finer than a stage."""

    OTHER = 0
    LOAD = 1
    VALIDATE = 2
    CONTEXT_ENGINE = 3
    COMPILE = 4
    CONSTRUCT = 5
    DIAGNOSE = 6
    LOCAL_SEARCH = 7
    MODEL_BUILD = 8
    CPSAT_PRESOLVE = 9
    CPSAT_SEARCH = 10
    VERIFY = 11
    STORE = 12

    @property
    def label(self) -> str:
        """The name in records and metrics."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    What a watcher sees. `share` is the part of the stage that is done, in [0, 1].

    `bound` is a proved lower bound of the soft cost, None while unknown; `score` is that of the best timetable so far.
    """

    stage: Stage
    share: float
    message: str = ""
    rung: str | None = None
    score: Score | None = None
    bound: int | None = None
    placed: int | None = None
    total: int | None = None


def _new_words() -> NDArray[np.int64]:
    return np.zeros(NUM_WORDS, dtype=np.int64)


@dataclass(kw_only=True)
class Control:
    """
    Deadline, stop word, beat and callbacks of one solve.

    Attributes
    ----------
    deadline
        `time.monotonic()` instant by which `solve` should have returned; `math.inf` for none.
    words
        ``(4,) int64``: stop word, beat counter, reason, place. May be a view of shared memory.
    offered
        The next timetable that somebody else has found who works on the same problem; None when there is none. Asked by
        the solving thread whenever it has a moment.
    """

    deadline: float = float("inf")
    words: NDArray[np.int64] = field(default_factory=_new_words)
    on_progress: Callable[[Progress], None] = lambda progress: None
    on_incumbent: Callable[[Timetable, Score], None] = lambda timetable, score: None
    on_beat: Callable[[], None] = lambda: None
    offered: Callable[[], Timetable | None] = lambda: None
    started: float = field(default_factory=time.monotonic)

    @property
    def stop(self) -> Stop:
        return Stop(int(self.words[STOP_WORD]))

    def request_stop(self, stop: Stop) -> None:
        """Asks the solver to end; a cancel is never weakened to a finish."""
        if self.stop is not Stop.CANCEL:
            self.words[STOP_WORD] = stop

    def beat(self) -> None:
        """Says "alive" to whoever watches `words`; long loops call this a few times a second or more."""
        self.words[BEAT_WORD] += 1
        self.on_beat()

    @property
    def place(self) -> Place:
        return Place(int(self.words[PLACE_WORD]))

    @place.setter
    def place(self, place: Place) -> None:
        """Coming to another place is a sign of life as well."""
        self.words[PLACE_WORD] = place
        self.words[BEAT_WORD] += 1

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """Says that the body is the work of `place`; afterwards the place before holds again."""
        before = self.place
        self.place = place
        try:
            yield
        finally:
            self.place = before

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def should_stop(self) -> bool:
        """Whether a stop was asked for or the time is up."""
        return self.stop is not Stop.NO or self.remaining <= 0

    def until(self, seconds: float, on_beat: Callable[[], None] | None = None) -> Control:
        """
        The same control with a deadline at most `seconds` from now: a budget for one part of the work.

        `on_beat`, where given, is called at each beat of that part; this is how a time-boxed stage reports its share.
        """
        return replace(self, deadline=min(self.deadline, time.monotonic() + seconds), on_beat=on_beat or self.on_beat)

    def report(self, progress: Progress) -> None:
        self.words[BEAT_WORD] += 1
        self.on_progress(progress)
