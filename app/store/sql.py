"""
What every SQL store does in the same way: each method of the contract as one transaction.

A kind of store says how a transaction is made (`_write`, `_read`), and fills the hooks where kinds differ: which rows a
SELECT holds until its transaction ends, how the next queued job is found, and what else comes with a claim or an end.
Statements are spelled with `?`. A body may run again from its start when its connection was lost before the commit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from app.domain.fingerprint import is_same
from app.domain.jobs import Event, Job, JobConflict, QueueFull, StaleAttempt, Status, advance
from app.domain.liveness import Life
from app.domain.outcomes import Outcome
from app.store import (
    AttemptRow,
    DeliveryRow,
    EarlyCancel,
    PortfolioRow,
    StoreDamaged,
    StoredIncumbent,
    StoreError,
    cancels,
)
from app.store.notifications import Channel, Channels, told_of, told_of_end
from app.store.rows import (
    ATTEMPTS,
    INCUMBENTS,
    JOBS,
    OUTBOX,
    Work,
    attempt_of_row,
    deliveries_of,
    delivery_of_row,
    incumbent_of_row,
    job_of_row,
    new_attempt,
    row_of_delivery,
    row_of_incumbent,
    row_of_job,
    undamaged,
)
from solver.result import StoppedBy

T = TypeVar("T")

MOST_DAMAGED = 20
"""Damaged rows at the head of the queue that one claim passes over."""
KEEP_DATASET = """
INSERT INTO datasets (digest, body) VALUES (?, ?)
ON CONFLICT (digest) DO UPDATE SET body = excluded.body WHERE datasets.body <> excluded.body
"""
"""One row for all jobs with the same dataset; where it was damaged, whoever sends it again mends it."""
DROP_UNUSED = "DELETE FROM datasets WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE dataset = digest)"
AFTER_ANSWER_SECONDS = 1.0
"""
A job that ends while it is taken is told of so much later: the platform marks its row as running when it has our
answer.
"""
_ANY_NUMBER = 2**62
_ENDING = ("how", "exit_code", "stage", "rung", "message", "verdict", "place", "peak_mb")

_log = logging.getLogger("timetable.store")


class SqlStore(ABC):
    """The contract of `app.store.Store` on tables as `app.store.rows` describes them."""

    _hold = ""
    """Behind a SELECT whose rows nobody else may change before the transaction ends."""

    _order = "rowid"
    """The order of insertion."""

    set_aside = 0
    """Rows that are in quarantine, or were passed over when all jobs were read last, because they are damaged."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    @abstractmethod
    def _write(self, body: Callable[[Work], T]) -> T:
        """What `body` returns, once its transaction is durable. Raises StoreError."""

    @abstractmethod
    def _read(self, body: Callable[[Work], T]) -> T: ...

    @abstractmethod
    def _next_queued(self, work: Work, skip: Collection[str], only: str | None) -> list[tuple[Any, ...]]:
        """The oldest queued row that nobody else is about to take, as `JOBS.select` gives it; or nothing."""

    def _enter(self, work: Work) -> None:  # noqa: B027 - a hook; SQLite has nothing to do here
        """Called first in a transaction that adds or removes jobs and datasets."""

    def _added(self, work: Work, job: Job) -> None:  # noqa: B027 - as above
        """The job has been inserted."""

    def _taken(self, work: Work, job: Job) -> None:  # noqa: B027 - as above
        """The job has been claimed."""

    def _left(self, work: Work, before: Job, after: Job) -> None:  # noqa: B027 - as above
        """The job has moved."""

    def _told(self, work: Work, job: Job, life: Life) -> None:  # noqa: B027 - as above
        """The owner of a running attempt has told how it is."""

    def _to_tell(self, work: Work, job: Job) -> None:  # noqa: B027 - as above
        """The end of the job is to be told by this service."""

    # --- jobs ---

    def submit(self, job: Job, dataset: bytes, queue_limit: int) -> tuple[Job, bool]:
        """Adds a job with its dataset; a body that is stored already is not stored twice."""
        digest = hashlib.sha256(dataset).hexdigest()

        def body(work: Work) -> tuple[Job, bool]:
            self._enter(work)
            row = _row(work, job.id)
            if row is not None:
                known = job_of_row(row)
                if not is_same(known.body_hash, job.body_hash):
                    raise JobConflict(job.id)
                return known, False
            unwanted = cancels.used_up(work, job)
            if not unwanted and _waiting(work) >= queue_limit:
                raise QueueFull(queue_limit)
            work.change(KEEP_DATASET, (digest, dataset))
            work.change(JOBS.insert, JOBS.to_insert(row_of_job(job, digest)))
            self._added(work, job)
            return (self._call_off(work, job, digest) if unwanted else job), True

        return self._write(body)

    def _call_off(self, work: Work, job: Job, dataset: str) -> Job:
        after = advance(job, Event.CANCEL, job.created_at, stopped_by=StoppedBy.CANCELLED)
        work.change(JOBS.update, JOBS.to_update(row_of_job(after, dataset)))
        self._tell_end(work, job, after, next_at=job.created_at + AFTER_ANSWER_SECONDS)
        self._left(work, job, after)
        return after

    def remember_cancel(self, cancel: EarlyCancel) -> Job | None:
        """Keeps an early cancel in the same transaction that looks for its job."""

        def body(work: Work) -> Job | None:
            self._enter(work)
            row = _row(work, cancel.job_id)
            if row is not None:
                return job_of_row(row)
            cancels.remember(work, cancel)
            return None

        return self._write(body)

    def claim(self, at: float, skip: Collection[str] = (), only: str | None = None) -> Job | None:
        """Opens the next attempt of the oldest queued job; one whose row is damaged is passed over."""

        def body(work: Work) -> Job | None:
            passed = list(skip)
            for _ in range(MOST_DAMAGED):
                found = self._next_queued(work, passed, only)
                if not found:
                    return None
                try:
                    row = JOBS.opened(found[0])
                except StoreDamaged as error:  # it must not hold up all behind it
                    _log.error("a queued job is passed over: %s", error)
                    passed.append(found[0][JOBS.columns.index("id")])
                    continue
                return self._begin(work, row, at)
            return None

        return self._write(body)

    def _begin(self, work: Work, row: Mapping[str, Any], at: float) -> Job:
        queued = job_of_row(row)
        started_at = _after_all(work, queued.id, at) if queued.started_at is None else queued.started_at
        job = replace(queued, status=Status.RUNNING, attempt=queued.attempt + 1, started_at=started_at)
        work.change(JOBS.update, JOBS.to_update(row_of_job(job, row["dataset"])))
        work.change(ATTEMPTS.insert, ATTEMPTS.to_insert(new_attempt(job, max(at, started_at))))
        self._taken(work, job)
        return job

    def request(self, job: Job, *, cancel: bool = False, finish: bool = False) -> Job:
        """Sets the flags that are True; one that is set stays set. Raises StaleAttempt."""

        def body(work: Work) -> Job:
            row = self._still(work, job)
            found = job_of_row(row)
            after = replace(
                found,
                cancel_requested=found.cancel_requested or cancel,
                finish_requested=found.finish_requested or finish,
            )
            work.change(JOBS.update, JOBS.to_update(row_of_job(after, row["dataset"])))
            return after

        return self._write(body)

    def move(self, before: Job, after: Job, *, outcome: Outcome | None = None, result: bytes | None = None) -> None:
        """Replaces the row, closes the attempt, adds result and deliveries, in one transaction. Raises StaleAttempt."""

        def body(work: Work) -> None:
            row = self._still(work, before)
            if _asked_meanwhile(row, before):
                raise StaleAttempt(f"job {before.id!r}: somebody has asked to end attempt {before.attempt} meanwhile")
            if result is not None:
                _add_result(work, before, after, result)
            work.change(JOBS.update, JOBS.to_update(row_of_job(after, row["dataset"])))
            if outcome is not None:
                self._close_attempt(work, before, outcome)
            self._tell_end(work, before, after)
            self._left(work, before, after)

        self._write(body)

    def _tell_end(self, work: Work, before: Job, after: Job, next_at: float = 0.0) -> None:
        for delivery in deliveries_of(after, told_of_end(before, after, self._channels)):
            work.change(OUTBOX.insert, OUTBOX.to_insert(row_of_delivery(replace(delivery, next_at=next_at))))

    def _still(self, work: Work, job: Job) -> dict[str, Any]:
        """The row of a job that has not left the state and attempt of `job`; raises StaleAttempt."""
        where = f"id = ? AND status = ? AND attempt = ?{self._hold}"
        rows = work.rows(f"{JOBS.select} WHERE {where}", (job.id, job.status.value, job.attempt))
        if not rows:
            raise _stale(job)
        return JOBS.opened(rows[0])

    def _still_runs(self, work: Work, job: Job) -> dict[str, Any]:
        return self._still(work, replace(job, status=Status.RUNNING))

    def _close_attempt(self, work: Work, job: Job, outcome: Outcome) -> None:
        changes = {name: getattr(outcome, name) for name in _ENDING}
        bundle, seconds = json.dumps(outcome.bundle) if outcome.bundle else None, outcome.seconds_in_journal
        self._change_attempt(work, job, ended_at=outcome.at, bundle=bundle, seconds=seconds, **changes)

    def _change_attempt(self, work: Work, job: Job, **changes: object) -> None:
        """Only while it is open; raises StaleAttempt."""
        where = f"{ATTEMPTS.where} AND ended_at IS NULL{self._hold}"
        rows = work.rows(f"{ATTEMPTS.select} WHERE {where}", (job.id, job.attempt))
        if not rows:
            raise _stale(job)
        row = {**ATTEMPTS.opened(rows[0]), **changes}
        work.change(ATTEMPTS.update, ATTEMPTS.to_update(row))

    def job(self, job_id: str) -> Job | None:
        """The row of a job, checked against its seal."""
        row = self._read(lambda work: _row(work, job_id))
        return job_of_row(row) if row else None

    def jobs(self, *, status: Status | None = None, limit: int | None = None, offset: int = 0) -> list[Job]:
        """A page of the rows in the order they came, newest first; damaged ones are left out."""
        where = "" if status is None else " WHERE status = ?"
        values = () if status is None else (status.value,)
        page = (_ANY_NUMBER if limit is None else limit, offset)
        rows = self._read(
            lambda work: work.rows(f"{JOBS.select}{where} ORDER BY seq DESC LIMIT ? OFFSET ?", (*values, *page))
        )
        return self._sound(rows)

    def _sound(self, rows: list[tuple[Any, ...]]) -> list[Job]:
        """Without those that are not what was written: one damaged row must not hide all others."""
        found = list(JOBS.sound(rows, job_of_row, partial(_log.error, "a job is passed over: %s")))
        self.set_aside = max(self.set_aside, len(rows) - len(found))
        return found

    def dataset(self, job_id: str) -> bytes | None:
        """The packed dataset, checked against its digest."""

        def body(work: Work) -> bytes | None:
            row = _row(work, job_id)
            if row is None:
                return None
            rows = work.rows("SELECT body FROM datasets WHERE digest = ?", (row["dataset"],))
            if not rows:
                raise StoreDamaged(f"the stored dataset of job {job_id!r} is gone")
            return undamaged(rows[0][0], row["dataset"], f"the stored dataset of job {job_id!r}")

        return self._read(body)

    # --- attempts, incumbents, results ---

    def note_pid(self, job: Job, pid: int) -> None:
        """Writes the child's process id into the attempt's row."""
        self._write(lambda work: self._change_attempt(work, job, pid=pid))

    def attempts(self, job_id: str) -> list[AttemptRow]:
        """The rows of the journal, each checked against its seal."""
        query = f"{ATTEMPTS.select} WHERE job_id = ? ORDER BY attempt"
        rows = self._read(lambda work: work.rows(query, (job_id,)))
        return [attempt_of_row(ATTEMPTS.opened(row)) for row in rows]

    def keep_dataset(self, job: Job, dataset: bytes) -> None:
        """Stores what was fetched under its digest, has the job name it, and removes what no job names any more."""
        digest = hashlib.sha256(dataset).hexdigest()

        def body(work: Work) -> None:
            self._enter(work)
            row = self._still_runs(work, job)
            # Only what was fetched is written: somebody may have asked to end the job meanwhile.
            after = replace(job_of_row(row), meta=job.meta)
            work.change(KEEP_DATASET, (digest, dataset))
            work.change(JOBS.update, JOBS.to_update(row_of_job(after, digest)))
            if row["dataset"] != digest:
                work.change(DROP_UNUSED, (row["dataset"],))

        self._write(body)

    def save_incumbent(self, job: Job, incumbent: StoredIncumbent) -> None:
        """Writes over the job's incumbent, however good that is: callers only have better ones. Raises StaleAttempt."""

        def body(work: Work) -> None:
            self._still_runs(work, job)
            row = row_of_incumbent(job, incumbent)
            if not work.change(INCUMBENTS.update, INCUMBENTS.to_update(row)):
                work.change(INCUMBENTS.insert, INCUMBENTS.to_insert(row))

        self._write(body)

    def incumbent(self, job_id: str) -> StoredIncumbent | None:
        """The best timetable, checked against its seal."""
        return self._read(lambda work: held_by(work, job_id))

    def result(self, job_id: str) -> bytes | None:
        """The published result, checked against the digest in the row of its job."""

        def body(work: Work) -> bytes | None:
            row = _row(work, job_id)
            if row is None or row["result_attempt"] is None:
                return None
            named = (job_id, row["result_attempt"])
            rows = work.rows("SELECT body FROM results WHERE job_id = ? AND attempt = ?", named)
            if not rows:
                raise StoreDamaged(f"the stored result of job {job_id!r} is gone; restart the job")
            return undamaged(rows[0][0], row["result_digest"], f"the stored result of job {job_id!r}")

        return self._read(body)

    def portfolio(self, job_id: str) -> list[PortfolioRow]:
        """Nobody: here one service works alone."""
        return []

    def bundle(self, job_id: str, attempt: int) -> Mapping[str, Any] | None:
        """The evidence in the journal, which is JSON."""
        rows = self._read(lambda work: work.rows(f"{ATTEMPTS.select} WHERE {ATTEMPTS.where}", (job_id, attempt)))
        text = ATTEMPTS.opened(rows[0])["bundle"] if rows else None
        found: Mapping[str, Any] | None = json.loads(text) if text else None
        return found

    # --- the long run ---

    def checkpoint(
        self, job: Job, *, used_seconds: float, percent: float, stage: str | None, life: Life | None = None
    ) -> None:
        """Writes how far the attempt is; here nobody else wants to know of its `life`."""

        def body(work: Work) -> None:
            row = self._still_runs(work, job)
            changes = {"used_seconds": used_seconds, "percent": percent, "stage": stage}
            work.change(JOBS.update, JOBS.to_update({**row, **changes}))
            if life is not None:
                self._told(work, job, life)

        self._write(body)

    def expired(self, before: float, limit: int) -> list[str]:
        """Ids of ended jobs, by the time they ended."""
        query = """SELECT id FROM jobs WHERE finished_at < ? AND status NOT IN ('queued', 'running')
                   ORDER BY finished_at LIMIT ?"""
        return [row[0] for row in self._read(lambda work: work.rows(query, (before, limit)))]

    def delete(self, job: Job) -> None:
        """Removes all rows of an ended job, and the dataset that no other has."""

        def body(work: Work) -> None:
            self._enter(work)
            dataset = self._still(work, job)["dataset"]
            if not job.status.terminal:
                raise StaleAttempt(f"job {job.id!r} is {job.status}, and only ended jobs are deleted")
            for table in ("outbox", "incumbents", "results", "attempts"):
                work.change(f"DELETE FROM {table} WHERE job_id = ?", (job.id,))  # nosec B608 - names of ours, values bound
            work.change("DELETE FROM jobs WHERE id = ?", (job.id,))
            work.change(DROP_UNUSED, (dataset,))

        self._write(body)

    # --- the outbox ---

    def undelivered(self) -> list[DeliveryRow]:
        """The deliveries that are pending or given up, oldest first."""
        return self._read(lambda work: self._untold(work, "state IN ('pending', 'dead')"))

    def deliveries(self, job_id: str) -> list[DeliveryRow]:
        """The deliveries of one job, oldest first."""
        return self._read(lambda work: self._deliveries(work, "job_id = ?", job_id))

    def _deliveries(self, work: Work, condition: str, *values: object) -> list[DeliveryRow]:
        return [delivery_of_row(OUTBOX.opened(row)) for row in self._outbox(work, condition, values)]

    def _untold(self, work: Work, condition: str, *values: object) -> list[DeliveryRow]:
        """Those that are what was written. A damaged one must not hold up all behind it."""
        told = partial(_log.error, "a waiting row is passed over: %s")
        return list(OUTBOX.sound(self._outbox(work, condition, values), delivery_of_row, told))

    def _outbox(self, work: Work, condition: str, values: Collection[object]) -> list[tuple[Any, ...]]:
        return work.rows(f"{OUTBOX.select} WHERE {condition} ORDER BY ended_at, {self._order}", values)

    def tell_again(self, job: Job, next_at: float, only: Channel | None = None) -> int:
        """Makes the deliveries of the last end pending again, or adds those that are missing; returns how many."""

        def body(work: Work) -> int:
            now = job_of_row(self._still(work, job))
            known = self._deliveries(work, "job_id = ? AND ended_at = ?", now.id, now.finished_at)
            by_channel = {row.channel: row for row in known}
            channels = [channel for channel in told_of(now, self._channels) if only in (None, channel)]
            told = 0
            for new in deliveries_of(now, channels):
                old = by_channel.get(new.channel)
                event_id = known[0].event_id if known else new.event_id
                row = row_of_delivery(replace(new, event_id=event_id, next_at=next_at))
                if old is None:  # this channel was not switched on then
                    work.change(OUTBOX.insert, OUTBOX.to_insert(row))
                elif old.state != "pending":
                    work.change(OUTBOX.update, OUTBOX.to_update(row))
                told += old is None or old.state != "pending"
            self._to_tell(work, now)
            return told

        return self._write(body)

    def note_delivery(self, row: DeliveryRow) -> None:
        """Writes over the delivery's row. Raises StaleAttempt when that is gone."""

        def body(work: Work) -> None:
            if not work.change(OUTBOX.update, OUTBOX.to_update(row_of_delivery(row))):
                raise StaleAttempt(f"job {row.job_id!r} is deleted, and what was to be told of it")

        self._write(body)


