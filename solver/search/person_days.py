"""
The rules about days and weeks as one search prices them: who has which rows, and what a row costs.

Everybody whose limits, closed periods and plan of the day are the same shares a row; weeks likewise. Where there are
many people they are alike in crowds, so that rows are few.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.compiled import Compiled
from solver.person_rules import DAY_KINDS, PERSON_RULES, PersonRule
from solver.search.day_shapes import DAY_CODES, DAY_MINUTES, NUM_FIELDS, WEEK_CODES, most_units, tabulate_days
from solver.search.jit import Longs
from solver.search.weights import HARD, Weights

MAX_TABLE_CELLS = 1 << 19
"""Up to so many cells days are looked up by row and bit mask, above they are computed."""
SEES_CLOSED = frozenset({"gap", "isolated", "late_start", "span"})
"""Kinds that ask which periods are closed."""


class _Priced(NamedTuple):
    """A rule that costs something: its row of `Compiled.person_limit`, and its packed weight."""

    row: int
    rule: PersonRule
    weight: int


def looked_at(c: Compiled, weights: Weights) -> NDArray[np.bool_]:
    """``(people,)`` whether a rule that costs something looks at their days."""
    rows = [each.row for each in _priced(c, weights)]
    return np.asarray((c.person_limit[rows] >= 0).any(axis=0), dtype=np.bool_)


def _priced(c: Compiled, weights: Weights) -> list[_Priced]:
    rules = [(k, PERSON_RULES[number]) for k, number in enumerate(c.person_rule.tolist())]
    return [_Priced(k, rule, weight) for k, rule in rules if (weight := weights.of(rule.id)) != 0]


def plans_of(c: Compiled) -> dict[str, Any]:
    """Days that are alike share a plan: their periods by the clock, and the breaks as masks."""
    days = (c.num_days, c.num_periods)
    bit = np.int64(1) << np.arange(c.num_periods)
    rests, walls = (flags.reshape(days).astype(np.int64) @ bit for flags in (c.rest, c.wall))
    midnight = DAY_MINUTES * np.arange(c.num_days, dtype=np.int64)[:, None, None]
    clock = np.stack([c.slot_start.reshape(days), c.slot_end.reshape(days)], axis=2) - midnight
    alike = np.concatenate([np.stack([c.day_periods, rests, walls], axis=1), clock.reshape(c.num_days, -1)], axis=1)
    kinds, first, plan_of = np.unique(alike, axis=0, return_index=True, return_inverse=True)
    return {
        "plan_of": plan_of.ravel(),
        "plan_periods": kinds[:, 0],
        "plan_rests": kinds[:, 1],
        "plan_walls": kinds[:, 2],
        "plan_clock": clock[first],
    }


def shape_parts(c: Compiled, weights: Weights, person: Longs) -> dict[str, Any]:
    """
    Fields of `Problem` about days and weeks.

    Parameters
    ----------
    person
        ``(resources,)`` which of the people of `Compiled` a resource is, -1 for none of them.
    """
    plans = plans_of(c)
    there = (np.int64(1) << plans["plan_periods"][plans["plan_of"]]) - 1
    closed = c.closed.reshape(-1, c.num_days, c.num_periods).astype(np.int64) @ (
        np.int64(1) << np.arange(c.num_periods)
    )
    closed = (
        np.where(person[:, None] >= 0, closed[person] & there, 0)
        if len(closed)
        else np.zeros((len(person), c.num_days))
    )
    priced = _priced(c, weights)
    daily = [each for each in priced if each.rule.kind in DAY_KINDS]
    weekly = [each for each in priced if each.rule.kind not in DAY_KINDS]
    days, drop = _day_parts(c, daily, person, closed.astype(np.int64), plans)
    weeks, weekly_drop = _week_parts(c, weekly, person)
    return {**plans, **days, **weeks, "closed": closed, "shape_drop": drop + weekly_drop}


def _limits(c: Compiled, priced: list[_Priced], person: Longs) -> Longs:
    """``(resources, rules)``, -1 where nothing is counted."""
    limits = c.person_limit[[each.row for each in priced]].T.astype(np.int64)
    if not len(limits):
        return np.full((len(person), len(priced)), -1, dtype=np.int64)
    return np.where(person[:, None] >= 0, limits[person], -1)


def _classes(limits: Longs) -> tuple[Longs, Longs]:
    """(class of each resource, limits of each class): resources of a class have the same limits."""
    if not limits.shape[1]:
        return np.zeros((1, 0), dtype=np.int64), np.zeros(len(limits), dtype=np.int64)
    kinds, number = np.unique(limits, axis=0, return_inverse=True)
    return kinds, number.ravel()


def _day_parts(
    c: Compiled, priced: list[_Priced], person: Longs, closed: Longs, plans: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    kinds, number = _classes(_limits(c, priced, person))
    sees = np.array([each.rule.kind in SEES_CLOSED for each in priced], dtype=np.bool_)
    asks = np.asarray(((kinds >= 0) & sees).any(axis=1))
    shape = closed.shape
    cells = np.stack(
        [
            np.broadcast_to(number[:, None], shape),
            np.where(asks[number][:, None], closed, 0),
            np.broadcast_to(plans["plan_of"], shape),
        ],
        axis=2,
    ).reshape(-1, 3)
    rows, row_of = np.unique(cells, axis=0, return_inverse=True)
    entries = [_entries(c, priced, kinds[kind], DAY_CODES) for kind in rows[:, 0].tolist()]
    pointers, rules, weight = _joined(entries)
    bits = c.num_periods if len(rows) << c.num_periods <= MAX_TABLE_CELLS else 0
    table = np.zeros((len(rows), 1 << bits), dtype=np.int64)
    parts = {
        "shape_row": row_of.reshape(shape),
        "shape_ptr": pointers,
        "shape_rule": rules,
        "shape_weight": weight,
        "shape_closed": rows[:, 1],
        "shape_plan": rows[:, 2],
        "shape_bits": bits,
        "shape_table": table,
    }
    if bits:
        read_only = {
            name: _as_in_kernels(name, value) for name, value in {**parts, **plans}.items() if name != "shape_table"
        }
        tabulate_days(
            read_only["shape_ptr"],
            read_only["shape_rule"],
            read_only["shape_weight"],
            read_only["shape_closed"],
            read_only["shape_plan"],
            read_only["plan_periods"],
            read_only["plan_rests"],
            read_only["plan_clock"],
            table,
        )
        return parts, _most_dropped(table, bits)
    most = [_most(each, periods=c.num_periods, c=c) for each in priced]
    return parts, max(
        (sum(m for m, limit in zip(most, kind, strict=True) if limit >= 0) for kind in kinds.tolist()), default=0
    )


def _as_in_kernels(name: str, value: Any) -> Any:
    """Of the type and as read-only as in a `Problem`: for another type kernels would be compiled once more."""
    if not isinstance(value, np.ndarray):
        return value
    array = np.ascontiguousarray(
        value, dtype=np.int32 if name in ("shape_ptr", "shape_plan", "shape_row", "plan_of") else np.int64
    )
    array = array.view()
    array.setflags(write=False)
    return array


def _most_dropped(table: Longs, bits: int) -> int:
    """What one busy period less and one more can save together, in the row where that is most."""
    masks = np.arange(1 << bits)
    most = 0
    for row in table:
        less = more = 0
        for period in range(bits):
            saved = (row - row[masks ^ (1 << period)] + HARD // 2) % HARD - HARD // 2
            busy = (masks >> period) & 1 == 1
            less = max(less, int(np.where(busy, saved, 0).max()))
            more = max(more, int(np.where(busy, 0, saved).max()))
        most = max(most, less + more)
    return most


def _week_parts(c: Compiled, priced: list[_Priced], person: Longs) -> tuple[dict[str, Any], int]:
    kinds, number = _classes(_limits(c, priced, person))
    pointers, rules, weight = _joined([_entries(c, priced, kind, WEEK_CODES) for kind in kinds])
    some = np.asarray((kinds >= 0).any(axis=1))
    most = [_most(each, periods=c.num_periods, c=c) for each in priced]
    drop = max(
        (sum(m for m, limit in zip(most, kind, strict=True) if limit >= 0) for kind in kinds.tolist()), default=0
    )
    parts = {
        "weeks": int(some.any()),
        "week_row": np.where(some[number], number, -1) if len(number) else number,
        "week_ptr": pointers,
        "week_rule": rules,
        "week_weight": weight,
    }
    return parts, drop


def _most(each: _Priced, *, periods: int, c: Compiled) -> int:
    in_minutes = bool(c.person_in_minutes[each.row])
    return 2 * most_units(each.rule.kind, periods, in_minutes=in_minutes) * (each.weight % HARD)


Entries = list[tuple[list[int], int]]


def _entries(c: Compiled, priced: list[_Priced], limits: Longs, codes: Any) -> Entries:
    """What counts at these limits: the columns of `shape_rule` and the weight of each rule."""
    return [
        (
            [
                codes[each.rule.kind],
                int(limit),
                int(c.person_in_minutes[each.row]),
                *c.person_window[each.row].tolist(),
            ],
            each.weight,
        )
        for each, limit in zip(priced, limits.tolist(), strict=True)
        if limit >= 0
    ]


def _joined(rows: list[Entries]) -> tuple[Longs, Longs, Longs]:
    """(pointers, rules, weights) of all rows, one behind the other."""
    every = [entry for row in rows for entry in row]
    pointers = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    rules = np.array([fields for fields, _ in every], dtype=np.int64).reshape(-1, NUM_FIELDS)
    return pointers, rules, np.array([weight for _, weight in every], dtype=np.int64)
