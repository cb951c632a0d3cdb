"""
The second counter: every rule of `RULES` recounted from scratch on arrays.

It shares nothing with the verifier (which walks names and sets) and no code with the tables and deltas of the
annealing kernels, which are checked against it in strict mode: of the search it imports nothing, and of the search
only those import it who ask what a whole timetable costs. The counters are whole-array NumPy rather than loops: they
run a few times per second at most, and this way they neither have to be compiled nor behave differently without a
compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from solver.compiled import Compiled, Ints
from solver.person_rules import IN_SESSIONS, PERSON_RULE, PERSON_RULES
from solver.rules import RULE_IDS, travel_units, waste_units
from solver.search.recount_days import DAY_MINUTES, UNITS, Clock, Days
from solver.search.recount_links import links_broken

Bits: TypeAlias = NDArray[np.bool_]
Longs: TypeAlias = NDArray[np.int64]


def count_rules(compiled: Compiled, slots: Ints, rooms: Ints) -> dict[str, int]:
    """
    Units broken per rule, in the order of `RULES`, rules that are off included.

    Parameters
    ----------
    slots, rooms
        ``(sessions,)``; -1 in either means unplaced. A placed session must fit on the grid where it starts.
    """
    placed = Placed(compiled, slots, rooms)
    return {rule_id: int(COUNTERS[rule_id](placed)) for rule_id in RULE_IDS}


def rows_of(pointers: Ints, values: Ints, owners: NDArray[Any]) -> tuple[Longs, Longs]:
    """
    The compressed rows of `owners` one behind the other.

    Returns
    -------
    (position, value)
        `position` is the index into `owners` that each value belongs to.
    """
    lengths = (pointers[1:] - pointers[:-1])[owners].astype(np.int64)
    position = np.repeat(np.arange(len(owners)), lengths)
    offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return position, values[pointers[owners][position] + offsets].astype(np.int64)


@dataclass(frozen=True)
class Placed:
    """One timetable, with what several counters need of it; every part is made when it is first asked for."""

    compiled: Compiled
    all_slots: Ints
    all_rooms: Ints

    @cached_property
    def session(self) -> Longs:
        """``(placed,)`` the sessions that have a place; all arrays below run along it unless they say otherwise."""
        return np.flatnonzero((self.all_slots >= 0) & (self.all_rooms >= 0))

    def classes(self) -> Iterator[Placed]:
        """The sessions that may clash with each other, class by class: where they alone clash, nothing is counted."""
        c = self.compiled
        for k in range(len(c.together_ptr) - 1):
            alone = np.full_like(self.all_slots, -1)
            own = c.together_session[c.together_ptr[k] : c.together_ptr[k + 1]]
            alone[own] = self.all_slots[own]
            yield Placed(c, alone, self.all_rooms)

    @cached_property
    def slot(self) -> Longs:
        return self.all_slots[self.session].astype(np.int64)

    @cached_property
    def room(self) -> Longs:
        return self.all_rooms[self.session].astype(np.int64)

    @cached_property
    def course(self) -> Longs:
        return self.compiled.course_of_session[self.session].astype(np.int64)

    @cached_property
    def day(self) -> Longs:
        return self.slot // self.compiled.num_periods

    @cached_property
    def length(self) -> Longs:
        return self.compiled.length[self.course].astype(np.int64)

    @cached_property
    def covered(self) -> tuple[Longs, Longs]:
        """(index along the placed sessions, slot) of every slot a session covers."""
        index = np.repeat(np.arange(len(self.session)), self.length)
        first = np.repeat(np.cumsum(self.length) - self.length, self.length)
        return index, self.slot[index] + np.arange(len(index)) - first

    def occupancy(self, pointers: Ints, members: Ints, size: int) -> Longs:
        """``(size, slots)`` number of sessions per member and slot."""
        index, slot = self.covered
        position, member = rows_of(pointers, members, self.course[index])
        return self._table(member, slot[position], size, self.compiled.num_slots)

    def per_day(self, pointers: Ints, members: Ints, size: int) -> Longs:
        """``(size, days)`` number of sessions that start, per member and day."""
        position, member = rows_of(pointers, members, self.course)
        return self._table(member, self.day[position], size, self.compiled.num_days)

    @cached_property
    def covered_in_classes(self) -> tuple[Longs, Longs, Longs]:
        """(index along the placed sessions, week class, slot) of every slot a session covers, in each class of its."""
        index, slot = self.covered
        position, week_class = rows_of(self.compiled.class_ptr, self.compiled.week_class, self.course[index])
        return index[position], week_class, slot[position]

    @staticmethod
    def _table(row: Longs, column: Longs, height: int, width: int) -> Longs:
        return np.bincount(row * width + column, minlength=height * width).reshape(height, width)

    def _days(self, occupancy: Longs) -> Bits:
        return (occupancy > 0).reshape(len(occupancy), self.compiled.num_days, self.compiled.num_periods)

    @cached_property
    def faculty_days(self) -> Longs:
        return self.per_day(self.compiled.faculty_ptr, self.compiled.faculty, self.compiled.num_faculty)

    @cached_property
    def group_slots(self) -> Longs:
        """``(clash groups, slots)``: the courses' own groups stand behind the real ones."""
        return self.occupancy(self.compiled.group_ptr, self.compiled.group, self.compiled.num_clash_groups)

    def faculty_busy(self) -> Bits:
        """``(faculty, days, periods)`` where teachers have lessons."""
        c = self.compiled
        return self._days(self.occupancy(c.faculty_ptr, c.faculty, c.num_faculty))

    def group_busy(self) -> Bits:
        """``(cohorts, days, periods)`` where cohorts have lessons."""
        return self._days(self.group_slots[: self.compiled.num_groups])

    @cached_property
    def _student_days(self) -> Bits:
        c = self.compiled
        return self._days(self.occupancy(c.student_ptr, c.student, c.num_students))

    def student_busy(self) -> Bits:
        """``(students, days, periods)``"""
        return self._student_days

    @cached_property
    def clock(self) -> Clock:
        c = self.compiled
        shape = (c.num_days, c.num_periods)
        midnight = DAY_MINUTES * np.arange(c.num_days, dtype=np.int64)[:, None]
        return Clock(
            c.slot_start.reshape(shape) - midnight,
            c.slot_end.reshape(shape) - midnight,
            c.rest.reshape(shape) > 0,
            c.day_periods.astype(np.int64),
        )

    @cached_property
    def course_days(self) -> Longs:
        """``(wholes, days)`` sessions that start."""
        whole = self.compiled.whole[self.course].astype(np.int64)
        return self._table(whole, self.day, self.compiled.num_wholes, self.compiled.num_days)

    @cached_property
    def course_days_in_classes(self) -> Longs:
        """``(classes x wholes, days)`` sessions that start, those of the first week class first."""
        c = self.compiled
        position, week_class = rows_of(c.class_ptr, c.week_class, self.course)
        row = week_class * c.num_wholes + c.whole[self.course[position]]
        return self._table(row, self.day[position], c.num_classes * c.num_wholes, c.num_days)

    @cached_property
    def whole_slots_in_classes(self) -> Longs:
        """``(classes x wholes, slots)`` sessions that run, in the same order."""
        index, week_class, slot = self.covered_in_classes
        c = self.compiled
        row = week_class * c.num_wholes + c.whole[self.course[index]]
        return self._table(row, slot, c.num_classes * c.num_wholes, c.num_slots)

    @cached_property
    def slots_in_classes(self) -> Longs:
        """``(classes, slots)`` sessions that run."""
        _, week_class, slot = self.covered_in_classes
        return self._table(week_class, slot, self.compiled.num_classes, self.compiled.num_slots)

    @cached_property
    def course_slots(self) -> Longs:
        """``(courses, slots)`` sessions that run."""
        index, slot = self.covered
        return self._table(self.course[index], slot, self.compiled.num_courses, self.compiled.num_slots)


