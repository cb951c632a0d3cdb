"""
The schema of the SQLite store: made, migrated, and examined before anything is served.

A store is made, or brought to the present version, in one transaction: a program that is killed in the middle leaves
what was there whole, and the next start begins again.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from app.store import StoreDamaged, StoreTooNew, versions
from app.store.folder import Commit
from app.store.rows import SealedTable
from app.system.failpoints import failpoint

SCHEMA_VERSION = versions.number_of(versions.NEWEST["sqlite"])
WHOLE_CHECK_BYTES = 1 << 30
"""Of a larger store only the tables without bodies are read at each start; `timetable check` reads it all."""
TABLES = ("jobs", "attempts", "datasets", "incumbents", "results", "outbox", "cancels")
_SMALL_TABLES = ("identity", "jobs", "attempts")
MAX_FINDINGS = 20
SEALED_SINCE = 2
"""Since this version a store says which one it is, and its rows are sealed over the columns that they have today."""
APPLICATION_ID, USER_VERSION = 0x54544254, 4
"""Of every store since its version stands in Alembic's table."""
LAST_IN_HEADER = 3
"""Later versions do not stand in the header of the file, but in Alembic's table."""


def version_of(db: sqlite3.Connection) -> int:
    """The number of its version, 0 of an empty database. Raises StoreDamaged when it does not say."""
    if not has_table(db, versions.TABLE):
        found: int = db.execute("PRAGMA user_version").fetchone()[0]
        if found > LAST_IN_HEADER:
            raise StoreDamaged("the table that says which version it has is gone")
        return found
    rows = db.execute(f"SELECT version_num FROM {versions.TABLE}").fetchall()  # nosec B608 - a name of ours
    if len(rows) != 1:
        raise StoreDamaged("it does not say which version it has")
    return versions.number_of(str(rows[0][0]))


def refuse_newer(db: sqlite3.Connection) -> None:
    """Raises StoreTooNew when a later version of this program wrote it."""
    found = version_of(db)
    if found > SCHEMA_VERSION:
        raise StoreTooNew(f"it has schema {found}, this program knows up to {SCHEMA_VERSION}: use a newer one")


def counts_commits(db: sqlite3.Connection) -> bool:
    """Whether it says which store it is, and counts its commits; the first version and an empty database do not."""
    return version_of(db) >= SEALED_SINCE


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Writes what is done inside, all or nothing. Raises sqlite3.Error, and what is raised inside."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def bring_up_to_date(db: sqlite3.Connection) -> None:
    """Creates the schema in an empty database, or migrates an older one."""
    found = version_of(db)
    if found == 0:
        _create(db)
    elif found < SCHEMA_VERSION:
        adopted = None if has_table(db, versions.TABLE) else versions.named("sqlite", found)
        versions.upgrade("sqlite", db, "BEGIN IMMEDIATE", adopted=adopted, last=note_schema)


def _create(db: sqlite3.Connection) -> None:
    """At once: Alembic takes a second to load, and whoever starts a service for the first time waits for it."""
    schema = files("app.store").joinpath("schema.sql").read_text(encoding="utf-8")
    with transaction(db):
        for statement in schema.split(";\n"):
            db.execute(statement)
        failpoint("migrate.step")
        db.execute("INSERT INTO identity VALUES (1, ?, ?, '', 1)", (secrets.token_hex(16), time.time()))
        db.execute(f"INSERT INTO {versions.TABLE} VALUES (?)", (versions.NEWEST["sqlite"],))  # nosec B608 - a name of ours
        note_schema(db)
        failpoint("migrate.step")


def note_schema(db: sqlite3.Connection) -> None:
    """Writes down what the schema is now."""
    db.execute("UPDATE identity SET schema_digest = ?", (_schema_digest(db),))


# --- looking for damage ---


def examine(db: sqlite3.Connection, path: Path) -> None:
    """
    Raises StoreDamaged unless the database is whole: pages, indexes, schema.

    Single rows that are not what was written are dealt with one by one, see `app.store.quarantine`.
    """
    problems = page_problems(db, whole=path.stat().st_size <= WHOLE_CHECK_BYTES)
    if problems:
        raise StoreDamaged("; ".join(problems[:3]))
    if version_of(db) >= SEALED_SINCE:  # an older one is looked at as well: it is taken over as it is
        check_schema(db)


def page_problems(db: sqlite3.Connection, *, whole: bool = True) -> list[str]:
    """What SQLite finds wrong with its pages, indexes and constraints; empty when nothing is."""
    scopes = [""] if whole else [f"({table})" for table in _SMALL_TABLES if has_table(db, table)]
    found = [row[0] for scope in scopes for row in db.execute(f"PRAGMA integrity_check{scope}")]
    return [text for text in found if text != "ok"]


def dangling_problems(db: sqlite3.Connection) -> list[str]:
    """One sentence per row that refers to what is not there."""
    return [
        f"row {rowid} of {table} refers to a row of {parent} that is not there"
        for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(MAX_FINDINGS)
    ]


def header_problems(db: sqlite3.Connection) -> list[str]:
    """Two numbers in the header that every program of ours writes alike, and that no page check looks at."""
    if not has_table(db, versions.TABLE):
        return []
    wanted = {"application_id": APPLICATION_ID, "user_version": USER_VERSION}
    found = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
    return [
        f"{name} in its header is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]
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
