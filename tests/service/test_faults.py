"""Children that die, hang, lie and eat memory: the job goes on, and nothing that was found is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from app.domain import diagnosis
from app.domain.jobs import Status
from app.domain.telemetry import AttemptEnded, Happening, Stalled
from app.service.supervisor import Supervisor
from app.settings import Settings
from app.system.failpoints import VARIABLE
from solver.formats.native import load_result
from solver.rules import Score
from tests.effort import PATIENCE_SECONDS, PROMPT_SECONDS
from tests.groups import frozen
from tests.service.conftest import (
    SOLVE,
    Open,
    child_pid,
    ended,
    how_attempts_ended,
    lives,
    request,
    searching,
    until,
)
from tests.service.solvers import STARVED_CORE, cost

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
async def test_a_child_killed_during_search_costs_an_attempt_but_no_result(
    open_service: Open, death: signal.Signals
) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j"))
        reported = await until(supervisor, "j", lambda s: s["cost"] is not None and s["cost"] <= cost(4))
        os.kill(await child_pid(supervisor, "j"), death)
        last = await ended(supervisor, "j")
        assert last["status"] == "completed" and last["cost"] <= reported["cost"]
        first, second = await supervisor.attempts("j")
        assert (first["how"], first["exit_code"], first["stage"], first["rung"]) == ("crash", -death, "search", "full")
        assert death.name in first["message"]
        assert (second["how"], second["rung"]) == ("result", "relaxed"), "the next attempt begins one rung down"
        job = await supervisor.job("j")
        assert job is not None and job.result_attempt == 2 and await supervisor.result("j") is not None


async def test_every_attempt_starts_from_the_best_timetable_of_the_ones_before(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "crash_with_a_timetable"))
        last = await ended(supervisor, "j")
        job = await supervisor.job("j")
        assert job is not None
        assert (last["status"], last["cost"], job.stopped_by) == ("completed", cost(6), "crash")
        assert await how_attempts_ended(supervisor, "j") == ["crash", "crash", "crash", "result"]
        stored = await supervisor.result("j")
        assert stored is not None
        found = load_result(stored.result)
        assert found.best.score == Score(0, 0, 0, cost(6)) and found.stopped_by == "crash"


async def test_no_cost_is_shown_whose_timetable_could_be_lost(open_service: Open) -> None:
    async with open_service(max_attempts=1) as supervisor:
        await supervisor.submit(request("j", "boaster"))
        costs, bounds = set(), set()

        def note(snapshot: dict[str, object]) -> bool:
            costs.add(snapshot["cost"])
            bounds.add(snapshot["bound"])
            return snapshot["status"] == "completed"

        await until(supervisor, "j", note)
        assert costs == {None, cost(3)} and 1 in bounds


async def test_a_native_crash_on_one_rung_is_survived_on_the_next(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "crash_on_full"))
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", 0, 2)


@pytest.mark.parametrize(
    ("behaviour", "how", "words"),
    [
        ("crash_always", "crash", "SIGABRT"),
        ("raises", "error", "a bug on purpose"),
        ("memory_error", "memory", "memory ran out"),
        ("liar", "error", "does not pass the verifier"),
    ],
)
async def test_a_job_that_never_works_fails_with_its_cause_after_all_attempts(
    open_service: Open, behaviour: str, how: str, words: str
) -> None:
    async with open_service(slots=1) as supervisor:
        await supervisor.submit(request("bad", behaviour))
        await supervisor.submit(request("good"))
        last = await ended(supervisor, "bad")
        assert last["status"] == "failed" and words in last["error"] and words in last["metadata"]["error"]
        assert await how_attempts_ended(supervisor, "bad") == [how] * 3
        assert await supervisor.result("bad") is None
        assert (await ended(supervisor, "good"))["status"] == "completed", "a poisonous job harms no other"


async def test_a_result_with_nothing_placed_is_a_failure(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "empty"))
        last = await ended(supervisor, "j")
        assert last["status"] == "failed" and "nothing could be placed: 0 of 12" in last["error"]
        assert await supervisor.result("j") is None


async def test_a_child_that_ignores_its_deadline_is_killed_and_its_timetable_published(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "stubborn", time_limit_seconds=1.0))
        await searching(supervisor, "j")
        began = anyio.current_time()
        last = await ended(supervisor, "j")
        job = await supervisor.job("j")
        assert job is not None
        assert anyio.current_time() - began < PROMPT_SECONDS
        assert (last["status"], last["cost"], job.stopped_by) == ("completed", cost(3), "deadline")
        assert await how_attempts_ended(supervisor, "j") == ["deadline", "result"]
        seconds = (await supervisor.attempts("j"))[0]["seconds"]
        assert 1.0 < seconds < PROMPT_SECONDS


async def test_a_child_that_stops_when_time_is_up_says_deadline_not_finish(open_service: Open) -> None:
    async with open_service(stage_grace_seconds=0.0) as supervisor:
        await supervisor.submit(request("j", "patient", time_limit_seconds=1.0))
        await ended(supervisor, "j")
        job = await supervisor.job("j")
        assert job is not None and job.stopped_by in ("deadline", "stalled")
        assert await how_attempts_ended(supervisor, "j") == ["result"]


async def test_a_stage_that_never_ends_is_stopped_at_its_own_deadline_and_simplified(open_service: Open) -> None:
    async with open_service(context_seconds=1.0) as supervisor:
        await supervisor.submit(request("j", "lost_in_context"))
        last = await ended(supervisor, "j")
        first, second = await supervisor.attempts("j")
        assert (first["how"], first["stage"]) == ("deadline", "context")
        assert "stage context took longer than its 1 s" in first["message"]
        assert (last["status"], second["how"]) == ("completed", "result")


async def test_an_endless_loop_without_a_timetable_ends_as_failed_in_finite_time(open_service: Open) -> None:
    async with open_service(stage_grace_seconds=0.0, max_attempts=2) as supervisor:
        await supervisor.submit(request("j", "lost_in_search", time_limit_seconds=1.0))
        last = await ended(supervisor, "j")
        assert last["status"] == "failed" and "time limit" in last["error"]
        assert await how_attempts_ended(supervisor, "j") == ["deadline", "deadline"]


async def test_a_frozen_child_is_shown_as_stalled_then_killed_as_hung(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "SILENCE_SECONDS", 1.5)
    monkeypatch.setattr(diagnosis, "SUSPECT_SECONDS", 0.7)
    async with open_service() as supervisor:
        await supervisor.submit(request("j"))
        await searching(supervisor, "j")
        pid = await child_pid(supervisor, "j")
        os.kill(pid, signal.SIGSTOP)
        await until(supervisor, "j", lambda s: s["health"] == "stalled")
        last = await ended(supervisor, "j")
        first = (await supervisor.attempts("j"))[0]
        assert first["how"] == "hang" and "state T" in first["message"]
        assert last["status"] == "completed" and not lives(pid)


HANGS = {
    # where a hang is put: how it hangs, what it has to be called, and the place that has to be named
    "stage.load": ("sleep", "DEADLOCK_SUSPECTED", "load"),
    "stage.validate": ("sleep_with_lock", "DEADLOCK_SUSPECTED", "validate"),
    "stage.context": ("spin", "INFINITE_LOOP", "context_engine"),
    "stage.construct": ("sleep", "DEADLOCK_SUSPECTED", "construct"),
    "stage.search": ("spin_kernel", "INFINITE_LOOP", "local_search"),
    "stage.exact": ("spin_kernel_with_lock", "INFINITE_LOOP", "model_build"),
    "stage.variants": ("stop", "STOPPED", "local_search"),
    "stage.verify": ("deadlock", "DEADLOCK_SUSPECTED", "verify"),
    "result.before_send": ("sleep", "DEADLOCK_SUSPECTED", "store"),
}


@contextlib.contextmanager
def core_kept_busy(core: int) -> Iterator[None]:
    program = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    hog = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        yield
    finally:
        hog.kill()
        hog.wait()


async def test_every_kind_of_hang_is_told_named_and_ended_soon_and_no_job_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A healthy child that hardly gets a processor runs beside them, and is left alone."""
    folder = tmp_path / "failpoints"
    folder.mkdir()
    monkeypatch.setenv(VARIABLE, str(folder))
    for point, (action, _, _) in HANGS.items():
        (folder / point).write_text(action)
    jobs, happened = [f"j{number}" for number in range(len(HANGS))], list[Happening]()
    settings = Settings(data_dir=tmp_path / "data", slots=len(HANGS) + 1)
    async with Supervisor(settings, solve=SOLVE, observe=happened.append) as supervisor:
        for job_id in jobs:
            await supervisor.submit(request(job_id, "tour", time_limit_seconds=60.0))
        with anyio.fail_after(PATIENCE_SECONDS):
            while any(folder.iterdir()):
                await anyio.sleep(0.02)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_starve, supervisor)
            last = [await ended(supervisor, job_id) for job_id in jobs]
        assert [snapshot["status"] for snapshot in last] == ["completed"] * len(jobs)
        assert await how_attempts_ended(supervisor, "starved") == ["cancel"]
    ended_badly = [h.outcome for h in happened if isinstance(h, AttemptEnded) and h.outcome.verdict in diagnosis.HANGS]
    found = {(outcome.place, outcome.verdict): outcome for outcome in ended_badly}
    assert set(found) == {(place, verdict) for _, verdict, place in HANGS.values()}
    for outcome in found.values():
        bundle = outcome.bundle
        assert bundle is not None and (bundle["beat_age_seconds"] <= PROMPT_SECONDS or _starving(bundle))
        assert "most recent call first" in bundle["stacks"] and bundle["threads"] and len(bundle["samples"]) > 10
        assert bundle["place"] == outcome.place and bundle["verdict"] == outcome.verdict
    said = {h.job.id for h in happened if isinstance(h, Stalled) and h.stalled}
    assert said == set(jobs), "observers hear of it as well"
    assert "solvers.py" in found["local_search", "INFINITE_LOOP"].bundle["stacks"]  # type: ignore[index]


