"""A child that eats memory beside one that does not, and a service that has seen many jobs."""

from __future__ import annotations

import time
from typing import Any

import anyio
import psutil

from app import MEBIBYTE
from benchmarks.faults.hangs import SOURCES
from benchmarks.faults.run import Run
from benchmarks.faults.target import Target
from benchmarks.figures import slope

LIMIT_MB = 400
"""A child has about 180 MB when it begins; a hog eats 50 MB a second."""
ALLOWED_SHARE = 0.1
WARM_UP_SHARE = 0.2
MOST_MB_PER_100_JOBS = 2.0
STAGES = ("stage.load", "stage.validate", "stage.context", "stage.construct")
"""Where a hog is armed: stages that the neighbour has behind it, or it would take the hog's place."""
LEAKS = ("load", "validate", "context", "construct", "search")
"""The stages in which a child leaks."""


async def hogs(run: Run) -> None:
    """The hog ends as `memory` with its peak shown, and its job goes on; the neighbour does not notice."""
    async with run.target(slots=2, memory_limit_mb=LIMIT_MB) as target:
        for _ in run.rounds():
            neighbour = await target.submit("college", 20.0, num_variants=1)
            await target.until(neighbour, lambda snapshot: snapshot["cost"] is not None, 30.0)
            point = run.rng.choice(STAGES)
            target.arm(point, "hog")
            job = await target.submit("trivial", 30.0, num_variants=2)
            run.tally.check(await target.fired(point, 30.0), f"{point} was not reached")
            await target.ended(job)
            await target.ended(neighbour)
            await _judge(run, target, job, neighbour)
            run.tally.done += 1


async def leaks(run: Run) -> None:
    """
    A child that grows far below its limit and gives no other sign of life: said, called a leak, ended, tried with less.

    Every second one computes meanwhile, as it would in an endless loop.
    """
    async with run.target(slots=1) as target:
        for n in run.rounds():
            stage = run.rng.choice(LEAKS)
            target.arm(f"stage.{stage}", ("hog", "hog_busily")[n % 2])
            job = await target.submit(SOURCES.get(stage, "trivial"), 30.0, num_variants=2)
            run.tally.check(await target.fired(f"stage.{stage}", 30.0), f"stage {stage} was not reached")
            injected, seen = time.time(), list[dict[str, Any]]()
            await target.until(job, lambda shown, seen=seen: bool(seen.append(shown)) or shown["attempt"] > 1, 60.0)
            await target.ended(job)
            _judge_leak(run, await target.job(job), seen, injected)
            run.tally.done += 1


def _judge_leak(run: Run, view: dict[str, Any], seen: list[dict[str, Any]], injected: float) -> None:
    first, job = view["attempts"][0], view["job_id"]
    told = f"job {job}: its first attempt ended by {first['how']} ({first['verdict']}): {first['message']}"
    run.tally.check((first["how"], first["verdict"]) == ("memory", "MEMORY_LEAK"), told)
    run.tally.check("grows by" in (first["message"] or ""), told)
    run.tally.measured("decided", first["ended_at"] - injected)
    run.tally.measured("peak", first["peak_mb"])
    said = any(shown["health"] == "stalled" and shown["verdict"] == "MEMORY_LEAK" for shown in seen)
    run.tally.check(said, f"job {job}: nobody was told before its child was ended")
    rungs = [visit["rung"] for visit in view["journal"] if visit["outcome"] != "skipped"]
    run.tally.check(
        not {"full", "relaxed", "greedy"} & set(rungs), f"job {job}: after the leak it went through {rungs}"
    )


async def _judge(run: Run, target: Target, job: str, neighbour: str) -> None:
    attempts = (await target.job(job))["attempts"]
    hogged = [row for row in attempts if row["how"] == "memory"]
    run.tally.check(bool(hogged), f"job {job}: no attempt ended by memory: {[row['how'] for row in attempts]}")
    for row in hogged:
        peak = row["peak_mb"]
        run.tally.check(peak is not None, f"job {job}: the peak of attempt {row['attempt']} is not shown")
        if peak is not None:
            run.tally.measured("peak", peak)
    ends = [row["how"] for row in (await target.job(neighbour))["attempts"]]
    run.tally.check(ends == ["result"], f"the neighbour's attempts ended by {ends}")


async def many_jobs(run: Run) -> None:
    """Small jobs one after the other: resident memory, descriptors and threads of the service stay where they are."""
    async with run.target(slots=2) as target:
        assert target.process is not None
        service = psutil.Process(target.process.pid)
        points: list[tuple[float, float]] = []
        descriptors: list[int] = []

        async def lane(numbers: range) -> None:
            for _ in numbers:
                if run.time_left <= 0:
                    return
                await target.ended(await target.submit("trivial", 1.0), every=0.05)
                run.tally.done += 1
                points.append((run.tally.done, service.memory_info().rss / MEBIBYTE))
                descriptors.append(service.num_fds())

        async with anyio.create_task_group() as lanes:
            for offset in range(2):
                lanes.start_soon(lane, range(offset, run.count, 2))
        warm = points[int(WARM_UP_SHARE * len(points)) :]
        per_hundred = 100 * slope(warm)
        run.tally.measured("growth per 100 jobs", per_hundred)
        run.tally.notes.append(
            f"{warm[0][1]:.0f} MB after {warm[0][0]:.0f} jobs, {warm[-1][1]:.0f} MB after {warm[-1][0]:.0f}; "
            f"{min(descriptors)} to {max(descriptors)} descriptors"
        )
