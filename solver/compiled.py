"""
The dataset as read-only arrays for the kernels and for CP-SAT.

Index letters: `s` session, `t` slot, `r` room, `f` faculty, `g` cohort, `c` course, `w` whole course, `d` day, `b`
building, `l` link pair, `k` rule. A pair `x_ptr`, `x` is a compressed row list: the entries of row i are
``x[x_ptr[i]:x_ptr[i + 1]]``.

All arrays run over `Dataset.parts`: where we say course and write `c` we mean a part of one, which for most is the
course itself. What is counted over all sessions of a course runs over `w`, the *whole* courses.

A group that is part of others, or has parts, stands here as its cohorts (see `cohorts`), any other one as itself.
Courses without any group get a group of their own behind the real ones (`num_groups <= g < num_clash_groups`), so that
`group_clash` also keeps the sessions of such a course apart, over all of its parts that have no group; no other rule
looks at those.

Where there are several week classes (see `weeks`), teachers, groups and students stand here once for each of them, all
of the first class before all of the second, and each course has those of its own classes: so whatever is counted per
person is counted once for every class, and two courses without a common week share nobody.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solver.calendar import TimeGrid
from solver.context import Context, build_context
from solver.context.graph import Matrix, cohort_matrix, enrolment_matrix, teaching_matrix
from solver.context.spatial import travel_table
from solver.context.starts import allowed_starts, closed_slots, session_lengths, session_starts, sum_over_session
from solver.links import LINK_CODES, NO_MOST, Clock
from solver.model import Dataset, Placement, Timetable
from solver.person_rules import PERSON_RULES, Person, PersonRule
from solver.places import suits
from solver.ranks import rank_numbers
from solver.rules import (
    RULE_IDS,
    ActiveRule,
    Profile,
    fair_share,
    peak_limit,
    person_limit,
    preference_points,
    profile_of,
)
from solver.terms import CORE_SUBJECT_TYPE, NEUTRAL_LIKING, PERMISSIONS, SET_LINKS

Ints: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.uint8]

NO_LIMIT = 2**30
UNPLACED_INDEX = -1
TIER_OFF, TIER_SOFT, TIER_BENDABLE, TIER_RIGID = 0, 1, 2, 3


START_UNITS: Mapping[str, str] = {
    "slot_forbidden": "slot_forbidden",
    "faculty_unavailable": "faculty_unavailable",
    "group_unavailable": "group_unavailable",
    "faculty_preference": "faculty_preference",
    "time_penalty": "time_penalty",
    "context": "context_slot",
}
"""Rules with units that depend on the start alone, and their ``(courses, slots)`` array in `Compiled`."""


class Compiled(NamedTuple):
    """
    Sizes and C-contiguous read-only arrays; Numba takes it as it is and refuses kernels that write to it.

    Never pickled: send the `Dataset` and compile on the other side.
    """

    num_sessions: int
    num_courses: int
    num_wholes: int
    num_slots: int
    num_rooms: int
    """Places of one room and, where there is such, "no room" as the last of them: all that is no set of rooms."""
    num_places: int
    num_faculty: int
    num_groups: int
    num_clash_groups: int
    num_students: int
    num_days: int
    num_periods: int
    num_buildings: int
    num_links: int
    num_classes: int

    day_periods: Ints
    """``(days,)`` periods of each day; `num_periods` is that of the longest."""
    rest: Flags
    """``(slots,)`` 1 where a break lies between the slot and the one before it on its day."""
    wall: Flags
    """``(slots,)`` 1 where that is a break that no session runs over."""
    slot_start: Ints
    slot_end: Ints
    """``(slots,)`` minutes since the week began, see `links.Clock`."""
    gap_unit: int
    """Minutes that a free slot is worth."""
    walk_until: Ints
    """
    ``(slots,)`` the last slot of the day that begins too soon after the end of this one for the longest way; the slot
    itself where there is none.
    """

    course_of_session: Ints
    """``(sessions,)``"""
    session_ptr: Ints
    """``(courses + 1,)``: sessions of course c are ``session_ptr[c] .. session_ptr[c + 1] - 1``."""
    whole: Ints
    """``(courses,)`` the whole course of each part."""
    whole_ptr: Ints
    """``(wholes + 1,)``: sessions of whole course w are ``whole_ptr[w] .. whole_ptr[w + 1] - 1``."""
    family: Ints
    """``(courses,)`` parts of one family, those of one course and one kind, keep one room together."""
    class_ptr: Ints
    week_class: Ints
    """Week classes of each course."""
    pattern: Ints
    """``(courses,)`` courses in the same week classes have the same number."""
    length: Ints
    """``(courses,)`` slots of one session."""
    seats: Ints
    """``(courses,)`` expected students, 0 where no room is needed."""
    core: Flags
    """``(courses,)`` 1 for core subjects, 0 for electives."""
    priority: Ints
    """``(courses,)``"""
    rank: Ints
    """``(courses,)`` who comes before whom where not all find a place: 0 for the lowest rank, see `ranks`."""

    start_possible: Flags
    """``(courses, slots)`` 1 where a session may start: on the grid, and allowed when `slot_forbidden` is rigid."""
    slot_forbidden: Flags
    """``(courses, slots)`` 1 where a start breaks `slot_forbidden`."""
    fixed_slot: Ints
    """``(sessions,)`` -1 when free."""
    fixed_room: Ints
    """``(sessions,)`` -1 when free."""

    faculty_ptr: Ints
    faculty: Ints
    """Teachers of each course."""
    group_ptr: Ints
    group: Ints
    """Cohorts of each course, the course's own group where it has none."""
    student_ptr: Ints
    student: Ints
    """Students of each course, members of its groups included."""
    lone_student: Flags
    """``(students,)`` 1 for students without a group."""
    conflict_ptr: Ints
    conflict: Ints
    """Other courses with a common student, per course."""
    conflict_students: Ints
    """Number of common students, beside `conflict`; counted once for every common week class."""
    conflict_core: Ints
    """The same where both courses are core, else 0."""
    people_ptr: Ints
    people: Ints
    """Courses that share a teacher or a real group, per course, the course itself included when it has any."""
    people_shared: Ints
    """How many teachers and real groups they share, beside `people`; once for every week class in which they meet."""

    place_ptr: Ints
    place_room: Ints
    """Rooms of each place, as indices of places of one room; "no room" is the only one of its place."""
    room_seats: Ints
    """``(places,)`` seats of all rooms of the place."""
    room_building: Ints
    """``(places,)`` building index, 0 for "no building", the last one for "no room" where there is such a place."""
    room_limit: Ints
    """``(rooms, slots)`` sessions that it holds at a time: 0 while closed, mostly 1, `NO_LIMIT` for "no room"."""
    rooms_needed: Ints
    """``(courses,)`` rooms that a session takes at once."""
    place_offered: Flags
    """``(courses, places)`` 1 where the place has as many rooms as a session takes; it never stands elsewhere."""
    room_unsuitable: Flags
    """``(courses, places)`` 1 for a wrong type, a missing feature, or a room that may not be used."""
    room_penalty: Ints
    """``(courses, places)`` penalty points of the rooms."""

    faculty_unavailable: Ints
    """``(courses, slots)`` units of a session that starts there; 0 where it cannot start."""
    group_unavailable: Ints
    """``(courses, slots)`` as above."""
    faculty_preference: Ints
    """``(courses, slots)`` as above."""
    time_penalty: Ints
    """``(courses, slots)`` penalty points of a start."""
    context_slot: Ints
    """``(courses, slots)`` context points of a start."""
    context_building: Ints
    """``(courses, buildings)`` context points of a place."""

    course_day_limit: Ints
    """``(wholes,)`` sessions per day, `NO_LIMIT` for none."""
    group_day_limit: Ints
    """``(groups,)`` as above, real groups only."""
    faculty_day_limit: Ints
    """``(faculty,)`` as above."""
    faculty_week_limit: Ints
    """``(faculty,)`` sessions in the week, `NO_LIMIT` for none."""
    faculty_fair_share: Ints
    """``(faculty,)`` sessions per day before `load_balance` counts."""
    min_days: Ints
    """``(wholes,)``"""
    travel: Ints
    """``(buildings, buildings)`` minutes on foot."""

    link_a: Ints
    link_b: Ints
    """``(links,)`` sessions of each pair, in the order of the link."""
    link_type: Ints
    """``(links,)`` see `links.LINK_CODES`."""
    link_value: Ints
    link_most: Ints
    """``(links,)`` what each says, in the unit of its type; `links.NO_MOST` where it says nothing of the most."""
    link_weight: Ints
    """``(links,)`` units that one broken pair adds to its rule: 1 when hard, the link's weight when soft."""
    link_hard: Flags
    """``(links,)`` 1 counts under `link`, 0 under `soft_link`."""
    session_link_ptr: Ints
    session_link: Ints
    """Link pairs that touch each session."""
    set_ptr: Ints
    set_session: Ints
    """Sessions of each link that looks at all of them together; all such are about blocks."""
    set_weight: Ints
    """``(sets,)`` units that one block above one adds to its rule, like `link_weight`."""
    set_hard: Flags
    """``(sets,)`` like `link_hard`."""
    session_set_ptr: Ints
    session_set: Ints
    """Those links of each session."""
    together: Ints
    """``(sessions,)`` the class of a session that may clash with others of it, see `Dataset.together`; -1 for none."""
    together_ptr: Ints
    together_session: Ints
    """Sessions of each class."""

    closed: Flags
    """
    ``(people, slots)`` 1 where somebody is away, no room is open, or no slot is. People are the teachers, the cohorts
    and the students, one behind the other.
    """
    person_rule: Ints
    """``(rows,)`` the rules about days and weeks that count anything, by their places in `PERSON_RULES`."""
    person_limit: Ints
    """``(rows, people)`` see `rules.person_limit`; -1 where nothing is counted."""
    person_in_minutes: Flags
    """``(rows,)`` 1 where the limits are minutes."""
    person_window: Ints
    """``(rows, 2)`` minutes after midnight."""

    peak_limit: int
    rule_tier: Ints
    """``(rules,)`` `TIER_OFF`, `TIER_SOFT`, `TIER_BENDABLE` or `TIER_RIGID`, in the order of `RULES`."""
    rule_weight: Ints
    """``(rules,)`` cost per unit: weight when soft, price when bendable, 1 when rigid or off."""

    @property
    def clock(self) -> Clock:
        """When the slots are."""
        day = np.arange(self.num_slots) // self.num_periods
        return Clock(self.slot_start, self.slot_end, day, self.rest > 0, self.gap_unit)

    @property
    def counts_days_of_students(self) -> bool:
        """
        Whether rules about the shape of a day look at most students one by one: moves cost more, and almost all
        conflict.
        """
        return 2 * int(self.lone_student.sum(dtype=np.int64)) > self.num_students


