"""
The rules about somebody's day or week, of `person_rules`: what one unit of each kind is, and the sentences.

A slot that is closed to a person (they are away, no room is open, the day is shorter) lies outside the day: it is no
gap, and what stands on both sides of it stands side by side. Breaks are no gap either; they end a run. Whoever is busy
in a closed slot all the same is busy there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from solver.calendar import clock_of
from solver.names import counted
from solver.person_rules import (
    DEFAULT_LONGEST_RUN,
    IN_SESSIONS,
    MINUTES_PER_HOUR,
    PERSON_RULES,
    KindName,
    Person,
    PersonRule,
)
from solver.rules import person_limit
from solver.terms import SessionKey
from solver.verify.view import Attendee, Counter, DayPeriods, Places, Told, View

DAY_MINUTES = 24 * 60


class Day(NamedTuple):
    """
    One day of a person: busy periods in order, at least one; closed ones; and the grid's.

    `clocks` are start and end of each period in minutes after midnight, `rests` the periods right after a break.
    """

    busy: list[int]
    closed: frozenset[int]
    clocks: tuple[tuple[int, int], ...]
    rests: frozenset[int]

    @property
    def inside(self) -> list[int]:
        """The periods from the first to the last busy one, without those that are closed and free."""
        busy = set(self.busy)
        return [p for p in range(self.busy[0], self.busy[-1] + 1) if p in busy or p not in self.closed]

    def minutes(self, period: int) -> int:
        start, end = self.clocks[period]
        return end - start


class Asked(NamedTuple):
    """What a rule asks of one person: a limit, in slots or in minutes, and the window where there is one."""

    limit: int
    minutes: bool
    window: tuple[int, int]

    def excess(self, slots: int, minutes: int) -> int:
        """Slots, or started hours, above the limit; below it 0."""
        if self.minutes:
            return max(0, -(-(minutes - self.limit) // MINUTES_PER_HOUR))
        return max(0, slots - self.limit)


# --- what one unit is ------------------------------------------------------------------------------------------------


def gaps(day: Day) -> int:
    """Open free periods between the first and the last busy one."""
    if not day.closed:
        return day.busy[-1] - day.busy[0] + 1 - len(day.busy)
    return len(day.inside) - len(day.busy)


def _gap(day: Day, asked: Asked) -> int:
    return max(0, gaps(day) - asked.limit)


def alone(day: Day) -> list[int]:
    """Busy periods without another one next to them in the day."""
    busy, inside = set(day.busy), [-1, *day.inside, -1]
    return [
        here
        for before, here, after in zip(inside, inside[1:], inside[2:], strict=False)
        if here in busy and not {before, after} & busy
    ]


def _isolated(day: Day, asked: Asked) -> int:
    return len(alone(day))


def _late_start(day: Day, asked: Asked) -> int:
    return max(0, sum(p not in day.closed for p in range(day.busy[0])) - asked.limit)


def _early_end(day: Day, asked: Asked) -> int:
    return max(0, day.busy[-1] + 1 - max(0, len(day.clocks) - asked.limit))


def _run(day: Day, asked: Asked) -> int:
    """Slots at which a run of adjacent ones, without a break between, is longer than the limit."""
    excess = slots = minutes = 0
    last = -2
    for period in day.busy:
        if period != last + 1 or period in day.rests:
            slots = minutes = 0
        slots, minutes, last = slots + 1, minutes + day.minutes(period), period
        excess += (minutes if asked.minutes else slots) > asked.limit
    return excess


def _single(day: Day, asked: Asked) -> int:
    return int(len(day.busy) == 1)


def _span(day: Day, asked: Asked) -> int:
    return asked.excess(len(day.inside), day.clocks[day.busy[-1]][1] - day.clocks[day.busy[0]][0])


def _daily_limit(day: Day, asked: Asked) -> int:
    return asked.excess(len(day.busy), sum(map(day.minutes, day.busy)))


def _daily_least(day: Day, asked: Asked) -> int:
    if asked.minutes:
        return max(0, -(-(asked.limit - sum(map(day.minutes, day.busy))) // MINUTES_PER_HOUR))
    return max(0, asked.limit - len(day.busy))


def _lunch(day: Day, asked: Asked) -> int:
    """1 where no piece of the window between what the day has there is as long as asked for."""
    begin, end = asked.window
    ends = [begin, *(day.clocks[p][1] for p in day.busy)]
    starts = [*(day.clocks[p][0] for p in day.busy), end]
    pieces = (min(start, end) - max(before, begin) for before, start in zip(ends, starts, strict=True))
    return int(all(piece < asked.limit for piece in pieces))


DayUnits = Callable[[Day, Asked], int]
DAY_UNITS: Mapping[KindName, DayUnits] = {
    "gap": _gap,
    "isolated": _isolated,
    "late_start": _late_start,
    "early_end": _early_end,
    "run": _run,
    "single": _single,
    "span": _span,
    "daily_limit": _daily_limit,
    "daily_least": _daily_least,
    "lunch": _lunch,
}


def _week_gap(week: Mapping[int, Day], asked: Asked) -> int:
    return max(0, sum(map(gaps, week.values())) - asked.limit)


def _days(week: Mapping[int, Day], asked: Asked) -> int:
    return max(0, len(week) - asked.limit)


def _weekly_limit(week: Mapping[int, Day], asked: Asked) -> int:
    minutes = sum(day.minutes(period) for day in week.values() for period in day.busy)
    return asked.excess(sum(len(day.busy) for day in week.values()), minutes)


def short_nights(week: Mapping[int, Day], asked: Asked) -> list[int]:
    """The days after whose last session too little time is left until the first one of the next day."""
    return [
        day
        for day, following in pairwise(sorted(week))
        if following == day + 1 and _overnight(week[day], week[following]) < asked.limit
    ]


def _overnight(day: Day, following: Day) -> int:
    return DAY_MINUTES - day.clocks[day.busy[-1]][1] + following.clocks[following.busy[0]][0]


def _rest(week: Mapping[int, Day], asked: Asked) -> int:
    return len(short_nights(week, asked))


WeekUnits = Callable[[Mapping[int, Day], Asked], int]
WEEK_UNITS: Mapping[KindName, WeekUnits] = {
    "week_gap": _week_gap,
    "days": _days,
    "weekly_limit": _weekly_limit,
    "rest": _rest,
}


# --- whose days ------------------------------------------------------------------------------------------------------


def _people(view: View, rule: PersonRule) -> Iterator[tuple[Attendee, DayPeriods]]:
    for kind in rule.who:
        if kind == "faculty":
            yield from ((("teacher", id), days) for id, days in view.teacher_days.items())
        elif kind == "group":
            yield from ((("group", id), days) for id, days in view.cohort_days.items())
        else:
            lone = view.dataset.lone_students
            everybody = kind == "student"
            yield from ((("student", id), days) for id, days in view.student_days.items() if everybody or id in lone)


def asked_of(view: View, rule: PersonRule, who: Attendee) -> Asked | None:
    """None where nothing is counted."""
    active = view.profile[rule.id]
    kind: Person = "faculty" if who[0] == "teacher" else "group" if who[0] == "group" else "student"
    limit = person_limit(view.dataset, rule, active, kind, who[1])
    return None if limit is None else Asked(limit, active.unit == "minutes", active.window)


def _week(view: View, who: Attendee, days: DayPeriods) -> dict[int, Day]:
    return {day: _day(view, who, day, periods) for day, periods in days.items()}


def _day(view: View, who: Attendee, day: int, busy: list[int]) -> Day:
    grid = view.dataset.time_grid
    return Day(busy, view.closed(who)[day], grid.periods_of(day), grid.rests(day))


def count_days(rule: PersonRule, view: View) -> Places:
    """Units of a kind on every day of everybody."""
    units = DAY_UNITS[rule.kind]
    for who, days in _people(view, rule):
        asked = asked_of(view, rule, who)
        if asked is not None:
            for day, periods in days.items():
                yield units(_day(view, who, day, periods), asked), (who, day)


def count_weeks(rule: PersonRule, view: View) -> Places:
    """Units of a kind in everybody's week."""
    units = WEEK_UNITS[rule.kind]
    for who, days in _people(view, rule):
        asked = asked_of(view, rule, who)
        if asked is not None:
            yield units(_week(view, who, days), asked), (who,)


