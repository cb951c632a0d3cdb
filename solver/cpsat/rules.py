"""
Every rule of `RULES` as a function of the same name that adds its count to a model, or keeps it.

Count and constraint are one formulation: `Space.penalise` and `Space.excess` ask how the rule is to be treated. Clashes
are one at-most-one per owner and slot, never pairwise clauses. Every term is clamped at zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from solver.compiled import START_UNITS
from solver.cpsat.attendance import Attendance
from solver.cpsat.links import link_rule
from solver.cpsat.model_builder import Space, Term, Var
from solver.cpsat.plan import Array, Plan, Treatment, limited, room_costs

# --- one thing at a time ---------------------------------------------------------------------------------------------


def _owner_clash(space: Space, rule_id: str, pointers: Array, items: Array, busy: Array) -> None:
    for owner, units in space.units_by(pointers, items).items():
        if space.treatment(rule_id) is Treatment.FORBID:
            space.keep_apart(units)
            continue
        for t in range(space.compiled.num_slots):
            space.excess(rule_id, space.covers(units, t), int(busy[owner, t]), 1)


def faculty_clash(space: Space) -> None:
    compiled, busy = space.compiled, space.plan.background.faculty
    _owner_clash(space, "faculty_clash", compiled.faculty_ptr, compiled.faculty, busy)


def group_clash(space: Space) -> None:
    compiled, busy = space.compiled, space.plan.background.group
    _owner_clash(space, "group_clash", compiled.group_ptr, compiled.group, busy)


def room_clash(space: Space) -> None:
    if not space.with_rooms:
        return
    using: dict[tuple[int, int], list[Var]] = {}
    for unit, y in zip(space.plan.units, space.y, strict=True):
        for (start, r), literal in y.items():
            for t in range(start, start + unit.length):
                using.setdefault((r, t), []).append(literal)
    for (r, t), literals in using.items():
        busy, is_open = int(space.plan.background.room[r, t]), int(space.compiled.room_open[r, t])
        space.excess("room_clash", literals, busy, is_open)


def student_clash(space: Space) -> None:
    if space.treatment("student_clash") is space.treatment("group_clash") is Treatment.FORBID:
        _student_cliques(space)
        return
    _student_pairs(space, "student_clash", space.compiled.conflict_students)


def core_clash(space: Space) -> None:
    if space.treatment("student_clash") is not Treatment.FORBID:
        _student_pairs(space, "core_clash", space.compiled.conflict_core)


def _student_pairs(space: Space, rule_id: str, students: Array) -> None:
    """Charges the common students of two courses, beside `conflict`, wherever both run at once."""
    compiled, cover = space.compiled, space.plan.background.course
    for u, unit in enumerate(space.plan.units):
        row = slice(compiled.conflict_ptr[unit.course], compiled.conflict_ptr[unit.course + 1])
        others, shared = compiled.conflict[row], students[row]
        _add_by_start(space, rule_id, u, shared @ cover[others])
        for other, common in zip(others.tolist(), shared.tolist(), strict=True):
            for v in space.units_of_course.get(other, []) if common and other > unit.course else []:
                for t in range(compiled.num_slots):
                    if space.cover(u, t) and space.cover(v, t):
                        space.keep_from_meeting(rule_id, u, v, t, common)


def _student_cliques(space: Space) -> None:
    """Courses of one student exclude each other; many students have the same courses, or fewer of the same."""
    compiled = space.compiled
    sets = {tuple(units) for units in space.units_by(compiled.student_ptr, compiled.student).values()}
    for units in sorted(sets, key=lambda units: (-len(units), units)):
        if len({space.plan.units[u].course for u in units}) > 1:
            space.keep_apart(units)


def _add_by_start(space: Space, rule_id: str, u: int, per_slot: Array) -> None:
    """Adds to the count, for each start of the unit, the sum of `per_slot` over the slots it would cover."""
    length = space.plan.units[u].length
    for t, literal in space.x[u].items():
        units = int(per_slot[t : t + length].sum())
        if units:
            space.penalise(rule_id, [([(units, literal)], 0)])


# --- where one session stands ----------------------------------------------------------------------------------------


def _start_cost(rule_id: str) -> Callable[[Space], None]:
    def count(space: Space) -> None:
        table = getattr(space.compiled, START_UNITS[rule_id])
        for unit, x in zip(space.plan.units, space.x, strict=True):
            for t, literal in x.items():
                if table[unit.course, t]:
                    space.penalise(rule_id, [([(int(table[unit.course, t]), literal)], 0)])

    return count


def _room_cost(rule_id: str) -> Callable[[Space], None]:
    def count(space: Space) -> None:
        for unit, y in zip(space.plan.units, space.y, strict=True):
            if y:
                units = room_costs(space.compiled, unit.course)[rule_id].tolist()
                for (_, r), literal in y.items():
                    if units[r]:
                        space.penalise(rule_id, [([(units[r], literal)], 0)])

    return count


def context(space: Space) -> None:
    _start_cost("context")(space)
    _room_cost("context")(space)


def fixed_moved(space: Space) -> None:
    """Placed, but not where it was fixed; without rooms only the slot is looked at."""
    if space.treatment("fixed_moved") is Treatment.FORBID:
        return
    for u, unit in enumerate(space.plan.units):
        slot, room = (int(array[unit.sessions[0]]) for array in (space.compiled.fixed_slot, space.compiled.fixed_room))
        if slot < 0:
            continue
        if room < 0 or not space.with_rooms:
            kept: Term = space.x[u].get(slot, 0)
        else:
            kept = space.y[u].get((slot, room), 0)
        tally = space.tallies["fixed_moved"]
        for literal in space.x[u].values():
            tally.add(1, literal)
        tally.add(-1, kept)


# --- so many a day or a week -----------------------------------------------------------------------------------------


def _daily(space: Space, rule_id: str, owners: Mapping[int, list[int]], busy: Array, limits: Array) -> None:
    for owner, units in owners.items():
        if owner >= len(limits) or not limited(int(limits[owner])):
            continue
        for day in range(space.compiled.num_days):
            space.excess(rule_id, space.starting(units, day), int(busy[owner, day]), int(limits[owner]))


def group_daily_limit(space: Space) -> None:
    owners = space.units_by(space.compiled.group_ptr, space.compiled.group)
    _daily(space, "group_daily_limit", owners, space.plan.background.group_day, space.compiled.group_day_limit)


def course_daily_limit(space: Space) -> None:
    busy, limits = space.plan.background.course_day, space.compiled.course_day_limit
    _daily(space, "course_daily_limit", space.units_of_course, busy, limits)


def faculty_daily_limit(space: Space) -> None:
    owners = space.units_by(space.compiled.faculty_ptr, space.compiled.faculty)
    _daily(space, "faculty_daily_limit", owners, space.plan.background.faculty_day, space.compiled.faculty_day_limit)


def load_balance(space: Space) -> None:
    owners = space.units_by(space.compiled.faculty_ptr, space.compiled.faculty)
    _daily(space, "load_balance", owners, space.plan.background.faculty_day, space.compiled.faculty_fair_share)


def faculty_weekly_limit(space: Space) -> None:
    for f, units in space.units_by(space.compiled.faculty_ptr, space.compiled.faculty).items():
        if limited(int(space.compiled.faculty_week_limit[f])):
            literals = [literal for u in units for literal in space.x[u].values()]
            busy = int(space.plan.background.faculty_day[f].sum())
            space.excess("faculty_weekly_limit", literals, busy, int(space.compiled.faculty_week_limit[f]))


def slot_peak(space: Space) -> None:
    busy = space.plan.background.course.sum(axis=0)
    for t in range(space.compiled.num_slots):
        literals = space.covers(range(len(space.plan.units)), t)
        space.excess("slot_peak", literals, int(busy[t]), space.compiled.peak_limit)


# --- one course ------------------------------------------------------------------------------------------------------


def min_days(space: Space) -> None:
    for course in space.units_of_course:
        count_missing_days(space, course)


def count_missing_days(space: Space, course: int) -> None:
    """Adds the days that one course is short of its minimum to the count of `min_days`."""
    wanted, units = int(space.compiled.min_days[course]), space.units_of_course[course]
    busy = space.plan.background.course_day[course]
    if wanted <= max(1, int(np.count_nonzero(busy))):
        return
    used = [1 if busy[day] else _used(space, space.starting(units, day)) for day in range(space.compiled.num_days)]
    placed: Term = 1 if busy.any() or not space.partial else _any(space, units)
    space.penalise("min_days", [([(wanted, placed), *((-1, day) for day in used)], 0)])


def _used(space: Space, literals: list[Var]) -> Term:
    """At most 1, and 0 when none of the literals is set; counts that shrink with it pull it up."""
    if len(literals) < 2:
        return literals[0] if literals else 0
    used = space.new_bool(any(map(space.value, literals)))
    space.bound([(1, used), *((-1, literal) for literal in literals)], 0)
    return used


def _any(space: Space, units: Iterable[int]) -> Term:
    """At least 1 when any session of the units is placed; counts that grow with it push it down."""
    literals = [literal for u in units for literal in space.x[u].values()]
    placed = space.new_bool(any(map(space.value, literals)))
    for literal in literals:
        space.model.add_implication(literal, placed)
    return placed


def room_stability(space: Space) -> None:
    """Rooms used, less one; rooms the background uses anyway are free of charge."""
    compiled, plan = space.compiled, space.plan
    if not space.with_rooms:
        return
    for c, units in space.units_of_course.items():
        background = plan.background.sessions
        own = set(plan.rooms[background[compiled.course_of_session[background] == c]].tolist())
        by_room: dict[int, list[Var]] = {}
        for u in units:
            for (_, r), literal in space.y[u].items():
                by_room.setdefault(r, []).append(literal)
        if sum(plan.units[u].size for u in units) + len(own) < 2:
            continue
        rooms: list[tuple[int, Term]] = []
        for r, literals in by_room.items():
            if r not in own:
                in_use = space.new_bool(any(map(space.value, literals)))
                for literal in literals:
                    space.model.add_implication(literal, in_use)
                rooms.append((1, in_use))
        space.penalise("room_stability", [(rooms, len(own) - 1)])


# --- from one building to the next -----------------------------------------------------------------------------------


def travel(space: Space) -> None:
    """For sessions that follow each other right away, the way between their buildings for everybody they share."""
    compiled = space.compiled
    if not space.with_rooms or not compiled.travel.any():
        return
    starts_of_fixed = _background_by_course(space.plan)
    for u, unit in enumerate(space.plan.units):
        if space.control.should_stop:
            return
        row = slice(compiled.people_ptr[unit.course], compiled.people_ptr[unit.course + 1])
        for other, shared in zip(compiled.people[row].tolist(), compiled.people_shared[row].tolist(), strict=True):
            for v in space.units_of_course.get(other, []):
                if u != v or unit.size > 1:
                    _walk_between(space, u, v, shared)
            for s in starts_of_fixed.get(other, []):
                _walk_to_fixed(space, u, s, shared)


def _background_by_course(plan: Plan) -> dict[int, list[int]]:
    sessions: dict[int, list[int]] = {}
    for s in plan.background.sessions.tolist():
        sessions.setdefault(int(plan.compiled.course_of_session[s]), []).append(s)
    return sessions


def _adjacent(space: Space, end: int, start: int) -> bool:
    """Whether a session that starts at `start` follows one that ends (exclusively) at `end` with no break between."""
    period = start % space.compiled.num_periods
    return end == start and period != 0 and not (space.compiled.lunch_period and period == space.compiled.lunch_period)


def _walk_between(space: Space, u: int, v: int, shared: int) -> None:
    compiled = space.compiled
    by_start_u, by_start_v = _by_building(space, u), _by_building(space, v)
    for t, here in by_start_u.items():
        end = t + space.plan.units[u].length
        there = by_start_v.get(end)
        if there is None or not _adjacent(space, end, end):
            continue
        rows = []
        for b, literals in here.items():
            units = compiled.travel[b]
            farthest = max(int(units[a]) for a in there)
            terms: list[tuple[int, Term]] = [(farthest, literal) for literal in literals]
            terms += [(int(units[a]), literal) for a, others in there.items() if units[a] for literal in others]
            rows.append((terms, -farthest))
        space.penalise("travel", rows, shared)


def _by_building(space: Space, u: int) -> dict[int, dict[int, list[Var]]]:
    """Room variables of unit u by start and building."""
    result: dict[int, dict[int, list[Var]]] = {}
    for (t, r), literal in space.y[u].items():
        result.setdefault(t, {}).setdefault(int(space.compiled.room_building[r]), []).append(literal)
    return result


def _walk_to_fixed(space: Space, u: int, s: int, shared: int) -> None:
    compiled, unit = space.compiled, space.plan.units[u]
    start, building = int(space.plan.slots[s]), int(compiled.room_building[space.plan.rooms[s]])
    end = start + int(compiled.length[compiled.course_of_session[s]])
    for (t, r), literal in space.y[u].items():
        own = int(compiled.room_building[r])
        units = 0
        if _adjacent(space, t + unit.length, start):
            units += int(compiled.travel[own, building])
        if _adjacent(space, end, t):
            units += int(compiled.travel[building, own])
        if units:
            space.penalise("travel", [([(units * shared, literal)], 0)])


# --- all of them -----------------------------------------------------------------------------------------------------

RuleBuilder = Callable[[Space], None]

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
    "min_days": min_days,
    "room_stability": room_stability,
    "room_waste": _room_cost("room_waste"),
    "load_balance": load_balance,
    "slot_peak": slot_peak,
    "travel": travel,
    "soft_link": link_rule("soft_link"),
    "context": context,
}
"""Compactness rules share occupancy variables and live in `attendance`."""


def add_rules(space: Space) -> None:
    """Adds every rule that the plan does not ignore."""
    for rule_id, build in BUILDERS.items():
        space.control.beat()
        if space.treatment(rule_id) is not Treatment.IGNORE and not space.control.should_stop:
            build(space)
    if not space.control.should_stop:
        Attendance(space).add_rules()
