"""What a child hands in is published when a process that has not searched agrees, whatever happens to that process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from app.system.failpoints import VARIABLE
from solver.formats.native import load_result
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import Open, ended, how_attempts_ended, request, until
from tests.service.quick import POOR
from tests.service.solvers import cost

pytestmark = pytest.mark.anyio
POINT = "recount.begun"
SERVICE = """
import sys
from pathlib import Path
import anyio
import anyio.to_thread
from app.settings import Settings
from app.service.supervisor import Supervisor
from tests.service.conftest import SOLVE, request

async def main():
    async with Supervisor(Settings(data_dir=Path(sys.argv[1]), slots=1), solve=SOLVE) as supervisor:
        await supervisor.submit(request("j", "quick"))
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture
def points(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of failpoints of all processes that are started from here."""
    folder = tmp_path_factory.mktemp("points")
    monkeypatch.setenv(VARIABLE, str(folder))
    return folder


async def passed(point: Path) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while point.exists():
            await anyio.sleep(0.02)


@pytest.mark.parametrize("behaviour", ["forger", "boastful_frame"])
async def test_a_false_score_is_refused_whatever_the_child_says_and_what_it_held_stays(
    open_service: Open, behaviour: str
) -> None:
    async with open_service(max_attempts=1) as supervisor:
        await supervisor.submit(request("j", behaviour))
        last = await ended(supervisor, "j")
        assert (await how_attempts_ended(supervisor, "j"))[0] == "error"
        assert "claimed" in (await supervisor.attempts("j"))[0]["message"]
        assert (last["status"], last["cost"]) == ("completed", cost(POOR)), "the incumbent is published, recounted"
        stored = await supervisor.result("j")
        assert stored is not None and load_result(stored.result).best.score.soft == cost(POOR)


async def test_a_worker_of_the_pool_that_dies_of_a_recount_is_followed_by_another(
    open_service: Open, points: Path
) -> None:
    (points / POINT).write_text("kill")
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "quick"))
        last = await ended(supervisor, "j")
        assert not (points / POINT).exists()
        assert (last["status"], last["cost"]) == ("completed", 0)
        assert await how_attempts_ended(supervisor, "j") == ["result"]


async def test_what_nobody_could_recount_is_not_published_and_its_timetable_is_when_somebody_can(
    open_service: Open, points: Path
) -> None:
    (points / POINT).write_text("kill always")
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "quick"))
        snapshot = await until(supervisor, "j", lambda s: s["attempt"] > 1)
        assert snapshot["status"] in ("queued", "running") and await supervisor.result("j") is None
        (points / POINT).unlink()
        last = await ended(supervisor, "j")
        hows = await how_attempts_ended(supervisor, "j")
        assert (set(hows[:-1]), hows[-1]) == ({"handover"}, "result")
        assert (last["status"], last["cost"]) == ("completed", 0)


async def test_a_cancel_does_not_wait_for_a_recount_and_the_timetable_is_there_when_it_is_asked_for(
    open_service: Open, points: Path
) -> None:
    (points / POINT).write_text("sleep")
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "quick"))
        await passed(points / POINT)
        await supervisor.cancel("j")
        assert (await ended(supervisor, "j"))["status"] == "cancelled"
        stored = await supervisor.result("j")
        assert stored is not None and load_result(stored.result).best.score.soft == 0


async def test_a_service_killed_during_a_recount_has_published_nothing_and_its_successor_does(
    open_service: Open, points: Path, tmp_path: Path
) -> None:
    (points / POINT).write_text("sleep")
    service = subprocess.Popen([sys.executable, "-c", SERVICE, str(tmp_path)])
    try:
        await passed(points / POINT)
    finally:
        service.kill()
        await anyio.to_thread.run_sync(service.wait)
    async with open_service() as supervisor:
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"]) == ("completed", 0)
        assert await how_attempts_ended(supervisor, "j") == ["service_lost", "result"]
