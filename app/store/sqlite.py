"""
The embedded store: one SQLite file, one process, one connection.

One connection is not a limitation but the reason why this is safe: the WAL-reset race of SQLite 3.7.0 to 3.51.2 needs
two. A lock file keeps a second service out of the folder. Commits are durable (`synchronous=FULL`), foreign keys are
on, and every write begins with BEGIN IMMEDIATE, because a read transaction that is upgraded to a write fails at once
when anything was committed in between, whatever the busy timeout.

What stands in the store is what was written, or it is refused: SQLite checks its pages, `app.store.rows` seals the
rows, `app.store.quarantine` takes single damaged ones out of the way, and `app.store.folder` notices commits that are
gone. The calls of one connection take turns, so that a backup,
which copies a few pages per turn, never holds up anybody for long.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.domain.jobs import Job, Status
from app.store import StoreDamaged, StoreError, StoreTooNew, StoreUnavailable, schema
from app.store.faults import kind_of, told
from app.store.folder import FILE_NAME, Commit, Mark, take_lock
from app.store.notifications import NO_CHANNELS, Channels
from app.store.quarantine import rows_in, set_aside
from app.store.rows import JOBS, Work
from app.store.sql import SqlStore
from solver.errors import in_words

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 5.0
MOST_TENANTS = 1000
"""Whose turn it was is forgotten when there are more; then the next round begins anew."""
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

_WAITING_AND_AT_WORK = """
    SELECT id, status, CASE WHEN json_valid(meta) THEN json_extract(meta, '$.organization_id') END
    FROM jobs WHERE status IN ('queued', 'running') ORDER BY seq"""

_log = logging.getLogger("timetable.store")


def wal_reset_race(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may lose commits in WAL mode when two connections are open."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return version >= (3, 7, 0) and not fixed


class _Transaction:
    """A transaction of this store (`app.store.rows.Work`)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        with closing(self._db.execute(statement, tuple(values))) as cursor:
            return cursor.fetchall()

    def change(self, statement: str, values: Collection[object] = ()) -> int:
        return self._db.execute(statement, tuple(values)).rowcount


class SqliteStore(SqlStore):
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
        super().__init__(channels)
        self.path = folder / FILE_NAME
        self._turn = threading.RLock()
        self._turns: dict[object, int] = {}
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
        self._work = _Transaction(self._db)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0"):
            self._db.execute(f"PRAGMA {pragma}")
        schema.refuse_newer(self._db)
        schema.examine(self._db, self.path)
        self._compare(self._mark.found)
        sealed = schema.counts_commits(self._db)
        if sealed:  # first: a migration that seals rows anew would make damaged ones look sound
            set_aside(self._db, self.path.parent)
        schema.bring_up_to_date(self._db)
        if not sealed:
            set_aside(self._db, self.path.parent)
        self.set_aside = rows_in(self.path.parent)
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
        """Waits for a running backup, then closes the file and frees the lock. A second call does nothing."""
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

    def _write(self, body: Callable[[Work], T]) -> T:
        with self._turn, told(self.path):
            with schema.transaction(self._db):
                before = self._db.total_changes
                answer = body(self._work)
                commit = self._last
                if self._db.total_changes != before:
                    self._db.execute("UPDATE identity SET commits = commits + 1")
                    commit = schema.last_commit(self._db)
            self._acknowledge(commit)
            return answer

    def _read(self, body: Callable[[Work], T]) -> T:
        with self._turn, told(self.path):
            return body(self._work)

    def _acknowledge(self, commit: Commit) -> None:
        if commit == self._last:
            return
        self._last = commit
        try:
            self._mark.write(commit)
        except OSError as error:  # the commit stands; only a later loss of it would go unnoticed
            _log.error("the mark of the last commit cannot be written: %s", in_words(error))

    def _rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        return self._read(lambda work: work.rows(statement, values))

    def _next_queued(self, work: Work, skip: Collection[str], only: str | None) -> list[tuple[Any, ...]]:
        """Tenants take turns as in `app.store.fair_queue`; whose the last was is remembered while the store is open."""
        named = work.rows(_WAITING_AND_AT_WORK)
        busy = Counter(tenant for _, status, tenant in named if status == "running")
        waiting = [(id, tenant) for id, status, tenant in named if status == "queued" and id not in skip]
        if only is not None:
            waiting = [(id, tenant) for id, tenant in waiting if id == only]
        if not waiting:
            return []
        turn = self._turns.get
        chosen, tenant = min(waiting, key=lambda one: (busy[one[1]], turn(one[1], 0)))  # the first of equals is oldest
        if len(self._turns) > MOST_TENANTS:
            self._turns.clear()
        self._turns[tenant] = max(self._turns.values(), default=0) + 1
        return work.rows(f"{JOBS.select} WHERE id = ?", (chosen,))  # nosec B608 - names of ours, values bound

    def abandoned(self, at_work: Collection[str], *, expired: bool = True) -> list[Job]:
        """Nobody else works on this store."""
        return [job for job in reversed(self.jobs(status=Status.RUNNING)) if job.id not in at_work]

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
