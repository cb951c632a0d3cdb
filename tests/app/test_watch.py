"""The watch judges by what it is shown; time is an argument, so nothing here waits."""

from __future__ import annotations

import pytest

from app.endings import How
from app.settings import Settings
from app.vitals import Vitals
from app.watch import HANG_SECONDS, LOAD_SECONDS, MEBIBYTE, STALLED_SECONDS, VERIFY_SECONDS, Watch
from solver.control import Stage

SETTINGS = Settings(context_seconds=20, first_answer_seconds=30, stage_grace_seconds=5, memory_limit_mb=500)
STEP = 0.5


class Shown:
    """A child as the watch is shown it, look by look."""

    def __init__(self, *, limit: float = 100.0, has_incumbent: bool = False) -> None:
        self.now = 1000.0
        self.watch = Watch(settings=SETTINGS, time_limit_seconds=limit, began=self.now, has_incumbent=has_incumbent)
        self.beats, self.cpu, self.resident = 0, 0.0, 100 * MEBIBYTE

    def enter(self, stage: Stage) -> None:
        self.watch.enter(stage, self.now)

    def until_judged(self, seconds: float, *, beating: bool, computing: bool) -> tuple[How, bool, float] | None:
        """Looks on for `seconds`; the first verdict with the seconds it took."""
        began = self.now
        while self.now < began + seconds:
            self.now += STEP
            self.beats += beating
            self.cpu += STEP * computing
            verdict = self.watch.see(self.now, self.beats, Vitals(self.resident, self.cpu, "S"))
            if verdict is not None:
                return verdict.how, verdict.polite, self.now - began
        return None


def test_a_child_that_beats_and_computes_is_left_alone_until_its_time_is_up() -> None:
    shown = Shown(limit=300.0)
    shown.enter("search")
    judged = shown.until_judged(400, beating=True, computing=True)
    assert judged == (How.DEADLINE, True, 305.0)


def test_a_child_without_any_sign_of_life_hangs() -> None:
    shown = Shown()
    shown.enter("search")
    assert shown.until_judged(5, beating=True, computing=True) is None
    judged = shown.until_judged(60, beating=False, computing=False)
    assert judged == (How.HANG, False, HANG_SECONDS)


def test_a_child_that_computes_without_a_beat_has_until_its_deadline() -> None:
    shown = Shown(limit=100.0)
    shown.enter("exact")
    assert shown.until_judged(200, beating=False, computing=True) == (How.DEADLINE, True, 105.0)


def test_a_child_that_sleeps_but_beats_is_alive() -> None:
    shown = Shown()
    shown.enter("search")
    assert shown.until_judged(60, beating=True, computing=False) is None


@pytest.mark.parametrize(
    ("stage", "limit"),
    [("load", LOAD_SECONDS), ("context", 20.0), ("construct", 30.0), ("verify", VERIFY_SECONDS)],
)
def test_stages_with_a_limit_of_their_own_are_stopped_at_it(stage: Stage, limit: float) -> None:
    shown = Shown(limit=1000.0)
    shown.enter(stage)
    assert shown.until_judged(100, beating=True, computing=True) == (How.DEADLINE, False, limit)


def test_only_the_first_timetable_has_a_deadline_of_its_own() -> None:
    shown = Shown(limit=1000.0, has_incumbent=True)
    shown.enter("construct")
    assert shown.until_judged(100, beating=True, computing=True) is None


def test_the_last_recount_is_not_cut_short_by_the_time_limit() -> None:
    shown = Shown(limit=10.0)
    shown.enter("search")
    assert shown.until_judged(14, beating=True, computing=True) is None
    shown.enter("verify")
    judged = shown.until_judged(100, beating=True, computing=True)
    assert judged == (How.DEADLINE, False, VERIFY_SECONDS)


def test_repeating_a_stage_in_the_same_breath_does_not_prolong_it() -> None:
    shown = Shown()
    shown.enter("context")
    shown.until_judged(15, beating=True, computing=True)
    shown.enter("context")
    assert shown.until_judged(15, beating=True, computing=True) == (How.DEADLINE, False, 5.0)


def test_memory_beyond_the_limit_ends_the_child_at_the_next_look() -> None:
    shown = Shown()
    shown.resident = 501 * MEBIBYTE
    assert shown.until_judged(10, beating=True, computing=True) == (How.MEMORY, False, STEP)


def test_a_watcher_that_was_held_up_itself_judges_nobody() -> None:
    shown = Shown(limit=10_000.0)
    shown.enter("search")
    shown.until_judged(1, beating=True, computing=True)
    shown.now += 600
    assert shown.until_judged(5, beating=False, computing=False) is None
    assert shown.until_judged(60, beating=False, computing=False) is not None


def test_stalled_is_said_before_the_kill_and_slow_while_it_computes() -> None:
    shown = Shown()
    shown.enter("search")
    shown.until_judged(2, beating=True, computing=True)
    assert shown.watch.health(shown.now) == "ok"
    shown.until_judged(STALLED_SECONDS + STEP, beating=False, computing=True)
    assert shown.watch.health(shown.now) == "slow"
    shown.until_judged(STALLED_SECONDS + STEP, beating=False, computing=False)
    assert shown.watch.health(shown.now) == "stalled"
    assert STALLED_SECONDS < HANG_SECONDS


def test_a_child_that_has_just_ended_is_not_judged() -> None:
    shown = Shown()
    assert shown.watch.see(shown.now + 1, 0, None) is None


def test_solving_time_begins_when_the_data_is_loaded() -> None:
    shown = Shown()
    shown.until_judged(7, beating=True, computing=True)
    assert shown.watch.solving_seconds(shown.now) == 0
    shown.enter("context")
    shown.until_judged(3, beating=True, computing=True)
    assert shown.watch.solving_seconds(shown.now) == 3
