"""
The variables of one model, and the few ways in which rules may use them.

``x[u][t]`` is 1 when a session of unit u starts at slot t, ``y[u][t, r]`` when it stands in room r there (the same
variable as ``x`` where only one room is possible). Each variable is made with the value it has in the start timetable,
so that the hint is always complete, auxiliaries included: an incomplete hint can be lost in presolve.

A rule adds its count to a `Tally`. Auxiliaries are bounded from below only and pressed down by the objective: on an
optimal solution, and on a fixed timetable after minimising, counts are exact; otherwise they may be loose, so they are
never reported.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from ortools.sat.python import cp_model

from solver.control import Control
from solver.cpsat.plan import Array, Plan, Treatment, Unit
from solver.rules import RULE_IDS

Var: TypeAlias = cp_model.IntVar
Term: TypeAlias = Var | int
Row: TypeAlias = tuple[Sequence[tuple[int, Term]], int]
"""A linear expression: (coefficient, term) pairs and a constant."""


@dataclass(slots=True)
class Tally:
    """One rule's count as a linear expression; `upper` bounds it from above."""

    variables: list[Var] = field(default_factory=list)
    coefficients: list[int] = field(default_factory=list)
    constant: int = 0
    upper: int = 0

    def add(self, coefficient: int, term: Term, upper: int = 1) -> None:
        if isinstance(term, int):
            self.constant += coefficient * term
            self.upper += coefficient * term
        else:
            self.variables.append(term)
            self.coefficients.append(coefficient)
            self.upper += max(0, coefficient * upper)

    def include(self, part: Tally, factor: int = 1) -> None:
        """Adds factor x another tally, with a factor that is not negative."""
        self.variables += part.variables
        self.coefficients += [factor * coefficient for coefficient in part.coefficients]
        self.constant += factor * part.constant
        self.upper += factor * part.upper

    def expression(self) -> cp_model.LinearExprT:
        return cp_model.LinearExpr.weighted_sum(self.variables, self.coefficients) + self.constant


