"""Many clients that watch while every core solves."""

from __future__ import annotations

import time

import anyio

from app.system.machine import this_machine
from benchmarks.faults.run import Run
from benchmarks.faults.target import Target
from benchmarks.load import measure_load
from solver.formats.native import dump_dataset
from solver.samples import sample

POLLERS, STREAMS = 200, 50
FETCH_EVERY_SECONDS = 0.5
LAG = "timetable_loop_lag_seconds"


async def crowd(run: Run) -> None:
    """`run.count` seconds of 200 pollers at 1 Hz, 50 event streams, large submits and results; every slot solves."""
    async with run.target(slots=this_machine().cores(), settle=False, max_streams_per_client=STREAMS + 10) as target:
        solved = await target.submit("college", 2.0, num_variants=3)
        await target.ended(solved)
        jobs = [await target.submit("college", 3.0 * run.count) for _ in range(this_machine().cores())]
        for job in jobs:
            await target.runs(job)
        body = {"dataset": dump_dataset(sample("university")), "time_limit_seconds": 1.0, "num_variants": 1}
        async with anyio.create_task_group() as beside:
            beside.start_soon(_fetch_steadily, run, target, solved)
            figures = await measure_load(
                str(target.http.base_url), run.count, POLLERS, STREAMS, job_ids=jobs, submit_body=body
            )
            beside.cancel_scope.cancel()
        for name, kind in figures.kinds.items():
            run.tally.figures[name] = [1000 * seconds for seconds in kind.seconds]
            run.tally.breaches += [f"{name}: {count} x {error}" for error, count in kind.errors.items()]
        run.tally.done = run.count
        await _loop_lag(run, target)


async def _fetch_steadily(run: Run, target: Target, job: str) -> None:
    """Fetches all variants of an ended job again and again, until it is cancelled."""
    while True:
        began = time.monotonic()
        answer = await target.http.get(f"/variants/{job}")
        run.tally.measured("variants", 1000 * (time.monotonic() - began))
        run.tally.check(answer.is_success, f"variants: status {answer.status_code}")
        await anyio.sleep(FETCH_EVERY_SECONDS)


async def _loop_lag(run: Run, target: Target) -> None:
    """The 99th percentile of the event loop's lag, from the service's own histogram."""
    seconds = histogram_quantile((await target.ask("GET", "/metrics")).text, LAG, 0.99)
    run.tally.check(seconds is not None, f"not available: the metric {LAG}")
    if seconds is not None:
        run.tally.measured("loop lag, p99 at most", 1000 * seconds)


def histogram_quantile(text: str, name: str, share: float) -> float | None:
    """Upper edge of the bucket in which the quantile of a histogram lies; None when there is no such histogram."""
    buckets: list[tuple[float, float]] = []
    for line in text.splitlines():
        if line.startswith(f"{name}_bucket"):
            labels, value = line.rsplit(" ", 1)
            buckets.append((float(labels.split('le="')[1].split('"')[0]), float(value)))
    buckets.sort()
    if not buckets or not buckets[-1][1]:
        return None
    return next(edge for edge, count in buckets if count >= share * buckets[-1][1])