def compile_dataset(dataset: Dataset, profile: Profile | None = None, context: Context | None = None) -> Compiled:
    """
    Turns a dataset into arrays.

    Parameters
    ----------
    profile
        What each rule means; `profile_of(dataset)` when None.
    context
        Context points; built here when None.
    """
    profile = profile or profile_of(dataset)
    context = context or build_context(dataset)
    return _freeze(
        Compiled(
            **_sizes(dataset, context),
            **_clock(dataset, context),
            **_courses(dataset),
            **_weeks(dataset),
            **_starts(dataset, profile),
            **_fixed(dataset),
            **_people(dataset),
            **_conflicts(dataset, context),
            **_rooms(dataset, context),
            **_slot_units(dataset),
            **_limits(dataset, profile),
            **_links(dataset),
            **_link_sets(dataset),
            **_person_rules(dataset, profile),
            **_together(dataset),
            **_settings(dataset, profile),
            context_slot=context.slot_points,
        )
    )


def encode(timetable: Timetable, dataset: Dataset) -> tuple[Ints, Ints]:
    """
    ``slot_of_session`` and ``room_of_session``, both ``(sessions,) int32`` with -1 for unplaced sessions.

    Rooms are numbers of `Dataset.places`. Placements of courses, sessions or rooms that the dataset does not know are
    ignored, and those in too many or too few rooms: an incumbent of another version of the data is still a useful
    start.
    """
    slots = np.full(len(dataset.sessions), UNPLACED_INDEX, dtype=np.int32)
    rooms = np.full(len(dataset.sessions), UNPLACED_INDEX, dtype=np.int32)
    for s, key in enumerate(dataset.sessions):
        placement = timetable.by_session.get(key)
        if placement is None or not dataset.room_order.keys() >= set(placement.room_ids):
            continue
        part, place = dataset.part_of(key), dataset.place_number.get(dataset.in_order(placement.room_ids))
        if place is None or len(placement.room_ids) != part.rooms_needed:
            continue
        if dataset.time_grid.can_start(placement.slot, part.session_slots):
            slots[s], rooms[s] = placement.slot, place
    return slots, rooms


