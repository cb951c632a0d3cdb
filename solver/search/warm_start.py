"""What the search takes over from a timetable it is given, and in which order it places what is missing."""

from __future__ import annotations

import numpy as np

from solver.compiled import Ints
from solver.search.params import Arrays
from solver.search.problem import Problem


def loadable(p: Problem, slots: Ints, rooms: Ints) -> Arrays:
    """The arrays without sessions that a rigid rule forbids to stand where they are, or to stand at all."""
    course = p.course_of
    there = (slots >= 0) & (rooms >= 0) & (p.start_possible[course, np.maximum(slots, 0)] == 1) & (p.frozen < 3)
    held = (p.frozen == 1) | (p.frozen == 2)
    there &= ~held | (slots == p.pinned_slot)
    there &= (p.frozen != 2) | (rooms == p.pinned_room)
    return np.where(there, slots, -1).astype(np.int32), np.where(there, rooms, -1).astype(np.int32)


def placing_order(p: Problem) -> Ints:
    """Sessions by difficulty: pins first, then those with the fewest free places for the load on their people."""
    starts = np.diff(p.start_ptr).astype(np.float64)
    fits = np.diff(p.fit_ptr)[p.room_row].astype(np.float64)
    slots_needed = np.diff(p.session_ptr) * p.length
    load = np.zeros(p.num_resources)
    course = np.repeat(np.arange(p.num_courses), p.resource_ptr[:, 2] - p.resource_ptr[:, 0])
    inside = np.concatenate([np.arange(a, b) for a, _, b, _ in p.resource_ptr])
    np.add.at(load, p.resource[inside], slots_needed[course])
    busiest = np.zeros(p.num_courses)
    np.maximum.at(busiest, course, load[p.resource[inside]])
    degree = np.diff(p.conflict_ptr)
    freedom = starts / (1.0 + busiest + 0.02 * degree) * np.minimum(fits, 20.0) ** 0.5 / p.length
    freedom_of = freedom[p.course_of]
    return np.lexsort((freedom_of, -p.frozen.astype(np.int64))).astype(np.int32)
