"""Counts every rule with its counter and puts the verdict together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import nsmallest
from typing import TYPE_CHECKING

from solver.checks import no_slot
from solver.errors import InputError, Issue
from solver.model import Dataset, Placement, Timetable
from solver.names import counted
from solver.ranks import left_open
from solver.result import Offence, Report, RuleCount
from solver.rules import RULE_IDS, RULES, Profile, Rule, profile_of, score
from solver.verify import hard, links, soft
from solver.verify.view import Counter, Subject, View

if TYPE_CHECKING:
    from solver.context import Context

_BY_NAME = {**vars(hard), **vars(soft), **vars(links)}
COUNTERS: Mapping[str, Counter] = {
    id: Counter(_BY_NAME[f"count_{id}"], _BY_NAME[f"tell_{id}"], soft.MOST_POINTS.get(id, 0)) for id in RULE_IDS
}
"""How each rule is counted and told: `count_<id>` and `tell_<id>` of the module for its tier."""


def verify(
    dataset: Dataset,
    timetable: Timetable,
    *,
    context: Context | None = None,
    profile: Profile | None = None,
    max_offences: int = 20,
) -> Report:
    """
    Recounts every rule, also those that are off, and names the worst offenders.

    Parameters
    ----------
    timetable
        Complete or partial, with any number of clashes; no rule looks at unplaced sessions.
    context
        Points of the rule `context`; built from the dataset when None.
    profile
        What each rule means; `profile_of(dataset)` when None.
    max_offences
        So many offences per rule are named at most, the largest amounts first.

    Raises
    ------
    InputError
        A placement names a course, session, room or slot that the dataset does not have; all such are listed.
    """
    issues = tuple(_placement_issues(dataset, timetable))
    if issues:
        raise InputError(issues)
    profile = profile or profile_of(dataset)
    view = View(dataset=dataset, timetable=timetable, profile=profile, given_context=context)
    rules = {rule.id: _count(rule, COUNTERS[rule.id], view, max_offences) for rule in RULES}
    unplaced = tuple(key for key in dataset.sessions if key not in timetable.by_session)
    return Report(
        score=score(
            {id: rule.count for id, rule in rules.items()}, profile, len(unplaced), left_open(dataset, unplaced)
        ),
        rules=rules,
        unplaced=unplaced,
        placed=len(dataset.sessions) - len(unplaced),
        total=len(dataset.sessions),
        distance_to_feasibility=sum(dataset.expected_students(dataset.part_of(key)) for key in unplaced),
    )


def _placement_issues(dataset: Dataset, timetable: Timetable) -> Iterator[Issue]:
    for i, placement in enumerate(timetable.placements):
        here, course = f"/placements/{i}", dataset.course.get(placement.course_id)
        if course is None:
            yield _issue(f"{here}/course_id", "dangling_id", "there is no course", placement.course_id)
        elif not 0 <= placement.session < course.sessions_per_week:
            last = course.sessions_per_week - 1
            yield _issue(
                f"{here}/session",
                "out_of_range",
                f"course {course.id!r} has sessions 0 to {last}, not",
                placement.session,
            )
        yield from _room_issues(dataset, placement, here)
        if not dataset.time_grid.exists(placement.slot):
            short = dataset.time_grid.shortened
            message = no_slot(dataset.time_grid, placement.slot) + (f"; {short}" if short else "")
            yield Issue(pointer=f"{here}/slot", code="bad_slot", message=message, value=placement.slot)


def _room_issues(dataset: Dataset, placement: Placement, here: str) -> Iterator[Issue]:
    ids = placement.room_ids
    for k, id in enumerate(ids):
        if id not in dataset.room:
            yield _issue(
                f"{here}/room_id" if k == 0 else f"{here}/more_rooms/{k - 1}", "dangling_id", "there is no room", id
            )
    if placement.key not in dataset.part_number:
        return
    needed = dataset.part_of(placement.key).rooms_needed
    if len(set(ids)) != needed or len(ids) != needed:
        course, wanted = dataset.course[placement.course_id], counted(needed, "room") if needed else "no room"
        message = f"session {placement.session} of course {course.id!r} takes {wanted}, not"
        yield _issue(f"{here}/room_id", "wrong_rooms", message, list(ids))


def _issue(pointer: str, code: str, message: str, value: object) -> Issue:
    return Issue(pointer=pointer, code=code, message=f"{message} {value!r}", value=value)


def _count(rule: Rule, counter: Counter, view: View, max_offences: int) -> RuleCount:
    count = checks = broken = 0
    found: dict[Subject, int] = {}
    for amount, subject in counter.count(view):
        checks += 1
        if amount > 0:
            count += amount
            broken += 1
            found[subject] = found.get(subject, 0) + amount
    if counter.points:
        broken = -(-count // counter.points)
    active = view.profile[rule.id]
    charged = score({rule.id: count}, view.profile)
    return RuleCount(
        rule=rule.id,
        tier=active.tier,
        weight=active.weight,
        unit=rule.unit,
        count=count,
        checks=checks,
        broken=broken,
        cost=charged.rigid + charged.bent + charged.soft,
        offences=tuple(_offences(rule, counter, view, found, max_offences)),
    )


def _offences(rule: Rule, counter: Counter, view: View, found: Mapping[Subject, int], most: int) -> Iterator[Offence]:
    """The largest amounts first, among equals in the order of the walk; only these are put into words."""
    for subject, amount in nsmallest(most, found.items(), key=lambda item: -item[1]):
        told = counter.tell(view, *subject)
        yield Offence(rule=rule.id, amount=amount, message=told.message, sessions=told.sessions, entities=told.entities)
