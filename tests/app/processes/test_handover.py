"""How the recount of a result can end, and what that means for its attempt."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
import pytest

from app.domain.jobs import Job
from app.domain.options import SolveOptions
from app.domain.outcomes import How
from app.domain.progress import Track
from app.processes import watch as watching
from app.processes.claims import CannotRecount, Claim, Counted, LastRecount, NotVerified
from app.processes.handover import Handover, Unpublished
from app.processes.watch import Watch
from app.settings import Settings
from solver.result import Quality, StoppedBy
from solver.rules import Score

pytestmark = pytest.mark.anyio

CLAIM = Claim(dataset=b"d", result=b"r", options=SolveOptions(), score=Score(0, 0, 0, 1), placed=1, total=1)
COUNTED = Counted(
    score=Score(0, 0, 0, 1),
    placed=1,
    total=1,
    quality_index=1.0,
    bound=None,
    quality=Quality.FEASIBLE,
    rung="full",
    stopped_by=StoppedBy.STALLED,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def never() -> How:
    await anyio.sleep_forever()
    raise AssertionError


async def handed_over(recount: LastRecount, until_dropped: Callable[[], object] = never, grace: float = 0.0) -> object:
    watch = Watch(settings=Settings(), time_limit_seconds=1.0, began=time.monotonic())
    watch.enter("verify", time.monotonic())
    track = Track(Job(id="j", body_hash="h", created_at=0.0))
    with anyio.fail_after(30.0):
        return await Handover(watch, track, recount, until_dropped, grace).run(CLAIM)  # type: ignore[arg-type]


async def counts(claim: Claim, begun: Callable[[], None]) -> Counted:
    begun()
    await anyio.sleep(0.05)
    return COUNTED


async def hangs(claim: Claim, begun: Callable[[], None]) -> Counted:
    begun()
    await anyio.sleep_forever()
    raise AssertionError


async def test_what_was_counted_is_handed_on() -> None:
    assert await handed_over(counts) == COUNTED


async def test_a_false_claim_ends_the_attempt_as_an_error_and_a_lost_recount_as_a_handover() -> None:
    async def refuses(claim: Claim, begun: Callable[[], None]) -> Counted:
        raise NotVerified("variant 1 does not pass the verifier")

    async def loses(claim: Claim, begun: Callable[[], None]) -> Counted:
        raise CannotRecount("two processes died")

    assert await handed_over(refuses) == Unpublished(How.ERROR, "variant 1 does not pass the verifier")
    assert await handed_over(loses) == Unpublished(
        How.HANDOVER, "its result could not be recounted: two processes died"
    )


async def test_a_recount_that_never_ends_is_given_up_at_the_deadline_of_its_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "VERIFY_SECONDS", 0.3)
    assert await handed_over(hangs) == Unpublished(How.DEADLINE, "stage verify took longer than its 0.3 s")


async def test_the_wait_for_a_free_process_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "VERIFY_SECONDS", 0.3)

    async def waits(claim: Claim, begun: Callable[[], None]) -> Counted:
        await anyio.sleep(1.0)
        return await counts(claim, begun)

    assert await handed_over(waits) == COUNTED


@pytest.mark.parametrize("how", [How.CANCEL, How.SHUTDOWN])
async def test_an_attempt_that_is_to_end_does_not_wait_for_its_recount(how: How) -> None:
    async def dropped() -> How:
        return how

    assert await handed_over(hangs, dropped) is None


async def test_who_cancels_gets_a_result_that_comes_within_the_grace() -> None:
    async def dropped() -> How:
        return How.CANCEL

    assert await handed_over(counts, dropped, grace=20.0) == COUNTED