# --- the rules -----------------------------------------------------------------------------------------------------


def _above(count: Longs, limit: NDArray[Any] | int) -> int:
    return int(np.maximum(0, count - limit).sum())


def _limited(days: Longs, limit: Ints) -> int:
    return _above(days, limit.astype(np.int64)[:, None])


def count_faculty_clash(p: Placed) -> int:
    c = p.compiled
    granted = sum(_above(part.occupancy(c.faculty_ptr, c.faculty, c.num_faculty), 1) for part in p.classes())
    return _above(p.occupancy(c.faculty_ptr, c.faculty, c.num_faculty), 1) - granted


def count_room_clash(p: Placed) -> int:
    index, week_class, slot = p.covered_in_classes
    c = p.compiled
    row = week_class * c.num_rooms
    position, room = rows_of(c.place_ptr, c.place_room, p.room[index])
    held = p._table(row[position] + room, slot[position], c.num_classes * c.num_rooms, c.num_slots)
    return _above(held, np.tile(c.room_limit, (c.num_classes, 1)).astype(np.int64))


def count_group_clash(p: Placed) -> int:
    return _above(p.group_slots, 1) - sum(_above(part.group_slots, 1) for part in p.classes())


def count_slot_forbidden(p: Placed) -> int:
    return int(p.compiled.slot_forbidden[p.course, p.slot].sum(dtype=np.int64))


