"""Help that goes wrong ends itself: its slot is free again, and whoever waits for it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.jobs import Job
from app.domain.outcomes import How, Outcome
from app.domain.portfolio import Left
from app.domain.progress import Track
from app.domain.telemetry import nobody
from app.processes.attempt import Attempt
from app.processes.children import ForkServer
from app.processes.parse_pool import ParsePool
from app.service.dispatcher import Dispatcher, _Call
from app.service.job_registry import JobRegistry
from app.service.portfolio_assistants import Assistant, Assistants
from app.service.spool import Spool
from app.settings import Settings
from app.store import Assistance, StoreDamaged, StoredIncumbent, StoreUnavailable
from app.store.postgres import PostgresStore
from tests.postgres import database

pytestmark = pytest.mark.anyio
JOB = Job(id="j", body_hash="h", created_at=0.0, attempt=1)
FORKSERVER = ForkServer("nobody's:solve", "no tag")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[JobRegistry]:
    """One with a store that has no job."""
    registry = JobRegistry(Settings(data_dir=tmp_path, slots=1), nobody)
    with database() as url, closing(PostgresStore(url, tmp_path)) as store:
        registry.in_store.store = store
        yield registry


async def kept(held: StoredIncumbent) -> bool:
    return True


def assistant() -> Assistant:
    return Assistant(Assistance(JOB, 1, 10.0), Attempt(JOB, Settings(), FORKSERVER, Track(JOB), kept))


async def test_a_bug_in_somebodys_help_ends_nothing_else(
    registry: JobRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(assistant: Assistant) -> None:
        raise ValueError("nobody has thought of this")

    recount = ParsePool(registry.settings).recount
    dispatcher, call = Dispatcher(registry, FORKSERVER, Spool(tmp_path), recount, "named"), _Call("j")
    monkeypatch.setattr(dispatcher.assistants, "run", run)
    dispatcher.busy = 1
    await dispatcher._help(assistant(), call)
    assert call.done.is_set() and dispatcher.busy == 0


async def test_a_place_that_cannot_be_taken_is_none_unless_the_store_may_answer_later(
    registry: JobRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble: Exception = ValueError("nobody has thought of this")

    def join(job_id: str) -> Assistance | None:
        raise trouble

    monkeypatch.setattr(registry.store, "join", join)
    assistants = Assistants(registry, FORKSERVER)
    assert await assistants.join("j") is None
    trouble = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await assistants.join("j")


async def test_who_is_told_to_end_before_it_began_is_waited_for_and_begins_nothing(
    registry: JobRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.store, "join", lambda job_id: Assistance(JOB, 1, 10.0))
    assistants = Assistants(registry, FORKSERVER)
    joined = await assistants.join("j")
    assert joined is not None and len(assistants) == 1
    assistants.let_go("j", 1)
    await assistants.run(joined)
    assert len(assistants) == 0 and joined.attempt.pid is None
    assert joined.left == Left.OVER


async def test_an_assistant_begins_from_scratch_when_what_the_job_holds_is_damaged(
    registry: JobRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[StoredIncumbent | None] = []

    def incumbent(job_id: str) -> StoredIncumbent | None:
        raise StoreDamaged("on purpose")

    async def run(attempt: Attempt, dataset: bytes, on_start: object) -> Outcome:
        began.append(attempt.best.held)
        return attempt.ended_by(How.RESULT, None)

    monkeypatch.setattr(registry.store, "incumbent", incumbent)
    monkeypatch.setattr(Attempt, "run", run)
    assert await Assistants(registry, FORKSERVER)._help(assistant()) == How.RESULT
    assert began == [None]
