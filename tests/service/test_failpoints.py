"""Failures exactly between two steps: what was acknowledged is done, what was not can be asked for again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from app.domain.jobs import Status
from app.service import dispatcher as dispatch
from app.system import failpoints
from app.system.failpoints import SERVICE_POINTS, FailpointError
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import Open, ended, how_attempts_ended, request, searching

pytestmark = pytest.mark.anyio

SERVICE = """
import sys
from pathlib import Path
import anyio
from app.settings import Settings
from app.service.supervisor import Supervisor
from tests.service.conftest import SOLVE, ended, request, searching

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]), slots=2)
    async with Supervisor(settings, solve=SOLVE) as supervisor:
        for job_id, behaviour in (("a", "quick"), ("b", "patient"), ("c", "quick"), ("d", "quick")):
            await supervisor.submit(request(job_id, behaviour))
            print(job_id, flush=True)
        await searching(supervisor, "b")
        await supervisor.cancel("b")
        for job_id in "abcd":
            await ended(supervisor, job_id)
        await supervisor.restart("a")
        await ended(supervisor, "a")
        await supervisor.delete("d")

anyio.run(main)
"""


@pytest.fixture
def arm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Arms a point in this process; returns its file, which is gone once the point was passed."""
    folder = tmp_path_factory.mktemp("failpoints")
    monkeypatch.setattr(failpoints, "_folder", folder)

    def armed(name: str, action: str = "raise") -> Path:
        assert name in SERVICE_POINTS
        (folder / name).write_text(action)
        return folder / name

    return armed


async def test_an_error_between_two_steps_loses_nothing_and_leaves_nothing_behind(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, arm: Callable[..., Path]
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.05)
    async with open_service(slots=2) as supervisor:
        arm("submit.before_commit")
        with pytest.raises(FailpointError):
            await supervisor.submit(request("s", "quick"))
        assert supervisor.snapshot("s") is None
        arm("submit.after_commit")
        with pytest.raises(FailpointError):
            await supervisor.submit(request("s", "quick"))
        assert supervisor.snapshot("s") is not None, "it is durable, so it is known"
        assert (await supervisor.submit(request("s", "quick")))[1] is False
        assert (await ended(supervisor, "s"))["status"] == "completed"

        for point, hows in (
            ("claim.before_commit", ["result"]),
            ("claim.after_commit", ["not_started", "result"]),
            ("child.started", ["error", "result"]),
            ("incumbent.after_commit", ["error", "result"]),
            ("end.before_commit", ["result"]),
            ("end.after_commit", ["result"]),
        ):
            armed = arm(point)
            await supervisor.submit(request(point, "steady" if point.startswith("incumbent") else "quick"))
            assert (await ended(supervisor, point))["status"] == "completed", point
            assert not armed.exists(), point
            assert await how_attempts_ended(supervisor, point) == hows, point
            assert await supervisor.result(point) is not None

        await supervisor.submit(request("c", "patient"))
        await searching(supervisor, "c")
        for point, steer in (("cancel.after_commit", supervisor.cancel), ("restart.after_commit", supervisor.restart)):
            arm(point)
            with pytest.raises(FailpointError):
                await steer("c")
            if point.startswith("cancel"):
                await supervisor.cancel("c")
                assert (await ended(supervisor, "c"))["status"] == "cancelled"
        with anyio.fail_after(PATIENCE_SECONDS):
            while (await supervisor.job("c")).status is not Status.RUNNING:  # type: ignore[union-attr]
                await anyio.sleep(0.01)
        await supervisor.cancel("c")
        await ended(supervisor, "c")
        arm("delete.before_commit")
        with pytest.raises(FailpointError):
            await supervisor.delete("c")
        assert await supervisor.delete("c") is not None
        with anyio.fail_after(PATIENCE_SECONDS):
            while supervisor.busy_slots:
                await anyio.sleep(0.01)


@pytest.mark.parametrize("point", ["submit.after_commit", "end.before_commit"])
async def test_a_service_killed_between_two_steps_loses_nothing(open_service: Open, tmp_path: Path, point: str) -> None:
    """Two of them; the fault campaign does all, many times."""
    folder = tmp_path / "points"
    folder.mkdir()
    (folder / point).write_text("kill")
    command = [sys.executable, "-c", SERVICE, str(tmp_path)]
    environment = {**os.environ, failpoints.VARIABLE: str(folder)}
    run = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    )
    assert run.returncode == -9
    async with open_service(slots=2) as supervisor:
        acknowledged = run.stdout.split()
        for job_id in acknowledged:
            assert await supervisor.job(job_id) is not None
        for job in await supervisor.jobs():
            if job.id == "b" and not job.status.terminal:
                await searching(supervisor, "b")
                await supervisor.cancel("b")
            assert (await ended(supervisor, job.id))["status"] == ("cancelled" if job.id == "b" else "completed")
