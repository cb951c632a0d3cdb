"""Stores of every earlier version open and keep everything, whenever the way to the newest is cut off by a kill."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from app.domain.jobs import Event, Status, advance
from app.domain.outcomes import How, Outcome
from app.operations.integrity import check_folder
from app.operations.logs import flush, logging_to
from app.settings import Settings
from app.store import StoreDamaged, StoredIncumbent, StoreTooNew, versions
from app.store.audit import audit
from app.store.backups import describe, restore
from app.store.folder import FILE_NAME
from app.store.manifests import manifest_path
from app.store.migrations.sqlite import s001_jobs, s002_seals, s003_outbox, s005_cancels
from app.store.notifications import EVERY_END
from app.store.postgres import PostgresStore
from app.store.rows import ATTEMPTS, INCUMBENTS, JOBS, SealedTable
from app.store.schema import SCHEMA_VERSION, TABLES, note_schema, version_of
from app.store.sqlite import SqliteStore
from solver.rules import Score
from tests.app.store.test_store import AT, BODY, claimed, completed
from tests.postgres import database

ROOT = Path(__file__).parents[3]
OUTCOME = Outcome(how=How.RESULT, at=AT + 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def altered(folder: Path, work: Callable[[sqlite3.Connection], object]) -> None:
    """Has something done to the file of a store that is closed."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        work(db)


# --- what earlier versions wrote ---


