"""What an attempt knows of its child by what that says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.jobs import Job
from app.domain.messages import IncumbentFrame, ProgressFrame, SetAsideFrame
from app.domain.outcomes import How
from app.domain.progress import Track
from app.domain.telemetry import Happening, StageLeft
from app.processes.attempt import Attempt
from app.processes.children import ForkServer
from app.processes.claims import Claim, Counted
from app.settings import Settings
from app.store import StoredIncumbent
from solver.result import Quality, StoppedBy
from solver.rules import Score


async def kept(held: StoredIncumbent) -> bool:
    return True


def test_what_a_child_finds_counts_once_the_better_one_that_it_was_given_is_set_aside() -> None:
    job = Job(id="j", body_hash="h", created_at=0.0, score=Score(0, 0, 0, 1), publish=StoppedBy.CRASH)
    attempt = Attempt(job, Settings(), ForkServer("nobody's:solve", "no tag"), Track(job), kept)
    given = StoredIncumbent(score=Score(0, 0, 0, 1), timetable=b"t", rung="full", found_at=0.0)
    attempt.begin_with(given, saved=True)
    attempt._hear(SetAsideFrame(message="it cannot be read"))
    assert (attempt.best.held, attempt.watch.has_incumbent, attempt.job.publish) == (None, False, None)
    attempt._hear(IncumbentFrame(score=(0, 0, 0, 7), rung="full", body=b"t"))
    outcome = attempt.ended_by(How.CRASH, "it died")
    assert outcome.held == Score(0, 0, 0, 7) == attempt._track.score
    assert outcome.message == "the best timetable of the attempts before was set aside: it cannot be read; it died"


def test_what_leaves_electives_open_is_held_rather_than_what_leaves_a_core_session_open() -> None:
    job = Job(id="j", body_hash="h", created_at=0.0)
    attempt = Attempt(job, Settings(), ForkServer("nobody's:solve", "no tag"), Track(job), kept)
    of_an_older_version = StoredIncumbent(score=Score(0, 6, 0, 48), timetable=b"t", rung="full", found_at=0.0)
    attempt.begin_with(of_an_older_version, saved=True)
    core, electives = (0, 6, 0, 48, ((1, 9, 6),)), (0, 9, 0, 99, ((0, 0, 9),))
    for score in (core, electives, core):
        attempt._hear(IncumbentFrame(score=score, rung="full", body=b"t"))
    assert attempt.best.held is not None
    assert attempt.best.held.score == Score.of(electives) == attempt._track.score


COUNTED = Counted(
    score=Score(0, 0, 0, 7),
    placed=1,
    total=1,
    quality_index=None,
    bound=None,
    quality=Quality.FEASIBLE,
    rung="full",
    stopped_by=StoppedBy.STALLED,
)


async def counts(claim: Claim, begun: Callable[[], None]) -> Counted:
    return COUNTED


@pytest.mark.parametrize("passed_over", [False, True])
def test_time_spent_before_the_recount_is_not_that_of_the_recount(
    passed_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """News of a child are sent at a measured pace, so that the one of its own stage `verify` may be passed over."""
    now, happened = 100.0, list[Happening]()
    monkeypatch.setattr("app.processes.attempt.time.monotonic", lambda: now)
    job = Job(id="j", body_hash="h", created_at=0.0)
    forkserver = ForkServer("nobody's:solve", "no tag")
    attempt = Attempt(job, Settings(), forkserver, Track(job), kept, happened.append, counts)
    for seconds, stage in ((1.0, "search"), (20.0, "verify"), (2.0, "store")):
        now += seconds
        if stage != "verify" or not passed_over:
            attempt._hear(ProgressFrame(stage=stage, share=0.5))  # type: ignore[arg-type]
    now += 3.0
    attempt._stored_next(COUNTED)
    told = {left.stage: left.seconds for left in happened if isinstance(left, StageLeft)}
    assert (told["search"], told["verify"]) == ((22.0, 3.0) if passed_over else (20.0, 5.0))
