"""The contract of a store, on a real file; every store that we write has to pass this suite."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from app.domain.jobs import Event, Job, JobConflict, QueueFull, StaleAttempt, Status, advance
from app.domain.outcomes import How, Outcome
from app.store import (
    Store,
    StoreDamaged,
    StoredIncumbent,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreUnavailable,
)
from app.store.folder import FILE_NAME
from app.store.postgres import PostgresStore
from app.store.rows import incumbent_of_row, job_of_row, row_of_job
from app.store.sqlite import SqliteStore, wal_reset_race
from solver.ranks import LeftOpen
from solver.result import Quality, StoppedBy
from solver.rules import Score
from tests.options import with_options
from tests.postgres import database

AT = 1_700_000_000.0
DATASET = b"packed dataset"
BODY = b"packed result"
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module")
def shared_database() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        with closing(SqliteStore(tmp_path)) as opened:
            yield opened
    else:
        with closing(PostgresStore(request.getfixturevalue("shared_database"), tmp_path)) as shared:
            yield shared
            shared._write(lambda work: work.change("TRUNCATE jobs, datasets CASCADE"))


def job(id: str = "j1", **given: Any) -> Job:
    return Job(id=id, **with_options({"body_hash": "h", "created_at": AT, **given}))


def submitted(store: Store, *ids: str) -> None:
    for id in ids:
        store.submit(job(id), DATASET, 100)


def queue(store: Store) -> list[str]:
    """Ids of the jobs that wait, oldest first."""
    return [found.id for found in reversed(store.jobs(status=Status.QUEUED))]


def claimed(store: Store, id: str = "j1") -> Job:
    submitted(store, id)
    found = store.claim(AT)
    assert found is not None
    return found


def completed(running: Job) -> Job:
    return advance(
        running,
        Event.COMPLETE,
        AT + 5,
        placed=3,
        total=3,
        score=Score(0, 0, 0, 9),
        quality=Quality.FEASIBLE,
        stopped_by=StoppedBy.DEADLINE,
        result_attempt=running.attempt,
        result_digest=DIGEST,
    )


def test_organisations_take_turns_and_who_has_more_at_work_waits(store: Store) -> None:
    for id in ("many-1", "many-2", "many-3", "many-4", "one-1", "two-1", "two-2"):
        store.submit(job(id, meta={"organization_id": id.partition("-")[0]}), DATASET, 100)
    order = []
    for _ in range(5):
        found = store.claim(AT)
        assert found is not None
        order.append(found.id)
        outcome = Outcome(how=How.ERROR, at=AT)
        store.move(found, advance(found, Event.FAIL, AT, error="x"), outcome=outcome)
    assert order == ["many-1", "one-1", "two-1", "many-2", "two-2"]
    at_work = store.claim(AT)
    store.submit(job("two-3", meta={"organization_id": "two"}), DATASET, 100)
    assert at_work is not None and at_work.id == "many-3"
    assert [found.id for found in (store.claim(AT), store.claim(AT)) if found] == ["two-3", "many-4"]


def test_every_field_of_a_job_survives(store: Store) -> None:
    whole = job(
        status=Status.QUEUED,
        attempt=4,
        failed_attempts=1,
        started_at=AT + 1,
        finished_at=AT + 2,
        meta={"semester": 1, "organization_id": "Üniversität"},
        rules={"group_gap": {"weight": 3}},
        num_variants=2,
        time_limit_seconds=12.5,
        seed=-3,
        start_at="greedy",
        simplified_context=True,
        used_seconds=3.25,
        publish=StoppedBy.MEMORY,
        workers=2,
        cancel_requested=True,
        finish_requested=True,
        percent=42.5,
        stage="search",
        rung="relaxed",
        score=Score(0, 1, 2, 3),
        bound=1,
        placed=7,
        total=8,
        quality=Quality.PARTIAL,
        stopped_by=StoppedBy.CRASH,
        error="x",
        dead_letter=True,
    )
    untouched = {f.name for f in fields(Job) if getattr(whole, f.name) == getattr(job(), f.name)}
    assert untouched <= {"id", "body_hash", "created_at", "status", "result_attempt", "result_digest"}
    store.submit(whole, DATASET, 10)
    assert store.job("j1") == whole


def test_what_an_attempt_has_fetched_takes_the_place_of_what_it_was_given(store: Store) -> None:
    store.submit(job(), DATASET, 10)
    running = store.claim(1.0)
    assert running is not None
    store.keep_dataset(replace(running, meta={"rows": 1}), b"fetched")
    kept = store.job("j1")
    assert kept is not None
    assert (store.dataset("j1"), kept.meta, kept.status) == (b"fetched", {"rows": 1}, Status.RUNNING)
    with pytest.raises(StaleAttempt):
        store.keep_dataset(replace(running, attempt=running.attempt - 1), b"too late")
    assert store.dataset("j1") == b"fetched"


def test_keeping_what_was_fetched_wipes_out_no_request_made_meanwhile(store: Store) -> None:
    store.submit(job(), DATASET, 10)
    running = store.claim(1.0)
    assert running is not None
    store.request(running, cancel=True)
    store.keep_dataset(replace(running, meta={"rows": 1}), b"fetched")
    kept = store.job("j1")
    assert kept is not None and kept.cancel_requested and kept.meta == {"rows": 1}


def test_a_ticket_that_another_job_still_has_stays(store: Store) -> None:
    for name in ("j1", "j2"):
        store.submit(job(name), DATASET, 10)
    running = store.claim(1.0)
    assert running is not None
    store.keep_dataset(running, b"fetched")
    assert (store.dataset("j1"), store.dataset("j2")) == (b"fetched", DATASET)


def test_the_same_job_twice_is_one_job(store: Store) -> None:
    assert store.submit(job(), DATASET, 10)[1]
    assert not store.submit(job(created_at=AT + 50), DATASET, 10)[1]
    assert len(store.jobs()) == 1


def test_another_body_under_the_same_id_is_refused(store: Store) -> None:
    submitted(store, "j1")
    with pytest.raises(JobConflict, match="j1"):
        store.submit(job(body_hash="other"), DATASET, 10)


def test_a_full_queue_refuses_new_jobs_but_knows_old_ones(store: Store) -> None:
    store.submit(job("a"), DATASET, 1)
    with pytest.raises(QueueFull):
        store.submit(job("b"), DATASET, 1)
    assert not store.submit(job("a"), DATASET, 1)[1]
    store.claim(AT)
    assert store.submit(job("b"), DATASET, 1)[1]


def test_the_oldest_job_is_claimed_first_and_resting_ones_are_passed_over(store: Store) -> None:
    submitted(store, "a", "b", "c")
    assert queue(store) == ["a", "b", "c"]
    first, second = store.claim(AT, skip=("a",)), store.claim(AT)
    assert first is not None and second is not None
    assert (first.id, second.id, queue(store)) == ("b", "a", ["c"])


def test_a_claim_is_what_the_state_machine_says(store: Store) -> None:
    submitted(store, "j1")
    assert store.claim(AT + 3) == advance(job(), Event.CLAIM, AT + 3)
    assert store.claim(AT) is None


def test_a_job_that_was_requeued_keeps_its_place_in_the_queue(store: Store) -> None:
    running = claimed(store)
    submitted(store, "later")
    store.move(running, advance(running, Event.LOSE, AT))
    assert queue(store) == ["j1", "later"]


def test_a_result_comes_with_its_status_or_not_at_all(store: Store) -> None:
    running = claimed(store)
    store.move(running, completed(running), outcome=Outcome(how=How.RESULT, at=AT + 5), result=BODY)
    assert store.result("j1") == BODY
    assert store.job("j1") == completed(running)


def test_a_completed_job_without_a_result_cannot_be_written(store: Store) -> None:
    running = claimed(store)
    with pytest.raises(StoreError):
        store.move(running, completed(running))
    with pytest.raises(StoreError):
        store.move(running, replace(completed(running), placed=0), result=BODY)
    with pytest.raises(StoreError):
        store.move(running, replace(completed(running), result_digest="other"), result=BODY)
    assert store.job("j1") == running
    assert store.result("j1") is None


def test_a_stale_attempt_is_refused_and_leaves_no_trace(store: Store) -> None:
    old = claimed(store)
    store.move(old, advance(old, Event.LOSE, AT), outcome=Outcome(how=How.CRASH, at=AT))
    new = store.claim(AT)
    assert new is not None and new.attempt == 2
    incumbent = StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=AT)
    with pytest.raises(StaleAttempt):
        store.move(old, completed(old), result=BODY)
    with pytest.raises(StaleAttempt):
        store.save_incumbent(old, incumbent)
    with pytest.raises(StaleAttempt):
        store.note_pid(old, 1234)
    with pytest.raises(StaleAttempt):
        store.request(old, cancel=True)
    assert (store.job("j1"), store.result("j1"), store.incumbent("j1")) == (new, None, None)


def test_a_second_completion_is_refused(store: Store) -> None:
    running = claimed(store)
    store.move(running, completed(running), result=BODY)
    with pytest.raises((StaleAttempt, StoreError)):
        store.move(running, completed(running), result=BODY)


def test_flags_are_set_once_and_stay(store: Store) -> None:
    running = claimed(store)
    assert store.request(running, cancel=True).cancel_requested
    both = store.request(running, finish=True)
    assert both.cancel_requested and both.finish_requested


def test_the_better_incumbent_replaces_the_former_one(store: Store) -> None:
    running = claimed(store)
    for soft in (9, 5):
        incumbent = StoredIncumbent(score=Score(0, 0, 0, soft), timetable=b"t%d" % soft, rung="full", found_at=AT)
        store.save_incumbent(running, incumbent)
    assert store.incumbent("j1") == incumbent


def test_who_is_left_open_is_kept_with_the_score_of_a_timetable_and_of_a_job(store: Store) -> None:
    running = claimed(store)
    score = Score(0, 7, 0, 9, (LeftOpen(1, 9, 1), LeftOpen(0, 0, 6)))
    store.save_incumbent(running, StoredIncumbent(score=score, timetable=b"t", rung="full", found_at=AT))
    held = store.incumbent("j1")
    assert held is not None and held.score == score
    store.move(running, replace(completed(running), score=score), result=BODY)
    found = store.job("j1")
    assert found is not None and found.score == score


def test_a_score_of_before_there_were_ranks_is_still_read() -> None:
    job = Job(id="j1", body_hash="h", created_at=AT, score=Score(0, 2, 0, 9))
    row = row_of_job(job, "digest")
    assert row["score"] == "[0, 2, 0, 9]", "as every version before has written it"
    assert job_of_row(row).score == job.score
    kept = incumbent_of_row({"score": "[0, 2, 0, 9]", "rung": "full", "timetable": b"t", "found_at": AT})
    assert kept.score == Score(0, 2, 0, 9)


def test_a_restarted_job_keeps_its_result_until_a_new_one_replaces_it(store: Store) -> None:
    running = claimed(store)
    store.move(running, completed(running), result=BODY)
    again = advance(completed(running), Event.RESTART, AT)
    store.move(completed(running), again)
    second = store.claim(AT)
    assert second is not None and second.attempt == 2
    assert store.result("j1") == BODY
    newer = b"newer"
    after = replace(completed(second), result_digest=hashlib.sha256(newer).hexdigest())
    store.move(second, after, result=newer)
    assert store.result("j1") == newer


def test_the_journal_has_a_line_per_attempt(store: Store) -> None:
    running = claimed(store)
    store.note_pid(running, 4711)
    outcome = Outcome(
        how=How.MEMORY, at=AT + 4, seconds=3.5, stage="search", rung="full", exit_code=-9, message="too much"
    )
    store.move(running, advance(running, Event.LOSE, AT + 4), outcome=outcome)
    store.claim(AT + 6)
    first, second = store.attempts("j1")
    assert (first.attempt, first.pid, first.how, first.exit_code, first.seconds) == (1, 4711, "memory", -9, 3.5)
    assert (first.stage, first.rung, first.message, first.ended_at) == ("search", "full", "too much", AT + 4)
    assert (second.attempt, second.started_at, second.ended_at, second.how) == (2, AT + 6, None, None)


def test_a_lost_attempt_has_the_time_that_was_noted_or_none(store: Store) -> None:
    for seconds in (None, 4.5, 0.0):  # the last one is what an earlier version wrote for "not known"
        running = claimed(store)
        lost = Outcome(how=How.SERVICE_LOST, at=AT + 9, noted_seconds=seconds)
        store.move(running, advance(running, Event.LOSE, AT + 9), outcome=lost)
    assert [row.seconds for row in store.attempts("j1")] == [None, 4.5, None]


def test_jobs_are_listed_newest_first_by_page_and_status(store: Store) -> None:
    submitted(store, "a", "b", "c")
    store.claim(AT)
    assert [found.id for found in store.jobs()] == ["c", "b", "a"]
    assert [found.id for found in store.jobs(limit=1, offset=1)] == ["b"]
    assert [found.id for found in store.jobs(status=Status.QUEUED)] == ["c", "b"]


def test_a_checkpoint_is_how_far_a_running_attempt_is(store: Store) -> None:
    running = claimed(store)
    store.checkpoint(running, used_seconds=4, percent=31.5, stage="search")
    assert store.job("j1") == replace(running, used_seconds=4.0, percent=31.5, stage="search")
    queued = advance(running, Event.RELEASE, AT)
    store.move(running, queued)
    with pytest.raises(StaleAttempt):
        store.checkpoint(running, used_seconds=5, percent=40, stage="search")
    assert store.job("j1") == queued


def test_the_evidence_of_an_unclean_end_is_kept(store: Store) -> None:
    running = claimed(store)
    assert store.bundle("j1", 1) is None
    evidence = {"stacks": ["a", "b"], "samples": [1.5]}
    outcome = Outcome(how=How.HANG, at=AT, verdict="INFINITE_LOOP", place="kernel", peak_mb=77, bundle=evidence)
    store.move(running, advance(running, Event.LOSE, AT), outcome=outcome)
    assert store.bundle("j1", 1) == evidence
    (line,) = store.attempts("j1")
    assert (line.verdict, line.place, line.peak_mb) == ("INFINITE_LOOP", "kernel", 77)
    assert (store.bundle("j1", 2), store.bundle("nobody", 1)) == (None, None)


def ended_at(store: Store, id: str, at: float) -> Job:
    queued = store.job(id)
    assert queued is not None
    after = advance(queued, Event.CANCEL, at)
    store.move(queued, after)
    return after


def test_expired_jobs_are_the_ended_ones_oldest_first(store: Store) -> None:
    submitted(store, "a", "b", "c", "waits")
    for id, at in (("a", AT + 3), ("b", AT + 1), ("c", AT + 9)):
        ended_at(store, id, at)
    assert store.expired(AT + 5, 10) == ["b", "a"]
    assert store.expired(AT + 5, 1) == ["b"]


def test_a_deleted_job_leaves_nothing_and_takes_no_dataset_that_another_has(store: Store) -> None:
    running = claimed(store)
    submitted(store, "twin")
    store.save_incumbent(running, StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=AT))
    store.move(running, completed(running), outcome=Outcome(how=How.RESULT, at=AT), result=BODY)
    store.delete(completed(running))
    assert (store.job("j1"), store.result("j1"), store.incumbent("j1"), store.attempts("j1")) == (None, None, None, [])
    assert store.dataset("twin") == DATASET
    store.delete(ended_at(store, "twin", AT))
    assert (store.jobs(), store.dataset("twin")) == ([], None)
    assert isinstance(store, SqliteStore | PostgresStore)
    assert store._rows("SELECT count(*) FROM datasets") == [(0,)]


def test_only_an_ended_job_in_its_present_state_is_deleted(store: Store) -> None:
    running = claimed(store)
    with pytest.raises(StaleAttempt):
        store.delete(running)
    store.move(running, advance(running, Event.LOSE, AT))
    with pytest.raises(StaleAttempt):
        store.delete(completed(running))
    assert queue(store) == ["j1"]


def test_what_is_not_there_is_none(store: Store) -> None:
    assert (store.job("x"), store.dataset("x"), store.incumbent("x"), store.result("x")) == (None, None, None, None)
    assert store.attempts("x") == []


def test_a_store_opens_again_as_it_was_closed(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path)
    running = claimed(first)
    first.close()
    second = SqliteStore(tmp_path)
    assert (second.job("j1"), second.dataset("j1")) == (running, DATASET)
    second.close()


def test_a_folder_in_use_is_refused_by_name_and_process(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path)
    with pytest.raises(StoreLocked, match=rf"{tmp_path} is in use by process {os.getpid()}"):
        SqliteStore(tmp_path)
    first.close()
    SqliteStore(tmp_path).close()


def test_a_file_that_is_no_database_is_refused_with_advice_and_the_folder_left_free(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"a text that somebody put here" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"file is not a database; .*restore it from a backup .*, move it away"):
            SqliteStore(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    SqliteStore(tmp_path).close()


def test_a_folder_that_is_none_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be used: .*; choose another data_dir"):
        SqliteStore(tmp_path / "file")


def test_a_result_that_was_damaged_on_disk_is_not_handed_out(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    running = claimed(store)
    store.move(running, completed(running), result=BODY)
    store._db.execute("UPDATE results SET body = x'00'")
    with pytest.raises(StoreDamaged, match="'j1' is damaged"):
        store.result("j1")
    store._db.execute("PRAGMA foreign_keys=OFF")
    store._db.execute("DELETE FROM results")
    with pytest.raises(StoreDamaged, match="'j1' is gone"):
        store.result("j1")
    store.close()


def test_a_damaged_job_at_the_head_of_the_queue_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        submitted(store, "j1", "j2")
        store._db.execute("UPDATE jobs SET seed = 9 WHERE id = 'j1'")
        claimed_job = store.claim(AT)
        assert claimed_job is not None and claimed_job.id == "j2"
        assert store.claim(AT) is None


@pytest.mark.parametrize(
    ("statement", "ask"),
    [
        ("UPDATE jobs SET meta = '[]'", lambda store: store.job("j1")),
        ("UPDATE jobs SET percent = 1", lambda store: store.dataset("j1")),
        ("UPDATE jobs SET status = 'running', attempt = 7", lambda store: store.result("j1")),
        ("UPDATE attempts SET how = 'result'", lambda store: store.attempts("j1")),
        ("UPDATE attempts SET bundle = '{}'", lambda store: store.bundle("j1", 1)),
        ("UPDATE incumbents SET timetable = x'00'", lambda store: store.incumbent("j1")),
        ("UPDATE incumbents SET score = '[0, 0, 0, 0]'", lambda store: store.incumbent("j1")),
        ("UPDATE datasets SET body = x'00'", lambda store: store.dataset("j1")),
    ],
)
def test_a_row_that_was_altered_behind_our_back_is_refused(
    tmp_path: Path, statement: str, ask: Callable[[SqliteStore], object]
) -> None:
    store = SqliteStore(tmp_path)
    running = claimed(store)
    store.save_incumbent(running, StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=AT))
    store.move(running, advance(running, Event.LOSE, AT), outcome=Outcome(how=How.CRASH, at=AT))
    ask(store)
    store._db.execute(statement)
    with pytest.raises(StoreDamaged):
        ask(store)
    store.close()


def test_a_full_disk_is_told_as_such_and_passes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    submitted(store, "before")
    pages = store._rows("PRAGMA page_count")[0][0]
    store._db.execute(f"PRAGMA max_page_count={pages + 4}")
    with pytest.raises(StoreFull, match="full"):
        store.submit(job("large"), b"x" * 100_000, 10)
    assert (queue(store), store.dataset("before")) == (["before"], DATASET)
    store._db.execute(f"PRAGMA max_page_count={pages + 400}")
    store.submit(job("large"), b"x" * 100_000, 10)
    assert queue(store) == ["before", "large"]
    store.close()


def test_a_limit_on_the_size_of_files_is_told_as_a_full_disk_and_passes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    submitted(store, "before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / (FILE_NAME + "-wal")).stat().st_size + 8192, hard))
    try:
        with pytest.raises(StoreFull):
            store.submit(job("large"), b"x" * 100_000, 10)
        assert (queue(store), store.dataset("before")) == (["before"], DATASET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.submit(job("large"), b"x" * 100_000, 10)
    store.close()
    again = SqliteStore(tmp_path)
    assert queue(again) == ["before", "large"]
    again.close()


def test_a_store_that_somebody_else_has_locked_is_unavailable_for_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.sqlite.BUSY_TIMEOUT_SECONDS", 0.05)
    store = SqliteStore(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            submitted(store, "a")
        assert store.jobs() == []
    submitted(store, "a")
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.jobs()


def test_the_connection_is_set_up_for_durability_and_references(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    found = {name: store._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with pytest.raises(sqlite3.IntegrityError):
        store._db.execute("INSERT INTO attempts (job_id, attempt, started_at) VALUES ('nobody', 1, 0)")
    store.close()


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_the_wal_reset_race_is_known_by_version(version: tuple[int, int, int], affected: bool) -> None:
    assert wal_reset_race(version) is affected


WRITER = """
import sys
from pathlib import Path
from app.domain.jobs import Job
from app.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
for number in range(10**6):
    store.submit(Job(id=str(number), body_hash="h", created_at=0.0), b"d", 10**6)
    print(number, flush=True)
"""


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline() for _ in range(25)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    store = SqliteStore(tmp_path)
    assert {line.strip() for line in acknowledged if line.endswith("\n")} <= set(queue(store))
    assert store._rows("PRAGMA integrity_check") == [("ok",)]
    store.close()
