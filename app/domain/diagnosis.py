"""
What is the matter with a child, told from what the kernel says of it and from its beat. Pure.

The signs are the beat (a counter that all work of the solver advances), the processor time used *since* the last beat,
whether any thread wants to run, the state of the process and its resident memory. Never the age of a job, and never a
busy processor: a healthy solver is always at 100 %.

    beat silent, stopped by a signal                     STOPPED
    beat silent, computing more than the place may       INFINITE_LOOP
    beat silent, no thread wants to run                  DEADLOCK_SUSPECTED
    beat silent, threads want to run and may not         NORMAL_PROCESSING: the machine is busy
    beat silent, and its memory grows all the time       MEMORY_LEAK, whatever else it does
    more memory than allowed, or soon                    MEMORY_LEAK
    gone without a last word                             PROCESS_DIED
    killed, and still there                              UNKILLABLE
    alive, and its time is up (said by the watch)        OVERDUE

A finding is *certain* after `SILENCE_SECONDS`, and a suspicion from `SUSPECT_SECONDS` on, so that everybody can be told
before anything is done. How much a healthy place computes between two beats stands in `PATIENCE`, in processor seconds,
which do not pass while others have the processor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from app import MEBIBYTE
from solver.control import Place

SILENCE_SECONDS = 8.0
"""Silence after which a finding is certain; with the looking, telling and killing it stays below ten seconds."""
SUSPECT_SECONDS = 4.0
CLOSE_LOOK_SECONDS = 1.0
"""From this much silence on a sample shall name the threads."""
DISK_SECONDS = 30.0
"""A child that waits for a disk is slow rather than dead, for this long."""
RUNNABLE_SHARE = 0.5
"""A child of which a thread wants to run in more than this share of the looks is not waiting for itself."""
GAP_SECONDS = 2.0
"""A pause between two looks that is longer than this is the watcher's own, and nobody is judged for it."""
LEAK_HORIZON_SECONDS = 60.0
"""A steady growth that reaches the limit within this time is warned of."""
LEAK_BYTES_PER_SECOND = MEBIBYTE
"""A silent child that grows faster than this from first to last leaks: what waits or runs in circles does not grow."""
KEEP_EVERY_SECONDS = 0.5
KEPT_SAMPLES = 30


class Verdict(StrEnum):
    """What is thought of a child; the values stand in the store and in metrics."""

    NORMAL_PROCESSING = "NORMAL_PROCESSING"
    DEADLOCK_SUSPECTED = "DEADLOCK_SUSPECTED"
    INFINITE_LOOP = "INFINITE_LOOP"
    MEMORY_LEAK = "MEMORY_LEAK"
    PROCESS_DIED = "PROCESS_DIED"
    STOPPED = "STOPPED"
    UNKILLABLE = "UNKILLABLE"
    OVERDUE = "OVERDUE"


HANGS = frozenset({Verdict.DEADLOCK_SUSPECTED, Verdict.INFINITE_LOOP, Verdict.STOPPED})


class Patience(NamedTuple):
    """Processor seconds of work between two beats that are healthy: a floor, and more for each packed mebibyte."""

    base: float
    per_mebibyte: float


DEFAULT_PATIENCE = Patience(1.0, 10.0)
"""Longest silence of the real solver: 0.1 s on 0.02 MB (372 sessions), 0.4 s on 0.07 (1,600), 0.6 s on 0.37 (8,270)."""
PATIENCE: Mapping[Place, Patience] = {
    Place.MODEL_BUILD: Patience(2.0, 10.0),  # a rule of the largest model that we build takes seconds
}


def patience(place: Place, mebibytes: float) -> float:
    """Processor seconds that a child may spend at `place` without a beat; `mebibytes` of packed dataset."""
    base, per_mebibyte = PATIENCE.get(place, DEFAULT_PATIENCE)
    return base + per_mebibyte * mebibytes


