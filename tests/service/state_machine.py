"""
All that can happen to jobs, in any order, against the real store and the real rules, with children that are only said
to exist. After every step the invariants of a job service hold, or Hypothesis shows the shortest way to break them.

`Machine` is the state machine; `run(steps, seed)` drives it for so many steps, in the suite and in the campaign.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import anyio
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.domain.jobs import (
    Event,
    Job,
    JobConflict,
    JobRequest,
    JobStateError,
    QueueFull,
    StaleAttempt,
    Status,
    advance,
    new_job,
)
from app.domain.outcomes import How, Outcome, settle
from app.domain.telemetry import nobody
from app.service.job_registry import JobRegistry
from app.service.recovery import recover
from app.service.spool import Spool
from app.settings import Settings
from app.store import StoredIncumbent
from app.store.sqlite import SqliteStore
from solver.result import Quality, StoppedBy
from solver.rules import Score

STEPS_PER_EXAMPLE = 50
QUEUE_LIMIT = 6
MAX_ATTEMPTS = 3
IN_MEMORY = Path("/dev/shm")
"""Every step commits, and what is tested is not the disk."""
IDS = tuple(f"j{number}" for number in range(8))
LOSSES = (How.CRASH, How.MEMORY, How.HANG, How.DEADLINE, How.ERROR, How.FORKSERVER_LOST, How.SHUTDOWN, How.NOT_STARTED)


@dataclass
class Child:
    """A child that is said to run; one whose attempt is over is a ghost that may still write."""

    job: Job
    held: Score | None
    seconds: float = 0.0


class Machine(RuleBasedStateMachine):
    """The model: what a client was told (`known`), what was counted (`ledger`), and which children live."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.settings = Settings(data_dir=self.folder, slots=2, max_attempts=MAX_ATTEMPTS)
        self.store = SqliteStore(self.folder)
        self.spool = Spool(self.folder)
        self.known: dict[str, Job] = {}
        self.children: dict[str, Child] = {}
        self.ghosts: list[Child] = []
        self.highest: dict[str, int] = {}
        self.percent: dict[str, tuple[float | None, float]] = {}
        self.ledger = dict.fromkeys(("submitted", "deleted"), 0)
        self.clock = itertools.count(1)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @property
    def now(self) -> float:
        return float(next(self.clock))

    def ended(self, job: Job, outcome: Outcome, result: bytes | None = None) -> Job:
        """The one place where an attempt ends, as in the dispatcher."""
        after = settle(job, outcome, MAX_ATTEMPTS)
        body = result if after.result_attempt == job.attempt else None
        self.store.move(job, after, outcome=outcome, result=body)
        self.known[job.id] = after
        self.ghosts = [*self.ghosts[-3:], self.children.pop(job.id)]
        return after

    def job(self, pick: int) -> Job:
        return list(self.known.values())[pick % len(self.known)]

    def running(self, pick: int) -> Child:
        return list(self.children.values())[pick % len(self.children)]

    # --- what clients do ---

    @rule(job_id=st.sampled_from(IDS), other_body=st.booleans())
    def submit(self, job_id: str, other_body: bool) -> None:
        body_hash = "another" if other_body and job_id in self.known else "h"
        wanted = new_job(JobRequest(job_id=job_id, body_hash=body_hash, packed=b""), self.now)
        waiting = sum(job.status is Status.QUEUED for job in self.known.values())
        try:
            job, created = self.store.submit(wanted, job_id[-1:].encode() * 9, QUEUE_LIMIT)
        except JobConflict:
            assert body_hash == "another"
        except QueueFull:
            assert job_id not in self.known and waiting >= QUEUE_LIMIT
        else:
            assert created is (job_id not in self.known) and body_hash == "h"
            if created:
                self.known[job_id] = job
                self.ledger["submitted"] += 1
            else:
                assert job == self.store.job(job_id)

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 9))
    def cancel(self, pick: int) -> None:
        job = self.job(pick)
        if job.cancel_requested:
            return
        if job.status is Status.RUNNING:
            self.store.request(job, cancel=True)
            self.known[job.id] = replace(job, cancel_requested=True)
        elif job.status is Status.QUEUED:
            after = advance(job, Event.CANCEL, self.now, stopped_by=StoppedBy.CANCELLED)
            self.store.move(job, after)
            self.known[job.id] = after

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 9))
    def finish(self, pick: int) -> None:
        job = self.job(pick)
        if job.finish_requested:
            return
        if job.status is Status.RUNNING and not job.cancel_requested:
            self.store.request(job, finish=True)
            self.known[job.id] = replace(job, finish_requested=True)
        elif job.status is Status.QUEUED and self.store.incumbent(job.id) is not None:
            after = replace(job, publish=StoppedBy.FINISHED_EARLY, finish_requested=True)
            self.store.move(job, after)
            self.known[job.id] = after

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 9))
    def restart(self, pick: int) -> None:
        job = self.job(pick)
        try:
            after = advance(job, Event.RESTART, self.now)
        except JobStateError:
            assert not job.status.terminal
            return
        self.store.move(job, after)
        self.known[job.id] = after
        self.percent.pop(job.id, None)

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 9))
    def delete(self, pick: int) -> None:
        job = self.job(pick)
        try:
            self.store.delete(job)
        except StaleAttempt:
            assert not job.status.terminal
            return
        assert job.status.terminal
        assert self.store.job(job.id) is None and self.store.attempts(job.id) == []
        del self.known[job.id]
        self.highest.pop(job.id, None)
        self.percent.pop(job.id, None)
        self.ghosts = [ghost for ghost in self.ghosts if ghost.job.id != job.id]
        self.ledger["deleted"] += 1

    # --- what the dispatcher and its children do ---

    @precondition(lambda self: len(self.children) < self.settings.slots and len(self.known) > len(self.children))
    @rule()
    def claim(self) -> None:
        job = self.store.claim(self.now)
        waiting = [known.id for known in self.known.values() if known.status is Status.QUEUED]
        assert (job is None) == (not waiting)
        if job is not None:
            assert job.id in waiting and job.id not in self.children
            assert job.attempt > self.highest.get(job.id, 0), "attempt numbers rise, across restarts too"
            self.highest[job.id] = job.attempt
            held = self.store.incumbent(job.id)
            self.known[job.id] = job
            self.children[job.id] = Child(job, held.score if held else None)

    @precondition(lambda self: self.children)
    @rule(pick=st.integers(0, 9), cost=st.integers(0, 100))
    def incumbent(self, pick: int, cost: int) -> None:
        child, score = self.running(pick), Score(0, 0, 0, cost)
        if child.held is None or score < child.held:
            self.store.save_incumbent(
                child.job, StoredIncumbent(score=score, timetable=b"%d" % cost, rung="full", found_at=self.now)
            )
            child.held = score

    @precondition(lambda self: self.children)
    @rule(pick=st.integers(0, 9), seconds=st.floats(0, 40))
    def works(self, pick: int, seconds: float) -> None:
        """Time passes, and the checkpoint is written."""
        child = self.running(pick)
        child.seconds += seconds
        before = self.known[child.job.id]
        percent = min(99.0, before.percent + seconds)
        self.known[child.job.id] = replace(before, percent=percent)
        used = child.job.used_seconds + child.seconds
        self.store.checkpoint(child.job, used_seconds=used, percent=percent, stage="search")

    @precondition(lambda self: self.children)
    @rule(pick=st.integers(0, 9), placed=st.sampled_from([0, 9]))
    def result(self, pick: int, placed: int) -> None:
        child = self.running(pick)
        body = f"result of {child.job.id} {child.job.attempt}".encode()
        fields = {
            "score": child.held or Score(0, 0, 0, 101),
            "bound": None,
            "placed": placed,
            "total": 9,
            "quality": Quality.FEASIBLE,
            "stopped_by": StoppedBy.STALLED,
            "rung": "full",
            "result_attempt": child.job.attempt,
            "result_digest": hashlib.sha256(body).hexdigest(),
        }
        outcome = Outcome(how=How.RESULT, at=self.now, seconds=child.seconds, held=child.held, result=fields)
        after = self.ended(self.known[child.job.id], outcome, body)
        assert after.status.terminal

    @precondition(lambda self: self.children)
    @rule(pick=st.integers(0, 9), how=st.sampled_from(LOSSES), stage=st.sampled_from(["context", "search", "store"]))
    def lost(self, pick: int, how: How, stage: str) -> None:
        child = self.running(pick)
        before = self.known[child.job.id]
        outcome = Outcome(how=how, at=self.now, seconds=child.seconds, stage=stage, held=child.held)
        after = self.ended(before, outcome)
        assert after.status.terminal or after.status is Status.QUEUED
        if before.cancel_requested:
            assert after.status is Status.CANCELLED

    @precondition(lambda self: self.ghosts)
    @rule(pick=st.integers(0, 9), what=st.sampled_from(["move", "incumbent", "checkpoint", "pid", "request"]))
    def ghost_writes(self, pick: int, what: str) -> None:
        """Somebody wakes up who believes that an attempt still runs which was over long ago."""
        ghost = self.ghosts[pick % len(self.ghosts)].job
        before = (self.store.job(ghost.id), self.store.incumbent(ghost.id), self.store.attempts(ghost.id))
        held = StoredIncumbent(score=Score(0, 0, 0, 0), timetable=b"x", rung=None, found_at=0.0)
        writes = {
            "move": lambda: self.store.move(ghost, advance(ghost, Event.FAIL, 0.0)),
            "incumbent": lambda: self.store.save_incumbent(ghost, held),
            "checkpoint": lambda: self.store.checkpoint(ghost, used_seconds=0.0, percent=0.0, stage=None),
            "pid": lambda: self.store.note_pid(ghost, 1),
            "request": lambda: self.store.request(ghost, cancel=True),
        }
        try:
            writes[what]()
        except StaleAttempt:
            assert before == (self.store.job(ghost.id), self.store.incumbent(ghost.id), self.store.attempts(ghost.id))
        else:
            raise AssertionError(f"a stale attempt could {what}")

    # --- what happens to the service ---

    @precondition(lambda self: self.children)
    @rule(spooled=st.booleans())
    def service_killed(self, spooled: bool) -> None:
        """No end is written; the next service recovers. An end may have waited in a file."""
        before = dict(self.known)
        waits = next(iter(self.children.values()), None) if spooled else None
        if waits is not None:
            outcome = Outcome(how=How.CRASH, at=self.now, seconds=waits.seconds, stage="search", held=waits.held)
            self.spool.write(waits.job, outcome, None)
        self.store.close()
        registry = JobRegistry(self.settings, nobody)
        anyio.run(self._recover, registry)
        self.store = registry.store  # type: ignore[assignment]
        self.ghosts = [*self.ghosts[-3:], *self.children.values()]
        self.children.clear()
        for job_id, old in before.items():
            track = registry.tracks.get(job_id)
            assert track is not None, "an acknowledged job is never lost"
            if old.status is not Status.RUNNING:
                assert track.job == old
            else:
                assert track.job.status is not Status.RUNNING and track.job.attempt == old.attempt
                assert track.job.percent >= old.percent and track.percent >= old.percent
                assert not old.cancel_requested or track.job.status is Status.CANCELLED
            self.known[job_id] = track.job
        assert len(list(registry.tracks.newest_first())) == len(before)

    async def _recover(self, registry: JobRegistry) -> None:
        await registry.in_store.open(self.settings)
        await recover(registry, self.spool)

    # --- what always holds ---

    @invariant()
    def store_and_memory_agree(self) -> None:
        type(self).steps += 1
        stored = {job.id: job for job in self.store.jobs()}
        assert stored.keys() == self.known.keys()
        for job_id, job in self.known.items():
            if job.status is Status.RUNNING:  # checkpoints go to the store, and to the row only at its end
                assert replace(stored[job_id], used_seconds=0, stage=None) == replace(job, used_seconds=0, stage=None)
            else:
                assert stored[job_id] == job

    @invariant()
    def the_running_jobs_are_those_with_a_child(self) -> None:
        running = {job_id for job_id, job in self.known.items() if job.status is Status.RUNNING}
        assert running == self.children.keys() and len(running) <= self.settings.slots
        for job_id in self.known:
            open_attempts = [row.attempt for row in self.store.attempts(job_id) if row.ended_at is None]
            assert open_attempts == ([self.children[job_id].job.attempt] if job_id in running else [])

    @invariant()
    def results_and_their_digests_belong_together(self) -> None:
        for job_id, job in self.known.items():
            body = self.store.result(job_id)
            assert (body is None) == (job.result_attempt is None)
            assert body is None or hashlib.sha256(body).hexdigest() == job.result_digest
            assert job.status is not Status.COMPLETED or (body is not None and job.placed)

    @invariant()
    def progress_never_falls_within_a_run(self) -> None:
        for job_id, job in self.known.items():
            run, percent = self.percent.get(job_id, (None, 0.0))
            if run == job.started_at:
                assert job.percent >= percent
            self.percent[job_id] = (job.started_at, job.percent)

    @invariant()
    def the_ledger_adds_up(self) -> None:
        assert self.ledger["submitted"] - self.ledger["deleted"] == len(self.known)


def run(steps: int, first_seed: int = 0) -> int:
    """
    Drives the machine for at least so many steps; the same seed takes the same way. Returns the steps taken.

    Raises
    ------
    AssertionError
        An invariant does not hold; Hypothesis has printed the shortest way to it.
    """
    before, number = Machine.steps, first_seed
    while Machine.steps - before < steps:
        left = steps - (Machine.steps - before)
        examples = max(1, min(200, left // (STEPS_PER_EXAMPLE // 2)))
        run_state_machine_as_test(
            seed(number)(Machine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS_PER_EXAMPLE,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
        number += 1
    return Machine.steps - before
