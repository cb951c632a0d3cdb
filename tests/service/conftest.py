"""A real supervisor with real child processes; only the function that solves is chosen by the test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from app.domain.jobs import JobRequest, Status
from app.domain.messages import pack
from app.domain.telemetry import nobody
from app.processes.vitals import TAG
from app.service.supervisor import Supervisor
from app.settings import Settings
from tests.effort import PATIENCE_SECONDS
from tests.options import with_options
from tests.postgres import database
from tests.service.solvers import campus

SOLVE = "tests.service.quick:solve"
Open = Callable[..., AbstractAsyncContextManager[Supervisor]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Supervisor]:
    """One supervisor for all tests of a module that ask for it; each of them uses job ids of its own."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("shared"), slots=12, readers=1, retry_wait_seconds=0.1)
    async with Supervisor(settings, solve=SOLVE) as supervisor:
        yield supervisor


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Where the store is, as settings."""
    if request.param == "sqlite":
        yield {"data_dir": tmp_path}
    else:
        with database() as url:
            yield {"data_dir": tmp_path, "database_url": url}


@pytest.fixture
def open_service(tmp_path: Path) -> Iterator[Open]:
    """Opens a supervisor on the test's folder, again and again if wanted. No process may survive the test."""
    tags: list[str] = []

    @asynccontextmanager
    async def opened(**given: Any) -> AsyncIterator[Supervisor]:
        observe = given.pop("observe", nobody)
        settings = Settings(**{"data_dir": tmp_path, "slots": 1, "readers": 1, "retry_wait_seconds": 0.1, **given})
        async with Supervisor(settings, solve=SOLVE, observe=observe) as supervisor:
            tags.append(supervisor._tag)
            yield supervisor

    yield opened
    survivors = [process for process in psutil.process_iter() if tag_of(process) in tags]
    assert not survivors, f"left running: {survivors}"


def tag_of(process: psutil.Process) -> str | None:
    try:
        tag: str | None = process.environ().get(TAG)
    except (psutil.Error, OSError):
        return None
    return tag


def request(job_id: str, behaviour: str = "steady", **given: Any) -> JobRequest:
    fields: dict[str, Any] = {
        "body_hash": f"hash of {behaviour}",
        "time_limit_seconds": 30.0,
        "num_variants": 1,
        **given,
    }
    return JobRequest(job_id=job_id, packed=pack(campus(behaviour)), **with_options(fields))


async def until(
    supervisor: Supervisor, job_id: str, wanted: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE_SECONDS
) -> dict[str, Any]:
    """Follows the progress of a job until a snapshot is as wanted."""
    seen = -1
    with anyio.fail_after(seconds):
        while True:
            snapshot = supervisor.snapshot(job_id)
            assert snapshot is not None
            if wanted(snapshot):
                return snapshot
            seen = await supervisor.wait_for_change(job_id, seen, 1.0)


async def ended(supervisor: Supervisor, job_id: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    return await until(supervisor, job_id, lambda snapshot: Status(snapshot["status"]).terminal, seconds)


async def searching(supervisor: Supervisor, job_id: str) -> dict[str, Any]:
    """Waits until the job has a timetable and searches on."""
    return await until(
        supervisor,
        job_id,
        lambda s: s["cost"] is not None and s["metadata"]["stage"] == "search" and s["status"] == "running",
    )


async def child_pid(supervisor: Supervisor, job_id: str) -> int:
    """The process id of the running attempt, from the journal."""
    pid = (await supervisor.attempts(job_id))[-1]["pid"]
    assert isinstance(pid, int)
    return pid


async def how_attempts_ended(supervisor: Supervisor, job_id: str) -> list[str | None]:
    return [row["how"] for row in await supervisor.attempts(job_id)]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
