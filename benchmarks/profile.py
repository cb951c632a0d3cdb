"""
Where the time of a solve goes: seconds at each `Place` of the solver, one line per place, one column per instance.

The solver names its place for whoever supervises it; here the clock is read whenever that name changes, so nothing is
sampled and nothing is slowed down. `compare` says whether a change was worth it, this says where to look for one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.suites import instances, load, short_name
from solver import Control, SolveParams, solve
from solver.control import PLACE_WORD, Place
from solver.search import warm_up


@dataclass(kw_only=True)
class Stopwatch(Control):
    """A control that adds up the seconds at each place; the parts that `until` makes share the sums."""

    spent: Counter[Place] = field(default_factory=Counter)
    changed_at: list[float] = field(default_factory=lambda: [time.perf_counter()])
    """One number in a list, so that it is shared as well."""

    @property
    def place(self) -> Place:
        return Place(int(self.words[PLACE_WORD]))

    @place.setter
    def place(self, place: Place) -> None:
        self.settle()
        self.words[PLACE_WORD] = place

    def settle(self) -> None:
        """Books the time since the last change on the place that holds now."""
        now = time.perf_counter()
        self.spent[self.place] += now - self.changed_at[0]  # type: ignore[assignment]
        self.changed_at[0] = now


def print_profile(suite: str, seconds: float, workers: int, variants: int, only: frozenset[str]) -> int:
    """Prints seconds and shares of one solve per instance, reading the file included."""
    warm_up()
    chosen = [name for name in instances(suite) if not only or short_name(name) in only]
    spent = {short_name(name): profiled(name, seconds, workers, variants) for name in chosen}
    print(f"| place | {' | '.join(spent)} |\n|---{'|--:' * len(spent)}|")
    for place in Place:
        print(f"| {place.label} | {' | '.join(_cell(one, place) for one in spent.values())} |")
    print(f"| **all** | {' | '.join(f'{sum(one.values()):.2f} s' for one in spent.values())} |")
    return 0


def profiled(instance: str, seconds: float, workers: int, variants: int) -> Mapping[Place, float]:
    """Seconds at each place while one instance is read and solved."""
    watch = Stopwatch()
    with watch.at(Place.LOAD):
        dataset = load(instance)
    params = SolveParams(time_limit_seconds=seconds, workers=workers, seed=1, num_variants=variants)
    solve(dataset, params, watch)
    watch.settle()
    return watch.spent


def _cell(spent: Mapping[Place, float], place: Place) -> str:
    share = spent.get(place, 0.0) / sum(spent.values())
    return f"{spent[place]:.2f} s, {100 * share:.1f} %" if place in spent else "-"
