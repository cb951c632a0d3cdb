"""Counts of a timetable by the CP-SAT model: all its variables fixed, the counts minimised."""

from __future__ import annotations

from collections.abc import Mapping

from solver.compiled import Compiled, compile_dataset, encode
from solver.control import Control
from solver.cpsat.exact import build_model
from solver.cpsat.model_builder import ModelBuilder, Tally
from solver.cpsat.plan import Treatment
from solver.cpsat.run import run
from solver.model import Dataset, Timetable
from solver.rules import RULE_IDS


def count_everything() -> dict[str, Treatment]:
    """Every rule counted and none kept: for timetables that break anything."""
    return dict.fromkeys(RULE_IDS, Treatment.PRICE)


def value(tally: Tally, values: tuple[int, ...]) -> int:
    pairs = zip(tally.variables, tally.coefficients, strict=True)
    return tally.constant + sum(coefficient * values[variable.index] for variable, coefficient in pairs)


def minimised_counts(builder: ModelBuilder) -> dict[str, int] | None:
    """Least counts of a builder, rule by rule; None when it is infeasible."""
    total = Tally()
    for tally in builder.tallies.values():
        total.variables += tally.variables
        total.coefficients += tally.coefficients
    builder.model.minimize(total.expression())
    found = run(builder.model, control=Control(), seconds=60.0)
    assert found.status in ("optimal", "infeasible")
    if found.status == "infeasible":
        return None
    return {rule_id: value(tally, tuple(found.values)) for rule_id, tally in builder.tallies.items()}


def fix(builder: ModelBuilder) -> None:
    """Holds the free sessions where the plan's timetable has them."""
    for literals in [*builder.x, *builder.y]:
        for literal in literals.values():
            builder.model.add(literal == builder.value(literal))


def counts_of(
    data: Dataset,
    timetable: Timetable,
    *,
    treat: Mapping[str, Treatment] | None = None,
    split: bool = False,
    compiled: Compiled | None = None,
) -> dict[str, int] | None:
    """The model's counts of a timetable; None when the rules it keeps forbid the timetable."""
    compiled = compiled or compile_dataset(data)
    slots, rooms = encode(timetable, data)
    builder = build_model(compiled, slots, rooms, treat=treat or count_everything(), partial=True, split=split)
    assert (
        all(
            slots[s] in unit.places and rooms[s] in unit.places[slots[s]]
            for unit in builder.plan.units
            for s in unit.sessions
            if slots[s] >= 0
        )
        or treat is not None
    )
    fix(builder)
    return minimised_counts(builder)
