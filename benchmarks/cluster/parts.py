"""The four parts of `python -m benchmarks cluster`."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import psycopg

from benchmarks.cluster.rig import Cluster, Member, database
from tests.proxy import Proxy
from tests.real import POSTGRES, RABBITMQ, REDIS

ORGANISATIONS = 10
GREEDY = "org-0"
LARGE = "university"
SHARED = (("college", 15.0),)
SOURCES = (("trivial", 5.0), ("mini", 1.0), ("tiny", 2.0))
BROKERS = {"rabbitmq": RABBITMQ, "redis": urlsplit(REDIS)._replace(path="/12").geturl()}
LONGEST_STOP_SECONDS = 25.0
"""Longer than a lease, so that some of the stopped are taken for dead and wake up after that."""
READY_WITHIN_SECONDS, READY_AGAIN_SECONDS = 4.0, 8.0


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between two harms")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without database, and without broker")
    parser.add_argument("--broker", choices=sorted(BROKERS), default="rabbitmq")
    parser.add_argument("--limit", type=float, default=30.0, help="time limit of the large jobs, seconds")
    parser.add_argument("--seeds", type=int, default=3, help="large jobs, each of another seed")
    parser.add_argument("--shared", action="store_true", help="chaos with fewer, larger jobs that two workers share")
    parser.add_argument("--only", choices=sorted(PARTS))


def run(given: Namespace) -> int:
    failed = False
    for name, part in PARTS.items():
        if given.only in (None, name):
            print(f"== {name}", flush=True)
            breaches = anyio.run(part, given)
            for breach in breaches:
                print(f"   BREACH {breach}")
            failed = failed or bool(breaches)
    return int(failed)


class Stage:
    """Folder, database and broker of one part; both behind proxies that can be cut."""

    def __init__(self, given: Namespace) -> None:
        self._given = given

    async def __aenter__(self) -> Stage:
        self._stack, self._closing = ExitStack(), AsyncExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="timetable-cluster-")))
        self.direct = self._stack.enter_context(database(POSTGRES))
        self.database = await self._closing.enter_async_context(Proxy(self.direct))
        self.broker = await self._closing.enter_async_context(Proxy(BROKERS[self._given.broker]))
        return self

    async def __aexit__(self, *error: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._closing.aclose()
            self._stack.close()

    def cluster(self, *, services: int, workers: int, **settings: object) -> Cluster:
        given = {
            **settings,
            "database_url": self.database.url,
            "broker_url": self.broker.url,
            "broker_queue": f"cluster-{os.getpid()}-{self.folder.name[-6:]}",
        }
        return Cluster(self.folder / f"of-{workers}", given, services=services, workers=workers)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.direct) as connection:
            return connection.execute(query.encode()).fetchall()


async def pace(given: Namespace) -> list[str]:
    """Jobs per minute, all posted at once: those that cost nothing to solve, and those that use their second."""
    breaches: list[str] = []
    for workers in (1, 2):
        async with Stage(given) as stage:
            cluster = stage.cluster(services=1, workers=workers)
            async with cluster.running():
                for source, seconds, count in (("trivial", 5.0, given.jobs // 2), ("mini", 1.0, given.jobs // 4)):
                    began = time.monotonic()
                    async with anyio.create_task_group() as tasks:
                        for n in range(count):
                            tasks.start_soon(cluster.submit, f"{source}-{n}", source, seconds, f"org-{n % 3}")
                    posted = time.monotonic() - began
                    await cluster.all_ended(600)
                    took = time.monotonic() - began
                    rate = 60 * count / took
                    print(f"   {workers} worker(s), {source}: {count} posted in {posted:.1f} s, {rate:.0f} jobs/minute")
                await cluster.compare()
            breaches += cluster.ledger.breaches
    return breaches


async def fair(given: Namespace) -> list[str]:
    """Ten organisations post at once, one of them ten times as much. In which order do their jobs begin?"""
    each = max(2, given.jobs // 40)
    async with Stage(given) as stage:
        cluster = stage.cluster(services=1, workers=2)
        async with cluster.running():

            async def post(organisation: str, count: int) -> None:
                for n in range(count):
                    await cluster.submit(f"{organisation}-{n}", "trivial", 5.0, organisation)

            async with anyio.create_task_group() as tasks:
                for n in range(ORGANISATIONS):
                    tasks.start_soon(post, f"org-{n}", each * (10 if n == 0 else 1))
            await cluster.all_ended(600)
            journal = await cluster.compare()
    order = [str(row["job_id"]).rpartition("-")[0] for row in sorted(journal, key=lambda row: row["started_at"])]
    small = [place for place, organisation in enumerate(order) if organisation != GREEDY]
    ahead = sum(organisation == GREEDY for organisation in order[: small[-1]])
    print(f"   9 organisations with {each} jobs, one with {10 * each}: when the last of the nine's jobs begins,")
    print(f"   {ahead} of the tenth's have begun (its fair share is {each})")
    allowed = 2 * each + 6  # it may have begun before the others were heard of
    return cluster.ledger.breaches + ([f"{ahead} jobs of one were begun first"] if ahead > allowed else [])


async def portfolio(given: Namespace) -> list[str]:
    """The same large jobs, one after the other, with one worker each and with two that share each of them."""
    breaches: list[str] = []
    for workers in (1, 2):
        async with Stage(given) as stage:
            cluster = stage.cluster(services=1, workers=workers, slots=1, portfolio_workers=workers)
            async with cluster.running():
                for seed in range(given.seed, given.seed + given.seeds):
                    job_id = f"large-{seed}"
                    await cluster.submit(job_id, LARGE, given.limit, "org-0", seed=seed)
                    await cluster.all_ended(given.limit + 120)
                    view = (await cluster.ask("GET", f"/jobs/{job_id}")).json()
                    took = view["finished_at"] - view["started_at"]
                    print(f"   {workers} worker(s), seed {seed}: cost {view['cost']} after {took:.1f} s", end="")
                    for one in view["portfolio"]:
                        found = "nothing better" if one["cost"] is None else one["cost"]
                        print(f"; {one['role']} found {found}{' (published)' if one['published'] else ''}", end="")
                    print(flush=True)
                await cluster.compare()
            breaches += cluster.ledger.breaches
    return breaches


async def chaos(given: Namespace) -> list[str]:
    rng, harms = random.Random(given.seed), Counter[str]()
    async with Stage(given) as stage:
        sources, pause = (SHARED, 10.0) if given.shared else (SOURCES, 2.0)
        cluster = stage.cluster(services=2, workers=2, portfolio_workers=1 + given.shared, portfolio_sessions=1)
        began = time.monotonic()
        async with cluster.running():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cluster.keep_alive)
                tasks.start_soon(_harm, cluster, rng, given.every, harms)
                for n, (source, seconds) in enumerate([rng.choice(sources) for _ in range(given.jobs)]):
                    await cluster.submit(f"job-{n}", source, seconds, f"org-{n % ORGANISATIONS}")
                    for part, proxy in ((1, stage.database), (2, stage.broker)):
                        if n == part * given.jobs // 3:
                            tasks.start_soon(_outage, proxy, given.outage, cluster, part == 1)
                    await anyio.sleep(rng.uniform(0.0, pause))
                await cluster.all_ended(900)
                tasks.cancel_scope.cancel()
            took = time.monotonic() - began
            for member in cluster.services:
                if not member.alive:
                    member.start()
            journal = await cluster.compare()
        double = stage.rows("SELECT job_id FROM results GROUP BY job_id HAVING count(*) > 1")
        helped = dict(
            stage.rows("SELECT coalesce(how, 'at work'), count(*) FROM portfolio WHERE number > 0 GROUP BY 1")
        )
        refused = sum(m.said("its end was refused") + m.said("was taken over meanwhile") for m in cluster.members)
    ends = Counter(row["how"] for row in journal)
    completed = sum(entry.ended_as == "completed" for entry in cluster.ledger.entries.values())
    print(f"   {given.jobs} jobs in {took:.0f} s, {completed} completed; harms: {dict(harms)}")
    print(f"   attempts: {dict(ends)}; refused ends of attempts that were taken over: {refused}; double: {len(double)}")
    print(f"   assistants: {helped or 'none'}")
    return cluster.ledger.breaches + [f"job {job_id} has two results" for (job_id,) in double]


async def _harm(cluster: Cluster, rng: random.Random, every: float, harms: Counter[str]) -> None:
    """Kills, stops or ends one of them every few seconds; at least one service and one worker are left alone."""
    async with anyio.create_task_group() as tasks:
        while True:
            await anyio.sleep(rng.uniform(0.5, 1.5) * every)
            kind = rng.choice((cluster.services, cluster.workers))
            how, seconds = rng.choice(("kill", "kill", "stop", "end")), rng.uniform(1.0, LONGEST_STOP_SECONDS)
            if sum(member.stopped for member in kind) or not all(member.alive for member in kind):
                continue
            if cluster.quiet:
                continue
            victim = rng.choice(kind)
            harms[f"{how} {victim.name.partition('-')[0]}"] += 1
            if how == "stop":
                tasks.start_soon(_stop, victim, seconds)
            else:
                victim.signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)


async def _stop(victim: Member, seconds: float) -> None:
    victim.signal(signal.SIGSTOP)
    victim.stopped = True
    try:
        await anyio.sleep(seconds)
    finally:
        victim.signal(signal.SIGCONT)
        victim.stopped = False


async def _outage(proxy: Proxy, seconds: float, cluster: Cluster, shuts: bool) -> None:
    """Cuts one of them off. Without the database no service may say that it is ready; without the broker it may."""
    cluster.quiet = True  # what is measured here would be that of a service which begins
    with anyio.move_on_after(60):
        while not all(member.alive for member in cluster.members) or not all(await cluster.readiness()):
            await anyio.sleep(0.2)
    began = time.monotonic()
    proxy.cut()
    seen: list[bool] = []
    while time.monotonic() - began < seconds:
        ready = await cluster.readiness()
        if shuts and time.monotonic() - began > READY_WITHIN_SECONDS and any(ready):
            cluster.ledger.breach("a service said that it was ready without its database")
        seen.append(any(ready))
        await anyio.sleep(0.5)
    proxy.restore()
    restored = time.monotonic()
    while not any(await cluster.readiness()):
        await anyio.sleep(0.1)
    cluster.quiet = False
    name = "database" if shuts else "broker"
    share = sum(seen) / max(1, len(seen))
    print(f"   {name} away for {seconds:.0f} s: a service was ready in {share:.0%} of the looks, ", end="")
    print(f"and {time.monotonic() - restored:.1f} s after it was back", flush=True)


PARTS: Mapping[str, Callable[[Namespace], Awaitable[list[str]]]] = {
    "pace": pace,
    "fair": fair,
    "portfolio": portfolio,
    "chaos": chaos,
}
