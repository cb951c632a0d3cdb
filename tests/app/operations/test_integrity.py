"""What stands in the store is what was written, or it is refused; it survives damage, kills, and being put back."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from typer.testing import CliRunner

from app.cli import app as command_line
from app.domain.jobs import Event, Job, advance
from app.domain.messages import pack
from app.domain.outcomes import How, Outcome
from app.operations.integrity import check_file, check_folder
from app.processes.last_recount import publish
from app.settings import Settings
from app.store import (
    StoreDamaged,
    StoredIncumbent,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreTooNew,
    StoreUnavailable,
    backups,
    manifests,
)
from app.store.backups import keep_backups, restore, take
from app.store.folder import FILE_NAME, MARK_NAME, Commit, read_mark, write_mark
from app.store.manifests import Manifest, NotRestored, manifest_path
from app.store.schema import SCHEMA_VERSION
from app.store.sqlite import SqliteStore
from solver.control import Control
from solver.formats.native import dump_dataset, dump_result, dump_timetable
from solver.model import Timetable
from solver.result import Quality, StoppedBy
from solver.rules import profile_of, score
from solver.samples import planted, sample
from solver.verify import earlier_counts, verify
from tests.app.damage import AT, WAL_NAME, fill, trials
from tests.effort import PATIENCE_SECONDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def opened(folder: Path, work: Callable[[SqliteStore], Any]) -> Any:
    """What `work` returns for the store of a folder, which is closed again."""
    store = SqliteStore(folder)
    try:
        return work(store)
    finally:
        store.close()


def submitted(store: SqliteStore, *ids: str) -> None:
    for id in ids:
        store.submit(Job(id=id, body_hash="h", created_at=AT), b"dataset of " + id.encode(), 10_000)


def ids(store: SqliteStore) -> list[str]:
    return [job.id for job in reversed(store.jobs())]


def copied(source: Path, target: Path) -> Path:
    """A folder as a kill at this moment would leave it."""
    target.mkdir(parents=True)
    for name in (FILE_NAME, WAL_NAME, MARK_NAME):
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
    return target


# --- killed on the way ---


def killed_at(point: str, code: str, *arguments: object, passes: int = 1) -> None:
    """Runs `code` in a process that kills itself when it comes to `point`, at the `passes`-th time."""
    armed = Path(str(arguments[0])).parent / "armed"
    armed.mkdir(exist_ok=True)
    counting = (
        "from app.system import failpoints; import os, signal\n"
        f"left = [{passes}]\n"
        "def count(name):\n"
        "    left[0] -= 1\n"
        "    left[0] or os.kill(os.getpid(), signal.SIGKILL)\n"
        "failpoints.ACTIONS['count'] = count\n"
    )
    (armed / point).write_text("count always")
    environment = {**os.environ, "TIMETABLE_FAILPOINTS": str(armed)}
    command = [sys.executable, "-c", counting + code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


# --- damage ---


def test_sixty_damaged_stores_are_refused_or_answer_as_before(tmp_path: Path) -> None:
    done = list(trials(range(60), tmp_path))
    assert [trial for trial in done if trial.outcome == "wrong"] == []
    assert {trial.outcome for trial in done} == {"refused", "identical"}
    assert {trial.file for trial in done} == {FILE_NAME, WAL_NAME}


def lose_log(folder: Path) -> None:
    (folder / WAL_NAME).unlink()


def cut_log(folder: Path) -> None:
    size = (folder / WAL_NAME).stat().st_size
    os.truncate(folder / WAL_NAME, size - 4096 - 24)


def empty_store(folder: Path) -> None:
    os.truncate(folder / FILE_NAME, 0)


def lose_store(folder: Path) -> None:
    (folder / FILE_NAME).unlink()


def other_store(folder: Path) -> None:
    lose_log(folder)
    opened(folder.parent / "other", lambda store: submitted(store, *"abcdefghij"))
    shutil.copyfile(folder.parent / "other" / FILE_NAME, folder / FILE_NAME)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lose_log, "commits are missing"),
        (cut_log, "commits are missing"),
        (empty_store, "it is gone, with 4 commits"),
        (lose_store, "it is gone, with 4 commits"),
        (other_store, "another store than the one that was used here"),
    ],
)
def test_work_that_is_missing_is_noticed(folder: Path, loss: Callable[[Path], None], said: str) -> None:
    store = SqliteStore(folder)
    submitted(store, "a", "b", "c")
    killed = copied(folder, folder.parent / "killed" / "data")
    store.close()
    untouched = copied(killed, folder.parent / "untouched")
    assert opened(untouched, ids) == ["a", "b", "c"]
    loss(killed)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=rf"{said}.*`timetable restore`"):
            SqliteStore(killed)


def test_a_mark_that_names_too_few_or_cannot_be_read_harms_nobody(folder: Path) -> None:
    opened(folder, lambda store: submitted(store, "a", "b"))
    mark = read_mark(folder)
    assert mark is not None
    assert mark.number == 3
    write_mark(folder, Commit(mark.store_id, 1))
    assert opened(folder, ids) == ["a", "b"]
    assert read_mark(folder) == mark
    (folder / MARK_NAME).write_bytes(b"\xff" * 90)
    assert opened(folder, ids) == ["a", "b"]
    (folder / MARK_NAME).unlink()
    assert opened(folder, ids) == ["a", "b"]


def test_a_schema_that_was_altered_is_refused(folder: Path) -> None:
    opened(folder, lambda store: submitted(store, "a"))
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        db.execute("DROP INDEX jobs_by_status")
    with pytest.raises(StoreDamaged, match="schema is not the one"):
        SqliteStore(folder)


# --- backups ---


def test_a_backup_holds_what_the_store_held(folder: Path, tmp_path: Path) -> None:
    store = SqliteStore(folder)
    submitted(store, "a", "b")
    running = store.claim(AT)
    assert running is not None
    manifest = take(store, tmp_path / "backups", keep=3)
    submitted(store, "later")
    store.close()
    path = tmp_path / "backups" / manifest.file
    assert json.loads(manifest_path(path).read_text()) == asdict(manifest)
    assert (manifest.jobs, manifest.rows["datasets"]) == ({"queued": 1, "running": 1}, 2)
    assert (manifest.bytes, manifest.verified, manifest.schema) == (path.stat().st_size, True, SCHEMA_VERSION)
    assert Commit(manifest.store_id, manifest.commits) == Commit(
        store.last_commit.store_id, store.last_commit.number - 1
    )
    assert check_file(path, again=False).sound
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".sqlite3"]  # no log beside it


def test_backups_under_load_are_whole_and_let_others_in_between(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every submit that was acknowledged before a backup began is in it, and each job came with its dataset."""
    monkeypatch.setattr("app.store.sqlite.BACKUP_PAGES", 32)
    store = SqliteStore(folder)
    for number in range(20):
        store.submit(Job(id=f"first-{number}", body_hash="h", created_at=AT), os.urandom(300_000), 10_000)
    acknowledged, copying = 0, store.backup
    while_copying: list[int] = []
    over = threading.Event()

    def write() -> None:
        nonlocal acknowledged
        while not over.is_set():
            submitted(store, f"job-{acknowledged}")
            acknowledged += 1

    def counted(target: Path) -> None:
        before = acknowledged
        copying(target)
        while_copying.append(acknowledged - before)

    monkeypatch.setattr(store, "backup", counted)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(4):
            before = acknowledged
            manifest = take(store, tmp_path / "backups", keep=10)
            assert 20 + before <= manifest.jobs["queued"] == manifest.rows["datasets"] <= 21 + acknowledged
    finally:
        over.set()
        writer.join()
        store.close()
    assert min(while_copying) > 1