def decode(slots: NDArray[Any], rooms: NDArray[Any], dataset: Dataset) -> Timetable:
    """The timetable of two arrays as `encode` makes them; sessions with -1 in either stay unplaced."""
    return Timetable(
        placements=tuple(
            Placement.at(key, int(slots[s]), dataset.places[int(rooms[s])].ids)
            for s, key in enumerate(dataset.sessions)
            if slots[s] >= 0 and rooms[s] >= 0
        )
    )


# --- the parts of `compile_dataset`, each a mapping of fields ---------------------------------------------------------


def _sizes(dataset: Dataset, context: Context) -> dict[str, Any]:
    grid, classes = dataset.time_grid, len(dataset.week_classes)
    return {
        "num_classes": classes,
        "num_sessions": len(dataset.sessions),
        "num_courses": len(dataset.parts),
        "num_wholes": len(dataset.courses),
        "num_slots": grid.num_slots,
        "num_rooms": len(dataset.rooms) + (() in dataset.place_number),
        "num_places": len(dataset.places),
        "num_faculty": classes * len(dataset.faculty),
        "num_groups": classes * len(dataset.cohorts),
        "num_students": classes * len(dataset.student_ids),
        "num_days": grid.num_days,
        "num_periods": grid.num_periods,
        "num_buildings": len(context.buildings) + (() in dataset.place_number),
    }