def version_1(folder: Path) -> None:
    """One completed job, one running, one waiting."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        for statement in s001_jobs.STATEMENTS:
            db.execute(statement)
        db.execute("PRAGMA user_version=1")
        digest = hashlib.sha256(b"dataset").hexdigest()
        result = hashlib.sha256(b"result").hexdigest()
        db.execute("INSERT INTO datasets VALUES (?, ?)", (digest, b"dataset"))
        db.execute("BEGIN")
        for id, status, attempt in (("a", "completed", 1), ("b", "running", 2), ("c", "queued", 0)):
            given = {
                "dataset": digest,
                "id": id,
                "body_hash": "h",
                "status": status,
                "attempt": attempt,
                "failed_attempts": 0,
                "created_at": AT,
                "meta": '{"x": "ü"}',
                "rules": "{}",
                "num_variants": 2,
                "time_limit_seconds": 30,
                "seed": 5,
                "start_at": "full",
                "simplified_context": 0,
                "used_seconds": 1.5,
                "cancel_requested": 0,
                "finish_requested": 1,
                "score": "[0, 0, 0, 7]",
            }
            if id == "a":
                given |= {"placed": 3, "total": 3, "result_attempt": 1, "result_digest": result, "finished_at": AT + 9}
            db.execute(
                f"INSERT INTO jobs ({', '.join(given)}) VALUES ({', '.join('?' * len(given))})", (*given.values(),)
            )
            if attempt:
                db.execute("INSERT INTO attempts (job_id, attempt, started_at) VALUES (?, ?, ?)", (id, attempt, AT))
        db.execute("INSERT INTO results VALUES ('a', 1, ?, ?)", (result, b"result"))
        db.execute("INSERT INTO incumbents VALUES ('b', 2, '[0, 0, 0, 7]', ?, 'full', ?)", (b"timetable", AT))
        db.execute("COMMIT")


def keeps_version_1(folder: Path) -> None:
    """All of it is there, and can be worked with."""
    store = SqliteStore(folder)
    a, b, c = reversed(store.jobs())
    assert [(job.id, job.status, job.attempt) for job in (a, b, c)] == [
        ("a", Status.COMPLETED, 1),
        ("b", Status.RUNNING, 2),
        ("c", Status.QUEUED, 0),
    ]
    assert (a.meta, a.options.time_limit_seconds, a.options.seed, a.finish_requested, a.options.workers) == (
        {"x": "ü"},
        30.0,
        5,
        True,
        None,
    )
    assert (store.dataset("c"), store.result("a")) == (b"dataset", b"result")
    assert store.incumbent("b") == StoredIncumbent(
        score=Score(0, 0, 0, 7), timetable=b"timetable", rung="full", found_at=AT
    )
    store.move(b, advance(b, Event.LOSE, AT), outcome=Outcome(how=How.SERVICE_LOST, at=AT))
    assert [row.how for row in store.attempts("b")] == ["service_lost"]
    assert store.expired(AT + 10, 5) == ["a"]
    store.close()


def version_4(folder: Path) -> None:
    """One completed job; cancels that come early are not remembered yet."""
    store = SqliteStore(folder)
    running = claimed(store)
    store.move(running, completed(running), outcome=OUTCOME, result=BODY)
    store.close()
    altered(folder, _from_before_cancels)


def _from_before_cancels(db: sqlite3.Connection) -> None:
    db.execute("DROP TABLE cancels")
    db.execute(f"UPDATE {versions.TABLE} SET version_num = 's004'")
    note_schema(db)


def version_3(folder: Path) -> None:
    """The same, and the version stands in the header of the file only."""
    version_4(folder)
    altered(folder, _from_before_alembic)


def _from_before_alembic(db: sqlite3.Connection) -> None:
    db.execute(f"DROP TABLE {versions.TABLE}")
    note_schema(db)
    db.execute("PRAGMA user_version=3")


def version_2(folder: Path) -> None:
    """The same without an outbox."""

    def without_outbox(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE outbox")
        note_schema(db)
        db.execute("PRAGMA user_version=2")

    version_3(folder)
    altered(folder, without_outbox)


def keeps_its_job(folder: Path) -> None:
    store = SqliteStore(folder, {"sql": EVERY_END})
    assert (store.result("j1"), store.undelivered()) == (BODY, [])
    running = claimed(store, "j2")
    store.move(running, completed(running), outcome=OUTCOME, result=BODY)
    assert len(store.deliveries("j2")) == 1
    store.close()


def nothing(folder: Path) -> None:
    folder.mkdir()


def is_empty(folder: Path) -> None:
    with closing(SqliteStore(folder)) as store:
        assert store.jobs() == []


FROM_4 = len(s005_cancels.STATEMENTS)
FROM_3 = FROM_4 + 1
FROM_2 = FROM_3 + len(s003_outbox.STATEMENTS)
FROM_1 = FROM_2 + len(s002_seals.STATEMENTS) + len(s002_seals.SEALED) + 1
OLD = pytest.mark.parametrize(
    ("version", "write", "keeps", "steps"),
    [
        (0, nothing, is_empty, 2),
        (1, version_1, keeps_version_1, FROM_1),
        (2, version_2, keeps_its_job, FROM_2),
        (3, version_3, keeps_its_job, FROM_3),
        (4, version_4, keeps_its_job, FROM_4),
    ],
)
"""A version, one who writes a store of it, one who asserts that all of it is kept, and steps to the newest."""


@OLD
def test_a_store_of_an_earlier_version_opens_and_keeps_everything(
    folder: Path, version: int, write: Callable[[Path], None], keeps: Callable[[Path], None], steps: int
) -> None:
    write(folder)
    assert check_folder(folder, again=False).sound
    if version:
        with audit(folder / FILE_NAME) as found:
            assert found.version == version, "looking does not migrate"
    keeps(folder)
    with audit(folder / FILE_NAME) as found:
        assert found.version == SCHEMA_VERSION
    assert check_folder(folder, again=False).sound
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (s002_seals.APPLICATION_ID,)
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [(versions.NEWEST["sqlite"],)]


@pytest.mark.parametrize("write", [version_2, version_3])
def test_an_older_store_that_was_altered_is_refused_and_not_taken_over(
    folder: Path, write: Callable[[Path], None]
) -> None:
    write(folder)
    altered(folder, lambda db: db.execute("DROP INDEX jobs_by_status"))
    assert not check_folder(folder, again=False).sound
    with pytest.raises(StoreDamaged, match="schema is not the one"):
        SqliteStore(folder)
    with audit(folder / FILE_NAME) as found:
        assert found.version < SCHEMA_VERSION


@pytest.mark.parametrize("write", [version_2, version_3])
def test_a_row_of_an_older_store_that_was_altered_is_put_aside_and_not_taken_over(
    folder: Path, write: Callable[[Path], None]
) -> None:
    write(folder)
    altered(folder, lambda db: db.execute("UPDATE jobs SET seed = seed + 1"))
    assert not check_folder(folder, again=False).sound
    with closing(SqliteStore(folder)) as store:
        assert store.jobs() == [] and store.set_aside > 0
    assert check_folder(folder, again=False).sound


def test_a_backup_that_an_earlier_version_has_made_is_put_back_and_brought_up_to_date(folder: Path) -> None:
    version_3(folder)
    backup = folder.with_name("timetable-old.sqlite3")
    (folder / FILE_NAME).rename(backup)
    manifest_path(backup).write_text(json.dumps(asdict(describe(backup, backup.name))))
    assert json.loads(manifest_path(backup).read_text())["schema"] == 3
    restore(backup, folder.with_name("restored"))
    keeps_its_job(folder.with_name("restored"))


def test_the_log_says_that_a_store_was_brought_up_to_date_and_not_how(folder: Path) -> None:
    version_2(folder)
    log = io.StringIO()
    with logging_to(Settings(data_dir=folder, log_format="text"), log):
        SqliteStore(folder).close()
        flush()
    assert "the store has been brought to schema" in log.getvalue() and "alembic" not in log.getvalue()


KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
import alembic.command, sqlalchemy.pool
from app.system import failpoints
from app.settings import Settings
from app.store.opening import open_store

original, steps = Path(sys.argv[1]), 0
def count(name):
    global left
    left -= 1
    left or os.kill(os.getpid(), signal.SIGKILL)
failpoints.ACTIONS["count"] = count
while True:
    left = steps + 1
    folder = original.with_name(f"killed-{left}")
    shutil.copytree(original, folder)
    if (child := os.fork()) == 0:
        open_store(Settings(data_dir=folder, database_url=sys.argv[2]))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
    steps += 1
print(steps)
"""
"""Opens copies of a folder, the first killed in the first step, and so on, until one comes through; says how many."""


