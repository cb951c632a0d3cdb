"""
Backups of a PostgreSQL store: dumps of `pg_dump`, verified like copies of SQLite, and put back in one transaction.

What a manifest counts is counted in the very snapshot that is dumped, so a backup is of one moment however many
services go on meanwhile. Before it counts it is read back: every seal, every digest, what links them, and the counts.
A restore makes the tables of the version that was dumped, fills them and counts again, all in the transaction that
puts the former tables aside into a schema of their own; until its commit nothing has changed, and nothing is deleted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from app.store import StoreDamaged, StoreError, StoreLocked, versions
from app.store.connections import Connection, Connections
from app.store.dumps import COPIED, LOCK_MILLISECONDS, PASSING, Dump, tool, write_dump
from app.store.folder import Commit
from app.store.manifests import (
    DUMP_SUFFIX,
    Manifest,
    NotRestored,
    check_digest,
    check_sound,
    compare,
    folder_told,
    make,
    manifest_of,
    read_manifest,
    stamp,
)
from app.store.postgres import LEASE_SECONDS, MIGRATING
from app.store.postgres_audit import TABLES
from app.store.postgres_faults import told
from app.store.rows import PORTFOLIO, SEALED
from app.system.failpoints import failpoint

REPLACED_SCHEMA = "timetable_replaced_"
_NOTHING = "the database holds no job store, so there is nothing to back up"
_OLDER = "the job store is of an earlier version; start this service once, which brings it up to date, then back it up"


# --- making one ---


def take(
    database: Connections, folder: Path, keep: int, key: bytes | None, give_up: Callable[[], bool] = lambda: False
) -> Manifest:
    """
    Makes a verified backup of the store in `database`, beside whoever uses it; `folder`, `keep`, `key` as for SQLite.

    Raises
    ------
    NoTools
        There is no `pg_dump` that is new enough, or no `pg_restore` to read the dump back.
    StoreUnavailable
        The server or the folder cannot be used, or `give_up` said so.
    StoreDamaged
        What was dumped is not what was written; the dump is removed, and earlier backups are kept.
    """
    with told(), closing(database.connect()) as db:
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # it waits for the dump
        db.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}".encode())
        seen = _seen(db)

        def copy(path: Path, name: str) -> Manifest:
            tables = [f'"{seen.schema}"."{table}"' for table in COPIED]
            write_dump(path, database.conninfo, tables, seen.snapshot, seen.server, give_up)
            failpoint("backup.copied")
            return _verified(describe(path, name), seen)

        tool("pg_restore")
        return make(folder, DUMP_SUFFIX, seen.commit.store_id, seen.bytes, keep, key, copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the server says of the store in one snapshot."""

    schema: str
    snapshot: str
    server: int
    server_version: str
    bytes: int
    commit: Commit
    rows: Mapping[str, int]
    jobs: Mapping[str, int]


def _seen(db: Connection) -> _Seen:
    def one(query: str) -> Any:
        row = db.execute(query.encode()).fetchone()
        return row[0] if row else None

    there = _tables_in(db)
    if not {*COPIED} <= there:
        raise StoreError(_OLDER if versions.TABLE in there else _NOTHING)
    sizes = ", ".join(f"pg_table_size('{table}')" for table in COPIED)
    return _Seen(
        schema=one("SELECT current_schema()"),
        snapshot=one("SELECT pg_export_snapshot()"),
        server=int(one("SHOW server_version_num")) // 10_000,
        server_version=one("SHOW server_version"),
        bytes=int(one(f"SELECT (SELECT sum(size) FROM unnest(ARRAY[{sizes}]) AS size)::bigint")),  # nosec B608 - names of ours
        commit=Commit(
            one("SELECT id FROM identity"), one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        ),
        rows={table: one(f"SELECT count(*) FROM {table}") for table in TABLES},  # nosec B608 - names of ours
        jobs=dict(db.execute("SELECT status, count(*) FROM jobs GROUP BY 1 ORDER BY 1").fetchall()),
    )


def _verified(found: Manifest, seen: _Seen) -> Manifest:
    """Raises StoreDamaged when the dump does not hold what the server has counted in the same snapshot."""
    same = found.rows == seen.rows and found.jobs == seen.jobs and found.store_id == seen.commit.store_id
    if not same:
        raise StoreDamaged("the dump does not hold what the database held at that moment; no backup was made")
    return replace(found, commits=seen.commit.number, postgres_version=seen.server_version)