def _waiting(work: Work) -> int:
    count: int = work.rows("SELECT count(*) FROM jobs WHERE status = 'queued'")[0][0]
    return count


def _row(work: Work, job_id: str) -> dict[str, Any] | None:
    rows = work.rows(f"{JOBS.select} WHERE id = ?", (job_id,))
    return JOBS.opened(rows[0]) if rows else None


def held_by(work: Work, job_id: str) -> StoredIncumbent | None:
    """The incumbent of a job, within a transaction; None when there is none. Raises StoreDamaged."""
    rows = work.rows(f"{INCUMBENTS.select} WHERE job_id = ?", (job_id,))
    return incumbent_of_row(INCUMBENTS.opened(rows[0])) if rows else None


def _asked_meanwhile(row: Mapping[str, Any], before: Job) -> bool:
    """Whether the stored row has a request that whoever moves the job does not know of, and would wipe out."""
    return any(row[flag] and not getattr(before, flag) for flag in ("cancel_requested", "finish_requested"))


def _add_result(work: Work, before: Job, after: Job, body: bytes) -> None:
    if after.result_attempt != before.attempt or after.result_digest != hashlib.sha256(body).hexdigest():
        raise StoreError(f"job {before.id!r}: the row does not name the result that is to be stored with it")
    work.change("INSERT INTO results VALUES (?, ?, ?, ?)", (before.id, before.attempt, after.result_digest, body))


def _after_all(work: Work, job_id: str, at: float) -> float:
    """
    When a run begins: now, or after all attempts of earlier runs, whose machines may have had other clocks.

    The attempts of a run are known by that they did not begin before it.
    """
    last = work.rows("SELECT max(started_at) FROM attempts WHERE job_id = ?", (job_id,))[0][0]
    return at if last is None or last < at else math.nextafter(last, math.inf)


def _stale(job: Job) -> StaleAttempt:
    return StaleAttempt(f"job {job.id!r} has left attempt {job.attempt} ({job.status})")
