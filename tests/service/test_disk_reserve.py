"""A disk that is full, for real: nothing that was acknowledged is lost, and what must be written still can be."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from app import MEGABYTE
from app.domain.jobs import DiskFull
from app.domain.telemetry import Happening, StoreTrouble
from app.service import dispatcher as dispatch
from app.service.supervisor import Supervisor
from app.store import StoreFull
from app.store.sqlite import FILE_NAME
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import Open, child_pid, ended, how_attempts_ended, request, searching

pytestmark = pytest.mark.anyio

DISK_BYTES = 6 * MEGABYTE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes, where we are allowed to make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Writes until there is not one byte left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


async def taken(supervisor: Supervisor, job_id: str) -> None:
    """Submits again and again until the job is taken, as a client would."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            try:
                await supervisor.submit(request(job_id))
            except DiskFull:
                await anyio.sleep(0.1)
            else:
                return


async def test_on_a_full_disk_running_jobs_end_old_ones_go_and_new_ones_wait_for_room(
    open_service: Open, small_disk: Path
) -> None:
    heard: list[Happening] = []
    given = {"data_dir": small_disk, "min_free_mb": 1, "min_free_inodes": 10, "reserve_mb": 2, "observe": heard.append}
    async with open_service(**given, slots=2) as supervisor:
        await supervisor.submit(request("old"))
        await supervisor.submit(request("running", "patient"))
        await ended(supervisor, "old")
        await searching(supervisor, "running")
        filler = fill(small_disk)
        with anyio.fail_after(PATIENCE_SECONDS):
            while supervisor.ready:
                await anyio.sleep(0.05)
        assert "0 MB are free on the disk" in str(supervisor.signs().not_ready_because)
        assert supervisor.signs().store_available, "it can be read, and serves what it has"
        with pytest.raises(DiskFull, match="running jobs go on"):
            await supervisor.submit(request("new"))
        with anyio.fail_after(PATIENCE_SECONDS):
            await supervisor.finish("running")
            assert (await ended(supervisor, "running"))["status"] == "completed"
            assert await supervisor.result("running") is not None
            assert await supervisor.delete("old") is not None
        assert not (small_disk / "reserve").exists(), "this is what it is there for"
        filler.unlink()
        await taken(supervisor, "new")
        assert supervisor.ready
        assert (await ended(supervisor, "new"))["status"] == "completed"
    assert not (small_disk / "reserve").exists()
    reasons = [happening.reason for happening in heard if isinstance(happening, StoreTrouble)]
    assert len(reasons) == 2 and reasons[0] is not None and reasons[1] is None


async def test_a_service_killed_on_a_full_disk_starts_on_its_reserve(open_service: Open, small_disk: Path) -> None:
    given = {"data_dir": small_disk, "min_free_mb": 1, "min_free_inodes": 10, "reserve_mb": 2}
    async with open_service(**given) as supervisor:
        await supervisor.submit(request("j"))
        await ended(supervisor, "j")
    (small_disk / "reserve").write_bytes(b"x" * 2 * MEGABYTE)
    filler = fill(small_disk)
    async with open_service(**given) as supervisor:
        snapshot = supervisor.snapshot("j")
        assert snapshot is not None and snapshot["status"] == "completed"
        assert not supervisor.ready
        filler.unlink()
        await taken(supervisor, "k")


async def test_where_the_store_may_not_grow_an_end_waits_in_a_file_until_it_may(
    open_service: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same through a limit on the size of files, which every system has; here even the reserve is of no use."""
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_service(reserve_mb=0) as supervisor:
        await supervisor.submit(request("j", "patient"))
        await searching(supervisor, "j")
        pid = await child_pid(supervisor, "j")
        smallest = min((tmp_path / (FILE_NAME + end)).stat().st_size for end in ("", "-wal"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (min(smallest, 4096), hard))
        try:
            with pytest.raises(StoreFull):
                await supervisor.submit(request("k"))
            os.kill(pid, 9)
            with anyio.fail_after(PATIENCE_SECONDS):
                while not list(tmp_path.glob("spool/*.end")):
                    await anyio.sleep(0.02)
            snapshot = supervisor.snapshot("j")
            assert snapshot is not None and snapshot["status"] == "running"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await searching(supervisor, "j")
        await supervisor.finish("j")
        assert (await ended(supervisor, "j"))["status"] == "completed"
        assert await how_attempts_ended(supervisor, "j") == ["crash", "result"]
        assert list(tmp_path.glob("spool/*.end")) == []
        assert supervisor.snapshot("k") is None


async def test_below_the_watermark_new_jobs_are_refused_and_the_others_run(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.service.watchdog.PING_SECONDS", 0.05)
    async with open_service() as supervisor:
        await supervisor.submit(request("j"))
        disk = supervisor._registry.disk_reserve
        least, disk._least_bytes = disk._least_bytes, 1 << 60
        with anyio.fail_after(PATIENCE_SECONDS):
            while supervisor.ready:
                await anyio.sleep(0.01)
        with pytest.raises(DiskFull):
            await supervisor.submit(request("k"))
        assert (await supervisor.submit(request("j")))[1] is False, "a job that is there needs no room"
        assert (await ended(supervisor, "j"))["status"] == "completed"
        disk._least_bytes = least
        await taken(supervisor, "k")
        await ended(supervisor, "k")