def count_fixed_moved(p: Placed) -> int:
    slot, room = p.compiled.fixed_slot[p.session], p.compiled.fixed_room[p.session]
    return int(((slot >= 0) & ((slot != p.slot) | ((room >= 0) & (room != p.room)))).sum())


def sessions_above_group_daily_limit(p: Placed) -> int:
    c = p.compiled
    days = p.per_day(c.group_ptr, c.group, c.num_clash_groups)
    return _limited(days[: c.num_groups], c.group_day_limit)


def count_course_daily_limit(p: Placed) -> int:
    return _limited(p.course_days_in_classes, np.tile(p.compiled.course_day_limit, p.compiled.num_classes))


def sessions_above_faculty_daily_limit(p: Placed) -> int:
    return _limited(p.faculty_days, p.compiled.faculty_day_limit)


def sessions_above_faculty_weekly_limit(p: Placed) -> int:
    return _above(p.faculty_days.sum(axis=1), p.compiled.faculty_week_limit)


def count_room_capacity(p: Placed) -> int:
    return _above(p.compiled.seats[p.course].astype(np.int64), p.compiled.room_seats[p.room])


def count_room_unsuitable(p: Placed) -> int:
    return int(p.compiled.room_unsuitable[p.course, p.room].sum(dtype=np.int64))


def count_group_unavailable(p: Placed) -> int:
    return int(p.compiled.group_unavailable[p.course, p.slot].sum(dtype=np.int64))


def count_faculty_unavailable(p: Placed) -> int:
    return int(p.compiled.faculty_unavailable[p.course, p.slot].sum(dtype=np.int64))


def count_link(p: Placed) -> int:
    return links_broken(p.compiled, p.all_slots, p.all_rooms, hard=True)


def count_soft_link(p: Placed) -> int:
    return links_broken(p.compiled, p.all_slots, p.all_rooms, hard=False)


def count_student_clash(p: Placed) -> int:
    return _clashing(p, p.compiled.conflict_students)


def count_core_clash(p: Placed) -> int:
    return _clashing(p, p.compiled.conflict_core)


