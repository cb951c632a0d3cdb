"""
`Problem`: the dataset once more, with the weights of one search multiplied in.

Every cost in the kernels is a *packed* 64-bit number: the lower 32 bits hold the cost that annealing sees, the upper ones
the *hard* part: how far the timetable is from one that may be published, in its own units (see `weights_of`). One
addition sums both, so a move knows at no extra cost whether it repairs or breaks something. All packed values of one
move must stay below 2^31 in each half; weights and counts are cut to keep that.

Resources `x` are everybody who can be in one place only: teachers first, then clash groups, then students (only while a rule
looks at the shape of their days). The resources of course c stand in `resource` in that order, between the four marks
``resource_ptr[c]``: start, first one whose days have a shape, end of those that can clash, end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.compiled import TIER_BENDABLE, TIER_OFF, TIER_RIGID, TIER_SOFT, Compiled, Flags, Ints
from solver.rules import RULE_IDS, SEATS_PER_WASTE_UNIT
from solver.search.jit import Longs
from solver.search.kernels import gap_units, isolated_units, last_units, rows_of, run_units, single_units
from solver.search.params import SearchParams

HARD = 1 << 32
"""One hard unit in a packed cost."""
MAX_WEIGHT = 1 << 16
MAX_CELL = 1 << 24
RIGID_UNITS = 1 << 12
"""Hard units of one broken rigid unit; a bent unit counts its price."""
MAX_TABLE_PERIODS = 13
"""Up to here the shape of a day is looked up by its bit mask, above it is computed."""
FEW_ROOMS = 8
"""Candidate rooms of a course for which no room fits."""


class Weights(NamedTuple):
    """``(rules,)`` cost and hard units per counted unit, in the order of `RULES`."""

    cost: Longs
    hard: Longs

    def of(self, rule_id: str) -> int:
        """The packed weight of a rule."""
        k = RULE_IDS.index(rule_id)
        return int(self.cost[k]) + HARD * int(self.hard[k])

    def total(self, counts: dict[str, int]) -> tuple[int, int]:
        """(cost, hard part) of whole counts."""
        units = np.array([counts[rule_id] for rule_id in RULE_IDS], dtype=np.int64)
        return int(self.cost @ units), int(self.hard @ units)


class Problem(NamedTuple):
    """Sizes, weights and read-only arrays of one search. Packed costs are int64."""

    num_sessions: int
    num_courses: int
    num_slots: int
    num_rooms: int
    num_days: int
    num_periods: int
    lunch_period: int
    num_resources: int
    num_mobile: int

    course_of: Ints
    session_ptr: Ints
    length: Ints
    day_of: Ints
    period_of: Ints
    mobile: Ints
    """Sessions that may move at all."""
    frozen: Flags
    """``(sessions,)`` 0 free, 1 slot pinned, 2 slot and room pinned, 3 has nowhere to start and stays unplaced."""
    start_ptr: Ints
    start: Ints
    """Possible start slots per course."""
    start_possible: Flags
    pinned_slot: Ints
    pinned_room: Ints
    fixed_weight: int

    slot_cost: Longs
    """``(courses, slots)`` all that depends on course and start alone."""
    room_row: Ints
    """Courses that want the same of a room share a row."""
    room_cost: Longs
    """``(rows, rooms)``"""
    fit_ptr: Ints
    fit: Ints
    """Rooms that fit, per row, cheapest first; never empty."""
    fits_vary: int
    """1 when the fitting rooms of a course differ in cost."""
    room_closed: Flags
    room_weight: int

    resource_ptr: Ints
    """``(courses, 4)``"""
    resource: Ints
    member: Longs
    """``(courses, words)`` the resources of a course as a bit set."""
    owner_ptr: Ints
    owner: Ints
    """Courses of each resource that can clash."""
    clash_weight: Longs
    """``(resources,)``"""
    conflict_ptr: Ints
    conflict: Ints
    conflict_students: Ints
    student_weight: int

    counted: int
    """1 when some rule counts the sessions of a teacher or group per day."""
    day_limit: Ints
    """``(resources, 3)`` sessions per day before the limit counts, before `load_balance` counts, and per week."""
    day_weight: Longs
    """``(resources, 3)``"""
    course_day_limit: Ints
    course_day_weight: int
    min_days: Ints
    min_days_weight: int
    stability_weight: int
    peak_limit: int
    peak_weight: int

    shape_kind: Flags
    """``(resources,)`` 0 group, 1 student."""
    shape_bits: int
    """Periods covered by `shape_table`, 0 when shapes have to be computed."""
    shape_table: Longs
    """``(2, 2^periods)`` cost of a day by the mask of its busy periods."""
    shape_weight: Longs
    """``(2, 5)`` gap, isolated, run, single, last."""
    shape_drop: int
    """Most that one more or one less busy period of a day can save."""
    consecutive_limit: int

    link_cost: Longs
    link_a: Ints
    link_b: Ints
    link_type: Ints
    link_value: Ints
    session_link_ptr: Ints
    session_link: Ints

    travels: int
    travel_cost: Longs
    """``(buildings, buildings)`` per shared person."""
    room_building: Ints
    people_ptr: Ints
    people: Ints
    people_shared: Ints

    num_anchors: int
    anchor_slot: Ints
    """``(anchors, sessions)``"""
    anchor_room: Ints
    anchor_allowed: int
    """Sessions that may equal an anchor at no cost."""
    anchor_weight: int

    slack: Longs
    """
    ``(courses, 3)`` most that a move of a session can save in all that is evaluated after slots, clashes and rooms; in the
    shapes of days; and in what comes after those.
    """


def soft_unit(compiled: Compiled) -> float:
    """The typical weight of a soft rule that is on: the lower median, at least 1."""
    weights = np.sort(compiled.rule_weight[(compiled.rule_tier == TIER_SOFT) & (compiled.rule_weight > 0)])
    return float(max(1, weights[(len(weights) - 1) // 2])) if len(weights) else 1.0


def weights_of(compiled: Compiled, params: SearchParams, escalation: float = 1.0) -> Weights:
    """
    What a search charges per unit.

    Soft rules cost their weight. A rigid unit costs the hard weight times `escalation` and `RIGID_UNITS` hard units. A bent unit
    costs as much as a rigid one, or in proportion to its price when rules may be bent, and has its price in hard units.
    """
    tier, price = compiled.rule_tier, compiled.rule_weight.astype(np.int64)
    hard_cost = params.hard_weight * soft_unit(compiled) * escalation
    bendable = tier == TIER_BENDABLE
    dearest = max(1, int(price[bendable].max(initial=1)))
    bent_cost = np.maximum(1, np.ceil(hard_cost * price / dearest)) if params.bend else np.full(len(tier), hard_cost)
    cost = np.select([tier == TIER_SOFT, tier == TIER_RIGID, bendable], [price, np.full(len(tier), hard_cost), bent_cost])
    hard = np.select([tier == TIER_RIGID, bendable], [np.full(len(tier), RIGID_UNITS), np.minimum(price, RIGID_UNITS)])
    cost[tier == TIER_OFF] = 0
    return Weights(np.minimum(np.ceil(cost), MAX_WEIGHT).astype(np.int64), hard.astype(np.int64))


def publishable(compiled: Compiled, weights: Weights, *, keep_bent: bool) -> Weights:
    """The same weights, but hard units only for what must not be in a timetable; bent rules count unless `keep_bent`."""
    bent = np.zeros_like(weights.hard) if keep_bent else np.maximum(1, weights.hard)
    return weights._replace(hard=np.where(compiled.rule_tier == TIER_BENDABLE, bent, weights.hard))


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
    link_weight = np.where(c.link_hard == 1, weights.of("link"), weights.of("soft_link"))
    travel_cost = c.travel.astype(np.int64) * weights.of("travel")
    mobile = np.flatnonzero(frozen < 2)
    return _freeze(
        Problem(
            num_sessions=c.num_sessions,
            num_courses=c.num_courses,
            num_slots=c.num_slots,
            num_rooms=c.num_rooms,
            num_days=c.num_days,
            num_periods=c.num_periods,
            lunch_period=c.lunch_period,
            num_mobile=len(mobile),
            course_of=c.course_of_session,
            session_ptr=c.session_ptr,
            length=c.length,
            day_of=slot_of // c.num_periods,
            period_of=slot_of % c.num_periods,
            mobile=mobile,
            frozen=frozen,
            start_ptr=np.concatenate([[0], np.cumsum(c.start_possible.sum(axis=1, dtype=np.int64))]),
            start=starts[1],
            start_possible=c.start_possible,
            pinned_slot=c.fixed_slot,
            pinned_room=c.fixed_room,
            fixed_weight=weights.of("fixed_moved") if pins_cost else 0,
            slot_cost=_slot_cost(c, weights),
            room_closed=1 - c.room_open,
            room_weight=weights.of("room_clash"),
            conflict_ptr=c.conflict_ptr,
            conflict=c.conflict,
            conflict_students=c.conflict_students,
            student_weight=weights.of("student_clash"),
            course_day_limit=c.course_day_limit,
            course_day_weight=weights.of("course_daily_limit"),
            min_days=c.min_days,
            min_days_weight=weights.of("min_days"),
            stability_weight=weights.of("room_stability"),
            peak_limit=c.peak_limit,
            peak_weight=weights.of("slot_peak"),
            consecutive_limit=c.consecutive_limit,
            link_cost=link_weight * c.link_weight,
            link_a=c.link_a,
            link_b=c.link_b,
            link_type=c.link_type,
            link_value=c.link_value,
            session_link_ptr=c.session_link_ptr,
            session_link=c.session_link,
            travels=int(travel_cost.any()),
            travel_cost=travel_cost,
            room_building=c.room_building,
            people_ptr=c.people_ptr,
            people=c.people,
            people_shared=c.people_shared,
            slack=_slacks(c, weights, parts, travel_cost, link_weight),
            **parts,
        )
    )


def _freeze(problem: Problem) -> Problem:
    """Every array to its type, contiguous and read-only; every size to int: one signature for all problems."""
    types = {"Ints": np.int32, "Flags": np.uint8, "Longs": np.int64}
    frozen = {}
    for name, value in problem._asdict().items():
        kind = Problem.__annotations__[name].__forward_arg__  # typing.NamedTuple wraps the strings
        if kind == "int":
            frozen[name] = int(value)
            continue
        array = np.ascontiguousarray(value, dtype=types[kind])
        array = array.view() if array.flags.writeable else array
        array.setflags(write=False)
        frozen[name] = array
    return Problem(**frozen)


def _frozen(c: Compiled, *, rigid_pins: bool) -> Flags:
    """How far each session is held; a pin on a start that another rigid rule forbids leaves it nowhere to go."""
    frozen = np.zeros(c.num_sessions, dtype=np.uint8)
    course = c.course_of_session
    pinned = c.fixed_slot >= 0
    if rigid_pins:
        frozen[pinned] = 1
        frozen[pinned & (c.fixed_room >= 0)] = 2
        frozen[pinned & (c.start_possible[course, np.maximum(c.fixed_slot, 0)] == 0)] = 3
    frozen[~c.start_possible.any(axis=1)[course]] = 3
    return frozen


def _slot_cost(c: Compiled, weights: Weights) -> Longs:
    total = np.zeros((c.num_courses, c.num_slots), dtype=np.int64)
    tables = {
        "slot_forbidden": c.slot_forbidden,
        "faculty_unavailable": c.faculty_unavailable,
        "group_unavailable": c.group_unavailable,
        "faculty_preference": c.faculty_preference,
        "context": c.context_slot,
    }
    for rule_id, table in tables.items():
        if weight := weights.of(rule_id):
            total += table.astype(np.int64) * weight
    return total


def _room_parts(c: Compiled, weights: Weights) -> dict[str, object]:
    """One row per distinct demand; the rooms that fit, cheapest first."""
    capacity, unsuitable = weights.of("room_capacity"), weights.of("room_unsuitable")
    waste, context = weights.of("room_waste"), weights.of("context")
    _, kind = np.unique(c.room_unsuitable, axis=0, return_inverse=True)
    _, place = np.unique(c.context_building, axis=0, return_inverse=True)
    keys = np.stack([c.seats, kind.ravel(), place.ravel()], axis=1)
    _, first, row = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    room_seats, most = c.room_seats.astype(np.int64), MAX_CELL // max(1, capacity % HARD)
    costs, fits = np.zeros((len(first), c.num_rooms), dtype=np.int64), []
    for i, course in enumerate(first.tolist()):
        over = np.minimum(np.maximum(0, int(c.seats[course]) - room_seats), most)
        spare = np.maximum(0, room_seats - int(c.seats[course])) // SEATS_PER_WASTE_UNIT
        wrong = c.room_unsuitable[course].astype(np.int64)
        cost = over * capacity + wrong * unsuitable + np.minimum(spare, MAX_CELL // max(1, waste % HARD)) * waste
        costs[i] = cost + c.context_building[course].astype(np.int64)[c.room_building] * context
        order = np.lexsort((room_seats, costs[i]))
        fitting = order[(over * capacity + wrong * unsuitable == 0)[order]]
        fits.append(fitting if len(fitting) else order[:FEW_ROOMS])
    return {
        "room_row": row.ravel(),
        "room_cost": costs,
        "fit_ptr": np.concatenate([[0], np.cumsum([len(fitting) for fitting in fits])]),
        "fit": np.concatenate(fits),
        "fits_vary": int(any(costs[i, fitting[0]] != costs[i, fitting[-1]] for i, fitting in enumerate(fits))),
    }


def _resource_parts(c: Compiled, weights: Weights) -> dict[str, object]:
    """Teachers, clash groups and (only if their days have a shape) students, under one numbering."""
    shape = _shape_weights(c, weights)
    groups, students = bool(shape[0].any()), bool(shape[1].any())
    first_group, first_student = c.num_faculty, c.num_faculty + c.num_clash_groups
    num_resources = first_student + (c.num_students if students else 0)
    rows, marks, end = [], np.zeros((c.num_courses, 4), dtype=np.int64), 0
    for course in range(c.num_courses):
        faculty = c.faculty[c.faculty_ptr[course] : c.faculty_ptr[course + 1]]
        group = c.group[c.group_ptr[course] : c.group_ptr[course + 1]]
        real = group < c.num_groups
        enrolled = c.student[c.student_ptr[course] : c.student_ptr[course + 1]] if students else c.student[:0]
        rows += [faculty, first_group + group[~real], first_group + group[real], first_student + enrolled]
        clash_end = end + len(faculty) + len(group)
        shape_start = end + len(faculty) + int((~real).sum()) if groups else clash_end
        marks[course] = end, shape_start, clash_end, clash_end + len(enrolled)
        end = clash_end + len(enrolled)
    resource = np.concatenate(rows)
    owner_ptr, owner = _owners(marks, resource, first_student)
    return {
        "num_resources": num_resources,
        "resource_ptr": marks,
        "resource": resource,
        "member": _bit_sets(marks, resource, num_resources),
        "owner_ptr": owner_ptr,
        "owner": owner,
        "clash_weight": np.repeat(
            [weights.of("faculty_clash"), weights.of("group_clash"), 0],
            [c.num_faculty, c.num_clash_groups, num_resources - first_student],
        ),
        **_day_parts(c, weights, num_resources),
    }


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


def _day_parts(c: Compiled, weights: Weights, num_resources: int) -> dict[str, object]:
    limit = np.full((num_resources, 3), 2**30, dtype=np.int64)
    weight = np.zeros((num_resources, 3), dtype=np.int64)
    teachers, groups = slice(0, c.num_faculty), slice(c.num_faculty, c.num_faculty + c.num_groups)
    limit[teachers] = np.stack([c.faculty_day_limit, c.faculty_fair_share, c.faculty_week_limit], axis=1)
    weight[teachers] = [weights.of(k) for k in ("faculty_daily_limit", "load_balance", "faculty_weekly_limit")]
    limit[groups, 0], weight[groups, 0] = c.group_day_limit, weights.of("group_daily_limit")
    used = ((weight != 0) & (limit < 2**30)).any()
    return {"day_limit": limit, "day_weight": weight, "counted": int(used)}


def _shape_weights(c: Compiled, weights: Weights) -> Longs:
    """``(2, 5)``: which of the rules about the shape of a day look at groups, which at students."""
    attendee = [weights.of(k) for k in ("consecutive_limit", "single_session_day", "last_slot")]
    nobody = [0, 0, 0]
    group = [weights.of("group_gap"), weights.of("isolated_session"), *(attendee if c.attendees_are_groups else nobody)]
    student = [weights.of("student_gap"), 0, *(nobody if c.attendees_are_groups else attendee)]
    return np.array([group, student], dtype=np.int64)


def _shape_parts(c: Compiled, weights: Weights) -> dict[str, object]:
    weight = _shape_weights(c, weights)
    bits = c.num_periods if c.num_periods <= MAX_TABLE_PERIODS else 0
    busy = (np.arange(1 << bits)[:, None] >> np.arange(max(1, bits))) & 1 == 1
    units = np.stack(
        [
            gap_units(busy),
            isolated_units(busy),
            run_units(busy, c.consecutive_limit, c.lunch_period),
            single_units(busy),
            last_units(busy),
        ]
    )
    table = weight @ units
    cost = weight % HARD
    # Without a table the bound is the most a flip can change by the definitions of the rules.
    drop = cost @ np.array([c.num_periods, 2, c.num_periods, 1, 1])
    if bits:
        flips = [(table - table[:, np.arange(1 << bits) ^ (1 << p)]) for p in range(bits)]
        drop = np.max([((change + HARD // 2) % HARD - HARD // 2).max(axis=1) for change in flips], axis=0)
    kind = np.zeros(c.num_faculty + c.num_clash_groups + c.num_students, dtype=np.uint8)
    kind[c.num_faculty + c.num_clash_groups :] = 1
    return {
        "shape_kind": kind,
        "shape_bits": bits,
        "shape_table": table,
        "shape_weight": weight,
        "shape_drop": int(np.max(drop)),
    }


def _anchor_parts(c: Compiled, params: SearchParams) -> dict[str, object]:
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


def _slacks(
    c: Compiled, weights: Weights, parts: dict[str, object], travel_cost: Longs, link_weight: Longs
) -> Longs:
    """Upper bounds of what a move can save in the parts that are evaluated late. Travel counts one session on either side."""
    low = HARD  # modulus that leaves the cost half of a packed weight
    marks = np.asarray(parts["resource_ptr"])
    day_weight = np.asarray(parts["day_weight"]) % low
    course = np.repeat(np.arange(c.num_courses), marks[:, 3] - marks[:, 0])
    day = np.zeros(c.num_courses, dtype=np.int64)
    np.add.at(day, course, day_weight[np.asarray(parts["resource"]), :2].sum(axis=1))
    day += sum(weights.of(k) % low for k in ("course_daily_limit", "min_days", "room_stability"))
    late = np.zeros(c.num_courses, dtype=np.int64)
    shared = np.diff(c.people_ptr) > 0
    people = (c.faculty_ptr[1:] - c.faculty_ptr[:-1]) + (c.group_ptr[1:] - c.group_ptr[:-1])
    late += shared * people * 2 * int((travel_cost % low).max(initial=0))
    position, link = rows_of(c.session_link_ptr, c.session_link, np.arange(c.num_sessions))
    of_session = np.zeros(c.num_sessions, dtype=np.int64)
    np.add.at(of_session, position, (link_weight * c.link_weight)[link] % low)
    np.maximum.at(late, c.course_of_session, of_session)
    late += weights.of("fixed_moved") % low * np.bincount(
        c.course_of_session, weights=c.fixed_slot >= 0, minlength=c.num_courses
    ).astype(np.int64).clip(0, 1)
    late += int(np.asarray(parts["num_anchors"])) * (int(np.asarray(parts["anchor_weight"])) % low)
    shape = 2 * c.length.astype(np.int64) * (marks[:, 3] - marks[:, 1]) * int(np.asarray(parts["shape_drop"]))
    return np.stack([day + shape + late, shape, late], axis=1)
