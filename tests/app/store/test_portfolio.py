"""Several workers on one attempt, as the store has them, on a real PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.jobs import Event, Job, StaleAttempt, Status, advance
from app.domain.outcomes import How, Outcome
from app.domain.portfolio import HANDOVER_SECONDS, LEAST_SECONDS, MOST_JOINS, seed
from app.operations.integrity import check_database
from app.store import Assistance, AssistanceKey, Introduction, Message, StoredIncumbent
from app.store.portfolio import INVITE_AGAIN_SECONDS
from app.store.postgres import PostgresStore
from app.store.sqlite import SqliteStore
from solver.ranks import LeftOpen
from solver.result import StoppedBy
from solver.rules import Score
from tests.app.store.test_store import AT, BODY, DATASET, completed, job
from tests.postgres import database

WORKER = Introduction(role="worker", slots=2, host="h", pid=1, version="1")
SECONDS = 100.0
Stores = tuple[PostgresStore, PostgresStore]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture
def stores(url: str, tmp_path: Path) -> Iterator[Stores]:
    """Those of two workers of two slots each."""
    with closing(PostgresStore(url, tmp_path / "a")) as a, closing(PostgresStore(url, tmp_path / "b")) as b:
        for store in (a, b):
            store.introduce(WORKER)
        yield a, b
        a._write(lambda work: work.change("TRUNCATE jobs, datasets, turns, services CASCADE"))


def running(store: PostgresStore, job_id: str = "j", *, places: int = 1, seconds: float = SECONDS) -> Job:
    """A job at work that wants so many assistants."""
    store.submit(job(job_id), DATASET, 100)
    found = store.claim(AT, only=job_id)
    assert found is not None
    if places:
        store.invite(found, places, seconds)
    return found


def joined(store: PostgresStore, job_id: str = "j") -> Assistance:
    found = store.join(job_id)
    assert found is not None
    return found


def key(given: Assistance) -> AssistanceKey:
    return AssistanceKey(given.job.id, given.job.attempt, given.number)


def held(soft: int) -> StoredIncumbent:
    return StoredIncumbent(score=Score(0, 0, 0, soft), timetable=b"t%d" % soft, rung="full", found_at=AT)


def silent(store: PostgresStore) -> None:
    """The leases of all assistants have run out."""
    store._write(lambda work: work.change("UPDATE portfolio SET until = clock_timestamp() - interval '1 s'"))


def ended(store: PostgresStore, before: Job, event: Event = Event.LOSE) -> Job:
    after = advance(before, event, AT)
    store.move(before, after, outcome=Outcome(how=How.CRASH, at=AT))
    return after


def test_a_store_of_one_service_has_no_portfolio(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as own:
        own.submit(job("j"), DATASET, 100)
        assert own.portfolio("j") == []


def test_there_are_as_many_places_as_the_owner_offers(stores: Stores) -> None:
    a, b = stores
    owned = running(a, places=0)
    assert b.join("j") is None
    a.invite(owned, 2, SECONDS)
    first, second = joined(b), joined(b)
    assert (first.job, first.number, second.number) == (owned, 1, 2)
    assert first.seconds == pytest.approx(SECONDS - HANDOVER_SECONDS, abs=5)
    assert b.join("j") is None
    assert b.join("nobody's") is None
    assert [(row.number, row.worker, row.seed, row.how) for row in a.portfolio("j")] == [
        (0, a.owner, seed(owned, 0), None),
        (1, b.owner, seed(owned, 1), None),
        (2, b.owner, seed(owned, 2), None),
    ]
    assert {member.owner: (member.jobs, member.assisting) for member in a.members()} == {
        a.owner: (("j",), ()),
        b.owner: ((), ("j", "j")),
    }


def test_of_many_that_come_at_once_no_two_get_the_same_place(stores: Stores) -> None:
    running(stores[0], places=3)
    with ThreadPoolExecutor(8) as threads:
        found = [one for one in threads.map(lambda n: stores[n % 2].join("j"), range(16)) if one is not None]
    assert sorted(one.number for one in found) == [1, 2, 3]


def test_only_the_owner_offers_places_and_only_while_it_is_one(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    with pytest.raises(StaleAttempt):
        b.invite(owned, 3, SECONDS)
    ended(a, owned)
    with pytest.raises(StaleAttempt):
        a.invite(owned, 3, SECONDS)


def test_nobody_joins_when_too_little_time_is_left_or_the_job_is_to_end(stores: Stores) -> None:
    a, b = stores
    owned = running(a, seconds=HANDOVER_SECONDS + LEAST_SECONDS - 1)
    assert b.join("j") is None
    a.invite(owned, 1, SECONDS)
    b.request(owned, finish=True)
    assert b.join("j") is None


def test_a_place_is_not_taken_again_and_again(stores: Stores) -> None:
    a, b = stores
    running(a)
    for _ in range(MOST_JOINS):
        b.leave(joined(b).job, len(a.portfolio("j")) - 1, How.CRASH)
    assert b.join("j") is None


def test_an_assistant_whose_lease_has_run_out_loses_its_place_and_may_write_no_more(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    lost = joined(a)
    silent(a)
    taken = joined(b)
    assert taken.number == 2
    with pytest.raises(StaleAttempt):
        a.save_found(owned, lost.number, held(5))
    a.leave(owned, lost.number, How.RESULT)
    assert a.assisting([key(lost)]).wanted == frozenset()
    assert b.assisting([key(taken)]).wanted == {key(taken)}
    assert [(row.number, row.how, row.score) for row in a.portfolio("j")] == [
        (0, None, None),
        (1, "lost", None),
        (2, None, None),
    ]


def test_nobody_writes_in_the_row_of_another(stores: Stores) -> None:
    a, b = stores
    owned = running(a, places=2)
    given = joined(b)
    with pytest.raises(StaleAttempt):
        a.save_found(owned, given.number, held(5))
    with pytest.raises(StaleAttempt):
        b.save_found(owned, 0, held(5))
    a.leave(owned, given.number, How.CRASH)
    assert a.assisting([key(given)]).wanted == frozenset()
    assert a.portfolio("j")[1].how is None


@pytest.mark.parametrize("event", [Event.LOSE, Event.RELEASE, Event.FAIL, Event.CANCEL])
def test_what_is_written_for_an_attempt_that_is_over_is_refused_and_changes_nothing(
    stores: Stores, event: Event
) -> None:
    a, b = stores
    owned = running(a)
    given = joined(b)
    ended(a, owned, event)
    before = a.portfolio("j")
    assert [row.how for row in before] == ["crash", "over"]
    with pytest.raises(StaleAttempt):
        b.save_found(owned, given.number, held(5))
    with pytest.raises(StaleAttempt):
        a.note_end(owned, given.number, None)
    b.leave(owned, given.number, How.RESULT)
    assert b.assisting([key(given)]).wanted == frozenset()
    assert a.portfolio("j") == before
    assert a.incumbent("j") is None


def test_the_best_of_all_is_what_a_job_holds_while_it_runs_and_what_its_next_attempt_begins_with(
    stores: Stores,
) -> None:
    a, b = stores
    owned = running(a, places=2)
    first, second = joined(b), joined(b)
    a.save_incumbent(owned, held(7))
    b.save_found(owned, first.number, held(9))
    assert a.incumbent("j") == held(7)
    b.save_found(owned, second.number, held(5))
    b.save_found(owned, first.number, held(6))
    assert a.found(owned, Score(0, 0, 0, 7)) == (2, held(5))
    assert a.found(owned, Score(0, 0, 0, 5)) is None
    assert a.incumbent("j") == held(5)
    ended(a, owned)
    assert a.incumbent("j") == held(5)
    again = a.claim(AT)
    assert again is not None
    assert b.join("j") is None  # the places were those of the attempt before
    assert a.found(again, None) is None
    assert [row.score for row in a.portfolio("j")] == [None, Score(0, 0, 0, 6), Score(0, 0, 0, 5)]


def test_the_best_of_all_leaves_electives_open_rather_than_a_core_session(stores: Stores) -> None:
    a, b = stores
    owned = running(a, places=2)
    first, second = joined(b), joined(b)
    core = replace(held(5), score=Score(0, 1, 0, 5, (LeftOpen(1, 0, 1),)))
    electives = replace(held(9), score=Score(0, 3, 0, 9, (LeftOpen(0, 0, 3),)))
    b.save_found(owned, first.number, core)
    b.save_found(owned, second.number, electives)
    assert a.found(owned, core.score) == (second.number, electives)
    assert a.found(owned, electives.score) is None
    ended(a, owned)
    assert a.incumbent("j") == electives


def test_what_a_job_holds_is_not_replaced_by_something_worse(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    a.save_incumbent(owned, held(4))
    b.save_found(owned, joined(b).number, held(5))
    ended(a, owned)
    assert a.incumbent("j") == held(4)


def test_whose_timetable_is_published_is_known_when_it_is(stores: Stores) -> None:
    a, b = stores
    owned = running(a, places=2)
    joined(b), joined(b)
    a.note_end(owned, 2, held(8))
    a.move(owned, completed(owned), outcome=Outcome(how=How.RESULT, at=AT), result=BODY)
    assert [(row.number, row.how, row.score, row.published) for row in a.portfolio("j")] == [
        (0, "result", Score(0, 0, 0, 8), False),
        (1, "over", None, False),
        (2, "over", None, True),
    ]


def test_of_an_owner_whose_attempt_ends_without_a_result_it_is_known_what_it_has_found(stores: Stores) -> None:
    a, _ = stores
    owned = running(a)
    a.note_end(owned, None, held(8))
    ended(a, owned)
    assert [(row.how, row.score, row.rung, row.found_at, row.published) for row in a.portfolio("j")] == [
        ("crash", Score(0, 0, 0, 8), "full", AT, False)
    ]


def test_an_assistant_that_was_silent_when_the_attempt_ended_was_lost(stores: Stores) -> None:
    a, b = stores
    owned = running(a, places=2)
    joined(b)
    silent(a)
    ended(a, owned)
    assert [(row.number, row.how) for row in a.portfolio("j")] == [(0, "crash"), (1, "lost")]


@pytest.mark.parametrize(("theirs", "whose"), [(5, 1), (7, 0)])
def test_what_a_cancelled_job_held_is_of_whoever_has_found_it_when_it_is_published(
    stores: Stores, theirs: int, whose: int
) -> None:
    a, b = stores
    owned = running(a)
    a.save_incumbent(owned, held(6))
    b.save_found(owned, joined(b).number, held(theirs))
    a.note_end(owned, None, held(6))
    cancelled = ended(a, owned, Event.CANCEL)
    assert not any(row.published for row in a.portfolio("j"))
    best, digest = a.incumbent("j"), hashlib.sha256(BODY).hexdigest()
    assert best is not None and best.score.soft == min(theirs, 6)
    a.move(cancelled, replace(cancelled, score=best.score, result_attempt=1, result_digest=digest), result=BODY)
    assert [row.number for row in a.portfolio("j") if row.published] == [whose]


def test_a_result_that_was_not_published_after_all_was_nobodys(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    a.note_end(owned, joined(b).number, None)
    ended(a, owned)
    assert not any(row.published for row in a.portfolio("j"))


def test_assistants_are_not_wanted_any_more_when_somebody_asks_to_end_the_job(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    given = joined(b)
    assert b.assisting([key(given)]).wanted == {key(given)}
    a.request(owned, cancel=True)
    assert b.assisting([key(given)]).wanted == frozenset()
    assert b.assisting([]).wanted == frozenset()


def test_a_waiting_job_of_anybody_comes_before_help(stores: Stores) -> None:
    a, b = stores
    running(a, places=3)  # one of four slots
    given = joined(b)
    for name in ("x", "y"):
        a.submit(replace(job(name), meta={"organization_id": name}), DATASET, 100)
    assert b.join("j") is None
    assert not b.assisting([key(given)]).crowded  # both have a slot to go to
    a.submit(job("z"), DATASET, 100)
    assert b.assisting([key(given)]).crowded == {key(given)}


def test_no_more_assistants_yield_than_there_are_jobs_that_lack_a_slot(stores: Stores) -> None:
    a, b = stores
    running(a, places=3)
    first, second, third = joined(a), joined(b), joined(b)
    a.submit(job("x"), DATASET, 100)
    for store, mine in ((a, first), (b, third)):
        assert store.assisting([key(mine)]).crowded == {key(third)}
    a.submit(job("y"), DATASET, 100)
    assert b.assisting([]).crowded == {key(second), key(third)}


def test_invitations_go_to_idle_slots_only_and_again_after_a_while(stores: Stores) -> None:
    a, b = stores
    running(a, places=3)
    a.submit(job("x"), DATASET, 100)
    assert a.due() == [Message("x", 1)]
    assert a.due() == 2 * [Message("j", 1)]  # the third of the three free slots is for x
    assert b.due() == []
    joined(b)
    b._write(
        lambda work: work.change(
            "UPDATE leases SET invited_at = invited_at - make_interval(secs => ?)", (INVITE_AGAIN_SECONDS,)
        )
    )
    assert b.due() == [Message("j", 1)]


def test_nobody_is_invited_where_no_worker_is_idle_or_no_place_is_offered(stores: Stores) -> None:
    a, b = stores
    running(a, "j", places=0)
    assert a.due() == []
    for name in ("k", "l"):
        running(a, name)
    running(b, "m")
    assert b.due() == []


def test_a_job_that_publishes_or_waits_is_not_helped(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    lost = advance(owned, Event.LOSE, AT, publish=StoppedBy.CRASH)
    a.move(owned, lost, outcome=Outcome(how=How.CRASH, at=AT))
    assert b.join("j") is None
    assert a.job("j") == lost and lost.status is Status.QUEUED


def test_a_deleted_job_leaves_nothing_behind(stores: Stores) -> None:
    a, b = stores
    owned = running(a)
    joined(b)
    a.delete(ended(a, owned, Event.FAIL))
    assert a.portfolio("j") == []
    assert a._rows("SELECT * FROM portfolio") == []


@pytest.mark.parametrize(
    "change",
    [
        "number = 9",
        "worker = 'x'",
        "seed = seed + 1",
        "began_at = 0",
        "ended_at = 0",
        "how = 'x'",
        "score = NULL",
        "score = 'x'",
        "score = '{}'",
        "score = '[0, 0, 0]'",
        "score = '[0, 0, 0, 1]'",
        "rung = 'x'",
        "found_at = 0",
        "published = 1",
        "timetable = 'other'",
        "seal = ''",
    ],
)
def test_a_row_that_was_changed_by_a_stranger_is_of_no_use_and_holds_up_nobody(
    stores: Stores, url: str, change: str
) -> None:
    a, b = stores
    owned = running(a, places=3)
    b.save_found(owned, joined(b).number, held(5))
    a._write(lambda work: work.change(f"UPDATE portfolio SET {change} WHERE number = 1"))
    assert a.found(owned, None) is None
    assert a.incumbent("j") is None
    intact = joined(b).number
    b.save_found(owned, intact, held(6))
    assert a.found(owned, None) == (intact, held(6))
    assert a.incumbent("j") == held(6)
    ended(a, owned)
    assert a.incumbent("j") == held(6)
    assert [row.number for row in a.portfolio("j")] == [0, intact]
    assert any("portfolio" in finding.found for finding in check_database(url).findings)


def test_a_damaged_incumbent_keeps_no_attempt_from_ending_and_gives_way_to_what_an_assistant_has_found(
    stores: Stores,
) -> None:
    a, b = stores
    owned = running(a)
    a.save_incumbent(owned, held(4))
    b.save_found(owned, joined(b).number, held(5))
    a._write(lambda work: work.change("UPDATE incumbents SET score = 'x'"))
    assert b.incumbent("j") == held(5)
    ended(a, owned)
    assert a.incumbent("j") == held(5)


def test_a_damaged_row_is_told_once(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    a, b = stores
    owned = running(a, "told")
    b.save_found(owned, joined(b, "told").number, held(5))
    a._write(lambda work: work.change("UPDATE portfolio SET score = 'x' WHERE number = 1"))
    for _ in range(3):
        assert a.found(owned, None) is None
    assert len([record for record in caplog.records if "told" in record.getMessage()]) == 1
