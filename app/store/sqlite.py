"""
The embedded store: one SQLite file, one process, one connection.

One connection is not a limitation but the reason why this is safe: the WAL-reset race of SQLite 3.7.0 to 3.51.2 needs
two. A lock file keeps a second service out of the folder. Commits are durable (`synchronous=FULL`), foreign keys are
on, and every write begins with BEGIN IMMEDIATE, because a read transaction that is upgraded to a write fails at once
when anything was committed in between, whatever the busy timeout.

What stands in the store is what was written, or it is refused: SQLite checks its pages, `app.store.rows` seals the
rows, and `app.store.folder` notices commits that are gone. The calls of one connection take turns, so that a backup,
which copies a few pages per turn, never holds up anybody for long.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from app.channels import NO_CHANNELS, Channels, told_of_end
from app.endings import Ending
from app.jobs import Job, JobConflict, QueueFull, StaleAttempt, Status
from app.store import (
    AttemptRow,
    DeliveryRow,
    StoreDamaged,
    StoredIncumbent,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
    schema,
)
from app.store.faults import kind_of, told
from app.store.folder import FILE_NAME, Commit, Mark, take_lock
from app.store.rows import (
    ATTEMPTS,
    INCUMBENTS,
    JOBS,
    OUTBOX,
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

BUSY_TIMEOUT_SECONDS = 5.0
BACKUP_PAGES = 64
"""Pages copied in one turn of a backup: a quarter of a megabyte, a millisecond. Others wait for a turn or two."""
BACKUP_FLUSH_TURNS = 32
BACKUP_REST_SECONDS = 0.001
"""Between two turns of a backup, so that whoever waits for the store gets it."""

_TRY_AGAIN = "try again when what holds it is over"
_RESTORE = (
    "`timetable check` says what is wrong; restore it from a backup (`timetable restore`), move it away together with "
    "the files beside it (its jobs are lost then)"
)

_log = logging.getLogger("timetable.store")


DROP_UNUSED = "DELETE FROM datasets WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM jobs WHERE dataset = digest)"


def wal_reset_race(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may lose commits in WAL mode when two connections are open."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return version >= (3, 7, 0) and not fixed


class SqliteStore:
    """
    Opens, or creates, the store in `folder`; an older one is brought to the present schema.

    Each end of a job is put into the outbox for the `channels` that hear of it.

    Raises
    ------
    StoreLocked
        Another service uses the folder.
    StoreTooNew
        A later version of this program wrote it.
    StoreDamaged
        It is not what was written; the message says what helps.
    StoreUnavailable
        It cannot be opened at the moment.
    StoreError
        The folder cannot be used.
    """

    def __init__(self, folder: Path, channels: Channels = NO_CHANNELS) -> None:
        self._channels = channels
        self.path = folder / FILE_NAME
        self._turn = threading.RLock()
        self._backing_up = threading.Lock()
        self._closing = False
        with ExitStack() as on_failure:
            self._lock = take_lock(folder)
            on_failure.callback(os.close, self._lock)
            self._mark = Mark(folder)
            on_failure.callback(self._mark.close)
            try:
                self._open(on_failure)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise self._refusal(kind_of(error), error) from error
            except StoreTooNew as error:
                raise StoreTooNew(f"{self.path}: {error}") from error
            except StoreDamaged as error:
                raise self._refusal(StoreDamaged, error) from error
            on_failure.pop_all()

    def _open(self, on_failure: ExitStack) -> None:
        if wal_reset_race(sqlite3.sqlite_version_info):
            _log.warning(
                "SQLite %s has the WAL-reset race; one connection keeps us clear of it", sqlite3.sqlite_version
            )
        # SQLite would take an empty file for a new database, and throw its log away.
        if self._mark.found is not None and not (self.path.exists() and self.path.stat().st_size):
            raise StoreDamaged(f"it is gone, with {self._mark.found.number} commits")
        began = time.monotonic()
        self._db = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        on_failure.callback(self._db.close)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0"):
            self._db.execute(f"PRAGMA {pragma}")
        schema.refuse_newer(self._db)
        schema.examine(self._db, self.path)
        self._compare(self._mark.found)
        schema.bring_up_to_date(self._db)
        self._last = schema.last_commit(self._db)
        self._mark.write(self._last)
        self._mark.flush()
        _log.info("the store was examined and opened in %.2f s", time.monotonic() - began)

    def _compare(self, marked: Commit | None) -> None:
        """Raises StoreDamaged when this is not the store that the mark speaks of, or not all of it."""
        if marked is None:
            return
        last = schema.last_commit(self._db) if schema.counts_commits(self._db) else Commit("", 0)
        if last.store_id not in (marked.store_id, ""):
            raise StoreDamaged("it is another store than the one that was used here")
        if marked.number > last.number:
            lost = marked.number - last.number
            raise StoreDamaged(f"its last {lost} commits are missing: its log was damaged, cut or taken away")

    def _refusal(self, kind: type[StoreError], error: Exception) -> StoreError:
        advice = _TRY_AGAIN if issubclass(kind, StoreUnavailable) else _RESTORE
        return kind(f"{self.path} cannot be used as a job store: {error}; {advice}, or choose another data_dir")

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        with self._backing_up, self._turn:
            self._db.close()
            self._mark.close()
            os.close(self._lock)

    @property
    def last_commit(self) -> Commit:
        """Which store this is, and how often it has been written to."""
        return self._last

    @contextmanager
    def _write(self) -> Iterator[None]:
        with self._turn, told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                before = self._db.total_changes
                yield
                commit = self._last
                if self._db.total_changes != before:
                    self._db.execute("UPDATE identity SET commits = commits + 1")
                    commit = schema.last_commit(self._db)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._acknowledge(commit)

    def _acknowledge(self, commit: Commit) -> None:
        if commit == self._last:
            return
        self._last = commit
        try:
            self._mark.write(commit)
        except OSError as error:  # the commit stands; only a later loss of it would go unnoticed
            _log.error("the mark of the last commit cannot be written: %s", error)

    def _rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        with self._turn, told(self.path), closing(self._db.execute(statement, tuple(values))) as cursor:
            return cursor.fetchall()

    # --- jobs ---

    def submit(self, job: Job, dataset: bytes, queue_limit: int) -> tuple[Job, bool]:
        digest = hashlib.sha256(dataset).hexdigest()
        with self._write():
            known = self.job(job.id)
            if known is not None:
                if known.body_hash != job.body_hash:
                    raise JobConflict(job.id)
                return known, False
            if self._rows("SELECT count(*) FROM jobs WHERE status = 'queued'")[0][0] >= queue_limit:
                raise QueueFull(queue_limit)
            self._db.execute("INSERT INTO datasets VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, dataset))
            self._db.execute(JOBS.insert, JOBS.to_insert(row_of_job(job, digest)))
        return job, True

    def claim(self, at: float, skip: Collection[str] = ()) -> Job | None:
        with self._write():
            eligible = "status = 'queued' AND id NOT IN (SELECT value FROM json_each(?))"
            query = f"{JOBS.select} WHERE {eligible} ORDER BY seq LIMIT 20"  # nosec B608 - names of ours, values bound
            row = next(self._sound(self._rows(query, (json.dumps(list(skip)),))), None)
            if row is None:
                return None
            queued = job_of_row(row)
            started_at = at if queued.started_at is None else queued.started_at
            job = replace(queued, status=Status.RUNNING, attempt=queued.attempt + 1, started_at=started_at)
            self._db.execute(JOBS.update, JOBS.to_update(row_of_job(job, row["dataset"])))
            self._db.execute(ATTEMPTS.insert, ATTEMPTS.to_insert(new_attempt(job, at)))
        return job

    @staticmethod
    def _sound(rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
        """Queued rows that are what was written. A damaged one must not hold up all behind it."""
        for row in rows:
            try:
                yield JOBS.opened(row)
            except StoreDamaged as error:
                _log.error("a queued job is passed over: %s", error)

    def request(self, job: Job, *, cancel: bool = False, finish: bool = False) -> Job:
        with self._write():
            row = self._still(job)
            found = job_of_row(row)
            after = replace(
                found,
                cancel_requested=found.cancel_requested or cancel,
                finish_requested=found.finish_requested or finish,
            )
            self._db.execute(JOBS.update, JOBS.to_update(row_of_job(after, row["dataset"])))
        return after

    def move(self, before: Job, after: Job, *, ending: Ending | None = None, result: bytes | None = None) -> None:
        with self._write():
            row = self._still(before)
            if result is not None:
                self._add_result(before, after, result)
            self._db.execute(JOBS.update, JOBS.to_update(row_of_job(after, row["dataset"])))
            if ending is not None:
                self._close_attempt(before, ending)
            for delivery in deliveries_of(after, told_of_end(before, after, self._channels)):
                self._db.execute(OUTBOX.insert, OUTBOX.to_insert(row_of_delivery(delivery)))

    def _still(self, job: Job) -> dict[str, Any]:
        """The row of a job that has not left the state and attempt of `job`; raises StaleAttempt."""
        rows = self._rows(
            f"{JOBS.select} WHERE id = ? AND status = ? AND attempt = ?", (job.id, job.status, job.attempt)
        )
        if not rows:
            raise _stale(job)
        return JOBS.opened(rows[0])

    def _add_result(self, before: Job, after: Job, body: bytes) -> None:
        if after.result_attempt != before.attempt or after.result_digest != hashlib.sha256(body).hexdigest():
            raise StoreError(f"job {before.id!r}: the row does not name the result that is to be stored with it")
        self._db.execute(
            "INSERT INTO results VALUES (?, ?, ?, ?)", (before.id, before.attempt, after.result_digest, body)
        )

    def _close_attempt(self, job: Job, ending: Ending) -> None:
        names = ("how", "exit_code", "stage", "rung", "message", "verdict", "place", "peak_mb")
        changes = {name: getattr(ending, name) for name in names}
        bundle, seconds = json.dumps(ending.bundle) if ending.bundle else None, ending.seconds_in_journal
        self._change_attempt(job, ended_at=ending.at, bundle=bundle, seconds=seconds, **changes)

    def _change_attempt(self, job: Job, **changes: object) -> None:
        """Only while it is open; raises StaleAttempt."""
        rows = self._rows(f"{ATTEMPTS.select} WHERE {ATTEMPTS.where} AND ended_at IS NULL", (job.id, job.attempt))
        if not rows:
            raise _stale(job)
        row = {**ATTEMPTS.opened(rows[0]), **changes}
        self._db.execute(ATTEMPTS.update, ATTEMPTS.to_update(row))

    def job(self, job_id: str) -> Job | None:
        row = self._row(job_id)
        return job_of_row(row) if row else None

    def _row(self, job_id: str) -> dict[str, Any] | None:
        rows = self._rows(f"{JOBS.select} WHERE id = ?", (job_id,))
        return JOBS.opened(rows[0]) if rows else None

    def jobs(self, *, status: Status | None = None, limit: int | None = None, offset: int = 0) -> list[Job]:
        rows = self._rows(
            f"{JOBS.select} WHERE ? IS NULL OR status = ? ORDER BY seq DESC LIMIT ? OFFSET ?",
            (status, status, -1 if limit is None else limit, offset),
        )
        return [job_of_row(JOBS.opened(row)) for row in rows]

    def dataset(self, job_id: str) -> bytes | None:
        row = self._row(job_id)
        if row is None:
            return None
        rows = self._rows("SELECT body FROM datasets WHERE digest = ?", (row["dataset"],))
        if not rows:
            raise StoreDamaged(f"the stored dataset of job {job_id!r} is gone")
        return undamaged(rows[0][0], row["dataset"], f"the stored dataset of job {job_id!r}")

    # --- attempts, incumbents, results ---

    def note_pid(self, job: Job, pid: int) -> None:
        with self._write():
            self._change_attempt(job, pid=pid)

    def attempts(self, job_id: str) -> list[AttemptRow]:
        rows = self._rows(f"{ATTEMPTS.select} WHERE job_id = ? ORDER BY attempt", (job_id,))
        return [attempt_of_row(ATTEMPTS.opened(row)) for row in rows]

    def keep_dataset(self, job: Job, dataset: bytes) -> None:
        digest = hashlib.sha256(dataset).hexdigest()
        with self._write():
            row = self._still_runs(job)
            self._db.execute("INSERT INTO datasets VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, dataset))
            self._db.execute(JOBS.update, JOBS.to_update(row_of_job(job, digest)))
            if row["dataset"] != digest:
                self._db.execute(DROP_UNUSED, (row["dataset"],))

    def save_incumbent(self, job: Job, incumbent: StoredIncumbent) -> None:
        with self._write():
            self._still_runs(job)
            row = row_of_incumbent(job, incumbent)
            if not self._db.execute(INCUMBENTS.update, INCUMBENTS.to_update(row)).rowcount:
                self._db.execute(INCUMBENTS.insert, INCUMBENTS.to_insert(row))

    def _still_runs(self, job: Job) -> dict[str, Any]:
        return self._still(replace(job, status=Status.RUNNING))

    def incumbent(self, job_id: str) -> StoredIncumbent | None:
        rows = self._rows(f"{INCUMBENTS.select} WHERE job_id = ?", (job_id,))
        return incumbent_of_row(INCUMBENTS.opened(rows[0])) if rows else None

    def result(self, job_id: str) -> bytes | None:
        row = self._row(job_id)
        if row is None or row["result_attempt"] is None:
            return None
        rows = self._rows("SELECT body FROM results WHERE job_id = ? AND attempt = ?", (job_id, row["result_attempt"]))
        if not rows:
            raise StoreDamaged(f"the stored result of job {job_id!r} is gone; restart the job")
        return undamaged(rows[0][0], row["result_digest"], f"the stored result of job {job_id!r}")

    def bundle(self, job_id: str, attempt: int) -> Mapping[str, Any] | None:
        rows = self._rows(f"{ATTEMPTS.select} WHERE {ATTEMPTS.where}", (job_id, attempt))
        text = ATTEMPTS.opened(rows[0])["bundle"] if rows else None
        found: Mapping[str, Any] | None = json.loads(text) if text else None
        return found

    # --- the long run ---

    def checkpoint(self, job: Job, *, used_seconds: float, percent: float, stage: str | None) -> None:
        with self._write():
            row = self._still_runs(job)
            changes = {"used_seconds": used_seconds, "percent": percent, "stage": stage}
            self._db.execute(JOBS.update, JOBS.to_update({**row, **changes}))

    def expired(self, before: float, limit: int) -> list[str]:
        rows = self._rows(
            """SELECT id FROM jobs WHERE finished_at < ? AND status NOT IN ('queued', 'running')
               ORDER BY finished_at LIMIT ?""",
            (before, limit),
        )
        return [row[0] for row in rows]

    def delete(self, job: Job) -> None:
        with self._write():
            dataset = self._still(job)["dataset"]
            if not job.status.terminal:
                raise StaleAttempt(f"job {job.id!r} is {job.status}, and only ended jobs are deleted")
            for table in ("outbox", "incumbents", "results", "attempts"):
                self._db.execute(f"DELETE FROM {table} WHERE job_id = ?", (job.id,))  # nosec B608 - names of ours, values bound
            self._db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))
            self._db.execute(DROP_UNUSED, (dataset,))

    # --- the outbox ---

    def undelivered(self) -> list[DeliveryRow]:
        return self._deliveries("state IN ('pending', 'dead')")

    def deliveries(self, job_id: str) -> list[DeliveryRow]:
        return self._deliveries("job_id = ?", job_id)

    def _deliveries(self, condition: str, *values: object) -> list[DeliveryRow]:
        rows = self._rows(f"{OUTBOX.select} WHERE {condition} ORDER BY ended_at, rowid", values)
        return [delivery_of_row(OUTBOX.opened(row)) for row in rows]

    def note_delivery(self, row: DeliveryRow) -> None:
        with self._write():
            if not self._db.execute(OUTBOX.update, OUTBOX.to_update(row_of_delivery(row))).rowcount:
                raise StaleAttempt(f"job {row.job_id!r} is deleted, and what was to be told of it")

    def backup(self, target: Path) -> None:
        """
        Copies the store, as it is when the last page is copied, to a new file `target`; flushed, and not yet verified.

        Others use the store meanwhile, from other threads; SQLite carries their changes over into the copy. Raises
        StoreUnavailable when the store is closed before the copy is complete.
        """
        with self._backing_up, told(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
            for pragma in ("synchronous=OFF", "journal_mode=OFF"):  # a copy that is not finished is thrown away
                copy.execute(f"PRAGMA {pragma}")
            with target.open("rb") as file:
                self._turn.acquire()
                try:
                    self._db.backup(copy, pages=BACKUP_PAGES, progress=partial(self._let_others, file.fileno()))
                finally:
                    self._turn.release()
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, no log beside it
                os.fsync(file.fileno())

    def _let_others(self, target: int, status: int, left: int, total: int) -> None:
        """Between two turns of a backup. One flush of everything at the end would hold up the commits of others."""
        self._turn.release()
        try:
            if (left // BACKUP_PAGES) % BACKUP_FLUSH_TURNS == 0:
                os.fsync(target)
            time.sleep(BACKUP_REST_SECONDS)
        finally:
            self._turn.acquire()
        if self._closing:
            raise StoreUnavailable("the store is being closed; the backup was given up")


def _stale(job: Job) -> StaleAttempt:
    return StaleAttempt(f"job {job.id!r} has left attempt {job.attempt} ({job.status})")
