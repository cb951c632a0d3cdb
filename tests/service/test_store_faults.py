"""A store that is locked, full or broken, and a system without descriptors: the service waits, and goes on."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from app.domain.jobs import Event, Job, advance, new_job
from app.domain.outcomes import MAX_RELEASES, How, Outcome
from app.service import dispatcher as dispatch
from app.store import StoreDamaged, StoreError, StoreFull, StoreUnavailable
from app.store.access import StoreBusy
from app.store.sqlite import FILE_NAME, SqliteStore
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import Open, child_pid, ended, how_attempts_ended, request, searching
from tests.service.solvers import cost

pytestmark = pytest.mark.anyio


class Heard(logging.Handler):
    """Tells when the supervisor has logged some words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words, self.event = words, anyio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.event.set()


@asynccontextmanager
async def logged(words: str) -> AsyncIterator[None]:
    """Waits at its end until `words` have been logged."""
    heard, log = Heard(words), logging.getLogger("timetable.supervisor")
    log.addHandler(heard)
    try:
        yield
        with anyio.fail_after(PATIENCE_SECONDS):
            await heard.event.wait()
    finally:
        log.removeHandler(heard)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Somebody else holds the write lock of the database."""
    other = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.sqlite.BUSY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr("app.store.access.PATIENCE_SECONDS", 0.5)


async def test_while_the_store_is_locked_clients_are_answered_and_the_end_of_a_job_waits(
    open_service: Open, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 2.0)  # the cancel comes first, and meets an attempt without child
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "patient"))
        await searching(supervisor, "j")
        with locked(tmp_path):
            async with logged("its end cannot be stored yet"):
                os.kill(await child_pid(supervisor, "j"), signal.SIGKILL)
            with anyio.fail_after(PATIENCE_SECONDS):
                with pytest.raises(StoreUnavailable):
                    await supervisor.submit(request("other"))
                with pytest.raises(StoreUnavailable):
                    await supervisor.cancel("j")
            snapshot = supervisor.snapshot("j")
            assert snapshot is not None and snapshot["status"] == "running"
        await supervisor.cancel("j")
        assert (await ended(supervisor, "j"))["status"] == "cancelled"
        assert await how_attempts_ended(supervisor, "j") == ["crash"]


async def test_a_client_does_not_wait_for_its_turn_without_end(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.access.PATIENCE_SECONDS", 0.1)
    async with open_service() as supervisor:

        async def submit() -> None:
            with pytest.raises(StoreBusy):
                await supervisor.submit(request("j"))

        with anyio.fail_after(PATIENCE_SECONDS):
            async with supervisor._registry.moving, anyio.create_task_group() as tasks:
                tasks.start_soon(submit)
        await supervisor.submit(request("j"))
        await ended(supervisor, "j")


async def test_a_service_ends_although_the_store_is_locked_and_loses_no_job(
    open_service: Open, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "SHUTDOWN_SECONDS", 1.0)
    with anyio.fail_after(PATIENCE_SECONDS):
        async with open_service() as supervisor:
            await supervisor.submit(request("j", "patient", time_limit_seconds=2.0))
            await searching(supervisor, "j")
            lock = locked(tmp_path)
            lock.__enter__()
    lock.__exit__(None, None, None)
    async with open_service() as supervisor:
        assert (await ended(supervisor, "j"))["status"] == "completed"
        assert await how_attempts_ended(supervisor, "j") == ["shutdown", "result"], "its end waited in a file"


@pytest.mark.parametrize("broken", [StoreError, StoreDamaged])
async def test_an_end_that_the_store_refuses_fails_that_job_and_frees_its_slot(
    open_service: Open, monkeypatch: pytest.MonkeyPatch, broken: type[Exception]
) -> None:
    async with open_service() as supervisor:
        move = supervisor._store.move

        def refuses(before: Job, after: Job, **given: Any) -> None:
            whole = broken is StoreDamaged
            if before.id == "bad" and (whole or given.get("result") is not None):
                raise broken("on purpose")
            move(before, after, **given)

        monkeypatch.setattr(supervisor._store, "move", refuses)
        await supervisor.submit(request("bad"))
        await supervisor.submit(request("good"))
        last = await ended(supervisor, "bad")
        assert (last["status"], last["error"]) == ("failed", "its end cannot be stored: on purpose")
        assert (await ended(supervisor, "good"))["status"] == "completed"


async def test_a_timetable_that_could_not_be_saved_is_handed_to_the_next_attempt(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_service() as supervisor:

        def refuses(*given: object) -> None:
            raise StoreFull("disk is full, on purpose")

        monkeypatch.setattr(supervisor._store, "save_incumbent", refuses)
        await supervisor.submit(request("j", "crash_with_a_timetable"))
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"]) == ("completed", cost(6))
        assert await how_attempts_ended(supervisor, "j") == ["crash", "crash", "crash", "result"]


async def test_no_descriptors_for_a_forkserver_is_waited_out(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*given: object, **named: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.1)
    with monkeypatch.context() as full:
        full.setattr("app.processes.children.subprocess.Popen", refuses)
        async with open_service() as supervisor:
            await supervisor.submit(request("j"))
            async with logged("too many open files"):
                pass
            full.undo()
            assert (await ended(supervisor, "j"))["status"] == "completed"


async def test_no_descriptors_for_a_child_are_no_fault_of_the_job(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*given: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with open_service() as supervisor:
        with monkeypatch.context() as full:
            full.setattr("app.processes.children.os.memfd_create", refuses)
            async with logged("no child can be started"):
                await supervisor.submit(request("j"))
        assert (await ended(supervisor, "j"))["status"] == "completed"
        job = await supervisor.job("j")
        assert job is not None and job.failed_attempts == 0
        assert set(await how_attempts_ended(supervisor, "j")) == {"not_started", "result"}


async def test_an_error_that_nobody_foresaw_does_not_end_the_dispatcher(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.1)
    async with open_service() as supervisor:

        def breaks(*given: object) -> None:
            raise ZeroDivisionError("on purpose")

        with monkeypatch.context() as broken:
            broken.setattr(supervisor._store, "claim", breaks)
            async with logged("no job can be started: on purpose"):
                await supervisor.submit(request("j"))
        assert (await ended(supervisor, "j"))["status"] == "completed"


async def test_a_job_under_which_the_service_dies_again_and_again_is_a_dead_letter(
    open_service: Open, tmp_path: Path
) -> None:
    store, wanted = SqliteStore(tmp_path), request("j", "patient")
    store.submit(new_job(wanted, 0.0), wanted.packed, 1)
    for at in range(1, MAX_RELEASES + 2):
        job = store.claim(float(at))
        assert job is not None and job.attempt == at
        if at <= MAX_RELEASES:
            store.move(job, advance(job, Event.RELEASE, at), outcome=Outcome(how=How.SERVICE_LOST, at=at))
    store.close()
    async with open_service(max_attempts=1) as supervisor:
        last, job = supervisor.snapshot("j"), await supervisor.job("j")
        assert last is not None and job is not None
        assert last["status"] == "failed" and "the service ended while this attempt ran" in last["error"]
        assert job.dead_letter
        assert [job.id for job in await supervisor.jobs(dead_letter=True)] == ["j"]


async def test_a_row_that_is_damaged_while_its_job_runs_costs_that_job_only(open_service: Open, tmp_path: Path) -> None:
    async with open_service(slots=2) as supervisor:
        for job_id in ("damaged", "sound"):
            await supervisor.submit(request(job_id, "patient", time_limit_seconds=3.0))
            await searching(supervisor, job_id)
        with sqlite3.connect(tmp_path / FILE_NAME) as other:
            other.execute("UPDATE jobs SET seed = 9 WHERE id = 'damaged'")
        other.close()
        os.kill(await child_pid(supervisor, "damaged"), signal.SIGKILL)
        failed = await ended(supervisor, "damaged")
        assert failed["status"] == "failed" and "cannot be used" in failed["error"]
        assert (await ended(supervisor, "sound"))["status"] == "completed"


async def test_a_job_that_rests_while_every_slot_is_taken_does_not_make_the_dispatcher_spin(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("running", "patient"))
        await searching(supervisor, "running")
        dispatcher = supervisor._dispatcher
        dispatcher.resting["waiting"] = 0.0
        assert dispatcher._pause() == dispatch.IDLE_SECONDS
        await supervisor.cancel("running")
        await ended(supervisor, "running")
        assert dispatcher._pause() == 0.0, "a slot is free, and its rest is over"