def count_isolated(rule: PersonRule, view: View) -> Places:
    """Every busy slot is a place of its own."""
    for who, days in _people(view, rule):
        if asked_of(view, rule, who) is not None:
            for day, periods in days.items():
                left = set(alone(_day(view, who, day, periods)))
                for period in periods:
                    yield int(period in left), (who, day, period)


# --- in words --------------------------------------------------------------------------------------------------------


def tell_day(rule: PersonRule, view: View, who: Attendee, day: int, period: int = -1) -> Told:
    today = _day(view, who, day, view.days_of(who)[day])
    asked = asked_of(view, rule, who) or Asked(0, False, (0, 0))
    sentence = _sentence(rule, view, who, day, today, asked, period)
    return Told(sentence, _concerned(rule, view, who, day, period), view.ids_of(who))


def _concerned(rule: PersonRule, view: View, who: Attendee, day: int, period: int) -> tuple[SessionKey, ...]:
    keys = view.sessions_of(who, day)
    if rule.kind == "isolated":
        slot = day * view.dataset.time_grid.num_periods + period
        return tuple(key for key in keys if slot in view.placed[key].slots)
    if rule.id == "last_slot":
        slot = view.dataset.time_grid.slots_of(day)[-1]
        return tuple(key for key in keys if slot in view.placed[key].slots)
    return keys


