"""
The supervisor: takes jobs in, runs each in a child of its own, and knows at any moment how every job is.

It never solves, and it never waits on the event loop's time: the store is called in one thread at a time, children are
waited for on descriptors. This file is its front: what clients may ask for. Behind it stand the desk
(`app.service.job_registry`: all jobs, and the lock under which they move), the dispatcher (`app.service.dispatcher`:
from claim to end), steering (cancel, finish, restart, delete), recovery at start, retention, and the watchdog over
them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from app.domain.fingerprint import is_same
from app.domain.jobs import DiskFull, Event, Job, JobConflict, JobRequest, StaleAttempt, Status, new_job
from app.domain.source import DataSource
from app.domain.telemetry import HelperStopped, Observer, Recovered, Remedy, Signs, nobody
from app.processes.children import SOLVE, ForkServer, ForkServerLost, tag_of
from app.processes.vitals import kill_orphans
from app.service.dispatcher import Dispatcher, Takes
from app.service.job_registry import Desk
from app.service.leases import Neighbours
from app.service.membership import Fleet
from app.service.portfolio_owner import Portfolio
from app.service.published import Recounting, StoredResult, StoredResults, in_a_thread
from app.service.recovery import recover
from app.service.retention import Retention
from app.service.spool import Spool
from app.service.steering import Among, CalledOff, Steering, anyone
from app.service.store_access import for_client, passing
from app.service.watchdog import Watchdog, keep
from app.settings import Settings
from app.store import DeliveryRow, PortfolioRow, Store, StoreFull
from app.store.manifests import Manifest, folder_of
from app.store.notifications import Channel
from app.system.machine import most_child_mb

T = TypeVar("T")

AGAIN_SECONDS = 1.0
"""Before an end is told again because somebody has asked for its job once more."""

_log = logging.getLogger("timetable.supervisor")


class Supervisor:
    """
    Use it as an async context: entering opens the store, leaving stops all children and releases their jobs.

    `solve` names the function that children call, as `module:name`; `observe` hears of everything that happens;
    `forkserver` is one that was launched already, so that it imports the solver while the service is imported; `takes`
    says which jobs are run here, where others may run them as well (`fleet` knows these); `source` has the data of
    jobs that bring none; `called_off` says which of the jobs that wait at the start are not wanted any more. Every
    method that asks the store raises `StoreUnavailable` when it does not answer in time; what was asked for may then
    still happen, and asking again is safe.

    Raises
    ------
    StoreError
        On entering, when the data folder cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        solve: str = SOLVE,
        observe: Observer = nobody,
        forkserver: ForkServer | None = None,
        takes: Takes = "any",
        source: DataSource | None = None,
        called_off: CalledOff | None = None,
    ) -> None:
        settings = replace(settings, memory_limit_mb=most_child_mb(settings.memory_limit_mb))
        self._settings = settings
        self._tag = tag_of(settings.data_dir)
        self._forkserver = forkserver or ForkServer(solve, self._tag)
        self._spool = Spool(settings.data_dir)
        self._desk = Desk(settings, observe)
        self._dispatcher = Dispatcher(self._desk, self._forkserver, self._spool, takes, source)
        self.fleet = Fleet(self._desk, self._dispatcher)
        self._neighbours = Neighbours(self._desk, self._dispatcher, self._spool)
        self._portfolio = Portfolio(self._desk, self._dispatcher)
        self._watchdog = Watchdog(self._desk, self._dispatcher)
        self._retention = Retention(self._desk)
        self._in_store = self._desk.in_store
        self._forkserver.on_trouble = self._forkserver_stopped
        self._results = StoredResults(self._desk, self._for_client)
        self._steering = Steering(self._desk, self._dispatcher, self._neighbours, self._retention, self._for_client)
        self._called_off = called_off
        self._open = False

    # --- starting and stopping ---

    async def __aenter__(self) -> Self:
        desk, dispatcher, began = self._desk, self._dispatcher, time.monotonic()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_to_the_end, self._forkserver.stop)
            self._launch_forkserver()
            await self._open_store(stack)
            orphans = await anyio.to_thread.run_sync(kill_orphans, self._tag)
            if orphans:
                _log.warning("killed %d process(es) that an earlier service had left: %s", len(orphans), orphans)
            await anyio.to_thread.run_sync(desk.disk_reserve.look)
            await self._neighbours.begin()
            await self.fleet.begin()
            interrupted = await recover(desk, self._spool)
            if self._called_off is not None:
                await self._steering.cancel_waiting(self._called_off)
            # Pushed again, so that it comes first: children end before the store is closed and its folder let go.
            stack.push_async_callback(_to_the_end, self._forkserver.stop)
            desk.tell(Recovered(jobs=interrupted, orphans=len(orphans), seconds=time.monotonic() - began))
            self._tasks: TaskGroup = await stack.enter_async_context(anyio.create_task_group())
            works: Mapping[str, Callable[[], Awaitable[None]]] = {
                "dispatch": partial(dispatcher.run, self._tasks),
                "checkpoints": dispatcher.keep_checkpoints,
                "retention": self._retention.run,
                "leases": self._neighbours.renew,
                "fence": self._neighbours.guard,
                "neighbours": self._neighbours.follow,
                "abandoned": self._neighbours.reclaim,
                "fleet": self.fleet.watch,
                "portfolio": self._portfolio.watch,
                "assistants": dispatcher.assistants.watch,
                "watchdog": self._watchdog.watch,
                "probe": self._watchdog.probe,
                "forkserver": partial(self._watchdog.look_after, self._forkserver),
            }
            for name, work in works.items():
                self._tasks.start_soon(keep, name, work)
            self._stack = stack.pop_all()
        self._open = True
        return self

    def _launch_forkserver(self) -> None:
        """It imports the solver while we examine the store: whoever was interrupted runs again that much sooner."""
        if self._forkserver.alive or self._dispatcher.takes == "none":
            return
        try:
            self._forkserver.launch()
        except ForkServerLost as error:
            _log.warning("%s; the dispatcher tries again", error)

    def _forkserver_stopped(self, pid: int, remedy: Remedy) -> None:
        told = {"continued": "was stopped by a signal and is told to go on", "replaced": "gives no answer and is ended"}
        _log.error("the forkserver (process %d) %s", pid, told[remedy])
        self._desk.tell(HelperStopped(helper="forkserver", pid=pid, remedy=remedy))

    async def _open_store(self, stack: AsyncExitStack) -> None:
        try:
            store = await self._in_store.open(self._settings)
        except StoreFull:  # the service before us was killed, and has left its reserve
            if not await anyio.to_thread.run_sync(self._desk.disk_reserve.release):
                raise
            store = await self._in_store.open(self._settings)
        stack.push_async_callback(_to_the_end, partial(self._in_store, store.close))
        stack.push_async_callback(_to_the_end, partial(anyio.to_thread.run_sync, self._desk.disk_reserve.close))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._dispatcher.close()
        self._open = False
        self._tasks.cancel_scope.cancel()
        await self._stack.aclose()

    # --- how it is ---

    @property
    def ready(self) -> bool:
        """Whether jobs are taken. Children may still be a moment away, while kernels are being loaded."""
        return self._not_ready_because() is None

    @property
    def children(self) -> int:
        """Solving child processes at this moment."""
        owned = sum(attempt.pid is not None for attempt in self._dispatcher.attempts.values())
        return owned + len(self._dispatcher.assistants.signs())

    @property
    def busy_slots(self) -> int:
        """Slots in use, also by attempts whose end is not stored yet."""
        return self._dispatcher.busy

    def signs(self) -> Signs:
        """How the supervisor is at this moment, from memory."""
        waiting = self._desk.waiting()
        reason = self._not_ready_because()
        children = (attempt.signs() for attempt in self._dispatcher.attempts.values())
        return Signs(
            ready=reason is None,
            not_ready_because=reason,
            slots=self._dispatcher.slots,
            quarantined_slots=self._dispatcher.quarantined,
            queued=len(waiting),
            oldest_queued_seconds=max(waiting, default=0.0),
            supervisor_beat_age_seconds=self._watchdog.beat_age,
            store_available=self._in_store.refusal is None,
            rows_set_aside=self._store.set_aside if self._open else 0,
            children=(*(child for child in children if child is not None), *self._dispatcher.assistants.signs()),
            lost_workers=len(self.fleet.lost),
        )

    def _not_ready_because(self) -> str | None:
        if not self._open or self._dispatcher.closing:
            return "the service is ending" if self._dispatcher.closing else "the service has not started yet"
        if self._watchdog.stuck:
            return "jobs wait although slots are free"
        return self._in_store.refusal or self._neighbours.fenced_because or self._desk.disk_reserve.full_because

    async def counts(self) -> Mapping[str, int]:
        """Number of jobs of each status."""
        return self._desk.board.counts()

    async def run_named(self, job_id: str) -> Job | None:
        """See `Dispatcher.run_named`; for a supervisor that takes named jobs."""
        return await self._dispatcher.run_named(job_id)

    def let_go(self, job_id: str, attempt: int) -> None:
        """Ends an attempt that runs or is assisted here and was taken over by others."""
        self._dispatcher.fence(job_id, attempt)

    async def release(self) -> None:
        """Stops all children and gives their jobs back, before anything else is closed."""
        await self._dispatcher.close()

    # --- what clients ask for ---

    async def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """
        Takes a job; when this returns it is durable. The second value is False when the very same job was there.

        Raises
        ------
        JobConflict
            A job with this id has another body.
        QueueFull
            As many jobs wait as may.
        DiskFull
            There is too little room on the disk.
        """
        known = self._known(request)
        return known if known is not None else await self._in_turn(lambda: self._submit(request))

    def _known(self, request: JobRequest) -> tuple[Job, bool] | None:
        track = self._desk.board.get(request.job_id)
        if track is None:
            return None
        if not is_same(track.job.body_hash, request.body_hash):
            raise JobConflict(request.job_id)
        return track.job, False

    async def _submit(self, request: JobRequest) -> tuple[Job, bool]:
        known = self._known(request)  # looked up again: many may have waited for their turn with the same job
        if known is not None:
            return known
        if self._desk.disk_reserve.full_because is not None:
            raise DiskFull(self._desk.disk_reserve.full_because)
        submit = passing(self._desk.store.submit, before="submit.before_commit", after="submit.after_commit")
        new = new_job(request, time.time())
        try:
            job, created = await self._in_store(submit, new, request.packed, self._settings.queue_limit)
        except Exception:
            await self._show_if_stored(request.job_id)
            raise
        if not created:
            self._desk.show(job)
            return job, False
        self._desk.moved(new, None)
        if job.status is Status.CANCELLED:
            _log.info("job %s was cancelled before it came", job.id)
            self._desk.moved(job, Event.CANCEL)
        return job, True

    async def _show_if_stored(self, job_id: str) -> None:
        """After an error nobody knows whether a job was written; if it was, it must be seen."""
        stored = await self._in_store(self._desk.store.job, job_id)
        if stored is not None:
            self._desk.moved(stored, None)

    def snapshot(self, job_id: str) -> dict[str, Any] | None:
        """The progress document, from memory; None for an unknown id."""
        return self._desk.board.snapshot(job_id)

    def curve(self, job_id: str) -> list[dict[str, object]] | None:
        """How cost and bound went since the job began, from memory; None for an unknown id."""
        return self._desk.board.curve(job_id)

    async def wait_for_change(self, job_id: str, seen: int, timeout: float) -> int:
        """Waits until the snapshot has a version other than `seen`, `timeout` seconds at most; returns the version."""
        return await self._desk.board.wait_for_change(job_id, seen, timeout)

    async def cancel(
        self, job_id: str, *, among: Among = anyone, organisations: tuple[str, ...] | None = None
    ) -> Job | None:
        """
        Cancels a job: at once when it waits, else when its child is gone. Cancelling twice is no error.

        None when there is no such job. That is remembered: one that comes soon, of these `organisations` where the
        caller is bound to some, is cancelled at once.
        """
        return await self._steering.cancel(job_id, among, organisations)

    async def finish(self, job_id: str, *, among: Among = anyone) -> Job | None:
        """Ends the search now and publishes the best timetable so far."""
        return await self._steering.finish(job_id, among)

    async def restart(self, job_id: str, *, among: Among = anyone) -> Job | None:
        """Runs an ended job again, from its best timetable."""
        return await self._steering.restart(job_id, among)

    async def delete(self, job_id: str, *, among: Among = anyone) -> Job | None:
        """Deletes an ended job with all it has left; None for an unknown id. Raises JobStateError for one at work."""
        return await self._steering.delete(job_id, among)

    # --- what they read ---

    async def look_up(self, job_id: str) -> None:
        """
        Sees to it that a job is known here that another service has just taken in. Raises StoreUnavailable.

        What is known here is at most a second old in any case; see `app.service.leases`.
        """
        if self._neighbours.shared and self._desk.board.get(job_id) is None:
            await self._in_turn(lambda: self._neighbours.latest(job_id))

    def known(self, job_id: str) -> Job | None:
        """A job as it is known here, from memory."""
        track = self._desk.board.get(job_id)
        return track.job if track else None

    async def job(self, job_id: str) -> Job | None:
        """As it is at this moment, also where another service runs it."""
        track = self._desk.board.get(job_id)
        if self._neighbours.shared and (track is None or not track.job.status.terminal):
            track = await self._in_turn(lambda: self._neighbours.latest(job_id))
        return track.job if track else None

    async def jobs(
        self,
        *,
        status: Status | None = None,
        dead_letter: bool | None = None,
        limit: int = 100,
        offset: int = 0,
        among: Among = anyone,
    ) -> list[Job]:
        """Newest first, from memory; of those that run, the progress of this moment."""
        found = (
            replace(track.job, percent=track.percent) if track.job.status is Status.RUNNING else track.job
            for track in self._desk.board.newest_first()
            if (status is None or track.job.status is status)
            and (dead_letter is None or track.job.dead_letter is dead_letter)
            and among(track.job)
        )
        return list(islice(found, offset, offset + limit))

    async def result(self, job_id: str, recounting: Recounting = in_a_thread) -> StoredResult | None:
        """
        The published result, None while there is none.

        Of a job that was cancelled before its child could hand in a result, the best timetable is recounted when it is
        asked for the first time, so that cancelling never has to wait for that; `recounting` does it.
        """
        return await self._results.of(job_id, recounting)

    async def attempts(self, job_id: str) -> list[dict[str, Any]]:
        """The journal of child processes, oldest first."""
        return [asdict(row) for row in await self._read(self._desk.store.attempts, job_id)]

    async def portfolio(self, job_id: str) -> list[PortfolioRow]:
        """Who has worked on those of its attempts that several workers did."""
        return await self._read(self._desk.store.portfolio, job_id)

    async def bundle(self, job_id: str, attempt: int) -> Mapping[str, Any] | None:
        """The evidence that an attempt has left that ended uncleanly; None when there is none."""
        return await self._read(self._desk.store.bundle, job_id, attempt)

    async def deliveries(self, job_id: str) -> list[DeliveryRow]:
        """Who was told, or is to be told, how a job has ended."""
        return await self._read(self._desk.store.deliveries, job_id)

    async def undelivered(self) -> list[DeliveryRow]:
        """What is still to be told, and what was given up."""
        return await self._in_store(self._desk.store.undelivered)

    async def tell_again(self, job_id: str, only: Channel | None = None) -> int:
        """
        Has the end of an ended job told once more, on every channel or on one; returns on how many that comes of it.

        A moment later: whoever made us do so may first write down what it has just heard from us.
        """
        track = self._desk.board.get(job_id)
        if track is None or not track.job.status.terminal:
            return 0
        try:
            at = time.time() + AGAIN_SECONDS
            return await self._in_store.must(self._desk.store.tell_again, track.job, at, only)
        except StaleAttempt:  # it runs again, and will end again
            return 0

    async def deliver_again(self, job_id: str) -> int:
        """Has the deliveries of a job tried again that were given up; returns how many."""
        dead = [row for row in await self.deliveries(job_id) if row.state == "dead"]
        for row in dead:
            await self.note_delivery(replace(row, state="pending", tries=0, next_at=0.0, done_at=None))
        return len(dead)

    async def note_delivery(self, row: DeliveryRow) -> None:
        """Writes down what has become of a delivery. Raises StaleAttempt when its job is deleted."""
        await self._in_store.must(self._desk.store.note_delivery, row)

    async def backup(self, folder: Path | None = None) -> Manifest:
        """Makes a verified backup in `folder`, or where the settings say, beside all else. Raises StoreError."""
        settings = self._settings
        return await self._in_store.backup(
            folder or folder_of(settings), settings.backup_keep, settings.backup_key_file
        )

    # --- bookkeeping ---

    @property
    def _store(self) -> Store:
        return self._desk.store

    async def _in_turn(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Does something to jobs, alone. The client waits only so long; what has begun is seen through without it."""
        return await self._for_client(work, self._desk.moving)

    async def _read(self, call: Callable[..., T], *args: object) -> T:
        return await self._for_client(partial(self._in_store, call, *args))

    async def _for_client(self, work: Callable[[], Awaitable[T]], turn: anyio.Lock | None = None) -> T:
        return await for_client(self._tasks, work, turn)


async def _to_the_end(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Closing things is not cut short by whatever made us close them."""
    with anyio.CancelScope(shield=True):
        await work()
