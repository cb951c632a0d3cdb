"""Makes a `Problem` of a compiled dataset and the weights of one search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.compiled import START_UNITS, TIER_OFF, TIER_RIGID, Compiled, Flags
from solver.links import TYPE_OF_CODE, broken_table
from solver.rules import RULE_IDS, SEATS_PER_WASTE_UNIT, travel_units
from solver.search.day_shapes import GROUP, LONE, NUM_KINDS, STUDENT, day_weights, most_saved, tabulate_days
from solver.search.jit import Longs
from solver.search.params import SearchParams
from solver.search.problem import UNOFFERED, Problem
from solver.search.weights import HARD, MAX_CELL, MAX_WEIGHT, Weights, soft_unit

MAX_TABLE_PERIODS = 13
"""Up to here the shape of a day is looked up by its bit mask, above it is computed."""
FEW_ROOMS = 8
"""Candidate rooms of a course for which no room fits."""


def build_problem(compiled: Compiled, weights: Weights, params: SearchParams) -> Problem:
    """Multiplies `weights` into the arrays of one search."""
    c = compiled
    slot_of = np.arange(c.num_slots, dtype=np.int32)
    frozen = _frozen(c, rigid_pins=c.rule_tier[RULE_IDS.index("fixed_moved")] == TIER_RIGID)
    pins_cost = c.rule_tier[RULE_IDS.index("fixed_moved")] not in (TIER_RIGID, TIER_OFF)
    starts = np.nonzero(c.start_possible)
    parts = {
        **_room_parts(c, weights),
        **_resource_parts(c, weights),
        **_shape_parts(c, weights),
        **_anchor_parts(c, params),
    }
    link_weight = np.where(c.link_hard == 1, weights.of("link"), weights.of("soft_link")).astype(np.int64)
    mobile = np.flatnonzero(frozen < 2).astype(np.int32)
    return _freeze(
        num_sessions=c.num_sessions,
        num_courses=c.num_courses,
        num_slots=c.num_slots,
        num_rooms=c.num_rooms,
        num_places=c.num_places,
        place_ptr=c.place_ptr,
        place_room=c.place_room,
        num_days=c.num_days,
        num_periods=c.num_periods,
        **_plans(c),
        num_mobile=len(mobile),
        course_of=c.course_of_session,
        session_ptr=c.session_ptr,
        whole=c.whole,
        sibling_ptr=np.stack([c.whole_ptr[:-1], c.whole_ptr[1:]], axis=1)[c.whole],
        family_of=c.family[c.course_of_session],
        length=c.length,
        rank=c.rank,
        day_of=slot_of // c.num_periods,
        period_of=slot_of % c.num_periods,
        mobile=mobile,
        frozen=frozen,
        start_ptr=np.concatenate([[0], np.cumsum(c.start_possible.sum(axis=1, dtype=np.int64))]),
        start=starts[1].astype(np.int32),
        start_possible=c.start_possible,
        pinned_slot=c.fixed_slot,
        pinned_room=c.fixed_room,
        fixed_weight=weights.of("fixed_moved") if pins_cost else 0,
        slot_cost=_slot_cost(c, weights),
        room_limit=c.room_limit,
        room_weight=weights.of("room_clash"),
        conflict_ptr=c.conflict_ptr,
        conflict=c.conflict,
        conflict_cost=weights.of("student_clash") * c.conflict_students.astype(np.int64)
        + weights.of("core_clash") * c.conflict_core.astype(np.int64),
        students_clash=weights.of("student_clash") != 0 or weights.of("core_clash") != 0,
        course_day_limit=c.course_day_limit,
        course_day_weight=weights.of("course_daily_limit"),
        min_days=c.min_days,
        min_days_weight=weights.of("min_days"),
        stability_weight=weights.of("room_stability"),
        peak_limit=c.peak_limit,
        peak_weight=weights.of("slot_peak"),
        consecutive_limit=c.consecutive_limit,
        link_cost=link_weight * c.link_weight.astype(np.int64),
        link_a=c.link_a,
        link_b=c.link_b,
        link_type=c.link_type,
        **_link_rows(c),
        session_link_ptr=c.session_link_ptr,
        session_link=c.session_link,
        set_ptr=c.set_ptr,
        set_session=c.set_session,
        set_cost=_set_cost(c, weights),
        session_set_ptr=c.session_set_ptr,
        session_set=c.session_set,
        together=c.together,
        together_ptr=c.together_ptr,
        together_session=c.together_session,
        travels=int(weights.of("travel") != 0 and c.travel.any()),
        travel_weight=weights.of("travel"),
        travel_minutes=c.travel,
        slot_start=c.slot_start,
        slot_end=c.slot_end,
        walk_until=c.walk_until,
        walk_since=_walk_since(c),
        room_building=c.room_building,
        people_ptr=c.people_ptr,
        people=c.people,
        people_shared=c.people_shared,
        slack=_slacks(c, weights, parts, link_weight),
        **parts,
    )


def _freeze(**values: Any) -> Problem:
    """Every array to its type, contiguous and read-only; every size to int: one signature for all problems."""
    types = {"Ints": np.int32, "Flags": np.uint8, "Longs": np.int64}
    frozen: dict[str, Any] = {}
    for name, value in values.items():
        kind = Problem.__annotations__[name]
        if kind == "int":
            frozen[name] = int(value)
            continue
        array = np.ascontiguousarray(value, dtype=types[kind])
        array = array.view() if array.flags.writeable else array
        array.setflags(write=False)
        frozen[name] = array
    return Problem(**frozen)


def _plans(c: Compiled) -> dict[str, Longs]:
    """Days that are alike share a plan: their periods, and the breaks as masks."""
    bit = np.int64(1) << np.arange(c.num_periods)
    rests, walls = (flags.reshape(c.num_days, c.num_periods).astype(np.int64) @ bit for flags in (c.rest, c.wall))
    kinds, plan_of = np.unique(np.stack([c.day_periods, rests, walls], axis=1), axis=0, return_inverse=True)
    periods, rests, walls = kinds.T
    return {"plan_of": plan_of.ravel(), "plan_periods": periods, "plan_rests": rests, "plan_walls": walls}


def _walk_since(c: Compiled) -> Longs:
    """The mirror of `walk_until`: the first slot that reaches so far."""
    since = np.arange(c.num_slots)
    np.minimum.at(since, c.walk_until, np.arange(c.num_slots))
    return np.minimum.accumulate(since[::-1])[::-1]


def _frozen(c: Compiled, *, rigid_pins: bool) -> Flags:
    """How far each session is held; a pin on a start that another rigid rule forbids leaves it nowhere to go."""
    frozen = np.zeros(c.num_sessions, dtype=np.uint8)
    course = c.course_of_session
    pinned = c.fixed_slot >= 0
    if rigid_pins:
        frozen[pinned] = 1
        frozen[pinned & (c.fixed_room >= 0)] = 2
        frozen[pinned & (c.start_possible[course, np.maximum(c.fixed_slot, 0)] == 0)] = 3
    frozen[np.all(c.start_possible == 0, axis=1)[course]] = 3
    return frozen


def _slot_cost(c: Compiled, weights: Weights) -> Longs:
    total = np.zeros((c.num_courses, c.num_slots), dtype=np.int64)
    for rule_id, field in START_UNITS.items():
        if weight := weights.of(rule_id):
            total += getattr(c, field).astype(np.int64) * weight
    return total


def _room_parts(c: Compiled, weights: Weights) -> dict[str, Any]:
    """One row per distinct demand; the rooms that fit, cheapest first."""
    capacity, unsuitable = weights.of("room_capacity"), weights.of("room_unsuitable")
    waste, context, penalty = weights.of("room_waste"), weights.of("context"), weights.of("room_penalty")
    wants = [_row_numbers(table) for table in (c.room_unsuitable, c.room_penalty, c.context_building)]
    asked = np.stack([c.seats, c.rooms_needed, *wants], axis=1)
    _, first, row = np.unique(asked, axis=0, return_index=True, return_inverse=True)
    by_seats = np.argsort(c.room_seats, kind="stable")
    room_seats, most = c.room_seats.astype(np.int64), MAX_CELL // max(1, capacity % HARD)
    costs, fits = np.zeros((len(first), c.num_places), dtype=np.int64), []
    for i, course in enumerate(first.tolist()):
        spare = room_seats - int(c.seats[course])
        misfit = np.clip(-spare, 0, most) * capacity + c.room_unsuitable[course].astype(np.int64) * unsuitable
        empty = np.clip(spare // SEATS_PER_WASTE_UNIT, 0, MAX_CELL // max(1, waste % HARD))
        costs[i] = misfit + empty * waste + context * c.context_building[course][c.room_building].astype(np.int64)
        costs[i] += penalty * c.room_penalty[course].astype(np.int64)
        offered = by_seats[c.place_offered[course][by_seats] == 1]
        fitting = offered[misfit[offered] == 0]
        fits.append(fitting[np.argsort(costs[i, fitting], kind="stable")])
        if not len(fitting):
            fits[i] = offered[np.argsort(costs[i, offered], kind="stable")][:FEW_ROOMS]
        costs[i] += (c.place_offered[course] == 0) * np.int64(UNOFFERED + MAX_CELL)
    return {
        "room_row": row.ravel(),
        "room_cost": costs,
        "fit_ptr": np.concatenate([[0], np.cumsum([len(fitting) for fitting in fits])]),
        "fit": np.concatenate(fits),
        "fits_vary": int(any(costs[i, fitting[0]] != costs[i, fitting[-1]] for i, fitting in enumerate(fits))),
        "misfits_are_hard": int(all(weight == 0 or weight >= HARD for weight in (capacity, unsuitable))),
    }


def _row_numbers(table: NDArray[Any]) -> Longs:
    """A number per row, the same for equal rows; a dictionary of bytes beats sorting long rows."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in table], dtype=np.int64)


