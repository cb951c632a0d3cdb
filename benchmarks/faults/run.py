"""What a recipe is given, and what it gives back."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.ledger import Ledger
from benchmarks.faults.target import Target


class NotAvailable(Exception):
    """What the recipe needs of the service is not there; the row fails with the reason."""


class Impossible(Exception):
    """This machine does not let us do it, whatever the service is like; the row is left out with the reason."""


@dataclass
class Tally:
    """
    What came of a recipe: how often it was done, what was lost or wrong, and measured values by name.

    `breaches` are the sentences of the ledgers and of the recipe itself, `undone` says what could not be done or came
    to no end, so that nothing is known of it; one of either fails the row.
    """

    done: int = 0
    breaches: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def measured(self, name: str, value: float) -> None:
        self.figures.setdefault(name, []).append(value)

    def check(self, holds: bool, sentence: str) -> None:
        """Notes `sentence` as a breach unless `holds`."""
        if not holds:
            self.breaches.append(sentence)


@dataclass
class Run:
    """
    One run of one recipe. `count` repetitions are wanted; after `seconds` no further one is begun.

    Every random choice comes from `rng`, and those that two tasks share are drawn before the tasks start, so that a
    seed means the same choices again.
    """

    rng: random.Random
    count: int
    seconds: float
    folder: Path
    tally: Tally = field(default_factory=Tally)
    began: float = field(default_factory=time.monotonic)
    _targets: int = 0

    @property
    def time_left(self) -> float:
        return self.began + self.seconds - time.monotonic()

    def rounds(self) -> Iterator[int]:
        """Counts the repetitions that are begun; the recipe adds to `tally.done` when one is done."""
        for n in range(self.count):
            if self.time_left <= 0:
                return
            yield n

    @asynccontextmanager
    async def target(
        self, *, settle: bool = True, group: Path | None = None, **settings: object
    ) -> AsyncIterator[Target]:
        """
        A running service with a ledger of its own; at the end, when nothing was raised, the two are compared.

        All of its processes are in the control group `group`, if there is one.
        """
        self._targets += 1
        folder = self.folder / f"service-{self._targets}"
        ledger = Ledger()
        try:
            async with Target(folder, ledger, group=group, **settings) as target:
                yield target
                if settle:
                    await target.settle()
        finally:
            self.tally.breaches += ledger.breaches
