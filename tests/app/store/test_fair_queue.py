"""Whose turn it is in a queue of several services, and which messages are on their way, on a real PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.jobs import Event, Job, StaleAttempt, advance
from app.domain.outcomes import How, Outcome
from app.store import Introduction, Message
from app.store.fair_queue import FEWEST_ON_THE_WAY
from app.store.postgres import PostgresStore
from tests.app.store.test_store import AT, DATASET, job
from tests.postgres import database

WORKER = Introduction(role="worker", slots=2, host="h", pid=1, version="1")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[PostgresStore]:
    with closing(PostgresStore(url, tmp_path / "a")) as store:
        yield store
        store._write(lambda work: work.change("TRUNCATE jobs, datasets, turns, services CASCADE"))


def submit(store: PostgresStore, *ids: str) -> None:
    """An id begins with the name of its organisation, `a-1`."""
    for job_id in ids:
        meta = {"organization_id": job_id.partition("-")[0]}
        store.submit(replace(job(job_id), meta=meta), DATASET, 10_000)


def claim(store: PostgresStore, only: str | None = None) -> Job:
    found = store.claim(AT, only=only)
    assert found is not None
    return found


def give_back(store: PostgresStore, running: Job) -> None:
    store.move(running, advance(running, Event.RELEASE, AT), outcome=Outcome(how=How.SHUTDOWN, at=AT))


def later(store: PostgresStore, seconds: float) -> None:
    """As if that much time had gone."""
    store._write(lambda work: work.change("UPDATE messages SET due_at = due_at - make_interval(secs => ?)", (seconds,)))


def ids(messages: list[Message]) -> list[str]:
    return [message.job_id for message in messages]


def test_organisations_take_turns_however_many_jobs_each_has_waiting(store: PostgresStore) -> None:
    submit(store, *(f"many-{number}" for number in range(6)))
    submit(store, "one-0", "two-0", "two-1")
    order = []
    for _ in range(9):
        running = claim(store)
        order.append(running.id)
        store.move(running, advance(running, Event.FAIL, AT, error="x"), outcome=Outcome(how=How.ERROR, at=AT))
    assert order == ["many-0", "one-0", "two-0", "many-1", "two-1", "many-2", "many-3", "many-4", "many-5"]


def test_who_has_most_at_work_waits_longest(store: PostgresStore) -> None:
    submit(store, "a-0", "a-1", "a-2")
    assert [claim(store).id, claim(store).id] == ["a-0", "a-1"]
    submit(store, "b-0", "b-1", "b-2")
    assert [claim(store).id for _ in range(4)] == ["b-0", "b-1", "a-2", "b-2"]


def test_jobs_without_an_organisation_are_one_tenant_and_a_name_may_hold_anything(store: PostgresStore) -> None:
    store.submit(job("nobody"), DATASET, 100)
    store.submit(replace(job("odd"), meta={"organization_id": "'; \0 %s ? \u00e9"}), DATASET, 100)
    assert {claim(store).id, claim(store).id} == {"nobody", "odd"}


def test_few_messages_are_on_their_way_and_in_turns(store: PostgresStore) -> None:
    submit(store, *(f"a-{number}" for number in range(6)))
    submit(store, "b-0", "c-0")
    first = store.due()
    assert ids(first) == ["a-0", "b-0", "c-0", "a-1"] and len(first) == FEWEST_ON_THE_WAY
    assert {message.attempt for message in first} == {1}
    assert store.due() == []
    claim(store, "a-0")
    submit(store, "d-0")
    assert ids(store.due()) == ["d-0"], "who comes late overtakes all that are not sent yet"


def test_as_many_messages_are_on_their_way_as_workers_have_slots(
    store: PostgresStore, url: str, tmp_path: Path
) -> None:
    submit(store, *(f"a-{number}" for number in range(20)))
    with closing(PostgresStore(url, tmp_path / "w")) as worker:
        worker.introduce(replace(WORKER, slots=7))
        assert len(store.due()) == 7
        store.send_again()
        worker._write(lambda work: work.change("UPDATE services SET renewed_at = renewed_at - interval '1 min'"))
        assert len(store.due()) == FEWEST_ON_THE_WAY, "one that is silent does not count"


def test_a_message_that_nobody_answers_is_sent_again_later_each_time(store: PostgresStore) -> None:
    submit(store, "a-0")
    assert ids(store.due()) == ["a-0"]
    for wait in (10, 20, 40, 80, 160, 300, 300):
        later(store, wait - 1)
        assert store.due() == []
        later(store, 1)
        assert ids(store.due()) == ["a-0"]


def test_a_message_that_could_not_be_sent_and_one_of_a_job_that_was_given_back_are_due_at_once(
    store: PostgresStore,
) -> None:
    submit(store, "a-0")
    (message,) = store.due()
    store.not_sent([message])
    assert store.due() == [Message("a-0", 1)]
    give_back(store, claim(store, "a-0"))
    assert store.due() == [Message("a-0", 2)]
    assert store.due() == []


def test_a_broker_that_has_lost_everything_gets_everything_again(store: PostgresStore) -> None:
    submit(store, "a-0", "b-0")
    assert len(store.due()) == 2
    store.send_again()
    assert ids(store.due()) == ["a-0", "b-0"]


def test_ended_and_deleted_jobs_leave_no_messages_and_no_turns(store: PostgresStore) -> None:
    submit(store, "a-0")
    store.due()
    queued = store.job("a-0")
    assert queued is not None
    cancelled = advance(queued, Event.CANCEL, AT)
    store.move(queued, cancelled)
    store.send_again()
    assert store.due() == []
    store.delete(cancelled)
    store.introduce(WORKER)
    assert store._rows("SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM turns)") == [(0, 0)]


def test_of_several_that_send_each_message_is_sent_by_one(store: PostgresStore, url: str, tmp_path: Path) -> None:
    submit(store, *(f"a-{number}" for number in range(4)))
    with closing(PostgresStore(url, tmp_path / "b")) as other:
        assert (len(store.due()), other.due()) == (4, [])


def test_those_who_share_a_store_are_listed_with_the_jobs_at_work_and_their_silence(
    store: PostgresStore, url: str, tmp_path: Path
) -> None:
    store.introduce(replace(WORKER, role="service", slots=0))
    submit(store, "a-0", "a-1")
    with closing(PostgresStore(url, tmp_path / "w")) as worker:
        worker.introduce(WORKER)
        claim(worker)
        service, found = store.members()
        assert (service.role, service.slots, service.jobs) == ("service", 0, ())
        assert (found.owner, found.role, found.slots, found.jobs) == (worker.owner, "worker", 2, ("a-0",))
        worker._write(lambda work: work.change("UPDATE services SET renewed_at = renewed_at - interval '20 s'"))
        assert all(member.silent_seconds >= 20 for member in store.members())
        worker.renew()
        assert store.members()[1].silent_seconds < 20
    assert [member.owner for member in store.members()] == [store.owner], "who ends in good order is not listed"


def test_a_worker_leaves_it_to_services_to_tell_of_ends(url: str, tmp_path: Path) -> None:
    from app.domain.jobs import Status

    channels = {"webhook": frozenset({Status.CANCELLED})}
    with (
        closing(PostgresStore(url, tmp_path / "s", channels)) as service,
        closing(PostgresStore(url, tmp_path / "w", channels)) as worker,
    ):
        service.introduce(replace(WORKER, role="service", slots=0))
        worker.introduce(WORKER)
        submit(service, name := f"a-{secrets.token_hex(4)}")
        running = claim(worker, name)
        after = advance(running, Event.CANCEL, AT)
        worker.move(running, after, outcome=Outcome(how=How.CANCEL, at=AT))
        assert [row.job_id for row in service.undelivered()] == [name]
        with pytest.raises(StaleAttempt):
            worker.move(running, after)
        service._write(lambda work: work.change("TRUNCATE jobs, datasets, turns, services CASCADE"))
