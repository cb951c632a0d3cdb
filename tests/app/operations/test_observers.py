"""Several observers behind one: none keeps another from hearing, and slow stages are told as such."""

from __future__ import annotations

import logging

import pytest

from app.domain.jobs import Event, Status
from app.domain.telemetry import (
    Happening,
    Moved,
    QueueStuck,
    Recovered,
    Slow,
    StageLeft,
    Stalled,
    Started,
    StoreTrouble,
)
from app.operations.observers import Observers, journal
from tests.app.operations.watching import job

STUCK = QueueStuck(waiting=1, seconds=11.0)


def test_an_observer_that_fails_is_logged_once_and_the_others_hear(caplog: pytest.LogCaptureFixture) -> None:
    def broken(happening: Happening) -> None:
        raise RuntimeError("I fail")

    heard: list[Happening] = []
    observers = Observers(broken, heard.append, slow_seconds=10)
    observers(STUCK)
    observers(STUCK)
    assert heard == [STUCK, STUCK]
    assert [record.message for record in caplog.records] == ["an observer failed on QueueStuck; this is logged once"]


@pytest.mark.parametrize(
    ("stage", "seconds", "slow"), [("context", 11.0, True), ("context", 9.0, False), ("search", 99.0, False)]
)
def test_a_stage_that_should_be_short_is_slow_when_it_is_not(stage: str, seconds: float, slow: bool) -> None:
    heard: list[Happening] = []
    left = StageLeft(job=job("a"), stage=stage, rung=None, seconds=seconds)
    Observers(heard.append, slow_seconds=10)(left)
    assert heard == [left, *([Slow(what=f"stage.{stage}", seconds=seconds, job_id="a")] * slow)]


def test_the_journal_has_a_line_for_each_happening_at_its_level(caplog: pytest.LogCaptureFixture) -> None:
    happenings: tuple[Happening, ...] = (
        Moved(job=job("a", status=Status.QUEUED), event=None),
        Moved(job=job("a", status=Status.FAILED), event=Event.FAIL),
        Started(job=job("a"), waited_seconds=0.5, after_loss=False),
        StageLeft(job=job("a"), stage="load", rung=None, seconds=0.5),
        Stalled(job=job("a"), stalled=True, verdict="STOPPED", place="model build"),
        Stalled(job=job("a"), stalled=False, verdict="NORMAL_PROCESSING", place="model build"),
        Slow(what="store.move", seconds=11.0),
        Slow(what="stage.load", seconds=11.0, job_id="a"),
        StoreTrouble(reason="locked"),
        StoreTrouble(reason=None),
        Recovered(jobs=1, orphans=2, seconds=0.25),
    )
    with caplog.at_level(logging.DEBUG):
        for happening in happenings:
            journal(happening)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "job a: submitted, now queued (attempt 1)"),
        ("WARNING", "job a: fail, now failed (attempt 1)"),
        ("INFO", "job a, attempt 1: runs after 0.50 s"),
        ("DEBUG", "job a, attempt 1: left stage load after 0.5 s"),
        ("WARNING", "job a, attempt 1: shows no sign of life: STOPPED at model build"),
        ("INFO", "job a, attempt 1: shows signs of life again"),
        ("WARNING", "store.move took 11.0 s"),
        ("WARNING", "job a: stage.load took 11.0 s"),
        ("ERROR", "the store takes nothing: locked"),
        ("INFO", "the store answers again"),
        ("INFO", "recovered in 0.25 s: 1 job(s) queued again, 2 process(es) killed"),
    ]
