"""
Which sessions of a timetable people must look at, and why: those in a breach of a hard rule, and what is left open.

A receiver that only knows entries sees nothing of a session without a place. So each open session is told by an entry
near it, one of its course, of its teachers, its groups, its department, or any; one that has nothing else to tell. Then
the entries with a conflict are as many as there are conflicts, as far as there are entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping

from solver.model import Course, Dataset, Timetable
from solver.names import Names, counted
from solver.result import Report, RuleCount
from solver.terms import SessionKey
from solver.verify import verify

Conflicts = Mapping[SessionKey, Iterable[str]]
"""Of each placed session that people must look at, why."""


def conflicts_of(dataset: Dataset, timetable: Timetable, report: Report) -> dict[SessionKey, list[str]]:
    """Of each placed session that people must look at, why."""
    return with_open_sessions(dataset, timetable, report, breaches_of(dataset, timetable, report))


def breaches_of(dataset: Dataset, timetable: Timetable, report: Report) -> dict[SessionKey, list[str]]:
    """The hard breaches of each session, in words."""
    told: dict[SessionKey, list[str]] = defaultdict(list)
    for rule in hard_breaches(dataset, timetable, report):
        for offence in rule.offences:
            for key in offence.sessions:
                told[key].append(offence.message)
    return told


def with_open_sessions(
    dataset: Dataset, timetable: Timetable, report: Report, breaches: Conflicts
) -> dict[SessionKey, list[str]]:
    """The breaches, and every open session told by a session near it; what finds none is counted by the first one."""
    told = {key: list(why) for key, why in breaches.items()}
    if not report.unplaced or not timetable.placements:
        return told
    names, tellers = Names(dataset), _Tellers(dataset, timetable, told)
    missing = 0
    for key in report.unplaced:
        teller = tellers.near(dataset.part_of(key))
        if teller is None:
            missing += 1
        else:
            told[teller] = [f"{names.session(key)} has no place in this timetable"]
    if missing:
        has = "has" if missing == 1 else "have"
        told[timetable.placements[0].key].append(f"{counted(missing, 'more session')} {has} no place in this timetable")
    return told


class _Tellers:
    """The placed sessions that have nothing to tell yet, by what they have to do with; each is given once."""

    def __init__(self, dataset: Dataset, timetable: Timetable, told: Conflicts) -> None:
        waiting: dict[Hashable, list[SessionKey]] = defaultdict(list)
        for placement in timetable.placements:
            if placement.key not in told:
                for tie in _ties(dataset.part_of(placement.key)):
                    waiting[tie].append(placement.key)
        self._waiting = {tie: iter(keys) for tie, keys in waiting.items()}
        self._given: set[SessionKey] = set()

    def near(self, course: Course) -> SessionKey | None:
        """One that is as near to this course as there is any; None when all have been given."""
        free = (key for tie in _ties(course) for key in self._waiting.get(tie, ()) if key not in self._given)
        found = next(free, None)
        if found is not None:
            self._given.add(found)
        return found


def _ties(course: Course) -> Iterator[Hashable]:
    """What a course shares with others, nearest first; all courses share the last."""
    yield "course", course.id
    yield from (("teacher", id) for id in course.faculty_ids)
    yield from (("group", id) for id in (*course.group_ids, *course.batches))
    if course.department_id is not None:
        yield "department", course.department_id
    yield "all"


def hard_breaches(dataset: Dataset, timetable: Timetable, report: Report) -> list[RuleCount]:
    """
    Every hard rule that is broken, each breach once, with all of its offences.

    A stored report names only the worst offenders of a rule; when some are missing here we count once more.
    """
    broken = report.breaches
    if any(rule.broken > len(rule.offences) for rule in broken):
        recount = verify(dataset, timetable, max_offences=max(rule.broken for rule in broken))
        broken = [recount.rules[rule.rule] for rule in broken]
    return broken
