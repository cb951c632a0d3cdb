"""
Rows of an SQLite store that are not what was written, taken out of the way of all others when the store is opened.

One such row must not keep a service from starting. It is kept: before it leaves the store it stands, with all its
values and the reason, in a file of the folder `quarantine` beside the store, which nobody ever deletes but a person.
And it is told: in the log, by `/health` and an alert, and by `timetable check`.

- A job whose own row is damaged goes with its journal, timetables and deliveries: nobody knows any more what it was.
- A row that refers to what is not there (an orphan) goes alone; but a job that has ended stays, whatever it lost.
- A damaged row of the outbox goes; of the journal, to which others refer, an empty one takes the place. So it does
  where a line of the journal is missing that a job needs: results and timetables are the job's, whatever became of it.

A damaged incumbent, result or dataset concerns one job only, which deals with it itself (`app.service`), so it
stays where it is. Damage of pages, indexes or schema is none of rows, and is refused before (`app.store.schema`).
"""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from app.domain.outcomes import How
from app.store import StoreDamaged, schema
from app.store.folder import os_trouble, sync_folder, write_whole
from app.store.rows import ATTEMPTS, JOBS, OUTBOX, SealedTable

FOLDER = "quarantine"
_OF_A_JOB = ("outbox", "incumbents", "results", "attempts")
"""In this order: each before what it refers to."""
_AT_WORK = ("queued", "running")
_ROUNDS = 10
"""Removing one row may leave another one without what it refers to; there are fewer kinds of rows than this."""

_WHOSE_ATTEMPT = """
    SELECT status, attempt, coalesce(started_at, created_at) FROM jobs WHERE id = ? AND ? BETWEEN 1 AND attempt"""
_LOST_LINES = """
    SELECT jobs.id, line.attempt, jobs.status, jobs.attempt, coalesce(jobs.started_at, jobs.created_at)
    FROM (SELECT job_id, attempt FROM results UNION SELECT job_id, attempt FROM incumbents
          UNION SELECT id, attempt FROM jobs WHERE status = 'running') AS line
    JOIN jobs ON jobs.id = line.job_id AND line.attempt BETWEEN 1 AND jobs.attempt
    WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE job_id = line.job_id AND attempt = line.attempt)"""
"""Lines that are not in the journal, though their job has begun the attempt and has something of it or is at it."""

_log = logging.getLogger("timetable.store")


class RemovedRow(NamedTuple):
    """A row that left the store, or that another one took the place of."""

    table: str
    why: str
    row: Mapping[str, object]


def set_aside(db: sqlite3.Connection, folder: Path) -> int:
    """
    Takes what is damaged out of the way, in one transaction; returns how many rows that were.

    Killed at any moment it has done all of it or nothing; a file that is left over then is told once too often.
    Raises StoreFull or StoreUnavailable when the file cannot be written; then nothing has changed.
    """
    with schema.transaction(db):
        db.execute("PRAGMA defer_foreign_keys=ON")
        kept = list(_removed(db))
        if kept:
            _write(folder / FOLDER, kept)
    for row in kept:
        _log.error("a row of %s is in quarantine: %s", row.table, row.why)
    return len(kept)


def rows_in(folder: Path) -> int:
    """Rows in quarantine beside the store in `folder`; 1 for a file that cannot be read."""
    return sum(_rows_of(path) for path in files_in(folder))


def files_in(folder: Path) -> list[Path]:
    """The files with removed rows in a data directory, by name, which begins with their time."""
    return sorted((folder / FOLDER).glob("*.json")) if (folder / FOLDER).is_dir() else []