def _starving(bundle: Mapping[str, Any]) -> bool:
    """A loop that gets less than a third of a processor is found out later, so that no healthy child is ever killed."""
    first, last = bundle["samples"][0], bundle["samples"][-1]
    used = last["cpu_seconds"] - first["cpu_seconds"]
    return bundle["verdict"] == "INFINITE_LOOP" and used < (first["seconds_ago"] - last["seconds_ago"]) / 3


async def _starve(supervisor: Supervisor) -> None:
    with core_kept_busy(STARVED_CORE):
        await supervisor.submit(request("starved", "starved", time_limit_seconds=60.0))
        await until(supervisor, "starved", lambda s: s["health"] == "slow")
        await anyio.sleep(diagnosis.SILENCE_SECONDS - diagnosis.SUSPECT_SECONDS + 1.0)
        snapshot = supervisor.snapshot("starved")
        assert snapshot is not None
        assert (snapshot["status"], snapshot["health"]) == ("running", "slow")
        assert snapshot["metadata"]["verdict"] == "NORMAL_PROCESSING"
    await supervisor.cancel("starved")  # how long it would still take depends on what else this machine does
    assert (await ended(supervisor, "starved"))["status"] == "cancelled"


async def test_a_memory_hog_is_killed_and_its_timetable_published(open_service: Open) -> None:
    async with open_service(memory_limit_mb=256, max_attempts=2) as supervisor:
        await supervisor.submit(request("j", "hog"))
        last = await ended(supervisor, "j")
        job = await supervisor.job("j")
        assert job is not None
        assert (last["status"], last["cost"], job.stopped_by) == ("completed", cost(3), "memory")
        assert await how_attempts_ended(supervisor, "j") == ["memory", "memory", "result"]
        assert "the limit is 256 MB" in (await supervisor.attempts("j"))[0]["message"]


