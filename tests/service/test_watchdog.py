"""Who watches the supervisor: a queue that does not move, tasks that die, a store that hangs, observers that raise."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from functools import wraps
from typing import Any

import anyio
import pytest

from app.domain.jobs import Event, Job
from app.domain.telemetry import (
    AttemptEnded,
    Happening,
    HelperStopped,
    Moved,
    QueueStuck,
    Recovered,
    Slow,
    Started,
    StoreTrouble,
)
from app.service import dispatcher as dispatch
from app.service import store_access as storage
from app.service import watchdog
from app.store import StoreUnavailable
from tests.effort import PATIENCE_SECONDS, PROMPT_SECONDS
from tests.service.conftest import Open, child_pid, ended, how_attempts_ended, request, searching

pytestmark = pytest.mark.anyio


async def until_true(condition: Any) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not condition():
            await anyio.sleep(0.01)


def of_kind(heard: list[Happening], kind: type[Any]) -> list[Any]:
    return [happening for happening in heard if isinstance(happening, kind)]


async def test_a_dispatcher_that_sleeps_on_a_full_queue_is_started_anew(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "IDLE_SECONDS", 3600.0)
    monkeypatch.setattr(watchdog, "STUCK_SECONDS", 0.5)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.05)
    heard: list[Happening] = []
    async with open_service(observe=heard.append) as supervisor:
        await supervisor.submit(request("first"))
        await ended(supervisor, "first")
        await until_true(lambda: supervisor.busy_slots == 0)
        await anyio.wait_all_tasks_blocked()

        async def frozen() -> bool:
            await anyio.sleep_forever()
            raise AssertionError

        with monkeypatch.context() as patched:
            patched.setattr(supervisor._dispatcher, "_start_next", frozen)
            await supervisor.submit(request("second"))
            await until_true(lambda: of_kind(heard, QueueStuck))
            assert not supervisor.ready
            assert supervisor.signs().not_ready_because == "jobs wait although slots are free"
        assert (await ended(supervisor, "second"))["status"] == "completed"
        assert supervisor.ready
        stuck = of_kind(heard, QueueStuck)[0]
        assert stuck.waiting == 1 and stuck.seconds >= 0.5


async def test_jobs_that_wait_for_good_reason_are_no_stuck_queue(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "STUCK_SECONDS", 0.2)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.02)
    heard: list[Happening] = []
    async with open_service(observe=heard.append, retry_wait_seconds=0.8) as supervisor:
        await supervisor.submit(request("a", "crash_always"))
        await supervisor.submit(request("b"))
        await ended(supervisor, "a")
        await ended(supervisor, "b")
    assert of_kind(heard, QueueStuck) == []


@pytest.mark.parametrize("task", ["watchdog", "dispatcher"])
async def test_a_task_of_the_supervisor_that_dies_is_started_again(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setattr(watchdog, "RESTART_SECONDS", 0.01)
    died = anyio.Event()

    def dies(*given: object) -> None:
        died.set()
        raise ZeroDivisionError("on purpose")

    async with open_service() as supervisor:
        broken = {
            "watchdog": (supervisor._watchdog, "_look_at_queue"),
            "dispatcher": (supervisor._dispatcher, "_pause"),
        }
        with monkeypatch.context() as patched:
            patched.setattr(*broken[task], dies)
            supervisor._registry.wake.set()
            with anyio.fail_after(PATIENCE_SECONDS):
                await died.wait()
        await supervisor.submit(request("j"))
        assert (await ended(supervisor, "j"))["status"] == "completed"
        await until_true(lambda: supervisor.signs().supervisor_beat_age_seconds < 1.0)


async def test_while_the_store_hangs_clients_are_told_and_what_has_begun_is_seen_through(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.access.PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(storage, "HANGING_SECONDS", 0.2)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.02)
    heard: list[Happening] = []
    async with open_service(observe=heard.append, slots=2, slow_seconds=0.2) as supervisor:
        await supervisor.submit(request("running", "patient"))
        await searching(supervisor, "running")
        submit, goes_on = supervisor._store.submit, threading.Event()

        @wraps(submit)
        def hangs(*given: Any) -> Any:
            assert goes_on.wait(PATIENCE_SECONDS)
            return submit(*given)

        monkeypatch.setattr(supervisor._store, "submit", hangs)
        for _ in range(2):
            began = anyio.current_time()
            with pytest.raises(StoreUnavailable):
                await supervisor.submit(request("j"))
            assert anyio.current_time() - began < PROMPT_SECONDS
        with pytest.raises(StoreUnavailable):
            await supervisor.attempts("running")
        signs = supervisor.signs()
        assert not signs.store_available and "has not answered for" in str(signs.not_ready_because)
        assert [child.job_id for child in signs.children] == ["running"]
        goes_on.set()
        assert (await ended_when_seen(supervisor, "j"))["status"] == "completed"
        await until_true(lambda: supervisor.ready)
        await supervisor.cancel("running")
        await ended(supervisor, "running")
    assert [trouble.reason is None for trouble in of_kind(heard, StoreTrouble)] == [False, True]
    assert "store.submit" in {slow.what for slow in of_kind(heard, Slow)}


async def ended_when_seen(supervisor: Any, job_id: str) -> Any:
    await until_true(lambda: supervisor.snapshot(job_id) is not None)
    return await ended(supervisor, job_id)


async def test_what_is_told_adds_up_and_an_observer_that_raises_harms_nobody(
    open_service: Open, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Happening] = []

    def observe(happening: Happening) -> None:
        heard.append(happening)
        raise RuntimeError("on purpose")

    async with open_service(observe=observe, slots=2) as supervisor:
        for job_id, behaviour in (("a", "steady"), ("b", "crash_on_full"), ("c", "patient"), ("d", "empty")):
            await supervisor.submit(request(job_id, behaviour))
        for job_id in "abd":
            await ended(supervisor, job_id)
        await searching(supervisor, "c")
        (child,) = supervisor.signs().children
        assert (child.job_id, child.attempt, child.pid) == ("c", 1, await child_pid(supervisor, "c"))
        assert supervisor.signs().oldest_queued_seconds == 0.0
    events = Counter((moved.job.id, moved.event) for moved in of_kind(heard, Moved))
    assert all(events[job_id, None] == 1 for job_id in "abcd")
    assert (events["a", Event.COMPLETE], events["d", Event.FAIL], events["c", Event.RELEASE]) == (1, 1, 1)
    assert (events["b", Event.LOSE], events["b", Event.CLAIM], events["b", Event.COMPLETE]) == (1, 2, 1)
    started = [(start.job.id, start.job.attempt, start.after_loss) for start in of_kind(heard, Started)]
    assert sorted(started) == [("a", 1, False), ("b", 1, False), ("b", 2, True), ("c", 1, False), ("d", 1, False)]
    assert all(0 <= start.waited_seconds < PATIENCE_SECONDS for start in of_kind(heard, Started))
    ends: list[tuple[Job, Job]] = [(end.job, end.after) for end in of_kind(heard, AttemptEnded)]
    assert len(ends) == len(started)
    assert len(of_kind(heard, Recovered)) == 1
    assert sum("an observer failed" in record.getMessage() for record in caplog.records) == 1


async def test_a_forkserver_that_was_stopped_goes_on_before_the_end_of_a_job_has_to_wait_for_it(
    open_service: Open,
) -> None:
    heard: list[Happening] = []
    async with open_service(observe=heard.append) as supervisor:
        await supervisor.submit(request("j", "patient"))
        await searching(supervisor, "j")
        pid = supervisor._forkserver.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await until_true(lambda: of_kind(heard, HelperStopped))
        (told,) = of_kind(heard, HelperStopped)
        assert (told.helper, told.pid, told.remedy) == ("forkserver", pid, "continued")
        await supervisor.finish("j")
        assert (await ended(supervisor, "j"))["status"] == "completed"
        assert await how_attempts_ended(supervisor, "j") == ["result"] and supervisor._forkserver.pid == pid