def steps_until_it_opens(folder: Path, url: str = "") -> int:
    """How many starts were killed; each left the folder `killed-<step>`."""
    armed = folder.with_name("armed")
    armed.mkdir()
    (armed / "migrate.step").write_text("count always")
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(folder), url],
        env={**os.environ, "TIMETABLE_FAILPOINTS": str(armed)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@OLD
def test_a_start_that_is_killed_in_any_step_leaves_what_was_there_and_the_next_one_begins_again(
    folder: Path, version: int, write: Callable[[Path], None], keeps: Callable[[Path], None], steps: int
) -> None:
    write(folder)
    assert steps_until_it_opens(folder) == steps
    for step in range(1, steps + 1):
        killed = folder.with_name(f"killed-{step}")
        with closing(sqlite3.connect(killed / FILE_NAME)) as db:
            assert version_of(db) == version
        keeps(killed)
        assert check_folder(killed, again=False).sound


def scripts(kind: versions.Kind) -> list[Script]:
    """Oldest first."""
    return [*ScriptDirectory.from_config(versions._config(kind)).walk_revisions()][::-1]


@pytest.mark.parametrize("known", range(len(scripts("postgres"))))
def test_a_postgres_store_of_any_version_opens_after_it_was_killed_in_every_step(folder: Path, known: int) -> None:
    """Each start finds what the killed one before it has left; one that finds half a version fails."""
    folder.mkdir()
    with database() as url:
        if known:
            with psycopg.connect(url) as connection:
                brought_to(scripts("postgres")[known - 1].revision, connection)
        missing = [script.module.STATEMENTS for script in scripts("postgres")[known:]]
        assert steps_until_it_opens(folder, url) == sum(map(len, missing))
        with closing(PostgresStore(url, folder)) as store:
            assert (store.jobs(), store._version()) == ([], versions.NEWEST["postgres"])


def brought_to(version: str, connection: psycopg.Connection[Any]) -> None:
    """An empty database as an earlier program has left it."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    config = versions._config("postgres")
    with engine.connect() as config.attributes["connection"], config.attributes["connection"].begin():
        command.upgrade(config, version)


# --- one schema, whichever way ---


def shape(db: sqlite3.Connection) -> dict[str, Any]:
    """Columns, references and indexes of every table, in no order; defaults are left out, nothing relies on them."""

    def asked(pragma: str, name: str) -> list[tuple[Any, ...]]:
        return db.execute(f"PRAGMA {pragma}('{name}')").fetchall()

    return {
        table: (
            {(name, kind, required, key) for _, name, kind, required, _, key in asked("table_info", table)},
            {row[2:] for row in asked("foreign_key_list", table)},
            {
                (row[1:], tuple(name for _, _, name in asked("index_info", row[1])))
                for row in asked("index_list", table)
            },
        )
        for table in (*TABLES, "identity", versions.TABLE)
    }


def test_a_new_store_has_the_schema_that_the_scripts_make(folder: Path) -> None:
    SqliteStore(folder).close()
    with (
        closing(sqlite3.connect(folder / FILE_NAME)) as new,
        closing(sqlite3.connect(folder / "other", isolation_level=None)) as scripted,
    ):
        versions.upgrade("sqlite", scripted, "BEGIN IMMEDIATE", last=note_schema)
        assert shape(new) == shape(scripted)
        for question in ("PRAGMA application_id", "PRAGMA user_version", f"SELECT * FROM {versions.TABLE}"):
            assert new.execute(question).fetchall() == scripted.execute(question).fetchall()


@pytest.mark.parametrize(("sealed", "now"), [*zip(s002_seals.SEALED, (JOBS, ATTEMPTS, INCUMBENTS), strict=True)])
def test_rows_are_sealed_by_the_script_as_they_are_opened(sealed: SealedTable, now: SealedTable) -> None:
    """When a later version changes what is sealed, its script seals again what it finds sound, and this test ends."""
    assert (sealed.name, sealed.key, sealed.columns) == (now.name, now.key, now.columns)


@pytest.mark.parametrize("kind", versions.NEWEST)
def test_the_newest_version_is_the_last_script(kind: versions.Kind) -> None:
    found = [script.revision for script in scripts(kind)]
    assert found[-1] == versions.NEWEST[kind]
    assert found == [versions.named(kind, number) for number in range(1, len(found) + 1)]


def test_alembic_is_not_loaded_where_nothing_is_to_be_migrated(folder: Path) -> None:
    opens_twice = (
        "import sys; from pathlib import Path; from app.store.sqlite import SqliteStore\n"
        "for _ in range(2): SqliteStore(Path(sys.argv[1])).close()\n"
        "print(sorted({'alembic', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", opens_twice, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_sqlalchemy_carries_a_connection_for_alembic_and_makes_no_statement() -> None:
    """There is one way of statements: both stores and every script write theirs out."""
    uses = re.compile(r"^\s*(?:from|import) sqlalchemy", re.M)
    sources = [path for folder in ("app", "solver") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if uses.search(path.read_text(encoding="utf-8"))] == [Path(versions.__file__)]
    for path in (ROOT / "app" / "store" / "migrations").rglob("[ps]0*.py"):
        called = set(re.findall(r"\bop\.(\w+)", path.read_text(encoding="utf-8")))
        assert called <= {"execute", "get_bind"}, (path, called)


# --- what is none of ours ---


def test_a_store_of_a_later_version_is_not_touched(folder: Path) -> None:
    SqliteStore(folder).close()
    altered(folder, lambda db: db.execute("UPDATE alembic_version SET version_num = 's999'"))
    before = (folder / FILE_NAME).read_bytes()
    with pytest.raises(
        StoreTooNew, match=f"it has schema 999, this program knows up to {SCHEMA_VERSION}: use a newer one"
    ):
        SqliteStore(folder)
    assert (folder / FILE_NAME).read_bytes() == before
    assert not check_folder(folder, again=False).sound


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM alembic_version", "does not say which version"),
        ("UPDATE alembic_version SET version_num = 'x'", "its version is 'x'"),
        ("DROP TABLE alembic_version", "the table that says which version it has is gone"),
        ("UPDATE alembic_version SET version_num = 's002'", "already exists"),
    ],
)
def test_a_store_that_lies_about_its_version_is_refused_and_left_as_it_is(
    folder: Path, statement: str, said: str
) -> None:
    SqliteStore(folder).close()
    altered(folder, lambda db: db.execute(statement))
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=said):
            SqliteStore(folder)
