"""
The supervisor: takes jobs in, runs each in a child of its own, and knows at any moment how every job is.

It never solves, and it never waits on the event loop's time: the store is called in one thread at a time, children are
waited for on descriptors. One lock (`_moving`) covers every change of a job's state, so that a claim, a cancel and the
end of an attempt cannot overlap; the store's own guard (old status, attempt number) stands behind it.

The life of an attempt: the dispatcher claims the oldest queued job when a slot is free; `Attempt.run` sees one child
through; every end, whatever its cause, goes through `_on_end`, which asks `app.endings.settle` what it means and writes
that in one transaction. What was running when an earlier service ended is queued again at start, before the first
claim, and processes it left behind are killed first.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from app.attempt import Attempt
from app.board import Board
from app.children import ForkServer, ForkServerLost
from app.endings import TAKEN_DOWN, Ending, How, settle
from app.jobs import (
    Event,
    Job,
    JobConflict,
    JobRequest,
    JobStateError,
    StaleAttempt,
    Status,
    advance,
    effective_dataset,
    new_job,
)
from app.messages import ResultFrame, pack, unpack
from app.recount import NotVerified, publish_kept
from app.settings import Settings
from app.store import StoredIncumbent
from app.store.access import StoreAccess, patience
from app.vitals import kill_orphans
from solver.result import StoppedBy

IDLE_SECONDS = 5.0
"""The dispatcher looks at the queue at least this often, even when nobody woke it."""
SHUTDOWN_SECONDS = 15.0
RETRY_SECONDS = 1.0
_ASKED_FOR = frozenset({How.CANCEL, How.FINISH, How.SHUTDOWN})

_MAY_PASS = (ForkServerLost, sqlite3.OperationalError)

_log = logging.getLogger("timetable.supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
    """A result. `dataset` is the native document it was verified against, with the rules of the request."""

    dataset: dict[str, Any]
    result: dict[str, Any]


class Supervisor:
    """
    Use it as an async context: entering opens the store, leaving stops all children and releases their jobs.

    `solve` names the function that children call, as `module:name`.

    Raises
    ------
    StoreError
        On entering, when the data folder cannot be used.
    """

    def __init__(self, settings: Settings, *, solve: str = "solver:solve") -> None:
        self._settings = settings
        tag = hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:32]
        self._tag = tag
        self._forkserver = ForkServer(solve, tag)
        self._board = Board(settings.slots)
        self._attempts: dict[str, Attempt] = {}
        self._busy = 0
        self._resting: dict[str, float] = {}
        self._moving = anyio.Lock()
        self._in_store = StoreAccess()
        self._one_recount = anyio.CapacityLimiter(1)
        self._wake = anyio.Event()
        self._idle = anyio.Event()
        self._closing = False
        self._open = False

    # --- starting and stopping ---

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._store = await self._in_store.open(self._settings.data_dir)
            stack.push_async_callback(_to_the_end, self._in_store, self._store.close)
            orphans = await anyio.to_thread.run_sync(kill_orphans, self._tag)
            if orphans:
                _log.warning("killed %d process(es) that an earlier service had left: %s", len(orphans), orphans)
            await self._recover()
            stack.push_async_callback(_to_the_end, self._forkserver.stop)
            self._tasks: TaskGroup = await stack.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self._dispatch)
            self._stack = stack.pop_all()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        with anyio.move_on_after(SHUTDOWN_SECONDS, shield=True):
            async with self._moving:  # a claim that is under way ends as an attempt that we can stop
                for attempt in self._attempts.values():
                    attempt.stop(How.SHUTDOWN)
            while self._attempts:
                self._idle = anyio.Event()
                await self._idle.wait()
        self._open = False
        self._tasks.cancel_scope.cancel()
        await self._stack.aclose()

    async def _recover(self) -> None:
        """Reads every job; those that an earlier service was running go back into the queue."""
        jobs = await self._in_store(self._store.jobs)
        for job in reversed(jobs):
            if job.status is Status.RUNNING:
                job = await self._release_lost(job)
            held = await self._in_store(self._store.incumbent, job.id) if job.status is Status.QUEUED else None
            self._board.add(job).score = held.score if held else job.score

    async def _release_lost(self, job: Job) -> Job:
        held = await self._in_store(self._store.incumbent, job.id)
        ending = Ending(
            how=How.SERVICE_LOST,
            at=time.time(),
            stage=job.stage,
            message="the service ended while this attempt ran",
            held=held.score if held else None,
            taken_down=await self._in_store.times_taken_down(job),
        )
        after = settle(job, ending, self._settings.max_attempts)
        await self._in_store(lambda: self._store.move(job, after, ending=ending))
        return after

    # --- what clients ask for ---

    @property
    def ready(self) -> bool:
        """Whether jobs are taken. Children may still be a moment away, while kernels are being loaded."""
        return self._open and not self._closing

    @property
    def children(self) -> int:
        """Solving child processes at this moment."""
        return sum(attempt.pid is not None for attempt in self._attempts.values())

    async def counts(self) -> Mapping[str, int]:
        """Number of jobs of each status."""
        return self._board.counts()

    async def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """
        Takes a job; when this returns it is durable. The second value is False when the very same job was there.

        Raises
        ------
        JobConflict
            A job with this id has another body.
        QueueFull
            As many jobs wait as may.
        """
        known = self._board.get(request.job_id)
        if known is not None:
            if known.job.body_hash != request.body_hash:
                raise JobConflict(request.job_id)
            return known.job, False
        body = await anyio.to_thread.run_sync(pack, request.dataset)
        async with patience(), self._moving:
            wanted = new_job(request, time.time())
            job, created = await self._in_store(self._store.submit, wanted, body, self._settings.queue_limit)
            if created:
                self._board.add(job)
        self._wake.set()
        return job, created

    def snapshot(self, job_id: str) -> dict[str, Any] | None:
        """The progress document, from memory; None for an unknown id."""
        return self._board.snapshot(job_id)

    async def wait_for_change(self, job_id: str, seen: int, timeout: float) -> int:
        """Waits until the snapshot has a version other than `seen`, `timeout` seconds at most; returns the version."""
        return await self._board.wait_for_change(job_id, seen, timeout)

    async def cancel(self, job_id: str) -> Job | None:
        """Cancels a job: at once when it waits, else when its child is gone. Cancelling twice is no error."""
        async with patience(), self._moving:
            track = self._board.get(job_id)
            if track is None or track.job.cancel_requested or track.job.status is Status.CANCELLED:
                return track.job if track else None
            job = track.job
            if job.status is Status.RUNNING:
                after = await self._in_store(lambda: self._store.request(job, cancel=True))
                self._stop_attempt(job_id, How.CANCEL)
            elif job.status is Status.QUEUED:
                after = advance(job, Event.CANCEL, time.time(), stopped_by=StoppedBy.CANCELLED)
                await self._in_store(self._store.move, job, after)
            else:
                raise JobStateError(job, "cancel")
            return self._moved(after)

    async def finish(self, job_id: str) -> Job | None:
        """Ends the search now and publishes the best timetable so far."""
        async with patience(), self._moving:
            track = self._board.get(job_id)
            if track is None or track.job.finish_requested:
                return track.job if track else None
            job = track.job
            if job.status is Status.RUNNING and not job.cancel_requested:
                after = await self._in_store(lambda: self._store.request(job, finish=True))
                self._stop_attempt(job_id, How.FINISH)
            elif job.status is Status.QUEUED and await self._in_store.best_of(job_id) is not None:
                after = replace(job, publish=StoppedBy.FINISHED_EARLY, finish_requested=True)
                await self._in_store(self._store.move, job, after)
            else:
                raise JobStateError(job, "finish")
            return self._moved(after)

    async def restart(self, job_id: str) -> Job | None:
        """Runs an ended job again, from its best timetable."""
        async with patience(), self._moving:
            track = self._board.get(job_id)
            if track is None:
                return None
            job = track.job
            after = advance(job, Event.RESTART, time.time())
            await self._in_store(self._store.move, job, after)
            return self._moved(after)

    async def job(self, job_id: str) -> Job | None:
        track = self._board.get(job_id)
        return track.job if track else None

    async def jobs(self, *, status: Status | None = None, limit: int = 100, offset: int = 0) -> list[Job]:
        """Newest first."""
        async with patience():
            return await self._in_store(lambda: self._store.jobs(status=status, limit=limit, offset=offset))

    async def result(self, job_id: str) -> StoredResult | None:
        """
        The published result, None while there is none.

        A job that was cancelled before its child could hand in a result has its best timetable recounted when it is
        asked for, so that cancelling never has to wait for that.
        """
        track = self._board.get(job_id)
        if track is None or (track.job.result_attempt is None and track.job.status is not Status.CANCELLED):
            return None
        job = track.job
        async with patience():
            packed = await self._in_store(self._store.dataset, job_id)
            body = await self._in_store(self._store.result, job_id)
            held = await self._in_store.best_of(job_id) if body is None and job.status is Status.CANCELLED else None
        if packed is None or (body is None and held is None):
            return None
        if held is not None:
            return await anyio.to_thread.run_sync(_recounted, job, packed, held, limiter=self._one_recount)
        return await anyio.to_thread.run_sync(
            lambda: StoredResult(dataset=effective_dataset(unpack(packed), job.rules), result=unpack(body or b""))
        )

    async def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """The journal of child processes, oldest first."""
        async with patience():
            return [asdict(row) for row in await self._in_store(self._store.attempts, job_id)]

    # --- running jobs ---

    async def _dispatch(self) -> None:
        while not self._closing:
            self._wake = anyio.Event()
            try:
                self._board.preparing = not self._forkserver.alive
                await self._forkserver.start()
                self._board.preparing = False
                while self._busy < self._settings.slots and await self._start_next():
                    pass
            except Exception as error:  # noqa: BLE001 - whatever it is, jobs must start again once it has passed
                _log.error("no job can be started: %s", error, exc_info=not isinstance(error, _MAY_PASS))
                await anyio.sleep(RETRY_SECONDS)
                continue
            with anyio.move_on_after(self._pause()):
                await self._wake.wait()

    def _pause(self) -> float:
        """Seconds until a resting job may be tried again, or until a routine look."""
        return max(0.0, min([IDLE_SECONDS, *(at - time.monotonic() for at in self._resting.values())]))

    async def _start_next(self) -> bool:
        now = time.monotonic()
        self._resting = {job_id: at for job_id, at in self._resting.items() if at > now}
        async with self._moving:
            if self._closing:
                return False
            job = await self._in_store(self._store.claim, time.time(), tuple(self._resting))
            if job is None:
                return False
            track = self._board[job.id]
            attempt = Attempt(
                job,
                self._settings,
                self._forkserver,
                track,
                lambda incumbent: self._in_store.note(self._store.save_incumbent, job, incumbent),
            )
            if job.finish_requested and job.publish is None:
                attempt.stop(How.FINISH)
            self._attempts[job.id] = attempt
            self._busy += 1
            self._moved(job)
        track.begin_attempt(time.time(), job.remaining_seconds)
        self._tasks.start_soon(self._run, attempt)
        return True

    async def _run(self, attempt: Attempt) -> None:
        job = attempt.job
        try:
            held = await self._in_store.best_of(job.id)
            attempt.begin_with(held, saved=self._in_store.is_saved(job.id, held))
            dataset = await self._in_store(self._store.dataset, job.id) or b""
            ending = await attempt.run(dataset, lambda pid: self._in_store.note(self._store.note_pid, job, pid))
        except _MAY_PASS as error:
            self._resting[job.id] = time.monotonic() + self._settings.retry_wait_seconds
            ending = attempt.ended_by(How.NOT_STARTED, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in the supervision of one job must not end the others
            _log.exception("job %s: the supervision of attempt %d failed", job.id, job.attempt)
            ending = attempt.ended_by(How.ERROR, f"internal error: {error}")
        with anyio.CancelScope(shield=True):
            await self._on_end(attempt, ending)
        if attempt.unreaped is not None:
            _log.error("process %d cannot be killed; its slot is out of use until it ends", attempt.unreaped.pid)
            await attempt.reap_late()
        self._busy -= 1
        self._wake.set()

    async def _on_end(self, attempt: Attempt, ending: Ending) -> None:
        """
        The one place where an attempt ends, however it ended.

        While the store does not answer the end is pending, and the lock is free between two tries. A service that
        closes gives up at last; its next start finds the job running and tries it again.
        """
        while True:
            try:
                async with self._moving:
                    await self._settle(attempt, ending)
                break
            except sqlite3.OperationalError as error:
                _log.error("job %s: its end cannot be stored yet: %s", attempt.job.id, error)
            if not self._open:
                break
            await anyio.sleep(RETRY_SECONDS)
        if ending.how is not How.RESULT:
            level = logging.INFO if ending.how in _ASKED_FOR else logging.WARNING
            _log.log(
                level, "job %s, attempt %d: %s: %s", attempt.job.id, attempt.job.attempt, ending.how, ending.message
            )
        self._idle.set()

    async def _settle(self, attempt: Attempt, ending: Ending) -> None:
        """Writes what the end of an attempt means for its job. Raises OperationalError when that can be tried again."""
        before = self._board[attempt.job.id].job
        try:
            after = await self._write(before, attempt.result, ending)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - an end that cannot be stored must not end the service
            _log.exception("job %s, attempt %d: its end cannot be stored", before.id, before.attempt)
            after = await self._refused(before, error)
        if after.status is Status.QUEUED and after.failed_attempts > max(1, before.failed_attempts):
            self._resting[before.id] = time.monotonic() + self._settings.retry_wait_seconds
        self._in_store.remember(before.id, attempt.held, saved=not attempt.unsaved)
        self._attempts.pop(before.id, None)
        self._moved(after)

    async def _write(self, before: Job, result: ResultFrame | None, ending: Ending) -> Job:
        if ending.how in TAKEN_DOWN:
            ending = replace(ending, taken_down=await self._in_store.times_taken_down(before))
        after = settle(before, ending, self._settings.max_attempts)
        body = result.body if result is not None and after.result_attempt == before.attempt else None
        await self._in_store(lambda: self._store.move(before, after, ending=ending, result=body))
        return after

    async def _refused(self, before: Job, error: Exception) -> Job:
        """The job fails; where even that cannot be stored it is shown, and the next start finds the job running."""
        ending = Ending(how=How.ERROR, at=time.time(), message=f"its end cannot be stored: {error}")
        failed = advance(before, Event.FAIL, ending.at, error=ending.message)
        try:
            if isinstance(error, StaleAttempt):
                return await self._in_store(self._store.job, before.id) or failed
            await self._in_store(lambda: self._store.move(before, failed, ending=ending))
        except sqlite3.OperationalError:
            raise
        except Exception:  # noqa: BLE001 - as above
            _log.exception("job %s: nor can its failure", before.id)
        return failed

    # --- bookkeeping ---

    def _moved(self, job: Job) -> Job:
        """Makes a written row the one we show."""
        self._board.set(job)
        if job.status is Status.QUEUED:
            self._wake.set()
        return job

    def _stop_attempt(self, job_id: str, how: How) -> None:
        if job_id in self._attempts:
            self._attempts[job_id].stop(how)


def _recounted(job: Job, packed: bytes, held: StoredIncumbent) -> StoredResult | None:
    document = effective_dataset(unpack(packed), job.rules)
    try:
        result = publish_kept(document, unpack(held.timetable), held.rung, simplified_context=job.simplified_context)
    except NotVerified:
        _log.exception("job %s: what it holds is no timetable", job.id)
        return None
    return StoredResult(dataset=document, result=result)


async def _to_the_end(work: Callable[..., Awaitable[None]], *args: object) -> None:
    """Closing things is not cut short by whatever made us close them."""
    with anyio.CancelScope(shield=True):
        await work(*args)
