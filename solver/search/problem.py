"""
`Problem`: the dataset once more, with the weights of one search multiplied in (packed, see `weights`).

Resources `x` are everybody who can be in one place only: teachers first, then clash groups, then students (only those
at the shape of whose days a rule looks, all of them or those without a group). The resources of course c stand in
`resource` in that order, between the four marks ``resource_ptr[c]``: start, first one whose days have a shape, end of
those that can clash, end.
"""

from __future__ import annotations

from dataclasses import dataclass

from solver.compiled import Flags, Ints
from solver.search.jit import Longs
from solver.search.numba_struct import NumbaStruct

UNOFFERED = 1 << 59
"""Packed cost of a place that has more or fewer rooms than a session takes: above all that anything else costs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem(NumbaStruct):
    """Sizes, weights and read-only arrays of one search. Packed costs are int64."""

    num_sessions: int
    num_courses: int
    num_slots: int
    num_rooms: int
    """Places that are no set of rooms, see `compiled`."""
    num_places: int
    num_days: int
    num_periods: int
    num_resources: int
    num_mobile: int

    course_of: Ints
    session_ptr: Ints
    whole: Ints
    """``(courses,)`` the whole course of each part, see `compiled`."""
    sibling_ptr: Ints
    """``(courses, 2)`` first and end of the sessions of the whole course of each part."""
    family_of: Ints
    """``(sessions,)`` siblings of one family keep one room together."""
    length: Ints
    rank: Ints
    """``(courses,)`` who gives way to whom where not all find a place: whoever has less, see `solver.ranks`."""
    day_of: Ints
    period_of: Ints
    plan_of: Ints
    """``(days,)`` days of one plan have the same number of periods and the same breaks."""
    plan_periods: Longs
    plan_rests: Longs
    plan_walls: Longs
    """``(plans,)`` periods, a mask of those before which a break lies, and one of those that no session crosses."""
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
    place_ptr: Ints
    place_room: Ints
    room_cost: Longs
    """``(rows, places)``; `UNOFFERED` or more where a session never stands."""
    fit_ptr: Ints
    fit: Ints
    """Rooms that fit, per row, cheapest first; never empty."""
    fits_vary: int
    """1 when the fitting rooms of a course differ in cost."""
    misfits_are_hard: int
    """1 when every room that does not fit costs something hard, and so more than any that does."""
    room_limit: Ints
    """``(rooms, slots)`` sessions that a room holds at a time."""
    room_weight: int

    resource_ptr: Ints
    """``(courses, 4)``"""
    resource: Ints
    member: Longs
    """``(courses, words)`` the resources of a course as a bit set."""
    kin: Longs
    """``(courses, words)`` the courses that share a resource or a student with a course, itself included: a bit set."""
    owner_ptr: Ints
    owner: Ints
    """Courses of each resource that can clash."""
    clash_weight: Longs
    """``(resources,)``"""
    conflict_ptr: Ints
    conflict: Ints
    conflict_cost: Longs
    """Packed cost per slot that both run, beside `conflict`; the students of two core courses may cost more."""
    students_clash: int
    """1 when a rule about clashes of students is on."""

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
    """``(resources,)`` `GROUP`, `STUDENT` or `LONE`, see `day_shapes`."""
    shape_bits: int
    """Periods covered by `shape_table`, 0 when shapes have to be computed."""
    shape_table: Longs
    """``(plans x 3, 2^periods)`` cost of a day of each plan by its kind and the mask of its busy periods."""
    shape_weight: Longs
    """``(3, units)`` per unit of a day, see `day_shapes`."""
    shape_drop: int
    """Most that one more and one less busy period can save together."""
    consecutive_limit: int

    link_cost: Longs
    link_a: Ints
    link_b: Ints
    link_type: Ints
    """See `links.LINK_CODES`."""
    link_row: Ints
    """Links that the same places break share a row."""
    link_broken: Flags
    """``(rows, 2, slots, slots)`` 1 where a pair breaks its link, see `links.broken_table`."""
    session_link_ptr: Ints
    session_link: Ints
    set_ptr: Ints
    set_session: Ints
    """Sessions that should make one block, see `Compiled.set_session`."""
    set_cost: Longs
    """``(sets,)`` per block above one."""
    session_set_ptr: Ints
    session_set: Ints
    together: Ints
    """``(sessions,)`` the class of sessions that may clash with each other, -1 for none."""
    together_ptr: Ints
    together_session: Ints

    travels: int
    travel_weight: int
    """Packed cost of a unit, per shared person."""
    travel_minutes: Ints
    """``(buildings, buildings)``"""
    slot_start: Ints
    slot_end: Ints
    """``(slots,)`` minutes since the week began."""
    walk_until: Ints
    walk_since: Ints
    """
    ``(slots,)`` the last slot of the day that begins, and the first one that ends, so near to this one that the longest
    way does not fit between; the slot itself where there is none.
    """
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
    ``(courses, 3)`` most that a move of a session can save in all that is evaluated after slots, clashes and rooms;
    in the shapes of days; and in what comes after those.
    """
