"""
When a child has to go, judged from outside. Pure: it is fed with what was seen and says what to do.

Two signs of life. The *beat* is a counter that every loop of the solver advances; *processor time* is what the kernel
reports. A child without either for `HANG_SECONDS` hangs. A child that computes without beating may be in a part of
CP-SAT that cannot beat, so it lives until its stage, or its job, is out of time; only progress says `slow`. Age alone,
and a busy processor, are never faults.

A watcher that was itself held up (a stopped process, a laptop that slept) judges nobody for that gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from app.endings import How
from app.settings import Settings
from app.vitals import Vitals
from solver.control import Stage

HANG_SECONDS = 10.0
STALLED_SECONDS = 5.0
"""Without any sign of life for this long the progress says `stalled`: before the kill, so that nobody has to guess."""
LOAD_SECONDS = 60.0
VERIFY_SECONDS = 60.0
GAP_SECONDS = 2.0
"""A pause between two looks that is longer than this is the watcher's own."""
MEBIBYTE = 1 << 20

Health = Literal["ok", "slow", "stalled"]


class Verdict(NamedTuple):
    """`polite` verdicts begin with a request to finish; the others kill at once."""

    how: How
    polite: bool
    message: str


@dataclass(kw_only=True)
class Watch:
    """The watch over one child. All instants are those of one monotonic clock, in seconds."""

    settings: Settings
    time_limit_seconds: float
    began: float
    has_incumbent: bool = False
    stage: Stage = "load"
    stage_began: float = field(init=False)
    solving_began: float | None = None
    _beat: int = -1
    _beat_at: float = field(init=False)
    _cpu: float = -1.0
    _alive_at: float = field(init=False)
    _looked_at: float = field(init=False)
    peak_bytes: int = 0

    def __post_init__(self) -> None:
        self.stage_began = self._beat_at = self._alive_at = self._looked_at = self.began

    def enter(self, stage: Stage, now: float) -> None:
        """The child reports from `stage`."""
        if stage == self.stage:
            return
        self.stage, self.stage_began = stage, now
        if self.solving_began is None and stage not in ("load", "validate"):
            self.solving_began = now

    @property
    def stage_deadline(self) -> float | None:
        """When the present stage is over at the latest, None when only the whole job has a deadline."""
        limits: dict[Stage, float] = {
            "load": LOAD_SECONDS,
            "validate": LOAD_SECONDS,
            "context": self.settings.context_seconds,
            "verify": VERIFY_SECONDS,
            "store": VERIFY_SECONDS,
        }
        if not self.has_incumbent:
            limits["construct"] = self.settings.first_answer_seconds
        limit = limits.get(self.stage)
        return None if limit is None else self.stage_began + limit

    @property
    def deadline(self) -> float:
        """When solving is over at the latest; the last recount has a stage deadline of its own."""
        if self.solving_began is None:
            return self.began + LOAD_SECONDS + self.time_limit_seconds
        return self.solving_began + self.time_limit_seconds + self.settings.stage_grace_seconds

    def solving_seconds(self, now: float) -> float:
        return 0.0 if self.solving_began is None else now - self.solving_began

    def see(self, now: float, beat: int, vitals: Vitals | None) -> Verdict | None:
        """One look. Where the kernel tells nothing (the child has just ended), only the deadlines are judged."""
        self._forgive_own_gap(now)
        if beat != self._beat:
            self._beat, self._beat_at, self._alive_at = beat, now, now
        if vitals is None:
            return self._judge_time(now)
        if vitals.cpu_seconds > self._cpu:
            self._cpu, self._alive_at = vitals.cpu_seconds, now
        self.peak_bytes = max(self.peak_bytes, vitals.resident_bytes)
        return self._judge_body(now, vitals) or self._judge_time(now)

    def health(self, now: float) -> Health:
        if now - self._alive_at >= STALLED_SECONDS or now - self._beat_at >= self.settings.stalled_after_seconds:
            return "stalled"
        return "slow" if now - self._beat_at >= STALLED_SECONDS else "ok"

    def _judge_body(self, now: float, vitals: Vitals) -> Verdict | None:
        if vitals.resident_bytes > self.settings.memory_limit_mb * MEBIBYTE:
            used, cap = vitals.resident_bytes // MEBIBYTE, self.settings.memory_limit_mb
            return Verdict(
                How.MEMORY, False, f"it used {used} MB of memory in stage {self.stage}; the limit is {cap} MB"
            )
        if now - self._alive_at >= HANG_SECONDS:
            silence = f"no sign of life for {now - self._alive_at:.0f} s (state {vitals.state})"
            return Verdict(How.HANG, False, f"it hung in stage {self.stage}: {silence}")
        return None

    def _judge_time(self, now: float) -> Verdict | None:
        if self.stage_deadline is not None and now >= self.stage_deadline:
            allowed = self.stage_deadline - self.stage_began
            return Verdict(How.DEADLINE, False, f"stage {self.stage} took longer than its {allowed:g} s")
        if self.stage not in ("verify", "store") and now >= self.deadline:
            return Verdict(
                How.DEADLINE, True, f"it was not done {self.settings.stage_grace_seconds:g} s after its time limit"
            )
        return None

    def _forgive_own_gap(self, now: float) -> None:
        gap = now - self._looked_at
        if gap > GAP_SECONDS:
            self._beat_at += gap
            self._alive_at += gap
        self._looked_at = now