async def test_a_killed_forkserver_takes_its_children_along_and_costs_the_job_nothing(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j"))
        await searching(supervisor, "j")
        pid, forkserver = await child_pid(supervisor, "j"), supervisor._forkserver.pid
        assert forkserver is not None
        os.kill(forkserver, signal.SIGKILL)
        last = await ended(supervisor, "j")
        job = await supervisor.job("j")
        assert job is not None
        assert (last["status"], job.failed_attempts, job.rung) == ("completed", 0, "full")
        assert await how_attempts_ended(supervisor, "j") == ["forkserver_lost", "result"]
        assert not lives(pid) and supervisor._forkserver.pid != forkserver


async def test_a_frozen_forkserver_is_replaced(open_service: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be told to go on, nor killed: the end of a job that runs waits for it no longer than it has to."""
    monkeypatch.setattr("app.processes.children.WORD_SECONDS", 1.0)
    async with open_service() as supervisor:
        await supervisor.submit(request("a", "patient"))
        await searching(supervisor, "a")
        forkserver = supervisor._forkserver.pid
        assert forkserver is not None
        with frozen(forkserver):
            await supervisor.finish("a")
            assert (await ended(supervisor, "a"))["status"] == "completed"
            assert await how_attempts_ended(supervisor, "a") == ["result"]
            await supervisor.submit(request("b"))
            assert (await ended(supervisor, "b"))["status"] == "completed"
            assert supervisor._forkserver.pid != forkserver


async def test_children_leave_nothing_behind(open_service: Open) -> None:
    """Descriptors of the service after many jobs are those of the first: no socket, pidfd or mapping stays open."""
    async with open_service(slots=2, readers=1) as supervisor:  # a second parse worker comes when it is wanted
        counts = []
        for number in range(4):
            await supervisor.submit(request(f"a{number}", "empty"))
            await supervisor.submit(request(f"b{number}", "crash_always"))
            assert (await ended(supervisor, f"a{number}"))["status"] == Status.FAILED
            await ended(supervisor, f"b{number}")
            with anyio.fail_after(PATIENCE_SECONDS):
                while supervisor.busy_slots:
                    await anyio.sleep(0.01)
            counts.append(psutil.Process().num_fds())
        assert counts[1:] == [counts[1]] * 3