class ThreadLook(NamedTuple):
    """One thread: its name, the letter of its state, and the function of the kernel in which it waits."""

    name: str
    state: str
    wait_channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSample:
    """One look at a child. `at` in seconds of a monotonic clock; `threads` None where nobody looked that closely."""

    at: float
    beat: int
    place: Place
    cpu_seconds: float
    state: str
    resident_bytes: int
    threads: tuple[ThreadLook, ...] | None = None

    @property
    def stopped(self) -> bool:
        """Whether a signal or a debugger has stopped the process."""
        return self.state in "Tt"

    @property
    def wants_to_run(self) -> bool:
        """Whether any thread runs or waits for a processor."""
        return self.state == "R" or any(thread.state == "R" for thread in self.threads or ())

    @property
    def waits_for_disk(self) -> bool:
        """Whether any thread waits for a device, which no signal interrupts."""
        return self.state == "D" or any(thread.state == "D" for thread in self.threads or ())


class Assessment(NamedTuple):
    """A verdict in words. Only a `certain` one is a reason to act."""

    verdict: Verdict
    sentence: str
    certain: bool = False


FINE = Assessment(Verdict.NORMAL_PROCESSING, "it works")


@dataclass(kw_only=True)
class Diagnosis:
    """
    The medical record of one child: samples in, a finding out.

    `mebibytes` of packed dataset scale the patience; `memory_limit_bytes` is what the child may have resident.
    """

    began: float
    mebibytes: float
    memory_limit_bytes: int
    finding: Assessment = FINE
    samples: deque[ProcessSample] = field(default_factory=lambda: deque(maxlen=KEPT_SAMPLES))
    last: ProcessSample | None = None
    peak_bytes: int = 0
    _beat: int = -1
    _beat_at: float = field(init=False)
    _cpu_at_beat: float = 0.0
    _looks: int = 0
    _wanted: int = 0
    _stopped: bool = False

    def __post_init__(self) -> None:
        self._beat_at = self.began

    def silence(self, now: float) -> float:
        """Seconds since the last beat, less what was forgiven."""
        return now - self._beat_at

    def beat_age(self, now: float) -> float | None:
        """The same, None before the first beat."""
        return self.silence(now) if self._beat > 0 else None

    def gets_nowhere(self, seconds: float) -> bool:
        """
        Whether it is silent for `seconds` with nothing to excuse it.

        A weaker sign than a finding, for a child that was asked to end and of which nobody expects anything any more.
        """
        sample = self.last
        if sample is None or self.silence(sample.at) < seconds:
            return False
        return sample.stopped or self._computes_too_long(sample) or (self._waits() and not sample.waits_for_disk)

    def _computes_too_long(self, sample: ProcessSample) -> bool:
        return sample.cpu_seconds - self._cpu_at_beat >= patience(sample.place, self.mebibytes)

    def _waits(self) -> bool:
        """Whether no thread of it has wanted to run in most of the close looks since the last beat."""
        return self._wanted < RUNNABLE_SHARE * max(1, self._looks)

    def see(self, sample: ProcessSample) -> Assessment:
        """Judges by this look and those before. A watcher that comes late has seen nothing, and starts anew."""
        late = self.last is not None and sample.at - self.last.at > GAP_SECONDS
        woken = self._stopped and not sample.stopped
        if sample.beat != self._beat or late or woken:
            self._beat, self._beat_at, self._cpu_at_beat = sample.beat, sample.at, sample.cpu_seconds
            self._looks = self._wanted = 0
        self._stopped = sample.stopped
        if sample.threads is not None:
            self._looks += 1
            self._wanted += sample.wants_to_run
        if not self.samples or sample.at - self.samples[-1].at >= KEEP_EVERY_SECONDS:
            self.samples.append(sample)
        self.last = sample
        self.peak_bytes = max(self.peak_bytes, sample.resident_bytes)
        self.finding = self._of_limit(sample) or self._of_silence(sample) or self._of_growth(sample) or FINE
        return self.finding

    def _of_limit(self, sample: ProcessSample) -> Assessment | None:
        if sample.resident_bytes <= self.memory_limit_bytes:
            return None
        used, limit = sample.resident_bytes // MEBIBYTE, self.memory_limit_bytes // MEBIBYTE
        return Assessment(Verdict.MEMORY_LEAK, f"it used {used} MB of memory; the limit is {limit} MB", certain=True)

    def _of_silence(self, sample: ProcessSample) -> Assessment | None:
        found = self._of_standstill(sample)
        slope = 0.0 if found is None or sample.stopped else self._silent_growth(sample)
        if found is None or slope < LEAK_BYTES_PER_SECOND:
            return found
        grows = f"its memory grows by {slope / MEBIBYTE:.0f} MB a second, to {sample.resident_bytes // MEBIBYTE} MB"
        silent = f"it has shown no sign of life for {self.silence(sample.at):.0f} s (state {sample.state})"
        return Assessment(Verdict.MEMORY_LEAK, f"{grows}, and {silent}", found.certain)

    def _silent_growth(self, sample: ProcessSample) -> float:
        """Bytes per second by which it has grown since the last beat, in the slowest third of that time."""
        since = [(seen.at, seen.resident_bytes) for seen in self.samples if seen.at >= self._beat_at]
        if not since or since[-1][0] < sample.at:
            since.append((sample.at, sample.resident_bytes))
        return min(slopes_of_thirds(since), default=0.0)

    def _of_standstill(self, sample: ProcessSample) -> Assessment | None:
        silent = self.silence(sample.at)
        if silent < SUSPECT_SECONDS:
            return None
        used = sample.cpu_seconds - self._cpu_at_beat
        allowed = patience(sample.place, self.mebibytes)
        long_enough = silent >= SILENCE_SECONDS
        since = f"no sign of life for {silent:.0f} s (state {sample.state}, {used:.1f} s of processor time)"
        if sample.stopped:
            return Assessment(Verdict.STOPPED, f"it was stopped by a signal: {since}", long_enough)
        if self._computes_too_long(sample):
            return Assessment(Verdict.INFINITE_LOOP, f"it computes and gets nowhere: {since}", long_enough)
        if self._waits():
            if sample.waits_for_disk:
                long_enough = silent >= DISK_SECONDS
            return Assessment(
                Verdict.DEADLOCK_SUSPECTED, f"it waits for something that does not come: {since}", long_enough
            )
        if used >= allowed / 2:
            return Assessment(Verdict.INFINITE_LOOP, f"it may be in a loop without an end: {since}")
        return None

    def _of_growth(self, sample: ProcessSample) -> Assessment | None:
        """Only warns: what grows steadily may as well stop growing."""
        slope = steady_growth([(seen.at, seen.resident_bytes) for seen in self.samples])
        ahead = sample.resident_bytes + slope * LEAK_HORIZON_SECONDS
        if ahead <= self.memory_limit_bytes:
            return None
        seconds = (self.memory_limit_bytes - sample.resident_bytes) / slope
        rate = f"its memory grows by {slope / MEBIBYTE:.0f} MB a second"
        return Assessment(Verdict.MEMORY_LEAK, f"{rate} and reaches the limit in {seconds:.0f} s")


