"""A large job on several workers: who helps, whose timetable is published, and what happens to either of them."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from tests.cluster.conftest import order, places_with, results_of
from tests.cluster.rig import SECONDS, Cluster, Process
from tests.effort import PROMPT_SECONDS
from tests.service.quick import GOOD, POOR
from tests.service.solvers import COURSES, cost

pytestmark = pytest.mark.anyio
UNTIL_FINISHED = 600
"""Time limit of a job that the test itself ends, however long the machine takes until then."""
LARGE = {"TIMETABLE_PORTFOLIO_WORKERS": "2", "TIMETABLE_PORTFOLIO_SESSIONS": str(COURSES)}


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[str, str, str]]:
    """Database, broker and queue."""
    with places_with("redis") as places:
        yield places


@pytest.fixture(scope="module")
async def whole(
    places: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Cluster]:
    """One service and workers of one slot."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), *places, given=LARGE)
    try:
        yield cluster
    finally:
        await cluster.close()


@pytest.fixture
async def cluster(whole: Cluster) -> Cluster:
    """The same with two workers at rest."""
    while len(whole.workers) < 2:
        whole.add_worker()
    await whole.ready(workers=2)
    return whole


async def helped(cluster: Cluster, job_id: str, wanted: int = 1) -> list[Process]:
    """The workers that assist a job, once there are as many as are wanted."""
    with anyio.fail_after(SECONDS):
        while True:
            shown = (await cluster.get("/workers"))["workers"]
            pids = [one["pid"] for one in shown if job_id in one["assisting"]]
            if len(pids) == wanted:
                return [worker for worker in cluster.workers if worker.pid in pids]
            await anyio.sleep(0.05)


async def portfolio(cluster: Cluster, job_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await cluster.get(f"/jobs/{job_id}"))["portfolio"]
    return rows


async def has_found(cluster: Cluster, job_id: str, level: int) -> None:
    """Waits until an assistant has found a timetable of this level."""
    with anyio.fail_after(SECONDS):
        while all(row["cost"] != cost(level) or not row["number"] for row in await portfolio(cluster, job_id)):
            await anyio.sleep(0.05)


async def finished(cluster: Cluster, job_id: str) -> dict[str, Any]:
    (await cluster.http.post(f"/finish/{job_id}")).raise_for_status()
    found = await cluster.ended(job_id)
    assert found["status"] == "completed"
    return found


async def test_an_idle_worker_assists_and_its_better_timetable_is_published(
    cluster: Cluster, places: tuple[str, str, str]
) -> None:
    await cluster.post(order("large", "seeded", seed=7, time_limit_seconds=UNTIL_FINISHED))
    await cluster.searching("large")
    owner = await cluster.worker_of("large")
    (assistant,) = await helped(cluster, "large")
    assert assistant is not owner
    await cluster.until("large", lambda seen: seen["cost"] == cost(GOOD))
    assert (await finished(cluster, "large"))["cost"] == cost(GOOD)
    assert await cluster.attempts("large") == ["result"]
    assert results_of(places[0], "large") == [1]
    ours, theirs = await portfolio(cluster, "large")
    assert (ours["role"], ours["seed"], ours["cost"], ours["how"], ours["published"]) == (
        "owner",
        7,
        cost(POOR),
        "result",
        False,
    )
    assert (theirs["role"], theirs["cost"], theirs["how"], theirs["published"]) == (
        "assistant",
        cost(GOOD),
        "over",
        True,
    )
    assert theirs["seed"] != 7 and theirs["ended_at"] >= theirs["began_at"]
    workers = {one["id"]: one["pid"] for one in (await cluster.get("/workers"))["workers"]}
    assert (workers[ours["worker"]], workers[theirs["worker"]]) == (owner.pid, assistant.pid)
    variant = (await cluster.get("/variants/large"))["variants"][0]
    assert (variant["cost"], variant["verified"]) == (cost(GOOD), True)
    await helped(cluster, "large", 0)


async def test_a_job_whose_request_wants_one_worker_has_one(cluster: Cluster) -> None:
    await cluster.post(order("alone", "seeded", portfolio_workers=1, time_limit_seconds=4))
    assert (await cluster.ended("alone"))["cost"] == cost(POOR)
    assert await portfolio(cluster, "alone") == []


async def test_of_two_timetables_the_better_one_is_published_whoever_found_it(cluster: Cluster) -> None:
    await cluster.post(order("equal", "steady", time_limit_seconds=30))
    assert (await cluster.ended("equal"))["cost"] == 0
    assert not any(row["published"] for row in await portfolio(cluster, "equal") if row["number"])