def test_only_the_newest_backups_of_this_store_are_kept(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    other = opened(tmp_path / "other", lambda store: take(store, target, keep=1))
    store = SqliteStore(folder)
    made = [take(store, target, keep=2) for _ in range(4)]
    store.close()
    kept = [manifest.file for _, manifest in manifests.backups_in(target)]
    assert kept == [other.file, made[2].file, made[3].file]
    assert len(list(target.iterdir())) == 6


def test_a_backup_of_a_damaged_store_is_no_backup_and_the_former_one_stays(folder: Path, tmp_path: Path) -> None:
    store = SqliteStore(folder)
    submitted(store, "a")
    good = take(store, tmp_path / "backups", keep=1)
    store._db.execute("UPDATE jobs SET seed = 9")
    with pytest.raises(StoreDamaged, match=r"'a'.* is not what was written"):
        take(store, tmp_path / "backups", keep=1)
    store.close()
    assert {path.name for path in (tmp_path / "backups").iterdir()} == {
        good.file,
        manifest_path(Path(good.file)).name,
    }


def test_a_backup_never_takes_the_last_room(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.manifests.SPARE_BYTES", 10**18)
    store = SqliteStore(folder)
    with pytest.raises(StoreFull, match="a backup needs"):
        take(store, tmp_path / "backups", keep=1)
    store.close()
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_store_that_is_closed_gives_a_backup_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.sqlite.BACKUP_PAGES", 1)
    store = SqliteStore(folder)
    store.submit(Job(id="a", body_hash="h", created_at=AT), os.urandom(4_000_000), 10)
    problems: list[Exception] = []

    def make() -> None:
        try:
            take(store, tmp_path / "backups", keep=1)
        except StoreError as error:
            problems.append(error)

    maker = threading.Thread(target=make)
    maker.start()
    while not list((tmp_path / "backups").glob("*.part")) if (tmp_path / "backups").exists() else True:
        time.sleep(0.001)
    store.close()
    maker.join()
    (problem,) = problems
    assert isinstance(problem, StoreUnavailable)
    assert list((tmp_path / "backups").iterdir()) == []


TAKE_ONE = """
import sys
from pathlib import Path
from app.store.backups import take
from app.store.sqlite import SqliteStore
take(SqliteStore(Path(sys.argv[1])), Path(sys.argv[2]), 5)
"""


@pytest.mark.parametrize("point", ["backup.copied", "backup.before_manifest"])
def test_a_backup_that_is_killed_is_no_backup_and_is_cleared_away(folder: Path, tmp_path: Path, point: str) -> None:
    opened(folder, lambda store: submitted(store, "a"))
    killed_at(point, TAKE_ONE, folder, tmp_path / "backups")
    (left,) = (tmp_path / "backups").iterdir()
    with pytest.raises(NotRestored):
        restore(left, tmp_path / "new")
    report = check_folder(folder, tmp_path / "backups", again=False)
    assert report.sound
    assert [finding.found.split(":")[0] for finding in report.findings if finding.what == "backups"][1:] == [left.name]
    made = opened(folder, lambda store: take(store, tmp_path / "backups", keep=5))
    assert len(list((tmp_path / "backups").iterdir())) == 2
    assert made.jobs == {"queued": 1}


@pytest.mark.anyio
async def test_backups_are_made_by_the_clock_and_tried_again_when_they_fail(folder: Path) -> None:
    settings = Settings(data_dir=folder, backup_every_hours=0.01 / 3600)
    store = SqliteStore(folder)
    outcomes: list[Manifest | StoreError] = []
    asked = 0

    async def take_one() -> Manifest:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise StoreUnavailable("on purpose")
        return await anyio.to_thread.run_sync(take, store, manifests.folder_of(settings), 2)

    with anyio.move_on_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:

            def report(outcome: Manifest | StoreError) -> None:
                outcomes.append(outcome)
                if len(outcomes) == 3:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(keep_backups, settings, take_one, report)
    store.close()
    assert [type(outcome) for outcome in outcomes] == [Manifest, StoreUnavailable, Manifest]
    assert len(manifests.backups_in(folder / "backups")) == 2


@pytest.mark.anyio
async def test_without_a_time_between_them_no_backups_are_made(folder: Path) -> None:
    async def never() -> Manifest:
        raise AssertionError

    await keep_backups(Settings(data_dir=folder), never, lambda outcome: None)


# --- putting one back ---


@pytest.fixture
def backup(folder: Path, tmp_path: Path) -> Path:
    """Of a store with one running job and one that waits; the store has moved on since."""
    store = SqliteStore(folder)
    submitted(store, "a", "b")
    store.claim(AT)
    manifest = take(store, tmp_path / "backups", keep=3)
    submitted(store, "later")
    store.close()
    return tmp_path / "backups" / manifest.file


def test_a_backup_is_put_into_an_empty_folder(backup: Path, tmp_path: Path) -> None:
    manifest = restore(backup, tmp_path / "new")
    assert opened(tmp_path / "new", ids) == ["a", "b"]
    mark = read_mark(tmp_path / "new")
    assert mark is not None
    assert mark.store_id == manifest.store_id
    assert check_folder(tmp_path / "new", again=False).sound


def test_a_store_that_is_there_is_put_aside_and_only_with_force(backup: Path, folder: Path) -> None:
    with pytest.raises(NotRestored, match="--force"):
        restore(backup, folder)
    assert opened(folder, ids) == ["a", "b", "later"]
    restore(backup, folder, force=True)
    assert opened(folder, ids) == ["a", "b"]
    (aside,) = folder.glob("replaced-*")
    assert opened(aside, ids) == ["a", "b", "later"]
    report = check_folder(folder, again=False)
    assert report.sound
    assert any(aside.name in finding.found for finding in report.findings)


def test_a_store_that_is_gone_or_damaged_can_be_replaced(backup: Path, folder: Path) -> None:
    (folder / FILE_NAME).unlink()
    with pytest.raises(StoreDamaged):
        SqliteStore(folder)
    restore(backup, folder)
    assert opened(folder, ids) == ["a", "b"]
    (folder / FILE_NAME).write_bytes(b"no database" * 1000)
    restore(backup, folder, force=True)
    assert opened(folder, ids) == ["a", "b"]


def test_the_log_of_the_old_store_is_not_laid_over_the_new_one(backup: Path, folder: Path, tmp_path: Path) -> None:
    store = SqliteStore(folder)
    submitted(store, *(f"late-{number}" for number in range(20)))
    killed = copied(folder, tmp_path / "killed")
    store.close()
    restore(backup, killed, force=True)
    assert opened(killed, ids) == ["a", "b"]
    (aside,) = killed.glob("replaced-*")
    assert len(opened(aside, ids)) == 23


def test_a_folder_that_held_another_store_needs_force(backup: Path, tmp_path: Path) -> None:
    opened(tmp_path / "other", lambda store: submitted(store, "x"))
    (tmp_path / "other" / FILE_NAME).unlink()
    with pytest.raises(NotRestored, match="another store"):
        restore(backup, tmp_path / "other")
    restore(backup, tmp_path / "other", force=True)
    assert opened(tmp_path / "other", ids) == ["a", "b"]


def test_nothing_is_put_back_while_a_service_runs(backup: Path, folder: Path) -> None:
    store = SqliteStore(folder)
    with pytest.raises(StoreLocked):
        restore(backup, folder, force=True)
    store.close()


def altered(backup: Path, **changes: object) -> None:
    manifest = json.loads(manifest_path(backup).read_text())
    manifest_path(backup).write_text(json.dumps({**manifest, **changes}))


def flip_byte(backup: Path) -> None:
    body = bytearray(backup.read_bytes())
    body[len(body) // 2] ^= 4
    backup.write_bytes(body)


def cut(backup: Path) -> None:
    os.truncate(backup, backup.stat().st_size - 4096)


def forge(backup: Path) -> None:
    """Another content, and a manifest whose digest is made to fit."""
    with closing(sqlite3.connect(backup)) as db:
        db.execute("UPDATE jobs SET seed = 99")
        db.commit()
    altered(backup, sha256=hashlib.sha256(backup.read_bytes()).hexdigest(), bytes=backup.stat().st_size)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (flip_byte, StoreDamaged),
        (cut, StoreDamaged),
        (forge, StoreDamaged),
        (lambda backup: altered(backup, jobs={"queued": 7}), StoreDamaged),
        (lambda backup: altered(backup, store_id="0" * 32), StoreDamaged),
        (lambda backup: altered(backup, schema=SCHEMA_VERSION + 1), StoreTooNew),
        (lambda backup: altered(backup, product="another"), NotRestored),
        (lambda backup: altered(backup, verified=False), NotRestored),
        (lambda backup: altered(backup, file="../elsewhere.sqlite3"), NotRestored),
        (lambda backup: manifest_path(backup).write_text("[]"), NotRestored),
        (lambda backup: manifest_path(backup).unlink(), NotRestored),
        (lambda backup: backup.unlink(), StoreUnavailable),
    ],
)
def test_what_is_no_sound_backup_of_ours_is_refused_and_changes_nothing(
    backup: Path, folder: Path, change: Callable[[Path], object], kind: type[StoreError]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    change(backup)
    with pytest.raises(kind):
        restore(backup, folder, force=True)
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert {**after, "service.lock": b""} == {**before, "service.lock": b""}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "backup.key"
    path.write_bytes(b"k" * 32 + b"\n")
    path.chmod(0o600)
    return path


def test_a_signed_backup_is_put_back_with_its_key(folder: Path, tmp_path: Path, key_file: Path) -> None:
    opened(folder, lambda store: submitted(store, "a"))
    with_key = {"TIMETABLE_BACKUP_KEY_FILE": str(key_file)}
    code, made = run("backup", data_dir=folder, **with_key)
    assert code == 0 and len(made["signature"]) == 64 and made["signature"] != made["sha256"]
    assert run("check", made["path"], data_dir=folder, **with_key)[0] == 0
    assert run("restore", made["path"], data_dir=tmp_path / "new", **with_key)[0] == 0
    assert opened(tmp_path / "new", ids) == ["a"]
    key_file.write_bytes(b"another key" * 9)
    for command in ("check", "restore"):
        code, said = run(command, made["path"], data_dir=tmp_path / "other", **with_key)
        assert (code, "not of this key" in said["error"]) == (2, True)
    assert not (tmp_path / "other" / FILE_NAME).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda backup: altered(backup, signature=None),
        lambda backup: altered(backup, signature=""),
        lambda backup: altered(backup, signature="ä" * 64),
        lambda backup: altered(backup, made_at=1.0),
        lambda backup: altered(backup, service_version="0"),
        lambda backup: altered(backup, sha256="0" * 64),
        forge,
    ],
)
def test_with_a_key_a_manifest_that_is_altered_or_unsigned_is_refused(
    folder: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    key = b"k" * 32
    manifest = opened(folder, lambda store: (submitted(store, "a"), take(store, tmp_path / "kept", 1, key))[1])
    backup = tmp_path / "kept" / manifest.file
    manifests.check_copy(backup, key)
    change(backup)
    for refused in (
        lambda: restore(backup, tmp_path / "new", key=key),
        lambda: manifests.check_copy(backup, key),
        lambda: manifests.copy_to(backup, tmp_path / "away", key),
    ):
        with pytest.raises(NotRestored, match="sign"):
            refused()
    assert not (tmp_path / "new").exists()


def test_a_signed_backup_whose_file_was_exchanged_is_refused(folder: Path, tmp_path: Path) -> None:
    key = b"k" * 32
    manifest = opened(folder, lambda store: (submitted(store, "a"), take(store, tmp_path / "kept", 1, key))[1])
    flip_byte(tmp_path / "kept" / manifest.file)
    with pytest.raises(StoreDamaged):
        manifests.check_copy(tmp_path / "kept" / manifest.file, key)


def test_with_a_key_nothing_unsigned_takes_the_place_of_a_backup(folder: Path, tmp_path: Path, key_file: Path) -> None:
    key, target = b"k" * 32, tmp_path / "kept"
    store = SqliteStore(folder)
    old = take(store, target, 9)
    signed = [take(store, target, 9, key) for _ in range(2)]
    planted = [take(store, target, 9) for _ in range(3)]
    for manifest in planted:
        altered(target / manifest.file, made_at=time.time() + 1e6)
    newest = take(store, target, 2, key)
    store.close()
    assert [manifest.file for _, manifest in manifests.backups_in(target, key)] == [signed[1].file, newest.file]
    assert {path.name for path in target.glob("*.sqlite3")} == {
        manifest.file for manifest in (old, signed[1], *planted, newest)
    }, "what nobody signed is left for a person to look at"
    settings = Settings(data_dir=folder, backup_dir=str(target), backup_key_file=str(key_file))
    assert 3500 < backups._due_in(settings, 3600.0) <= 3600, "counted from the newest that is signed"
    key_file.unlink()
    assert backups._due_in(settings, 3600.0) == 0, "at once, so that somebody hears of it"


def test_a_check_lists_every_backup_and_says_which_would_be_refused(
    folder: Path, tmp_path: Path, key_file: Path
) -> None:
    key, target = b"k" * 32, folder / "backups"
    store = SqliteStore(folder)
    submitted(store, "a", "b")
    made = {name: take(store, target, 9, key) for name in ("good", "changed", "cut", "other")}
    made["unsigned"] = take(store, target, 9)
    store.close()
    flip_byte(target / made["changed"].file)
    os.truncate(target / made["cut"].file, 100)
    altered(target / made["other"].file, commits=10**6)
    (target / "timetable-x.json").write_text("{}", encoding="utf-8")
    (target / "timetable-x.sqlite3").write_bytes(b"")
    with_key = {"TIMETABLE_BACKUP_KEY_FILE": str(key_file)}

    def verdicts(*arguments: str, **environment: str) -> dict[str, str]:
        findings = run("check", *arguments, data_dir=folder, **environment)[1]["findings"]
        told = {finding["what"].removeprefix("backup "): finding for finding in findings}
        assert "2 jobs" in told[made["good"].file]["found"]
        assert all(finding["advice"] for finding in findings if finding["verdict"] != "ok")
        names = {manifest.file: name for name, manifest in made.items()} | {"timetable-x.sqlite3": "nothing"}
        return {name: told[file]["verdict"] for file, name in names.items()}

    usual = {"good": "ok", "changed": "damaged", "cut": "damaged", "nothing": "damaged"}
    assert verdicts(**with_key) == {**usual, "other": "damaged", "unsigned": "note"}
    assert verdicts() == {**usual, "other": "ok", "unsigned": "ok"}, "without a key nobody can tell"
    quick = verdicts("--quick", **with_key)
    assert quick == {**usual, "changed": "ok", "other": "damaged", "unsigned": "note"}, "only manifests and sizes"
    key_file.chmod(0o644)
    code, said = run("check", data_dir=folder, **with_key)
    assert (code, said["sound"]) == (1, False) and any("chmod 600" in f["found"] for f in said["findings"])


@pytest.mark.parametrize(("content", "mode"), [(b"short", 0o600), (b"k" * 32, 0o640), (b"k" * 5000, 0o600), (None, 0)])
def test_a_key_that_cannot_be_used_makes_no_unsigned_backup(
    folder: Path, key_file: Path, content: bytes | None, mode: int
) -> None:
    opened(folder, lambda store: submitted(store, "a"))
    key_file.unlink()
    if content is not None:
        key_file.write_bytes(content)
        key_file.chmod(mode)
    code, said = run("backup", data_dir=folder, TIMETABLE_BACKUP_KEY_FILE=str(key_file))
    assert (code, "key of the backups" in said["error"]) == (2, True)
    assert not manifests.backups_in(folder / "backups")


RESTORE_IT = """
import sys
from pathlib import Path
from app.store.backups import restore
restore(Path(sys.argv[2]), Path(sys.argv[1]), force=True)
"""


@pytest.mark.parametrize(("point", "found"), [("restore.before_swap", 3), ("restore.after_swap", 2)])
def test_a_restore_that_is_killed_leaves_the_old_store_or_the_new_one(
    backup: Path, folder: Path, point: str, found: int
) -> None:
    killed_at(point, RESTORE_IT, folder, backup)
    assert len(opened(folder, ids)) == found
    restore(backup, folder, force=True)
    assert opened(folder, ids) == ["a", "b"]


# --- check ---


@pytest.fixture
def honest(folder: Path) -> Iterator[SqliteStore]:
    """A store with one real result, and one job that holds a real incumbent."""
    store = SqliteStore(folder)
    dataset, found = sample("tiny"), planted("tiny")
    packed = pack(dump_dataset(dataset))
    for id in ("done", "holds"):
        store.submit(Job(id=id, body_hash="h", created_at=AT), packed, 10)
    done, holds = store.claim(AT), store.claim(AT)
    assert done is not None
    assert holds is not None
    result = publish(dataset, found, StoppedBy.DEADLINE, "full", Control())
    finish(store, done, pack(dump_result(result)))
    held = StoredIncumbent(
        score=verify(dataset, found).score, timetable=pack(dump_timetable(found)), rung="full", found_at=AT
    )
    store.save_incumbent(holds, held)
    yield store
    store.close()


def finish(store: SqliteStore, running: Job, body: bytes) -> None:
    fields = {"placed": 3, "total": 3, "quality": Quality.FEASIBLE, "stopped_by": StoppedBy.DEADLINE}
    digest = hashlib.sha256(body).hexdigest()
    named = {"result_attempt": running.attempt, "result_digest": digest}
    after = advance(running, Event.COMPLETE, AT, **fields, **named)
    store.move(running, after, outcome=Outcome(how=How.RESULT, at=AT), result=body)


def test_a_sound_store_is_counted_again(honest: SqliteStore, folder: Path) -> None:
    with pytest.raises(StoreLocked):
        check_folder(folder)
    honest.close()
    names: list[str] = []
    report = check_folder(folder, beat=names.append)
    assert report.sound
    assert (report.verified, names) == ({"results": 1, "incumbents": 1}, ["done", "holds"])
    assert report.jobs == {"completed": 1, "running": 1}
    assert json.loads(json.dumps(report.view()))["sound"] is True


def test_an_incumbent_is_sound_as_it_is_counted_now_and_as_it_was_charged_before(
    honest: SqliteStore, folder: Path
) -> None:
    dataset, found = sample("tiny"), planted("tiny")
    report, profile = verify(dataset, found), profile_of(dataset)
    before = {**report.counts, **earlier_counts(dataset, found)}
    held, running = honest.incumbent("holds"), honest.job("holds")
    assert held is not None
    assert running is not None
    honest.save_incumbent(running, replace(held, score=score(before, profile)))
    honest.close()
    assert score(before, profile) != report.score
    assert check_folder(folder).sound


def test_a_partial_incumbent_of_an_older_version_that_does_not_say_who_is_open_is_still_true(
    honest: SqliteStore, folder: Path
) -> None:
    running = honest.job("holds")
    assert running is not None
    found = Timetable(placements=planted("tiny").placements[2:])
    counted = verify(sample("tiny"), found).score
    assert counted.unplaced == 2 and counted.left_open
    told = StoredIncumbent(
        score=counted._replace(left_open=()), timetable=pack(dump_timetable(found)), rung="full", found_at=AT
    )
    honest.save_incumbent(running, told)
    honest.close()
    assert check_folder(folder).sound


def test_a_result_and_an_incumbent_that_lie_are_found_although_every_digest_fits(
    honest: SqliteStore, folder: Path
) -> None:
    store = honest
    running = store.job("holds")
    assert running is not None
    held = store.incumbent("holds")
    assert held is not None
    store.save_incumbent(running, replace(held, score=held.score._replace(soft=held.score.soft - 50)))
    store.submit(Job(id="liar", body_hash="h", created_at=AT), store.dataset("done") or b"", 10)
    liar = store.claim(AT)
    assert liar is not None
    document = dump_result(publish(sample("tiny"), planted("tiny"), StoppedBy.DEADLINE, "full", Control()))
    document["variants"][0]["timetable"]["placements"].pop()
    finish(store, liar, pack(document))
    store.close()
    report = check_folder(folder)
    assert not report.sound
    wrong = {finding.what: finding.found for finding in report.findings if finding.verdict == "damaged"}
    assert set(wrong) == {"job holds", "job liar"}
    assert "claimed" in wrong["job holds"]
    assert report.verified == {"results": 1, "incumbents": 0}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE jobs SET seed = 9 WHERE id = 'done'", "a row of jobs .*'done'"),
        ("UPDATE attempts SET pid = 9", "a row of attempts"),
        ("UPDATE datasets SET body = x'00'", "the dataset .* is not what was written"),
        ("UPDATE results SET body = x'00'", "the result of job 'done'"),
        ("DELETE FROM results", "refers to a row of results that is not there"),
        ("DELETE FROM attempts WHERE job_id = 'holds'", "refers to a row of attempts that is not there"),
        ("INSERT INTO datasets VALUES ('x', x'00')", "belongs to no job"),
    ],
)
def test_every_kind_of_damage_has_a_finding_with_advice(
    honest: SqliteStore, folder: Path, statement: str, said: str
) -> None:
    honest._db.execute("PRAGMA foreign_keys=OFF")
    honest._db.execute(statement)
    honest.close()
    report = check_folder(folder)
    assert not report.sound
    told = [finding for finding in report.findings if finding.verdict == "damaged"]
    assert any(re.search(said, finding.found) for finding in told)
    assert all(finding.advice for finding in told)