# --- looking at one ---


def describe(path: Path, name: str) -> Manifest:
    """The manifest of a dump that is sound; raises StoreDamaged when it is not."""
    read = DumpReading(Dump(path))
    check_sound(path, list(read.problems()))
    return manifest_of(
        path,
        name,
        sqlite_version="",
        schema=read.version,
        store_id=read.store_id,
        commits=0,
        rows={table: read.rows[table] for table in TABLES},
        jobs=dict(sorted(read.jobs.items())),
    )


@dataclass
class DumpReading:
    """A dump that is read once. What it holds is known when `problems` has come to its end."""

    dump: Dump
    rows: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    store_id: str = ""
    version: int = 0
    _datasets: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)
    _named: dict[tuple[str, int], str] = field(default_factory=dict)
    _results: dict[tuple[str, int], str] = field(default_factory=dict)
    _running: set[tuple[str, int]] = field(default_factory=set)
    _open: set[tuple[str, int]] = field(default_factory=set)

    def problems(self) -> Iterator[str]:
        """Every way in which the dump is not what was written, one sentence each."""
        looks = {"alembic_version": self._version, "identity": self._identity, "datasets": self._dataset}
        looks |= {"jobs": self._job, "attempts": self._attempt, "results": self._result}
        sealed = {table.name: table for table in (*SEALED, PORTFOLIO)}
        for table, row in self.dump.rows():
            self.rows[table] += 1
            if table in sealed:
                try:
                    sealed[table].opened([row[column] for column in (*sealed[table].columns, "seal")])
                except StoreDamaged as error:
                    yield str(error)
            if table in looks and (problem := looks[table](row)):
                yield problem
        yield from self._links()

    def _version(self, row: Mapping[str, Any]) -> None:
        self.version = versions.number_of(str(row["version_num"]))

    def _identity(self, row: Mapping[str, Any]) -> None:
        self.store_id = row["id"]

    def _dataset(self, row: Mapping[str, Any]) -> str | None:
        self._datasets.add(row["digest"])
        return None if _fits(row) else f"the dataset {row['digest'][:12]}… is not what was written"

    def _job(self, row: Mapping[str, Any]) -> None:
        self.jobs[row["status"]] += 1
        self._used.add(row["dataset"])
        if row["result_attempt"] is not None:
            self._named[row["id"], row["result_attempt"]] = row["result_digest"]
        if row["status"] == "running":
            self._running.add((row["id"], row["attempt"]))

    def _attempt(self, row: Mapping[str, Any]) -> None:
        if row["ended_at"] is None:
            self._open.add((row["job_id"], row["attempt"]))

    def _result(self, row: Mapping[str, Any]) -> str | None:
        self._results[row["job_id"], row["attempt"]] = row["digest"]
        told = f"the result of job {row['job_id']!r}, attempt {row['attempt']}, is not what was written"
        return None if _fits(row) else told

    def _links(self) -> Iterator[str]:
        if not self.version or not self.store_id:
            yield "it does not say which store it is, or which version it has"
        for named, digest in self._named.items():
            if self._results.get(named) != digest:
                yield f"job {named[0]!r} does not have the result that its row names"
        for job_id, attempt in self._running - self._open:
            yield f"job {job_id!r} is running, and its attempt {attempt} is not open in the journal"
        for digest in self._datasets - self._used:
            yield f"the dataset {digest[:12]}… belongs to no job"
        for digest in self._used - self._datasets:
            yield f"the dataset {digest[:12]}… is gone"


def _fits(row: Mapping[str, Any]) -> bool:
    return bool(hashlib.sha256(row["body"]).hexdigest() == row["digest"])


# --- putting one back ---


