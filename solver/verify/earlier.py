"""
How earlier versions counted a rule whose count has changed since: what they stored or handed over is no less true.

Only those ask who compare the claim of a stored result with what is counted now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from solver.model import Dataset, Timetable
from solver.rules import preference_points, profile_of
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


EARLIER: Mapping[str, Callable[[View], int]] = {"faculty_preference": _preference_with_a_price_on_silence}


def earlier_counts(dataset: Dataset, timetable: Timetable) -> Mapping[str, int]:
    """Units per rule of `EARLIER`, as they were counted before."""
    view = View(dataset=dataset, timetable=timetable, profile=profile_of(dataset))
    return {rule: count(view) for rule, count in EARLIER.items()}
