"""
The account that goes with every timetable: what was given up, what is left for people, how good the rest is.

Everything here is read off the verifier's report on the *original* rules; a rule that was relaxed on the way but
happens to hold is not a concession.
"""

from __future__ import annotations

from collections.abc import Sequence

from solver.diagnose import Openings
from solver.ladder.incumbent import Incumbent, Instance
from solver.model import Dataset
from solver.ranks import highest_first, rank_of
from solver.result import Concession, Coverage, OpenSession, Quality, Report, RuleCount
from solver.rules import RULE_OF

MAX_REPAIRED_SESSIONS = 50
"""Repairs are tried for this many open sessions; more than that is no work list any more but a planning problem."""


def concessions_of(report: Report) -> tuple[Concession, ...]:
    """Every hard rule that is broken, dearest first; what comes on top of a rule is told and charged under it."""
    told = [_concession(rule, report.dearer(rule.rule)) for rule in report.breaches]
    return tuple(sorted(told, key=lambda concession: -concession.cost))


def _concession(rule: RuleCount, dearer: Sequence[RuleCount]) -> Concession:
    told = RULE_OF[rule.rule]
    which = [
        f" {more.count} of these {rule.count} cost more: {RULE_OF[more.rule].amount(more.count)}."
        for more in dearer
        if more.count < rule.count
    ]
    return Concession(
        rule=rule.rule,
        sentence=told.sentence + "".join(which),
        count=rule.count,
        unit=rule.unit,
        cost=rule.cost + sum(more.cost for more in dearer),
        offences=rule.offences,
    )


def quality_of(report: Report, bound: int | None) -> Quality:
    """`optimal` needs a proved bound that the recounted cost equals; a bound says nothing once rules are bent."""
    if report.score.unplaced:
        return Quality.PARTIAL
    if report.score.bent:
        return Quality.RELAXED
    return Quality.OPTIMAL if bound is not None and report.score.soft == bound else Quality.FEASIBLE


def open_sessions(instance: Instance, incumbent: Incumbent, *, with_repairs: bool) -> tuple[OpenSession, ...]:
    """
    The work list: each unplaced session with its blockers and, for the first ones, checked repairs; those that matter
    most come first.
    """
    if not incumbent.report.unplaced:
        return ()
    openings = Openings(instance.dataset, incumbent.timetable, profile=instance.profile, context=instance.context)
    return tuple(
        OpenSession(
            course_id=key[0],
            session=key[1],
            blockers=openings.blockers(key),
            repairs=openings.repairs(key) if with_repairs and number < MAX_REPAIRED_SESSIONS else (),
        )
        for number, key in enumerate(highest_first(instance.dataset, incumbent.report.unplaced))
    )


def better_at(report: Report, others: Sequence[Report]) -> tuple[str, ...]:
    """The soft rules on which this timetable is strictly better than every other one, by their names."""
    if not others:
        return ()
    lines: list[str] = []
    for rule in report.rules.values():
        rivals = [other.rules[rule.rule].count for other in others]
        rival = min(rivals)
        if rule.tier == "soft" and rule.checks and rule.count < rival:
            told = RULE_OF[rule.rule]
            more = " or more" if max(rivals) > rival else ""
            lines.append(f"{told.name}: {told.amount(rule.count)} instead of {rival}{more}")
    return tuple(lines)


def core_open(instance: Instance, report: Report) -> int:
    """Unplaced sessions of core subjects: the rung `greedy` is left when there are any."""
    course = instance.dataset.course
    return sum(rank_of(course[course_id]).core for course_id, _ in report.unplaced)


def coverage_of(dataset: Dataset, core: frozenset[str], report: Report) -> Coverage:
    """Every course exactly once: wholly placed in the core or after it, or with a session open."""
    open_courses = {course_id for course_id, _ in report.unplaced}
    placed_in_core = len(core - open_courses)
    return Coverage(
        core_courses=placed_in_core,
        reinserted_courses=len(dataset.courses) - placed_in_core - len(open_courses),
        open_courses=len(open_courses),
        total_courses=len(dataset.courses),
    )
