"""
The table of bars: what is done to the service, how often, and what must hold.

A row passes when at least half of it was done, nothing was lost or wrong, and every measured value is within its
limits. `seconds` is what one repetition costs on two cores, `fixed` what the row costs besides; `--minutes` shares its
time by them. `quick` is the count of the part that runs in CI, 0 for rows that are left out of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.faults import (
    bodies,
    copies,
    crowd,
    dumps,
    groups,
    hangs,
    healthy,
    kills,
    machine,
    memory,
    misuse,
    points,
    stops,
    weighing,
    workers,
)
from benchmarks.faults.run import Run, Tally
from benchmarks.figures import percentile

Recipe = Callable[[Run], Awaitable[None]]


class Limit(NamedTuple):
    """At most `most` (in `unit`) at this share of the measured values called `figure`; share 1 is the worst."""

    figure: str
    share: float
    most: float
    unit: str = "s"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """
    One row. `beside` says that a healthy service may work at full load next to it, because it measures no times;
    `background` is that healthy service itself, of which a repetition is a minute. `unit` is that of figures without a
    limit.
    """

    name: str
    text: str
    recipe: Recipe
    count: int
    quick: int
    seconds: float
    fixed: float = 10.0
    least: int = 1
    beside: bool = False
    background: bool = False
    limits: tuple[Limit, ...] = ()
    unit: str = "s"

    def cost(self, count: int) -> float:
        """Expected seconds of so many repetitions."""
        return self.fixed + self.seconds * count


BARS: tuple[Bar, ...] = (
    Bar(
        name="child-kills",
        text="kill -9 of a solving child at a random instant",
        recipe=kills.child_kills,
        count=300,
        quick=4,
        seconds=1.2,
        limits=(Limit("running again", 0.99, 2.0),),
    ),
    Bar(
        name="service-kills",
        text="kill -9 of the whole service at a random instant",
        recipe=kills.service_kills,
        count=100,
        quick=1,
        seconds=6,
        limits=(Limit("ready again", 1.0, 5.0), Limit("running again", 0.99, 5.0)),
    ),
    Bar(
        name="forkserver-kills",
        text="kill -9 of the forkserver at a random instant",
        recipe=kills.forkserver_kills,
        count=50,
        quick=0,
        seconds=5,
        limits=(Limit("running again", 0.99, 5.0),),
    ),
    Bar(
        name="recovery-kills",
        text="kill -9 of the service while it recovers from one",
        recipe=kills.recovery_kills,
        count=50,
        quick=0,
        seconds=8,
        limits=(Limit("running again", 0.99, 5.0),),
    ),
    Bar(
        name="hangs",
        text="a child that hangs: each kind in each stage, decided in 10 s and named rightly",
        recipe=hangs.hangs,
        count=len(hangs.all_hangs()),
        quick=1,
        seconds=5,
        fixed=20,
        limits=(Limit("decided", 1.0, 10.0),),
    ),
    Bar(
        name="limit-ignored",
        text="a solver that ignores its time limit of 2 s",
        recipe=hangs.limit_ignored,
        count=16,
        quick=0,
        seconds=3,
        fixed=20,
        limits=(Limit("over the limit", 1.0, 1.0),),
    ),
    Bar(
        name="cancels",
        text="cancel, at a random instant and in each stage of a deaf child",
        recipe=stops.cancels,
        count=100,
        quick=2,
        seconds=6,
        limits=(
            Limit("cancelled", 0.99, 1.0),
            Limit("cancelled", 1.0, 2.0),
            Limit("cancelled, healthy", 0.5, 0.2),
        ),
    ),
    Bar(
        name="finishes",
        text="finish now, at a random instant after the first timetable",
        recipe=stops.finishes,
        count=50,
        quick=0,
        seconds=5,
        limits=(Limit("published", 1.0, 2.0),),
    ),
    Bar(
        name="deadlines",
        text="a time limit of 1, 5, 30 s on small, middle, large",
        recipe=stops.deadlines,
        count=18,
        quick=0,
        seconds=13,
        limits=(Limit("over the limit", 1.0, 1.0),),
    ),
    Bar(
        name="crowd",
        text="seconds of 200 pollers at 1 Hz, 50 event streams, submits and results while every core solves",
        recipe=crowd.crowd,
        count=60,
        quick=0,
        seconds=1,
        least=15,
        limits=(
            Limit("progress", 0.99, 100.0, "ms"),
            Limit("progress", 1.0, 500.0, "ms"),
            Limit("submit", 0.99, 300.0, "ms"),
            Limit("event delay", 0.99, 1000.0, "ms"),
            Limit("loop lag, p99 at most", 1.0, 50.0, "ms"),
        ),
        unit="ms",
    ),
    Bar(
        name="hogs",
        text="a child that eats memory beside a neighbour",
        recipe=memory.hogs,
        count=10,
        quick=0,
        seconds=15,
        limits=(Limit("peak", 1.0, memory.LIMIT_MB * (1 + memory.ALLOWED_SHARE), "MB"),),
    ),
    Bar(
        name="leak",
        text="a child that gives no sign of life but that it grows, far below its limit",
        recipe=memory.leaks,
        count=10,
        quick=1,
        seconds=13,
        fixed=5,
        limits=(Limit("decided", 1.0, 10.0), Limit("peak", 1.0, 1500.0, "MB")),
    ),
    Bar(
        name="cgroup",
        text=f"a service in a container of {groups.LIMIT_MB} MB whose kernel, or who itself, ends a child",
        recipe=groups.in_a_container,
        count=6,
        quick=0,
        seconds=8,
        limits=(Limit("peak", 1.0, groups.LIMIT_MB, "MB"),),
    ),
    Bar(
        name="worker-mode",
        text="two workers, of which the child of one hangs and the other is killed",
        recipe=workers.worker_mode,
        count=5,
        quick=0,
        seconds=38,
        fixed=20,
        limits=(Limit("alert", 1.0, 30.0), Limit("said before the end", 1.0, 10.0)),
    ),
    Bar(
        name="many-jobs",
        text="small jobs through one service",
        recipe=memory.many_jobs,
        count=500,
        quick=0,
        seconds=0.5,
        least=50,
        limits=(Limit("growth per 100 jobs", 1.0, memory.MOST_MB_PER_100_JOBS, "MB"),),
    ),
    Bar(
        name="malformed",
        text="generated malformed bodies",
        recipe=bodies.malformed,
        count=20_000,
        quick=300,
        seconds=0.01,
        least=500,
        limits=(Limit("answered", 1.0, 200.0, "ms"),),
    ),
    Bar(
        name="described",
        text="schemathesis against our OpenAPI, examples per operation",
        recipe=bodies.described,
        count=50,
        quick=0,
        seconds=4,
        least=5,
    ),
    Bar(
        name="healthy",
        text="minutes of a healthy service at full load, with faults beside it",
        recipe=healthy.false_kills,
        count=30,
        quick=0,
        seconds=60,
        background=True,
    ),
    Bar(
        name="crash-points",
        text=f"kill -9 at each of {len(points.DRIVES)} named points, rounds",
        recipe=points.crash_points,
        count=10,
        quick=0,
        seconds=180,
        beside=True,
    ),
    Bar(
        name="backups",
        text="backups under load, each opened and counted, every tenth restored, served and compared",
        recipe=copies.backups,
        count=100,
        quick=1,
        seconds=4,
        fixed=20,
        beside=True,
    ),
    Bar(
        name="postgres-backup",
        text="dumps of a store on PostgreSQL under load, each checked, every fifth restored, served and compared",
        recipe=dumps.postgres_backups,
        count=20,
        quick=1,
        seconds=7,
        beside=True,
    ),
    Bar(
        name="damaged-stores",
        text="flipped, swapped, truncated stores",
        recipe=copies.damaged,
        count=200,
        quick=10,
        seconds=0.3,
        beside=True,
    ),
    Bar(
        name="damaged-caches",
        text="a damaged file in the cache of compiled kernels",
        recipe=copies.damaged_caches,
        count=10,
        quick=0,
        seconds=20,
        fixed=90,
        beside=True,
    ),
    Bar(
        name="core-first",
        text="a college with more sessions than fit, in either listing: the core is placed and nobody lost",
        recipe=weighing.core_first,
        count=20,
        quick=1,
        seconds=9,
        fixed=10,
        least=2,
        beside=True,
    ),
    Bar(
        name="poison",
        text="a job that kills its children, among ten good ones",
        recipe=misuse.poison,
        count=10,
        quick=0,
        seconds=8,
        beside=True,
    ),
    Bar(
        name="stale",
        text="a frozen child that wakes up again",
        recipe=misuse.stale,
        count=20,
        quick=0,
        seconds=10,
        beside=True,
    ),
    Bar(
        name="duplicates",
        text=f"{misuse.DUPLICATES} submits with one key from {misuse.CLIENTS} clients",
        recipe=misuse.duplicates,
        count=5,
        quick=0,
        seconds=15,
        beside=True,
    ),
    Bar(
        name="orderly-ends",
        text="SIGTERM with jobs running",
        recipe=misuse.orderly_ends,
        count=20,
        quick=1,
        seconds=6,
        beside=True,
        limits=(Limit("ended", 1.0, misuse.GRACEFUL_SECONDS),),
    ),
    Bar(
        name="state-machine",
        text="steps of the state machine: submit, cancel, kill, restart, poll, finish in any order",
        recipe=machine.state_machine,
        count=20_000,
        quick=2000,
        seconds=0.002,
        least=1000,
        beside=True,
    ),
)
BY_NAME: Mapping[str, Bar] = {bar.name: bar for bar in BARS}


def counts(bars: tuple[Bar, ...], minutes: float | None, *, quick: bool = False) -> dict[str, int]:
    """
    How often each bar is done: the quick part, or the full counts scaled down together until they fit into `minutes`.

    Bars of which the quick part does nothing are left out of it.
    """
    if quick:
        return {bar.name: bar.quick for bar in bars if bar.quick}
    full = {bar.name: bar.count for bar in bars}
    if minutes is None:
        return full
    # The background runs while the others do, and takes no time of its own unless it is alone.
    timed = [bar for bar in bars if not bar.background] or bars
    fixed = sum(bar.fixed for bar in timed)
    repeated = sum(bar.seconds * bar.count for bar in timed)
    share = min(1.0, max(0.0, (60 * minutes - fixed) / repeated))
    return {bar.name: min(bar.count, max(bar.least, int(share * bar.count))) for bar in bars}


def wrongs(tally: Tally) -> list[str]:
    """What was lost or wrong, each sentence once."""
    return list(dict.fromkeys(tally.breaches))


def shortfalls(bar: Bar, tally: Tally, wanted: int = 1, slack: float = 1.0) -> list[str]:
    """
    Why the row does not pass although nothing was lost or wrong: too little was done, or a value is over its limit.

    Measured values may be `slack` times their limits.
    """
    found = list(dict.fromkeys(tally.undone))
    if not tally.done:
        found.append("it was not done once")
    elif 2 * tally.done < wanted:
        found.append(f"less than half of it was done: {tally.done} of {wanted}")
    for limit in bar.limits:
        values = tally.figures.get(limit.figure)
        if not values:
            found.append(f"{limit.figure}: nothing was measured")
        elif (value := percentile(values, limit.share)) > slack * limit.most:
            most = f"at most {slack * limit.most:g}"
            found.append(f"{limit.figure}: {value:.3g} {limit.unit} at {_share(limit.share)} of {len(values)}, {most}")
    return found


def _share(share: float) -> str:
    return "worst" if share == 1 else f"p{100 * share:g}"
