"""Two services on one PostgreSQL, with real children; between one of them and the database a network that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from app.domain.callers import Caller
from app.domain.jobs import Event, Job, Status, advance
from app.domain.messages import pack
from app.domain.outcomes import How, Outcome
from app.service.job_registry import JobRegistry
from app.service.recovery import take_up
from app.service.spool import Spool
from app.service.supervisor import Supervisor
from app.service.tenant import TenantJobs
from app.store import Introduction, SharedStore, StoredIncumbent, StoreUnavailable
from app.store.postgres import PostgresStore
from app.store.sqlite import SqliteStore
from solver.rules import Score
from tests.effort import PATIENCE_SECONDS
from tests.postgres import database
from tests.proxy import Proxy
from tests.service.conftest import (
    Open,
    child_pid,
    ended,
    how_attempts_ended,
    lives,
    request,
    searching,
    until,
)
from tests.service.solvers import campus

pytestmark = pytest.mark.anyio


@pytest.fixture
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    async with Proxy(url) as proxy:
        yield proxy


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """All clocks of leases at two fifths of their time; with less, a busy machine loses leases that nobody has cut."""
    for name, seconds in {
        "app.store.postgres.LEASE_SECONDS": 6.0,
        "app.store.postgres.RENEW_CALL_SECONDS": 1.2,
        "app.store.connections.CALL_SECONDS": 2.4,
        "app.service.leases.RENEW_SECONDS": 1.2,
        "app.service.leases.FENCE_SECONDS": 4.0,
        "app.service.leases.SILENT_SECONDS": 2.4,
    }.items():
        monkeypatch.setattr(name, seconds)


async def comes(what: Callable[[], object]) -> None:
    """Waits until `what` is true."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not what():
            await anyio.sleep(0.02)


def status(supervisor: Supervisor, job_id: str) -> str | None:
    found = supervisor.snapshot(job_id)
    return found and found["status"]


async def test_a_job_of_one_service_is_seen_at_the_other_from_its_first_moment_to_its_result(
    open_service: Open, tmp_path: Path, url: str
) -> None:
    async with (
        open_service(data_dir=tmp_path / "a", database_url=url) as a,
        open_service(data_dir=tmp_path / "b", database_url=url) as b,
    ):
        await a.submit(request("j", "patient"))
        await b.look_up("j")
        assert status(b, "j") in ("queued", "running")
        await searching(a, "j")
        # The stage comes with a checkpoint, a timetable when it is found: either may be seen first.
        found = await until(b, "j", lambda s: s["cost"] is not None and s["metadata"]["stage"] == "search")
        assert (found["status"], found["health"]) == ("running", "ok")
        assert not (await b.submit(request("j", "patient")))[1]
        await a.finish("j")
        for service in (a, b):  # either may be the first to learn of what is in the store
            assert (await ended(service, "j"))["status"] == "completed"
        ours, theirs = await a.result("j"), await b.result("j")
        assert ours is not None and theirs is not None and ours.result == theirs.result
        await b.delete("j")
        await comes(lambda: a.snapshot("j") is None)


