"""Damaged rows of a store: kept, told, and no trouble to all others; and which damage a check finds."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.jobs import Job, Status
from app.operations.integrity import check_folder
from app.store import StoreDamaged
from app.store.audit import audit
from app.store.folder import FILE_NAME, MARK_NAME
from app.store.postgres import PostgresStore
from app.store.quarantine import files_in, rows_in
from app.store.sqlite import SqliteStore
from tests.app.damage import AT, build_stores
from tests.postgres import database

FLIPS_PER_PAGE, FLIPS_OF_SMALL_PAGES = 2, 60
UNSERVED = {"identity": ("created_at", "commits"), "sqlite_sequence": ("rowid", "seq")}
"""Columns that say nothing of a job; a mark beside the store keeps watch over the number of commits."""
SMALL = "SELECT rootpage FROM sqlite_schema WHERE name IN ('identity', 'alembic_version', 'sqlite_sequence')"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with jobs in every state, as an orderly end leaves it."""
    return build_stores(tmp_path_factory.mktemp("stores"))[1]


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "store"))


def harm(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        for statement in statements:
            assert db.execute(statement).rowcount > 0, statement
        db.commit()


def states(folder: Path) -> dict[str, Status]:
    with closing(SqliteStore(folder)) as store:
        return {job.id: job.status for job in store.jobs()}


def kept(folder: Path) -> list[tuple[str, str]]:
    """Table and job of each row in quarantine."""
    rows = [row for path in files_in(folder) for row in json.loads(path.read_text())]
    return [(row["table"], row["row"].get("job_id") or row["row"].get("id") or "") for row in rows]


def one_of(folder: Path, status: str) -> str:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        return str(db.execute("SELECT id FROM jobs WHERE status = ? ORDER BY seq", (status,)).fetchone()[0])


def test_an_orphan_is_put_aside_and_all_jobs_are_served(folder: Path) -> None:
    before = states(folder)
    lost = one_of(folder, "queued")
    harm(folder, "INSERT INTO attempts SELECT 'nobody', 7, started_at, pid, ended_at, how, exit_code, stage, rung, "
         "seconds, message, verdict, place, peak_mb, bundle, seal FROM attempts LIMIT 1",
         f"DELETE FROM jobs WHERE id = '{lost}'")  # fmt: skip
    assert not check_folder(folder, again=False).sound
    assert states(folder) == {id: status for id, status in before.items() if id != lost}
    assert ("attempts", "nobody") in kept(folder)
    assert rows_in(folder) == len(kept(folder))
    report = check_folder(folder, again=False)
    assert report.sound, report.findings
    assert [finding.verdict for finding in report.findings if finding.what == "quarantine"] == ["note"]
    with closing(SqliteStore(folder)) as store:
        assert store.set_aside == len(kept(folder)), "it is told for as long as the file is there"
        store.submit(Job(id="nobody", body_hash="h", created_at=AT), b"body", 100)
    assert len(files_in(folder)) == 1, "what is sound is not put aside again"


@pytest.mark.parametrize("status", ["queued", "running", "completed"])
def test_a_job_whose_row_is_damaged_goes_with_all_it_has_and_can_be_handed_in_again(folder: Path, status: str) -> None:
    before, lost = states(folder), one_of(folder, status)
    harm(folder, f"UPDATE jobs SET percent = percent + 1 WHERE id = '{lost}'")
    assert states(folder) == {id: status for id, status in before.items() if id != lost}
    assert ("jobs", lost) in kept(folder)
    assert ("results", lost) in kept(folder) or status != "completed"
    assert check_folder(folder, again=False).sound
    with closing(SqliteStore(folder)) as store:
        _, is_new = store.submit(Job(id=lost, body_hash="h", created_at=AT), b"body", 100)
        assert is_new and store.claim(AT, only=lost) is not None


def test_a_damaged_line_of_the_journal_costs_the_line_and_not_the_result(folder: Path) -> None:
    done, at_work = one_of(folder, "completed"), one_of(folder, "running")
    with closing(SqliteStore(folder)) as store:
        result = store.result(done)
    harm(folder, f"UPDATE attempts SET place = 'x' WHERE job_id IN ('{done}', '{at_work}')")
    with closing(SqliteStore(folder)) as store:
        assert store.result(done) == result is not None
        assert "quarantine" in str(store.attempts(done)[-1].message)
        assert store.attempts(at_work)[-1].ended_at is None, "so that its end can be written"
        store.note_pid(store.job(at_work), 5)  # type: ignore[arg-type]
    assert {("attempts", done), ("attempts", at_work)} <= set(kept(folder))
    assert check_folder(folder, again=False).sound


LOSSES = {
    "of nobody": "UPDATE attempts SET job_id = 'x' || job_id",
    "of a job that has begun none": "UPDATE attempts SET job_id = '{waits}'",
    "of an attempt that never was": "UPDATE attempts SET attempt = attempt + 7",
    "gone": "DELETE FROM attempts",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_line_that_left_its_place_in_the_journal_takes_no_sound_result_along(folder: Path, loss: str) -> None:
    before, waits = states(folder), one_of(folder, "queued")
    done, at_work = one_of(folder, "completed"), one_of(folder, "running")
    with closing(SqliteStore(folder)) as store:
        assert (queued := store.job(waits)) is not None and queued.attempt == 0
        truth = {job_id: (store.result(job_id), store.incumbent(job_id)) for job_id in (done, at_work)}
    for job_id in (done, at_work):
        harm(folder, f"{LOSSES[loss].format(waits=waits)} WHERE job_id = '{job_id}'")
        assert not check_folder(folder, again=False).sound
        assert states(folder) == before
    with closing(SqliteStore(folder)) as store:
        assert {job_id: (store.result(job_id), store.incumbent(job_id)) for job_id in truth} == truth
        assert truth[done][0] and truth[at_work][1]
        assert "was lost" in str(store.attempts(done)[-1].message)
        store.note_pid(store.job(at_work), 5)  # type: ignore[arg-type]
        assert store.attempts(waits) == []
        assert store.claim(AT, only=waits) is not None, "and nothing is in the way of its own lines"
    assert {table for table, _ in kept(folder)} == ({"attempts"} if loss != "gone" else set())
    report = check_folder(folder, again=False)
    assert report.sound, report.findings


def test_an_ended_job_that_lost_its_dataset_is_still_served(folder: Path) -> None:
    before, done = states(folder), one_of(folder, "completed")
    harm(folder, f"DELETE FROM datasets WHERE digest = (SELECT dataset FROM jobs WHERE id = '{done}')")
    assert states(folder) == before
    with closing(SqliteStore(folder)) as store:
        assert store.result(done)
        with pytest.raises(StoreDamaged):
            store.dataset(done)
    assert not check_folder(folder, again=False).sound


def test_what_cannot_be_kept_is_not_removed(folder: Path) -> None:
    harm(folder, f"UPDATE jobs SET percent = percent + 1 WHERE id = '{one_of(folder, 'queued')}'")
    (folder / "quarantine").write_text("in the way")
    with pytest.raises(Exception, match="cannot be written"):
        SqliteStore(folder)
    assert not check_folder(folder, again=False).sound
    (folder / "quarantine").unlink()
    states(folder)
    assert len(files_in(folder)) == 1


def test_on_postgres_a_damaged_row_hides_no_other_one(tmp_path: Path) -> None:
    with database() as url, closing(PostgresStore(url, tmp_path)) as store:
        for id in ("a", "b", "c"):
            store.submit(Job(id=id, body_hash="h", created_at=AT), b"body", 100)
        assert store.claim(AT, only="b") and store.claim(AT, only="c")
        store._write(lambda work: work.change("UPDATE jobs SET percent = 7 WHERE id = 'b'"))
        assert [job.id for job in store.jobs()] == ["c", "a"]
        assert [job.id for job in store.abandoned(())] == ["c"]
        assert store.set_aside == 1
        with pytest.raises(StoreDamaged):
            store.job("b")


# --- single bits ---


def content(path: Path) -> dict[str, object]:
    """Everything that stands in a store file, but for what says nothing of a job."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        db.text_factory = bytes
        tables = [row[0].decode() for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found: dict[str, object] = {name: list(_rows(db, name)) for name in tables}
        found["schema"] = db.execute("SELECT * FROM sqlite_schema ORDER BY name").fetchall()
        return found


def _rows(db: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    rows = db.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid")
    hidden = {i for i, column in enumerate(rows.description) if column[0] in UNSERVED.get(table, ())}
    yield from (tuple(value for i, value in enumerate(row) if i not in hidden) for row in rows)


def flips(path: Path, chance: random.Random) -> Iterator[tuple[int, int]]:
    """Bits of every page; of the header and the pages that hold hardly anything, many of what they hold."""
    body = path.read_bytes()
    with closing(sqlite3.connect(path)) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        small = [row[0] for row in db.execute(SMALL)]
    offsets = [page + chance.randrange(size) for page in range(0, len(body), size) for _ in range(FLIPS_PER_PAGE)]
    held = [n for page in small for n in range((page - 1) * size, page * size) if body[n]]
    offsets += [*range(100), *chance.sample(held, min(len(held), FLIPS_OF_SMALL_PAGES))]
    yield from ((offset, chance.randrange(8)) for offset in offsets)


def test_a_flipped_bit_is_found_by_a_check_or_changes_nothing_that_is_held(folder: Path) -> None:
    path = folder / FILE_NAME
    truth, body, seen = content(path), path.read_bytes(), {"found": 0, "without effect": 0}
    assert check_folder(folder, again=False).sound
    for offset, bit in flips(path, random.Random(13)):
        flipped = bytearray(body)
        flipped[offset] ^= 1 << bit
        path.write_bytes(flipped)
        if check_folder(folder, again=False).sound:
            assert content(path) == truth, f"bit {bit} of byte {offset} changes what is held, and is not found"
            seen["without effect"] += 1
        else:
            seen["found"] += 1
    assert min(seen.values()) > 50, seen


@pytest.mark.parametrize("pragma", ["application_id", "user_version"])
def test_a_number_in_the_header_that_was_altered_is_found(folder: Path, pragma: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        db.execute(f"PRAGMA {pragma} = 3")
    with audit(folder / FILE_NAME) as found:
        assert any(pragma in problem for problem in found.problems())
    assert (folder / MARK_NAME).exists()