class ModelBuilder:
    """
    A CP-SAT model with start and room variables for the units of a plan.

    Parameters
    ----------
    with_rooms
        False leaves rooms out: a relaxation.
    partial
        True lets sessions stay unplaced; `unplaced` counts them, by rank.
    control
        A stop cuts adding rules short; such a model is of no use, and `run` will not solve it.
    """

    def __init__(
        self, plan: Plan, *, with_rooms: bool = True, partial: bool = False, control: Control | None = None
    ) -> None:
        self.plan, self.compiled = plan, plan.compiled
        self.control = control or Control()
        self.with_rooms, self.partial = with_rooms, partial
        self.model = cp_model.CpModel()
        self.variables: list[Var] = []
        self.hints: list[int] = []
        self.uppers: list[int] = []
        self.tallies: dict[str, Tally] = {rule_id: Tally() for rule_id in RULE_IDS}
        self.unplaced: dict[int, Tally] = {}
        self.apart: set[tuple[int, int]] = set()
        self.meetings: dict[tuple[int, int, int], Tally] = {}
        self._covers: dict[tuple[int, int], list[Var]] = {}
        self._permits = bool((self.compiled.together >= 0).any())
        self._either: dict[tuple[int, ...], Var] = {}
        self.x: list[dict[int, Var]] = []
        self.y: list[dict[tuple[int, int], Var]] = []
        for unit in plan.units:
            self._place(unit)
        self.units_of_course: dict[int, list[int]] = {}
        self.units_of_whole: dict[int, list[int]] = {}
        for u, unit in enumerate(plan.units):
            self.units_of_course.setdefault(unit.course, []).append(u)
            self.units_of_whole.setdefault(int(self.compiled.whole[unit.course]), []).append(u)

    # --- variables ---------------------------------------------------------------------------------------------------

    def new_bool(self, hint: bool) -> Var:
        return self._register(self.model.new_bool_var(""), int(hint), 1)

    def new_int(self, upper: int, hint: int) -> Var:
        return self._register(self.model.new_int_var(0, upper, ""), min(upper, hint), upper)

    def _register(self, variable: Var, hint: int, upper: int) -> Var:
        self.variables.append(variable)
        self.hints.append(hint)
        self.uppers.append(upper)
        return variable

    def value(self, term: Term) -> int:
        """Value of a term in the start timetable."""
        return term if isinstance(term, int) else self.hints[term.index]

    def upper(self, term: Term) -> int:
        return term if isinstance(term, int) else self.uppers[term.index]

    def evaluate(self, row: Row) -> int:
        return sum(coefficient * self.value(term) for coefficient, term in row[0]) + row[1]

    def _place(self, unit: Unit) -> None:
        now = {
            int(self.plan.slots[s]): int(self.plan.rooms[s])
            for s in unit.sessions
            if self.plan.slots[s] >= 0 and self.plan.rooms[s] >= 0
        }
        x: dict[int, Var] = {}
        y: dict[tuple[int, int], Var] = {}
        for t, rooms in unit.places.items():
            x[t] = self.new_bool(t in now)
            if not self.with_rooms:
                continue
            if len(rooms) == 1:
                y[t, rooms[0]] = x[t]
                continue
            here = [self.new_bool(now.get(t) == r) for r in rooms]
            y.update(((t, r), literal) for r, literal in zip(rooms, here, strict=True))
            self.model.add(cp_model.LinearExpr.sum(here) == x[t])
        self.x.append(x)
        self.y.append(y)
        placed = cp_model.LinearExpr.sum(list(x.values()))
        if self.partial:
            self.model.add(placed <= unit.size)
            tally = self.unplaced.setdefault(int(self.compiled.rank[unit.course]), Tally())
            tally.add(1, unit.size)
            for literal in x.values():
                tally.add(-1, literal)
        elif unit.size == 1 and x:
            self.model.add_exactly_one(list(x.values()))
        elif len(x) < unit.size:
            self.model.add_bool_or([])
        else:
            self.model.add(placed == unit.size)

    # --- looking at them ---------------------------------------------------------------------------------------------

    def cover(self, u: int, t: int) -> list[Var]:
        """Start variables of unit u whose session would cover slot t."""
        key = (u, t)
        if key not in self._covers:
            x = self.x[u]
            first = t - self.plan.units[u].length + 1
            self._covers[key] = [x[start] for start in range(first, t + 1) if start in x]
        return self._covers[key]

    def covers(self, units: Iterable[int], t: int) -> list[Var]:
        return [literal for u in units for literal in self.cover(u, t)]

    def class_of(self, u: int) -> int:
        """The class of sessions with which unit u may clash, -1 for none; sessions that have one are units alone."""
        return int(self.compiled.together[self.plan.units[u].sessions[0]])

    def may_clash(self, u: int, v: int) -> bool:
        """Whether nobody minds being in sessions of both units at once."""
        return self._permits and self.class_of(u) == self.class_of(v) >= 0

    def apart_covers(self, units: Iterable[int], t: int, settled: Container[int] = ()) -> list[Var]:
        """
        Like `covers`, with one variable for all of a class that may clash, at least 1 where one of them runs.

        Classes in `settled` run there anyway and are left out.
        """
        if not self._permits:
            return self.covers(units, t)
        literals: list[Var] = []
        classes: dict[int, list[Var]] = {}
        for u in units:
            k = self.class_of(u)
            if k < 0:
                literals += self.cover(u, t)
            elif k not in settled:
                classes.setdefault(k, []).extend(self.cover(u, t))
        for members in classes.values():
            key = tuple(literal.index for literal in members)
            if len(members) > 1 and key not in self._either:
                self._either[key] = self.new_bool(any(map(self.value, members)))
                for literal in members:
                    self.model.add_implication(literal, self._either[key])
            literals += [self._either[key]] if len(members) > 1 else members
        return literals

    def starting(self, units: Iterable[int], day: int) -> list[Var]:
        """Start variables of the units on a day."""
        periods = self.compiled.num_periods
        return [literal for u in units for t, literal in self.x[u].items() if t // periods == day]

    def units_by(self, pointers: Array, items: Array) -> dict[int, list[int]]:
        """Units of each owner (teacher, group, student) that has any."""
        owners: dict[int, list[int]] = {}
        for u, unit in enumerate(self.plan.units):
            for owner in items[pointers[unit.course] : pointers[unit.course + 1]].tolist():
                owners.setdefault(owner, []).append(u)
        return owners

    def treatment(self, rule_id: str) -> Treatment:
        return self.plan.treat[rule_id]

    # --- what rules say ----------------------------------------------------------------------------------------------

    def penalise(self, rule_id: str, rows: Sequence[Row], coefficient: int = 1) -> None:
        """
        Adds coefficient x max(0, every row) to the rule's count, or keeps all rows at or below 0 when forbidden.
        """
        rows = [self._folded(row) for row in rows]
        highest = [sum(max(0, c * self.upper(term)) for c, term in terms) + constant for terms, constant in rows]
        rows = [row for row, high in zip(rows, highest, strict=True) if high > 0]
        if not rows:
            return
        if self.treatment(rule_id) is Treatment.FORBID:
            for terms, constant in rows:
                self.bound(terms, -constant)
            return
        tally = self.tallies[rule_id]
        terms, constant = rows[0]
        if len(rows) == 1 and constant >= 0 and all(c > 0 for c, _ in terms):
            for c, term in terms:
                tally.add(c * coefficient, term, self.upper(term))
            tally.add(coefficient, constant)
            return
        tally.include(self._slack(rows, max(highest)), coefficient)

    def _slack(self, rows: Sequence[Row], upper: int) -> Tally:
        """A variable that is at least 0 and every row."""
        slack = self.new_int(upper, max(0, *(self.evaluate(row) for row in rows)))
        for terms, constant in rows:
            self.bound([*terms, (-1, slack)], -constant)
        tally = Tally()
        tally.add(1, slack, upper)
        return tally

    def keep_from_meeting(self, rule_id: str, u: int, v: int, t: int, coefficient: int) -> None:
        """Charges two units that both cover a slot, or forbids it; rules about the same pair share its variable."""
        row: Row = ([(1, literal) for literal in self.cover(u, t) + self.cover(v, t)], -1)
        if self.treatment(rule_id) is Treatment.FORBID:
            self.bound(row[0], 1)
            return
        if (u, v, t) not in self.meetings:
            upper = sum(self.upper(literal) for _, literal in row[0]) - 1
            self.meetings[u, v, t] = self._slack([row], upper)
        self.tallies[rule_id].include(self.meetings[u, v, t], coefficient)

    def excess(self, rule_id: str, literals: Sequence[Var], background: int, limit: int) -> None:
        """
        Counts max(0, literals set + background - limit), or keeps the literals within what the background leaves.

        A background above the limit is nothing the literals could mend, so it never makes a model infeasible.
        """
        if self.treatment(rule_id) is Treatment.FORBID:
            room = max(0, limit - background)
            if len(literals) > room:
                self.at_most(literals, room)
        elif literals:
            self.penalise(rule_id, [([(1, literal) for literal in literals], background - limit)])

    def at_most(self, literals: Sequence[Var], limit: int) -> None:
        if limit == 1:
            self.model.add_at_most_one(literals)
        else:
            self.model.add(cp_model.LinearExpr.sum(list(literals)) <= limit)

    def keep_apart(self, units: Sequence[int]) -> None:
        """At most one session of the units at a time, but for those that may clash; says nothing twice about a pair."""
        pairs = {(u, v) for i, u in enumerate(units) for v in units[i + 1 :] if not self.may_clash(u, v)}
        pairs |= {(u, u) for u in units if self.plan.units[u].size > 1 and self.plan.units[u].length > 1}
        if pairs <= self.apart:
            return
        self.apart |= pairs
        for t in range(self.compiled.num_slots):
            literals = self.apart_covers(units, t)
            if len(literals) > 1:
                self.model.add_at_most_one(literals)

    def bound(self, terms: Iterable[tuple[int, Term]], limit: int) -> None:
        """Adds the constraint: sum of coefficient x term <= limit."""
        folded, constant = self._folded((list(terms), 0))
        if not folded:
            if constant > limit:
                self.model.add_bool_or([])
            return
        coefficients, variables = zip(*folded, strict=True)
        self.model.add(cp_model.LinearExpr.weighted_sum(list(variables), list(coefficients)) <= limit - constant)

    def _folded(self, row: Row) -> tuple[list[tuple[int, Var]], int]:
        """Moves constant terms into the constant."""
        variables = [(c, term) for c, term in row[0] if not isinstance(term, int)]
        return variables, row[1] + sum(c * term for c, term in row[0] if isinstance(term, int))

    # --- in and out --------------------------------------------------------------------------------------------------

    def add_hint(self) -> None:
        """Hands over the start timetable: a value for every variable. A variable hinted twice would be an error."""
        self.model.proto.clear_solution_hint()
        self.model.proto.solution_hint.vars.extend(range(len(self.hints)))
        self.model.proto.solution_hint.values.extend(self.hints)

    def decode(self, chosen: Sequence[int]) -> tuple[Array, Array]:
        """
        ``slot_of_session`` and ``room_of_session`` of a solution.

        Parameters
        ----------
        chosen
            Value of each variable, by its index.

        Returns
        -------
        tuple
            Copies of the start timetable with the free sessions at their new places. Sessions of one unit whose slot is
            still used keep it, so that interchangeable sessions do not change names for nothing.
        """
        slots, rooms = self.plan.slots.copy(), self.plan.rooms.copy()
        for u, unit in enumerate(self.plan.units):
            used = [t for t, literal in self.x[u].items() if chosen[literal.index]]
            place_of: dict[int, int] = {}
            for s in unit.sessions:
                if slots[s] in used:
                    place_of[s] = int(slots[s])
                    used.remove(place_of[s])
            for s in unit.sessions:
                t = place_of.get(s, used.pop(0) if s not in place_of and used else -1)
                slots[s], rooms[s] = t, self._room_at(u, t, chosen)
        return slots.astype(np.int32), rooms.astype(np.int32)

    def _room_at(self, u: int, t: int, chosen: Sequence[int]) -> int:
        if t < 0 or not self.with_rooms:
            return -1
        return next(r for r in self.plan.units[u].places[t] if chosen[self.y[u][t, r].index])
