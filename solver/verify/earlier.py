"""
How earlier versions counted a rule whose count has changed since, and which rules they may not have had: what they
stored or handed over is no less true.

Only those ask who compare the claim of a stored result with what is counted now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from solver.model import Dataset, Timetable
from solver.rules import ON_TOP_OF, Profile, preference_points, profile_of
from solver.terms import Tier
from solver.verify.links import holds
from solver.verify.view import View


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


def _links_of_each_with_each(tier: Tier, view: View) -> int:
    """Until 30 November 2026 a link over several sessions tied each of a member to each of every other one."""
    total = 0
    for link in view.dataset.links:
        if link.tier == tier:
            every = replace(link, pairing="each") if link.pairing is None else link
            pairs = ((a, b) for a, b in view.dataset.expand(every) if a in view.placed and b in view.placed)
            broken = sum(not holds(link, view.placed[a], view.placed[b]) for a, b in pairs)
            total += broken * (link.weight if tier == "soft" else 1)
    return total


OF_NEW_WORDS = frozenset({"room_penalty", "time_penalty"})
"""Rules that count nothing unless a dataset says what there were no words for before."""
EARLIER: Mapping[str, Callable[[View], int]] = {
    "faculty_preference": _preference_with_a_price_on_silence,
    "link": partial(_links_of_each_with_each, "hard"),
    "soft_link": partial(_links_of_each_with_each, "soft"),
}


def earlier_counts(dataset: Dataset, timetable: Timetable) -> Mapping[str, int]:
    """Units per rule of `EARLIER`, as they were counted before."""
    view = View(dataset=dataset, timetable=timetable, profile=profile_of(dataset))
    return {rule: count(view) for rule, count in EARLIER.items()}


def unknown_before(profile: Profile) -> frozenset[str]:
    """
    Rules that the account of an earlier version may say nothing about, because there was no such rule then.

    Only rules without which it charged the same: those that are off, as every new rule is at first, those on top of
    another one, and those that count what data of before had no words for.
    """
    return frozenset(id for id in profile.rules if id in ON_TOP_OF or id in OF_NEW_WORDS or not profile.is_on(id))