def steady_growth(points: Sequence[tuple[float, int]]) -> float:
    """
    Bytes per second by which memory grows in each third of the (time, bytes) seen; 0 when it does not grow steadily.

    Steady means that the middle and the last third rise alike, within a factor of two.
    """
    if len(points) < KEPT_SAMPLES // 2:
        return 0.0
    slopes = slopes_of_thirds(points)
    if not 0 < max(slopes) <= 2 * min(slopes):
        return 0.0
    return (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])


def slopes_of_thirds(points: Sequence[tuple[float, int]]) -> list[float]:
    """Bytes per second in each third of the (time, bytes) seen; none of fewer than four."""
    third = len(points) // 3
    if len(points) < 4:
        return []
    marks = [points[0], points[third], points[2 * third], points[-1]]
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(marks)]


def died(sentence: str) -> Assessment:
    """The child is gone, and nobody of us has killed it."""
    return Assessment(Verdict.PROCESS_DIED, sentence, certain=True)


def unkillable(state: str, seconds: float) -> Assessment:
    """SIGKILL was sent, and the child is still there."""
    return Assessment(
        Verdict.UNKILLABLE, f"it is still there {seconds:g} s after SIGKILL (state {state})", certain=True
    )


def records(samples: Sequence[ProcessSample], now: float) -> Iterator[dict[str, Any]]:
    """The samples for a bundle: JSON-safe, ages instead of instants."""
    for sample in samples:
        yield {
            "seconds_ago": round(now - sample.at, 2),
            "beat": sample.beat,
            "place": sample.place.label,
            "cpu_seconds": round(sample.cpu_seconds, 2),
            "state": sample.state,
            "resident_mb": sample.resident_bytes // MEBIBYTE,
        }
