"""
The schema: made, migrated, and examined before anything is served.

A store is brought to the present schema version by version. Each version is one transaction, so a program that is
killed in the middle leaves the old version whole and the next start begins again.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path

from app.failpoints import failpoint
from app.store import StoreDamaged, StoreTooNew
from app.store.folder import Commit
from app.store.rows import ATTEMPTS, INCUMBENTS, JOBS, SealedTable

SCHEMA_VERSION = 3
APPLICATION_ID = 0x54544254
"""In the header of the file: a database of ours, as `file` and other programs see it."""
WHOLE_CHECK_BYTES = 1 << 30
"""Of a larger store only the tables without bodies are read at each start; `timetable check` reads it all."""
TABLES = ("jobs", "attempts", "datasets", "incumbents", "results", "outbox")
_SMALL_TABLES = ("identity", "jobs", "attempts")
MAX_FINDINGS = 20

_log = logging.getLogger("timetable.store")

Run = Callable[[sqlite3.Connection], None]


def version_of(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def refuse_newer(db: sqlite3.Connection) -> None:
    """Raises StoreTooNew when a later version of this program wrote it."""
    found = version_of(db)
    if found > SCHEMA_VERSION:
        raise StoreTooNew(f"it has schema {found}, this program knows up to {SCHEMA_VERSION}: use a newer one")


def counts_commits(db: sqlite3.Connection) -> bool:
    """Whether it says which store it is; before version 2 none did, and an empty database does not."""
    return version_of(db) >= 2


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Creates the schema in an empty database, or migrates an older one."""
    found = version_of(db)
    if found == 0:
        _in_one_transaction(db, SCHEMA_VERSION, (_create, _identify))
        return
    for version in range(found, SCHEMA_VERSION):
        _log.warning("the store is brought from schema %d to %d", version, version + 1)
        _in_one_transaction(db, version + 1, MIGRATIONS[version])