def test_a_check_repairs_nothing_and_leaves_the_log_where_it_is(folder: Path, tmp_path: Path) -> None:
    store = SqliteStore(folder)
    fill(store, random.Random(1), range(4))
    killed = copied(folder, tmp_path / "killed")
    store.close()
    before = {name: (killed / name).read_bytes() for name in (FILE_NAME, WAL_NAME, MARK_NAME)}
    assert check_folder(killed, again=False).sound
    assert {name: (killed / name).read_bytes() for name in before} == before


def test_a_folder_without_a_store_is_no_damage(tmp_path: Path) -> None:
    assert check_folder(tmp_path).sound
    assert list(tmp_path.iterdir()) == []


# --- the commands ---


def run(*arguments: object, data_dir: Path, **variables: str) -> tuple[int, Any]:
    environment = {"TIMETABLE_DATA_DIR": str(data_dir), "TIMETABLE_PORT": "1", **variables}
    done = CliRunner().invoke(command_line, [*map(str, arguments), "--json"], env=environment)
    return done.exit_code, json.loads(done.stdout)


def test_the_commands_say_what_they_found_and_did(folder: Path, tmp_path: Path) -> None:
    assert run("backup", data_dir=folder)[0] == 2  # there is none
    assert not folder.exists()
    opened(folder, lambda store: submitted(store, "a"))
    code, made = run("backup", "-o", tmp_path / "there", data_dir=folder)
    assert (code, made["jobs"], Path(made["path"]).exists()) == (0, {"queued": 1}, True)
    code, report = run("check", data_dir=folder)
    assert (code, report["sound"], report["jobs"]) == (0, True, {"queued": 1})
    assert run("check", made["path"], data_dir=folder)[0] == 0
    code, refused = run("restore", made["path"], data_dir=folder)
    assert (code, "--force" in refused["error"]) == (2, True)
    code, done = run("restore", made["path"], "--force", data_dir=folder)
    assert (code, done["restored"]) == (0, True)
    flip_byte(Path(made["path"]))
    assert run("restore", made["path"], "--force", data_dir=folder)[0] == 1
    (folder / FILE_NAME).write_bytes(b"no database" * 1000)
    code, report = run("check", data_dir=folder)
    assert (code, report["sound"]) == (1, False)


