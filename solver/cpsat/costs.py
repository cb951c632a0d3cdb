"""Where a timetable hurts: a rough cost per course and the sessions in trouble, to aim neighbourhoods at."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from solver.compiled import START_UNITS, TIER_BENDABLE, TIER_RIGID, TIER_SOFT, Compiled
from solver.cpsat.plan import Array, Background, background_of, clear
from solver.rules import RULE_IDS, SEATS_PER_WASTE_UNIT


def course_costs(compiled: Compiled, slots: Array, rooms: Array) -> Array:
    """
    ``(courses,) float``: how much each course has to do with the cost of the timetable.

    A guide for choosing neighbourhoods and nothing else: what groups or students pay is charged to each course they
    attend, and rules between sessions (travel, links, peaks) are left out.
    """
    weight = {
        rule: int(compiled.rule_weight[k]) if compiled.rule_tier[k] in (TIER_SOFT, TIER_BENDABLE) else 0
        for k, rule in enumerate(RULE_IDS)
    }
    placed = np.flatnonzero((slots >= 0) & (rooms >= 0))
    courses, starts, places = compiled.course_of_session[placed], slots[placed], rooms[placed]
    each = np.zeros(len(placed))
    for rule, name in START_UNITS.items():
        each += weight[rule] * getattr(compiled, name)[courses, starts]
    empty = compiled.room_seats[places] - compiled.seats[courses]
    each += weight["room_capacity"] * np.maximum(0, -empty)
    each += weight["room_waste"] * (np.maximum(0, empty) // SEATS_PER_WASTE_UNIT)
    each += weight["room_unsuitable"] * compiled.room_unsuitable[courses, places]
    each += weight["room_penalty"] * compiled.room_penalty[courses, places]
    each += weight["context"] * compiled.context_building[courses, compiled.room_building[places]]
    costs = np.bincount(courses, weights=each, minlength=compiled.num_courses)
    background = background_of(compiled, slots, rooms, placed)
    used_days = np.count_nonzero(background.course_day, axis=1)
    missing_days = np.where(used_days > 0, np.maximum(0, compiled.min_days - used_days), 0)
    costs += weight["min_days"] * missing_days[compiled.whole]
    families = compiled.family[courses].astype(np.int64)
    pairs = np.unique(families * compiled.num_places + places) // compiled.num_places
    used_rooms = np.bincount(pairs, minlength=int(compiled.family.max()) + 1)
    costs += weight["room_stability"] * np.maximum(0, used_rooms - 1)[compiled.family]
    return np.asarray(costs + _attendance_costs(compiled, background.course, weight))


def _attendance_costs(compiled: Compiled, cover: Array, weight: dict[str, int]) -> Array:
    """Cost of the days of cohorts and students, for each course the sum over those who attend it."""
    shared = {name: weight[name] for name in ("single_session_day", "last_slot")}
    groups = {"gap": weight["group_gap"], "isolated": weight["isolated_session"], **shared}
    students = {"gap": weight["student_gap"]}
    lone = compiled.lone_student > 0
    costs = np.zeros(compiled.num_courses)
    for weights, pointers, items, chosen in (
        (groups, compiled.group_ptr, compiled.group, np.ones(compiled.num_clash_groups, dtype=bool)),
        (students, compiled.student_ptr, compiled.student, ~lone),
        (students | shared, compiled.student_ptr, compiled.student, lone),
    ):
        if any(weights.values()) and len(items) and chosen.any():
            ones = np.ones(len(items), dtype=np.int32)
            shape = (compiled.num_courses, len(chosen))
            attends = sparse.csr_array((ones, items, pointers), shape=shape)[:, np.flatnonzero(chosen)]
            occupied = (attends.T @ cover) > 0
            days = occupied.reshape(len(occupied), compiled.num_days, compiled.num_periods)
            costs += attends @ _day_costs(days, compiled.day_periods, weights)
    return costs


def _day_costs(occupied: Array, periods: Array, weights: dict[str, int]) -> Array:
    """``(attendees,)`` weighted cost of their days; those are ``(attendees, days, periods)`` and ``(days,)``."""
    before = np.logical_or.accumulate(occupied, axis=2)
    after = np.logical_or.accumulate(occupied[..., ::-1], axis=2)[..., ::-1]
    padded = np.pad(occupied, ((0, 0), (0, 0), (1, 1)))
    alone = occupied & ~padded[..., :-2] & ~padded[..., 2:]
    total = weights.get("gap", 0) * (before & after & ~occupied).sum(axis=(1, 2))
    total = total + weights.get("isolated", 0) * alone.sum(axis=(1, 2))
    total = total + weights.get("single_session_day", 0) * (occupied.sum(axis=2) == 1).sum(axis=1)
    late = occupied[:, np.arange(len(periods)), periods - 1]
    return np.asarray(total + weights.get("last_slot", 0) * late.sum(axis=1))


def sessions_in_trouble(compiled: Compiled, slots: Array, rooms: Array) -> Array:
    """Sessions that are unplaced, clash, or break a hard rule where they stand (limits and links are not looked at)."""
    placed = np.flatnonzero((slots >= 0) & (rooms >= 0))
    courses, starts, places = compiled.course_of_session[placed], slots[placed], rooms[placed]
    all_placed = background_of(compiled, slots, rooms, placed)
    hard = {rule: compiled.rule_tier[k] in (TIER_BENDABLE, TIER_RIGID) for k, rule in enumerate(RULE_IDS)}
    bad = np.zeros(len(placed), dtype=bool)
    for rule, name in START_UNITS.items():
        if hard[rule]:
            bad |= getattr(compiled, name)[courses, starts] > 0
    if hard["room_capacity"]:
        bad |= compiled.room_seats[places] < compiled.seats[courses]
    if hard["room_unsuitable"]:
        bad |= compiled.room_unsuitable[courses, places] > 0
    fixed_slot, fixed_room = compiled.fixed_slot[placed], compiled.fixed_room[placed]
    bad |= (
        hard["fixed_moved"]
        & (fixed_slot >= 0)
        & ((fixed_slot != starts) | ((fixed_room >= 0) & (fixed_room != places)))
    )
    classes = all_placed.classes.values()
    crowded = _crowded_courses(compiled, all_placed.faculty, all_placed.group, all_placed.course, classes, hard)
    crammed = all_placed.room > compiled.room_limit
    over = np.logical_or.reduceat(crammed[compiled.place_room], compiled.place_ptr[:-1])
    for length in np.unique(compiled.length):
        same = compiled.length[courses] == length
        bad[same] |= ~clear(~crowded, int(length))[courses[same], starts[same]]
        if hard["room_clash"]:
            bad[same] |= ~clear(~over, int(length))[places[same], starts[same]]
    return np.sort(np.concatenate([placed[bad], np.flatnonzero((slots < 0) | (rooms < 0))]))


def _granted(graph: sparse.csr_array, classes: Iterable[Background]) -> Array | int:
    """``(courses, slots)`` students of two sessions at once that may clash, in the row of either."""
    return sum((graph @ one.course) * (one.course > 0) for one in classes)


def _crowded_courses(
    compiled: Compiled,
    faculty: Array,
    group: Array,
    course: Array,
    classes: Iterable[Background],
    hard: dict[str, bool],
) -> Array:
    """``(courses, slots)`` whether somebody of the course has two sessions in the slot."""
    crowded = np.zeros((compiled.num_courses, compiled.num_slots), dtype=bool)
    for rule, pointers, items, cover in (
        ("faculty_clash", compiled.faculty_ptr, compiled.faculty, faculty),
        ("group_clash", compiled.group_ptr, compiled.group, group),
    ):
        if hard[rule] and len(items):
            owned = sparse.csr_array(
                (np.ones(len(items), dtype=np.int32), items, pointers), shape=(len(crowded), len(cover))
            )
            crowded |= (owned @ (cover > 1)) > 0
    for rule, shared in (("student_clash", compiled.conflict_students), ("core_clash", compiled.conflict_core)):
        if hard[rule] and len(shared):
            shape = (compiled.num_courses, compiled.num_courses)
            graph = sparse.csr_array((shared, compiled.conflict, compiled.conflict_ptr), shape=shape)
            crowded |= ((graph @ course - _granted(graph, classes)) > 0) & (course > 0)
    return crowded
