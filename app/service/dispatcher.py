"""
The dispatcher: gives queued jobs to free slots, and sees every attempt to its end.

It claims the next queued job when a slot is free, or those that it is told; of these it helps with one that is at work
already (`app.service.portfolio_assistants`). `Attempt.run` sees one child through; every end, whatever its cause, goes
through `_on_outcome`, which asks `app.domain.outcomes.settle` what it means and writes that in one transaction. While
the store does not take an end, the end is pending and waits in a file as well (`app.service.spool`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal, TypeAlias

import anyio
from anyio.abc import TaskGroup

from app.domain.jobs import Event, Job, StaleAttempt, Status, advance
from app.domain.outcomes import TAKEN_DOWN, How, Outcome, settle
from app.domain.source import AWAITED, DataSource
from app.domain.telemetry import AttemptEnded, Started
from app.processes.attempt import Attempt
from app.processes.children import ForkServer, ForkServerLost
from app.processes.claims import LastRecount
from app.service.job_registry import JobRegistry, event_between
from app.service.portfolio_assistants import Assistant, Assistants
from app.service.source_loading import Loading, NotLoaded
from app.service.spool import Spool
from app.service.store_access import passing
from app.store import StoreDamaged, StoredIncumbent, StoreError, StoreUnavailable
from solver.errors import in_words

IDLE_SECONDS = 5.0
"""The dispatcher looks at the queue at least this often, even when nobody woke it."""
SHUTDOWN_SECONDS = 6.0
"""Children that are told to end have this long, and so has the store to take what they leave behind."""
RETRY_SECONDS = 1.0
CHECKPOINT_SECONDS = 1.0
_ASKED_FOR = frozenset({How.CANCEL, How.FINISH, How.SHUTDOWN})

_MAY_PASS = (ForkServerLost, StoreUnavailable)

_log = logging.getLogger("timetable.supervisor")


Takes: TypeAlias = Literal["any", "named", "none"]
"""Which queued jobs a dispatcher runs: any, those that somebody names (`Dispatcher.run_named`), or none."""


class Closing(Exception):
    """The service ends, and has not begun what it was asked for."""


class _Call:
    """
    Somebody waits for one job, by its name. `began` is what was begun, or helped with.

    None: it was not to be had, or the service ended before.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id, self.done = job_id, anyio.Event()
        self.began: Job | None = None


