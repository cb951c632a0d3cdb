"""A healthy service at full load, next to whatever else happens on the machine: nothing of it may be called sick."""

from __future__ import annotations

import time

import anyio

from benchmarks.faults.ledger import TERMINAL
from benchmarks.faults.run import Run
from benchmarks.faults.target import Target

SOURCES = ("college", "university", "tiny", "college")
LIMIT_SECONDS = (5.0, 60.0)
WELL = frozenset({"result"})


async def false_kills(run: Run) -> None:
    """
    `run.count` minutes of work on every slot. Every attempt ends with a result, and nobody is ever called stalled.

    A repetition is a minute of wall time; the row also says how many hours of solving that were.
    """
    until = time.monotonic() + 60 * run.count
    solving = 0.0
    async with run.target(slots=_cores()) as target:
        began = time.monotonic()

        async def lane() -> None:
            nonlocal solving
            while time.monotonic() < until:
                seconds = await _one(run, target, until)
                solving += seconds  # not in one line: other lanes add to it while this one waits

        async with anyio.create_task_group() as lanes:
            for _ in range(_cores() + 1):  # one waits, so that no slot is ever free
                lanes.start_soon(lane)
        run.tally.done = round((time.monotonic() - began) / 60)
    run.tally.notes.append(f"{len(target.ledger.entries)} jobs, {solving / 3600:.2f} h of solving")


async def _one(run: Run, target: Target, until: float) -> float:
    seconds = min(run.rng.uniform(*LIMIT_SECONDS), max(5.0, until - time.monotonic()))
    job = await target.submit(run.rng.choice(SOURCES), seconds, num_variants=run.rng.choice((1, 3)))
    while (snapshot := await target.progress(job))["status"] not in TERMINAL:
        run.tally.check(snapshot["health"] != "stalled", f"job {job} was called stalled: {snapshot['metadata']}")
        await anyio.sleep(1.0)
    attempts = (await target.job(job))["attempts"]
    for row in attempts:
        told = f"job {job}: attempt {row['attempt']} ended by {row['how']}: {row['message']}"
        run.tally.check(row["how"] in WELL, told)
    return sum(row["seconds"] or 0.0 for row in attempts)


def _cores() -> int:
    from app.system.machine import this_machine

    return this_machine().cores()
