"""Services that stop, are killed, and start again on the same folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import psutil
import pytest

from app.jobs import Status
from app.store import StoreLocked
from app.store.sqlite import SqliteStore
from app.vitals import TAG
from tests.service.conftest import Open, child_pid, ended, how_attempts_ended, lives, request, searching, tag_of
from tests.service.solvers import cost

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

SERVICE = """
import sys
from pathlib import Path
import anyio
from app.settings import Settings
from app.supervisor import Supervisor
from tests.service.conftest import SOLVE, child_pid, request, searching

async def main():
    async with Supervisor(Settings(data_dir=Path(sys.argv[1]), slots=1), solve=SOLVE) as supervisor:
        await supervisor.submit(request("running", "patient", time_limit_seconds=2.0))
        await supervisor.submit(request("waiting"))
        await searching(supervisor, "running")
        print(await child_pid(supervisor, "running"), flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


class Service:
    """A whole service in a process of its own, with one job running and one waiting."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", SERVICE, str(folder)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


async def gone(pid: int) -> None:
    with anyio.fail_after(2.0):
        while lives(pid):
            await anyio.sleep(0.01)


async def test_a_killed_service_leaves_no_child_and_its_jobs_run_again(open_service: Open, tmp_path: Path) -> None:
    service = await anyio.to_thread.run_sync(Service, tmp_path)
    service.kill()
    await gone(service.child)
    began = anyio.current_time()
    async with open_service() as supervisor:
        assert anyio.current_time() - began < 3.0
        assert supervisor.ready
        last = await ended(supervisor, "running")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", cost(3), 2)
        assert await how_attempts_ended(supervisor, "running") == ["service_lost", "result"]
        assert (await ended(supervisor, "waiting"))["status"] == "completed"


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


async def test_two_services_cannot_share_a_folder(open_service: Open) -> None:
    async with open_service():
        with pytest.raises(StoreLocked):
            async with open_service():
                raise AssertionError("a second service started")
