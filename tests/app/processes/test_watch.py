"""The watch judges by what it is shown; time is an argument, so nothing here waits."""

from __future__ import annotations

import pytest

from app import MEBIBYTE
from app.domain.diagnosis import SILENCE_SECONDS, SUSPECT_SECONDS, ProcessSample, ThreadLook, Verdict
from app.domain.outcomes import How
from app.processes.watch import KILL_SECONDS, LOAD_SECONDS, VERIFY_SECONDS, Watch, longest_overshoot
from app.settings import Settings
from solver.control import Place, Stage

SETTINGS = Settings(context_seconds=20, first_answer_seconds=30, memory_limit_mb=500)
STEP = 0.1


class Shown:
    """A child as the watch is shown it, look by look."""

    def __init__(self, *, limit: float = 100.0, has_incumbent: bool = False, settings: Settings = SETTINGS) -> None:
        self.now = 1000.0
        self.watch = Watch(settings=settings, time_limit_seconds=limit, began=self.now, has_incumbent=has_incumbent)
        self.beats, self.cpu, self.resident, self.grows = 1, 0.0, 100 * MEBIBYTE, 0
        self.health: list[str] = []

    def enter(self, stage: Stage) -> None:
        self.watch.enter(stage, self.now)

    def until_judged(
        self, seconds: float, *, beating: bool, computing: bool, polite: bool = True
    ) -> tuple[How, bool, float] | None:
        """Looks on for `seconds`; the first decision (politeness aside, if wanted) with the seconds it took."""
        began = self.now
        while self.now < began + seconds:
            self.now += STEP
            self.beats += beating
            self.cpu += STEP * computing
            self.resident += int(STEP * self.grows)
            decision = self.watch.see(self.now, self._sample(computing))
            self.health.append(self.watch.health)
            if decision is not None and (polite or not decision.polite):
                return decision.how, decision.polite, round(self.now - began, 1)
        return None

    def _sample(self, computing: bool) -> ProcessSample:
        return ProcessSample(
            at=self.now,
            beat=self.beats,
            place=Place.OTHER,
            cpu_seconds=self.cpu,
            state="S",
            resident_bytes=self.resident,
            threads=(ThreadLook("solving", "R" if computing else "S", ""),),
        )


@pytest.mark.parametrize(("limit", "asked", "killed"), [(5.0, 5.3, 5.7), (60.0, 60.3, 60.9), (300.0, 300.3, 301.7)])
def test_a_child_that_outlives_its_limit_is_asked_first_and_killed_in_time(
    limit: float, asked: float, killed: float
) -> None:
    shown = Shown(limit=limit)
    shown.enter("search")
    assert shown.until_judged(400, beating=True, computing=True) == (How.DEADLINE, True, pytest.approx(asked, abs=0.11))
    rest = shown.until_judged(400, beating=True, computing=True, polite=False)
    assert rest == (How.DEADLINE, False, pytest.approx(killed - asked, abs=0.21))
    assert shown.health[-2] == "stalled" and shown.watch.finding.verdict is Verdict.OVERDUE
    assert shown.watch.overshoot_seconds(shown.now) + KILL_SECONDS <= longest_overshoot(limit) + 0.11


@pytest.mark.parametrize(("limit", "allowed"), [(1.0, 1.0), (50.0, 1.0), (75.0, 1.5), (300.0, 2.0), (3600.0, 2.0)])
def test_the_overshoot_is_a_second_or_a_fiftieth_and_never_more_than_two_seconds(limit: float, allowed: float) -> None:
    assert longest_overshoot(limit) == allowed


def test_a_longer_grace_is_the_wish_of_the_operator() -> None:
    shown = Shown(limit=10.0, settings=Settings(stage_grace_seconds=5.0))
    shown.enter("search")
    assert shown.until_judged(30, beating=True, computing=True) == (How.DEADLINE, True, pytest.approx(15.0, abs=0.11))


@pytest.mark.parametrize("computing", [True, False])
def test_a_child_without_a_beat_hangs_and_that_is_said_before_it_is_acted_on(computing: bool) -> None:
    shown = Shown()
    shown.enter("search")
    assert shown.until_judged(5, beating=True, computing=True) is None
    shown.health.clear()
    judged = shown.until_judged(60, beating=False, computing=computing)
    assert judged is not None and judged[:2] == (How.HANG, False)
    assert judged[2] == pytest.approx(SILENCE_SECONDS, abs=0.11) and judged[2] < 10
    said = shown.health.index("stalled")
    assert said * STEP == pytest.approx(SUSPECT_SECONDS, abs=0.21) and set(shown.health[:said]) == {"ok"}


