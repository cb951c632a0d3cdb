"""
Links between sessions, by the table of pair predicates in `links`.

Linked sessions are units of their own. For each start or room of one, those of the other that break the link are known
before building; starts with the same bad partners share one constraint, which keeps "same day" at one per day. Where
sessions should make one block, the slots are counted at which one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

import numpy as np

from solver.cpsat.model_builder import ModelBuilder, Row, Term
from solver.cpsat.plan import Array, Treatment
from solver.links import LINKS, TYPE_OF_CODE, rooms_keep, times_keep


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
        for k in np.flatnonzero(builder.compiled.set_hard == hard).tolist():
            sessions = builder.compiled.set_session[builder.compiled.set_ptr[k] : builder.compiled.set_ptr[k + 1]]
            if not unit_of.keys().isdisjoint(sessions.tolist()):
                sides = [_Side(builder, s, unit_of.get(s)) for s in sessions.tolist()]
                _add_set(builder, rule_id, int(builder.compiled.set_weight[k]), sides)

    return build


class _Side:
    """One session of a link: free with variables, or fixed with constants; `starts` is empty when it stays unplaced."""

    def __init__(self, builder: ModelBuilder, session: int, unit: int | None) -> None:
        self.length = int(builder.compiled.length[builder.compiled.course_of_session[session]])
        self.settled = unit is None
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
    compiled = builder.compiled
    link_type = TYPE_OF_CODE[int(compiled.link_type[number])]
    if LINKS[link_type].about == "time":
        lengths, says = (a.length, b.length), (int(compiled.link_value[number]), int(compiled.link_most[number]))
        keeps = times_keep(link_type, a.starts, b.starts, lengths, compiled.clock, *says)
        rows = _rows(~keeps, [[term] for term in a.by_start.values()], [[term] for term in b.by_start.values()])
    elif builder.with_rooms:
        keeps = rooms_keep(link_type, np.array(list(a.by_room)), np.array(list(b.by_room)))
        rows = _rows(~keeps, list(a.by_room.values()), list(b.by_room.values()))
    else:
        return
    builder.penalise(rule_id, rows, int(compiled.link_weight[number]))


def _add_set(builder: ModelBuilder, rule_id: str, weight: int, sides: list[_Side]) -> None:
    """Blocks above one; above those of the background, where it makes several and no more may be made."""
    if builder.plan.elsewhere and not all(side.by_start for side in sides):
        return  # a session that is not looked at may fill any hole between the others
    begins = block_begins(builder, [(side.length, side.by_start) for side in sides])
    allowed = 1
    if builder.treatment(rule_id) is Treatment.FORBID:
        settled = [(side.length, side.by_start) for side in sides if side.settled]
        allowed = max(1, len(block_begins(builder, settled)))
    builder.penalise(rule_id, [([(1, term) for term in begins], -allowed)], weight)


def block_begins(builder: ModelBuilder, sessions: Iterable[tuple[int, Mapping[int, Term]]]) -> list[Term]:
    """
    For each slot at which a block of sessions may begin, a term that is at least 1 when one does.

    Parameters
    ----------
    sessions
        Length of each, in slots, and a term per possible start.
    """
    compiled = builder.compiled
    covering: dict[int, list[Term]] = {}
    for length, by_start in sessions:
        for start, term in by_start.items():
            for t in range(start, start + length):
                covering.setdefault(t, []).append(term)
    busy = {t: _any(builder, terms) for t, terms in sorted(covering.items())}
    begins: list[Term] = []
    for t, here in busy.items():
        before: Term = busy.get(t - 1, 0) if t % compiled.num_periods and not compiled.wall[t] else 0
        if isinstance(before, int):
            begins += [here] if before == 0 else []
            continue
        begin = builder.new_bool(builder.value(here) > builder.value(before))
        builder.bound([(1, here), (-1, before), (-1, begin)], 0)
        begins.append(begin)
    return begins


def _any(builder: ModelBuilder, terms: list[Term]) -> Term:
    """Exactly 1 when any of the terms is, else 0."""
    variables = [term for term in terms if not isinstance(term, int)]
    if len(variables) < len(terms):
        return 1  # the only constants there are: a session of the background
    if len(variables) == 1:
        return variables[0]
    found = builder.new_bool(any(map(builder.value, variables)))
    for variable in variables:
        builder.model.add_implication(variable, found)
    builder.bound([(1, found), *((-1, variable) for variable in variables)], 0)
    return found


def _rows(broken: Array, of_a: list[list[Term]], of_b: list[list[Term]]) -> list[Row]:
    """At most one of what is broken together; `broken` is ``(len(of_a), len(of_b))``."""
    together: dict[bytes, list[int]] = {}
    for i, pattern in enumerate(broken):
        if pattern.any():
            together.setdefault(pattern.tobytes(), []).append(i)
    rows: list[Row] = []
    for same in together.values():
        partners = np.flatnonzero(broken[same[0]]).tolist()
        terms = chain(*(of_a[i] for i in same), *(of_b[j] for j in partners))
        rows.append(([(1, term) for term in terms], -1))
    return rows
