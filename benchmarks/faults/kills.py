"""SIGKILL at random instants: a solving child, the whole service, the forkserver, the service while it recovers."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil

from benchmarks.faults.ledger import TERMINAL
from benchmarks.faults.run import Run
from benchmarks.faults.sources import SMALL
from benchmarks.faults.target import Target, Unanswered, store_faults

LIMITS_SECONDS = (1.0, 3.0)
KILLS_PER_JOB = (1, 1, 2)
"""A third unclean end would make it a poison job, which is another bar."""
IN_FLIGHT = 3
MOST_PER_KILL = 4
BUSY = ("tiny", "college")
"""Sources whose jobs use up their time, so that a blow at a random instant finds them running."""


@dataclass(frozen=True)
class Plan:
    """One job and the instants at which its attempts are killed, in seconds after each has begun."""

    source: str
    limit: float
    instants: tuple[float, ...]


def plans(rng: random.Random, kills: int) -> list[Plan]:
    """More than enough jobs: one may well end before its instant has come."""
    made: list[Plan] = []
    while sum(len(plan.instants) for plan in made) < MOST_PER_KILL * kills:
        limit = rng.uniform(*LIMITS_SECONDS)
        instants = tuple(rng.uniform(0, limit) for _ in range(rng.choice(KILLS_PER_JOB)))
        made.append(Plan(rng.choice(SMALL), limit, instants))
    return made


async def child_kills(run: Run) -> None:
    """Kills single children; measures from the kill until a child of the next attempt is heard."""
    waiting = iter(plans(run.rng, run.count))
    async with run.target() as target, anyio.create_task_group() as lanes:

        async def lane() -> None:
            for plan in waiting:
                if run.tally.done >= run.count or run.time_left <= 0:
                    return
                await _child_killed(run, target, plan)

        for _ in range(IN_FLIGHT):
            lanes.start_soon(lane)


async def _child_killed(run: Run, target: Target, plan: Plan) -> None:
    job = await target.submit(plan.source, plan.limit)
    attempt = 0
    for instant in plan.instants:
        snapshot = await target.runs(job, attempt)
        attempt = snapshot["attempt"]
        pid = None if snapshot["status"] in TERMINAL else await target.pid_of(job)
        if pid is None:
            return
        await anyio.sleep(instant)
        if run.tally.done >= run.count or not any(child.pid == pid for child in target.children()):
            return
        os.kill(pid, signal.SIGKILL)
        killed_at = time.monotonic()
        run.tally.done += 1
        snapshot = await target.runs(job, attempt)
        # What had handed in its result before it was killed is not run again, and later attempts pause on purpose.
        if instant == plan.instants[0] and snapshot["status"] == "running":
            run.tally.measured("running again", time.monotonic() - killed_at)
    await target.ended(job)


class Stream:
    """Keeps a few jobs in flight, whatever happens to the service."""

    def __init__(self, run: Run, target: Target, limits: tuple[float, float] = (2.0, 6.0)) -> None:
        self._run, self._target, self._limits = run, target, limits
        self.jobs: list[str] = []

    async def top_up(self) -> None:
        open_jobs = [job for job in self.jobs if (await self._target.progress(job))["status"] not in TERMINAL]
        while len(open_jobs) < IN_FLIGHT:
            rng = self._run.rng
            open_jobs.append(await self._target.submit(rng.choice(BUSY), rng.uniform(*self._limits)))
        self.jobs = open_jobs

    async def running(self) -> dict[str, int]:
        """The jobs that run at this moment, with their attempts."""
        looks = {job: await self._target.progress(job) for job in self.jobs}
        return {job: look["attempt"] for job, look in looks.items() if look["status"] == "running"}

    async def run_again(self, running: dict[str, int], killed_at: float) -> None:
        """Measures, for each of these jobs, how long it takes until it runs again; those that had ended do not."""

        async def one(job: str, attempt: int) -> None:
            snapshot = await self._target.runs(job, attempt)
            if snapshot["status"] == "running":
                self._run.tally.measured("running again", time.monotonic() - killed_at)

        async with anyio.create_task_group() as tasks:
            for job, attempt in running.items():
                tasks.start_soon(one, job, attempt)


async def service_kills(run: Run) -> None:
    """Kills the whole service and starts it again at once, as an init system does."""

    async def strike(target: Target) -> float:
        target.kill()
        return await _start_again(run, target, time.monotonic())

    await _struck(run, strike)


async def recovery_kills(run: Run) -> None:
    """The same, and once more while the new service reads its store, loads its kernels, starts its children."""

    async def strike(target: Target) -> float:
        target.kill()
        target.launch()
        with anyio.move_on_after(run.rng.uniform(0.0, 2.5)):
            while target.alive:
                await anyio.sleep(0.05)
        target.kill()
        return await _start_again(run, target, time.monotonic())

    await _struck(run, strike)


async def forkserver_kills(run: Run) -> None:
    """Kills the process that forks children; they die with it, and the service starts another."""

    async def strike(target: Target) -> float:
        forkserver = target.forkserver()
        with contextlib.suppress(psutil.NoSuchProcess):
            if forkserver is not None:
                forkserver.kill()
        return time.monotonic()

    await _struck(run, strike)


async def _struck(run: Run, strike: Callable[[Target], Awaitable[float]]) -> None:
    """Strikes again and again at random instants, with jobs in flight; `strike` returns when the blow fell."""
    async with run.target() as target:
        stream = Stream(run, target)
        for _ in run.rounds():
            running: dict[str, int] = {}
            while not running and run.time_left > 0:
                await stream.top_up()
                await target.runs(stream.jobs[0])
                await anyio.sleep(run.rng.uniform(0.0, max(LIMITS_SECONDS)))
                running = await stream.running()
            before = target.census()
            struck_at = await strike(target)
            try:
                await stream.run_again(running, struck_at)
            except* Unanswered as late:
                run.tally.breaches += [str(error) for error in late.exceptions]
            await target.no_survivors([p for p in before if target.process and p.pid != target.process.pid], struck_at)
            run.tally.done += 1


async def _start_again(run: Run, target: Target, killed_at: float) -> float:
    copy = _copy_of_store(target, run.folder / "copy")
    await target.start()
    run.tally.measured("ready again", time.monotonic() - killed_at)
    for fault in await anyio.to_thread.run_sync(store_faults, copy):
        run.tally.breaches.append(f"the store as the kill left it: {fault}")
    return killed_at


def _copy_of_store(target: Target, to: Path) -> Path:
    """What the dead service has left, to be looked at while the next one works with the original."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for file in target.data.glob("jobs.sqlite3*"):
        shutil.copy2(file, to / file.name)
    return to
