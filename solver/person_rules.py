"""
Rules about somebody's day or week: one table of what is counted, made for teachers, groups and students alike.

A rule of the table is a kind of count and whose days it looks at. The rules that were there before the table keep
their names and words, all others are called after both: `faculty_gap`, `student_days`. All counters read here what
there is; what one unit of a kind is stands in the verifier (`verify/days.py`).

A *value* is what is tolerated or asked for: per rule, or per person or group where somebody says so. A limit is in
slots, or in minutes where the rule is set to them; whatever goes beyond a limit in minutes is counted in started hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

DEFAULT_LONGEST_RUN = 4
"""Slots in a row where nobody says otherwise; whoever meets it is told that it is ours."""
DEFAULT_REST_MINUTES = 11 * 60
DEFAULT_LUNCH_MINUTES = 60
DEFAULT_LUNCH_WINDOW = (12 * 60, 14 * 60)
MINUTES_PER_HOUR = 60

Person = Literal["faculty", "group", "student", "lone"]
"""A teacher, a cohort of a group, a student, a student without a group."""
KindName = Literal[
    "gap",
    "isolated",
    "late_start",
    "early_end",
    "run",
    "single",
    "span",
    "daily_limit",
    "daily_least",
    "lunch",
    "week_gap",
    "days",
    "weekly_limit",
    "rest",
]


class Kind(NamedTuple):
    """
    What is counted of a person's days.

    `value` is that of nobody's choice; where it is None nothing is counted unless a value is given. Of several values
    for one person the smallest is the strictest, or the largest where it is one of `at_least`. A `growing` kind is
    broken by first sessions and mended by later ones.
    """

    over: Literal["day", "week"]
    name: str
    unit: str
    units: str
    sentence: str
    value: int | None = None
    takes_value: bool = True
    in_minutes: bool = False
    """Whether a rule of this kind may be set to minutes."""
    at_least: bool = False
    growing: bool = False
    weight: int = 1


KINDS: Mapping[KindName, Kind] = {
    "gap": Kind(
        "day", "Gaps in {whose} day", "free slot between sessions", "free slots between sessions",
        "{Who} has no free slots between sessions, or no more in a day than the value says.",
        value=0,
    ),
    "isolated": Kind(
        "day", "Isolated sessions of {plural}", "isolated slot", "isolated slots",
        "A session of {who} has another one right before or after it.",
        takes_value=False, growing=True, weight=2,
    ),
    "late_start": Kind(
        "day", "Late starts of {whose} day", "free slot before the first session",
        "free slots before the first session",
        "The day of {who} starts with its first slot, or with no more free ones before it than the value says.",
        value=0, growing=True,
    ),
    "early_end": Kind(
        "day", "Late ends of {whose} day", "slot too late", "slots too late",
        "The last slot of a day, or as many as the value says, are free for {who}.",
        value=1,
    ),
    "run": Kind(
        "day", "Long stretches of {plural}", "slot above the limit", "slots above the limit",
        "{Who} has no more slots in a row, or minutes, than the limit; a single longer session is no stretch.",
        value=DEFAULT_LONGEST_RUN, in_minutes=True, weight=2,
    ),
    "single": Kind(
        "day", "Days of {plural} with a single slot", "day with a single slot", "days with a single slot",
        "{Who} does not come in for a single slot in a day.",
        takes_value=False, growing=True, weight=2,
    ),
    "span": Kind(
        "day", "Length of {whose} day", "slot above the limit", "slots above the limit",
        "From the first session of {who} in a day to the last one it is no longer than the limit.",
        in_minutes=True,
    ),
    "daily_limit": Kind(
        "day", "Daily limit of {plural}", "slot above the limit", "slots above the limit",
        "{Who} has no more in a day than the limit.",
        in_minutes=True,
    ),
    "daily_least": Kind(
        "day", "Least load of {whose} day", "slot below the least", "slots below the least",
        "{Who} who comes in on a day has at least as much there as the value says.",
        in_minutes=True, at_least=True, growing=True,
    ),
    "lunch": Kind(
        "day", "Lunch of {plural}", "day without time for lunch", "days without time for lunch",
        "{Who} is free for as many minutes in one piece as the value says, some time between 12:00 and 14:00 or in "
        "another window.",
        value=DEFAULT_LUNCH_MINUTES, at_least=True, weight=2,
    ),
    "week_gap": Kind(
        "week", "Gaps in {whose} week", "free slot between sessions", "free slots between sessions",
        "{Who} has no free slots between sessions, or no more in the week than the value says.",
        value=0,
    ),
    "days": Kind(
        "week", "Days of {plural}", "day too many", "days too many",
        "{Who} comes in on no more days than the value says.",
    ),
    "weekly_limit": Kind(
        "week", "Weekly limit of {plural}", "slot above the limit", "slots above the limit",
        "{Who} has no more in the week than the limit.",
        in_minutes=True,
    ),
    "rest": Kind(
        "week", "Rest of {plural} overnight", "night that is too short", "nights that are too short",
        "Between the last session of {who} on one day and the first on the next one lie as many minutes as the value "
        "says.",
        value=DEFAULT_REST_MINUTES, at_least=True, weight=2,
    ),
}  # fmt: skip

DAY_KINDS: tuple[KindName, ...] = tuple(name for name, kind in KINDS.items() if kind.over == "day")
WEEK_KINDS: tuple[KindName, ...] = tuple(name for name, kind in KINDS.items() if kind.over == "week")

_WORDS: Mapping[str, Mapping[str, str]] = {
    "faculty": {"Who": "A teacher", "who": "a teacher", "whose": "a teacher's", "plural": "teachers"},
    "group": {"Who": "A group", "who": "a group", "whose": "a group's", "plural": "groups"},
    "student": {"Who": "A student", "who": "a student", "whose": "a student's", "plural": "students"},
}


class PersonRule(NamedTuple):
    """Whose days a rule looks at, and what it counts there. `named` rules have words and a tier of their own."""

    id: str
    who: tuple[Person, ...]
    kind: KindName
    named: bool = False


_NAMED: tuple[PersonRule, ...] = (
    PersonRule("group_gap", ("group",), "gap", named=True),
    PersonRule("student_gap", ("student",), "gap", named=True),
    PersonRule("isolated_session", ("group",), "isolated", named=True),
    PersonRule("late_start", ("group",), "late_start", named=True),
    PersonRule("consecutive_limit", ("group", "lone"), "run", named=True),
    PersonRule("single_session_day", ("group", "lone"), "single", named=True),
    PersonRule("last_slot", ("group", "lone"), "early_end", named=True),
    PersonRule("faculty_daily_limit", ("faculty",), "daily_limit", named=True),
    PersonRule("group_daily_limit", ("group",), "daily_limit", named=True),
    PersonRule("faculty_weekly_limit", ("faculty",), "weekly_limit", named=True),
)
"""Rules that were there before the table. Of those about limits only what is not counted in sessions stands here."""
_GIVEN = {(rule.who[0], rule.kind) for rule in _NAMED if len(rule.who) == 1}
_MADE = tuple(
    PersonRule(f"{who}_{kind}", (who,), kind)
    for kind in KINDS
    for who in ("faculty", "group", "student")
    if (who, kind) not in _GIVEN
)
PERSON_RULES: tuple[PersonRule, ...] = (*_NAMED, *_MADE)
PERSON_RULE: Mapping[str, PersonRule] = {rule.id: rule for rule in PERSON_RULES}
IN_SESSIONS = frozenset({"faculty_daily_limit", "group_daily_limit", "faculty_weekly_limit"})
"""Limits of sessions unless a dataset counts them in slots or minutes."""
ON_BY_DEFAULT = frozenset({"faculty_gap", "faculty_days"})


def made_rules() -> list[dict[str, Any]]:
    """The fields of every rule of the table that has no words of its own."""
    return [_fields(rule) for rule in _MADE]


def _fields(rule: PersonRule) -> dict[str, Any]:
    kind, words = KINDS[rule.kind], _WORDS[rule.who[0]]
    return {
        "id": rule.id,
        "tier": "soft" if rule.id in ON_BY_DEFAULT else "off",
        "name": _capital(kind.name.format(**words)),
        "unit": kind.unit,
        "units": kind.units,
        "sentence": kind.sentence.format(**words),
        "weight": kind.weight,
        "value": kind.value,
        "growing": kind.growing,
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