async def test_an_assistant_that_is_killed_costs_nothing(cluster: Cluster) -> None:
    await cluster.post(order("orphaned", "seeded", time_limit_seconds=UNTIL_FINISHED))
    (killed,) = await helped(cluster, "orphaned")
    await cluster.until("orphaned", lambda seen: seen["cost"] == cost(GOOD))
    killed.kill()
    cluster.workers.remove(killed)
    await helped(cluster, "orphaned", 0)  # its lease has run out
    seen = await cluster.get("/progress/orphaned")
    assert (seen["status"], seen["attempt"], seen["cost"]) == ("running", 1, cost(GOOD))
    cluster.add_worker()
    await helped(cluster, "orphaned")
    assert (await finished(cluster, "orphaned"))["attempt"] == 1
    rows = await portfolio(cluster, "orphaned")
    assert [(row["number"], row["how"], row["published"]) for row in rows] == [
        (0, "result", False),
        (1, "lost", True),
        (2, "over", False),
    ]


async def test_what_an_assistant_writes_that_was_stopped_for_too_long_is_refused(cluster: Cluster) -> None:
    await cluster.post(order("slept", "seeded", time_limit_seconds=UNTIL_FINISHED))
    (stopped,) = await helped(cluster, "slept")
    stopped.signal(signal.SIGSTOP)
    try:
        await helped(cluster, "slept", 0)  # its lease has run out
        await finished(cluster, "slept")
        rows = await portfolio(cluster, "slept")
    finally:
        stopped.signal(signal.SIGCONT)
    await cluster.ready(workers=2)
    await cluster.post(order("awake", "quick", portfolio_workers=1))
    assert (await cluster.ended("awake"))["status"] == "completed"
    with anyio.fail_after(SECONDS):  # as what it says it has ended depends on where it was stopped
        while "job slept, attempt 1: assistant 1 has ended" not in stopped.said():
            await anyio.sleep(0.1)
    assert await portfolio(cluster, "slept") == rows
    assert await cluster.attempts("slept") == ["result"]


async def test_when_the_owner_is_killed_the_next_attempt_begins_with_the_best_of_all(
    cluster: Cluster, places: tuple[str, str, str]
) -> None:
    await cluster.post(order("bereft", "deaf", time_limit_seconds=UNTIL_FINISHED))
    await cluster.searching("bereft")
    owner = await cluster.worker_of("bereft")
    (assistant,) = await helped(cluster, "bereft")
    await has_found(cluster, "bereft", GOOD)
    assert (await cluster.get("/progress/bereft"))["cost"] == cost(POOR)  # its owner does not listen
    owner.kill()
    cluster.workers.remove(owner)
    told = await cluster.searching("bereft", attempt=2)
    assert told["cost"] == cost(GOOD)
    assert await cluster.worker_of("bereft") is assistant
    assert (await finished(cluster, "bereft"))["cost"] == cost(GOOD)
    assert await cluster.attempts("bereft") == ["service_lost", "result"]
    assert results_of(places[0], "bereft") == [2]


@pytest.mark.parametrize("ask", ["cancel", "finish"])
async def test_a_request_to_end_frees_the_assistant_soon(cluster: Cluster, ask: str) -> None:
    await cluster.post(order(ask, "seeded", time_limit_seconds=UNTIL_FINISHED))
    await helped(cluster, ask)
    await cluster.until(ask, lambda seen: seen["cost"] == cost(GOOD))
    began = anyio.current_time()
    await cluster.http.post(f"/{ask}/{ask}")
    await helped(cluster, ask, 0)
    assert anyio.current_time() - began < PROMPT_SECONDS
    await cluster.ended(ask)
    rows = await portfolio(cluster, ask)
    assert [(row["number"], row["published"]) for row in rows] == [(0, False), (1, True)]
    assert (rows[0]["cost"], rows[1]["cost"]) == (cost(POOR), cost(GOOD))


async def test_a_waiting_job_of_anybody_takes_the_slot_of_an_assistant(cluster: Cluster) -> None:
    await cluster.post(order("greedy", "seeded", organization_id="greedy", time_limit_seconds=UNTIL_FINISHED))
    await helped(cluster, "greedy")
    await cluster.post(order("modest", "steady", organization_id="modest", portfolio_workers=1))
    assert (await cluster.ended("modest"))["status"] == "completed"
    assert (await cluster.get("/progress/greedy"))["status"] == "running"
    await helped(cluster, "greedy")  # there is nothing else to do again
    await finished(cluster, "greedy")
    assert [row["how"] for row in await portfolio(cluster, "greedy")] == ["result", "yielded", "over"]


async def test_a_worker_that_is_told_to_end_leaves_the_job_it_assists(cluster: Cluster) -> None:
    await cluster.post(order("left", "seeded", time_limit_seconds=UNTIL_FINISHED))
    (outcome,) = await helped(cluster, "left")
    assert await anyio.to_thread.run_sync(outcome.stop) == 0
    cluster.workers.remove(outcome)
    assert (await finished(cluster, "left"))["attempt"] == 1
    assert [row["how"] for row in await portfolio(cluster, "left")] == ["result", "shutdown"]