async def test_a_child_that_hangs_in_one_service_is_called_stalled_by_the_other_with_its_place(
    open_service: Open, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.diagnosis.SUSPECT_SECONDS", 1.0)
    monkeypatch.setattr("app.domain.diagnosis.SILENCE_SECONDS", 6.0)
    async with (
        open_service(data_dir=tmp_path / "a", database_url=url) as a,
        open_service(data_dir=tmp_path / "b", database_url=url) as b,
    ):
        await a.submit(request("j", "lost_in_search"))
        await comes(lambda: b.snapshot("j"))
        told = await until(b, "j", lambda s: s["health"] == "stalled")
        assert told["verdict"] == "INFINITE_LOOP" and "no sign of life" in told["message"]
        assert told["metadata"]["place"] is not None and told["metadata"]["stage"] == "search"
        await a.cancel("j")
        await ended(a, "j")


async def test_a_caller_of_one_organisation_is_told_no_names_of_machines(
    open_service: Open, tmp_path: Path, url: str
) -> None:
    async with open_service(data_dir=tmp_path / "a", database_url=url, slots=2) as a:
        for name in ("north", "south"):
            await a.submit(replace(request(name, "patient"), meta={"organization_id": name}))
            await searching(a, name)
            job, store = await a.job(name), a._registry.store
            assert job is not None and isinstance(store, SharedStore)
            store.invite(job, 1, 60.0)
        caller = TenantJobs(a, Caller(id="k", scopes=(), organisations=("north",)))
        (whole,) = await a.portfolio("north")
        assert whole.worker
        assert await caller.portfolio("north") == [replace(whole, worker="")]
        assert await caller.portfolio("south") == []


@pytest.mark.parametrize(("ask", "last"), [("cancel", "cancelled"), ("finish", "completed")])
async def test_a_request_at_one_service_reaches_the_child_of_the_other(
    open_service: Open, tmp_path: Path, url: str, ask: str, last: str
) -> None:
    async with (
        open_service(data_dir=tmp_path / "a", database_url=url) as a,
        open_service(data_dir=tmp_path / "b", database_url=url) as b,
    ):
        await a.submit(request("j", "patient"))
        await searching(a, "j")
        pid = await child_pid(a, "j")
        await getattr(b, ask)("j")
        assert (await ended(a, "j"))["status"] == last
        assert not lives(pid)
        await comes(lambda: status(b, "j") == last)
        await b.restart("j")
        await comes(lambda: status(a, "j") in ("queued", "running"))
        await a.cancel("j")
        await comes(lambda: status(b, "j") == "cancelled")


async def test_jobs_are_shared_among_services_and_none_runs_twice(open_service: Open, tmp_path: Path, url: str) -> None:
    async with (
        open_service(data_dir=tmp_path / "a", database_url=url) as a,
        open_service(data_dir=tmp_path / "b", database_url=url) as b,
    ):
        ids = [f"j{number}" for number in range(12)]
        for job_id in ids:
            await a.submit(request(job_id, "quick"))
        for job_id in ids:
            await b.look_up(job_id)
            assert (await ended(b, job_id))["status"] == "completed"
            assert await how_attempts_ended(b, job_id) == ["result"]
        owners = {a._dispatcher.claims > 0, b._dispatcher.claims > 0}
        assert owners == {True}
        assert a._dispatcher.claims + b._dispatcher.claims == len(ids)


@pytest.mark.usefixtures("quick")
async def test_a_service_that_is_cut_off_ends_its_children_and_the_other_takes_over(
    open_service: Open, tmp_path: Path, url: str, proxy: Proxy
) -> None:
    async with (
        open_service(data_dir=tmp_path / "a", database_url=proxy.url) as a,
        open_service(data_dir=tmp_path / "b", database_url=url) as b,
    ):
        await a.submit(request("j", "patient"))
        await searching(a, "j")
        pid = await child_pid(a, "j")
        proxy.cut()
        await comes(lambda: not a.ready)
        await comes(lambda: not lives(pid))
        told = await until(b, "j", lambda s: s["health"] == "stalled" or s["attempt"] == 2)
        assert told["attempt"] == 2 or "the service that runs it" in told["message"]
        await until(b, "j", lambda s: s["attempt"] == 2 and s["status"] == "running")
        with pytest.raises(StoreUnavailable):
            await a.submit(request("other", "quick"))
        proxy.restore()
        await comes(lambda: a.ready)
        await comes(lambda: (a.snapshot("j") or {})["attempt"] == 2)
        await a.finish("j")
        assert (await ended(b, "j"))["status"] == (await ended(a, "j"))["status"] == "completed"
        assert await how_attempts_ended(b, "j") == ["service_lost", "result"]


@pytest.mark.parametrize("trouble", ["cut", "stall"])
@pytest.mark.usefixtures("quick")
async def test_an_end_that_the_database_could_not_take_is_stored_when_it_is_back(
    open_service: Open, tmp_path: Path, proxy: Proxy, trouble: str
) -> None:
    async with open_service(data_dir=tmp_path / "a", database_url=proxy.url) as a:
        await a.submit(request("j", "steady"))
        await searching(a, "j")
        getattr(proxy, trouble)()
        await comes(lambda: not a.ready)
        await comes(lambda: list((tmp_path / "a" / "spool").glob("*.end")))
        proxy.restore()
        last = await ended(a, "j")
        assert (last["status"], last["attempt"]) in (("completed", 1), ("completed", 2))
        await comes(lambda: a.ready)
        assert a.snapshot("j") is not None
        assert (await a.job("j")) is not None and Status(last["status"]).terminal


async def test_a_service_that_starts_leaves_the_jobs_of_others_alone(
    open_service: Open, tmp_path: Path, url: str
) -> None:
    async with open_service(data_dir=tmp_path / "a", database_url=url) as a:
        await a.submit(request("j", "patient"))
        await searching(a, "j")
        async with open_service(data_dir=tmp_path / "b", database_url=url) as b:
            found = b.snapshot("j")
            assert found is not None and (found["status"], found["attempt"]) == ("running", 1)
        await a.finish("j")
        assert (await ended(a, "j"))["attempt"] == 1


@pytest.mark.parametrize("shared", [False, True])
async def test_a_job_that_cannot_be_taken_up_holds_up_none_behind_it(
    quick: None, open_service: Open, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Neither at the start of the only service nor at the look of one of several."""

    async def trouble(registry: JobRegistry, spool: Spool, job: Job) -> Job | None:
        if job.id == "bad":
            raise ValueError("nobody has thought of this")
        return await take_up(registry, spool, job)

    folder = tmp_path / "a"
    with closing(PostgresStore(url, tmp_path / "b") if shared else SqliteStore(folder)) as gone:
        for job_id in ("bad", "good"):
            gone.submit(Job(id=job_id, body_hash="h", created_at=0.0), pack(campus("patient")), 100)
            assert gone.claim(0.0, only=job_id) is not None
    for module in ("leases", "recovery"):
        monkeypatch.setattr(f"app.service.{module}.take_up", trouble)
    async with open_service(data_dir=folder, database_url=url if shared else "") as service:
        await until(service, "good", lambda seen: seen["attempt"] == 2)
        assert status(service, "bad") == "running"


async def test_a_damaged_timetable_of_one_job_keeps_no_service_from_starting(
    open_service: Open, tmp_path: Path, url: str
) -> None:
    with closing(PostgresStore(url, tmp_path / "b")) as gone:
        gone.submit(Job(id="bad", body_hash="h", created_at=0.0), pack(campus("quick")), 100)
        owned = gone.claim(0.0)
        assert owned is not None
        held = StoredIncumbent(score=Score(0, 0, 0, 5), timetable=b"t", rung="full", found_at=0.0)
        gone.save_incumbent(owned, held)
        outcome = Outcome(how=How.CRASH, at=0.0)
        gone.move(owned, advance(owned, Event.LOSE, outcome.at), outcome=outcome)
        gone._write(lambda work: work.change("UPDATE incumbents SET score = 'x'"))
    async with open_service(data_dir=tmp_path / "a", database_url=url) as service:
        await service.submit(request("good"))
        for job_id in ("bad", "good"):
            assert (await ended(service, job_id))["status"] == "completed"


async def test_a_worker_that_is_not_heard_of_is_missed_and_soon_not_listed_any_more(
    open_service: Open, tmp_path: Path, url: str
) -> None:
    """Its row in the database is made older than it is, as the clock there would."""
    silent = "UPDATE services SET renewed_at = clock_timestamp() - make_interval(secs => ?) WHERE owner = ?"
    async with open_service(data_dir=tmp_path / "a", database_url=url) as a:
        with closing(PostgresStore(url, tmp_path / "b")) as b:
            b.introduce(Introduction(role="worker", slots=1, host="h", pid=1, version="1"))

            async def looked(seconds: float) -> tuple[bool, int]:
                b._write(lambda work: work.change(silent, (seconds, b.owner)))
                listed = b.owner in [one.owner for one in await a.membership.members()]
                return listed, a.signs().lost_workers

            assert await looked(0) == (True, 0)
            assert await looked(20) == (True, 1)
            assert await looked(70) == (False, 1), "an alert tells of it for longer than it is listed"
            assert await looked(1000) == (False, 0)
            assert await looked(20) == (True, 1)
        await a.membership.members()
        assert a.signs().lost_workers == 0, "it has said that it goes"
