"""What happens to jobs when workers are killed or stopped, messages come often or never, and the broker is away."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from app.cluster.broker import TASK
from tests.cluster.conftest import order, places_with, results_of
from tests.cluster.rig import SECONDS, Cluster, celery
from tests.proxy import Proxy
from tests.service.solvers import COST_PER_COURSE, COURSES

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[str, str, str]]:
    """Database, broker and queue."""
    with places_with("rabbitmq") as places:
        yield places


@pytest.fixture(scope="module")
async def proxy(places: tuple[str, str, str], anyio_backend: str) -> AsyncIterator[Proxy]:
    async with Proxy(places[1]) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def cluster(
    places: tuple[str, str, str], proxy: Proxy, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Cluster]:
    """One service and two workers of one slot; the broker is behind the proxy."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), places[0], proxy.url, places[2])
    for _ in range(2):
        cluster.add_worker()
    try:
        await cluster.ready(workers=2)
        yield cluster
    finally:
        await cluster.close()


async def broker_is(cluster: Cluster, *, up: bool) -> None:
    with anyio.fail_after(SECONDS):
        while (await cluster.get("/health"))["queue"]["broker"]["up"] is not up:
            await anyio.sleep(0.1)


async def alerted(cluster: Cluster, name: str) -> None:
    with anyio.fail_after(SECONDS):
        while name not in [alert["alert"] for alert in (await cluster.get("/health"))["alerts"]]:
            await anyio.sleep(0.1)


async def test_a_message_that_comes_a_hundred_times_runs_its_job_once(
    cluster: Cluster, places: tuple[str, str, str]
) -> None:
    database, broker, queue = places
    await cluster.post(order("often", "steady"))
    app = celery(broker, queue)
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for number in range(100):
            app.send_task(TASK, args=["often"], task_id=f"often:1:{number}", producer=producer)
        for nonsense in (["no job of ours"], ["../../etc"], [{"job": 1}], [], ["often", 2]):
            app.send_task(TASK, args=nonsense, producer=producer)
    assert (await cluster.ended("often"))["attempt"] == 1
    await cluster.post(order("next", "quick"))  # behind all of them
    assert (await cluster.ended("next"))["status"] == "completed"
    assert await cluster.attempts("often") == ["result"]
    assert results_of(database, "often") == [1]


async def test_when_a_worker_is_killed_another_goes_on_from_its_best_timetable(
    cluster: Cluster, places: tuple[str, str, str]
) -> None:
    await cluster.post(order("killed", "patient"))
    before = await cluster.searching("killed")
    told = await cluster.until(
        "killed", lambda found: found["metadata"]["stage"] == "search" and found["message"] != ""
    )
    assert told["health"] == "ok" and told["last_beat_at"] is not None
    killed = await cluster.worker_of("killed")
    killed.kill()
    cluster.workers.remove(killed)
    told = await cluster.searching("killed", attempt=2)
    assert told["cost"] == before["cost"] == COST_PER_COURSE * (COURSES - 3)
    assert await cluster.worker_of("killed") is cluster.workers[0]
    await cluster.http.post("/finish/killed")
    assert (await cluster.ended("killed"))["status"] == "completed"
    assert await cluster.attempts("killed") == ["service_lost", "result"]
    assert results_of(places[0], "killed") == [2]
    shown = {one["pid"]: one["silent"] for one in (await cluster.get("/workers"))["workers"]}
    assert shown == {killed.pid: True, cluster.workers[0].pid: False}
    await alerted(cluster, "worker_lost")
    assert f"process {killed.pid}" in cluster.service.said()
    cluster.add_worker()
    await cluster.ready(workers=2)


async def test_what_a_worker_writes_that_was_stopped_for_longer_than_its_lease_is_refused(
    cluster: Cluster, places: tuple[str, str, str]
) -> None:
    await cluster.post(order("stopped", "patient"))
    await cluster.searching("stopped")
    stopped = await cluster.worker_of("stopped")
    stopped.signal(signal.SIGSTOP)
    await cluster.searching("stopped", attempt=2)
    stopped.signal(signal.SIGCONT)
    await cluster.ready(workers=2)
    assert (await cluster.get("/progress/stopped"))["attempt"] == 2
    await cluster.http.post("/finish/stopped")
    assert (await cluster.ended("stopped"))["attempt"] == 2
    assert await cluster.attempts("stopped") == ["service_lost", "result"]
    assert results_of(places[0], "stopped") == [2]


async def test_a_worker_that_is_told_to_end_gives_its_job_to_another_at_once(cluster: Cluster) -> None:
    await cluster.post(order("given-back", "patient"))
    await cluster.searching("given-back")
    outcome = await cluster.worker_of("given-back")
    assert await anyio.to_thread.run_sync(outcome.stop) == 0
    cluster.workers.remove(outcome)
    await cluster.searching("given-back", attempt=2)
    await cluster.http.post("/finish/given-back")
    assert (await cluster.ended("given-back"))["status"] == "completed"
    assert await cluster.attempts("given-back") == ["shutdown", "result"]


async def test_while_the_broker_is_away_jobs_are_taken_and_they_begin_when_it_is_back(
    cluster: Cluster, proxy: Proxy
) -> None:
    proxy.cut()
    try:
        await cluster.post(order("patience", "quick"))
        await broker_is(cluster, up=False)
        ready = await cluster.get("/health/ready")
        assert ready["ready"] and "broker does not answer" in ready["notes"][0]
        assert (await cluster.get("/progress/patience"))["status"] == "queued"
    finally:
        proxy.restore()
    assert (await cluster.ended("patience"))["status"] == "completed"
    await broker_is(cluster, up=True)
    assert "notes" not in await cluster.get("/health/ready")
