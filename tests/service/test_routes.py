"""The routes of this part over HTTP: deleting, dead letters and their evidence, a disk without room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import anyio
import httpx
import pytest

from app import main
from app.processes import salvage as child_kept
from app.service import published as results
from app.service.supervisor import Supervisor
from app.settings import Settings
from solver.rules import Score
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import SOLVE, searching
from tests.service.solvers import campus, cost

pytestmark = pytest.mark.anyio

TERMINAL = ("completed", "failed", "cancelled")


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("routes"), slots=4, retry_wait_seconds=0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "Supervisor", partial(Supervisor, solve=SOLVE))
        application = main.create_app(settings)
        async with application.router.lifespan_context(application):
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://service", timeout=30) as client:
                client.supervisor = application.state.service.supervisor  # type: ignore[attr-defined]
                yield client


async def submit(client: httpx.AsyncClient, job_id: str, behaviour: str) -> httpx.Response:
    return await client.post("/generate", json={"job_id": job_id, "dataset": campus(behaviour), "num_variants": 1})


async def finished(client: httpx.AsyncClient, job_id: str) -> str:
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            status: str = (await client.get(f"/progress/{job_id}")).json()["status"]
            if status in TERMINAL:
                return status
            await anyio.sleep(0.05)


async def test_an_ended_job_can_be_deleted_and_one_at_work_cannot(client: httpx.AsyncClient) -> None:
    await submit(client, "old", "quick")
    assert await finished(client, "old") == "completed"
    answer = await client.delete("/jobs/old")
    assert (answer.status_code, answer.json()["status"]) == (200, "deleted")
    assert (await client.get("/jobs/old")).status_code == 404
    assert (await client.get("/variants/old")).status_code == 404
    assert (await client.delete("/jobs/old")).json()["code"] == "job_not_found"
    await submit(client, "busy", "patient")
    refused = await client.delete("/jobs/busy")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_state")
    await client.post("/cancel/busy")
    assert await finished(client, "busy") == "cancelled"


async def test_a_dead_letter_is_shown_as_such_with_its_evidence(client: httpx.AsyncClient) -> None:
    await submit(client, "poison", "crash_always")
    await submit(client, "fine", "quick")
    assert (await finished(client, "poison"), await finished(client, "fine")) == ("failed", "completed")
    (listed,) = (await client.get("/jobs", params={"dead_letter": True})).json()["jobs"]
    assert (listed["job_id"], listed["dead_letter"]) == ("poison", True)
    fine = (await client.get("/jobs/fine")).json()
    assert (fine["dead_letter"], fine["percent"]) == (False, 100.0)
    bundle = await client.get("/jobs/poison/attempts/3/diagnosis")
    assert bundle.status_code == 200 and bundle.json()
    for path, code in (
        ("poison/attempts/4", "no_diagnosis"),
        ("fine/attempts/1", "no_diagnosis"),
        ("x/attempts/1", "job_not_found"),
    ):
        answer = await client.get(f"/jobs/{path}/diagnosis")
        assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_what_a_cancelled_job_held_is_recounted_by_a_reader_process(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor: Supervisor = client.supervisor  # type: ignore[attr-defined]
    await submit(client, "held", "stubborn")
    await searching(supervisor, "held")
    await client.post("/cancel/held")
    assert await finished(client, "held") == "cancelled"

    def not_here(held: object) -> None:
        raise AssertionError("the service has better things to do")

    for module in (results, child_kept):
        monkeypatch.setattr(module, "recount", not_here)
    answer = await client.get("/variants/held")
    assert answer.status_code == 200, answer.text
    assert answer.json()["stopped_by"] == "cancelled"
    job = supervisor.known("held")
    assert job is not None and (job.result_attempt, job.quality, job.score) == (1, "feasible", Score(0, 0, 0, cost(3)))


async def test_without_room_on_the_disk_a_new_job_is_told_to_come_back(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor: Supervisor = client.supervisor  # type: ignore[attr-defined]
    reserve = supervisor._desk.disk_reserve
    monkeypatch.setattr(reserve, "_least_bytes", 1 << 60)
    reserve.look()
    refused = await submit(client, "late", "quick")
    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await client.get("/health/ready")).status_code == 503
    monkeypatch.undo()
    reserve.look()
    assert (await submit(client, "late", "quick")).status_code == 200
    assert await finished(client, "late") == "completed"
