"""
When a child has to go, judged from outside. Pure: it is fed with looks and says what to do.

What is the matter with a child is found out by `app.domain.diagnosis`; here stand the deadlines and the policy. A hang
and a deadline are acted on only after they have been said: progress shows `stalled` in an earlier look than the one
that kills, with the verdict `OVERDUE` where nothing is the matter but the time.

Every stage but those of the search has a deadline of its own; the search ends with the job. A child that outlives the
time limit of its job is asked to finish `stage_grace_seconds` later, and is killed so that job and child are over
`longest_overshoot()` after the limit at the latest. The last recount begins within the limit and has a deadline of its
own.

A watcher that was itself held up (a stopped process, a laptop that slept) judges nobody for that gap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from app import MEBIBYTE
from app.domain.diagnosis import GAP_SECONDS, HANGS, SUSPECT_SECONDS, Assessment, Diagnosis, ProcessSample, Verdict
from app.domain.outcomes import How
from app.domain.telemetry import Health
from app.settings import Settings
from solver.control import Place, Stage

LOAD_SECONDS = 60.0
VERIFY_SECONDS = 20.0
VERIFY_SECONDS_PER_MEBIBYTE = 30.0
"""Recounting and packing 8,270 sessions, 0.37 MB of packed data, takes 1.5 s on an idle machine."""
LEAST_OVERSHOOT_SECONDS, OVERSHOOT_SHARE, MOST_OVERSHOOT_SECONDS = 1.0, 0.02, 2.0
KILL_SECONDS = 0.3
"""From the decision until the child is reaped: a look, a stack dump, the kill."""
_LAST: frozenset[Stage] = frozenset({"verify", "store"})
_BEFORE_SOLVING = frozenset({Place.OTHER, Place.LOAD, Place.VALIDATE})
DUE_SECONDS, DUE_IN_SEARCH_SECONDS = 1.0, 0.2
"""So long before a child is killed because a stage, or the whole job, has used up its time, that is said."""
LAST_WORD_SECONDS = 0.4
"""A child that is asked to finish because time is up has at least this long."""


class Decision(NamedTuple):
    """`polite` decisions ask the child to finish; the others kill."""

    how: How
    polite: bool
    message: str


def longest_overshoot(time_limit_seconds: float) -> float:
    """Seconds by which a job may outlive its time limit."""
    return min(MOST_OVERSHOOT_SECONDS, max(LEAST_OVERSHOOT_SECONDS, OVERSHOOT_SHARE * time_limit_seconds))


@dataclass(kw_only=True)
class Watch:
    """
    The watch over one child. All instants are those of one monotonic clock, in seconds.

    """

    settings: Settings
    time_limit_seconds: float
    began: float
    has_incumbent: bool = False
    stage: Stage = "load"
    stage_began: float = field(init=False)
    solving_began: float | None = None
    diagnosis: Diagnosis = field(init=False)
    health: Health = "ok"
    _overdue: Assessment | None = None
    _looked_at: float = field(init=False)
    _judging_from: float = field(init=False)

    def __post_init__(self) -> None:
        self.start(self.began)

    def start(self, now: float, mebibytes: float = 0.0) -> None:
        """The child exists from now on; `mebibytes` of packed dataset scale what may take how long."""
        self.began = self.stage_began = self._looked_at = self._judging_from = now
        limit = self.settings.memory_limit_mb * MEBIBYTE
        self.diagnosis = Diagnosis(began=now, mebibytes=mebibytes, memory_limit_bytes=limit)

    def enter(self, stage: Stage, now: float) -> tuple[Stage, float] | None:
        """The child reports from `stage`; returns the stage that it has left, and the seconds it took, if it has."""
        if stage == self.stage:
            return None
        left = self.stage, now - self.stage_began
        self.stage, self.stage_began = stage, now
        if self.solving_began is None and stage not in ("load", "validate"):
            self.solving_began = now
        return left

    @property
    def finding(self) -> Assessment:
        """What the diagnosis says, or that its time is up when that is all there is to say."""
        found = self.diagnosis.finding
        return self._overdue if self._overdue is not None and found.verdict is Verdict.NORMAL_PROCESSING else found

    @property
    def place(self) -> Place:
        """Where the child was when it was looked at last."""
        last = self.diagnosis.last
        return Place.OTHER if last is None else last.place

    @property
    def stage_deadline(self) -> float | None:
        """When the present stage is over at the latest, None when only the whole job has a deadline."""
        verify = VERIFY_SECONDS + VERIFY_SECONDS_PER_MEBIBYTE * self.diagnosis.mebibytes
        limits: dict[Stage, float] = {
            "load": LOAD_SECONDS,
            "validate": LOAD_SECONDS,
            "context": self.settings.context_seconds,
            "verify": verify,
            "store": verify,
        }
        if not self.has_incumbent:
            limits["construct"] = self.settings.first_answer_seconds
        limit = limits.get(self.stage)
        return None if limit is None else self.stage_began + limit

    @property
    def time_up_at(self) -> float:
        """When the time limit of the job is used up, as far as that is known."""
        if self.solving_began is None:
            return self.began + LOAD_SECONDS + self.time_limit_seconds
        return self.solving_began + self.time_limit_seconds

    @property
    def finish_at(self) -> float:
        """When a child that still searches is asked to finish."""
        return self.time_up_at + self.settings.stage_grace_seconds

    @property
    def kill_at(self) -> float:
        """When a child that still searches is killed."""
        latest = self.time_up_at + longest_overshoot(self.time_limit_seconds) - KILL_SECONDS
        return max(latest, self.finish_at + LAST_WORD_SECONDS)

    def solving_seconds(self, now: float) -> float:
        """How long it solves at the monotonic time `now`; 0 until the data are loaded."""
        return 0.0 if self.solving_began is None else now - self.solving_began

    def overshoot_seconds(self, now: float) -> float:
        """How long the job has outlived its time limit."""
        return max(0.0, self.solving_seconds(now) - self.time_limit_seconds)

    def see(self, now: float, sample: ProcessSample | None) -> Decision | None:
        """One look. Where the kernel tells nothing (the child has just ended), only the deadlines are judged."""
        if now - self._looked_at > GAP_SECONDS:
            self._judging_from = now + GAP_SECONDS
        self._looked_at = now
        said = self.health == "stalled"
        self._overdue = self._late(now)
        if sample is not None:
            self.diagnosis.see(sample)
            if self.solving_began is None and sample.place not in _BEFORE_SOLVING:
                self.solving_began = now  # a child that holds the interpreter lock cannot tell its stage
            self.health = self._health(now)
        if self._overdue is not None:
            self.health = "stalled"
        return (self._judge_finding(said) if sample is not None else None) or self._judge_time(now, said)

    def _health(self, now: float) -> Health:
        silent, verdict = self.diagnosis.silence(now), self.diagnosis.finding.verdict
        leaks = verdict is Verdict.MEMORY_LEAK and self.diagnosis.gets_nowhere(SUSPECT_SECONDS)
        if verdict in HANGS or leaks or silent >= self.settings.stalled_after_seconds:
            return "stalled"
        return "slow" if silent >= SUSPECT_SECONDS else "ok"

    def _judge_finding(self, said: bool) -> Decision | None:
        verdict, sentence, certain = self.diagnosis.finding
        if not certain:
            return None
        if verdict is Verdict.MEMORY_LEAK:
            return Decision(How.MEMORY, False, f"{sentence}, {self._where}")
        return Decision(How.HANG, False, f"it hung {self._where}: {sentence}") if said else None

    def _late(self, now: float) -> Assessment | None:
        """Whether it is about to be killed because its time is up."""
        if now < self._judging_from:
            return None
        if self.stage_deadline is not None and now >= self.stage_deadline - DUE_SECONDS:
            return Assessment(
                Verdict.OVERDUE, f"stage {self.stage} is at the end of its {self._allowed:g} s", certain=True
            )
        if self.stage in _LAST or now < self.kill_at - DUE_IN_SEARCH_SECONDS:
            return None
        return Assessment(Verdict.OVERDUE, self._not_done(now), certain=True)

    def _judge_time(self, now: float, said: bool) -> Decision | None:
        if now < self._judging_from:
            return None
        if self.stage_deadline is not None and now >= self.stage_deadline:
            told = f"stage {self.stage} took longer than its {self._allowed:g} s"
            return Decision(How.DEADLINE, False, told) if said else None
        if self.stage in _LAST or now < self.finish_at:
            return None
        return Decision(How.DEADLINE, now < self.kill_at or not said, self._not_done(now))

    @property
    def _allowed(self) -> float:
        """Seconds that the present stage may take."""
        return 0.0 if self.stage_deadline is None else self.stage_deadline - self.stage_began

    def _not_done(self, now: float) -> str:
        return f"it was not done {now - self.time_up_at:.1f} s after its time limit, {self._where}"

    @property
    def _where(self) -> str:
        place = "" if self.place is Place.OTHER else f" ({self.place.label})"
        return f"in stage {self.stage}{place}"