def _resource_parts(c: Compiled, weights: Weights) -> dict[str, Any]:
    """Teachers, clash groups and (those whose days have a shape) students, under one numbering."""
    groups = bool(day_weights(weights)[GROUP].any())
    looked_at = students_looked_at(c, weights)
    number = np.cumsum(looked_at) - 1
    first_group, first_student = c.num_faculty, c.num_faculty + c.num_clash_groups
    num_resources = first_student + int(looked_at.sum())
    rows, marks, end = [], np.zeros((c.num_courses, 4), dtype=np.int64), 0
    for course in range(c.num_courses):
        faculty = c.faculty[c.faculty_ptr[course] : c.faculty_ptr[course + 1]]
        group = c.group[c.group_ptr[course] : c.group_ptr[course + 1]]
        real = group < c.num_groups
        enrolled = c.student[c.student_ptr[course] : c.student_ptr[course + 1]]
        enrolled = number[enrolled[looked_at[enrolled]]]
        rows += [faculty, first_group + group[~real], first_group + group[real], first_student + enrolled]
        clash_end = end + len(faculty) + len(group)
        shape_start = end + len(faculty) + int((~real).sum()) if groups else clash_end
        marks[course] = end, shape_start, clash_end, clash_end + len(enrolled)
        end = clash_end + len(enrolled)
    resource = np.concatenate(rows).astype(np.int32)
    owner_ptr, owner = _owners(marks, resource, first_student)
    return {
        "num_resources": num_resources,
        "resource_ptr": marks,
        "resource": resource,
        "member": _bit_sets(marks, resource, num_resources),
        "kin": _kin(c, owner_ptr, owner),
        "owner_ptr": owner_ptr,
        "owner": owner,
        "clash_weight": np.repeat(
            [weights.of("faculty_clash"), weights.of("group_clash"), 0],
            [c.num_faculty, c.num_clash_groups, num_resources - first_student],
        ),
        **_day_parts(c, weights, num_resources),
    }