class Dispatcher:
    """
    Runs jobs in `slots` slots, those that `takes` says.

    `attempts` are those at work or pending, by job; `resting` says until when (monotonic) a job is not tried again;
    `busy` counts slots in use, `quarantined` those of them whose child cannot be killed; `claims` only rises.
    `assistants` are at work on jobs of others, in slots of ours. `before_end` is called with an attempt whose end is
    about to be stored, and says whether its result is. `recount` is the last look at what children hand in.
    """

    def __init__(
        self,
        registry: JobRegistry,
        forkserver: ForkServer,
        spool: Spool,
        recount: LastRecount,
        takes: Takes = "any",
        source: DataSource | None = None,
    ) -> None:
        self.takes, self.slots = takes, 0 if takes == "none" else registry.settings.slots
        self._calls: list[_Call] = []
        self._running: dict[str, _Call] = {}
        self.attempts: dict[str, Attempt] = {}
        self.resting: dict[str, float] = {}
        self.busy = self.quarantined = self.claims = 0
        self.closing = False
        self._registry, self._forkserver, self._spool, self._recount = registry, forkserver, spool, recount
        self.assistants = Assistants(registry, forkserver)
        self._loading = Loading(registry, source)
        self._round: anyio.CancelScope | None = None
        self._idle = anyio.Event()
        self._unsure = self._given_up = False
        self.may_claim: Callable[[], bool] = lambda: True
        self.before_end: Callable[[Attempt, bool], Awaitable[None]] = _nothing
        self._tasks: TaskGroup

    # --- starting attempts ---

    async def run(self, tasks: TaskGroup) -> None:
        """Dispatches until the service closes. Attempts run in `tasks`."""
        self._tasks = tasks
        while not self.closing and self.takes != "none":
            with anyio.CancelScope() as self._round:
                await self._dispatch()

    async def run_named(self, job_id: str) -> Job | None:
        """
        Runs a queued job and waits until its attempt has ended and that is stored; what ran, or None if nothing did.

        A job that is at work is helped with, where there is a place for us. Nothing is done when there is none, or when
        the job is unknown or has ended. Raises Closing.
        """
        call = _Call(job_id)
        self._calls.append(call)
        self._registry.wake.set()
        await call.done.wait()
        if call.began is None and self.closing:
            raise Closing
        return call.began

    def restart(self) -> None:
        """Begins anew, whatever the dispatcher waits for."""
        if self._round is not None:
            self._round.cancel()

    async def _dispatch(self) -> None:
        registry = self._registry
        while not self.closing:
            registry.wake = anyio.Event()
            try:
                registry.tracks.preparing = not self._forkserver.ready
                await self._forkserver.start()
                registry.tracks.preparing = False
                if self._unsure:
                    await self._give_back()
                while self.busy < self.slots and await self._start_next():
                    pass
            except Exception as error:  # noqa: BLE001 - whatever it is, jobs must start again once it has passed
                _log.error("no job can be started: %s", error, exc_info=not isinstance(error, _MAY_PASS))
                await anyio.sleep(RETRY_SECONDS)
                continue
            with anyio.move_on_after(self._pause()):
                await registry.wake.wait()

    def _pause(self) -> float:
        """Seconds until a resting job may be tried again, or until a routine look; an end wakes us in any case."""
        if self.busy >= self.slots:
            return IDLE_SECONDS
        return max(0.0, min([IDLE_SECONDS, *(at - time.monotonic() for at in self.resting.values())]))

    async def _start_next(self) -> bool:
        now = time.monotonic()
        self.resting = {job_id: at for job_id, at in self.resting.items() if at > now}
        call = next((call for call in self._calls if call.job_id not in self.resting), None)
        if self.takes == "named" and call is None:
            return False
        claimed = tried = False
        async with self._registry.moving:
            with anyio.CancelScope(shield=True):  # a claimed job is never left without its attempt
                if not self.closing and self.may_claim():
                    claimed = await self._claim(call) or (call is not None and await self._assist(call))
                    tried = True
        if call is not None and tried:
            self._calls.remove(call)
            if not claimed:
                call.done.set()
        return claimed or (call is not None and tried)

    async def _claim(self, call: _Call | None) -> bool:
        registry = self._registry
        claim = passing(registry.store.claim, before="claim.before_commit", after="claim.after_commit")
        self._unsure = True
        only = None if call is None else call.job_id
        job = await registry.in_store(claim, time.time(), tuple(self.resting), only)
        self._unsure = False
        if job is None:
            return False
        track = registry.tracks.get(job.id) or registry.show(job)
        attempt = Attempt(
            job,
            registry.settings,
            self._forkserver,
            track,
            lambda held: self._save(job, held),
            observe=registry.tell,
            recount=self._recount,
        )
        if job.finish_requested and job.publish is None:
            attempt.stop(How.FINISH)
        self.attempts[job.id] = attempt
        if call is not None:
            call.began, self._running[job.id] = job, call
        self.busy += 1
        self.claims += 1
        registry.moved(job, Event.CLAIM)
        track.begin_attempt(time.time(), job.remaining_seconds)
        self._tasks.start_soon(self._run, attempt)
        return True

    async def _assist(self, call: _Call) -> bool:
        assistant = await self.assistants.join(call.job_id)
        if assistant is None:
            return False
        call.began = assistant.given.job
        self.busy += 1
        self._tasks.start_soon(self._help, assistant, call)
        return True

    async def _help(self, assistant: Assistant, call: _Call) -> None:
        try:
            await self.assistants.run(assistant)
        except Exception:  # noqa: BLE001 - a bug in somebody's help must not end anything else
            _log.exception("job %s: the help with attempt %d failed", call.job_id, assistant.given.job.attempt)
        finally:
            call.done.set()
            await self._free_slot(assistant.attempt)

    async def _give_back(self) -> None:
        """A claim has failed, so nobody knows whether it was written: what runs without an attempt goes back."""
        registry = self._registry
        async with registry.moving:
            for job in await registry.in_store(registry.store.abandoned, tuple(self.attempts), expired=False):
                outcome = Outcome(how=How.NOT_STARTED, at=time.time(), message="its claim was interrupted")
                after = advance(job, Event.RELEASE, outcome.at)
                await registry.in_store(registry.store.move, job, after, outcome=outcome)
                registry.moved(after, Event.RELEASE)
            self._unsure = False

    def fence(self, job_id: str, number: int) -> None:
        """Ends an attempt of which others think that nobody works on it; nothing of it is published."""
        self.assistants.let_go(job_id, number)
        attempt = self.attempts.get(job_id)
        if attempt is not None and attempt.job.attempt == number:
            attempt.stop(How.FENCED)

    def asked(self, stored: Job) -> None:
        """A job that runs here, as the store has it: another service may have been asked to end it."""
        track = self._registry.tracks[stored.id]
        cancel = stored.cancel_requested and not track.job.cancel_requested
        finish = stored.finish_requested and not track.job.finish_requested
        if cancel or finish:
            cancelled, finished = stored.cancel_requested, stored.finish_requested
            self._registry.show(replace(track.job, cancel_requested=cancelled, finish_requested=finished))
            self.attempts[stored.id].stop(How.CANCEL if cancel else How.FINISH)

    # --- seeing them through ---

    async def _run(self, attempt: Attempt) -> None:
        registry, job, claimed_at = self._registry, attempt.job, time.monotonic()

        async def started(pid: int) -> None:
            waited = time.monotonic() - claimed_at
            registry.tell(Started(job=job, waited_seconds=waited, after_loss=job.id in registry.lost))
            registry.lost.discard(job.id)
            await registry.in_store.note(registry.in_store.if_willing(registry.store.note_pid), job, pid)

        try:
            best = await registry.in_store.best_of(job.id)
            attempt.begin_with(best.held, saved=registry.in_store.is_saved(job.id, best.held), damage=best.damage)
            outcome = await attempt.run(await self._dataset_of(attempt), started)
        except NotLoaded as unloaded:
            outcome = attempt.ended_by(unloaded.how, str(unloaded))
        except _MAY_PASS as error:
            self.resting[job.id] = time.monotonic() + registry.settings.retry_wait_seconds
            outcome = attempt.ended_by(How.NOT_STARTED, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in the supervision of one job must not end the others
            _log.exception("job %s: the supervision of attempt %d failed", job.id, job.attempt)
            outcome = attempt.ended_by(How.ERROR, f"internal error: {error}")
        with anyio.CancelScope(shield=True):
            try:
                await self._on_outcome(attempt, outcome)
            except Exception:  # noqa: BLE001 - nor must the end of one job, whatever is wrong with the store
                _log.exception("job %s: the end of attempt %d is left to the next start", job.id, job.attempt)
                self.attempts.pop(job.id, None)
                self._idle.set()
        if call := self._running.pop(job.id, None):
            call.done.set()
        await self._free_slot(attempt)

    async def _dataset_of(self, attempt: Attempt) -> bytes:
        """Raises NotLoaded when there is none: a damaged one is not mended by trying again."""
        registry, job = self._registry, attempt.job
        try:
            stored = await registry.in_store(registry.store.dataset, job.id) or b""
        except StoreDamaged as error:
            _log.error("job %s cannot be solved: %s", job.id, error)
            raise NotLoaded(
                How.INPUT, f"{error}; send it again under another job id, which mends it, or restore a backup"
            ) from error
        return await self._loading.load(attempt, stored) if AWAITED in job.meta else stored

    async def _free_slot(self, attempt: Attempt) -> None:
        """At once, or when a child that cannot be killed has ended after all."""
        if attempt.unreaped is not None:
            _log.error("process %d cannot be killed; its slot is out of use until it ends", attempt.unreaped.pid)
            self.quarantined += 1
            await attempt.reap_late()
            self.quarantined -= 1
        self.busy -= 1
        self._registry.wake.set()

    async def _save(self, job: Job, held: StoredIncumbent) -> bool:
        """Keeps a timetable in the store; in memory only, while that refuses or lives on its reserve."""
        if not self._takes_notes:
            return False
        save = passing(
            self._registry.store.save_incumbent, before="incumbent.before_commit", after="incumbent.after_commit"
        )
        return await self._registry.in_store.note(self._registry.in_store.if_willing(save), job, held)

    async def keep_checkpoints(self) -> None:
        """Writes down how far every child is, so that a service that is killed goes on from there."""
        while True:
            await anyio.sleep(CHECKPOINT_SECONDS)
            for attempt in list(self.attempts.values()):
                if attempt.at_work and self._takes_notes:
                    await self._checkpoint(attempt)

    @property
    def _takes_notes(self) -> bool:
        """Whether the store takes what we could do without; when it does not, ends and clients come first."""
        return self._registry.in_store.refusal is None and not self._registry.disk_reserve.reserve_used

    async def _checkpoint(self, attempt: Attempt) -> None:
        job, watch = attempt.job, attempt.watch
        track = self._registry.tracks.get(job.id)
        if track is None:
            return
        percent = track.reserve()
        try:
            await self._registry.in_store(
                self._registry.in_store.if_willing(self._registry.store.checkpoint),
                job,
                used_seconds=job.used_seconds + watch.solving_seconds(time.monotonic()),
                percent=percent,
                stage=watch.stage,
                life=track.life(attempt.silent_seconds),
            )
        except (StaleAttempt, StoreError) as error:
            _log.debug("job %s: no checkpoint: %s", job.id, error)  # it has ended, or the next one will do
        else:
            track.kept(percent)

    # --- ends ---

    async def _on_outcome(self, attempt: Attempt, outcome: Outcome) -> None:
        """
        The one place where an attempt ends, however it ended.

        While the store does not answer the end is pending, and the lock is free between two tries. A service that
        closes gives up at last; its next start finds the job running, and its end in the spool.
        """
        spooled = self._registry.in_store.refusal is not None  # known already, so we do not wait to be told again
        if spooled:
            await self._spool_end(attempt, outcome)
        while True:
            try:
                async with self._registry.moving:
                    await self._settle(attempt, outcome)
                break
            except StoreUnavailable as error:
                _log.error("job %s: its end cannot be stored yet: %s", attempt.job.id, error)
                if not spooled:
                    await self._spool_end(attempt, outcome)
                spooled = True
            if self._given_up:
                break
            await anyio.sleep(RETRY_SECONDS)
        if outcome.how is not How.RESULT:
            level = logging.INFO if outcome.how in _ASKED_FOR else logging.WARNING
            _log.log(
                level, "job %s, attempt %d: %s: %s", attempt.job.id, attempt.job.attempt, outcome.how, outcome.message
            )
        if spooled and attempt.job.id not in self.attempts:
            await anyio.to_thread.run_sync(self._spool.remove, attempt.job)
        self._idle.set()

    async def _spool_end(self, attempt: Attempt, outcome: Outcome) -> None:
        try:
            await anyio.to_thread.run_sync(self._spool.write, attempt.job, outcome, attempt.verified)
        except OSError as error:
            _log.error("job %s: nor can its end be written to a file: %s", attempt.job.id, in_words(error))

    async def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Writes what the end of an attempt means for its job. Raises StoreUnavailable when that can be tried again."""
        registry, track = self._registry, self._registry.tracks.get(attempt.job.id)
        if track is None or (track.job.status, track.job.attempt) != (Status.RUNNING, attempt.job.attempt):
            _log.warning("job %s: attempt %d was taken over meanwhile", attempt.job.id, attempt.job.attempt)
            self.attempts.pop(attempt.job.id, None)
            return
        before = track.noted_job
        try:
            after = await self._write(before, attempt, outcome)
        except StoreUnavailable:
            raise
        except StaleAttempt as error:
            _log.warning("job %s, attempt %d: its end was refused: %s", before.id, before.attempt, error)
            after = await self._write_again(before, attempt, outcome)
        except Exception:  # noqa: BLE001 - an end that cannot be stored must not end the service
            _log.exception("job %s, attempt %d: its end was refused", before.id, before.attempt)
            after = await self._write_again(before, attempt, outcome)
        if after.status is Status.QUEUED:
            registry.lost.add(before.id)
            if after.publish is None and after.failed_attempts > max(1, before.failed_attempts):
                self.resting[before.id] = time.monotonic() + registry.settings.retry_wait_seconds
        registry.in_store.remember(before.id, attempt.best.held, saved=not attempt.best.unsaved)
        self.attempts.pop(before.id, None)
        registry.tell(AttemptEnded(job=before, after=after, outcome=outcome))
        registry.moved(after, event_between(before, after))

    async def _write(self, before: Job, attempt: Attempt, outcome: Outcome) -> Job:
        in_store, store = self._registry.in_store, self._registry.store
        if outcome.how in TAKEN_DOWN:
            outcome = replace(outcome, taken_down=await in_store.times_taken_down(before))
        after = settle(before, outcome, self._registry.settings.max_attempts)
        result = attempt.verified if after.result_attempt == before.attempt else None
        await self.before_end(attempt, result is not None)
        move = passing(store.move, before="end.before_commit", after="end.after_commit")
        await in_store.must(move, before, after, outcome=outcome, result=result)
        return after

    async def _write_again(self, before: Job, attempt: Attempt, outcome: Outcome) -> Job:
        """
        After a refusal: the store is asked first, for the end may have been written after all; then we try once more.

        Then the job fails; where even that cannot be stored it is shown, and the next start finds the job running.
        """
        in_store, store = self._registry.in_store, self._registry.store
        try:
            stored = await in_store(store.job, before.id)
        except StoreUnavailable:
            raise
        except StoreError as error:
            return advance(before, Event.FAIL, outcome.at, error=f"its row in the store cannot be used: {error}")
        if stored is None or (stored.status, stored.attempt) != (before.status, before.attempt):
            return stored or advance(before, Event.FAIL, outcome.at, error="its row is gone")
        # Another service may have been asked to end it.
        before = replace(before, cancel_requested=stored.cancel_requested, finish_requested=stored.finish_requested)
        try:
            return await self._write(before, attempt, outcome)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            outcome = Outcome(how=How.ERROR, at=time.time(), message=f"its end cannot be stored: {error}")
        failed = advance(before, Event.FAIL, outcome.at, error=outcome.message)
        try:
            await in_store.must(store.move, before, failed, outcome=outcome)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - as above
            _log.exception("job %s: nor can its failure be stored", before.id)
        return failed

    # --- the end of the service ---

    async def close(self) -> None:
        """Stops all children and gives their jobs back; what the store does not take in time is given up."""
        self.closing = True
        for call in self._calls:
            call.done.set()
        with anyio.move_on_after(SHUTDOWN_SECONDS, shield=True):
            async with self._registry.moving:  # a claim that is under way ends as an attempt that we can stop
                for attempt in self.attempts.values():
                    attempt.stop(How.SHUTDOWN)
            await self.assistants.close()
            while self.attempts:
                self._idle = anyio.Event()
                await self._idle.wait()
        self._given_up = True


async def _nothing(attempt: Attempt, published: bool) -> None:
    """Nobody wants to hear of an end."""
