"""The diagnosis judges by what it is shown; time is an argument, so nothing here waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import MEBIBYTE
from app.domain.diagnosis import (
    HANGS,
    SILENCE_SECONDS,
    SUSPECT_SECONDS,
    Assessment,
    Diagnosis,
    ProcessSample,
    ThreadLook,
    Verdict,
    died,
    patience,
    records,
    steady_growth,
    unkillable,
)
from solver.control import Place

LOOK = 0.1
LIMIT_MB = 1000


class Patient:
    """A child as the diagnosis is shown it: two threads, looked at ten times a second."""

    def __init__(self, *, mebibytes: float = 0.02, place: Place = Place.LOCAL_SEARCH) -> None:
        self.now, self.beat, self.cpu, self.resident, self.place = 1000.0, 1, 0.0, 100.0, place
        self.record = Diagnosis(began=self.now, mebibytes=mebibytes, memory_limit_bytes=LIMIT_MB * MEBIBYTE)

    def live(
        self,
        seconds: float,
        *,
        beating: bool = False,
        cpu: float = 0.0,
        state: str = "S",
        worker: str = "S",
        grows: float = 0.0,
    ) -> Assessment:
        """Lives for `seconds` with a share `cpu` of a processor, `grows` MB a second; stops at a certain finding."""
        for _ in range(round(seconds / LOOK)):
            self.now += LOOK
            self.beat += beating
            self.cpu += cpu * LOOK
            self.resident += grows * LOOK
            if self.record.see(self.sample(state, worker)).certain:
                break
        return self.record.finding

    def sample(self, state: str, worker: str) -> ProcessSample:
        return ProcessSample(
            at=self.now,
            beat=self.beat,
            place=self.place,
            cpu_seconds=self.cpu,
            state=state,
            resident_bytes=int(self.resident * MEBIBYTE),
            threads=(ThreadLook("python", state, ""), ThreadLook("Thread-1", worker, "futex_wait")),
        )

    @property
    def silence(self) -> float:
        return self.record.silence(self.now)


def test_a_child_that_beats_is_well_however_much_or_little_it_computes() -> None:
    for cpu in (0.0, 1.0, 8.0):
        assert Patient().live(3600 * LOOK, beating=True, cpu=cpu, worker="R").verdict is Verdict.NORMAL_PROCESSING


def test_a_loop_without_a_beat_is_suspected_and_then_certain_within_ten_seconds() -> None:
    patient = Patient()
    patient.live(5, beating=True, cpu=1.0, worker="R")
    suspicion = patient.live(SUSPECT_SECONDS + LOOK, cpu=1.0, worker="R")
    assert (suspicion.verdict, suspicion.certain) == (Verdict.INFINITE_LOOP, False)
    finding = patient.live(60, cpu=1.0, worker="R")
    assert (finding.verdict, finding.certain) == (Verdict.INFINITE_LOOP, True)
    assert SILENCE_SECONDS <= patient.silence < SILENCE_SECONDS + 2 * LOOK


def test_a_child_that_waits_for_itself_is_a_suspected_deadlock() -> None:
    patient = Patient()
    patient.live(5, beating=True, cpu=1.0, worker="R")
    finding = patient.live(60)
    assert (finding.verdict, finding.certain) == (Verdict.DEADLOCK_SUSPECTED, True)
    assert patient.silence < SILENCE_SECONDS + 2 * LOOK and "no sign of life for 8 s" in finding.sentence


def test_a_stopped_child_is_called_stopped() -> None:
    finding = Patient().live(60, state="T", worker="T")
    assert (finding.verdict, finding.certain) == (Verdict.STOPPED, True)


def test_a_child_that_was_stopped_and_goes_on_has_its_whole_time_again() -> None:
    patient = Patient()
    patient.live(SILENCE_SECONDS - 0.5, state="T", worker="T")
    assert patient.live(SUSPECT_SECONDS - LOOK).verdict is Verdict.NORMAL_PROCESSING


def test_a_child_that_wants_to_run_and_may_not_is_not_at_fault() -> None:
    """On a machine that is busy with other work it gets a fiftieth of a processor, for minutes."""
    patient = Patient()
    assert patient.live(30, cpu=0.02, worker="R").verdict is Verdict.NORMAL_PROCESSING
    patient.live(600, cpu=0.02, worker="R")
    assert patient.record.finding.verdict is Verdict.INFINITE_LOOP, "what it computes counts, however long it takes"


def test_large_data_may_be_worked_on_for_longer_without_a_beat() -> None:
    patient = Patient(mebibytes=1.5)
    assert not patient.live(15, cpu=1.0, worker="R").certain
    assert patient.live(15, cpu=1.0, worker="R").certain


@pytest.mark.parametrize("place", list(Place))
def test_hangs_are_decided_in_time_at_every_place_with_ordinary_data(place: Place) -> None:
    assert patience(place, 0.07) < SILENCE_SECONDS
    patient = Patient(place=place)
    patient.live(60, cpu=1.0, worker="R")
    assert patient.silence < SILENCE_SECONDS + 2 * LOOK


def test_a_child_that_waits_for_the_disk_is_given_more_time() -> None:
    patient = Patient()
    assert not patient.live(20, worker="D").certain
    assert patient.live(20, worker="D").certain


def test_a_watcher_that_was_held_up_itself_judges_nobody() -> None:
    patient = Patient()
    patient.live(3)
    patient.now += 600
    assert patient.live(SUSPECT_SECONDS).verdict is Verdict.NORMAL_PROCESSING
    assert patient.live(60).certain


def test_memory_beyond_the_limit_is_certain_at_the_next_look() -> None:
    patient = Patient()
    patient.resident = LIMIT_MB + 1
    finding = patient.live(1, beating=True)
    assert (finding.verdict, finding.certain) == (Verdict.MEMORY_LEAK, True)
    assert finding.sentence == f"it used {LIMIT_MB + 1} MB of memory; the limit is {LIMIT_MB} MB"
    assert patient.record.peak_bytes == (LIMIT_MB + 1) * MEBIBYTE


def test_memory_that_grows_steadily_towards_the_limit_is_warned_of_and_nothing_else() -> None:
    patient = Patient()
    finding = patient.live(20, beating=True, cpu=1.0, grows=20.0)
    assert (finding.verdict, finding.certain) == (Verdict.MEMORY_LEAK, False)
    assert "grows by 20 MB a second" in finding.sentence


@pytest.mark.parametrize(("cpu", "worker"), [(0.0, "S"), (1.0, "R")])
def test_a_silent_child_whose_memory_grows_all_the_time_leaks_whether_it_waits_or_computes(
    cpu: float, worker: str
) -> None:
    patient = Patient()
    patient.live(5, beating=True, cpu=1.0, worker="R")
    suspicion = patient.live(SUSPECT_SECONDS + LOOK, cpu=cpu, worker=worker, grows=46.0)
    assert (suspicion.verdict, suspicion.certain) == (Verdict.MEMORY_LEAK, False)
    finding = patient.live(60, cpu=cpu, worker=worker, grows=46.0)
    assert (finding.verdict, finding.certain) == (Verdict.MEMORY_LEAK, True)
    assert "grows by 46 MB a second" in finding.sentence and "no sign of life for 8 s" in finding.sentence
    assert patient.resident < LIMIT_MB and patient.silence < SILENCE_SECONDS + 2 * LOOK


def test_a_silent_child_that_has_stopped_growing_waits_or_runs_in_circles() -> None:
    patient = Patient()
    patient.live(3, grows=46.0)
    assert patient.live(60).verdict is Verdict.DEADLOCK_SUSPECTED
    patient = Patient()
    patient.live(3, cpu=1.0, worker="R", grows=46.0)
    assert patient.live(60, cpu=1.0, worker="R").verdict is Verdict.INFINITE_LOOP


def test_a_silent_child_that_may_not_run_is_not_called_leaking() -> None:
    patient = Patient()
    assert not patient.live(10, cpu=0.02, worker="R", grows=2.0).certain


def test_memory_that_is_built_up_and_kept_is_no_leak() -> None:
    patient = Patient()
    patient.live(3, beating=True, cpu=1.0, grows=150.0)
    assert patient.live(20, beating=True, cpu=1.0).verdict is Verdict.NORMAL_PROCESSING


def test_growth_needs_a_history() -> None:
    assert steady_growth([(0.0, 0), (1.0, 10)]) == 0.0
    assert steady_growth([(float(i), 10 * i) for i in range(30)]) == 10.0
    assert steady_growth([(float(i), min(100, 10 * i)) for i in range(30)]) == 0.0


def test_the_dead_and_the_undead_have_words_of_their_own() -> None:
    assert died("signal 9").verdict is Verdict.PROCESS_DIED
    assert "state D" in unkillable("D", 5.0).sentence and unkillable("D", 5.0).verdict is Verdict.UNKILLABLE


def test_samples_are_kept_for_the_last_seconds_as_plain_records() -> None:
    patient = Patient()
    patient.live(60, beating=True, cpu=0.5)
    kept = list(records(patient.record.samples, patient.now))
    assert len(kept) == 30 and 14 < kept[0]["seconds_ago"] < 30
    assert kept[-1] == {**kept[-1], "place": "local_search", "state": "S", "resident_mb": 100}


Stretch = st.fixed_dictionaries(
    {
        "seconds": st.floats(0.2, 12.0),
        "beating": st.booleans(),
        "cpu": st.floats(0.0, 2.0),
        "state": st.sampled_from("SRDT"),
        "worker": st.sampled_from("SRDT"),
    }
)


@given(st.lists(Stretch, max_size=8), st.sampled_from(list(Place)))
def test_no_child_is_found_hung_unless_it_was_silent_for_the_whole_time(
    stretches: list[dict[str, object]], place: Place
) -> None:
    patient = Patient(place=place)
    for stretch in stretches:
        finding = patient.live(**stretch)  # type: ignore[arg-type]
        if finding.certain:
            assert finding.verdict in HANGS
            assert patient.silence >= SILENCE_SECONDS
            break


@given(st.lists(Stretch, max_size=5))
def test_every_child_that_is_silent_and_has_its_processor_is_found_out_in_the_end(
    stretches: list[dict[str, object]],
) -> None:
    patient = Patient()
    for stretch in stretches:
        patient.live(**stretch)  # type: ignore[arg-type]
    for cpu, worker in ((1.0, "R"), (0.0, "S")):
        probe = Patient()
        probe.record, probe.now, probe.beat, probe.cpu = patient.record, patient.now, patient.beat + 1, patient.cpu
        probe.record.see(replace(probe.sample("S", worker), at=probe.now + LOOK))
        probe.now += LOOK
        finding = probe.live(60, cpu=cpu, worker=worker)
        assert finding.certain and probe.silence < SILENCE_SECONDS + 2 * LOOK
        patient.now, patient.cpu, patient.beat = probe.now, probe.cpu, probe.beat
