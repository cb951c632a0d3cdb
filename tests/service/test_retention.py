"""Ended jobs go: when somebody says so, when they are too old, when they are too many."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from app.domain.jobs import JobStateError, Status, new_job
from app.service import retention
from app.service.retention import DAY
from app.service.supervisor import Supervisor
from app.store.sqlite import SqliteStore
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import Open, ended, request, searching

pytestmark = pytest.mark.anyio


def leave(folder: Path, ages_in_days: dict[str, float]) -> None:
    """A store with jobs that ended that long ago."""
    store, now = SqliteStore(folder), time.time()
    for job_id, days in ages_in_days.items():
        wanted = request(job_id)
        job, _ = store.submit(new_job(wanted, now - days * DAY), wanted.packed, 100)
        store.move(job, replace(job, status=Status.CANCELLED, finished_at=now - days * DAY))
    store.close()


async def left(supervisor: Supervisor, count: int) -> set[str]:
    with anyio.fail_after(PATIENCE_SECONDS):
        while len(await supervisor.jobs(limit=1000)) > count:
            await anyio.sleep(0.01)
    return {job.id for job in await supervisor.jobs(limit=1000)}


async def test_a_deleted_job_is_gone_from_memory_and_store_and_its_id_is_free(open_service: Open) -> None:
    async with open_service(slots=2) as supervisor:
        for job_id, behaviour in (("j", "steady"), ("busy", "patient")):
            await supervisor.submit(request(job_id, behaviour))
        await searching(supervisor, "busy")
        with pytest.raises(JobStateError, match="not possible to delete"):
            await supervisor.delete("busy")
        await ended(supervisor, "j")
        seen = await supervisor.wait_for_change("j", -1, 0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.wait_for_change, "j", seen, 30.0)
            await anyio.wait_all_tasks_blocked()
            deleted = await supervisor.delete("j")
        assert deleted is not None and deleted.status is Status.COMPLETED
        assert await supervisor.delete("j") is None and await supervisor.delete("never") is None
        assert (supervisor.snapshot("j"), await supervisor.job("j"), await supervisor.result("j")) == (None,) * 3
        assert await supervisor.attempts("j") == [] and supervisor._store.dataset("j") is None
        await supervisor.submit(request("j"))
        waiting = supervisor.snapshot("j")
        assert waiting is not None and waiting["attempt"] in (0, 1)
        await supervisor.cancel("busy")
        assert (await ended(supervisor, "j"))["status"] == "completed"


async def test_old_jobs_go_and_among_too_many_the_oldest(
    open_service: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.0)
    leave(tmp_path, {"ancient": 400, "old": 31, "recent": 29, **{f"n{i:02}": 1 + i / 100 for i in range(50)}})
    async with open_service(keep_days=30, keep_jobs=0) as supervisor:
        assert await left(supervisor, 51) == {"recent", *(f"n{i:02}" for i in range(50))}
    async with open_service(keep_days=0, keep_jobs=10) as supervisor:
        assert await left(supervisor, 10) == {f"n{i:02}" for i in range(10)}
    async with open_service(keep_days=0, keep_jobs=0) as supervisor:
        assert await supervisor._retention.sweep() == 0
        assert len(await supervisor.jobs()) == 10
