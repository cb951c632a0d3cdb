"""The forkserver's handle and its children, without anybody who watches them."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from app.domain.messages import ProgressFrame, Start, encode, pack
from app.processes import children
from app.processes.children import Child, ForkServer, ForkServerLost, environment_of_children
from app.processes.vitals import TAG
from solver.control import Place
from tests.effort import PATIENCE_SECONDS
from tests.groups import frozen
from tests.options import with_options
from tests.service.conftest import SOLVE
from tests.service.solvers import campus

pytestmark = pytest.mark.anyio


def start(behaviour: str, **fields: Any) -> Start:
    given: dict[str, Any] = {
        "job_id": "j",
        "attempt": 1,
        "time_limit_seconds": 60.0,
        "workers": 1,
        "seed": 0,
        "num_variants": 1,
        "start_at": "full",
        "simplified_context": False,
        "max_courses": 1,
        "max_faculty": 1,
        "max_rooms": 1,
        "quality_threshold": 0.8,
        "rules": {},
        "last_resort_seconds": 60.0,
        **fields,
    }
    return Start(**with_options(given), body=pack(campus(behaviour)))


@asynccontextmanager
async def child_of(behaviour: str, **fields: Any) -> AsyncIterator[Child]:
    """A child that has begun to search; it is killed at the end, if it is still there."""
    forkserver = ForkServer(SOLVE, "test-of-children")
    child = await forkserver.fork()
    try:
        await child.send(encode(start(behaviour, **fields)))
        async for frame in child.frames():
            if isinstance(frame, ProgressFrame) and frame.stage == "search":
                break
        yield child
    finally:
        child.kill()
        await child.ended()
        await forkserver.reap(child)
        child.close()
        await forkserver.stop()


async def test_a_child_that_nobody_watches_ends_itself_although_native_code_holds_the_interpreter() -> None:
    """Its supervisor lives and keeps the socket open, but does nothing: as one that was stopped."""
    async with child_of("silent_native", last_resort_seconds=2.5) as child:
        with anyio.fail_after(PATIENCE_SECONDS):
            await child.ended()
        assert "Timeout (0:00:02.5" in child.stacks() and "solvers.py" in child.stacks()


async def test_a_child_that_computes_for_ever_is_ended_by_the_limit_of_processor_time() -> None:
    async with child_of("lost_in_search", last_resort_seconds=60.0) as child:
        limits = [psutil.Process(child.pid).rlimit(psutil.RLIMIT_CPU)]
        assert limits == [(120, 120)]
        psutil.Process(child.pid).rlimit(psutil.RLIMIT_CPU, (1, 1))
        with anyio.fail_after(PATIENCE_SECONDS):
            await child.ended()


async def test_a_child_has_nothing_that_it_does_not_need() -> None:
    async with child_of("patient") as child:
        status = Path(f"/proc/{child.pid}/status").read_text()
        process = psutil.Process(child.pid)
        opened = [str(descriptor.readlink()) for descriptor in Path(f"/proc/{child.pid}/fd").iterdir()]
        ours = {"/dev/null", str(Path("/proc/self/fd/2").readlink())}
        assert "NoNewPrivs:\t1" in status
        assert {name.partition(" ")[0] for name in opened if not name.startswith("socket") and name not in ours} == {
            "/memfd:timetable-words",
            "/memfd:timetable-stacks",
        }
        assert sum(name.startswith("socket") for name in opened) == 3, "to the supervisor, and the pair between threads"
        assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert process.rlimit(psutil.RLIMIT_NOFILE)[1] <= 256
        assert 0 < process.rlimit(psutil.RLIMIT_FSIZE)[1] < 2**40
        assert process.nice() >= 10 and os.getpgid(child.pid) == child.pid


def test_children_learn_nothing_of_our_environment_that_could_be_a_secret() -> None:
    ours = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "TIMETABLE_API_KEYS": "secret",
        "TIMETABLE_WEBHOOK_URL": "https://user:secret@host",
        "DATABASE_URL": "postgres://user:secret@host/db",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    theirs = environment_of_children(ours, "tag")
    assert (theirs["PATH"], theirs["LC_ALL"], theirs[TAG]) == ("/bin", "C", "tag")
    assert "secret" not in " ".join(theirs.values())


@pytest.mark.parametrize("stopped", [False, True])
async def test_the_stacks_of_a_child_can_be_read_also_when_it_is_stopped(stopped: bool) -> None:
    async with child_of("lost_in_search") as child:
        if stopped:
            os.kill(child.pid, signal.SIGSTOP)
        await child.dump_stacks(10.0)
        assert "lost_in_search" in child.stacks() and len(child.stacks()) < 65_536


async def test_a_look_tells_the_place_the_threads_and_whether_they_want_to_run() -> None:
    async with child_of("lost_in_search") as child:
        far, near = child.look(1.0, closely=False), child.look(1.0, closely=True)
        assert far is not None and near is not None and near.threads is not None
        assert far.threads is None and (near.place, near.at) == (Place.LOCAL_SEARCH, 1.0)
        assert any(thread.state == "R" for thread in near.threads) and near.wants_to_run
        child._words[3] = 2**40
        assert child.place is Place.OTHER, "a child gone mad may write anything"


async def test_a_child_cannot_make_its_shared_memory_grow() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    async with child_of("patient") as child:
        assert libc.ftruncate(child._stacks, 1 << 40) == -1


async def test_giving_a_forkserver_up_does_not_hold_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    forkserver = ForkServer(SOLVE, "test-of-giving-up")
    await forkserver.start()
    process, released, waited = forkserver._process, threading.Event(), []
    assert process is not None
    wait = process.wait

    def slow() -> int:
        waited.append(released.wait(PATIENCE_SECONDS))
        return wait()

    monkeypatch.setattr(process, "wait", slow)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forkserver._give_up)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        released.set()
    assert waited == [True], "the loop went on while the process was waited for"
    assert not forkserver.alive
    await forkserver.stop()


async def test_a_fork_that_fails_for_want_of_descriptors_costs_no_other_child_its_life() -> None:
    forkserver = ForkServer(SOLVE, "test-of-children")
    child = await forkserver.fork()
    try:
        process = psutil.Process(forkserver.pid)
        limits = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (3, limits[1]))
        with pytest.raises(ForkServerLost):
            await forkserver.fork()
        process.rlimit(psutil.RLIMIT_NOFILE, limits)
        other = await forkserver.fork()
        assert (forkserver.pid, child.dead) == (process.pid, False)
        other.kill()
        await other.ended()
        await forkserver.reap(other)
        other.close()
    finally:
        child.kill()
        await child.ended()
        await forkserver.reap(child)
        child.close()
        await forkserver.stop()


# --- a forkserver that does not go on ---


@asynccontextmanager
async def forkserver_with_troubles() -> AsyncIterator[tuple[ForkServer, list[str]]]:
    forkserver, troubles = ForkServer(SOLVE, "test-of-troubles"), list[str]()
    forkserver.on_trouble = lambda pid, remedy: troubles.append(remedy)
    try:
        await forkserver.start()
        yield forkserver, troubles
    finally:
        await forkserver.stop()


async def test_a_forkserver_that_was_stopped_is_told_to_go_on_by_whoever_needs_it() -> None:
    async with forkserver_with_troubles() as (forkserver, troubles):
        pid = forkserver.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        child = await forkserver.fork()
        child.kill()
        await child.ended()
        os.kill(pid, signal.SIGSTOP)
        assert await forkserver.reap(child) == -signal.SIGKILL
        child.close()
        os.kill(pid, signal.SIGSTOP)
        await forkserver.look()
        assert (forkserver.pid, troubles) == (pid, ["continued"] * 3)


async def test_a_forkserver_that_is_stopped_while_it_is_loaded_is_told_to_go_on() -> None:
    forkserver = ForkServer(SOLVE, "test-of-troubles")
    forkserver.launch()
    assert forkserver.pid is not None
    os.kill(forkserver.pid, signal.SIGSTOP)
    await forkserver.start()
    assert forkserver.ready
    await forkserver.stop()


async def test_a_forkserver_that_gives_no_answer_is_given_up_and_another_one_takes_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(children, "WORD_SECONDS", 1.0)
    async with forkserver_with_troubles() as (forkserver, troubles):
        first = forkserver.pid
        assert first is not None
        with frozen(first):
            with pytest.raises(ForkServerLost, match="no answer"):
                await forkserver.look()
            monkeypatch.undo()
            child = await forkserver.fork()
            assert (forkserver.pid != first, troubles) == (True, ["replaced"])
            child.kill()
            await child.ended()
            assert await forkserver.reap(child) == -signal.SIGKILL
            child.close()
