"""The same supervision around the real solver on a real-sized college; the first run on a machine compiles kernels."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest

from app.domain.jobs import JobRequest
from app.domain.messages import pack
from app.domain.options import SolveOptions
from app.processes.last_recount import check
from app.service.supervisor import Supervisor
from app.settings import Settings
from solver.formats import dump_dataset, load_dataset, load_result
from solver.samples import sample
from tests.effort import PROMPT_SECONDS
from tests.service.conftest import child_pid, ended, how_attempts_ended, searching, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SEARCH_SECONDS = 60.0
COMPILE_SECONDS = 300.0


@pytest.fixture(scope="module")
async def supervisor(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Supervisor]:
    async with Supervisor(Settings(data_dir=tmp_path_factory.mktemp("real"), slots=1)) as supervisor:
        yield supervisor


async def search(supervisor: Supervisor, job_id: str) -> None:
    """Submits the college and waits until it is being searched."""
    college = pack(dump_dataset(sample("college")))
    await supervisor.submit(
        JobRequest(
            job_id=job_id,
            body_hash="h",
            packed=college,
            options=SolveOptions(time_limit_seconds=SEARCH_SECONDS, num_variants=1),
        )
    )
    await until(supervisor, job_id, lambda s: s["status"] == "running", COMPILE_SECONDS)
    await searching(supervisor, job_id)


async def verified_cost(supervisor: Supervisor, job_id: str) -> int:
    """Cost of the published result, recounted here once more."""
    stored = await supervisor.result(job_id)
    assert stored is not None
    result = load_result(stored.result)
    check(result, load_dataset(stored.dataset))
    assert result.best.score.complete
    return result.best.score.soft


async def test_a_search_killed_by_kill_9_ends_no_worse_than_what_it_had_reported(supervisor: Supervisor) -> None:
    await search(supervisor, "killed")
    reported = await until(supervisor, "killed", lambda s: s["percentage"] > 22)
    os.kill(await child_pid(supervisor, "killed"), signal.SIGKILL)
    again = ("search", "exact")
    await until(supervisor, "killed", lambda s: s["attempt"] == 2 and s["metadata"]["stage"] in again)
    await supervisor.finish("killed")
    last = await ended(supervisor, "killed")
    assert last["status"] == "completed" and last["cost"] <= reported["cost"]
    assert await verified_cost(supervisor, "killed") == last["cost"]
    assert (await how_attempts_ended(supervisor, "killed"))[0] == "crash"


async def test_a_finish_during_search_gives_a_verified_result_soon(supervisor: Supervisor) -> None:
    await search(supervisor, "finished")
    await supervisor.finish("finished")
    last = await ended(supervisor, "finished", PROMPT_SECONDS)
    job = await supervisor.job("finished")
    assert job is not None
    assert (last["status"], job.stopped_by) == ("completed", "finished_early")
    assert await verified_cost(supervisor, "finished") == last["cost"]


async def test_a_cancel_during_search_is_done_soon(supervisor: Supervisor) -> None:
    await search(supervisor, "cancelled")
    await supervisor.cancel("cancelled")
    assert (await ended(supervisor, "cancelled", PROMPT_SECONDS))["status"] == "cancelled"