def _clock(dataset: Dataset, context: Context) -> dict[str, Any]:
    grid, clock = dataset.time_grid, Clock.of(dataset.time_grid)
    return {
        "day_periods": _ints(len(grid.periods_of(day)) for day in range(grid.num_days)),
        "rest": clock.rest,
        "wall": _breaks(grid, [grid.walls(day) for day in range(grid.num_days)]),
        "slot_start": clock.start,
        "slot_end": clock.end,
        "gap_unit": clock.unit,
        "walk_until": _walk_until(clock, int(travel_table(dataset, context.buildings).max(initial=0))),
    }


def _walk_until(clock: Clock, longest: int) -> NDArray[Any]:
    """See `Compiled.walk_until`; `longest` is the longest way in minutes."""
    slots = np.arange(len(clock.start))
    near = (clock.day[:, None] == clock.day) & (slots > slots[:, None])
    near &= clock.start - clock.end[:, None] < longest
    return np.asarray(np.where(near, slots, slots[:, None]).max(axis=1))


def _breaks(grid: TimeGrid, before: Sequence[frozenset[int]]) -> NDArray[np.bool_]:
    """``(slots,)`` whether the period of the slot is one of those `before` which a break lies on its day."""
    return np.array([grid.period_of(t) in before[grid.day_of(t)] for t in range(grid.num_slots)], dtype=np.bool_)


def _courses(dataset: Dataset) -> dict[str, Any]:
    courses = dataset.parts
    counts = [course.sessions_per_week for course in courses]
    number = {course.id: w for w, course in enumerate(dataset.courses)}
    families: dict[tuple[str, str], int] = {}
    return {
        "course_of_session": np.repeat(np.arange(len(courses)), counts),
        "session_ptr": np.concatenate([[0], np.cumsum(counts)]),
        "whole": _ints(number[course.id] for course in courses),
        "whole_ptr": np.concatenate([[0], np.cumsum([course.sessions_per_week for course in dataset.courses])]),
        "family": _ints(families.setdefault((course.id, course.kind), len(families)) for course in courses),
        "length": session_lengths(dataset),
        "seats": _ints(dataset.expected_students(course) if course.rooms_needed else 0 for course in courses),
        "core": _core(dataset),
        "priority": _ints(course.priority for course in courses),
        "rank": _ints(rank_numbers(courses)),
        "min_days": _ints(course.min_days for course in dataset.courses),
    }


def class_matrix(dataset: Dataset) -> Matrix:
    """``(courses, week classes) int32``, 1 for each class that a course is in."""
    counts = [len(classes) for classes in dataset.classes_of_part]
    columns = _ints(chain.from_iterable(dataset.classes_of_part))
    pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    shape = (len(counts), len(dataset.week_classes))
    return sparse.csr_array((np.ones(len(columns), dtype=np.int32), columns, pointers), shape=shape)


def by_class(matrix: Matrix, dataset: Dataset) -> Matrix:
    """Who belongs to each course, ``(courses, people)``, as ``(courses, classes x people)``."""
    if len(dataset.week_classes) == 1:
        return matrix
    inside = class_matrix(dataset).toarray()
    rows = [sparse.csr_array(sparse.diags_array(column, dtype=np.int32) @ matrix) for column in inside.T]
    for row in rows:
        row.eliminate_zeros()
    return sparse.csr_array(sparse.hstack(rows, "csr"))


