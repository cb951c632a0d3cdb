"""Backups of a store on PostgreSQL: made by the real `pg_dump` beside services, verified, put back, refused."""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from app.cli import app as command_line
from app.domain.jobs import Event, Job, advance
from app.domain.outcomes import How, Outcome
from app.http.problems import problem_response
from app.operations import startup
from app.operations.integrity import check_database
from app.settings import Settings
from app.store import StoreDamaged, StoredIncumbent, StoreError, StoreLocked, StoreTooNew, StoreUnavailable, dumps
from app.store.connections import Connections
from app.store.dumps import COPIED, PASSING
from app.store.manifests import NoTools, NotRestored, backups_in, manifest_path, read_manifest
from app.store.opening import back_up, back_up_database, put_back
from app.store.postgres import PostgresStore
from app.store.postgres_backups import restore, take
from app.store.signing import signature_of
from solver.result import Quality, StoppedBy
from solver.rules import Score
from tests.postgres import database

AT = 1_700_000_000.0
ODD = "tab\t line\n back\\slash \\N \\. \u0928 ,"
KEY = b"k" * 32


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with jobs in every state, and with texts that a format of rows has to escape."""
    with database() as url:
        fill(url, tmp_path_factory.mktemp("service"))
        yield url


def fill(url: str, folder: Path) -> None:
    chance = random.Random(7)
    with closing(PostgresStore(url, folder)) as store:
        for number in range(6):
            job = Job(id=f"j{number}", body_hash="h", created_at=AT + number, meta={"n": number, "odd": ODD})
            store.submit(job, chance.randbytes(3000), 100)
        for ends_as in (Event.COMPLETE, Event.FAIL, Event.CANCEL, None):
            running = store.claim(AT + 10)
            assert running is not None
            found = StoredIncumbent(score=Score(0, 0, 0, 5), timetable=chance.randbytes(500), rung="full", found_at=AT)
            store.save_incumbent(running, found)
            if ends_as is not None:
                end(store, running, ends_as, chance.randbytes(2000))


def end(store: PostgresStore, job: Job, event: Event, body: bytes) -> None:
    how = How.RESULT if event is Event.COMPLETE else How.ERROR
    after = advance(job, event, AT + 20, error=None if event is Event.COMPLETE else ODD)
    if event is Event.COMPLETE:
        held = {"placed": 3, "total": 3, "quality": Quality.FEASIBLE, "stopped_by": StoppedBy.DEADLINE}
        digest = hashlib.sha256(body).hexdigest()
        after = replace(after, **held, score=Score(0, 0, 0, 5), result_attempt=job.attempt, result_digest=digest)
    outcome = Outcome(how=how, at=AT + 20, seconds=1 / 3, message=ODD)
    store.move(job, after, outcome=outcome, result=body if event is Event.COMPLETE else None)


@pytest.fixture
def backup(original: str, tmp_path: Path) -> Path:
    manifest = back_up_database(original, tmp_path / "backups", 3, None)
    return tmp_path / "backups" / manifest.file


def told(url: str, folder: Path) -> dict[str, object]:
    """Everything that a store on this database says of its jobs."""
    with closing(PostgresStore(url, folder)) as store:
        ids = store.ids()
        asked = (store.job, store.dataset, store.incumbent, store.result, store.attempts, store.deliveries)
        return {"ids": ids, **{f"{ask.__name__} {id}": ask(id) for id in ids for ask in asked}}


def test_a_backup_put_into_an_empty_database_is_the_same_store(original: str, backup: Path, tmp_path: Path) -> None:
    manifest = read_manifest(backup)
    assert manifest.rows["jobs"] == 6
    assert manifest.jobs == {"cancelled": 1, "completed": 1, "failed": 1, "queued": 2, "running": 1}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with database() as url:
        restore(backup, url)
        assert check_database(url, again=False).sound
        assert told(url, tmp_path / "one") == told(original, tmp_path / "two")
        with closing(PostgresStore(url, tmp_path / "one")) as store:
            assert [job.id for job in store.abandoned(())] == ["j3"], "what ran is found interrupted, at once"
            store.submit(Job(id="new", body_hash="h", created_at=AT), b"body", 100)
            assert store.ids()[-1] == "new", "numbers go on behind those of the backup"


def test_every_table_of_a_store_is_copied_or_true_of_a_moment_only(original: str) -> None:
    with psycopg.connect(original) as db:
        tables = {row[0] for row in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}
    assert tables == {*COPIED, *PASSING}


def test_a_store_that_is_there_is_put_aside_and_only_with_force(original: str, backup: Path, tmp_path: Path) -> None:
    with database() as url:
        with closing(PostgresStore(url, tmp_path / "there")) as store:
            store.submit(Job(id="theirs", body_hash="h", created_at=AT), b"body", 100)
            with pytest.raises(StoreLocked, match="is in use"):
                store.introduce(store._me)
                restore(backup, url, force=True)
        with pytest.raises(NotRestored, match="--force"):
            restore(backup, url)
        restore(backup, url, force=True)
        restore(backup, url, force=True)
        with psycopg.connect(url) as db:
            query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'timetable_replaced_%' ORDER BY 1"
            first, second = (row[0] for row in db.execute(query))
            assert db.execute(f"SELECT id FROM {first}.jobs").fetchall() == [("theirs",)]
            assert db.execute(f"SELECT count(*) FROM {second}.jobs").fetchall() == [(6,)]
        assert len(told(url, tmp_path / "after")["ids"]) == 6  # type: ignore[arg-type]


def flip(backup: Path) -> None:
    body = bytearray(backup.read_bytes())
    body[len(body) // 2] ^= 4
    backup.write_bytes(body)


def altered(backup: Path, **changes: object) -> None:
    manifest = json.loads(manifest_path(backup).read_text())
    manifest_path(backup).write_text(json.dumps({**manifest, **changes}))


def forge(backup: Path) -> None:
    """Another content, and a manifest whose digest is made to fit."""
    flip(backup)
    altered(backup, sha256=hashlib.sha256(backup.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (flip, StoreDamaged),
        (lambda backup: os.truncate(backup, 1000), StoreDamaged),
        (forge, StoreDamaged),
        (lambda backup: altered(backup, jobs={"queued": 6}), StoreDamaged),
        (lambda backup: altered(backup, store_id="0" * 32), StoreDamaged),
        (lambda backup: altered(backup, schema=99), StoreTooNew),
        (lambda backup: altered(backup, verified=False), NotRestored),
        (lambda backup: manifest_path(backup).unlink(), NotRestored),
        (lambda backup: backup.unlink(), StoreUnavailable),
    ],
)
def test_what_is_no_sound_backup_is_refused_and_changes_nothing(
    original: str, backup: Path, change: Callable[[Path], object], kind: type[StoreError]
) -> None:
    change(backup)
    with pytest.raises(kind):
        restore(backup, original, force=True)
    with psycopg.connect(original) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (6,)


def test_a_backup_of_before_there_was_a_table_is_put_back_all_the_same(backup: Path) -> None:
    altered(backup, rows={table: count for table, count in read_manifest(backup).rows.items() if table != "portfolio"})
    with database() as url:
        assert restore(backup, url).jobs["queued"] == 2


def test_a_database_without_a_store_or_with_an_older_one_makes_no_backup(tmp_path: Path) -> None:
    with database() as url:
        with pytest.raises(StoreError, match="holds no job store"):
            back_up_database(url, tmp_path / "backups", 3, None)
        with psycopg.connect(url) as db:
            db.execute("CREATE TABLE alembic_version (version_num text)")
        with pytest.raises(StoreError, match="of an earlier version"):
            back_up_database(url, tmp_path / "backups", 3, None)
    assert not (tmp_path / "backups").exists()


def test_a_restore_that_fails_at_the_end_has_changed_nothing(
    original: str, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.postgres_backups.compare", lambda found, manifest: None)
    altered(backup, rows={**read_manifest(backup).rows, "jobs": 7})
    before = told(original, tmp_path / "before")
    with pytest.raises(StoreDamaged, match="nothing was changed"):
        restore(backup, original, force=True)
    assert told(original, tmp_path / "after") == before


HARMS = (
    ("UPDATE jobs SET percent = percent + 1 WHERE id = 'j4'", "row of jobs .* is not what was written"),
    ("UPDATE jobs SET percent = percent - 1 WHERE id = 'j4'; UPDATE results SET body = '\\x00'", "result of job 'j0'"),
    ("INSERT INTO datasets VALUES ('x', 'y')", "dataset"),
    ("UPDATE attempts SET place = 'elsewhere' WHERE job_id = 'j3'", "row of attempts"),
)


def test_a_damaged_store_makes_no_backup_and_the_former_one_stays(backup: Path) -> None:
    with database() as url:
        restore(backup, url)
        for harm, said in HARMS:
            with psycopg.connect(url) as db:
                db.execute(harm.encode())
            with pytest.raises(StoreDamaged, match=said):
                back_up_database(url, backup.parent, 3, None)
    assert [path for path, _ in backups_in(backup.parent)] == [backup]
    assert {path.suffix for path in backup.parent.iterdir()} == {".pgdump", ".json"}


def test_with_a_key_only_what_is_signed_with_it_is_put_back(original: str, backup: Path, tmp_path: Path) -> None:
    with database() as url:
        with pytest.raises(NotRestored, match="is not signed"):
            restore(backup, url, key=KEY)
        made = back_up_database(original, tmp_path / "signed", 3, KEY)
        signed = tmp_path / "signed" / made.file
        altered(signed, commits=1)
        with pytest.raises(NotRestored, match="not of this key"):
            restore(signed, url, key=KEY)
        altered(signed, commits=made.commits)
        assert restore(signed, url, key=KEY).signature == made.signature


def test_a_manifest_of_before_there_were_dumps_keeps_its_signature() -> None:
    assert signature_of({"file": "x", "postgres_version": None}, KEY) == signature_of({"file": "x"}, KEY)


@pytest.mark.parametrize(("program", "use"), [("pg_dump", "backed up"), ("pg_restore", "read from a backup")])
@pytest.mark.parametrize("version", [None, 9])
def test_where_the_programs_are_missing_or_too_old_it_is_refused_in_a_sentence(
    original: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, use: str, version: int | None
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in {"pg_dump", "pg_restore"} - {program}:
        (tools / name).symlink_to(dumps.tool(name).path)
    if version is not None and program == "pg_dump":
        (tools / program).write_text(f"#!/bin/sh\necho '{program} (PostgreSQL) {version}.6'\n")
        (tools / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/bin" if not Path("/bin/pg_dump").exists() else str(tools))
    monkeypatch.setattr(dumps, "FOLDERS", str(tmp_path / "none"))
    with pytest.raises(NoTools, match=f"cannot be {use}; install PostgreSQL's client programs") as refused:
        back_up_database(original, tmp_path / "backups", 3, None)
    assert not [path for path in (tmp_path / "backups").glob("*") if path.is_file()]
    code, said = run("backup", original, tmp_path)
    assert (code, use in said["error"]) == (2, True)
    assert use in problem_response(refused.value).body.decode()
    settings = Settings(data_dir=tmp_path / "data", database_url=original, backup_every_hours=1)
    (finding,) = [found for found in startup._database(settings) if found.check == "backups"]
    assert (finding.verdict, use in finding.found) == ("error", True)


def test_a_dump_is_given_up_when_the_store_is_closed_and_waits_for_no_lock_without_end(
    original: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "backups"
    with closing(Connections(original, "test")) as connections:
        monkeypatch.setattr("app.store.postgres_backups.LOCK_MILLISECONDS", 100)
        with psycopg.connect(original) as other:
            other.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                take(connections, kept, 3, None)
        hanging = tmp_path / "bin" / "pg_dump"
        hanging.parent.mkdir()
        hanging.write_text("#!/bin/sh\n[ $1 = --version ] && echo 'pg_dump (PostgreSQL) 99.0' || exec sleep 600\n")
        hanging.chmod(0o755)
        monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
        with pytest.raises(StoreUnavailable, match="given up"):
            take(connections, kept, 3, None, lambda: True)
    assert not [path for path in kept.glob("*") if path.is_file()]


def test_only_the_newest_are_kept_and_a_backup_of_the_other_kind_is_refused(original: str, tmp_path: Path) -> None:
    kept = tmp_path / "backups"
    with closing(PostgresStore(original, tmp_path / "service")) as store:
        made = [back_up(store, kept, 2, None) for _ in range(3)]
    assert [manifest.file for _, manifest in backups_in(kept)] == [manifest.file for manifest in made[1:]]
    with pytest.raises(NotRestored, match="name that database"):
        put_back(Settings(data_dir=tmp_path / "x"), kept / made[-1].file, force=False, key=None)
    with pytest.raises(NotRestored, match="is no dump"):
        put_back(
            Settings(data_dir=tmp_path / "x", database_url=original), tmp_path / "a.sqlite3", force=False, key=None
        )


def test_the_password_stands_in_no_command_line(tmp_path: Path) -> None:
    told = dumps.environment_of("postgresql://me:se%20cret@db.example:6000/jobs?sslmode=require")
    assert {name: told[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE")} == {
        "PGHOST": "db.example",
        "PGPORT": "6000",
        "PGUSER": "me",
        "PGPASSWORD": "se cret",
        "PGDATABASE": "jobs",
        "PGSSLMODE": "require",
    }
    assert not [name for name in told if name.startswith("TIMETABLE_")]


def test_the_commands_make_check_list_and_put_back_a_dump(original: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code, made = run("backup", original, tmp_path, TIMETABLE_BACKUP_DIR=str(kept))
    assert (code, made["rows"]["jobs"], made["postgres_version"] is not None) == (0, 6, True)
    code, report = run("check", made["path"], original, tmp_path)
    assert (code, report["sound"], report["rows"]["jobs"]) == (0, True, 6)
    with database() as url:
        code, done = run("restore", made["path"], url, tmp_path)
        assert (code, done["database"], done["restored"]) == (0, True, True)
        code, report = run("check", "--quick", url, tmp_path, TIMETABLE_BACKUP_DIR=str(kept))
        listed = [finding for finding in report["findings"] if finding["what"].startswith("backup")]
        assert [finding["verdict"] for finding in listed] == ["ok", "ok"]
        code, said = run("restore", made["path"], url, tmp_path)
        assert (code, "--force" in said["error"]) == (2, True)


def run(*arguments: str | Path, **variables: str) -> tuple[int, Any]:
    """A command on a database, the last but one argument, with a data folder; its code and JSON."""
    *command, url, folder = map(str, arguments)
    environment = {"TIMETABLE_DATABASE_URL": url, "TIMETABLE_DATA_DIR": str(Path(folder) / "data"), **variables}
    done = CliRunner().invoke(command_line, [*command, "--json"], env=environment)
    return done.exit_code, json.loads(done.stdout)
