"""
A store file looked at from outside, read-only and down to the last row: for `timetable check`, backups and restores.

Opening it here changes nothing and repairs nothing. The file must not be in use by a service: take the lock, or look at
a copy.
"""

from __future__ import annotations

import hashlib
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app.domain.jobs import Job
from app.store import StoreDamaged, StoredIncumbent, StoreError, schema
from app.store.faults import told
from app.store.folder import Commit
from app.store.rows import INCUMBENTS, JOBS, SEALED, incumbent_of_row, job_of_row

SQLITE_VERSION = sqlite3.sqlite_version


class StoredJob(NamedTuple):
    """A job with what the store holds for it; each body is None when there is none, or none that is whole."""

    job: Job
    dataset: bytes | None
    result: bytes | None
    incumbent: StoredIncumbent | None


class StoreReader(ABC):
    """A store of either kind as it is read from outside."""

    @abstractmethod
    def _ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Every row of an answer. Raises StoreError."""

    def jobs_by_status(self) -> dict[str, int]:
        """Number of jobs of each status that there is."""
        return {row[0]: int(row[1]) for row in self._ask("SELECT status, count(*) FROM jobs GROUP BY 1 ORDER BY 1")}

    def _held(self, row: Mapping[str, Any]) -> StoredJob:
        job, result = job_of_row(row), "SELECT body FROM results WHERE job_id = ? AND attempt = ?"
        incumbents = self._ask(f"{INCUMBENTS.select} WHERE job_id = ?", job.id)
        return StoredJob(
            job,
            self._body(row["dataset"], "SELECT body FROM datasets WHERE digest = ?", row["dataset"]),
            self._body(job.result_digest, result, job.id, job.result_attempt) if job.result_digest else None,
            next(INCUMBENTS.sound(incumbents, incumbent_of_row, lambda error: None), None),
        )

    def _body(self, digest: str | None, query: str, *values: object) -> bytes | None:
        """None where there is none, or one that is not what was written."""
        found = self._ask(query, *values)
        body = bytes(found[0][0]) if found else None
        return body if body is not None and _sha256(body) == digest else None


class Audit(StoreReader):
    """One open file. Every method may raise StoreDamaged when the file is too far gone to be read."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    @property
    def version(self) -> int:
        """The version of the schema in the file. Raises StoreError when it cannot be read."""
        with told(self._path):
            return schema.version_of(self._db)

    @property
    def last_commit(self) -> Commit:
        """Number and wall time of the last transaction. Raises StoreError when they cannot be read."""
        with told(self._path):
            return schema.last_commit(self._db)

    def rows(self) -> dict[str, int]:
        """Number of rows of each table; an older store does not have them all."""
        with told(self._path):
            there = [table for table in schema.TABLES if schema.has_table(self._db, table)]
        return {table: self._ask(f"SELECT count(*) FROM {table}")[0][0] for table in there}  # nosec B608 - names of ours

    def problems(self) -> list[str]:
        """
        Every way in which this file is not what was written, one sentence each; empty when it is sound.

        Of the first schema, which has no seals yet, only what SQLite itself can tell.
        """
        try:
            with told(self._path):
                first = 0 < schema.version_of(self._db) < schema.SEALED_SINCE
                return [text for look in (_LOOKS[:1] if first else _LOOKS) for text in look(self._db)]
        except StoreDamaged as error:
            return [str(error)]

    def held(self) -> Iterator[StoredJob]:
        """All jobs that can be read, oldest first, one in memory at a time."""
        rows = self._ask(f"{JOBS.select} ORDER BY seq")
        for row in JOBS.sound(rows, dict, lambda error: None):  # `problems` names what is not
            yield self._held(row)

    def _ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with told(self._path):
            return self._db.execute(statement, values).fetchall()


@contextmanager
def audit(path: Path) -> Iterator[Audit]:
    """Opens a store file for looking; raises StoreDamaged when there is none or it is no database."""
    if not path.is_file():
        raise StoreDamaged(f"{path}: there is no such file")
    with told(path), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        yield Audit(db, path)


def into_one_file(path: Path) -> bool:
    """Brings the log of a sound store into its file; False, with nothing changed, when the store is not sound."""
    try:
        with audit(path) as found:
            if found.problems():
                return False
        with told(path), closing(sqlite3.connect(path)) as db:
            busy: int = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except StoreError:
        return False
    return not busy


def _structure(db: sqlite3.Connection) -> Iterable[str]:
    return [*schema.page_problems(db), *schema.header_problems(db), *schema.dangling_problems(db)]


def _schema(db: sqlite3.Connection) -> Iterable[str]:
    """Raises what is wrong: of another schema nothing else can be said."""
    found = schema.version_of(db)
    if not schema.SEALED_SINCE <= found <= schema.SCHEMA_VERSION:
        raise StoreDamaged(f"it has schema {found}, and this program knows those from 1 to {schema.SCHEMA_VERSION}")
    schema.check_schema(db)
    schema.last_commit(db)
    return ()


def _seals(db: sqlite3.Connection) -> Iterator[str]:
    for table in SEALED:
        if schema.has_table(db, table.name):  # an older store has no outbox; that a table is missing is found before
            yield from schema.broken_seals(db, table)


def _digests(db: sqlite3.Connection) -> Iterator[str]:
    for digest, body in db.execute("SELECT digest, body FROM datasets"):
        if _sha256(body) != digest:
            yield f"the dataset {digest[:12]}… is not what was written"
    for job_id, attempt, digest, body in db.execute("SELECT job_id, attempt, digest, body FROM results"):
        if _sha256(body) != digest:
            yield f"the result of job {job_id!r}, attempt {attempt}, is not what was written"


def _links(db: sqlite3.Connection) -> Iterator[str]:
    """What foreign keys do not say: a job names the result it means by its digest, and nothing lies around unused."""
    for (job_id,) in db.execute(
        """SELECT jobs.id FROM jobs LEFT JOIN results ON job_id = jobs.id AND results.attempt = result_attempt
           WHERE result_attempt IS NOT NULL AND digest IS NOT result_digest"""
    ):
        yield f"job {job_id!r} does not have the result that its row names"
    for job_id, attempt in db.execute(
        "SELECT id, attempt FROM jobs WHERE status = 'running' AND NOT EXISTS "
        "(SELECT 1 FROM attempts WHERE job_id = id AND attempts.attempt = jobs.attempt AND ended_at IS NULL)"
    ):
        yield f"job {job_id!r} is running, and its attempt {attempt} is not open in the journal"
    for (digest,) in db.execute("SELECT digest FROM datasets WHERE digest NOT IN (SELECT dataset FROM jobs)"):
        yield f"the dataset {digest[:12]}… belongs to no job"


def _numbers(db: sqlite3.Connection) -> Iterator[str]:
    """By which number the next job comes behind all others."""
    last = db.execute("SELECT max(seq) FROM jobs").fetchone()[0]
    known = db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    if [name for name, _ in known if name != "jobs"] or (last is not None and (not known or known[0][1] < last)):
        yield "the number of the last job is not what was written"


_LOOKS: tuple[Callable[[sqlite3.Connection], Iterable[str]], ...] = (
    _structure,
    _schema,
    _seals,
    _digests,
    _links,
    _numbers,
)
"""In this order: what a later one reads, an earlier one has found to be readable."""


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