def _weeks(dataset: Dataset) -> dict[str, Any]:
    numbers: dict[tuple[int, ...], int] = {}
    return {
        **_row_list("class", class_matrix(dataset), "week_class"),
        "pattern": _ints(numbers.setdefault(classes, len(numbers)) for classes in dataset.classes_of_part),
    }


def _starts(dataset: Dataset, profile: Profile) -> dict[str, Any]:
    on_grid = session_starts(dataset)
    allowed = on_grid & allowed_starts(dataset)
    return {
        "start_possible": allowed if profile["slot_forbidden"].rigid else on_grid,
        "slot_forbidden": ~allowed,
        "time_penalty": _time_penalties(dataset) * on_grid,
    }


def _time_penalties(dataset: Dataset) -> Ints:
    table = np.zeros((len(dataset.parts), dataset.time_grid.num_slots), dtype=np.int32)
    for c, part in enumerate(dataset.parts):
        for t in {*(part.times or ()), *part.time_penalties}:
            table[c, t] = part.penalty_at(t)
    return table


def _fixed(dataset: Dataset) -> dict[str, Any]:
    slots = np.full(len(dataset.sessions), UNPLACED_INDEX)
    rooms = np.full(len(dataset.sessions), UNPLACED_INDEX)
    first = 0
    for course in dataset.courses:
        for fixed in course.fixed:
            slots[first + fixed.session] = fixed.slot
            if fixed.room_ids:
                rooms[first + fixed.session] = dataset.place_number[dataset.in_order(fixed.room_ids)]
        first += course.sessions_per_week
    return {"fixed_slot": slots, "fixed_room": rooms}


def _people(dataset: Dataset) -> dict[str, Any]:
    """Who sits in and who teaches each course, and the courses that share teachers or real groups."""
    of_weeks = teaching_matrix(dataset), cohort_matrix(dataset), enrolment_matrix(dataset)
    teachers, groups, students = (by_class(matrix, dataset) for matrix in of_weeks)
    movers = sparse.csr_array(sparse.hstack([teachers, groups], format="csr"))
    shared = sparse.csr_array(movers @ movers.T)
    shared.sort_indices()
    clash = _clash_groups(groups, dataset)
    return {
        "num_clash_groups": int(clash.shape[1]),
        **_row_list("faculty", teachers),
        **_row_list("group", clash),
        **_row_list("student", students),
        "lone_student": np.tile(
            _ints(student in dataset.lone_students for student in dataset.student_ids), len(dataset.week_classes)
        ),
        **_row_list("people", shared),
        "people_shared": shared.data,
    }


def _clash_groups(groups: Matrix, dataset: Dataset) -> Matrix:
    """The groups of each course; courses without any get one of their own, numbered on behind the real ones."""
    alone = np.flatnonzero(np.diff(groups.indptr) == 0)
    numbers: dict[str, int] = {}
    column = [numbers.setdefault(dataset.parts[c].id, len(numbers)) for c in alone.tolist()]
    entries = (np.ones(len(alone), dtype=np.int32), (alone, np.array(column, dtype=np.int64)))
    own = by_class(sparse.csr_array(entries, shape=(groups.shape[0], len(numbers))), dataset)
    return sparse.csr_array(sparse.hstack([groups, own], "csr"))


def _conflicts(dataset: Dataset, context: Context) -> dict[str, Any]:
    graph = context.conflict_graph
    if len(dataset.week_classes) > 1:
        classes = class_matrix(dataset)
        graph = sparse.csr_array(graph.multiply(classes @ classes.T), dtype=np.int32)
        graph.eliminate_zeros()
        graph.sort_indices()
    core = _core(dataset)
    both = core[graph.indices] * np.repeat(core, np.diff(graph.indptr))
    return {**_row_list("conflict", graph), "conflict_students": graph.data, "conflict_core": graph.data * both}


def _core(dataset: Dataset) -> Ints:
    return _ints(course.subject_type == CORE_SUBJECT_TYPE for course in dataset.parts)