def restore(backup: Path, url: str, *, force: bool = False, key: bytes | None = None) -> Manifest:
    """
    Puts a backup into the database `url`; its running jobs are found interrupted at the next start of a service.

    A store that is there is put aside into a schema `timetable_replaced_...`, and only with `force`. Killed at any
    moment, this leaves what was there or the new store.

    Raises
    ------
    StoreLocked
        A service or worker uses the database.
    NotRestored, StoreTooNew, StoreDamaged
        As for SQLite.
    NoTools
        There is no `pg_restore` that can read it.
    """
    with folder_told():
        manifest = read_manifest(backup, key)
        check_digest(backup, backup, manifest)
    found = describe(backup, manifest.file)
    held = {table: found.rows.get(table, 0) for table in manifest.rows}  # an earlier version knew fewer tables
    compare(replace(found, rows=held), manifest)
    dump = Dump(backup)
    with closing(Connections(url, "timetable restore")) as database, told(), closing(database.connect()) as db:
        versions.upgrade(
            "postgres",
            db,
            f"SELECT pg_advisory_xact_lock({MIGRATING})",
            to=versions.named("postgres", manifest.schema),
            begun=lambda db: _take_place(db, force=force),
            last=lambda db: _fill(db, dump, manifest),
        )
    return manifest


def _take_place(db: Connection, *, force: bool) -> None:
    """In the transaction of the restore: sees that nobody is there, and puts a store that is there aside."""
    db.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}".encode())
    there = _tables_in(db) & {*COPIED, *PASSING}
    if not there:
        return
    if "services" in there:
        db.execute(b"LOCK TABLE services IN ACCESS EXCLUSIVE MODE")  # nobody comes in behind our back
        query = "SELECT owner FROM services WHERE renewed_at >= clock_timestamp() - make_interval(secs => %s)"
        users = [row[0] for row in db.execute(query.encode(), (LEASE_SECONDS,))]
        if users:
            raise StoreLocked(
                f"the database is in use by {', '.join(users)}; stop every service and worker first (one that was "
                f"killed counts for {LEASE_SECONDS:g} s more)"
            )
    if not force:
        raise NotRestored("the database holds a store; --force puts it aside and the backup in its place")
    _put_aside(db, there)


def _put_aside(db: Connection, tables: set[str]) -> None:
    aside = sql.Identifier(REPLACED_SCHEMA + stamp().lower().replace(".", "_"))
    db.execute(sql.SQL("CREATE SCHEMA {}").format(aside))
    for table in sorted(tables):
        db.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(table), aside))
    for query, kind in ((_SEQUENCES, "SEQUENCE"), (_FUNCTIONS, "FUNCTION")):
        for (name,) in db.execute(query.encode()).fetchall():
            db.execute(sql.SQL(f"ALTER {kind} {{}} SET SCHEMA {{}}").format(sql.Identifier(name), aside))


_SEQUENCES = "SELECT relname FROM pg_class WHERE oid = to_regclass('turn_numbers')"
_FUNCTIONS = "SELECT proname FROM pg_proc WHERE oid = to_regproc('note_change')"


def _tables_in(db: Connection) -> set[str]:
    query = b"SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    return {row[0] for row in db.execute(query)}


def _fill(db: Any, dump: Dump, manifest: Manifest) -> None:
    """Before the commit of the restore: all rows of the dump, where numbers go on, and the counts once more."""
    db.execute("DELETE FROM identity")
    for table in COPIED:
        if table != versions.TABLE:
            _fill_table(db, dump, table)
    for sequence, last in (
        ("pg_get_serial_sequence('jobs', 'seq')", "SELECT max(seq) FROM jobs"),
        ("pg_get_serial_sequence('outbox', 'seq')", "SELECT max(seq) FROM outbox"),
        ("'turn_numbers'", "SELECT max(taken) FROM turns"),
    ):
        db.execute(f"SELECT setval({sequence}, found) FROM ({last}) AS known (found) WHERE found IS NOT NULL")  # nosec B608 - names of ours
    for table, count in manifest.rows.items():
        found = db.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()[0]
        if found != count:
            raise StoreDamaged(
                f"{found} rows of {table} came out of the backup instead of {count}; nothing was changed"
            )
    failpoint("restore.before_swap")


def _fill_table(db: psycopg.Connection[Any], dump: Dump, table: str) -> None:
    rows = dump.copies(table)
    first = next(rows, None)
    if first is None:
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, first[0]))
    with (
        db.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)) as copy,
    ):
        copy.write(first[1])
        for _, line in rows:
            copy.write(line)
