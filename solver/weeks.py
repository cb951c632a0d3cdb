"""
The weeks of a term as far as a timetable tells them apart, and how people call some of them.

Sessions may be in some weeks only (`Part.weeks`). Weeks in which the same sessions are given are one *week class*: a
dataset whose sessions are in all weeks has one class, one with laboratories in turns has two. What several sessions do
together (a clash, the shape of a day, a limit) is counted once for every class in which they do it; what a session does
by itself is counted once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Weeks: TypeAlias = tuple[int, ...]
"""Numbers from 1, in order, each once."""

ONCE = frozenset(
    {
        "slot_forbidden",
        "fixed_moved",
        "group_unavailable",
        "faculty_unavailable",
        "room_capacity",
        "room_unsuitable",
        "link",
        "soft_link",
        "faculty_preference",
        "min_days",
        "room_stability",
        "room_waste",
        "room_penalty",
        "time_penalty",
        "context",
    }
)
"""Rules that look at all weeks together: what a session does by itself, links, and days and rooms of a course."""


def week_classes(patterns: Iterable[Weeks | None], weeks: int) -> tuple[Weeks, ...]:
    """
    The weeks of each class, by their first ones; weeks without any session are in none.

    Parameters
    ----------
    patterns
        The weeks of each part, None for all.
    weeks
        How many there are.
    """
    different = list(dict.fromkeys(patterns))
    classes: dict[tuple[bool, ...], list[int]] = {}
    for week in range(1, weeks + 1):
        given = tuple(pattern is None or week in pattern for pattern in different)
        if any(given):
            classes.setdefault(given, []).append(week)
    return tuple(map(tuple, classes.values()))


def weeks_in_words(chosen: Sequence[int], weeks: int) -> str:
    """ "odd weeks", "even weeks", "week 3", "weeks 1 to 7", "weeks 1 to 3 and 5"; `weeks` is how many there are."""
    for parity, word in ((1, "odd"), (0, "even")):
        if len(chosen) > 1 and [*chosen] == [week for week in range(1, weeks + 1) if week % 2 == parity]:
            return f"{word} weeks"
    runs: list[list[int]] = []
    for week in chosen:
        if runs and runs[-1][-1] == week - 1:
            runs[-1].append(week)
        else:
            runs.append([week])
    told = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    joined = " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
    return f"{'week' if len(chosen) == 1 else 'weeks'} {joined}"
