"""The term: which days of the grid are taught on which dates, around holidays and moved days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from solver.calendar import WEEKDAYS

TEACHING_WEEKDAYS = range(5)
"""Those over which days rotate that are no days of the week: Monday to Friday."""


class Holiday(NamedTuple):
    """From `first` to `last`, both without lessons."""

    first: date
    last: date
    name: str = ""


class Taught(NamedTuple):
    """On `date`, in week `week` of the term (from 1), the plan of day `day` of the grid holds."""

    date: date
    week: int
    day: int
    moved: bool
    """Whether the date follows another day's plan than its own."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """
    `weeks` weeks from `first_day` on, which need not be a Monday; without it the weeks have no dates.

    A date of `moved` follows the plan of the day named there in place of its own.
    """

    weeks: int
    first_day: date | None = None
    time_zone: str | None = None
    holidays: tuple[Holiday, ...] = ()
    moved: Mapping[date, str] = field(default_factory=dict)

    @property
    def last_day(self) -> date | None:
        """The last day of the last week."""
        return None if self.first_day is None else self.first_day + timedelta(weeks=self.weeks, days=-1)

    def is_free(self, day: date) -> bool:
        """Whether it is a holiday."""
        return any(holiday.first <= day <= holiday.last for holiday in self.holidays)

    def dates(self, day_names: Sequence[str]) -> tuple[Taught, ...]:
        """
        Every date on which lessons are held, in order; none where the term has no first day.

        Days whose names begin with a day of the week follow the calendar: in one week where each of these occurs once,
        else in as many weeks as the names run through. All others rotate over the dates from Monday to Friday that are
        neither holidays nor moved.
        """
        if self.first_day is None:
            return ()
        weekdays = weekdays_of(day_names)
        own = _by_rotation(self, len(day_names)) if weekdays is None else _by_calendar(self, weekdays)
        held = {each.date: each for each in own if each.date not in self.moved and not self.is_free(each.date)}
        for moved, name in self.moved.items():
            week = (moved - self.first_day).days // 7 + 1
            held[moved] = Taught(moved, week, list(day_names).index(name), True)
        return tuple(held[day] for day in sorted(held))


def weekdays_of(day_names: Sequence[str]) -> tuple[int, ...] | None:
    """The day of the week, from 0 for Monday, that each name begins with; None where one begins with none."""
    found = []
    for name in day_names:
        weekday = next((n for n, own in enumerate(WEEKDAYS) if name.casefold().startswith(own.casefold())), None)
        if weekday is None:
            return None
        found.append(weekday)
    return tuple(found)


def weeks_of_cycle(weekdays: Sequence[int]) -> tuple[int, ...]:
    """The week of the cycle, from 0, that each day belongs to: a new one begins where the days of the week do."""
    weeks, week = [], 0
    for n, weekday in enumerate(weekdays):
        if n and (weekday - weekdays[0]) % 7 <= (weekdays[n - 1] - weekdays[0]) % 7:
            week += 1
        weeks.append(week)
    return tuple(weeks)


def _by_calendar(term: Term, weekdays: Sequence[int]) -> Iterator[Taught]:
    assert term.first_day is not None
    weeks = weeks_of_cycle(weekdays)
    cycle = max(weeks) + 1
    for week in range(term.weeks):
        begin = term.first_day + timedelta(weeks=week)
        for day, weekday in enumerate(weekdays):
            if weeks[day] == week % cycle:
                yield Taught(begin + timedelta(days=(weekday - begin.weekday()) % 7), week + 1, day, False)


def _by_rotation(term: Term, num_days: int) -> Iterator[Taught]:
    assert term.first_day is not None
    held = 0
    for n in range(7 * term.weeks):
        day = term.first_day + timedelta(days=n)
        if day.weekday() in TEACHING_WEEKDAYS and day not in term.moved and not term.is_free(day):
            yield Taught(day, n // 7 + 1, held % num_days, False)
            held += 1
