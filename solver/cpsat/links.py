"""
Links between sessions: one table of pair predicates on starts, two predicates on rooms.

Linked sessions are units of their own. For each start of one, the starts of the other that break the link are known
before building; starts with the same bad partners share one constraint, which keeps "same day" at one per day.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np

from solver.cpsat.model_builder import ModelBuilder, Row, Term
from solver.cpsat.plan import Array
from solver.terms import LINK_TYPES, LinkType

StartPredicate = Callable[[Array, Array, int, int, int, int], Array]

START_LINKS: dict[LinkType, StartPredicate] = {
    "precedence": lambda a, b, len_a, len_b, periods, value: a + len_a <= b,
    "not_overlap": lambda a, b, len_a, len_b, periods, value: (a + len_a <= b) | (b + len_b <= a),
    "same_start": lambda a, b, len_a, len_b, periods, value: a == b,
    "same_day": lambda a, b, len_a, len_b, periods, value: a // periods == b // periods,
    "different_day": lambda a, b, len_a, len_b, periods, value: a // periods != b // periods,
    "consecutive": lambda a, b, len_a, len_b, periods, value: (
        (a // periods == b // periods) & ((a + len_a == b) | (b + len_b == a))
    ),
    "min_gap": lambda a, b, len_a, len_b, periods, value: (
        (a // periods != b // periods) | (b - a - len_a >= value) | (a - b - len_b >= value)
    ),
}
"""Whether sessions of given starts and lengths keep the link."""


def kept(link_type: LinkType, a: Array, b: Array, lengths: tuple[int, int], periods: int, value: int) -> Array:
    """``(len(a), len(b))`` whether each pair of starts keeps a link that is about starts."""
    return START_LINKS[link_type](a[:, None], b[None, :], *lengths, periods, value)


def link_rule(rule_id: str) -> Callable[[ModelBuilder], None]:
    """What adds `link` (hard links) or `soft_link` to a model."""

    def build(builder: ModelBuilder) -> None:
        hard = rule_id == "link"
        unit_of = {s: u for u, unit in enumerate(builder.plan.units) if unit.size == 1 for s in unit.sessions}
        for number in np.flatnonzero(builder.compiled.link_hard == hard).tolist():
            a, b = int(builder.compiled.link_a[number]), int(builder.compiled.link_b[number])
            if a in unit_of or b in unit_of:
                _add_pair(
                    builder, rule_id, number, _Side(builder, a, unit_of.get(a)), _Side(builder, b, unit_of.get(b))
                )

    return build


class _Side:
    """One session of a link: free with variables, or fixed with constants; `starts` is empty when it stays unplaced."""

    def __init__(self, builder: ModelBuilder, session: int, unit: int | None) -> None:
        self.length = int(builder.compiled.length[builder.compiled.course_of_session[session]])
        self.by_start: dict[int, Term] = {}
        self.by_room: dict[int, list[Term]] = {}
        if unit is not None:
            self.by_start.update(builder.x[unit])
            for (_, r), literal in builder.y[unit].items():
                self.by_room.setdefault(r, []).append(literal)
        elif builder.plan.slots[session] >= 0 and builder.plan.rooms[session] >= 0:
            self.by_start[int(builder.plan.slots[session])] = 1
            self.by_room[int(builder.plan.rooms[session])] = [1]
        self.starts = np.array(list(self.by_start), dtype=np.int64)


def _add_pair(builder: ModelBuilder, rule_id: str, number: int, a: _Side, b: _Side) -> None:
    link_type = LINK_TYPES[int(builder.compiled.link_type[number])]
    if link_type in START_LINKS:
        rows = _start_rows(builder, link_type, int(builder.compiled.link_value[number]), a, b)
    elif not builder.with_rooms:
        return
    elif link_type == "different_room":
        shared = sorted(a.by_room.keys() & b.by_room.keys())
        rows = [([(1, term) for term in chain(a.by_room[r], b.by_room[r])], -1) for r in shared]
    else:
        rows = [
            ([(1, term) for term in chain(here, *(there for q, there in b.by_room.items() if q != r))], -1)
            for r, here in a.by_room.items()
        ]
    builder.penalise(rule_id, rows, int(builder.compiled.link_weight[number]))


def _start_rows(builder: ModelBuilder, link_type: LinkType, value: int, a: _Side, b: _Side) -> list[Row]:
    broken = ~kept(link_type, a.starts, b.starts, (a.length, b.length), builder.compiled.num_periods, value)
    together: dict[bytes, list[int]] = {}
    for i, pattern in enumerate(broken):
        if pattern.any():
            together.setdefault(pattern.tobytes(), []).append(i)
    rows: list[Row] = []
    for same in together.values():
        starts = [*(a.by_start[int(a.starts[i])] for i in same)]
        partners = [b.by_start[int(b.starts[j])] for j in np.flatnonzero(broken[same[0]])]
        rows.append(([(1, term) for term in starts + partners], -1))
    return rows