def test_even_a_finding_that_is_certain_at_once_is_said_first() -> None:
    shown = Shown()
    shown.watch.diagnosis._beat_at -= 60
    shown.watch.diagnosis._beat = shown.beats
    assert shown.until_judged(STEP, beating=False, computing=False) is None
    assert shown.watch.finding.certain and shown.watch.health == "stalled"
    assert shown.until_judged(STEP, beating=False, computing=False) is not None


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
    judged = shown.until_judged(100, beating=True, computing=True)
    assert judged == (How.DEADLINE, False, pytest.approx(limit, abs=0.11))
    assert shown.health[-2] == "stalled" and set(shown.health[:-20]) == {"ok"}, "it is said before, and only then"
    assert shown.watch.finding.verdict is Verdict.OVERDUE


def test_only_the_first_timetable_has_a_deadline_of_its_own() -> None:
    shown = Shown(limit=1000.0, has_incumbent=True)
    shown.enter("construct")
    assert shown.until_judged(100, beating=True, computing=True) is None


def test_the_last_recount_is_not_cut_short_by_the_time_limit_and_grows_with_the_data() -> None:
    shown = Shown(limit=10.0)
    shown.enter("search")
    assert shown.until_judged(9, beating=True, computing=True) is None
    shown.enter("verify")
    shown.watch.diagnosis.mebibytes = 1.0
    judged = shown.until_judged(100, beating=True, computing=True)
    assert judged == (How.DEADLINE, False, pytest.approx(VERIFY_SECONDS + 30.0, abs=0.11))


def test_repeating_a_stage_in_the_same_breath_does_not_prolong_it() -> None:
    shown = Shown()
    shown.enter("context")
    shown.until_judged(15, beating=True, computing=True)
    shown.enter("context")
    judged = shown.until_judged(15, beating=True, computing=True)
    assert judged == (How.DEADLINE, False, pytest.approx(5.0, abs=0.11))


def test_entering_a_stage_says_which_one_was_left_and_how_long_it_took() -> None:
    watch = Shown().watch
    assert watch.enter("load", 1001.0) is None
    assert watch.enter("context", 1002.5) == ("load", 2.5)
    assert watch.enter("search", 1003.0) == ("context", 0.5)


def test_memory_beyond_the_limit_ends_the_child_at_the_next_look() -> None:
    shown = Shown()
    shown.resident = 501 * MEBIBYTE
    assert shown.until_judged(10, beating=True, computing=True) == (How.MEMORY, False, STEP)


@pytest.mark.parametrize("computing", [False, True])
def test_a_silent_leak_is_said_and_then_ended_as_memory_below_its_limit(computing: bool) -> None:
    shown = Shown()
    shown.enter("search")
    shown.until_judged(1, beating=True, computing=True)
    shown.grows = 40 * MEBIBYTE
    judged = shown.until_judged(20, beating=False, computing=computing)
    assert judged is not None and judged[:2] == (How.MEMORY, False)
    assert SILENCE_SECONDS - STEP <= judged[2] < 10 and shown.resident < 500 * MEBIBYTE
    assert shown.watch.finding.verdict is Verdict.MEMORY_LEAK
    assert set(shown.health[-20:]) == {"stalled"}, "everybody was told before anything was done"


def test_a_watcher_that_was_held_up_itself_judges_nobody() -> None:
    shown = Shown(limit=20.0)
    shown.enter("search")
    shown.until_judged(1, beating=True, computing=True)
    shown.now += 600
    assert shown.until_judged(1.5, beating=False, computing=True) is None, "the child is as surprised as we are"
    judged = shown.until_judged(5, beating=True, computing=True)
    assert judged is not None and judged[0] is How.DEADLINE


def test_silence_is_shown_as_stalled_in_any_case_after_the_time_that_was_set() -> None:
    shown = Shown(limit=10_000.0, settings=Settings(stalled_after_seconds=30))
    shown.watch.diagnosis.mebibytes = 100.0
    shown.enter("search")
    shown.until_judged(25, beating=False, computing=True)
    assert shown.watch.health == "slow"
    shown.until_judged(10, beating=False, computing=True)
    assert shown.watch.health == "stalled"


def test_a_child_that_has_just_ended_is_not_judged() -> None:
    shown = Shown()
    assert shown.watch.see(shown.now + 1, None) is None


def test_solving_time_begins_when_the_data_is_loaded() -> None:
    shown = Shown(limit=2.0)
    shown.until_judged(7, beating=True, computing=True)
    assert shown.watch.solving_seconds(shown.now) == 0
    shown.enter("context")
    shown.until_judged(3, beating=True, computing=True, polite=False)
    assert shown.watch.solving_seconds(shown.now) == pytest.approx(2.7, abs=0.21)
    assert shown.watch.overshoot_seconds(shown.now) == pytest.approx(0.7, abs=0.21)
