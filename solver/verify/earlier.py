"""
How earlier versions counted a rule whose count has changed since, and which rules they may not have had: what they
stored or handed over is no less true.

Only those ask who compare the claim of a stored result with what is counted now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from solver.model import Dataset, Link, Timetable
from solver.rules import ON_TOP_OF, Profile, fair_share, preference_points, profile_of, travel_units
from solver.terms import PERMISSIONS, Tier
from solver.verify.links import holds
from solver.verify.view import DayPeriods, PlacedSession, View, by_day


def _preference_with_a_price_on_silence(view: View) -> int:
    """Until 30 November 2026 silence about a slot cost 5 points, and the best of the named ones cost some, too."""
    taught = ((view.dataset.teacher[id], sessions) for id, sessions in view.by_teacher.items())
    return sum(
        preference_points(teacher.liking(slot))
        for teacher, sessions in taught
        if teacher.preferences
        for session in sessions
        for slot in session.slots
    )


def _links_by_slots(tier: Tier, view: View) -> int:
    """
    Until 30 November 2026 a link over several sessions tied each of a member to each of every other one, `consecutive`
    held across lunch, and to `min_gap` lunch was no time at all.
    """
    total = 0
    for link in view.dataset.links:
        if link.tier == tier and link.type not in PERMISSIONS:
            every = replace(link, pairing="each") if link.pairing is None else link
            pairs = ((a, b) for a, b in view.dataset.expand(every) if a in view.placed and b in view.placed)
            broken = sum(not _held_by_slots(view, link, view.placed[a], view.placed[b]) for a, b in pairs)
            total += broken * (link.weight if tier == "soft" else 1)
    return total


def _held_by_slots(view: View, link: Link, a: PlacedSession, b: PlacedSession) -> bool:
    apart = max(b.start - a.end, a.start - b.end)
    if link.type == "consecutive":
        return a.day == b.day and apart == 0
    if link.type == "min_gap":
        return a.day != b.day or apart >= (link.value or 0)
    return holds(view, link, a, b)


def _travel_between_adjacent_slots(view: View) -> int:
    """Until 30 November 2026 a way counted in full where one session followed the other at once, and else never."""
    total, grid = 0, view.dataset.time_grid
    for sessions in (*view.by_teacher.values(), *view.by_cohort.values()):
        for a in sessions:
            for b in sessions:
                if a.day == b.day and a.end == b.start and grid.period_of(b.start) not in grid.rests(b.day):
                    total += travel_units(view.dataset.travel(a.building, b.building))
    return total


def _even_over_all_days(view: View) -> int:
    """Until 30 November 2026 a fair share was one of all days, those included on which a teacher never is."""
    total: Counter[str] = Counter()
    for part in view.dataset.parts:
        for teacher in part.faculty_ids:
            total[teacher] += part.sessions_per_week
    return sum(
        max(0, len(here) - fair_share(total[teacher], view.dataset.time_grid.num_days))
        for teacher, sessions in view.by_teacher.items()
        for here in by_day(sessions).values()
    )


# Until the same day a slot at which somebody was away was a gap, days of students did not count beside those of groups,
# and a single long session was a stretch.


def _days(people: Mapping[str, DayPeriods]) -> Iterator[tuple[int, list[int]]]:
    return ((day, periods) for days in people.values() for day, periods in days.items())


def _attendees(view: View) -> Iterator[tuple[int, list[int]]]:
    """Days of groups, or of students where no course was taught to a group."""
    return _days(view.cohort_days if view.dataset.teaches_groups else view.student_days)


def _gaps(people: Mapping[str, DayPeriods]) -> int:
    return sum(periods[-1] - periods[0] + 1 - len(periods) for _, periods in _days(people))


def _isolated(view: View) -> int:
    return sum(
        not {period - 1, period + 1} & set(periods) for _, periods in _days(view.cohort_days) for period in periods
    )


def _stretches(view: View) -> int:
    limit, excess = view.profile["consecutive_limit"].value or 0, 0
    for day, periods in _attendees(view):
        rests, run, last = view.dataset.time_grid.rests(day), 0, -2
        for period in periods:
            run = run + 1 if period == last + 1 and period not in rests else 1
            excess += run > limit
            last = period
    return excess


def _last_slots(view: View) -> int:
    grid = view.dataset.time_grid
    return sum(periods[-1] == len(grid.periods_of(day)) - 1 for day, periods in _attendees(view))


OF_NEW_WORDS = frozenset({"room_penalty", "time_penalty"})
"""Rules that count nothing unless a dataset says what there were no words for before."""
EARLIER: Sequence[Mapping[str, Callable[[View], int]]] = (
    {
        "link": partial(_links_by_slots, "hard"),
        "soft_link": partial(_links_by_slots, "soft"),
        "travel": _travel_between_adjacent_slots,
        "load_balance": _even_over_all_days,
        "group_gap": lambda view: _gaps(view.cohort_days),
        "student_gap": lambda view: _gaps(view.student_days),
        "isolated_session": _isolated,
        "late_start": lambda view: sum(periods[0] for _, periods in _days(view.cohort_days)),
        "consecutive_limit": _stretches,
        "single_session_day": lambda view: sum(len(periods) == 1 for _, periods in _attendees(view)),
        "last_slot": _last_slots,
    },
    {"faculty_preference": _preference_with_a_price_on_silence},
)
"""What each version left behind that changed counts, the latest first; a rule stands in one of them at most."""


def earlier_counts(dataset: Dataset, timetable: Timetable) -> Mapping[str, int]:
    """Units per rule of `EARLIER`, as they were counted before its change."""
    view = View(dataset=dataset, timetable=timetable, profile=profile_of(dataset))
    return {rule: count(view) for change in EARLIER for rule, count in change.items()}


def earlier_accounts(dataset: Dataset, timetable: Timetable) -> Iterator[Mapping[str, int]]:
    """What differs from the counts of today in the account of each earlier version, the latest first."""
    before = earlier_counts(dataset, timetable)
    rules: set[str] = set()
    for change in EARLIER:
        rules |= change.keys()
        yield {rule: before[rule] for rule in rules}


def unknown_before(profile: Profile) -> frozenset[str]:
    """
    Rules that the account of an earlier version may say nothing about, because there was no such rule then.

    Only rules without which it charged the same: those that are off, as every new rule is at first, those on top of
    another one, and those that count what data of before had no words for.
    """
    return frozenset(id for id in profile.rules if id in ON_TOP_OF or id in OF_NEW_WORDS or not profile.is_on(id))