def _rooms(dataset: Dataset, context: Context) -> dict[str, Any]:
    places = dataset.places
    nowhere = () in dataset.place_number
    building = {name: b for b, name in enumerate(context.buildings)}
    last = [len(building)] if nowhere else []
    single = len(dataset.rooms) + nowhere
    members = [[dataset.room_order[id] for id in place.ids] or [len(dataset.rooms)] for place in places]
    limit = np.zeros((single, dataset.time_grid.num_slots), dtype=np.int64)
    limit[: len(dataset.rooms)] = _open(dataset)
    limit[: len(dataset.rooms)] *= np.array([room.sessions_at_once for room in dataset.rooms], dtype=np.int64)[:, None]
    limit[len(dataset.rooms) :] = NO_LIMIT
    return {
        "place_ptr": np.concatenate([[0], np.cumsum([len(rooms) for rooms in members])]),
        "place_room": _ints(room for rooms in members for room in rooms),
        "room_seats": _ints(place.seats for place in places),
        "room_building": _ints(building[place.building] if place.rooms else last[0] for place in places),
        "room_limit": limit,
        "travel": np.pad(travel_table(dataset, context.buildings), (0, nowhere)),
        "context_building": np.pad(context.building_points, ((0, 0), (0, nowhere))),
        **_wanted_places(dataset),
    }


def _open(dataset: Dataset) -> NDArray[np.int32]:
    """``(rooms, slots)``; closed where there is no slot."""
    return _there(dataset) - closed_slots(dataset.rooms, dataset.time_grid.num_slots)


def _there(dataset: Dataset) -> NDArray[np.int32]:
    """``(slots,)`` 1 for the slots that there are."""
    grid = dataset.time_grid
    return np.array([grid.exists(t) for t in range(grid.num_slots)], dtype=np.int32)


def _wanted_places(dataset: Dataset) -> dict[str, Any]:
    """One row per distinct demand, computed once: courses by the thousand ask for a handful of kinds of room."""
    numbers = np.array([len(place.rooms) for place in dataset.places])
    unsuitable: dict[Hashable, NDArray[Any]] = {}
    penalties: dict[Hashable, NDArray[Any]] = {}
    demands: list[Hashable] = []
    for part in dataset.parts:
        lists = [None if table is None else tuple(table.items()) for table in (part.rooms, part.room_penalties)]
        demand = (part.room_types, part.required_features, *lists)
        demands.append(demand)
        if demand not in unsuitable:
            wrong = {room.id: not suits(part, room) for room in dataset.rooms}
            costs = {room.id: part.penalty_of(room.id) for room in dataset.rooms}
            unsuitable[demand] = np.array([any(wrong[id] for id in place.ids) for place in dataset.places])
            penalties[demand] = np.array([sum(costs[id] for id in place.ids) for place in dataset.places])
    needed = np.array([part.rooms_needed for part in dataset.parts])
    return {
        "rooms_needed": needed,
        "place_offered": numbers[None, :] == needed[:, None],
        "room_unsuitable": np.stack([unsuitable[demand] for demand in demands]),
        "room_penalty": np.stack([penalties[demand] for demand in demands]),
    }


def _slot_units(dataset: Dataset) -> dict[str, Any]:
    """Per course and start: the units that depend on nothing else, summed over the slots of the session."""
    num_slots = dataset.time_grid.num_slots
    teachers = teaching_matrix(dataset)
    per_slot = {
        "faculty_unavailable": teachers @ closed_slots(dataset.faculty, num_slots),
        "group_unavailable": cohort_matrix(dataset) @ closed_slots(dataset.cohorts, num_slots),
        "faculty_preference": teachers @ _preferences(dataset),
    }
    return {name: sum_over_session(table, dataset) for name, table in per_slot.items()}


def _preferences(dataset: Dataset) -> Ints:
    """``(faculty, slots)`` preference points; 0 everywhere for a teacher who states no preference at all."""
    num_slots = dataset.time_grid.num_slots
    points = np.zeros((len(dataset.faculty), num_slots), dtype=np.int32)
    for f, teacher in enumerate(dataset.faculty):
        contented = teacher.contented_at(len(dataset.time_grid.slots))
        points[f] = preference_points(NEUTRAL_LIKING, contented)
        for slot, liking in teacher.preferences.items():
            points[f, slot] = preference_points(liking, contented)
    return points


