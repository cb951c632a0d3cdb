"""The outbox in the store: rows are written with the end that they tell of, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.jobs import Event, StaleAttempt, Status, advance
from app.domain.outcomes import How, Outcome
from app.operations.integrity import check_folder
from app.store import DeliveryRow, StoreError
from app.store.folder import FILE_NAME
from app.store.notifications import COMPLETED, EVERY_END, Channels
from app.store.sqlite import SqliteStore
from tests.app.store.test_store import AT, BODY, DATASET, claimed, completed, job

CHANNELS: Channels = {"sql": EVERY_END, "celery": COMPLETED}
OUTCOME = Outcome(how=How.RESULT, at=AT + 5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path, CHANNELS)
    yield opened
    opened.close()


def ended(store: SqliteStore, id: str = "j1") -> list[DeliveryRow]:
    running = claimed(store, id)
    store.move(running, completed(running), outcome=OUTCOME, result=BODY)
    return store.deliveries(id)


def told(rows: list[DeliveryRow]) -> list[tuple[str, Status]]:
    return [(row.channel, row.status) for row in rows]


def test_the_end_of_a_job_is_told_on_every_channel_under_one_id(store: SqliteStore) -> None:
    rows = ended(store)
    assert told(rows) == [("sql", Status.COMPLETED), ("celery", Status.COMPLETED)]
    assert len({row.event_id for row in rows}) == 1
    assert {(row.state, row.tries, row.ended_at, row.done_at) for row in rows} == {("pending", 0, AT + 5, None)}
    assert store.undelivered() == rows


def test_a_channel_hears_of_its_own_kinds_of_end_only(store: SqliteStore) -> None:
    running = claimed(store)
    store.move(running, advance(running, Event.FAIL, AT + 5, error="x"), outcome=OUTCOME)
    assert told(store.deliveries("j1")) == [("sql", Status.FAILED)]
    waiting, _ = store.submit(job("j2"), DATASET, 100)
    store.move(waiting, advance(waiting, Event.CANCEL, AT + 6))
    assert told(store.deliveries("j2")) == [("sql", Status.CANCELLED)]


def test_what_does_not_end_a_job_tells_nobody(store: SqliteStore) -> None:
    running = claimed(store)
    queued = advance(running, Event.LOSE, AT + 5)
    store.move(running, queued, outcome=OUTCOME)
    cancelled = advance(queued, Event.CANCEL, AT + 6)
    store.move(queued, cancelled)
    assert len(store.deliveries("j1")) == 1
    store.move(cancelled, replace(cancelled, placed=3))  # what was kept of it is recounted later
    store.move(cancelled, advance(cancelled, Event.RESTART, AT + 7))
    assert len(store.deliveries("j1")) == 1


def test_an_end_that_is_refused_tells_nobody(store: SqliteStore) -> None:
    running = claimed(store)
    with pytest.raises(StoreError):
        store.move(running, completed(running), outcome=OUTCOME, result=b"something else")
    with pytest.raises(StaleAttempt):
        store.move(replace(running, attempt=9), completed(running), outcome=OUTCOME, result=BODY)
    assert store.undelivered() == []


def test_every_run_is_an_event_of_its_own(store: SqliteStore) -> None:
    ended(store)
    before = store.job("j1")
    assert before is not None
    store.move(before, advance(before, Event.RESTART, AT + 6))
    running = store.claim(AT + 7)
    assert running is not None
    store.move(running, completed(running), outcome=OUTCOME, result=BODY)
    assert len({row.event_id for row in store.deliveries("j1")}) == 2


def test_what_becomes_of_a_delivery_is_kept(store: SqliteStore, tmp_path: Path) -> None:
    first, second = ended(store)
    later = replace(first, tries=3, next_at=AT + 60, error="ünavailable")
    store.note_delivery(later)
    store.note_delivery(replace(second, state="delivered", tries=1, done_at=AT + 7))
    store.close()
    again = SqliteStore(tmp_path)
    assert again.undelivered() == [later]
    again.note_delivery(replace(later, state="dead", done_at=AT + 70))
    assert [row.state for row in again.undelivered()] == ["dead"]
    assert [row.state for row in again.deliveries("j1")] == ["dead", "delivered"]
    again.close()
    assert check_folder(tmp_path, again=False).sound


def test_a_deleted_job_is_told_of_no_more(store: SqliteStore) -> None:
    row = ended(store)[0]
    found = store.job("j1")
    assert found is not None
    store.delete(found)
    assert store.undelivered() == store.deliveries("j1") == []
    with pytest.raises(StaleAttempt):
        store.note_delivery(row)


def test_a_row_that_was_altered_is_not_delivered(store: SqliteStore, tmp_path: Path) -> None:
    ended(store)
    store.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("UPDATE outbox SET channel = 'webhook' WHERE channel = 'sql'")
    assert not check_folder(tmp_path, again=False).sound
    with closing(SqliteStore(tmp_path)) as again:
        for rows in (again.undelivered(), again.deliveries("j1")):
            assert [row.channel for row in rows] == ["celery"], "it does not hold up the others"
    assert len(list((tmp_path / "quarantine").iterdir())) == 1, "and is not lost"
