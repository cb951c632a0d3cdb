"""
The second counter of the rules about somebody's day or week: whole arrays of days at once.

`busy` and `closed` are ``(people, days, periods)`` throughout, a `limit` is ``(people,)``, what comes back is
``(people,)`` units. The verifier walks the days one by one and says what a unit is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.person_rules import KindName

Bits: TypeAlias = NDArray[np.bool_]
Longs: TypeAlias = NDArray[np.int64]

DAY_MINUTES = 24 * 60
HOUR = 60


class Clock(NamedTuple):
    """
    The grid: start and end of each period in minutes, breaks before a period, and how many periods each day has.

    `start`, `end` and `rest` are ``(days, periods)``, `periods` is ``(days,)``.
    """

    start: Longs
    end: Longs
    rest: Bits
    periods: Longs

    @property
    def minutes(self) -> Longs:
        return self.end - self.start


class Days(NamedTuple):
    """Days of some people under one rule."""

    busy: Bits
    closed: Bits
    limit: Longs
    in_minutes: bool
    window: tuple[int, int]
    clock: Clock

    @property
    def used(self) -> Bits:
        """``(people, days)``"""
        return np.asarray(self.busy.any(axis=-1), dtype=np.bool_)

    @property
    def begun(self) -> Bits:
        """Where the period or an earlier one of the day is busy."""
        return np.logical_or.accumulate(self.busy, axis=-1)

    @property
    def left(self) -> Bits:
        """Where the period or a later one of the day is busy."""
        return np.logical_or.accumulate(self.busy[..., ::-1], axis=-1)[..., ::-1]

    @property
    def gaps(self) -> Longs:
        """``(people, days)`` open free periods between busy ones."""
        return np.asarray((self.begun & self.left & ~self.busy & ~self.closed).sum(axis=-1), dtype=np.int64)

    def first(self) -> Longs:
        return np.asarray(np.argmax(self.busy, axis=-1), dtype=np.int64)

    def last(self) -> Longs:
        return np.asarray(self.busy.shape[-1] - 1 - np.argmax(self.busy[..., ::-1], axis=-1), dtype=np.int64)

    def at(self, table: Longs, period: Longs) -> Longs:
        """``(people, days)`` entries of a table of the clock, at one period of each day."""
        return table[np.arange(table.shape[0]), period]

    def above(self, slots: Longs, minutes: Longs) -> Longs:
        """Slots, or started hours, above the limit; the last axis but the first is days, or there is none."""
        limit = self.limit.reshape(-1, *(1,) * (slots.ndim - 1))
        if self.in_minutes:
            return np.asarray(np.maximum(0, -(-(minutes - limit) // HOUR)), dtype=np.int64)
        return np.asarray(np.maximum(0, slots - limit), dtype=np.int64)

    @property
    def slots_taken(self) -> Longs:
        return np.asarray(self.busy.sum(axis=-1), dtype=np.int64)

    @property
    def minutes_taken(self) -> Longs:
        return np.asarray((self.busy * self.clock.minutes).sum(axis=-1), dtype=np.int64)


def _sum(per_day: Longs) -> Longs:
    return np.asarray(per_day.sum(axis=-1), dtype=np.int64)


def gap(d: Days) -> Longs:
    return _sum(np.maximum(0, d.gaps - d.limit[:, None]))


def _touched(busy: Bits, closed: Bits) -> Bits:
    """Where the one before, closed and free periods left out, is busy."""
    before = np.zeros(busy.shape[:-1], dtype=bool)
    found = np.zeros_like(busy)
    for period in range(busy.shape[-1]):
        found[..., period] = before
        before = np.where(busy[..., period], True, before & closed[..., period])
    return found


def isolated(d: Days) -> Longs:
    ahead = _touched(d.busy, d.closed)
    behind = _touched(d.busy[..., ::-1], d.closed[..., ::-1])[..., ::-1]
    return _sum(np.asarray((d.busy & ~ahead & ~behind).sum(axis=-1), dtype=np.int64))


def late_start(d: Days) -> Longs:
    free = (~d.begun & ~d.closed & d.used[..., None]).sum(axis=-1)
    return _sum(np.maximum(0, free - d.limit[:, None]))


def early_end(d: Days) -> Longs:
    allowed = np.maximum(0, d.clock.periods[None, :] - d.limit[:, None])
    return _sum(np.where(d.used, np.maximum(0, d.last() + 1 - allowed), 0))


def run(d: Days) -> Longs:
    length = np.zeros(d.used.shape, dtype=np.int64)
    total = np.zeros(len(d.busy), dtype=np.int64)
    for period in range(d.busy.shape[-1]):
        length[:, d.clock.rest[:, period]] = 0
        step = d.clock.minutes[:, period] if d.in_minutes else 1
        length = np.where(d.busy[..., period], length + step, 0)
        total += (length > d.limit[:, None]).sum(axis=-1)
    return total


def single(d: Days) -> Longs:
    return np.asarray((d.slots_taken == 1).sum(axis=-1), dtype=np.int64)


def span(d: Days) -> Longs:
    slots = d.slots_taken + d.gaps
    minutes = d.at(d.clock.end, d.last()) - d.at(d.clock.start, d.first())
    return _sum(np.where(d.used, d.above(slots, minutes), 0))


def daily_limit(d: Days) -> Longs:
    return _sum(np.where(d.used, d.above(d.slots_taken, d.minutes_taken), 0))


def daily_least(d: Days) -> Longs:
    missing = d.limit[:, None] - (d.minutes_taken if d.in_minutes else d.slots_taken)
    return _sum(np.where(d.used, np.maximum(0, -(-missing // (HOUR if d.in_minutes else 1))), 0))


def lunch(d: Days) -> Longs:
    begin, end = d.window
    free_from = np.full(d.used.shape, begin, dtype=np.int64)
    longest = np.full(d.used.shape, -1, dtype=np.int64)
    for period in range(d.busy.shape[-1]):
        here = d.busy[..., period]
        piece = np.minimum(d.clock.start[:, period], end) - np.maximum(free_from, begin)
        longest = np.where(here, np.maximum(longest, piece), longest)
        free_from = np.where(here, d.clock.end[:, period], free_from)
    longest = np.maximum(longest, end - np.maximum(free_from, begin))
    return np.asarray((d.used & (longest < d.limit[:, None])).sum(axis=-1), dtype=np.int64)


def week_gap(d: Days) -> Longs:
    return np.asarray(np.maximum(0, _sum(d.gaps) - d.limit), dtype=np.int64)


def days(d: Days) -> Longs:
    return np.asarray(np.maximum(0, d.used.sum(axis=-1) - d.limit), dtype=np.int64)


def weekly_limit(d: Days) -> Longs:
    return np.where(d.used.any(axis=-1), d.above(_sum(d.slots_taken), _sum(d.minutes_taken)), 0)


def rest(d: Days) -> Longs:
    until, since = d.at(d.clock.end, d.last()), d.at(d.clock.start, d.first())
    minutes = DAY_MINUTES - until[:, :-1] + since[:, 1:]
    short = d.used[:, :-1] & d.used[:, 1:] & (minutes < d.limit[:, None])
    return np.asarray(short.sum(axis=-1), dtype=np.int64)


UNITS: Mapping[KindName, Callable[[Days], Any]] = {
    "gap": gap,
    "isolated": isolated,
    "late_start": late_start,
    "early_end": early_end,
    "run": run,
    "single": single,
    "span": span,
    "daily_limit": daily_limit,
    "daily_least": daily_least,
    "lunch": lunch,
    "week_gap": week_gap,
    "days": days,
    "weekly_limit": weekly_limit,
    "rest": rest,
}
