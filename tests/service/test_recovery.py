"""Services that stop, are killed, and start again on the same folder."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import anyio
import psutil
import pytest

from app.domain.jobs import Status
from app.processes.last_recount import check
from app.processes.vitals import TAG
from app.store import StoreLocked
from app.store.sqlite import FILE_NAME, SqliteStore
from solver.formats.native import load_dataset, load_result
from tests.effort import PATIENCE_SECONDS, PROMPT_SECONDS
from tests.service.conftest import (
    Open,
    child_pid,
    ended,
    how_attempts_ended,
    lives,
    request,
    searching,
    tag_of,
    until,
)
from tests.service.solvers import cost

pytestmark = pytest.mark.anyio

SERVICE = """
import signal
import sys
from pathlib import Path
import anyio
import app.store.sqlite
from app.settings import Settings
from app.service.supervisor import Supervisor
from tests.service.conftest import SOLVE, child_pid, request, searching

app.store.sqlite.BUSY_TIMEOUT_SECONDS = 0.3

async def main():
    async with Supervisor(Settings(data_dir=Path(sys.argv[1]), slots=1), solve=SOLVE) as supervisor:
        await supervisor.submit(request("running", "patient", time_limit_seconds=float(sys.argv[2])))
        await supervisor.submit(request("waiting", "quick"))
        await searching(supervisor, "running")
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            print(await child_pid(supervisor, "running"), flush=True)
            async for _ in signals:
                break

anyio.run(main)
"""


class Service:
    """A whole service in a process of its own, with one job running and one waiting."""

    def __init__(self, folder: Path, time_limit_seconds: float = 2.0) -> None:
        command = [sys.executable, "-c", SERVICE, str(folder), str(time_limit_seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Its exit code, minus the signal when that has ended it."""
        self.process.send_signal(number)
        code = self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


async def gone(pid: int) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while lives(pid):
            await anyio.sleep(0.01)


async def test_when_an_ended_job_improved_last_is_told_the_same_by_the_next_service(open_service: Open) -> None:
    async with open_service() as service:
        await service.submit(request("done", "quick"))
        await service.submit(request("cancelled", "stubborn"))
        before = [await ended(service, "done")]
        await searching(service, "cancelled")
        await service.cancel("cancelled")
        before.append(await ended(service, "cancelled"))
    assert all(last["last_improvement_at"] for last in before)
    async with open_service() as service:
        for last in before:
            again = service.snapshot(last["job_id"])
            assert again is not None
            assert again["last_improvement_at"] == last["last_improvement_at"] <= last["last_updated"]
        await service.restart("done")
        await until(service, "done", lambda s: s["status"] == "completed" and s["attempt"] == 2)


async def test_a_killed_service_leaves_no_child_and_its_jobs_run_again(open_service: Open, tmp_path: Path) -> None:
    service = await anyio.to_thread.run_sync(Service, tmp_path)
    service.kill()
    await gone(service.child)
    async with open_service() as supervisor:
        assert supervisor.ready
        last = await ended(supervisor, "running")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", cost(3), 2)
        assert await how_attempts_ended(supervisor, "running") == ["service_lost", "result"]
        assert (await ended(supervisor, "waiting"))["status"] == "completed"


async def test_the_journal_says_how_long_a_lost_attempt_is_known_to_have_run(
    open_service: Open, tmp_path: Path
) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "stubborn", time_limit_seconds=60.0))
        await searching(supervisor, "j")
    with closing(SqliteStore(tmp_path)) as store:
        lost = store.claim(time.time())
        assert lost is not None
        store.checkpoint(lost, used_seconds=lost.used_seconds + 7.0, percent=30.0, stage="search")
    async with open_service() as supervisor:
        await searching(supervisor, "j")
    with closing(SqliteStore(tmp_path)) as store:
        assert store.claim(time.time()) is not None  # and killed before anything was noted
    async with open_service() as supervisor:
        await searching(supervisor, "j")
        journal = await supervisor.attempts("j")
        job = await supervisor.job("j")
    assert [row["how"] for row in journal] == ["shutdown", "service_lost", "shutdown", "service_lost", None]
    assert journal[1]["seconds"] == pytest.approx(7.0)
    assert journal[3]["seconds"] is None
    assert job is not None
    assert job.used_seconds >= 7.0 + (journal[0]["seconds"] or 0.0) + (journal[2]["seconds"] or 0.0) - 0.001


async def test_orphans_that_would_not_die_are_killed_before_the_first_claim(open_service: Open, tmp_path: Path) -> None:
    async with open_service() as supervisor:
        tag = supervisor._tag
    script = "sleep 60 > /dev/null & echo $!"
    printed = subprocess.run(["sh", "-c", script], env={**os.environ, TAG: tag}, stdout=subprocess.PIPE, check=True)
    orphan = int(printed.stdout)
    assert tag_of(psutil.Process(orphan)) == tag
    async with open_service():
        assert not lives(orphan)


async def test_a_service_that_stops_gives_its_jobs_back_uncounted(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "stubborn", time_limit_seconds=60.0))
        await searching(supervisor, "j")
        pid = await child_pid(supervisor, "j")
    assert not lives(pid)
    async with open_service() as supervisor:
        await searching(supervisor, "j")
        job = await supervisor.job("j")
        assert job is not None
        assert (job.attempt, job.failed_attempts, job.status) == (2, 0, Status.RUNNING)
        await supervisor.finish("j")
        assert (await ended(supervisor, "j"))["cost"] == cost(3)
        assert (await how_attempts_ended(supervisor, "j"))[0] == "shutdown"