def _sentence(rule: PersonRule, view: View, who: Attendee, day: int, today: Day, asked: Asked, period: int) -> str:
    name, when, names = view.attendee(who), view.names.day(day), view.names
    match rule.kind:
        case "gap":
            return f"{name} has {counted(gaps(today), 'free slot')} between sessions on {when}{_tolerated(asked)}"
        case "isolated":
            sessions = names.sessions(_concerned(rule, view, who, day, period))
            slot = day * view.dataset.time_grid.num_periods + period
            return f"{name} has {sessions} alone on {names.slot(slot)}"
        case "late_start":
            free = sum(p not in today.closed for p in range(today.busy[0]))
            return f"{name} has {counted(free, 'free slot')} before its first session on {when}{_tolerated(asked)}"
        case "early_end":
            if asked.limit == 1:
                return f"{name} has to stay for the last slot of {when}"
            return f"{name} has to stay on {when} beyond what leaves the last {asked.limit} slots free"
        case "run":
            ours = f" (the default of {rule.id})" if asked.limit == DEFAULT_LONGEST_RUN and not asked.minutes else ""
            verb = "teaches" if who[0] == "teacher" else "sits through"
            return f"{name} {verb} more than {_limit(asked)} in a row on {when}{ours}"
        case "single":
            return f"{name} comes on {when} only for {names.sessions(view.sessions_of(who, day))}"
        case "span":
            return f"the day of {name} on {when} is longer than {_limit(asked)}"
        case "daily_limit":
            return f"{name} has more than {_limit(asked)} on {when}"
        case "daily_least":
            return f"{name} has less than {_limit(asked)} on {when}"
        case _:
            begin, end = map(clock_of, asked.window)
            return f"{name} has no {asked.limit} minutes free between {begin} and {end} on {when}"


def _tolerated(asked: Asked) -> str:
    return f", {asked.limit} would do" if asked.limit else ""


def _limit(asked: Asked) -> str:
    return counted(asked.limit, "minute" if asked.minutes else "slot")


def tell_week(rule: PersonRule, view: View, who: Attendee) -> Told:
    days = view.days_of(who)
    asked = asked_of(view, rule, who) or Asked(0, False, (0, 0))
    week, name = _week(view, who, days), view.attendee(who)
    match rule.kind:
        case "week_gap":
            free = counted(sum(map(gaps, week.values())), "free slot")
            sentence = f"{name} has {free} between sessions in the week{_tolerated(asked)}"
        case "days":
            sentence = f"{name} comes in on {counted(len(days), 'day')}, where {asked.limit} would do"
        case "weekly_limit":
            sentence = f"{name} has more than {_limit(asked)} in the week"
        case _:
            nights = [view.names.day(day) for day in short_nights(week, asked)]
            sentence = f"{name} has less than {asked.limit} minutes of rest after {', '.join(nights)}"
    keys = tuple(key for day in sorted(days) for key in view.sessions_of(who, day))
    return Told(sentence, keys, view.ids_of(who))


def _counter(rule: PersonRule) -> Counter:
    if rule.kind == "isolated":
        return Counter(partial(count_isolated, rule), partial(tell_day, rule))
    if rule.kind in DAY_UNITS:
        return Counter(partial(count_days, rule), partial(tell_day, rule))
    return Counter(partial(count_weeks, rule), partial(tell_week, rule))


def _by_unit(rule: PersonRule, in_sessions: Counter) -> Counter:
    """A limit that counts sessions unless the rule is set to another unit."""
    other = _counter(rule)

    def chosen(view: View) -> Counter:
        return in_sessions if view.profile[rule.id].unit == "sessions" else other

    return Counter(lambda view: chosen(view).count(view), lambda view, *subject: chosen(view).tell(view, *subject))


def person_counters(in_sessions: Mapping[str, Counter]) -> dict[str, Counter]:
    """
    The counters of all rules about days and weeks.

    Parameters
    ----------
    in_sessions
        Those of the limits that are usually of sessions, by rule.
    """
    return {
        rule.id: _by_unit(rule, in_sessions[rule.id]) if rule.id in IN_SESSIONS else _counter(rule)
        for rule in PERSON_RULES
    }
