"""
What a solve returns: variants with everything a person needs to judge them, and the journal of how they came about.

Three questions, three fields: `stopped_by` says why the search ended, `quality` what we hold, `rung` by which promise.
Where the job is (queued, running ...) is the service's business, not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from solver.model import Timetable
from solver.rules import ON_TOP_OF, Score
from solver.terms import SessionKey, Tier

RungId = Literal["full", "relaxed", "greedy", "reduced", "manual"]
PROMISES: Mapping[RungId, str] = {
    "full": "Every session is placed and every hard rule holds; soft cost is as low as time allowed, "
    "with a bound where one was proved.",
    "relaxed": "Every session is placed; only bendable rules are broken, at the least total price found; "
    "each breach is listed.",
    "greedy": "Placed without the exact solver, in seconds; every hard rule holds; what does not fit is listed.",
    "reduced": "The priority core was solved first and the rest reinserted in growing batches; "
    "coverage is accounted for, n of N.",
    "manual": "The best verified partial timetable and a work list: "
    "each open session with its blockers and checked repairs.",
}
"""What users read of each rung. They stand here, so that showing a result takes no solver; `ladder` has the order."""


class StoppedBy(StrEnum):
    PROVED = "proved"
    DEADLINE = "deadline"
    STALLED = "stalled"
    CANCELLED = "cancelled"
    FINISHED_EARLY = "finished_early"
    MEMORY = "memory"
    CRASH = "crash"


class Quality(StrEnum):
    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    RELAXED = "relaxed"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """One place where a rule is broken: how much, by which sessions, and in words with names."""

    rule: str
    amount: int
    message: str
    sessions: tuple[SessionKey, ...] = ()
    entities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """
    One rule counted on one timetable.

    `count` is in the rule's unit; `checks` is the number of places where the rule could have been broken and `broken`
    the number of those where it was (0 <= broken <= checks). `cost` is what `score` charged for it, 0 for a rule that
    is off.
    """

    rule: str
    tier: Tier
    weight: int
    unit: str
    count: int
    checks: int
    broken: int
    cost: int
    offences: tuple[Offence, ...] = ()

    @property
    def kept(self) -> float:
        """Share of the checks that hold, in [0, 1]; 1 where there was nothing to check."""
        return 1.0 if self.checks == 0 else 1.0 - self.broken / self.checks


@dataclass(frozen=True, kw_only=True)
class Report:
    """
    The verifier's whole verdict on one timetable.

    `distance_to_feasibility` is the number of expected students of the sessions that are not placed, a student in two
    of them counted twice.
    """

    score: Score
    rules: Mapping[str, RuleCount]
    unplaced: tuple[SessionKey, ...]
    placed: int
    total: int
    distance_to_feasibility: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return {rule_id: rule.count for rule_id, rule in self.rules.items()}

    @property
    def breaches(self) -> list[RuleCount]:
        """
        Every hard rule that is broken, each breach once.

        A rule that only makes breaches of another hard rule dearer is left out: they stand under that one.
        """
        return [
            rule
            for rule in self.rules.values()
            if rule.tier == "hard" and rule.count and not self._is_told_elsewhere(rule.rule)
        ]

    def _is_told_elsewhere(self, rule_id: str) -> bool:
        base = self.rules.get(ON_TOP_OF.get(rule_id, ""))
        return base is not None and base.tier == "hard"

    def dearer(self, rule_id: str) -> list[RuleCount]:
        """The broken hard rules that come on top of this one."""
        rules = (self.rules[name] for name, base in ON_TOP_OF.items() if base == rule_id and name in self.rules)
        return [rule for rule in rules if rule.tier == "hard" and rule.count]

    @property
    def quality_index(self) -> float:
        """
        Weighted share of the soft checks that hold, in [0, 1].

        sum(weight x checks kept) / sum(weight x checks) over the soft rules that are on and have something to check;
        1 when there is none.
        """
        soft = [rule for rule in self.rules.values() if rule.tier == "soft" and rule.checks and rule.weight]
        total = sum(rule.weight * rule.checks for rule in soft)
        return 1.0 if not total else sum(rule.weight * (rule.checks - rule.broken) for rule in soft) / total


@dataclass(frozen=True, slots=True, kw_only=True)
class Concession:
    """A hard rule that was given up, counted on the original rules."""

    rule: str
    sentence: str
    count: int
    unit: str
    cost: int
    offences: tuple[Offence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A checked way to place an open session: where it would go and what else has to move for it."""

    slot: int
    room_id: str | None
    moves: tuple[tuple[SessionKey, int, str | None], ...]
    sentence: str
    more_rooms: tuple[str, ...] = ()

    @property
    def room_ids(self) -> tuple[str, ...]:
        """Every room that the session would take, `room_id` first."""
        return () if self.room_id is None else (self.room_id, *self.more_rooms)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session left for people: what blocks it, in words, and up to three repairs that were tried and hold."""

    course_id: str
    session: int
    blockers: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A counting argument that something cannot work, with the ids it is about."""

    code: str
    sentence: str
    entities: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    needed: int | None = None
    available: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A small set of demands that cannot hold together. `minimal` when removing any one of them was checked to help."""

    sentences: tuple[str, ...]
    rules: tuple[str, ...]
    minimal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """
    Why not every hard rule can hold.

    `evidence`: "certificate" (a counting proof), "two_solves" (two differing solves agree), "one_solve", or None when
    infeasibility was not shown.
    """

    proofs: tuple[Proof, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    evidence: Literal["certificate", "two_solves", "one_solve"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RungVisit:
    """One line of the journal: a rung entered and left. Seconds count from the start of the solve."""

    rung: RungId
    entered: float
    left: float
    outcome: Literal["kept", "left", "skipped"]
    why: str
    score: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """
    Who was placed how when the priority core went first: every course counts once, nobody disappears.

    `core_courses` and `reinserted_courses` are wholly placed; `open_courses` have at least one session open.
    """

    core_courses: int
    reinserted_courses: int
    open_courses: int
    total_courses: int


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One verified timetable with its account."""

    name: str
    label: str
    timetable: Timetable
    report: Report
    rung: RungId
    quality: Quality
    concessions: tuple[Concession, ...] = ()
    open_sessions: tuple[OpenSession, ...] = ()
    better_at: tuple[str, ...] = ()
    distances: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> Score:
        return self.report.score


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A new incumbent: when (seconds from the start) and how good."""

    seconds: float
    score: Score
    source: str


def missed_quality(index: float | None, wanted: float) -> str | None:
    """That a quality index (`Report.quality_index`) is below the one that is wanted, in words; None when it is not."""
    if index is None or index >= wanted:
        return None
    kept = min(100 * index, 100 * wanted - 0.1)  # 79.96 of 80 must not read as 80 of 80
    return f"the soft rules are kept to {kept:.1f} %, less than the {100 * wanted:g} % that are wanted"


@dataclass(frozen=True, kw_only=True)
class Result:
    """
    Everything a solve found out. `variants[0]` is the best by score; there is always at least one.

    `lower_bound` bounds the soft cost of every timetable that keeps all hard rules, None when nothing was proved.
    """

    variants: tuple[Variant, ...]
    stopped_by: StoppedBy
    lower_bound: int | None
    diagnosis: Diagnosis
    journal: tuple[RungVisit, ...]
    curve: tuple[CurvePoint, ...] = ()
    coverage: Coverage | None = None
    context: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Variant:
        return self.variants[0]

    @property
    def gap(self) -> float | None:
        """(cost - bound) / max(cost, 1) of the best variant; None without a bound or when hard rules were bent."""
        score = self.best.score
        if self.lower_bound is None or not score.complete:
            return None
        return (score.soft - self.lower_bound) / max(score.soft, 1)
