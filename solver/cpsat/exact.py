"""The full model, for small cases: the best timetable, its bound, or a twice-checked proof that there is none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ortools.sat.python import cp_model

from solver.compiled import TIER_SOFT, Compiled
from solver.control import Control
from solver.cpsat.model_builder import ModelBuilder, Tally
from solver.cpsat.plan import Array, Plan, Treatments, make_plan, rough_literals, treatments
from solver.cpsat.rules import add_rules
from solver.cpsat.run import Parameter, Run, run
from solver.model import Dataset
from solver.rules import RULE_IDS

MAX_SIZE = 250_000
"""Above this `Plan.size` building takes seconds, and CP-SAT does not move from the timetable it is given."""
LARGE_MODEL = 20_000
QUICK_PRESOLVE: Mapping[str, Parameter] = {
    "max_presolve_iterations": 1,
    "symmetry_level": 0,
    "cp_model_probing_level": 0,
}
"""For models of more variables than `LARGE_MODEL`: of 80,000 variables, 14 s of presolve become 3 s."""
LARGEST_OBJECTIVE = 2**50
PROOF_SHARE = 0.3
"""Share of the time kept back to confirm that a model is infeasible."""

ExactStatus = Literal["optimal", "feasible", "infeasible", "unknown", "too_large"]


@dataclass(frozen=True, slots=True)
class ExactResult:
    """
    What the full model gave. `slots` and `rooms`, None without a timetable, are a claim for the caller to recount.

    `bound` is a lower bound of the soft cost of every timetable that places every session and keeps every hard rule;
    None when nothing was proved, and always None with `bend` or `partial`, where it would bound another problem.
    "infeasible" has been confirmed by a second, differently configured solve.
    """

    slots: Array | None
    rooms: Array | None
    status: ExactStatus
    bound: int | None
    seconds: float
    reason: str = ""


def build_model(
    compiled: Compiled,
    slots: Array,
    rooms: Array,
    *,
    treat: Treatments,
    free: Iterable[int] | None = None,
    partial: bool = False,
    split: bool = False,
    max_rooms: int | None = None,
) -> ModelBuilder:
    """A model with every rule in it, and no objective yet; see `make_plan` and `ModelBuilder` for the parameters."""
    plan = make_plan(compiled, slots, rooms, treat=treat, free=free, split=split, max_rooms=max_rooms)
    return build_from(plan, partial=partial)


def build_from(
    plan: Plan, *, partial: bool = False, with_rooms: bool = True, control: Control | None = None
) -> ModelBuilder:
    """The model of a plan, with every rule and no objective."""
    builder = ModelBuilder(plan, with_rooms=with_rooms, partial=partial, control=control)
    add_rules(builder)
    builder.control.beat()
    return builder


def minimise(builder: ModelBuilder, *, extra_soft: Tally | None = None) -> bool:
    """
    Sets the objective: sessions unplaced, highest rank first, before hard rules bent, before soft cost, as `Score`
    compares.

    The levels are joined by factors. False is returned when these had to be cut to keep the objective in range, so that
    the optimum of the model need not be the best by `Score`. Where ranks are told apart, soft cost and bent rules are
    rather left out, in this order, for no number of them may outweigh a rank.
    """
    levels = [_level(builder, soft=True), _level(builder, soft=False)]
    if extra_soft is not None:
        levels[0].include(extra_soft)
    unplaced = [builder.unplaced[rank] for rank in sorted(builder.unplaced)]
    total, exact = _joined([*levels, *unplaced])
    if len(unplaced) > 1:
        left_out = 0
        while not exact and left_out < len(levels):
            left_out += 1
            total, fits = _joined([*levels[left_out:], *unplaced])
            if fits:
                break
    builder.model.minimize(total.expression())
    return exact


def _joined(levels: Sequence[Tally]) -> tuple[Tally, bool]:
    """Levels, lowest first, as one number; whether no factor had to be cut."""
    total, exact, factor = Tally(), True, 1
    for level in levels:
        if level.variables and factor * max(1, level.upper) > LARGEST_OBJECTIVE:
            factor, exact = max(1, LARGEST_OBJECTIVE // max(1, level.upper)), False
        total.include(level, factor)
        factor = max(factor, total.upper + 1)
    return total, exact


def _level(builder: ModelBuilder, *, soft: bool) -> Tally:
    level = Tally()
    for k, rule_id in enumerate(RULE_IDS):
        if (builder.compiled.rule_tier[k] == TIER_SOFT) == soft:
            level.include(builder.tallies[rule_id], int(builder.compiled.rule_weight[k]))
    return level


def exact(
    dataset: Dataset,
    compiled: Compiled,
    start: tuple[Array, Array],
    *,
    control: Control,
    seconds: float,
    workers: int = 1,
    seed: int = 0,
    bend: bool = False,
    partial: bool = False,
) -> ExactResult:
    """
    Solves the whole problem as one model, every session placed.

    Parameters
    ----------
    start
        ``slot_of_session`` and ``room_of_session`` to start from; may be partial.
    seconds
        Includes building; a stop through `control` is heard within a fraction of a second.
    bend
        Prices bendable hard rules instead of keeping them.
    partial
        Sessions may be left open, those that matter least first; there is no bound then.
    """
    began, budget = time.monotonic(), control.until(seconds)
    treat = treatments(compiled, bend=bend)
    size = rough_literals(compiled, treat)
    if size <= MAX_SIZE:
        plan = make_plan(compiled, *start, treat=treat)
        size = plan.size
    if size > MAX_SIZE:
        reason = f"the full model would have about {size:,} variables; {MAX_SIZE:,} is the most we build"
        return ExactResult(None, None, "too_large", None, time.monotonic() - began, reason)
    builder = build_from(plan, partial=partial, control=budget)
    exact_levels = minimise(builder)
    builder.add_hint()
    found = run(
        builder.model,
        control=budget,
        seconds=(1 - PROOF_SHARE) * budget.remaining,
        workers=workers,
        seed=seed,
        parameters=QUICK_PRESOLVE if len(builder.hints) > LARGE_MODEL else {},
    )
    return _result(builder, found, exact_levels, bend or partial, budget, seed, time.monotonic() - began)


def _result(
    builder: ModelBuilder, found: Run, exact_levels: bool, unbounded: bool, budget: Control, seed: int, seconds: float
) -> ExactResult:
    bound = None if unbounded or found.bound is None else max(0, found.bound)
    if found.values:
        slots, rooms = builder.decode(found.values)
        proved = found.status == "optimal" and exact_levels and not found.interrupted
        return ExactResult(slots, rooms, "optimal" if proved else "feasible", bound, seconds)
    if found.status == "infeasible":
        if infeasible_again(builder.model, control=budget, seed=seed):
            return ExactResult(None, None, "infeasible", None, seconds)
        return ExactResult(None, None, "unknown", None, seconds, "a second solve did not confirm that it is infeasible")
    return ExactResult(None, None, "unknown", bound, seconds, "no timetable within the time")


def infeasible_again(model: cp_model.CpModel, *, control: Control, seed: int) -> bool:
    """Whether a solve without presolve and objective, and with another seed, also finds the model infeasible."""
    plain = model.clone()
    plain.proto.clear_objective()
    parameters = {"cp_model_presolve": False, "linearization_level": 0}
    again = run(plain, control=control, seconds=control.remaining, seed=seed + 1, parameters=parameters)
    return again.status == "infeasible"