async def test_what_has_ended_is_still_known_after_a_restart(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("good", meta={"semester": 2}))
        await supervisor.submit(request("bad", "empty"))
        before = [await ended(supervisor, job_id) for job_id in ("good", "bad")]
        stored = await supervisor.result("good")
    async with open_service() as supervisor:
        after = [supervisor.snapshot(job_id) for job_id in ("good", "bad")]
        for old, new in zip(before, after, strict=True):
            assert new is not None
            assert new["overall_progress"] >= old["overall_progress"]
            for key in ("status", "stage", "message", "error", "cost", "placed", "rung", "attempt"):
                assert new[key] == old[key], key
        assert await supervisor.result("good") == stored
        assert (await supervisor.submit(request("good")))[1] is False


async def test_a_cancel_that_was_asked_for_survives_the_service(open_service: Open, tmp_path: Path) -> None:
    service = await anyio.to_thread.run_sync(Service, tmp_path)
    os.kill(service.process.pid, signal.SIGSTOP)
    service.kill()
    await gone(service.child)
    store = SqliteStore(tmp_path)
    running = store.job("running")
    assert running is not None and running.status is Status.RUNNING
    store.request(running, cancel=True)
    store.close()
    async with open_service() as supervisor:
        snapshot = supervisor.snapshot("running")
        assert snapshot is not None and snapshot["status"] == "cancelled"
        assert (await ended(supervisor, "waiting"))["status"] == "completed"


async def test_a_killed_service_goes_on_with_the_time_and_the_progress_it_had(
    open_service: Open, tmp_path: Path
) -> None:
    service = await anyio.to_thread.run_sync(Service, tmp_path, 60.0)
    store = sqlite3.connect(f"file:{tmp_path / FILE_NAME}?mode=ro", uri=True)
    with anyio.fail_after(PATIENCE_SECONDS):
        while store.execute("SELECT used_seconds FROM jobs WHERE id = 'running'").fetchone()[0] < 2.0:
            await anyio.sleep(0.1)
    store.close()
    service.kill()
    async with open_service() as supervisor:
        before, job = supervisor.snapshot("running"), await supervisor.job("running")
        assert job is not None and before is not None
        assert 2.0 <= job.used_seconds < 60.0 and job.remaining_seconds == 60.0 - job.used_seconds
        assert job.percent > 20 and before["percentage"] >= round(job.percent, 2)
        assert before["cost"] == cost(3)
        await searching(supervisor, "running")
        again = supervisor.snapshot("running")
        assert again is not None and again["percentage"] >= before["percentage"]
        await supervisor.finish("running")
        last = await ended(supervisor, "running")
        done = await supervisor.job("running")
        assert done is not None and last["status"] == "completed" and done.used_seconds > job.used_seconds


async def test_a_service_that_is_told_to_end_gives_its_jobs_back_soon(open_service: Open, tmp_path: Path) -> None:
    service = await anyio.to_thread.run_sync(Service, tmp_path, 60.0)
    asked = anyio.current_time()
    assert await anyio.to_thread.run_sync(service.end, signal.SIGTERM) == 0
    assert anyio.current_time() - asked < PROMPT_SECONDS and not lives(service.child)
    store = SqliteStore(tmp_path)
    job, journal = store.job("running"), store.attempts("running")
    store.close()
    assert job is not None
    assert (job.status, job.failed_attempts, [row.how for row in journal]) == (Status.QUEUED, 0, ["shutdown"])


async def test_the_forkserver_imports_the_solver_while_the_store_is_examined(open_service: Open) -> None:
    async with open_service() as supervisor:
        assert supervisor._forkserver.alive, "it was launched before anything was dispatched"


async def test_when_a_timetable_became_better_is_known_to_the_next_service(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "patient"))
        before = (await searching(supervisor, "j"))["last_improvement_at"]
    async with open_service() as supervisor:
        after = supervisor.snapshot("j")
        assert after is not None and after["last_improvement_at"] == pytest.approx(before, abs=0.5)


async def test_a_result_that_waits_for_the_store_survives_the_service(open_service: Open, tmp_path: Path) -> None:
    """The store is locked, the child hands its result in, the service is killed, the lock goes: nothing is lost."""
    service = await anyio.to_thread.run_sync(Service, tmp_path, 2.0)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with anyio.fail_after(PATIENCE_SECONDS):
        while not list(tmp_path.glob("spool/*.end")):
            await anyio.sleep(0.05)
    service.kill()
    other.close()
    async with open_service() as supervisor:
        snapshot = supervisor.snapshot("running")
        assert snapshot is not None and (snapshot["status"], snapshot["cost"]) == ("completed", cost(3))
        assert await how_attempts_ended(supervisor, "running") == ["result"]
        stored = await supervisor.result("running")
        assert stored is not None
        check(load_result(stored.result), load_dataset(stored.dataset))
        assert (await ended(supervisor, "waiting"))["status"] == "completed"
    assert list(tmp_path.glob("spool/*")) == []


async def test_two_services_cannot_share_a_folder(open_service: Open) -> None:
    async with open_service():
        with pytest.raises(StoreLocked):
            async with open_service():
                raise AssertionError("a second service started")
