"""
The embedded store: one SQLite file, one process, one connection.

One connection is not a limitation but the reason why this is safe: the WAL-reset race of SQLite 3.7.0 to 3.51.2 needs
two. A lock file keeps a second service out of the folder. Commits are durable (`synchronous=FULL`), foreign keys are
on, and every write begins with BEGIN IMMEDIATE, because a read transaction that is upgraded to a write fails at once
when anything was committed in between, whatever the busy timeout.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from app.endings import Ending
from app.jobs import Job, JobConflict, QueueFull, StaleAttempt, Status
from app.store import AttemptRow, StoredIncumbent, StoreError, StoreLocked, StoreTooNew
from solver.result import Quality, StoppedBy
from solver.rules import Score

FILE_NAME = "jobs.sqlite3"
LOCK_NAME = "service.lock"
SCHEMA_VERSION = 2
BUSY_TIMEOUT_SECONDS = 5.0

_log = logging.getLogger("timetable.store")

_COLUMNS: tuple[str, ...] = tuple(row.name for row in fields(Job))
_JSON = frozenset({"meta", "rules", "score"})
_FLAGS = frozenset({"simplified_context", "cancel_requested", "finish_requested", "dead_letter"})
_ENUMS: dict[str, Any] = {"status": Status, "publish": StoppedBy, "stopped_by": StoppedBy, "quality": Quality}
_SELECT_JOB = f"SELECT {', '.join(_COLUMNS)} FROM jobs"


def wal_reset_race(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may lose commits in WAL mode when two connections are open."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return version >= (3, 7, 0) and not fixed


class SqliteStore:
    """
    Opens, or creates, the store in `folder`.

    Raises
    ------
    StoreLocked
        Another service uses the folder.
    StoreTooNew
        A later version of this program wrote it.
    StoreError
        The folder cannot be written, or the file is not a job store.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = _take_lock(folder / LOCK_NAME)
        with ExitStack() as on_failure:
            on_failure.callback(os.close, self._lock)
            try:
                self._db = sqlite3.connect(
                    self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
                )
                on_failure.callback(self._db.close)
                self._open()
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self.path} cannot be used as a job store: {error}; restore it from a backup, move it away (its "
                    "jobs are lost then), or choose another data_dir"
                ) from error
            on_failure.pop_all()

    def _open(self) -> None:
        if wal_reset_race(sqlite3.sqlite_version_info):
            _log.warning(
                "SQLite %s has the WAL-reset race; one connection keeps us clear of it", sqlite3.sqlite_version
            )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0"):
            self._db.execute(f"PRAGMA {pragma}")
        found: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA_VERSION:
            raise StoreTooNew(
                f"{self.path} has schema {found}, this program knows up to {SCHEMA_VERSION}: use a newer one"
            )
        if found == 0:
            self._create()

    def _create(self) -> None:
        schema = files("app.store").joinpath("schema.sql").read_text(encoding="utf-8")
        with self._write():
            for statement in schema.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    @contextmanager
    def _write(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        with closing(self._db.execute(statement, tuple(values))) as cursor:
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
            names, marks = ", ".join(("dataset", *_COLUMNS)), ", ".join("?" * (len(_COLUMNS) + 1))
            self._db.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", (digest, *_values(job)))
        return job, True

    def claim(self, at: float, skip: Collection[str] = ()) -> Job | None:
        with self._write():
            rows = self._rows(
                f"""UPDATE jobs SET status = 'running', attempt = attempt + 1, started_at = coalesce(started_at, ?)
                    WHERE seq = (SELECT seq FROM jobs
                                 WHERE status = 'queued' AND id NOT IN (SELECT value FROM json_each(?))
                                 ORDER BY seq LIMIT 1)
                    RETURNING {", ".join(_COLUMNS)}""",
                (at, json.dumps(list(skip))),
            )
            if not rows:
                return None
            job = _job(rows[0])
            opened = "INSERT INTO attempts (job_id, attempt, started_at) VALUES (?, ?, ?)"
            self._db.execute(opened, (job.id, job.attempt, at))
        return job

    def request(self, job: Job, *, cancel: bool = False, finish: bool = False) -> Job:
        with self._write():
            rows = self._rows(
                f"""UPDATE jobs SET cancel_requested = max(cancel_requested, ?),
                                    finish_requested = max(finish_requested, ?)
                    WHERE id = ? AND status = ? AND attempt = ? RETURNING {", ".join(_COLUMNS)}""",
                (int(cancel), int(finish), job.id, job.status, job.attempt),
            )
            if len(rows) != 1:
                raise StaleAttempt(f"job {job.id!r} has left attempt {job.attempt} ({job.status})")
        return _job(rows[0])

    def move(self, before: Job, after: Job, *, ending: Ending | None = None, result: bytes | None = None) -> None:
        with self._write():
            if result is not None:
                self._add_result(before, after, result)
            assignments = ", ".join(f"{name} = ?" for name in _COLUMNS)
            cursor = self._db.execute(
                f"UPDATE jobs SET {assignments} WHERE id = ? AND status = ? AND attempt = ?",
                (*_values(after), before.id, before.status, before.attempt),
            )
            _one_row(cursor, before)
            if ending is not None:
                self._close_attempt(before, ending)

    def _add_result(self, before: Job, after: Job, body: bytes) -> None:
        if after.result_attempt != before.attempt or after.result_digest != hashlib.sha256(body).hexdigest():
            raise StoreError(f"job {before.id!r}: the row does not name the result that is to be stored with it")
        self._db.execute(
            "INSERT INTO results VALUES (?, ?, ?, ?)", (before.id, before.attempt, after.result_digest, body)
        )

    def _close_attempt(self, job: Job, ending: Ending) -> None:
        cursor = self._db.execute(
            """UPDATE attempts SET ended_at = ?, how = ?, exit_code = ?, stage = ?, rung = ?, seconds = ?, message = ?,
                      verdict = ?, place = ?, peak_mb = ?, bundle = ?
               WHERE job_id = ? AND attempt = ? AND ended_at IS NULL""",
            (
                *(ending.at, ending.how, ending.exit_code, ending.stage, ending.rung, ending.seconds, ending.message),
                *(ending.verdict, ending.place, ending.peak_mb, json.dumps(ending.bundle) if ending.bundle else None),
                *(job.id, job.attempt),
            ),
        )
        _one_row(cursor, job)

    def job(self, job_id: str) -> Job | None:
        rows = self._rows(f"{_SELECT_JOB} WHERE id = ?", (job_id,))
        return _job(rows[0]) if rows else None

    def jobs(self, *, status: Status | None = None, limit: int | None = None, offset: int = 0) -> list[Job]:
        rows = self._rows(
            f"{_SELECT_JOB} WHERE ? IS NULL OR status = ? ORDER BY seq DESC LIMIT ? OFFSET ?",
            (status, status, -1 if limit is None else limit, offset),
        )
        return [_job(row) for row in rows]

    def dataset(self, job_id: str) -> bytes | None:
        rows = self._rows("SELECT body FROM datasets JOIN jobs ON dataset = digest WHERE id = ?", (job_id,))
        return rows[0][0] if rows else None

    # --- attempts, incumbents, results ---

    def note_pid(self, job: Job, pid: int) -> None:
        with self._write():
            statement = "UPDATE attempts SET pid = ? WHERE job_id = ? AND attempt = ? AND ended_at IS NULL"
            _one_row(self._db.execute(statement, (pid, job.id, job.attempt)), job)

    def attempts(self, job_id: str) -> list[AttemptRow]:
        names = [row.name for row in fields(AttemptRow)]
        rows = self._rows(f"SELECT {', '.join(names)} FROM attempts WHERE job_id = ? ORDER BY attempt", (job_id,))
        return [AttemptRow(**dict(zip(names, row, strict=True))) for row in rows]

    def save_incumbent(self, job: Job, incumbent: StoredIncumbent) -> None:
        with self._write():
            cursor = self._db.execute(
                """INSERT INTO incumbents (job_id, attempt, score, timetable, rung, found_at)
                   SELECT id, attempt, ?, ?, ?, ? FROM jobs WHERE id = ? AND attempt = ? AND status = 'running'
                   ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, score = excluded.score,
                       timetable = excluded.timetable, rung = excluded.rung, found_at = excluded.found_at""",
                (
                    *(json.dumps(incumbent.score), incumbent.timetable, incumbent.rung, incumbent.found_at),
                    *(job.id, job.attempt),
                ),
            )
            _one_row(cursor, job)

    def incumbent(self, job_id: str) -> StoredIncumbent | None:
        rows = self._rows("SELECT score, timetable, rung, found_at FROM incumbents WHERE job_id = ?", (job_id,))
        if not rows:
            return None
        score, timetable, rung, found_at = rows[0]
        return StoredIncumbent(score=Score(*json.loads(score)), timetable=timetable, rung=rung, found_at=found_at)

    def result(self, job_id: str) -> bytes | None:
        rows = self._rows(
            """SELECT body, digest FROM results
               JOIN jobs ON jobs.id = job_id AND jobs.result_attempt = results.attempt WHERE job_id = ?""",
            (job_id,),
        )
        if not rows:
            return None
        body, digest = rows[0]
        if hashlib.sha256(body).hexdigest() != digest:
            raise StoreError(f"the stored result of job {job_id!r} is damaged; restart the job")
        return bytes(body)


def _take_lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"the data folder {path.parent} cannot be used: {error}; choose another data_dir") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        message = f"the data folder {path.parent} is in use by process {owner}; stop it, or choose another data_dir"
        raise StoreLocked(message) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def _one_row(cursor: sqlite3.Cursor, job: Job) -> None:
    if cursor.rowcount != 1:
        raise StaleAttempt(f"job {job.id!r} has left attempt {job.attempt} ({job.status})")


def _values(job: Job) -> tuple[object, ...]:
    return tuple(json.dumps(value) if name in _JSON and value is not None else value for name, value in _pairs(job))


def _pairs(job: Job) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(job, name)) for name in _COLUMNS)


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name, value in values.items():
        if value is None:
            continue
        if name in _JSON:
            values[name] = json.loads(value)
        elif name in _FLAGS:
            values[name] = bool(value)
        elif name in _ENUMS:
            values[name] = _ENUMS[name](value)
    if values["score"] is not None:
        values["score"] = Score(*values["score"])
    return Job(**values)
