"""How soon a service that has warmed up shows a first timetable, and a first complete one, after the POST."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from benchmarks.faults.ledger import TERMINAL, Ledger
from benchmarks.faults.target import Target

LOOK_SECONDS = 0.01
LIMIT_SECONDS = 10.0
WARM_SECONDS = 600.0
"""The first job of an installation waits until the kernels are compiled."""

Reached = Callable[[Mapping[str, Any]], bool]
MILESTONES: Mapping[str, Reached] = {
    "first timetable": lambda told: bool(told["placed"]),
    "every session placed": lambda told: bool(told["placed"]) and told["placed"] == told["total"],
}


def measure_first(source: str, times: int) -> int:
    """Prints median and worst of `times` jobs on a sample, one at a time; returns 1 when a milestone was missed."""
    reached = anyio.run(_measured, source, times)
    print(f"| {source}: seconds after the POST | reached | median | worst |\n|---|--:|--:|--:|")
    for name, seconds in reached.items():
        figures = f"{median(seconds):.2f} | {max(seconds):.2f}" if seconds else "- | -"
        print(f"| {name} | {len(seconds)} of {times} | {figures} |")
    return 0 if all(len(seconds) == times for seconds in reached.values()) else 1


async def _measured(source: str, times: int) -> dict[str, list[float]]:
    reached: dict[str, list[float]] = {name: [] for name in MILESTONES}
    with tempfile.TemporaryDirectory(prefix="timetable-first-") as folder:
        async with Target(Path(folder), Ledger()) as target:
            await target.ended(await target.submit("trivial", 1.0), WARM_SECONDS)
            for _ in range(times):
                began = time.monotonic()
                job = await target.submit(source, LIMIT_SECONDS)
                for name, seconds in (await _watched(target, job, began)).items():
                    reached[name].append(seconds)
    return reached


async def _watched(target: Target, job: str, began: float) -> dict[str, float]:
    """Seconds until each milestone; the job is cancelled once all are reached."""
    seen: dict[str, float] = {}
    while len(seen) < len(MILESTONES):
        told = await target.progress(job)
        for name, is_reached in MILESTONES.items():
            if name not in seen and is_reached(told):
                seen[name] = time.monotonic() - began
        if told["status"] in TERMINAL:
            return seen
        await anyio.sleep(LOOK_SECONDS)
    await target.ask("POST", f"/cancel/{job}")
    await target.ended(job)
    return seen
