"""
Children that hang, in every way and in every stage: said, decided, named rightly, and the job goes on.

Each pair of a kind and a stage is injected into a job of its own. Hanging is mostly waiting, so several services with
one slot each hang at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import anyio

from app.system.failpoints import STAGE_POINTS
from benchmarks.faults.run import Run
from benchmarks.faults.target import Target, Unanswered

LANES = 6
LIMIT_SECONDS = 30.0
SHORT_LIMIT_SECONDS = 2.0
REACHED_SECONDS = 30.0

SLEEPING, LOOPING, STOPPED = "DEADLOCK_SUSPECTED", "INFINITE_LOOP", "STOPPED"
VERDICTS: Mapping[str, str] = {
    "sleep": SLEEPING,
    "deadlock": SLEEPING,
    "sleep_with_lock": SLEEPING,
    "spin": LOOPING,
    "spin_kernel": LOOPING,
    "spin_kernel_with_lock": LOOPING,
    "stop": STOPPED,
}
"""What is done to the child -> what it must be called."""
_CPSAT = ("model_build", "cpsat_presolve", "cpsat_search")
PLACES: Mapping[str, tuple[str, ...]] = {
    "load": ("load",),
    "validate": ("validate",),
    "context": ("context_engine",),
    "construct": ("construct", "compile", "diagnose"),
    "search": ("local_search",),
    "exact": _CPSAT,
    "variants": ("local_search", "construct", *_CPSAT),
    "verify": ("verify",),
    "store": ("store",),
}
"""The stage in which it hangs -> what may be named as the place."""
HUNG = ("hang",)
ENDINGS: Mapping[str, tuple[str, ...]] = {"store": ("handover",)}
"""
The stage in which it hangs -> how its attempt ends, where that is not `HUNG`: one that hangs while it hands its result
over is not counted against the job, and the next one publishes what is held.
"""
STOPPED_ENDINGS: Mapping[str, tuple[str, ...]] = {"store": ("handover", "result")}
"""The same for a child that is stopped: it is continued for its stacks, and may then hand its result in after all."""
SOURCES: Mapping[str, str] = {"exact": "mini"}
"""The smallest source is solved before the exact solver is asked."""


class Hang(NamedTuple):
    kind: str
    stage: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.stage}"


def endings(hang: Hang) -> tuple[str, ...]:
    """How the attempt may end; whatever it is, the hang must have been said, decided and named."""
    table = STOPPED_ENDINGS if VERDICTS[hang.kind] == STOPPED else ENDINGS
    return table.get(hang.stage, HUNG)


def all_hangs() -> list[Hang]:
    stages = [point.removeprefix("stage.") for point in STAGE_POINTS]
    return [Hang(kind, stage) for kind in VERDICTS for stage in stages]


async def hangs(run: Run) -> None:
    """`run.count` pairs of kind and stage, drawn without repetition until all have had their turn."""
    await _in_lanes(run, _drawn(run, all_hangs()), _one)


async def limit_ignored(run: Run) -> None:
    """A solver that never looks at the clock: the job ends by its limit all the same, and keeps what it has."""
    stages = ("context", "construct", "search", "variants")
    kinds = ("spin", "sleep", "spin_kernel", "sleep_with_lock")
    await _in_lanes(run, _drawn(run, [Hang(kind, stage) for kind in kinds for stage in stages]), _overdue)


def _drawn(run: Run, hangs: list[Hang]) -> Iterator[Hang]:
    drawn: list[Hang] = []
    while len(drawn) < run.count:
        drawn += run.rng.sample(hangs, len(hangs))
    return iter(drawn[: run.count])


async def _in_lanes(run: Run, waiting: Iterator[Hang], one: object) -> None:
    async def lane() -> None:
        async with run.target(slots=1) as target:
            for hang in waiting:
                if run.time_left <= 0:
                    return
                try:
                    await one(run, target, hang)  # type: ignore[operator]
                except Unanswered as error:
                    run.tally.breaches.append(f"{hang}: {error}")
                else:
                    run.tally.done += 1
                (target.failpoints / f"stage.{hang.stage}").unlink(missing_ok=True)

    async with anyio.create_task_group() as lanes:
        for _ in range(min(LANES, run.count)):
            lanes.start_soon(lane)
            await anyio.sleep(0.5)  # starting them all at once takes longer than one after the other


async def _one(run: Run, target: Target, hang: Hang) -> None:
    point, check = f"stage.{hang.stage}", run.tally.check
    target.arm(point, hang.kind)
    job = await target.submit(SOURCES.get(hang.stage, "trivial"), LIMIT_SECONDS, num_variants=2)
    if not await target.fired(point, REACHED_SECONDS):
        check(False, f"{hang}: the stage was not reached")
        return
    injected, attempt = time.time(), (await target.progress(job))["attempt"]
    stalled: list[float] = []

    def over(snapshot: Mapping[str, object]) -> bool:
        if snapshot["health"] == "stalled" and not stalled:
            stalled.append(time.time())
        return snapshot["attempt"] != attempt or snapshot["status"] != "running"

    await target.until(job, over, 60.0)
    await target.ended(job)
    row = next(row for row in (await target.job(job))["attempts"] if row["attempt"] == attempt)
    if row["how"] not in endings(hang):
        check(False, f"{hang}: the attempt ended by {row['how']}: {row['message']}")
        return
    run.tally.measured("decided", row["ended_at"] - injected)
    check(bool(stalled), f"{hang}: it was ended without having been said to be stalled")
    if stalled:
        run.tally.measured("said", stalled[0] - injected)
    check(row["verdict"] == VERDICTS[hang.kind], f"{hang}: called {row['verdict']}")
    check(row["place"] in PLACES[hang.stage], f"{hang}: placed in {row['place']}")


async def _overdue(run: Run, target: Target, hang: Hang) -> None:
    point = f"stage.{hang.stage}"
    target.arm(point, hang.kind)
    # With no timetable yet the job gets a last chance, and that attempt has a time of its own.
    job = await target.submit("tiny", SHORT_LIMIT_SECONDS, num_variants=2)
    run.tally.check(await target.fired(point, REACHED_SECONDS), f"{hang}: the stage was not reached")
    await target.ended(job)
    first = (await target.job(job))["attempts"][0]
    overshoot = first["ended_at"] - first["started_at"] - SHORT_LIMIT_SECONDS
    run.tally.measured("over the limit", overshoot)
    run.tally.check(first["how"] in ("deadline", "hang"), f"{hang}: the attempt ended by {first['how']}")
