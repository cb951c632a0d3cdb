"""The bar moves while work goes on, on whatever rung, and never says that more is done than is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from app.domain.jobs import Event, Status, advance
from app.domain.messages import ProgressFrame
from app.domain.progress import Track
from app.domain.snapshot import document
from solver.control import Stage
from tests.app.domain.test_progress import PLATFORM_NAMES, job

TICK = 0.25
FEW_SECONDS = 5.0


class Clock:
    """Both clocks of the process, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: 1.7e9 + self.now)


class Part(NamedTuple):
    """`seconds` of a stage; `shares` are those told at its begin and end, None where nothing is told at all."""

    stage: Stage
    seconds: float
    shares: tuple[float, float] | None = (0.0, 1.0)


BEFORE = (Part("load", 6.0, None), Part("validate", 6.0, (1.0, 1.0)), Part("context", 6.0), Part("construct", 6.0))
AFTER = (Part("verify", 20.0, (0.0, 0.0)), Part("store", 12.0, (0.0, 0.0)))


def search(start: float, end: float, limit: float) -> Part:
    """Its share is that of the whole walk."""
    return Part("search", (end - start) * limit, (start, end))


def walks(limit: float) -> dict[str, tuple[Part, ...]]:
    """What is told on each rung of a walk of `limit` seconds."""
    exactly, silently = Part("exact", 0.15 * limit), Part("exact", 0.2 * limit, None)
    return {
        "full": (search(0.0, 0.9, limit), Part("exact", 0.05 * limit), Part("exact", 0.05 * limit)),
        # an explanation, which ends early, comes before nearly all of the search
        "relaxed": (exactly._replace(shares=(0.0, 0.656)), search(0.15, 0.6, limit), exactly, silently),
        "greedy": (search(0.0, 0.6, limit), silently, Part("construct", 0.2 * limit, (0.0, 0.0))),
        "reduced": (exactly, Part("construct", 0.05 * limit, (0.0, 0.5)), search(0.2, 0.6, limit), silently),
        "overtime": (search(0.0, 1.0, limit), Part("search", 20.0, None)),
    }


def variants(limit: float) -> Part:
    return Part("variants", 0.2 * limit)


def followed(track: Track, clock: Clock, parts: Iterable[Part]) -> Iterator[tuple[float, float, str]]:
    """(seconds, percent, stage of the platform) as a poller sees them, four times a second."""
    for part in parts:
        ticks = max(1, round(part.seconds / TICK))
        if part.shares is None:
            track.hear(ProgressFrame(stage=part.stage, share=0.0))
        for tick in range(ticks):
            if part.shares is not None:
                low, high = part.shares
                track.hear(ProgressFrame(stage=part.stage, share=low + (high - low) * tick / ticks, total=400))
            clock.now += TICK
            track.look("ok", None, silent_seconds=0.0)
            shown = document(track, None, 1)
            yield clock.now, shown["overall_progress"], shown["stage"]


def began(clock: Clock, limit: float) -> Track:
    track = Track(advance(job(time_limit_seconds=limit), Event.CLAIM, time.time()))
    track.begin_attempt(time.time(), limit)
    return track


@pytest.mark.parametrize("limit", [30.0, 300.0, 3600.0])
@pytest.mark.parametrize("rung", list(walks(1.0)))
def test_the_bar_moves_every_few_seconds_on_every_rung(
    monkeypatch: pytest.MonkeyPatch, rung: str, limit: float
) -> None:
    clock = Clock(monkeypatch)
    track = began(clock, limit / 0.75)
    seen = list(followed(track, clock, (*BEFORE, *walks(limit)[rung], variants(limit), *AFTER)))
    window = round(FEW_SECONDS / TICK)
    for (_, before, _), (at, after, stage) in zip(seen, seen[window:], strict=False):
        assert after > before, f"it stands still at {before} in {stage}, after {at - seen[0][0]:.0f} s"
    stages = [PLATFORM_NAMES.index(stage) for *_, stage in seen]
    assert stages == sorted(stages)
    assert seen[-1][1] < 100


@pytest.mark.parametrize("percent", [3.0, 42.0, 74.0, 80.0, 98.0, 99.0])
def test_a_later_attempt_goes_on_from_where_the_first_one_was(monkeypatch: pytest.MonkeyPatch, percent: float) -> None:
    clock = Clock(monkeypatch)
    lost = advance(job(percent=percent, started_at=time.time(), attempt=1), Event.CLAIM, time.time())
    track = Track(lost)
    track.begin_attempt(time.time(), 30.0)
    seen = [shown for _, shown, _ in followed(track, clock, BEFORE)]
    assert seen == sorted(seen) and percent <= seen[0]
    assert seen[-1] > percent or percent == 99.0
    assert seen[-1] < 99.5


def test_a_child_that_is_silent_moves_no_bar_and_one_that_computes_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    track = began(clock, 30.0)
    list(followed(track, clock, BEFORE))
    percents = []
    for verdict in ("DEADLOCK_SUSPECTED", "NORMAL_PROCESSING"):
        before, at = track.percent, clock.now
        track.hear(ProgressFrame(stage="exact", share=0.0))
        base = track.percent
        while clock.now < at + 6.0:
            clock.now += TICK
            track.look("stalled", None, verdict, "cpsat_presolve", silent_seconds=clock.now - at)
        percents.append((before <= base, track.percent - base))
    assert percents[0][1] == 0 and percents[1][1] > 0


def test_a_bar_that_moves_is_news_once_a_second_and_one_that_waits_or_has_ended_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    track = began(clock, 300.0)
    track.hear(ProgressFrame(stage="search", share=0.0))
    versions = []
    for _ in range(40):
        clock.now += TICK
        track.look("ok", None, silent_seconds=0.0)
        versions.append(track.version)
    assert 8 <= versions[-1] - versions[0] <= 10
    track.set_job(advance(track.job, Event.CANCEL, time.time()))
    ended = (track.version, track.percent)
    for _ in range(40):
        clock.now += TICK
        track.look("ok", None)
    assert (track.version, track.percent) == ended and track.job.status is Status.CANCELLED
    assert all(later >= earlier for earlier, later in itertools.pairwise(versions))
