"""
What the days and weeks of people cost by which periods are busy: the rules of `person_rules` in the kernels.

A *row* is a kind of day: the rules that count it with their weights and limits, which periods are closed, and the plan
of its day. `Problem.shape_row` says of which row a day of a resource is. `day_cost` counts the units of a day and
multiplies them with the weights; a table of it serves all rows where it does not become too large. Rules about a whole
week are counted by `week_cost`, for those resources that have any. The recount has code of its own for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from solver.compiled import Ints
from solver.person_rules import DAY_KINDS, WEEK_KINDS, KindName
from solver.search.jit import Longs, Number, inlined, inner, kernel
from solver.search.problem import Problem
from solver.search.state import BUSY, State

GAP, ISOLATED, LATE_START, EARLY_END, RUN, SINGLE, SPAN, DAILY_LIMIT, DAILY_LEAST, LUNCH = range(10)
WEEK_GAP, DAYS, WEEKLY_LIMIT, REST = range(4)
DAY_CODES: Mapping[KindName, int] = {kind: code for code, kind in enumerate(DAY_KINDS)}
WEEK_CODES: Mapping[KindName, int] = {kind: code for code, kind in enumerate(WEEK_KINDS)}
"""The number that stands for a kind in arrays, and the names above for in kernels."""
KIND, LIMIT, HOURS, FROM, TO, NUM_FIELDS = 0, 1, 2, 3, 4, 5
"""Columns of `Problem.shape_rule` and `week_rule`: what is counted, the limit, 1 for minutes, and the window."""
DAY_MINUTES = 24 * 60


@inlined
def started(above: Number, hours: Number) -> Number:
    """What is above a limit, in slots or in started hours; 0 below it."""
    if above <= 0:
        return 0
    return (above + 59) // 60 if hours != 0 else above


@inner
def free_before(mask: Number, closed: Number, period: Number) -> Number:
    """Periods before one that are neither busy nor closed."""
    free = 0
    for k in range(period):
        free += 1 - ((mask | closed) >> k) & 1
    return free


@inner
def gap_units(mask: Number, closed: Number, periods: Number) -> Number:
    """Open free periods between busy ones."""
    total, waiting = 0, 0
    for period in range(periods):
        if (mask >> period) & 1:
            total += waiting
            waiting = 0
        elif mask & ((np.int64(1) << period) - 1) != 0 and (closed >> period) & 1 == 0:
            waiting += 1
    return total


@inner
def isolated_units(mask: Number, closed: Number, periods: Number) -> Number:
    """Busy periods with no busy one next to them; closed free ones in between are looked over."""
    total, near, last_alone = 0, 0, 0
    for period in range(periods):
        if (mask >> period) & 1:
            if near != 0:
                last_alone = 0
            else:
                total += last_alone
                last_alone = 1
            near = 1
        elif (closed >> period) & 1 == 0:
            near = 0
    return total + last_alone


@inner
def run_units(mask: Number, rests: Number, clock: Longs, periods: Number, limit: Number, hours: Number) -> Number:
    """Periods at which a run of busy ones, without a break between, is longer than the limit."""
    total, length = 0, 0
    for period in range(periods):
        if (rests >> period) & 1:
            length = 0
        if (mask >> period) & 1 == 0:
            length = 0
            continue
        length += clock[period, 1] - clock[period, 0] if hours != 0 else 1
        if length > limit:
            total += 1
    return total


@inner
def longest_piece(mask: Number, clock: Longs, periods: Number, begin: Number, end: Number) -> Number:
    """Minutes of the longest free piece of a window."""
    longest, since = -1, begin
    for period in range(periods):
        if (mask >> period) & 1:
            longest = max(longest, min(clock[period, 0], end) - max(since, begin))
            since = clock[period, 1]
    return max(longest, end - max(since, begin))


@inner
def first_busy(mask: Number) -> Number:
    """The first busy period; the mask is not empty."""
    period = 0
    while (mask >> period) & 1 == 0:
        period += 1
    return period


@inner
def last_busy(mask: Number) -> Number:
    """The last busy period; the mask is not empty."""
    period = -1
    while mask >> (period + 1) != 0:
        period += 1
    return period


@inner
def busy_size(mask: Number, clock: Longs, periods: Number, hours: Number) -> Number:
    """Busy periods, or their minutes."""
    total = 0
    for period in range(periods):
        if (mask >> period) & 1:
            total += clock[period, 1] - clock[period, 0] if hours != 0 else 1
    return total


@inner
def day_units(rule: Longs, mask: Number, closed: Number, periods: Number, rests: Number, clock: Longs) -> Number:
    """Units of one rule, a row of `Problem.shape_rule`, on a day with the busy periods of `mask`, which has some."""
    kind, limit, hours = rule[KIND], rule[LIMIT], rule[HOURS]
    if kind == GAP:
        return max(0, gap_units(mask, closed, periods) - limit)
    if kind == ISOLATED:
        return isolated_units(mask, closed, periods)
    if kind == LATE_START:
        return max(0, free_before(mask, closed, first_busy(mask)) - limit)
    if kind == EARLY_END:
        return max(0, last_busy(mask) + 1 - max(0, periods - limit))
    if kind == RUN:
        return run_units(mask, rests, clock, periods, limit, hours)
    if kind == SINGLE:
        return 1 if mask & (mask - 1) == 0 else 0
    if kind == SPAN:
        if hours != 0:
            return started(clock[last_busy(mask), 1] - clock[first_busy(mask), 0] - limit, hours)
        return max(0, busy_size(mask, clock, periods, 0) + gap_units(mask, closed, periods) - limit)
    if kind == DAILY_LIMIT:
        return started(busy_size(mask, clock, periods, hours) - limit, hours)
    if kind == DAILY_LEAST:
        return started(limit - busy_size(mask, clock, periods, hours), hours)
    return 1 if longest_piece(mask, clock, periods, rule[FROM], rule[TO]) < limit else 0


@inner
def day_cost(
    rules: Longs,
    weights: Longs,
    first: Number,
    end: Number,
    mask: Number,
    closed: Number,
    periods: Number,
    rests: Number,
    clock: Longs,
) -> Number:
    """Packed cost of a day with the busy periods of `mask`, under the rules from `first` to `end`, exclusive."""
    total = np.int64(0)
    if mask != 0:
        for k in range(first, end):
            total += weights[k] * day_units(rules[k], mask, closed, periods, rests, clock)
    return total


@kernel
def tabulate_days(
    pointers: Ints,
    rules: Longs,
    weights: Longs,
    closed: Longs,
    plan: Ints,
    periods: Longs,
    rests: Longs,
    clock: Longs,
    table: Longs,
) -> None:
    """
    Writes the cost of every day of every row into `table`, see `Problem.shape_table`.

    So the table and the days that are too long for one are priced by the same few lines. The recount has its own.
    """
    for row in range(table.shape[0]):
        d = plan[row]
        for mask in range(table.shape[1]):
            table[row, mask] = day_cost(
                rules,
                weights,
                pointers[row],
                pointers[row + 1],
                mask,
                closed[row],
                periods[d],
                rests[d],
                clock[d],
            )


@inlined
def shape_cost(p: Problem, x: Number, day: Number, mask: Number) -> Number:
    """Packed cost of a day of resource x with these busy periods."""
    row = np.int64(p.shape_row[x, day])
    if p.shape_bits > 0:
        return p.shape_table[row, mask]
    return computed_cost(p, row, mask)


@inner
def computed_cost(p: Problem, row: Number, mask: Number) -> Number:
    """The same for days that are too long for a table."""
    d = np.int64(p.shape_plan[row])
    return day_cost(
        p.shape_rule,
        p.shape_weight,
        np.int64(p.shape_ptr[row]),
        np.int64(p.shape_ptr[row + 1]),
        mask,
        p.shape_closed[row],
        p.plan_periods[d],
        p.plan_rests[d],
        p.plan_clock[d],
    )


@inner
def week_cost(p: Problem, st: State, x: Number, d: Number, here: Number, e: Number, there: Number) -> Number:
    """
    Packed cost of the week of resource x under the rules about weeks, with `here` busy on day d and `there` on day e.

    Where both are one day, `there` counts.
    """
    total = np.int64(0)
    week = np.int64(p.week_row[x])
    for k in range(p.week_ptr[week], p.week_ptr[week + 1]):
        kind, limit, hours = p.week_rule[k, KIND], p.week_rule[k, LIMIT], p.week_rule[k, HOURS]
        amount = np.int64(0)
        until = np.int64(-1)
        for day in range(p.num_days):
            mask = there if day == e else here if day == d else np.int64(st.mask[x, day, BUSY])
            plan = np.int64(p.plan_of[day])
            if mask == 0:
                until = np.int64(-1)
            elif kind == WEEK_GAP:
                amount += gap_units(mask, p.closed[x, day], p.plan_periods[plan])
            elif kind == DAYS:
                amount += 1
            elif kind == WEEKLY_LIMIT:
                amount += busy_size(mask, p.plan_clock[plan], p.plan_periods[plan], hours)
            else:
                since = p.plan_clock[plan, first_busy(mask), 0]
                if until >= 0 and DAY_MINUTES - until + since < limit:
                    amount += 1
                until = p.plan_clock[plan, last_busy(mask), 1]
        if kind == REST:
            total += p.week_weight[k] * amount
        elif kind == WEEKLY_LIMIT:
            total += p.week_weight[k] * started(amount - limit, hours) if amount > 0 else np.int64(0)
        else:
            total += p.week_weight[k] * max(0, amount - limit)
    return total


@inlined
def week_change(p: Problem, st: State, x: Number, d: Number, here: Number, e: Number, there: Number) -> Number:
    """What the week of resource x costs more when day d becomes `here` and day e `there`."""
    if p.weeks == 0 or p.week_row[x] < 0:
        return np.int64(0)
    after = week_cost(p, st, x, d, here, e, there)
    return after - week_cost(p, st, x, d, np.int64(st.mask[x, d, BUSY]), e, np.int64(st.mask[x, e, BUSY]))


def most_units(kind: KindName, periods: int, *, in_minutes: bool) -> int:
    """By how many units one busy period more or less may change what is counted of a day or week, at most."""
    if kind in ("single", "lunch", "days"):
        return 1
    if kind in ("isolated", "rest"):
        return 2
    if kind in ("daily_limit", "daily_least", "weekly_limit"):
        return DAY_MINUTES // 60 if in_minutes else 1
    return DAY_MINUTES // 60 if kind == "span" and in_minutes else periods
