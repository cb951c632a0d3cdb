"""
Small sets of assumptions that cannot hold together, each checked.

First the question whether all of them hold, then a core that CP-SAT finds, then deletion: leave out part of the core,
and if the rest is still impossible that part was not needed. What remains when no single assumption can be left out is
minimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from ortools.sat.python import cp_model

from solver.compiled import TIER_RIGID, Compiled
from solver.control import Control
from solver.cpsat.assumptions import Assumption, assumptions_of
from solver.cpsat.model_builder import ModelBuilder, Var
from solver.cpsat.plan import Treatment, make_plan
from solver.cpsat.run import Run, run
from solver.model import Dataset
from solver.result import Conflict
from solver.rules import RULE_IDS

MAX_LITERALS = 300_000
MAX_CONFLICTS = 10
MAX_SENTENCES = 30
CHECK_SECONDS = 5.0
"""Most time for one solve while a core is being made smaller."""
CORE_SECONDS = 3.0
"""Most time for the solve with assumptions: counting arguments are hard with them and easy without."""
PLAIN = {"cp_model_presolve": False, "linearization_level": 2}

Evidence = Literal["two_solves", "one_solve"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    Why not all hard rules can hold. Without conflicts nothing was shown, neither that it is possible nor the contrary.

    `evidence` is "two_solves" when each conflict was found impossible by two differently configured solves.
    """

    conflicts: tuple[Conflict, ...] = ()
    evidence: Evidence | None = None


def explain(dataset: Dataset, compiled: Compiled, *, control: Control, seconds: float) -> Explanation:
    """
    Looks for up to `MAX_CONFLICTS` sets of hard assumptions that are impossible together, no assumption in two of them.

    Rooms are looked at as supply only, so a contradiction that needs the rooms themselves is not found here.
    """
    budget = control.until(seconds)
    if compiled.num_sessions * compiled.num_slots > MAX_LITERALS or budget.should_stop:
        return Explanation()
    checker = _Checker(compiled, budget)
    assumptions = assumptions_of(dataset, compiled)
    conflicts: list[Conflict] = []
    confirmed = True
    while len(conflicts) < MAX_CONFLICTS and checker.impossible(assumptions, seconds):
        core, minimal = checker.smallest(checker.core(assumptions, CORE_SECONDS))
        if not minimal and len(core) > MAX_SENTENCES:
            break  # the time is up, and nobody could read this
        confirmed = confirmed and checker.impossible(core, CHECK_SECONDS, again=True) is True
        conflicts.append(_conflict(core, minimal))
        found = {id(assumption) for assumption in core}
        assumptions = [assumption for assumption in assumptions if id(assumption) not in found]
    if not conflicts:
        return Explanation()
    return Explanation(tuple(conflicts), "two_solves" if confirmed else "one_solve")


def _conflict(core: Sequence[Assumption], minimal: bool) -> Conflict:
    rules = dict.fromkeys(rule for assumption in core for rule in assumption.rules)
    return Conflict(sentences=tuple(assumption.sentence for assumption in core), rules=tuple(rules), minimal=minimal)


class _Checker:
    """Asks whether sets of assumptions can hold together, building only what they are about."""

    def __init__(self, compiled: Compiled, control: Control) -> None:
        self.compiled, self.control = compiled, control
        nowhere = np.full(compiled.num_sessions, -1, dtype=np.int32)
        treat = dict.fromkeys(RULE_IDS, Treatment.IGNORE)
        # Sessions of a course are interchangeable only where they may not overlap; that much goes without saying.
        own_clash = compiled.rule_tier[RULE_IDS.index("group_clash")] == TIER_RIGID
        treat["group_clash"] = Treatment.FORBID if own_clash else Treatment.IGNORE
        self.plan = make_plan(compiled, nowhere, nowhere, treat=treat, max_rooms=1)

    def impossible(self, assumptions: Sequence[Assumption], seconds: float, *, again: bool = False) -> bool | None:
        """True when the assumptions cannot hold together, False when they can, None when the time did not suffice."""
        builder = self._builder(assumptions)
        for assumption in self._about(builder, assumptions):
            if self.control.should_stop:
                return None
            assumption.post(builder, lambda literals, limit: _at_most(builder, literals, limit, None))
        parameters = PLAIN if again else {}
        found = run(builder.model, control=self.control, seconds=seconds, seed=int(again), parameters=parameters)
        return {"infeasible": True, "optimal": False, "feasible": False}.get(found.status)

    def core(self, assumptions: Sequence[Assumption], seconds: float) -> list[Assumption]:
        """Some impossible part of impossible assumptions: CP-SAT's own core, or all when that takes too long."""
        builder = self._builder(assumptions)
        asked = self._about(builder, assumptions)
        switches = [builder.new_bool(True) for _ in asked]
        for assumption, switch in zip(asked, switches, strict=True):
            if self.control.should_stop:
                return list(asked)
            assumption.post(builder, lambda literals, limit, switch=switch: _at_most(builder, literals, limit, switch))  # type: ignore[misc]
        builder.model.add_assumptions(switches)
        found: Run = run(builder.model, control=self.control, seconds=seconds)
        core = set(found.core)
        if found.status != "infeasible" or not core:
            return list(asked)
        return [assumption for assumption, switch in zip(asked, switches, strict=True) if switch.index in core]

    def smallest(self, core: list[Assumption]) -> tuple[list[Assumption], bool]:
        """Leaves out halves, quarters, ... and single assumptions as long as the rest stays impossible."""
        size, decided = max(1, len(core) // 2), True
        while True:
            begin = 0
            while begin < len(core):
                if self.control.should_stop:
                    return core, False
                rest = core[:begin] + core[begin + size :]
                answer = self.impossible(rest, CHECK_SECONDS) if rest else False
                if answer:
                    core = rest
                else:
                    decided = decided and (answer is False or size > 1)
                    begin += size
            if size == 1:
                return core, decided
            size //= 2

    def _builder(self, assumptions: Sequence[Assumption]) -> ModelBuilder:
        """Variables of the courses that somebody wants placed, or joins; the others cannot be in anybody's way."""
        wanted = {assumption.places for assumption in assumptions}.union(*(each.joined for each in assumptions))
        units = tuple(unit for unit in self.plan.units if unit.course in wanted)
        return ModelBuilder(replace(self.plan, units=units), with_rooms=False, partial=True)

    def _about(self, builder: ModelBuilder, assumptions: Sequence[Assumption]) -> list[Assumption]:
        return [assumption for assumption in assumptions if assumption.courses & builder.units_of_course.keys()]


def _at_most(builder: ModelBuilder, literals: Sequence[cp_model.LiteralT], limit: int, switch: Var | None) -> None:
    if len(literals) <= limit:
        return
    if limit == 0:
        constraint = builder.model.add_bool_and([~literal for literal in literals])
    elif limit == len(literals) - 1:
        constraint = builder.model.add_bool_or([~literal for literal in literals])
    else:
        constraint = builder.model.add(cp_model.LinearExpr.sum(list(literals)) <= limit)
    if switch is not None:
        constraint.only_enforce_if(switch)
