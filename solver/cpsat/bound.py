"""
A lower bound of the soft cost from the model without rooms (stage 1 of Lach and Lübbecke, 2012,
doi:10.1007/s10479-010-0700-7).

Rooms are replaced by what any assignment of rooms must obey in each slot: no more sessions that need some set of rooms
than the set has, and no fewer students without a seat than the large classes outnumber the large rooms. Rules about
which room a course keeps, and the ways between rooms, cost nothing in it. Everything left out can only lower the cost,
so the bound holds. What rooms cost at least whatever the times are (`packing`), and what times cost at least whatever
the rooms are (`clusters`), is found first. The two are about different costs, so their sum is a bound as well, and each
is a floor of its costs in the model, which every timetable keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np

from solver.compiled import Compiled
from solver.control import Control
from solver.cpsat.clusters import TIME_COSTS, TREE_SEARCH, least_time_cost
from solver.cpsat.exact import build_from, minimise
from solver.cpsat.model_builder import ModelBuilder, Tally
from solver.cpsat.packing import ROOM_COSTS, least_room_cost, priced_rooms, soft_weight
from solver.cpsat.plan import Plan, Treatment, Treatments, make_plan, rough_literals, treatments
from solver.cpsat.run import run
from solver.cpsat.supply import add_room_supply
from solver.model import Dataset

MAX_SIZE = 400_000
MAX_PLACES = 5_000_000
"""Possible (start, room) pairs; they become no variables here, but memory."""
PACKING_SHARE = 0.2
"""Of the time for the bound at most; the model is small and seldom needs a second."""
CLUSTERS_SHARE = 0.7
"""Of the rest of the time: small clusters tell most of what there is to know, the whole model settles what is left."""
Method = Literal["rooms", "rooms and clusters", "whole model"]
ROOM_RULES = ("room_stability", "travel")
"""Soft rules that say nothing without rooms."""


def room_bound(compiled: Compiled, *, control: Control, seconds: float) -> int:
    """What rooms cost at least, whatever the times are: a bound found within about a second, and often 0."""
    treat = without_rooms(treatments(compiled, bend=False))
    plan = _plan(compiled, treat)
    return 0 if plan is None else least_room_cost(plan, treat, control=control, seconds=seconds)


def lower_bound(
    dataset: Dataset,
    compiled: Compiled,
    *,
    control: Control,
    seconds: float,
    room_floor: int | None = None,
    enough: int | None = None,
    on_bound: Callable[[Method, int], None] = lambda method, bound: None,
) -> int | None:
    """
    A number that the soft cost of no timetable with every session placed and every hard rule kept can be below.

    Parameters
    ----------
    room_floor
        What `room_bound` gave; None has it found here.
    enough
        The search for the bound ends here: the cost of a timetable that a bound as high proves to be the best.
    on_bound
        Told each bound as it is found, and by what; each is at least as high as those before.

    Returns
    -------
    None when the model would be too large, when a weight is negative, or when the time did not suffice for any bound.
    """
    treat = without_rooms(treatments(compiled, bend=False))
    plan = _plan(compiled, treat)
    if plan is None:
        return None
    budget = control.until(seconds)
    if room_floor is None:
        room_floor = least_room_cost(plan, treat, control=budget, seconds=PACKING_SHARE * seconds)
    on_bound("rooms", room_floor)
    if enough is not None and room_floor >= enough:
        return room_floor
    time_floor = least_time_cost(
        plan,
        control=budget.until(CLUSTERS_SHARE * budget.remaining),
        enough=None if enough is None else enough - room_floor,
    )
    floor = room_floor + time_floor
    on_bound("rooms and clusters", floor)
    if enough is not None and floor >= enough:
        return floor
    builder = build_from(plan, with_rooms=False, control=budget)
    add_room_supply(builder)
    _keep_time_floor(builder, time_floor)
    minimise(builder, extra_soft=_room_costs(builder, room_floor))
    found = run(builder.model, control=budget, seconds=budget.remaining, parameters=TREE_SEARCH, enough=enough)
    bound = max(floor, found.bound or 0)
    on_bound("whole model", bound)
    return bound if found.bound is not None or floor else None


def _plan(compiled: Compiled, treat: Treatments) -> Plan | None:
    """All sessions free; None when the model would be too large or a weight is negative."""
    if (compiled.rule_weight < 0).any() or rough_literals(compiled, treat) > MAX_PLACES:
        return None
    nowhere = np.full(compiled.num_sessions, -1, dtype=np.int32)
    plan = make_plan(compiled, nowhere, nowhere, treat=treat)
    size = sum(len(unit.places) for unit in plan.units) + plan.size - plan.literals
    return plan if size <= MAX_SIZE else None


def without_rooms(treat: Treatments) -> dict[str, Treatment]:
    """Ignores the rules that need rooms; what is kept about rooms still narrows where sessions may start."""
    return {rule: Treatment.IGNORE if rule in ROOM_RULES else how for rule, how in treat.items()}


def _keep_time_floor(builder: ModelBuilder, floor: int) -> None:
    """What times cost is not below `floor`; a term may be larger than what it counts, so no timetable is ruled out."""
    if floor == 0:
        return
    costs = Tally()
    for rule in TIME_COSTS:
        costs.include(builder.tallies[rule], soft_weight(builder.compiled, rule))
    builder.model.add(costs.expression() >= floor)


def _room_costs(builder: ModelBuilder, floor: int) -> Tally:
    """What rooms cost at the least: by the sessions of each slot, and never below `floor`."""
    costs = Tally()
    if builder.treatment("room_clash") is Treatment.FORBID and builder.treatment("room_capacity") is Treatment.PRICE:
        costs = _missing_seats(builder)
    _add_cheapest_rooms(builder, costs, capacity=not costs.variables)
    if floor == 0:
        return costs
    joint, total = builder.new_int(max(floor, costs.upper), 0), Tally()
    builder.model.add(joint >= costs.expression())
    builder.model.add(joint >= floor)
    total.add(1, joint, max(floor, costs.upper))
    return total


def _missing_seats(builder: ModelBuilder) -> Tally:
    """
    Students without a seat: for each number of seats, the sessions that need more, less the open rooms that have more.

    Counted over the sessions that *start* in a slot, so that a long session counts once.
    """
    compiled, weight = builder.compiled, soft_weight(builder.compiled, "room_capacity")
    total = Tally()
    # Those that take several rooms at once find more seats than any room has: they are left out.
    needs = [int(compiled.seats[u.course]) if compiled.rooms_needed[u.course] == 1 else 0 for u in builder.plan.units]
    room_seats = compiled.room_seats[: compiled.num_rooms]
    steps = sorted({0, *needs, *room_seats.tolist()})
    for t in range(compiled.num_slots):
        for low, high in pairwise(steps):
            literals = [x[t] for need, x in zip(needs, builder.x, strict=True) if need > low and t in x]
            rooms = int(compiled.room_limit[room_seats > low, t].sum(dtype=np.int64))
            if len(literals) > rooms:
                short = builder.new_int(len(literals) - rooms, 0)
                builder.bound([*((1, literal) for literal in literals), (-1, short)], rooms)
                total.add(weight * (high - low), short, len(literals) - rooms)
    return total


def _add_cheapest_rooms(builder: ModelBuilder, total: Tally, *, capacity: bool) -> None:
    """Every session costs at least what the cheapest of its rooms costs."""
    rules = ROOM_COSTS if capacity else tuple(rule for rule in ROOM_COSTS if rule != "room_capacity")
    priced = tuple(rule for rule in rules if builder.treatment(rule) is Treatment.PRICE)
    for unit, x in zip(builder.plan.units, builder.x, strict=True):
        costs = priced_rooms(builder.compiled, unit.course, priced)
        for t, literal in x.items():
            least = int(costs[list(unit.places[t])].min())
            if least:
                total.add(least, literal)
