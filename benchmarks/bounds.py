"""How good the lower bounds are: the bound alone for a while on each instance, beside what others proved."""

from __future__ import annotations

import time

from benchmarks.report import known_values
from benchmarks.suites import instances, load, short_name
from solver.compiled import compile_dataset
from solver.control import Control
from solver.cpsat import lower_bound


def measure_bounds(suite: str, seconds: float, only: frozenset[str]) -> int:
    """Prints a line per instance; returns 1 when a bound is above a published cost, which would prove it wrong."""
    known, wrong = known_values(), 0
    print("| instance | our bound | first reached by | processor seconds | published bound | best known cost |")
    print("|---|--:|---|--:|--:|--:|", flush=True)
    for instance in instances(suite):
        name = short_name(instance)
        if only and name not in only:
            continue
        dataset = load(instance)
        began, published = time.process_time(), known.get(name, {})
        best = published.get("best_known")
        enough = None if best is None else best + 1  # not the best itself: a bound that is too high has to be seen
        steps: dict[int, str] = {}
        bound = lower_bound(
            dataset,
            compile_dataset(dataset),
            control=Control(),
            seconds=seconds,
            enough=enough,
            on_bound=lambda method, value, steps=steps: steps.setdefault(value, method),  # type: ignore[misc]
        )
        used, method = time.process_time() - began, "" if bound is None else steps[bound]
        cells = (name, bound, method, f"{used:.1f}", published.get("lower_bound", ""), "" if best is None else best)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        wrong += bound is not None and best is not None and bound > best
    return 1 if wrong else 0
