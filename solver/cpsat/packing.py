"""
What rooms cost whatever the times are: sessions packed into rooms that are each open for so many slots a week.

Time is left out but for the number of slots, so the model has one number per course and room and is solved at once.
Its optimum is below the room costs of every timetable (the split of costs is that of Cacchiani et al., 2013,
doi:10.1016/j.cor.2013.02.022).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from solver.compiled import TIER_SOFT, Compiled
from solver.control import Control
from solver.cpsat.plan import Plan, Treatment, Treatments, room_costs
from solver.cpsat.run import run
from solver.rules import RULE_IDS

ROOM_COSTS = ("room_capacity", "room_unsuitable", "room_penalty", "room_waste", "context")
"""Soft rules that charge a session for the room it is in."""


def soft_weight(compiled: Compiled, rule_id: str) -> int:
    """The weight of a rule as a soft one, 0 when it is hard or off."""
    k = RULE_IDS.index(rule_id)
    return int(compiled.rule_weight[k]) if compiled.rule_tier[k] == TIER_SOFT else 0


def priced_rooms(compiled: Compiled, course: int, rules: tuple[str, ...] = ROOM_COSTS) -> NDArray[np.int64]:
    """``(places,)`` soft cost of one session of the course in each room, by the given rules."""
    costs = np.zeros(compiled.num_places, dtype=np.int64)
    units: Mapping[str, NDArray[np.int64]] = room_costs(compiled, course)
    for rule in rules:
        costs += soft_weight(compiled, rule) * units[rule]
    return costs


def least_room_cost(plan: Plan, treat: Treatments, *, control: Control, seconds: float) -> int:
    """
    A number that what rooms cost (see `ROOM_COSTS`) plus what moving between rooms costs cannot be below; 0 at least.

    `treat` says how the original rules are treated; a plan that was made without rooms still knows where each session
    may be.
    """
    compiled, model = plan.compiled, cp_model.CpModel()
    stability = soft_weight(compiled, "room_stability")
    if not stability and not any(soft_weight(compiled, rule) for rule in ROOM_COSTS):
        return 0
    taken: dict[int, list[cp_model.LinearExprT]] = {}
    used: dict[tuple[int, int], cp_model.IntVar] = {}
    costs: list[cp_model.LinearExprT] = []
    for unit in plan.units:
        control.beat()
        if control.should_stop:
            return 0
        rooms = sorted({room for places in unit.places.values() for room in places})
        price = priced_rooms(compiled, unit.course)
        counts = [model.new_int_var(0, unit.size, "") for _ in rooms]
        model.add(sum(counts) == unit.size)
        for room, count in zip(rooms, counts, strict=True):
            for member in compiled.place_room[compiled.place_ptr[room] : compiled.place_ptr[room + 1]].tolist():
                taken.setdefault(member, []).append(unit.length * count)
            costs.append(int(price[room]) * count)
            if stability:
                at_all = used.setdefault((int(compiled.family[unit.course]), room), model.new_bool_var(""))
                model.add(count <= unit.size * at_all)
    families = {family for family, _ in used}
    costs += [stability * at_all for at_all in used.values()]
    if treat["room_clash"] is Treatment.FORBID:
        for room, slots in taken.items():
            model.add(sum(slots) <= int(compiled.room_limit[room].sum(dtype=np.int64)))
    model.minimize(sum(costs) - stability * len(families))
    found = run(model, control=control, seconds=seconds)
    return max(0, found.bound or 0)