def _rows_of(path: Path) -> int:
    try:
        return len(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return 1


def _removed(db: sqlite3.Connection) -> Iterator[RemovedRow]:
    found = False
    for removed in (_damaged_jobs, _damaged_outbox, _damaged_journal, _orphans):
        for kept in removed(db):
            found = True
            yield kept
    if found:
        unused = "digest NOT IN (SELECT dataset FROM jobs)"
        yield from _taken(db, "datasets", unused, (), "it belongs to no job that is left")


def _damaged_jobs(db: sqlite3.Connection) -> Iterator[RemovedRow]:
    for rowid, job_id, why in list(_broken(db, JOBS, "id")):
        for table in _OF_A_JOB:
            yield from _taken(db, table, "job_id = ?", (job_id,), f"of job {job_id!r}, whose row is damaged")
        yield from _taken(db, "jobs", "seq = ?", (rowid,), why)


def _damaged_outbox(db: sqlite3.Connection) -> Iterator[RemovedRow]:
    for rowid, _, why in list(_broken(db, OUTBOX, "job_id")):
        yield from _taken(db, "outbox", "rowid = ?", (rowid,), why)


def _damaged_journal(db: sqlite3.Connection) -> Iterator[RemovedRow]:
    """Whose line it was and of which attempt may be what is damaged; who needs one then gets it as a lost one."""
    for rowid, job_id, why in list(_broken(db, ATTEMPTS, "job_id")):
        (kept,) = _selected(db, "attempts", "rowid = ?", (rowid,), why)
        attempt: Any = kept.row["attempt"]
        job = db.execute(_WHOSE_ATTEMPT, (job_id, attempt)).fetchone()
        if job is None:
            yield from _taken(db, "attempts", "rowid = ?", (rowid,), why)
            continue
        yield kept
        row = _empty_line(job_id, attempt, *job, why="was damaged and is in quarantine")
        db.execute(ATTEMPTS.update, ATTEMPTS.to_update(row))


def _fill_lost_lines(db: sqlite3.Connection) -> None:
    """There is nothing to keep of a line that is gone, or that stands in quarantine under another name."""
    for job_id, attempt, *job in db.execute(_LOST_LINES).fetchall():
        row = _empty_line(job_id, attempt, *job, why="was lost")
        db.execute(ATTEMPTS.insert, ATTEMPTS.to_insert(row))
        _log.error("line %d of the journal of job %s was lost; an empty one takes its place", attempt, job_id)


def _empty_line(job_id: str, attempt: int, status: str, at: int, began: float, *, why: str) -> dict[str, object]:
    """The attempt of a job that is at it stays open, so that it can be ended."""
    row = {**dict.fromkeys(ATTEMPTS.columns), "job_id": job_id, "attempt": attempt, "started_at": began}
    if status == "running" and attempt == at:
        return row
    return {**row, "message": f"this line of the journal {why}", "how": How.ERROR.value, "ended_at": began}


def _orphans(db: sqlite3.Connection) -> Iterator[RemovedRow]:
    _fill_lost_lines(db)
    for _ in range(_ROUNDS):
        found = False
        for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check").fetchall():
            for kept in _orphan(db, table, rowid, f"it refers to a row of {parent} that is not there"):
                found = True
                yield kept
        if not found:
            return


def _orphan(db: sqlite3.Connection, table: str, rowid: int, why: str) -> Iterator[RemovedRow]:
    if table != "jobs":
        yield from _taken(db, table, "rowid = ?", (rowid,), why)
        return
    job = db.execute("SELECT id, status FROM jobs WHERE seq = ?", (rowid,)).fetchone()
    if job is not None and job[1] in _AT_WORK:
        for below in _OF_A_JOB:
            yield from _taken(db, below, "job_id = ?", (job[0],), f"of job {job[0]!r}: {why}")
        yield from _taken(db, "jobs", "seq = ?", (rowid,), why)


def _broken(db: sqlite3.Connection, table: SealedTable, named: str) -> Iterator[tuple[int, Any, str]]:
    """Row id, job and reason of each row whose seal is not that of its values."""
    if not schema.has_table(db, table.name):  # an older store has no outbox
        return
    columns = ", ".join((*table.columns, "seal"))
    with closing(db.execute(f"SELECT rowid, {columns} FROM {table.name}")) as rows:  # nosec B608 - names of ours
        for rowid, *values in rows:
            try:
                table.opened(values)
            except StoreDamaged as error:
                yield rowid, values[table.columns.index(named)], str(error)


def _taken(
    db: sqlite3.Connection, table: str, where: str, values: tuple[object, ...], why: str
) -> Iterator[RemovedRow]:
    if not schema.has_table(db, table):
        return
    yield from _selected(db, table, where, values, why)
    db.execute(f"DELETE FROM {table} WHERE {where}", values)  # nosec B608 - names of ours, values bound


def _selected(db: sqlite3.Connection, table: str, where: str, values: tuple[object, ...], why: str) -> list[RemovedRow]:
    found = db.execute(f"SELECT * FROM {table} WHERE {where}", values)  # nosec B608 - names of ours, values bound
    names = [column[0] for column in found.description]
    return [RemovedRow(table, why, dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _write(folder: Path, kept: list[RemovedRow]) -> None:
    """Durably, before anything leaves the store."""
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"
    document = [{"table": one.table, "why": one.why, "row": {k: _plain(v) for k, v in one.row.items()}} for one in kept]
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(target, json.dumps(document, indent=1).encode(), 0o600)
        sync_folder(folder.parent)
    except OSError as error:
        raise os_trouble(error) from error


def _plain(value: object) -> object:
    return {"base64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value