def _limits(dataset: Dataset, profile: Profile) -> dict[str, Any]:
    def in_sessions(rule_id: str, value: int | None) -> int:
        return _limit(value if profile[rule_id].unit == "sessions" else None)

    courses, groups, faculty = dataset.courses, dataset.cohorts, dataset.faculty
    classes = len(dataset.week_classes)
    taught = np.array([part.sessions_per_week for part in dataset.parts]) @ by_class(teaching_matrix(dataset), dataset)
    sessions_of_faculty = taught.reshape(classes, len(faculty)).max(axis=0)
    return {
        "course_day_limit": _ints(_limit(course.max_sessions_per_day) for course in courses),
        **{
            name: np.tile(_ints(limits), classes)
            for name, limits in {
                "group_day_limit": (in_sessions("group_daily_limit", g.max_sessions_per_day) for g in groups),
                "faculty_day_limit": (in_sessions("faculty_daily_limit", f.max_sessions_per_day) for f in faculty),
                "faculty_week_limit": (in_sessions("faculty_weekly_limit", f.max_sessions_per_week) for f in faculty),
                "faculty_fair_share": map(fair_share, sessions_of_faculty.tolist(), _days_there(dataset).tolist()),
            }.items()
        },
    }


def _days_there(dataset: Dataset) -> NDArray[Any]:
    """``(faculty,)`` days on which each teacher is there for a slot at least."""
    grid = dataset.time_grid
    exists = np.array([grid.exists(t) for t in range(grid.num_slots)])
    there = exists & (closed_slots(dataset.faculty, grid.num_slots) == 0)
    return np.asarray(there.reshape(-1, grid.num_days, grid.num_periods).any(axis=2).sum(axis=1))


def _links(dataset: Dataset) -> dict[str, Any]:
    index = {key: s for s, key in enumerate(dataset.sessions)}
    asking = [link for link in dataset.links if link.tier != "off" and link.type not in PERMISSIONS]
    ties = [(link, a, b) for link in asking for a, b in dataset.expand(link)]
    touching: list[list[int]] = [[] for _ in index]
    for number, (_, a, b) in enumerate(ties):
        touching[index[a]].append(number)
        touching[index[b]].append(number)
    return {
        "num_links": len(ties),
        "link_a": _ints(index[a] for _, a, _ in ties),
        "link_b": _ints(index[b] for _, _, b in ties),
        "link_type": _ints(LINK_CODES[link.type] for link, _, _ in ties),
        "link_value": _ints(link.value or 0 for link, _, _ in ties),
        "link_most": _ints(NO_MOST if link.most is None else link.most for link, _, _ in ties),
        "link_weight": _ints(link.weight if link.tier == "soft" else 1 for link, _, _ in ties),
        "link_hard": _ints(link.tier == "hard" for link, _, _ in ties),
        "session_link_ptr": np.concatenate([[0], np.cumsum([len(row) for row in touching])]),
        "session_link": _ints(number for row in touching for number in row),
    }


def _link_sets(dataset: Dataset) -> dict[str, Any]:
    index = {key: s for s, key in enumerate(dataset.sessions)}
    links = [link for link in dataset.links if link.tier != "off" and link.type in SET_LINKS]
    members = [[index[key] for key in dataset.sessions_of(link)] for link in links]
    touching: list[list[int]] = [[] for _ in index]
    for number, sessions in enumerate(members):
        for s in sessions:
            touching[s].append(number)
    return {
        "set_ptr": np.concatenate([[0], np.cumsum([len(sessions) for sessions in members])]),
        "set_session": _ints(chain.from_iterable(members)),
        "set_weight": _ints(link.weight if link.tier == "soft" else 1 for link in links),
        "set_hard": _ints(link.tier == "hard" for link in links),
        "session_set_ptr": np.concatenate([[0], np.cumsum([len(row) for row in touching])]),
        "session_set": _ints(chain.from_iterable(touching)),
    }


def _person_rules(dataset: Dataset, profile: Profile) -> dict[str, Any]:
    classes = len(dataset.week_classes)
    people: Mapping[Person, Sequence[str]] = {
        "faculty": classes * [teacher.id for teacher in dataset.faculty],
        "group": classes * [cohort.id for cohort in dataset.cohorts],
        "student": classes * dataset.student_ids,
    }
    first = dict(zip(people, np.cumsum([0, *map(len, people.values())]).tolist(), strict=False))
    lone = np.array([student in dataset.lone_students for student in people["student"]], dtype=np.bool_)
    rows, rules = [], []
    for number, rule in enumerate(PERSON_RULES):
        active = profile[rule.id]
        if active.unit == "sessions" or (active.tier == "off" and not rule.named):
            continue
        row = np.full(sum(map(len, people.values())), -1, dtype=np.int32)
        for kind in rule.who:
            ids = people["student" if kind == "lone" else kind]
            limits = _limits_of(dataset, rule, active, kind, ids)
            start = first["student" if kind == "lone" else kind]
            row[start : start + len(ids)] = np.where(lone, limits, -1) if kind == "lone" else limits
        rows.append(row)
        rules.append((number, active))
    return {
        "closed": _closed(dataset),
        "person_rule": _ints(number for number, _ in rules),
        "person_limit": np.array(rows, dtype=np.int32).reshape(len(rules), -1),
        "person_in_minutes": _ints(active.unit == "minutes" for _, active in rules),
        "person_window": np.array([active.window for _, active in rules], dtype=np.int32).reshape(-1, 2),
    }