def _clashing(p: Placed, students: Ints) -> int:
    """Students of two courses, beside `conflict`, for every pair of sessions that runs at once."""
    c = p.compiled
    graph = sparse.csr_array(
        (students.astype(np.int64), c.conflict, c.conflict_ptr), shape=(c.num_courses, c.num_courses)
    )
    clashing, *granted = (int(((graph @ one.course_slots) * one.course_slots).sum()) // 2 for one in (p, *p.classes()))
    return clashing - sum(granted)


def count_faculty_preference(p: Placed) -> int:
    return int(p.compiled.faculty_preference[p.course, p.slot].sum(dtype=np.int64))


def count_time_penalty(p: Placed) -> int:
    return int(p.compiled.time_penalty[p.course, p.slot].sum(dtype=np.int64))


def count_min_days(p: Placed) -> int:
    used = (p.course_days > 0).sum(axis=1)
    return int(np.maximum(0, p.compiled.min_days - used)[used > 0].sum())


def count_room_stability(p: Placed) -> int:
    family = p.compiled.family[p.course].astype(np.int64)
    distinct = np.unique(family * p.compiled.num_places + p.room) // p.compiled.num_places
    return len(distinct) - len(np.unique(distinct))


def count_room_waste(p: Placed) -> int:
    seats = zip(p.compiled.room_seats[p.room].tolist(), p.compiled.seats[p.course].tolist(), strict=True)
    return sum(waste_units(capacity, students) for capacity, students in seats)


def count_room_penalty(p: Placed) -> int:
    return int(p.compiled.room_penalty[p.course, p.room].sum(dtype=np.int64))


def count_load_balance(p: Placed) -> int:
    return _limited(p.faculty_days, p.compiled.faculty_fair_share)


def count_slot_peak(p: Placed) -> int:
    return _above(p.slots_in_classes, p.compiled.peak_limit)


def count_travel(p: Placed) -> int:
    """Pairs of a session and a later one of the day, over the courses that share people with its course."""
    c = p.compiled
    building, day = c.room_building[p.room].tolist(), p.day.tolist()
    start, end = c.slot_start[p.slot].tolist(), c.slot_end[p.slot + p.length - 1].tolist()
    on_day: dict[tuple[int, int], list[int]] = {}
    for i, course in enumerate(p.course.tolist()):
        on_day.setdefault((course, day[i]), []).append(i)
    total = 0
    for i in np.flatnonzero(c.travel[building].any(axis=1)).tolist():
        row = slice(c.people_ptr[p.course[i]], c.people_ptr[p.course[i] + 1])
        for other, shared in zip(c.people[row].tolist(), c.people_shared[row].tolist(), strict=True):
            for j in on_day.get((other, day[i]), ()):
                if start[j] >= end[i]:
                    total += shared * travel_units(int(c.travel[building[i], building[j]]), start[j] - end[i])
    return total


def count_context(p: Placed) -> int:
    c = p.compiled
    slots = c.context_slot[p.course, p.slot].sum(dtype=np.int64)
    return int(slots + c.context_building[p.course, c.room_building[p.room]].sum(dtype=np.int64))


def count_person_rule(number: int, p: Placed) -> int:
    """Units of one of `PERSON_RULES`, by its place there; 0 where it counts nothing."""
    c = p.compiled
    (rows,) = np.nonzero(c.person_rule == number)
    if not len(rows):
        return 0
    row, rule, total = int(rows[0]), PERSON_RULES[number], 0
    for busy, people in (
        (p.faculty_busy, slice(0, c.num_faculty)),
        (p.group_busy, slice(c.num_faculty, c.num_faculty + c.num_groups)),
        (p.student_busy, slice(c.num_faculty + c.num_groups, None)),
    ):
        limit = c.person_limit[row, people].astype(np.int64)
        counts = limit >= 0
        if counts.any():
            closed = c.closed[people][counts].reshape(-1, c.num_days, c.num_periods) > 0
            window = (int(c.person_window[row, 0]), int(c.person_window[row, 1]))
            minutes = bool(c.person_in_minutes[row])
            total += int(UNITS[rule.kind](Days(busy()[counts], closed, limit[counts], minutes, window, p.clock)).sum())
    return total


def _counter(rule_id: str) -> Callable[[Placed], int]:
    if rule_id not in PERSON_RULE:
        counter: Callable[[Placed], int] = globals()[f"count_{rule_id}"]
        return counter
    count = partial(count_person_rule, PERSON_RULES.index(PERSON_RULE[rule_id]))
    if rule_id not in IN_SESSIONS:
        return count
    in_sessions: Callable[[Placed], int] = globals()[f"sessions_above_{rule_id}"]
    number = PERSON_RULES.index(PERSON_RULE[rule_id])
    return lambda p: count(p) if (p.compiled.person_rule == number).any() else in_sessions(p)


COUNTERS: Mapping[str, Callable[[Placed], int]] = {rule_id: _counter(rule_id) for rule_id in RULE_IDS}