def students_looked_at(c: Compiled, weights: Weights) -> NDArray[np.bool_]:
    """``(students,)`` whether a rule that costs something looks at the shape of their days."""
    counts = np.asarray(day_weights(weights).any(axis=1))
    lone = c.lone_student > 0
    return np.asarray((lone & bool(counts[LONE])) | (~lone & bool(counts[STUDENT])), dtype=np.bool_)


def _owners(marks: Longs, resource: NDArray[np.int32], num_clashing: int) -> tuple[Longs, Longs]:
    lengths = marks[:, 2] - marks[:, 0]
    course = np.repeat(np.arange(len(marks)), lengths)
    inside = np.concatenate([np.arange(a, b) for a, _, b, _ in marks]) if len(marks) else np.zeros(0, dtype=np.int64)
    members = resource[inside]
    order = np.argsort(members, kind="stable")
    pointers = np.concatenate([[0], np.cumsum(np.bincount(members, minlength=num_clashing))])
    return pointers, course[order]


def _bit_sets(marks: Longs, resource: NDArray[np.int32], num_resources: int) -> Longs:
    sets = np.zeros((len(marks), num_resources // 64 + 1), dtype=np.int64)
    course = np.repeat(np.arange(len(marks)), marks[:, 3] - marks[:, 0])
    np.bitwise_or.at(sets, (course, resource // 64), np.int64(1) << (resource % 64).astype(np.int64))
    return sets


def _kin(c: Compiled, owner_ptr: Longs, owner: Longs) -> Longs:
    """Bit sets of courses with somebody in common: teachers and groups by their owners, students by the conflicts."""
    sets = np.zeros((c.num_courses, c.num_courses // 64 + 1), dtype=np.int64)
    word, bit = owner // 64, np.int64(1) << (owner % 64).astype(np.int64)
    together = np.zeros(sets.shape[1], dtype=np.int64)
    for x in range(len(owner_ptr) - 1):
        members = slice(owner_ptr[x], owner_ptr[x + 1])
        together[:] = 0
        np.bitwise_or.at(together, word[members], bit[members])
        sets[owner[members]] |= together
    course = np.repeat(np.arange(c.num_courses), np.diff(c.conflict_ptr))
    np.bitwise_or.at(sets, (course, c.conflict // 64), np.int64(1) << (c.conflict % 64).astype(np.int64))
    return sets


def _day_parts(c: Compiled, weights: Weights, num_resources: int) -> dict[str, Any]:
    limit = np.full((num_resources, 3), 2**30, dtype=np.int64)
    weight = np.zeros((num_resources, 3), dtype=np.int64)
    teachers, groups = slice(0, c.num_faculty), slice(c.num_faculty, c.num_faculty + c.num_groups)
    limit[teachers] = np.stack([c.faculty_day_limit, c.faculty_fair_share, c.faculty_week_limit], axis=1)
    weight[teachers] = [weights.of(k) for k in ("faculty_daily_limit", "load_balance", "faculty_weekly_limit")]
    limit[groups, 0], weight[groups, 0] = c.group_day_limit, weights.of("group_daily_limit")
    used = ((weight != 0) & (limit < 2**30)).any()
    return {"day_limit": limit, "day_weight": weight, "counted": int(used)}


def _shape_parts(c: Compiled, weights: Weights) -> dict[str, Any]:
    weight = day_weights(weights)
    weight.setflags(write=False)  # as kernels see it in a `Problem`: for another type they would be compiled once more
    bits = c.num_periods if c.num_periods <= MAX_TABLE_PERIODS else 0
    plans = _plans(c)
    table = np.zeros((NUM_KINDS * len(plans["plan_periods"]), 1 << bits), dtype=np.int64)
    if bits:
        tabulate_days(weight, table, plans["plan_periods"], plans["plan_rests"], c.consecutive_limit)
    drop = most_saved(c, weights)
    if bits:
        flips = np.stack([table - table[:, np.arange(1 << bits) ^ (1 << p)] for p in range(bits)], axis=2)
        saved = (flips + HARD // 2) % HARD - HARD // 2
        busy = (np.arange(1 << bits)[:, None] >> np.arange(bits)) & 1 == 1
        drop = np.where(busy, saved, 0).max(axis=(1, 2)) + np.where(busy, 0, saved).max(axis=(1, 2))
    looked_at = students_looked_at(c, weights)
    students = np.where(c.lone_student[looked_at] > 0, LONE, STUDENT)
    kind = np.concatenate([np.full(c.num_faculty + c.num_clash_groups, GROUP), students])
    return {
        "shape_kind": kind,
        "shape_bits": bits,
        "shape_table": table,
        "shape_weight": weight,
        "shape_drop": int(max((drop[k] for k in _kinds_there(c, students)), default=0)),
    }


def _kinds_there(c: Compiled, students: NDArray[Any]) -> set[int]:
    return {*([GROUP] if c.num_groups else []), *np.unique(students).tolist()}


def _link_rows(c: Compiled) -> dict[str, Any]:
    """What breaks each link; more slots or days than there are, are all of them, so that rows stay few."""
    course_a, course_b = c.course_of_session[c.link_a], c.course_of_session[c.link_b]
    clock = c.clock
    value, most = np.minimum(c.link_value, clock.longest_value), np.minimum(c.link_most, clock.longest_value)
    asked = np.stack([c.link_type, c.length[course_a], c.length[course_b], value, most], axis=1)
    kinds, row = np.unique(asked, axis=0, return_inverse=True)
    broken = np.zeros((len(kinds), 2, c.num_slots, c.num_slots), dtype=np.uint8)
    for i, (code, length_a, length_b, least, highest) in enumerate(kinds.tolist()):
        lengths = (length_a, length_b)
        broken[i] = broken_table(TYPE_OF_CODE[code], lengths, clock, least, highest)
    return {"link_row": row.ravel(), "link_broken": broken}


def _most_granted(c: Compiled, weights: Weights, parts: dict[str, Any]) -> Longs:
    """``(courses,)`` cost half of all clashes of a session with one of each other course: more is never granted."""
    marks, resource = parts["resource_ptr"], parts["resource"]
    course = np.repeat(np.arange(c.num_courses), marks[:, 2] - marks[:, 0])
    inside = np.concatenate([np.arange(a, b) for a, _, b, _ in marks])
    most = np.zeros(c.num_courses, dtype=np.int64)
    np.add.at(most, course, parts["clash_weight"][resource[inside]] % HARD)
    students = np.zeros(len(c.conflict) + 1, dtype=np.int64)
    costs = weights.of("student_clash") * c.conflict_students.astype(np.int64)
    costs += weights.of("core_clash") * c.conflict_core.astype(np.int64)
    students[1:] = np.cumsum(costs % HARD)
    most += (students[c.conflict_ptr[1:]] - students[c.conflict_ptr[:-1]]) * c.num_slots
    return most * c.length.astype(np.int64)


def _set_cost(c: Compiled, weights: Weights) -> Longs:
    weight = np.where(c.set_hard == 1, weights.of("link"), weights.of("soft_link")).astype(np.int64)
    return weight * c.set_weight.astype(np.int64)


def _anchor_parts(c: Compiled, params: SearchParams) -> dict[str, Any]:
    needed = int(np.ceil(params.min_distance * c.num_sessions - 1e-9))
    slots = [slots for slots, _ in params.anchors]
    rooms = [rooms for _, rooms in params.anchors]
    return {
        "num_anchors": len(params.anchors),
        "anchor_slot": np.array(slots, dtype=np.int32).reshape(len(slots), c.num_sessions),
        "anchor_room": np.array(rooms, dtype=np.int32).reshape(len(rooms), c.num_sessions),
        "anchor_allowed": c.num_sessions - needed,
        "anchor_weight": HARD + min(MAX_WEIGHT, int(np.ceil(params.distance_weight * soft_unit(c)))),
    }


def _slacks(c: Compiled, weights: Weights, parts: dict[str, Any], link_weight: Longs) -> Longs:
    """
    Upper bounds of what a move can save in the parts that are evaluated last. Travel counts a session in every slot on
    either side to which a way may not fit.
    """
    low = HARD  # modulus that leaves the cost half of a packed weight
    marks = parts["resource_ptr"]
    day_weight = parts["day_weight"] % low
    course = np.repeat(np.arange(c.num_courses), marks[:, 3] - marks[:, 0])
    day = np.zeros(c.num_courses, dtype=np.int64)
    np.add.at(day, course, day_weight[parts["resource"], :2].sum(axis=1))
    day += sum(weights.of(k) % low for k in ("course_daily_limit", "min_days", "room_stability"))
    pairwise = np.zeros(c.num_courses, dtype=np.int64)
    shared = np.diff(c.people_ptr) > 0
    people = (c.faculty_ptr[1:] - c.faculty_ptr[:-1]) + (c.group_ptr[1:] - c.group_ptr[:-1])
    near = int((c.walk_until - np.arange(c.num_slots)).max(initial=0))
    walk = weights.of("travel") % low * travel_units(int(c.travel.max(initial=0)))
    pairwise += shared * people * 2 * near * walk
    linked = np.repeat(np.arange(c.num_sessions), np.diff(c.session_link_ptr))
    of_session = np.zeros(c.num_sessions, dtype=np.int64)
    np.add.at(of_session, linked, (link_weight * c.link_weight)[c.session_link] % low)
    # A session that joins two blocks and leaves a place where it was one by itself saves two.
    in_set = np.repeat(np.arange(c.num_sessions), np.diff(c.session_set_ptr))
    np.add.at(of_session, in_set, 2 * (_set_cost(c, weights)[c.session_set] % low))
    classed = np.flatnonzero(c.together >= 0)
    of_session[classed] += _most_granted(c, weights, parts)[c.course_of_session[classed]]
    np.maximum.at(pairwise, c.course_of_session, of_session)
    pairwise += (
        weights.of("fixed_moved")
        % low
        * np.bincount(c.course_of_session, weights=c.fixed_slot >= 0, minlength=c.num_courses)
        .astype(np.int64)
        .clip(0, 1)
    )
    pairwise += int(parts["num_anchors"]) * (int(parts["anchor_weight"]) % low)
    shape = c.length.astype(np.int64) * (marks[:, 3] - marks[:, 1]) * int(parts["shape_drop"])
    return np.stack([day + shape + pairwise, shape, pairwise], axis=1)