def _limits_of(dataset: Dataset, rule: PersonRule, active: ActiveRule, kind: Person, ids: Sequence[str]) -> Ints:
    """``(ids,)``; asked once for all where it is the same for everybody, as it is of most rules."""
    alike = not active.values and rule.kind in ("gap", "isolated", "late_start", "early_end", "single", "lunch", "rest")
    if alike and ids:
        limit = person_limit(dataset, rule, active, kind, ids[0])
        return np.full(len(ids), -1 if limit is None else limit, dtype=np.int32)
    limits = (person_limit(dataset, rule, active, kind, id) for id in ids)
    return _ints(-1 if limit is None else limit for limit in limits)


def _closed(dataset: Dataset) -> NDArray[np.int32]:
    """``(people, slots)`` see `Compiled.closed`."""
    num_slots = dataset.time_grid.num_slots
    rooms = 1 - (_open(dataset).max(axis=0) if dataset.rooms else _there(dataset))
    teachers, cohorts = closed_slots(dataset.faculty, num_slots), closed_slots(dataset.cohorts, num_slots)
    students = np.zeros((len(dataset.student_ids), num_slots), dtype=np.int32)
    if dataset.groups_of_student:
        away = {
            group.id: slots
            for group, slots in zip(dataset.groups, closed_slots(dataset.groups, num_slots), strict=True)
        }
        for s, student in enumerate(dataset.student_ids):
            for id in dataset.groups_of_student.get(student, ()):
                students[s] |= away[id]
    everybody = [np.tile(table, (len(dataset.week_classes), 1)) for table in (teachers, cohorts, students)]
    return np.asarray(np.concatenate(everybody) | rooms, dtype=np.int32)


def _together(dataset: Dataset) -> dict[str, Any]:
    number = np.array([dataset.together.get(key, -1) for key in dataset.sessions], dtype=np.int64)
    classed = np.flatnonzero(number >= 0)
    sizes = np.bincount(number[classed], minlength=int(number.max(initial=-1)) + 1)
    return {
        "together": number,
        "together_ptr": np.concatenate([[0], np.cumsum(sizes)]),
        "together_session": classed[np.argsort(number[classed], kind="stable")],
    }


def _settings(dataset: Dataset, profile: Profile) -> dict[str, Any]:
    grid = dataset.time_grid
    rules = [profile[rule_id] for rule_id in RULE_IDS]
    taught = np.array([part.sessions_per_week * part.session_slots for part in dataset.parts])
    return {
        "peak_limit": peak_limit(int((taught @ class_matrix(dataset)).max()), len(grid.slots)),
        "rule_tier": _ints(_tier(rule) for rule in rules),
        "rule_weight": _ints(1 if rule.rigid or rule.tier == "off" else rule.weight for rule in rules),
    }


def _tier(rule: ActiveRule) -> int:
    if rule.tier == "hard":
        return TIER_BENDABLE if rule.bendable else TIER_RIGID
    return TIER_SOFT if rule.tier == "soft" else TIER_OFF


def _limit(value: int | None) -> int:
    return NO_LIMIT if value is None else value


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int32)


def _row_list(name: str, matrix: Matrix, items: str | None = None) -> dict[str, Any]:
    return {f"{name}_ptr": matrix.indptr, items or name: matrix.indices}


def _freeze(compiled: Compiled) -> Compiled:
    """Brings every array to its type, contiguous and read-only."""
    hints = get_type_hints(Compiled)
    frozen: dict[str, Any] = {}
    for name, value in compiled._asdict().items():
        if isinstance(value, np.ndarray):
            # A copy even where the type fits: freezing must not lock an array that the context still holds.
            value = np.array(value, dtype=np.uint8 if hints[name] == Flags else np.int32, order="C")
            value.setflags(write=False)
        frozen[name] = value
    return Compiled(**frozen)
