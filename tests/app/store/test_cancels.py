"""Cancels that come before their jobs, and ends that are told again, in both kinds of store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.jobs import QueueFull, StaleAttempt, Status
from app.domain.outcomes import How, Outcome
from app.operations.integrity import check_folder
from app.store import EarlyCancel, Introduction, Store, cancels
from app.store.folder import FILE_NAME
from app.store.notifications import COMPLETED, EVERY_END, Channels
from app.store.postgres import PostgresStore
from app.store.sqlite import SqliteStore
from solver.result import StoppedBy
from tests.app.store.test_store import AT, BODY, DATASET, claimed, completed, job
from tests.postgres import database

CHANNELS: Channels = {"sql": EVERY_END, "celery": COMPLETED}
SERVICE = Introduction(role="service", slots=1, host="h", pid=1, version="1")


@pytest.fixture(scope="module")
def shared_database() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        with closing(SqliteStore(tmp_path, CHANNELS)) as opened:
            yield opened
    else:
        with closing(PostgresStore(request.getfixturevalue("shared_database"), tmp_path, CHANNELS)) as shared:
            shared.introduce(SERVICE)
            yield shared
            shared._write(lambda work: work.change("TRUNCATE jobs, datasets, cancels CASCADE"))


def cancel(job_id: str = "j1", at: float = AT, organisations: tuple[str, ...] | None = None) -> EarlyCancel:
    return EarlyCancel(job_id=job_id, asked_at=at, organisations=organisations)


def status_of_new(store: Store, job_id: str = "j1", at: float = AT, organisation: str = "") -> Status:
    found, created = store.submit(job(job_id, created_at=at, meta={"organization_id": organisation}), DATASET, 100)
    assert created and store.job(job_id) == found
    return found.status


def test_a_job_that_was_called_off_before_it_came_is_cancelled_and_told_of_at_once(store: Store) -> None:
    assert store.remember_cancel(cancel()) is None
    assert status_of_new(store) is Status.CANCELLED
    found = store.job("j1")
    assert found is not None
    assert (found.finished_at, found.stopped_by, found.attempt) == (AT, StoppedBy.CANCELLED, 0)
    assert [(row.channel, row.status) for row in store.deliveries("j1")] == [("sql", Status.CANCELLED)]
    assert [row.job_id for row in store.undelivered()] == ["j1"]
    assert store.claim(AT) is None
    assert store.submit(job(created_at=AT + 1), DATASET, 100) == (found, False), "a repetition is the same job"
    store.delete(found)
    assert status_of_new(store) is Status.QUEUED, "it was used up"


def test_where_the_job_is_there_already_nothing_is_remembered(store: Store) -> None:
    assert status_of_new(store) is Status.QUEUED
    assert store.remember_cancel(cancel()) == store.job("j1")


def test_nobody_calls_off_the_jobs_of_others(store: Store) -> None:
    store.remember_cancel(cancel(organisations=("North", "N")))
    assert status_of_new(store, organisation="South") is Status.QUEUED
    for number, organisation in enumerate(("N", "North")):
        store.remember_cancel(cancel(f"n{number}", organisations=("North", "N")))
        assert status_of_new(store, f"n{number}", organisation=organisation) is Status.CANCELLED


def test_a_full_queue_does_not_refuse_what_needs_no_place_in_it(store: Store) -> None:
    store.remember_cancel(cancel())
    with pytest.raises(QueueFull):
        store.submit(job("j2"), DATASET, 0)
    assert store.submit(job(), DATASET, 0)[0].status is Status.CANCELLED


def test_they_are_forgotten_after_a_time_and_are_never_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "MOST_REMEMBERED", 3)
    store.remember_cancel(cancel("old"))
    assert status_of_new(store, "old", at=AT + cancels.REMEMBERED_SECONDS + 1) is Status.QUEUED
    store.remember_cancel(cancel("theirs", organisations=("South",)))
    for number in range(5):
        store.remember_cancel(cancel(f"j{number}", at=AT + number))
        store.remember_cancel(cancel(f"j{number}", at=AT + number))  # twice is once
    assert [status_of_new(store, f"j{number}") for number in range(5)] == [Status.QUEUED] * 2 + [Status.CANCELLED] * 3
    assert status_of_new(store, "theirs", organisation="South") is Status.CANCELLED, "nobody pushes out those of others"


def test_they_outlive_a_restart_and_one_that_was_altered_calls_off_nothing(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        for job_id in ("a", "b"):
            store.remember_cancel(cancel(job_id))
    assert check_folder(tmp_path, again=False).sound
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("UPDATE cancels SET job_id = 'c' WHERE job_id = 'b'")
    assert not check_folder(tmp_path, again=False).sound
    with closing(SqliteStore(tmp_path)) as store:
        assert [status_of_new(store, job_id) for job_id in "abc"] == [Status.CANCELLED, Status.QUEUED, Status.QUEUED]


def test_a_cancel_that_one_service_hears_calls_off_what_another_one_takes_in(
    shared_database: str, tmp_path: Path
) -> None:
    with (
        closing(PostgresStore(shared_database, tmp_path / "a", CHANNELS)) as one,
        closing(PostgresStore(shared_database, tmp_path / "b", CHANNELS)) as other,
    ):
        other.introduce(SERVICE)
        one.remember_cancel(cancel("shared"))
        assert status_of_new(other, "shared") is Status.CANCELLED
        assert ([row.job_id for row in other.undelivered()], one.undelivered()) == (["shared"], [])
        assert one.remember_cancel(cancel("shared")) == other.job("shared")
        ended = other.job("shared")
        assert ended is not None
        other.note_delivery(replace(other.deliveries("shared")[0], state="delivered", done_at=AT))
        one.introduce(SERVICE)
        assert one.tell_again(ended, AT) == 1 and other.undelivered() == []
        assert [row.job_id for row in one.undelivered()] == ["shared"], "whoever was asked tells it"
        one.delete(ended)


# --- ends that are told again ---


def test_an_end_is_told_again_on_every_channel_under_the_same_id(store: Store) -> None:
    running = claimed(store)
    with pytest.raises(StaleAttempt):
        store.tell_again(completed(running), AT)
    store.move(running, completed(running), outcome=Outcome(how=How.RESULT, at=AT + 5), result=BODY)
    ended = store.job("j1")
    assert ended is not None
    first = store.deliveries("j1")
    assert store.tell_again(ended, AT + 9) == 0, "it is still to be told for the first time"
    assert store.deliveries("j1") == first
    store.note_delivery(replace(first[0], state="delivered", tries=3, done_at=AT + 6))
    store.note_delivery(replace(first[1], state="dead", tries=40, done_at=AT + 7, error="x"))
    assert store.tell_again(ended, AT + 9, only="celery") == 1
    assert store.tell_again(ended, AT + 9) == 1
    assert store.deliveries("j1") == [replace(row, next_at=AT + 9) for row in first]
    assert store.undelivered() == store.deliveries("j1")


def test_a_channel_that_was_switched_on_since_hears_of_it_as_well(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path, {"sql": EVERY_END})) as store:
        running = claimed(store)
        store.move(running, completed(running), outcome=Outcome(how=How.RESULT, at=AT + 5), result=BODY)
        (first,) = store.deliveries("j1")
    with closing(SqliteStore(tmp_path, {"sql": EVERY_END, "webhook": EVERY_END})) as store:
        ended = store.job("j1")
        assert ended is not None and store.tell_again(ended, AT + 9) == 1
        assert {row.channel: row.event_id for row in store.deliveries("j1")} == {
            "sql": first.event_id,
            "webhook": first.event_id,
        }
