"""How long things take that people wait for: a cancel, "finish now", and the end of a job whose time is up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import anyio
import psutil

from app.system.failpoints import STAGE_POINTS
from benchmarks.faults.hangs import REACHED_SECONDS, SOURCES
from benchmarks.faults.ledger import TERMINAL
from benchmarks.faults.run import Run
from benchmarks.faults.target import LOOK_SECONDS, Target

CANCELLED = frozenset({"cancelled"})
ENDED = frozenset({"cancelled", "completed"})
LONG_SECONDS = 30.0
RANDOM_SOURCES = ("tiny", "college", "university")
LATEST_SECONDS = 8.0
T = TypeVar("T")

DEADLINES = tuple((source, limit) for limit in (1.0, 5.0, 30.0) for source in ("tiny", "college", "university"))


async def cancels(run: Run) -> None:
    """
    From the request until the job is cancelled and its process is gone: every second time at a random instant of a
    healthy job, every second time in a child that hears nothing, in each stage in turn.
    """
    stages = _in_turn(run, [point.removeprefix("stage.") for point in STAGE_POINTS])
    async with run.target(slots=1) as target:
        await _samples_are_made(target)
        for n in run.rounds():
            if n % 2:
                await _cancel_deaf(run, target, next(stages))
            else:
                await _cancel_healthy(run, target)
            run.tally.done += 1


async def _cancel_healthy(run: Run, target: Target) -> None:
    job = await target.submit(run.rng.choice(RANDOM_SOURCES), LONG_SECONDS, may_end=ENDED)
    await target.until(job, lambda snapshot: snapshot["status"] == "running", 30.0, LOOK_SECONDS)
    await anyio.sleep(run.rng.uniform(0.0, LATEST_SECONDS))
    seconds = await _cancelled(target, job)
    if seconds is not None:
        run.tally.measured("cancelled", seconds)
        run.tally.measured("cancelled, healthy", seconds)


async def _cancel_deaf(run: Run, target: Target, stage: str) -> None:
    point = f"stage.{stage}"
    target.arm(point, run.rng.choice(("sleep", "spin", "spin_kernel_with_lock", "sleep_with_lock", "stop")))
    job = await target.submit(SOURCES.get(stage, "trivial"), LONG_SECONDS, may_end=CANCELLED, num_variants=2)
    if not await target.fired(point, REACHED_SECONDS):
        run.tally.breaches.append(f"stage {stage} was not reached")
        return
    seconds = await _cancelled(target, job)
    if seconds is not None:
        run.tally.measured("cancelled", seconds)
    run.tally.check(seconds is not None, f"a job held in stage {stage} could not be cancelled")


async def _cancelled(target: Target, job: str) -> float | None:
    """Seconds from the request until nothing of the job is left; None when it had ended before."""
    children = target.children()
    began = time.monotonic()
    answer = await target.ask("POST", f"/cancel/{job}")
    if not answer.is_success:
        return None
    await target.ended(job, every=LOOK_SECONDS / 2)
    while any(_lives(child) for child in children):
        await anyio.sleep(LOOK_SECONDS / 2)
    return time.monotonic() - began


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


async def finishes(run: Run) -> None:
    """Ends the search at a random instant after the first timetable; a verified result is there soon after."""
    async with run.target(slots=1) as target:
        await _samples_are_made(target)
        for _ in run.rounds():
            job = await target.submit(run.rng.choice(RANDOM_SOURCES), LONG_SECONDS, num_variants=run.rng.choice((1, 3)))
            held = await target.until(job, lambda snapshot: snapshot["cost"] is not None, 30.0, LOOK_SECONDS)
            await anyio.sleep(run.rng.uniform(0.0, 5.0))
            began = time.monotonic()
            answer = await target.ask("POST", f"/finish/{job}")
            last = await target.ended(job, every=LOOK_SECONDS)
            if answer.is_success:
                run.tally.measured("published", time.monotonic() - began)
                kept = last["levels"] is not None and level(last) <= level(held)
                run.tally.check(kept, f"job {job} was shown {held['levels']} and kept {last['levels']}")
            run.tally.done += 1


def level(snapshot: Mapping[str, Any]) -> tuple[int, ...]:
    """The score of the timetable held; smaller is better, the first difference decides."""
    return tuple(snapshot["levels"][name] for name in ("rigid", "unplaced", "bent", "soft"))


async def deadlines(run: Run) -> None:
    """The limits 1, 5 and 30 s times small, middle and large: seconds beyond what is allowed, from outside."""
    cases = _in_turn(run, list(DEADLINES))
    async with run.target(slots=1) as target:
        await _samples_are_made(target)
        for _ in run.rounds():
            source, limit = next(cases)
            job = await target.submit(source, limit, num_variants=3)
            await target.ended(job, limit + 30.0)
            view = await target.job(job)
            over = view["finished_at"] - view["started_at"] - limit
            run.tally.measured("over the limit", max(0.0, over))
            allowed = max(1.0, 0.02 * limit)
            run.tally.check(
                over <= allowed, f"{source} with {limit:g} s ended {over:.2f} s late, {allowed:g} s allowed"
            )
            run.tally.done += 1


async def _samples_are_made(target: Target) -> None:
    """The first request for a sample makes it, which is not what is measured here."""
    for source in RANDOM_SOURCES:
        job = await target.submit(source, 1.0, may_end=ENDED | TERMINAL)
        await target.ended(job)


def _in_turn(run: Run, values: list[T]) -> Iterator[T]:
    while True:
        yield from run.rng.sample(values, len(values))