def test_people_get_sentences(folder: Path, tmp_path: Path) -> None:
    opened(folder, lambda store: submitted(store, "a"))
    environment = {"TIMETABLE_DATA_DIR": str(folder)}
    said = [
        CliRunner().invoke(command_line, list(command), env=environment).output
        for command in (("check",), ("backup",), ("restore", str(tmp_path / "nothing.sqlite3")))
    ]
    assert "sound (1 jobs, looked at in" in said[0]
    assert "1 jobs," in said[1]
    assert "has no manifest" in said[2]
    assert len(manifests.backups_in(folder / "backups")) == 1


def test_a_service_that_holds_the_folder_and_does_not_answer_is_named(folder: Path) -> None:
    store = SqliteStore(folder)
    for command in ("check", "backup"):
        code, said = run(command, data_dir=folder)
        assert code == 2
        assert "does not answer at http://127.0.0.1:1" in said["error"]
    store.close()


@pytest.mark.anyio
async def test_a_running_service_makes_a_backup_when_it_is_asked_to(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    answer = await client.post("/admin/backup")
    assert answer.status_code == 201
    made = answer.json()
    assert Path(made["path"]).parent == settings.data_dir / "backups"
    assert (made["verified"], made["jobs"]) == (True, {})
    with pytest.raises(StoreLocked):
        check_folder(settings.data_dir)
    assert check_file(Path(made["path"])).sound
