"""`timetable serve --queue celery` and `timetable worker`, as they are, with each of the brokers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from tests.cluster.conftest import places_with
from tests.cluster.rig import COMMAND, LOOPBACK, ROOT, Cluster
from tests.real import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
async def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Cluster]:
    """One service, and workers that tests start."""
    with places_with(request.param) as places:
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), *places, COMMAND)
        try:
            yield cluster
        finally:
            await cluster.close()


@pytest.fixture
async def cluster(whole: Cluster) -> Cluster:
    """The same with one worker of two slots at rest."""
    if not whole.workers:
        whole.add_worker(slots=2)
    await whole.ready(workers=1)
    return whole


async def test_a_worker_shows_its_figures_where_it_is_told_to_and_nothing_else(cluster: Cluster) -> None:
    port = free_port()
    cluster.add_worker("--metrics-port", str(port))
    await cluster.ready(workers=2)
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}") as worker:
        assert (await worker.get("/health/live")).json() == {"status": "alive"}
        shown = (await worker.get("/api/metrics")).raise_for_status().text
        assert 'timetable_slots{state="free"} 1.0' in shown
        assert 'timetable_queue_messages_total{result="failed"} 0.0' in shown
        for path in ("/", "/jobs", "/workers", "/health", "/openapi.json", "/docs"):
            assert (await worker.get(path)).status_code == 404, path
    late = cluster.start("late", "worker", "--metrics-port", str(port))
    assert await anyio.to_thread.run_sync(late.wait) == 1
    assert f"cannot listen on {LOOPBACK}:{port}: address already in use; choose another --metrics-port" in " ".join(
        late.said().split()
    )
    assert await anyio.to_thread.run_sync(cluster.workers.pop().stop) == 0


async def test_a_job_goes_in_at_the_service_and_is_solved_by_the_worker(cluster: Cluster) -> None:
    for job_id in ("a", "b"):
        await cluster.post({"job_id": job_id, "dataset_name": "tiny", "num_variants": 1, "time_limit_seconds": 1})
    for job_id in ("a", "b"):
        assert (await cluster.ended(job_id))["status"] == "completed"
        assert await cluster.attempts(job_id) == ["result"]
    variants = await cluster.get("/variants/a")
    assert variants["variants"][0]["verified"] is True
    found = await cluster.get("/workers")
    (worker,) = found["workers"]
    assert (worker["pid"], worker["slots"], worker["silent"]) == (cluster.workers[0].pid, 2, False)
    assert found["queue"]["broker"] == {"up": True, "error": None}
    assert await anyio.to_thread.run_sync(cluster.workers.pop().stop) == 0
    assert (await cluster.get("/workers"))["workers"] == []


@pytest.mark.parametrize("words", [["worker"], ["serve", "--queue", "celery", "--port", "0"]])
def test_without_a_database_or_a_broker_nothing_starts_and_the_reason_is_said(words: list[str], tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TIMETABLE_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, *COMMAND, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert "TIMETABLE_DATABASE_URL" in ended.stderr and "TIMETABLE_BROKER_URL" in ended.stderr


def test_a_worker_that_everybody_can_reach_without_keys_does_not_start_and_says_that_it_is_the_worker(
    tmp_path: Path,
) -> None:
    environment = {
        **os.environ,
        "TIMETABLE_DATA_DIR": str(tmp_path),
        "TIMETABLE_HOST": "0.0.0.0",
        "TIMETABLE_DATABASE_URL": f"postgresql://nobody@{LOOPBACK}:1/none",
        "TIMETABLE_BROKER_URL": f"redis://{LOOPBACK}:1/0",
    }
    ended = subprocess.run(
        [sys.executable, *COMMAND, "worker", "--metrics-port", str(free_port())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 1
    assert "the worker cannot start: API keys: 0.0.0.0 can be reached" in said and "the service" not in said
