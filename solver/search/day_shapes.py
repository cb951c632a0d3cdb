"""
What the days of groups and students cost by their shape: which periods are busy.

`day_cost` counts the units of a day and multiplies them with the weights of the rules that count them; a table of it
serves days that are short enough for one. The recount has code of its own for the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from solver.compiled import Compiled
from solver.search.jit import Longs, Number, inlined, inner, kernel
from solver.search.problem import Problem
from solver.search.weights import HARD, Weights

GAP, ISOLATED, LONG_RUN, SINGLE, LAST, LATE, NUM_UNITS = 0, 1, 2, 3, 4, 5, 6
"""Units of a day, and their columns in `Problem.shape_weight`."""
GROUP, STUDENT, LONE = 0, 1, 2
"""
Whose day it is, a cohort's or a student's with or without a group: rows of `Problem.shape_weight`, and what
`Problem.shape_kind` holds.
"""
NUM_KINDS = 3


class DayRule(NamedTuple):
    """
    The unit of a day that a rule counts, and whose days it looks at.

    Attendees are the cohorts and the students without a group. `most` is by how many units one period more or less may
    change the count; None for as many as the day has periods.
    """

    unit: int
    of: Literal["group", "student", "attendee"]
    most: int | None = None


DAY_RULES: Mapping[str, DayRule] = {
    "group_gap": DayRule(GAP, "group"),
    "student_gap": DayRule(GAP, "student"),
    "isolated_session": DayRule(ISOLATED, "group", most=2),
    "late_start": DayRule(LATE, "group"),
    "consecutive_limit": DayRule(LONG_RUN, "attendee"),
    "single_session_day": DayRule(SINGLE, "attendee", most=1),
    "last_slot": DayRule(LAST, "attendee", most=1),
}


KINDS: Mapping[str, list[int]] = {"group": [GROUP], "student": [STUDENT, LONE], "attendee": [GROUP, LONE]}
"""Whose days a rule looks at -> the rows of their kinds."""


@inner
def day_cost(weight: Longs, mask: Number, periods: Number, rests: Number, consecutive_limit: Number) -> Number:
    """
    Packed cost of a day with the busy periods of `mask`; `weight` is one row of `Problem.shape_weight`.

    `rests` is a mask, too: of the periods before which a break lies.
    """
    total, busy, last, run = 0, 0, -1, 0
    for period in range(periods):
        if (rests >> period) & 1:
            run = 0
        if (mask >> period) & 1 == 0:
            run = 0
            continue
        if busy > 0:
            total += weight[GAP] * (period - last - 1)
        else:
            total += weight[LATE] * period
        if ((mask << 1) >> period) & 1 == 0 and (mask >> (period + 1)) & 1 == 0:
            total += weight[ISOLATED]
        busy += 1
        last = period
        run += 1
        if run > consecutive_limit:
            total += weight[LONG_RUN]
    if busy == 1:
        total += weight[SINGLE]
    if last == periods - 1:
        total += weight[LAST]
    return total


@kernel
def tabulate_days(weight: Longs, table: Longs, periods: Longs, rests: Longs, consecutive_limit: Number) -> None:
    """
    Writes the cost of every day into `table`, see `Problem.shape_table`; `periods` and `rests` are those of `Problem`.

    So the table and the days that are too long for one are priced by the same few lines. The recount has its own.
    """
    for row in range(table.shape[0]):
        kind, plan = row % NUM_KINDS, row // NUM_KINDS
        for mask in range(table.shape[1]):
            table[row, mask] = day_cost(weight[kind], mask, periods[plan], rests[plan], consecutive_limit)


@inlined
def shape_cost(p: Problem, kind: Number, plan: Number, mask: Number) -> Number:
    """Packed cost of a day with these busy periods, for one of a kind; `plan` is `Problem.plan_of` the day."""
    if p.shape_bits > 0:
        return p.shape_table[plan * NUM_KINDS + kind, mask]
    return day_cost(p.shape_weight[kind], mask, p.plan_periods[plan], p.plan_rests[plan], p.consecutive_limit)


def day_weights(weights: Weights) -> Longs:
    """``(3, units)`` packed cost per unit of a day, see `Problem.shape_weight`."""
    table = np.zeros((NUM_KINDS, NUM_UNITS), dtype=np.int64)
    for rule_id, rule in DAY_RULES.items():
        table[KINDS[rule.of], rule.unit] += weights.of(rule_id)
    return table


def most_saved(c: Compiled, weights: Weights) -> Longs:
    """``(3,)`` more than one busy period more and one less can save together, by what the rules count."""
    most = np.zeros(NUM_KINDS, dtype=np.int64)
    for rule_id, rule in DAY_RULES.items():
        units = c.num_periods if rule.most is None else rule.most
        most[KINDS[rule.of]] += 2 * units * (weights.of(rule_id) % HARD)
    return most
