"""
Every rule of `RULES` as a function of the same name that adds its count to a model, or keeps it.

Count and constraint are one formulation: `ModelBuilder.penalise` and `ModelBuilder.excess` ask how the rule is to be
treated. Clashes are one at-most-one per owner and slot, never pairwise clauses. Every term is clamped at zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from solver.compiled import START_UNITS
from solver.cpsat.attendance import Attendance
from solver.cpsat.links import link_rule
from solver.cpsat.model_builder import ModelBuilder, Term, Var
from solver.cpsat.plan import Array, Plan, Treatment, courses_of, limited, room_costs
from solver.rules import travel_units

# --- one thing at a time ---------------------------------------------------------------------------------------------


def _owner_clash(builder: ModelBuilder, rule_id: str, kind: str) -> None:
    """`kind` is "faculty" or "group", as arrays are called."""
    compiled, busy = builder.compiled, getattr(builder.plan.background, kind)
    for owner, units in builder.units_by(getattr(compiled, f"{kind}_ptr"), getattr(compiled, kind)).items():
        if builder.treatment(rule_id) is Treatment.FORBID:
            builder.keep_apart(units)
            continue
        for t in range(builder.compiled.num_slots):
            here = {k for k, one in builder.plan.background.classes.items() if getattr(one, kind)[owner, t]}
            builder.excess(rule_id, builder.apart_covers(units, t, here), int(busy[owner, t]), 1)


def faculty_clash(builder: ModelBuilder) -> None:
    _owner_clash(builder, "faculty_clash", "faculty")


def group_clash(builder: ModelBuilder) -> None:
    _owner_clash(builder, "group_clash", "group")


def room_clash(builder: ModelBuilder) -> None:
    if not builder.with_rooms:
        return
    compiled = builder.compiled
    for k, units in enumerate(builder.units_of_class):
        using: dict[tuple[int, int], list[Var]] = {}
        for u in units:
            for (start, place), literal in builder.y[u].items():
                for r in compiled.place_room[compiled.place_ptr[place] : compiled.place_ptr[place + 1]].tolist():
                    for t in range(start, start + builder.plan.units[u].length):
                        using.setdefault((r, t), []).append(literal)
        for (r, t), literals in using.items():
            busy, limit = int(builder.plan.background.room[k, r, t]), int(compiled.room_limit[r, t])
            if limited(limit):
                builder.excess("room_clash", literals, busy, limit)


def student_clash(builder: ModelBuilder) -> None:
    if builder.treatment("student_clash") is builder.treatment("group_clash") is Treatment.FORBID:
        _student_cliques(builder)
        return
    _student_pairs(builder, "student_clash", builder.compiled.conflict_students)


def core_clash(builder: ModelBuilder) -> None:
    if builder.treatment("student_clash") is not Treatment.FORBID:
        _student_pairs(builder, "core_clash", builder.compiled.conflict_core)


def _student_pairs(builder: ModelBuilder, rule_id: str, students: Array) -> None:
    """Charges the common students of two courses, beside `conflict`, wherever both run at once."""
    compiled, cover = builder.compiled, builder.plan.background.course
    for u, unit in enumerate(builder.plan.units):
        row = slice(compiled.conflict_ptr[unit.course], compiled.conflict_ptr[unit.course + 1])
        others, shared = compiled.conflict[row], students[row]
        mates = builder.plan.background.classes.get(builder.class_of(u))
        settled = cover[others] if mates is None else cover[others] - mates.course[others]
        _add_by_start(builder, rule_id, u, shared @ settled)
        for other, common in zip(others.tolist(), shared.tolist(), strict=True):
            for v in builder.units_of_course.get(other, []) if common and other > unit.course else []:
                if builder.may_clash(u, v):
                    continue
                for t in range(compiled.num_slots):
                    if builder.cover(u, t) and builder.cover(v, t):
                        builder.keep_from_meeting(rule_id, u, v, t, common)


def _student_cliques(builder: ModelBuilder) -> None:
    """Courses of one student exclude each other; many students have the same courses, or fewer of the same."""
    compiled = builder.compiled
    sets = {tuple(units) for units in builder.units_by(compiled.student_ptr, compiled.student).values()}
    for units in sorted(sets, key=lambda units: (-len(units), units)):
        if len({builder.plan.units[u].course for u in units}) > 1:
            builder.keep_apart(units)


def _add_by_start(builder: ModelBuilder, rule_id: str, u: int, per_slot: Array) -> None:
    """Adds to the count, for each start of the unit, the sum of `per_slot` over the slots it would cover."""
    length = builder.plan.units[u].length
    for t, literal in builder.x[u].items():
        units = int(per_slot[t : t + length].sum())
        if units:
            builder.penalise(rule_id, [([(units, literal)], 0)])


# --- where one session stands ----------------------------------------------------------------------------------------


def _start_cost(rule_id: str) -> Callable[[ModelBuilder], None]:
    def count(builder: ModelBuilder) -> None:
        table = getattr(builder.compiled, START_UNITS[rule_id])
        for unit, x in zip(builder.plan.units, builder.x, strict=True):
            for t, literal in x.items():
                if table[unit.course, t]:
                    builder.penalise(rule_id, [([(int(table[unit.course, t]), literal)], 0)])

    return count


def _room_cost(rule_id: str) -> Callable[[ModelBuilder], None]:
    def count(builder: ModelBuilder) -> None:
        for unit, y in zip(builder.plan.units, builder.y, strict=True):
            if y:
                units = room_costs(builder.compiled, unit.course)[rule_id].tolist()
                for (_, r), literal in y.items():
                    if units[r]:
                        builder.penalise(rule_id, [([(units[r], literal)], 0)])

    return count


def context(builder: ModelBuilder) -> None:
    _start_cost("context")(builder)
    _room_cost("context")(builder)


def fixed_moved(builder: ModelBuilder) -> None:
    """Placed, but not where it was fixed; without rooms only the slot is looked at."""
    if builder.treatment("fixed_moved") is Treatment.FORBID:
        return
    for u, unit in enumerate(builder.plan.units):
        slot, room = (
            int(array[unit.sessions[0]]) for array in (builder.compiled.fixed_slot, builder.compiled.fixed_room)
        )
        if slot < 0:
            continue
        if room < 0 or not builder.with_rooms:
            kept: Term = builder.x[u].get(slot, 0)
        else:
            kept = builder.y[u].get((slot, room), 0)
        tally = builder.tallies["fixed_moved"]
        for literal in builder.x[u].values():
            tally.add(1, literal)
        tally.add(-1, kept)


# --- so many a day or a week -----------------------------------------------------------------------------------------


def _daily(builder: ModelBuilder, rule_id: str, owners: Mapping[int, list[int]], busy: Array, limits: Array) -> None:
    for owner, units in owners.items():
        if owner >= len(limits) or not limited(int(limits[owner])):
            continue
        for day in range(builder.compiled.num_days):
            builder.excess(rule_id, builder.starting(units, day), int(busy[owner, day]), int(limits[owner]))


def group_daily_limit(builder: ModelBuilder) -> None:
    owners = builder.units_by(builder.compiled.group_ptr, builder.compiled.group)
    _daily(builder, "group_daily_limit", owners, builder.plan.background.group_day, builder.compiled.group_day_limit)


def course_daily_limit(builder: ModelBuilder) -> None:
    for k, units in enumerate(builder.units_of_class):
        inside = set(units)
        owners = {whole: [u for u in own if u in inside] for whole, own in builder.units_of_whole.items()}
        busy = builder.plan.background.class_day[k]
        _daily(builder, "course_daily_limit", owners, busy, builder.compiled.course_day_limit)


def faculty_daily_limit(builder: ModelBuilder) -> None:
    owners = builder.units_by(builder.compiled.faculty_ptr, builder.compiled.faculty)
    _daily(
        builder, "faculty_daily_limit", owners, builder.plan.background.faculty_day, builder.compiled.faculty_day_limit
    )


def load_balance(builder: ModelBuilder) -> None:
    owners = builder.units_by(builder.compiled.faculty_ptr, builder.compiled.faculty)
    _daily(builder, "load_balance", owners, builder.plan.background.faculty_day, builder.compiled.faculty_fair_share)


def faculty_weekly_limit(builder: ModelBuilder) -> None:
    for f, units in builder.units_by(builder.compiled.faculty_ptr, builder.compiled.faculty).items():
        if limited(int(builder.compiled.faculty_week_limit[f])):
            literals = [literal for u in units for literal in builder.x[u].values()]
            busy = int(builder.plan.background.faculty_day[f].sum())
            builder.excess("faculty_weekly_limit", literals, busy, int(builder.compiled.faculty_week_limit[f]))


def slot_peak(builder: ModelBuilder) -> None:
    for k, units in enumerate(builder.units_of_class):
        busy = builder.plan.background.course[courses_of(builder.compiled, k)].sum(axis=0)
        for t in range(builder.compiled.num_slots):
            literals = builder.covers(units, t)
            builder.excess("slot_peak", literals, int(busy[t]), builder.compiled.peak_limit)


# --- one course ------------------------------------------------------------------------------------------------------


def min_days(builder: ModelBuilder) -> None:
    for whole in builder.units_of_whole:
        count_missing_days(builder, whole)


def count_missing_days(builder: ModelBuilder, whole: int) -> None:
    """Adds the days that one whole course is short of its minimum to the count of `min_days`."""
    wanted, units = int(builder.compiled.min_days[whole]), builder.units_of_whole[whole]
    busy = builder.plan.background.course_day[whole]
    if wanted <= max(1, int(np.count_nonzero(busy))):
        return
    used = [
        1 if busy[day] else _used(builder, builder.starting(units, day)) for day in range(builder.compiled.num_days)
    ]
    placed: Term = 1 if busy.any() or not builder.partial else _any(builder, units)
    builder.penalise("min_days", [([(wanted, placed), *((-1, day) for day in used)], 0)])


def _used(builder: ModelBuilder, literals: list[Var]) -> Term:
    """At most 1, and 0 when none of the literals is set; counts that shrink with it pull it up."""
    if len(literals) < 2:
        return literals[0] if literals else 0
    used = builder.new_bool(any(map(builder.value, literals)))
    builder.bound([(1, used), *((-1, literal) for literal in literals)], 0)
    return used


def _any(builder: ModelBuilder, units: Iterable[int]) -> Term:
    """At least 1 when any session of the units is placed; counts that grow with it push it down."""
    literals = [literal for u in units for literal in builder.x[u].values()]
    placed = builder.new_bool(any(map(builder.value, literals)))
    for literal in literals:
        builder.model.add_implication(literal, placed)
    return placed


def room_stability(builder: ModelBuilder) -> None:
    """Rooms used, less one; rooms the background uses anyway are free of charge."""
    compiled, plan = builder.compiled, builder.plan
    if not builder.with_rooms:
        return
    background = plan.background.sessions
    for family, units in _families(builder).items():
        own = set(plan.rooms[background[compiled.family[compiled.course_of_session[background]] == family]].tolist())
        by_room: dict[int, list[Var]] = {}
        for u in units:
            for (_, r), literal in builder.y[u].items():
                by_room.setdefault(r, []).append(literal)
        if sum(plan.units[u].size for u in units) + len(own) < 2:
            continue
        rooms: list[tuple[int, Term]] = []
        for r, literals in by_room.items():
            if r not in own:
                in_use = builder.new_bool(any(map(builder.value, literals)))
                for literal in literals:
                    builder.model.add_implication(literal, in_use)
                rooms.append((1, in_use))
        builder.penalise("room_stability", [(rooms, len(own) - 1)])


def _families(builder: ModelBuilder) -> Mapping[int, list[int]]:
    """Units of the parts that keep one room together."""
    families: dict[int, list[int]] = {}
    for u, unit in enumerate(builder.plan.units):
        families.setdefault(int(builder.compiled.family[unit.course]), []).append(u)
    return families


# --- from one building to the next -----------------------------------------------------------------------------------


def travel(builder: ModelBuilder) -> None:
    """For sessions of a day, what of the way between their buildings does not fit in, for everybody they share."""
    compiled = builder.compiled
    if not builder.with_rooms or not compiled.travel.any():
        return
    starts_of_fixed = _background_by_course(builder.plan)
    for u, unit in enumerate(builder.plan.units):
        if builder.control.should_stop:
            return
        row = slice(compiled.people_ptr[unit.course], compiled.people_ptr[unit.course + 1])
        for other, shared in zip(compiled.people[row].tolist(), compiled.people_shared[row].tolist(), strict=True):
            for v in builder.units_of_course.get(other, []):
                if u != v or unit.size > 1:
                    _walk_between(builder, u, v, shared)
            for s in starts_of_fixed.get(other, []):
                _walk_to_fixed(builder, u, s, shared)


def _background_by_course(plan: Plan) -> dict[int, list[int]]:
    sessions: dict[int, list[int]] = {}
    for s in plan.background.sessions.tolist():
        sessions.setdefault(int(plan.compiled.course_of_session[s]), []).append(s)
    return sessions


def _walk_between(builder: ModelBuilder, u: int, v: int, shared: int) -> None:
    """Ways from a session of unit u to a later one of unit v, for each two starts between which some do not fit."""
    compiled = builder.compiled
    by_start_u, by_start_v = _by_building(builder, u), _by_building(builder, v)
    for t, here in by_start_u.items():
        last = t + builder.plan.units[u].length - 1
        for start in range(last + 1, int(compiled.walk_until[last]) + 1):
            there = by_start_v.get(start)
            if there is None:
                continue
            between = int(compiled.slot_start[start] - compiled.slot_end[last])
            rows = []
            for b, literals in here.items():
                units = {a: travel_units(int(compiled.travel[b, a]), between) for a in there}
                farthest = max(units.values())
                terms: list[tuple[int, Term]] = [(farthest, literal) for literal in literals]
                terms += [(units[a], literal) for a, others in there.items() if units[a] for literal in others]
                rows.append((terms, -farthest))
            builder.penalise("travel", rows, shared)


def _by_building(builder: ModelBuilder, u: int) -> dict[int, dict[int, list[Var]]]:
    """Room variables of unit u by start and building."""
    result: dict[int, dict[int, list[Var]]] = {}
    for (t, r), literal in builder.y[u].items():
        result.setdefault(t, {}).setdefault(int(builder.compiled.room_building[r]), []).append(literal)
    return result


def _walk_to_fixed(builder: ModelBuilder, u: int, s: int, shared: int) -> None:
    compiled, unit = builder.compiled, builder.plan.units[u]
    start, building = int(builder.plan.slots[s]), int(compiled.room_building[builder.plan.rooms[s]])
    end = start + int(compiled.length[compiled.course_of_session[s]]) - 1
    for (t, r), literal in builder.y[u].items():
        own = int(compiled.room_building[r])
        last = t + unit.length - 1
        units = 0
        if last < start <= compiled.walk_until[last]:
            between = int(compiled.slot_start[start] - compiled.slot_end[last])
            units += travel_units(int(compiled.travel[own, building]), between)
        if end < t <= compiled.walk_until[end]:
            between = int(compiled.slot_start[t] - compiled.slot_end[end])
            units += travel_units(int(compiled.travel[building, own]), between)
        if units:
            builder.penalise("travel", [([(units * shared, literal)], 0)])


# --- all of them -----------------------------------------------------------------------------------------------------

RuleBuilder = Callable[[ModelBuilder], None]

BUILDERS: Mapping[str, RuleBuilder] = {
    # Groups before teachers before students: each says only what the cliques before it have not said yet.
    "group_clash": group_clash,
    "faculty_clash": faculty_clash,
    "student_clash": student_clash,
    "core_clash": core_clash,
    "room_clash": room_clash,
    "slot_forbidden": _start_cost("slot_forbidden"),
    "fixed_moved": fixed_moved,
    "group_daily_limit": group_daily_limit,
    "course_daily_limit": course_daily_limit,
    "faculty_daily_limit": faculty_daily_limit,
    "faculty_weekly_limit": faculty_weekly_limit,
    "room_capacity": _room_cost("room_capacity"),
    "room_unsuitable": _room_cost("room_unsuitable"),
    "group_unavailable": _start_cost("group_unavailable"),
    "faculty_unavailable": _start_cost("faculty_unavailable"),
    "link": link_rule("link"),
    "faculty_preference": _start_cost("faculty_preference"),
    "time_penalty": _start_cost("time_penalty"),
    "min_days": min_days,
    "room_stability": room_stability,
    "room_waste": _room_cost("room_waste"),
    "room_penalty": _room_cost("room_penalty"),
    "load_balance": load_balance,
    "slot_peak": slot_peak,
    "travel": travel,
    "soft_link": link_rule("soft_link"),
    "context": context,
}
"""Compactness rules share occupancy variables and live in `attendance`."""


def add_rules(builder: ModelBuilder) -> None:
    """Adds every rule that the plan does not ignore."""
    for rule_id, build in BUILDERS.items():
        builder.control.beat()
        if builder.treatment(rule_id) is not Treatment.IGNORE and not builder.control.should_stop:
            build(builder)
    if not builder.control.should_stop:
        Attendance(builder).add_rules()