def _in_one_transaction(db: sqlite3.Connection, version: int, steps: tuple[Run, ...]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in steps:
            step(db)
            failpoint("migrate.step")
        db.execute(f"PRAGMA user_version={version}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _create(db: sqlite3.Connection) -> None:
    schema = files("app.store").joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in schema.split(";\n"):
        db.execute(statement)


def _identify(db: sqlite3.Connection) -> None:
    """Gives the store an id of its own, and writes down what its schema is. The last step of a version."""
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute("INSERT INTO identity VALUES (1, ?, ?, ?, 1)", (secrets.token_hex(16), time.time(), _schema_digest(db)))


def _add_columns(db: sqlite3.Connection) -> None:
    for table, columns in _ADDED_IN_2.items():
        for column in columns:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _add_identity(db: sqlite3.Connection) -> None:
    for statement in _NEW_IN_2:
        db.execute(statement)


def _add_outbox(db: sqlite3.Connection) -> None:
    for statement in _NEW_IN_3:
        db.execute(statement)


def _note_schema(db: sqlite3.Connection) -> None:
    """Writes down what the schema is now. The last step of a version."""
    db.execute("UPDATE identity SET schema_digest = ?", (_schema_digest(db),))


def _seal_rows(db: sqlite3.Connection) -> None:
    for table in _SEALED_IN_2:
        for (rowid,) in db.execute(f"SELECT rowid FROM {table.name}").fetchall():  # nosec B608 - names of ours, values bound
            row = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE rowid = ?"  # nosec B608 - names of ours
            values = db.execute(row, (rowid,)).fetchone()
            db.execute(f"UPDATE {table.name} SET seal = ? WHERE rowid = ?", (table.seal(values), rowid))  # nosec B608 - names of ours, values bound


_SEAL = "seal BLOB NOT NULL DEFAULT x''"
_ADDED_IN_2: Mapping[str, tuple[str, ...]] = {
    "jobs": (
        "workers INTEGER",
        "percent REAL NOT NULL DEFAULT 0",
        "dead_letter INTEGER NOT NULL DEFAULT 0",
        _SEAL,
    ),
    "attempts": ("verdict TEXT", "place TEXT", "peak_mb INTEGER", "bundle TEXT", _SEAL),
    "incumbents": (_SEAL,),
}
_NEW_IN_2 = (
    """CREATE TABLE identity (
           one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, created_at REAL NOT NULL,
           schema_digest TEXT NOT NULL, commits INTEGER NOT NULL
       ) STRICT""",
    "CREATE INDEX jobs_by_dataset ON jobs (dataset)",
    "CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL",
)

_SEALED_IN_2 = (JOBS, ATTEMPTS, INCUMBENTS)
_NEW_IN_3 = (
    """CREATE TABLE outbox (
           event_id TEXT NOT NULL, channel TEXT NOT NULL, job_id TEXT NOT NULL REFERENCES jobs (id),
           status TEXT NOT NULL, ended_at REAL NOT NULL,
           state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'superseded')),
           tries INTEGER NOT NULL, next_at REAL NOT NULL, done_at REAL, error TEXT, seal BLOB NOT NULL,
           PRIMARY KEY (event_id, channel)
       ) STRICT""",
    "CREATE INDEX outbox_by_job ON outbox (job_id)",
    "CREATE INDEX outbox_by_state ON outbox (state) WHERE state IN ('pending', 'dead')",
)

MIGRATIONS: Mapping[int, tuple[Run, ...]] = {
    1: (_add_columns, _add_identity, _seal_rows, _identify),
    2: (_add_outbox, _note_schema),
}
"""From which version -> the steps to the next one, in their order."""


# --- looking for damage ---


def examine(db: sqlite3.Connection, path: Path) -> None:
    """Raises StoreDamaged unless the database is whole: pages, indexes, references, schema, seals of the jobs."""
    problems = structure_problems(db, whole=path.stat().st_size <= WHOLE_CHECK_BYTES)
    if problems:
        raise StoreDamaged("; ".join(problems[:3]))
    if version_of(db) == SCHEMA_VERSION:
        check_schema(db)
        for row in db.execute(JOBS.select):
            JOBS.opened(row)


def structure_problems(db: sqlite3.Connection, *, whole: bool = True) -> list[str]:
    """What SQLite finds wrong with its pages, indexes, constraints and references; empty when nothing is."""
    scopes = [""] if whole else [f"({table})" for table in _SMALL_TABLES if has_table(db, table)]
    found = [row[0] for scope in scopes for row in db.execute(f"PRAGMA integrity_check{scope}")]
    dangling = db.execute("PRAGMA foreign_key_check").fetchmany(MAX_FINDINGS)
    return [
        *(text for text in found if text != "ok"),
        *(
            f"row {rowid} of {table} refers to a row of {parent} that is not there"
            for table, rowid, parent, _ in dangling
        ),
    ]


def check_schema(db: sqlite3.Connection) -> None:
    """Raises StoreDamaged unless the schema is the one that was written down when it was made."""
    known = db.execute("SELECT schema_digest FROM identity").fetchone()
    if known is None or known[0] != _schema_digest(db):
        raise StoreDamaged("its schema is not the one that was written")


def last_commit(db: sqlite3.Connection) -> Commit:
    """Which store this is, and how often it has been written to."""
    row = db.execute("SELECT id, commits FROM identity").fetchone()
    if row is None:
        raise StoreDamaged("it does not say which store it is")
    return Commit(*row)


def broken_seals(db: sqlite3.Connection, table: SealedTable) -> list[str]:
    """One sentence per row of a table whose seal is not that of its values."""
    broken = []
    for row in db.execute(table.select):
        try:
            table.opened(row)
        except StoreDamaged as error:
            broken.append(str(error))
    return broken


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """Whether there is a table of this name."""
    return bool(db.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,)).fetchone())


def _schema_digest(db: sqlite3.Connection) -> str:
    """Without the statistics that an ANALYZE by hand would leave; they change no answer."""
    rows = db.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY type, name"
    ).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()
