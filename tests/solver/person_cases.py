"""
Cases by hand for the table of rules about days and weeks: each kind once, for a teacher, a group and a student alike.

The grid is that of `rule_cases`: days of four hours from 08:00 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from solver.model import Dataset, RuleSetting
from solver.person_rules import IN_SESSIONS, PERSON_RULES, KindName, Person
from tests.builders import course, dataset, grid, timetable

PEOPLE: dict[Person, tuple[str, str, str]] = {
    "faculty": ("faculty", "f1", "teacher f1"),
    "group": ("groups", "g1", "group g1"),
    "student": ("students", "s1", "student s1"),
}
"""How a course names somebody, their id, and what they are called."""


class KindCase(NamedTuple):
    """A setting, slots that break it by `count` units, slots that just keep it, and words of the offence."""

    kind: KindName
    breaks: list[int]
    count: int
    keeps: list[int]
    words: str
    value: int | None = None
    unit: str | None = None
    window: tuple[str, str] | None = None


KIND_CASES = (
    KindCase("gap", [0, 3], 1, [0, 2], "{who} has 2 free slots between sessions on Monday, 1 would do", 1),
    KindCase("isolated", [0, 2, 3], 1, [2, 3], "{who} has a session 1 alone on Monday 08:00"),
    KindCase("late_start", [2], 1, [1], "{who} has 2 free slots before its first session on Monday, 1 would do", 1),
    KindCase("early_end", [2, 7], 3, [1, 5], "{who} has to stay on Monday beyond what leaves the last 2 slots free", 2),
    KindCase("run", [0, 1, 2], 1, [0, 1, 3], "more than 2 slots in a row on Monday", 2),
    KindCase("run", [0, 1, 2], 1, [0, 1, 3], "more than 120 minutes in a row on Monday", 120, "minutes"),
    KindCase("single", [0, 4, 5], 1, [4, 5], "{who} comes on Monday only for a session 1"),
    KindCase("span", [0, 2], 1, [0, 1], "the day of {who} on Monday is longer than 2 slots", 2),
    KindCase("span", [0, 2], 2, [0], "longer than 100 minutes", 100, "minutes"),
    KindCase("daily_limit", [0, 1], 1, [0, 4], "{who} has more than 1 slot on Monday", 1, "slots"),
    KindCase("daily_limit", [0, 2, 3], 2, [1, 4], "{who} has more than 90 minutes on Monday", 90, "minutes"),
    KindCase("daily_least", [0, 4, 5], 1, [4, 5], "{who} has less than 2 slots on Monday", 2),
    KindCase("daily_least", [0, 4, 5], 1, [4, 5], "{who} has less than 120 minutes on Monday", 120, "minutes"),
    KindCase(
        "lunch", [2, 3], 1, [2], "{who} has no 60 minutes free between 10:00 and 12:00 on Monday", 60,
        window=("10:00", "12:00"),
    ),
    KindCase("week_gap", [0, 2, 4, 6], 1, [0, 2, 4, 5], "{who} has 2 free slots between sessions in the week", 1),
    KindCase("days", [0, 4], 1, [0, 1], "{who} comes in on 2 days, where 1 would do", 1),
    KindCase("weekly_limit", [0, 4], 1, [0], "{who} has more than 1 slot in the week", 1, "slots"),
    KindCase("weekly_limit", [0, 4], 1, [0], "{who} has more than 60 minutes in the week", 60, "minutes"),
    KindCase("rest", [3, 4], 1, [2, 4], "{who} has less than 1260 minutes of rest after Monday", 21 * 60),
)  # fmt: skip


def rule_of(kind: KindName, who: Person) -> str:
    return next(rule.id for rule in PERSON_RULES if (rule.kind, rule.who) == (kind, (who,)))


def person_cases() -> Iterator[tuple[str, str, Dataset, Any, int, Any, str]]:
    """The fields of a `Case` for every kind and person."""
    for case in KIND_CASES:
        for who, (names, id, called) in PEOPLE.items():
            rule = rule_of(case.kind, who)
            # Half of them say what they want of this person only.
            own = {"values": {id: case.value}} if case.value is not None and who != "group" else {"value": case.value}
            if rule in IN_SESSIONS:
                own = {"values": {id: case.value}}
            setting = RuleSetting(tier="soft", unit=case.unit, window=case.window, **own)  # type: ignore[arg-type]
            data = dataset(course("a", sessions=4, **{names: id}), rules={rule: setting}, grid=grid())  # type: ignore[arg-type]
            what = f"of a {called.split()[0]} in {case.unit or 'slots'}"
            words = case.words.format(who=called)
            yield rule, what, data, timetable(a=[*case.breaks]), case.count, timetable(a=[*case.keeps]), words
