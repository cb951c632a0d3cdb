"""Several stores on one PostgreSQL database, as several services have them open."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.jobs import Event, Job, QueueFull, StaleAttempt, Status, advance
from app.domain.liveness import Life, life_of, text_of
from app.domain.outcomes import How, Outcome
from app.operations.integrity import check_database
from app.settings import Settings, SettingsError
from app.store import SharedStore, Store, StoreDamaged, StoredIncumbent, StoreError, StoreTooNew, versions
from app.store.notifications import Channels
from app.store.postgres import PostgresStore
from app.store.sqlite import SqliteStore
from solver.rules import Score
from tests.app.store.test_store import AT, BODY, DATASET, completed, job, submitted
from tests.postgres import database


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture
def stores(url: str, tmp_path: Path) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    with closing(PostgresStore(url, tmp_path / "a")) as a, closing(PostgresStore(url, tmp_path / "b")) as b:
        yield a, b
        a._write(lambda work: work.change("TRUNCATE jobs, datasets CASCADE"))


def expire(store: PostgresStore, *ids: str) -> None:
    store._write(
        lambda work: work.change(
            "UPDATE leases SET until = clock_timestamp() - interval '1 s' WHERE job_id = ANY(?)", (list(ids),)
        )
    )


def must_claim(store: Store) -> Job:
    found = store.claim(AT)
    assert found is not None
    return found


def test_only_a_store_of_several_services_is_a_shared_one(
    stores: tuple[PostgresStore, PostgresStore], tmp_path: Path
) -> None:
    with closing(SqliteStore(tmp_path / "own")) as own:
        assert not isinstance(own, SharedStore)
    assert isinstance(stores[0], SharedStore)


def test_a_service_keeps_its_name_and_a_copy_of_its_folder_elsewhere_gets_another(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for host in ("one", "one", "two"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        with closing(PostgresStore(url, tmp_path)) as store:
            names.append(store.owner)
    assert names[0] == names[1] != names[2]


def test_many_threads_of_two_services_never_get_the_same_attempt(stores: tuple[PostgresStore, PostgresStore]) -> None:
    ids = [f"j{number}" for number in range(60)]
    submitted(stores[0], *ids)

    def all_that_come(number: int) -> list[str]:
        return [found.id for found in iter(lambda: stores[number % 2].claim(AT), None)]

    with ThreadPoolExecutor(8) as threads:
        claims = Counter(id for found in threads.map(all_that_come, range(8)) for id in found)
    assert claims == Counter(ids)


def test_the_queue_is_full_for_all_services_together(stores: tuple[PostgresStore, PostgresStore]) -> None:
    def submits(number: int) -> bool:
        try:
            return stores[number % 2].submit(job(f"j{number}"), DATASET, 5)[1]
        except QueueFull:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(submits, range(24))) == 5


def test_one_id_from_many_services_at_once_is_one_job(stores: tuple[PostgresStore, PostgresStore]) -> None:
    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(lambda n: stores[n % 2].submit(job("same"), DATASET, 100)[1], range(16)))
    assert (created.count(True), len(stores[0].jobs())) == (1, 1)


def test_a_running_job_is_abandoned_when_its_lease_has_run_out(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, b = stores
    submitted(a, "j1")
    running = must_claim(a)
    assert b.abandoned(()) == []
    assert a.abandoned(("j1",)) == []
    assert a.abandoned(()) == [running]  # ours, and we do not work on it: nobody has to wait for the lease
    expire(a, "j1")
    assert b.abandoned(()) == [running]
    assert b.abandoned((), expired=False) == []
    assert a.renew() == {"j1": 1}
    assert b.abandoned(()) == []


def test_a_lease_ends_with_its_attempt(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, b = stores
    submitted(a, "j1")
    running = must_claim(a)
    a.move(running, advance(running, Event.RELEASE, AT), outcome=Outcome(how=How.SHUTDOWN, at=AT))
    assert a.renew() == {}
    assert must_claim(b).attempt == 2
    assert (a.renew(), b.renew()) == ({}, {"j1": 2})


def test_a_hundred_attempts_that_were_taken_over_are_refused_a_hundred_times(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    a, b = stores
    ids = [f"j{number}" for number in range(100)]
    submitted(a, *ids)
    old = [must_claim(a) for _ in ids]
    expire(a, *ids)
    for lost in b.abandoned(()):
        b.move(lost, advance(lost, Event.RELEASE, AT), outcome=Outcome(how=How.SERVICE_LOST, at=AT))
    new = [must_claim(b) for _ in ids]
    refused = 0
    for running in old:
        for write in (
            lambda running=running: a.move(running, completed(running), result=BODY),
            lambda running=running: a.save_incumbent(
                running, StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=AT)
            ),
            lambda running=running: a.checkpoint(running, used_seconds=1, percent=50, stage="search"),
        ):
            with pytest.raises(StaleAttempt):
                write()
            refused += 1
    assert refused == 300
    for running in new:
        b.move(running, completed(running), outcome=Outcome(how=How.RESULT, at=AT + 5), result=BODY)
    assert {found.status for found in a.jobs()} == {Status.COMPLETED}
    assert {found.result_attempt for found in a.jobs()} == {2}
    assert a._rows("SELECT count(*) FROM results") == [(100,)]


def test_of_two_services_that_take_up_an_abandoned_job_one_is_refused(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    a, b = stores
    submitted(a, "j1")
    must_claim(a)
    expire(a, "j1")
    (seen_by_a,), (seen_by_b,) = a.abandoned(()), b.abandoned(())
    b.move(seen_by_b, advance(seen_by_b, Event.RELEASE, AT), outcome=Outcome(how=How.SERVICE_LOST, at=AT))
    with pytest.raises(StaleAttempt):
        a.move(seen_by_a, advance(seen_by_a, Event.RELEASE, AT), outcome=Outcome(how=How.SERVICE_LOST, at=AT))
    assert len(a.attempts("j1")) == 1


def test_a_cancel_that_was_confirmed_elsewhere_is_not_wiped_out_by_an_end(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    a, b = stores
    submitted(a, "j1")
    running = must_claim(a)
    b.request(running, cancel=True)
    with pytest.raises(StaleAttempt, match="asked to end"):
        a.move(running, completed(running), result=BODY)
    stored = a.job("j1")
    assert stored is not None and stored.cancel_requested and stored.status is Status.RUNNING


def test_what_others_write_is_seen_and_is_not_told_again_for_ever(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    """A transaction that is open anywhere in the server, of another test say, has the same told again until it ends."""
    a, b = stores
    upto = b.changes(None, ()).upto
    submitted(a, "j1", "j2")
    first = b.changes(upto, ())
    assert ([found.id for found in first.jobs], first.total) == (["j1", "j2"], 2)
    running = must_claim(a)
    a.checkpoint(running, used_seconds=3, percent=30, stage="search")
    held = StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=AT)
    a.save_incumbent(running, held)
    second = b.changes(first.upto, ())
    assert {found.id: (found.status, found.percent) for found in second.jobs}["j1"] == (Status.RUNNING, 30.0)
    assert second.incumbents == {"j1": held}
    assert 0 <= second.silent_seconds["j1"] < 60
    deadline = time.monotonic() + 30
    while (later := b.changes(second.upto, ())).jobs:
        assert time.monotonic() < deadline
        second = later
    assert a.changes(first.upto, ("j1",)).incumbents == {}


def test_how_a_running_child_is_can_be_read_by_all_others(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, b = stores
    upto = b.changes(None, ()).upto
    submitted(a, "j1")
    running = must_claim(a)
    assert b.changes(upto, ()).lives == {}, "nothing was told yet"
    life = Life(
        attempt=1, health="stalled", verdict="INFINITE_LOOP", place="local_search", message="x", silent_seconds=5
    )
    a.checkpoint(running, used_seconds=3, percent=30, stage="search", life=life)
    (found, age) = b.changes(upto, ()).lives["j1"]
    assert (found, 0 <= age < 5) == (life, True)
    assert a.changes(upto, ()).lives == {}, "of its own children a service knows more"
    a._write(lambda work: work.change("UPDATE leases SET life = 'gibberish'"))
    assert b.changes(upto, ()).lives == {}


def test_what_is_told_of_a_child_is_read_with_or_without_the_fields_of_other_versions() -> None:
    life = Life(attempt=2, stage="search", silent_seconds=0.5)
    assert life_of(text_of(life)) == life
    assert life_of(text_of(life).replace('"attempt"', '"mood":"fine","attempt"')) == life
    assert life_of('{"attempt":2,"stage":"search"}') == Life(attempt=2, stage="search")
    for damaged in ("", "[]", "{}", '{"attempt":"2"}', '{"attempt":1,"message":null}', "{", "nonsense"):
        assert life_of(damaged) is None


def test_seconds_of_attempts_are_told_rightly_where_machines_have_different_clocks(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    """The second attempt is begun by a machine whose clock is a minute behind."""
    a, b = stores
    submitted(a, "j1")
    first = must_claim(a)
    a.checkpoint(first, used_seconds=10.0, percent=30, stage="search")
    after = advance(replace(first, used_seconds=10.0), Event.RELEASE, AT)
    a.move(first, after, outcome=Outcome(how=How.SHUTDOWN, at=AT, seconds=10.0))
    second = b.claim(AT - 60.0)
    assert second is not None and second.started_at is not None
    rows = b.attempts("j1")
    assert [row.started_at >= second.started_at for row in rows] == [True, True], "both are of this run"
    b.move(second, advance(second, Event.CANCEL, AT), outcome=Outcome(how=How.CANCEL, at=AT))
    cancelled = b.job("j1")
    assert cancelled is not None
    b.move(cancelled, advance(cancelled, Event.RESTART, AT))
    third = b.claim(AT - 120.0)
    assert third is not None and third.started_at is not None
    assert [row.started_at >= third.started_at for row in b.attempts("j1")] == [False, False, True]


def test_a_damaged_timetable_does_not_hide_what_else_has_changed(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, b = stores
    upto = b.changes(None, ()).upto
    submitted(a, "j1", "j2")
    held = StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=AT)
    for running in (must_claim(a), must_claim(a)):
        a.save_incumbent(running, held)
    a._write(lambda work: work.change("UPDATE incumbents SET score = 'x' WHERE job_id = 'j1'"))
    assert b.changes(upto, ()).incumbents == {"j2": held}


def test_a_change_whose_transaction_ends_late_is_not_missed(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, b = stores
    submitted(a, "slow", "quick")
    quick = a.job("quick")
    assert quick is not None
    upto = b.changes(None, ()).upto
    with a._connections.connect() as late:
        late.execute("UPDATE jobs SET changed = changed WHERE id = 'slow'")
        a.move(quick, advance(quick, Event.CANCEL, AT))
        seen = b.changes(upto, ())
        told = {found.id: found.status for found in seen.jobs}  # perhaps also what was told before, see above
        assert told["quick"] is Status.CANCELLED and told.get("slow", Status.QUEUED) is Status.QUEUED
        late.commit()
    assert "slow" in [found.id for found in b.changes(seen.upto, ()).jobs]


def test_a_job_can_be_claimed_by_name(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, b = stores
    submitted(a, "j1", "j2")
    found = b.claim(AT, only="j2")
    assert found is not None and found.id == "j2"
    assert (b.claim(AT, only="j2"), b.claim(AT, only="nobody")) == (None, None)


def test_a_damaged_job_at_the_head_of_a_shared_queue_does_not_hold_up_those_behind_it(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    a, b = stores
    submitted(a, "j1", "j2")
    a._write(lambda work: work.change("UPDATE jobs SET seed = 9 WHERE id = 'j1'"))
    assert must_claim(b).id == "j2"
    assert b.claim(AT) is None


def test_a_text_with_a_nul_is_stored(stores: tuple[PostgresStore, PostgresStore]) -> None:
    a, _ = stores
    submitted(a, "j1")
    running = must_claim(a)
    outcome = Outcome(how=How.CRASH, at=AT, message="it said \0")
    a.move(running, advance(running, Event.LOSE, AT, error="\0"), outcome=outcome)
    assert a.attempts("j1")[0].message == "it said \N{SYMBOL FOR NULL}"
    assert hashlib.sha256(a.dataset("j1") or b"").hexdigest() == hashlib.sha256(DATASET).hexdigest()


def test_a_check_of_a_shared_store_names_what_was_altered(
    url: str, stores: tuple[PostgresStore, PostgresStore]
) -> None:
    a, _ = stores
    submitted(a, "j1", "j2", "j3")
    running = must_claim(a)
    a.move(running, completed(running), outcome=Outcome(how=How.RESULT, at=AT + 5), result=BODY)
    report = check_database(url, again=False)
    assert report.sound and report.rows["jobs"] == 3 and report.jobs == {"completed": 1, "queued": 2}
    for statement in (
        "UPDATE jobs SET seed = 9 WHERE id = 'j2'",
        "UPDATE results SET body = '\\x00'",
        "UPDATE attempts SET how = 'crash'",
    ):
        a._write(lambda work, statement=statement: work.change(statement))
    found = [finding.found for finding in check_database(url, again=False).findings if finding.verdict == "damaged"]
    assert len(found) == 3
    assert "id 'j2'" in found[0] and "of attempts" in found[1] and "results (j1)" in found[2]
    with pytest.raises(StoreDamaged):
        a.result("j1")


@pytest.mark.parametrize("address", ["no address with secret", "postgresql://u:secret@127.0.0.1:1/x?nonsense=1"])
def test_no_message_repeats_the_address_of_a_database(tmp_path: Path, address: str) -> None:
    with pytest.raises(StoreError, match="the database address is none") as refused:
        PostgresStore(address, tmp_path)
    assert "secret" not in str(refused.value)
    with pytest.raises(SettingsError, match="TIMETABLE_DATABASE_URL: it is no database address") as told:
        Settings(database_url=address)
    assert "secret" not in str(told.value)
    assert "secret" not in repr(Settings(database_url="postgresql://u:secret@127.0.0.1:1/x"))


def test_the_outbox_of_a_service_that_is_gone_is_told_of_by_another(url: str, tmp_path: Path) -> None:
    channels: Channels = {"webhook": frozenset({Status.CANCELLED})}
    with (
        closing(PostgresStore(url, tmp_path / "a", channels)) as a,
        closing(PostgresStore(url, tmp_path / "b", channels)) as b,
    ):
        a.renew()
        submitted(a, "j1")
        queued = a.job("j1")
        assert queued is not None
        a.move(queued, advance(queued, Event.CANCEL, AT))
        assert (len(a.undelivered()), b.undelivered()) == (1, [])
        a._write(lambda work: work.change("UPDATE services SET renewed_at = renewed_at - interval '1 minute'"))
        b.renew()
        (row,) = b.undelivered()
        assert (row.channel, a.undelivered()) == ("webhook", [])
        b.note_delivery(replace(row, state="delivered", done_at=AT))
        assert [told.state for told in a.deliveries("j1")] == ["delivered"]
        b._write(lambda work: work.change("TRUNCATE jobs, datasets CASCADE"))


def test_a_later_schema_is_not_touched(url: str, stores: tuple[PostgresStore, PostgresStore], tmp_path: Path) -> None:
    a, _ = stores
    a._write(lambda work: work.change("UPDATE alembic_version SET version_num = 'p999'"))
    with pytest.raises(StoreTooNew, match="use a newer one"):
        PostgresStore(url, tmp_path / "c")
    a._write(lambda work: work.change("UPDATE alembic_version SET version_num = ?", (versions.NEWEST["postgres"],)))
