"""Jobs in workers, as the service shows them: what they say, when they hang, and that their worker is gone."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

from benchmarks.cluster.rig import Cluster, Member, database
from benchmarks.faults.ledger import TERMINAL
from benchmarks.faults.run import Run
from tests.real import POSTGRES, REDIS

BROKER = urlsplit(REDIS)._replace(path="/11").geturl()
LIMIT_SECONDS = 15.0
"""Longer than it takes to decide that a child hangs."""
ALARM_HOLD_SECONDS = 2.0
PATIENCE_SECONDS = 120.0
CLOSE_SECONDS = 3.0
"""A checkpoint is a second old at most when a worker is killed, and so is what is known of its attempt."""
POLL_SECONDS = 0.1


async def worker_mode(run: Run) -> None:
    """Two workers at a time: the child of one hangs, the other one is killed with its child at work."""
    async with _cluster(run) as cluster:
        for n in run.rounds():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_hangs, run, cluster, f"hangs-{n}")
                await _reached(cluster.failpoint("stage.search"))
                tasks.start_soon(_is_killed, run, cluster, f"killed-{n}")
            for worker in cluster.workers:
                if not worker.alive:
                    worker.start()
            await _until_heard(cluster, len(cluster.workers))
            await _alerted(cluster, lost=False)
            run.tally.done += 1
        await cluster.compare()
    run.tally.breaches += cluster.ledger.breaches


class _Armed(Cluster):
    """A cluster whose children pass armed points."""

    def __init__(self, folder: Path, given: Mapping[str, object]) -> None:
        self._failpoints = folder / "failpoints"
        self._failpoints.mkdir(parents=True)
        super().__init__(folder, {**given, "failpoints": self._failpoints}, services=1, workers=2)

    def failpoint(self, name: str) -> Path:
        return self._failpoints / name


@asynccontextmanager
async def _cluster(run: Run) -> AsyncIterator[_Armed]:
    with database(POSTGRES) as url:
        queue = f"timetable_faults_{secrets.token_hex(4)}"
        given = {
            "database_url": url,
            "broker_url": BROKER,
            "broker_queue": queue,
            "alarm_hold_seconds": ALARM_HOLD_SECONDS,
        }
        cluster = _Armed(run.folder / "cluster", given)
        async with cluster.running():
            await _until_heard(cluster, 2)
            yield cluster


async def _until_heard(cluster: Cluster, count: int) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while sum(not one["silent"] for one in (await _workers(cluster))) < count:
            await anyio.sleep(POLL_SECONDS)


async def _workers(cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await cluster.ask("GET", "/workers")).json()["workers"]
    return found


async def _reached(point: Path) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not point.exists():  # it is armed first
            await anyio.sleep(POLL_SECONDS / 10)
        while point.exists():
            await anyio.sleep(POLL_SECONDS / 10)


async def _hangs(run: Run, cluster: _Armed, job: str) -> None:
    """It is said, with its place, before anything is done; and the job goes on."""
    cluster.failpoint("stage.search").write_text(run.rng.choice(("sleep", "spin", "spin_kernel")), encoding="ascii")
    await cluster.submit(job, "mini", LIMIT_SECONDS, "org")
    seen = await _followed(cluster, job)
    stalled = [shown for shown in seen if shown["health"] == "stalled" and shown["attempt"] == 1]
    places = {shown["metadata"]["place"] for shown in stalled}
    run.tally.check(bool(stalled), f"{job}: its child hung and was never called stalled")
    run.tally.check(places == {"local_search"}, f"{job}: stalled at {places}")
    silent = [shown for shown in seen if shown["status"] == "running" and not shown["message"]]
    run.tally.check(not silent, f"{job}: {len(silent)} of {len(seen)} looks had no message")
    first = (await _attempts(cluster, job))[0]
    run.tally.check(first["how"] == "hang", f"{job}: its first attempt ended by {first['how']}")
    if stalled:
        run.tally.measured("said before the end", first["ended_at"] - stalled[0]["seen_at"])


async def _is_killed(run: Run, cluster: _Armed, job: str) -> None:
    """An alert says so, the job goes on elsewhere, and its attempts tell how long they were at it."""
    await cluster.submit(job, "college", LIMIT_SECONDS, "org")
    await _until(cluster, job, lambda shown: shown["cost"] is not None)
    await anyio.sleep(run.rng.uniform(1.0, 4.0))
    began = (await _attempts(cluster, job))[0]["started_at"]
    owner = _owner(cluster, next(one["pid"] for one in await _workers(cluster) if job in one["jobs"]))
    owner.signal(signal.SIGKILL)
    killed, at = time.monotonic(), time.time()
    await _alerted(cluster, lost=True)
    run.tally.measured("alert", time.monotonic() - killed)
    await _followed(cluster, job)
    attempts = await _attempts(cluster, job)
    hows = [row["how"] for row in attempts]
    run.tally.check(hows == ["service_lost", "result"], f"{job}: its attempts ended by {hows}")
    noted, real = attempts[0]["seconds"], at - began
    run.tally.check(
        noted is not None and 0 <= real - noted <= CLOSE_SECONDS, f"{job}: {noted} s are noted of {real:.1f}"
    )
    total = sum(row["seconds"] or 0.0 for row in attempts)
    run.tally.check(total <= LIMIT_SECONDS + 2.0, f"{job}: {total:.1f} s of a limit of {LIMIT_SECONDS:g}")


def _owner(cluster: Cluster, pid: int) -> Member:
    return next(one for one in cluster.workers if one.process is not None and one.process.pid == pid)


async def _alerted(cluster: Cluster, *, lost: bool) -> None:
    """Waits until the service tells of a lost worker, or does not any more."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while lost != any(
            alert["alert"] == "worker_lost" for alert in (await cluster.ask("GET", "/health")).json()["alerts"]
        ):
            await anyio.sleep(POLL_SECONDS)


async def _attempts(cluster: Cluster, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await cluster.ask("GET", f"/jobs/{job}")).json()["attempts"]
    return found


async def _until(cluster: Cluster, job: str, wanted: Any) -> dict[str, Any]:
    return [shown async for shown in _looks(cluster, job, wanted)][-1]


async def _followed(cluster: Cluster, job: str) -> list[dict[str, Any]]:
    """Every look at a job until it has ended."""
    return [shown async for shown in _looks(cluster, job, lambda shown: False)]


async def _looks(cluster: Cluster, job: str, wanted: Any) -> AsyncIterator[dict[str, Any]]:
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            shown = (await cluster.ask("GET", f"/progress/{job}")).json()
            yield {**shown, "seen_at": time.time()}
            if shown["status"] in TERMINAL or wanted(shown):
                return
            await anyio.sleep(POLL_SECONDS)
