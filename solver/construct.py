"""
The greedy floor: a timetable within seconds that breaks no hard rule; what does not fit is left out, with a reason.

Sessions are placed one by one, the most constrained first, each where it breaks nothing and costs least; a session
that finds no place may push one other session aside. An earlier timetable (`start`) keeps its places as far as they
break nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from solver.compiled import TIER_BENDABLE, Compiled, Ints
from solver.control import NUM_WORDS, Control, Stop
from solver.model import Course, Dataset
from solver.rules import RULE_IDS
from solver.search.building import build_problem
from solver.search.ejection import eject_for
from solver.search.greedy import place_sessions, put_all
from solver.search.kernels import count_rules
from solver.search.loading import loadable, placing_order
from solver.search.params import Arrays, SearchParams
from solver.search.problem import Problem
from solver.search.repair import clear_breaches
from solver.search.state import COUNT, State, new_state
from solver.search.weights import Weights, publishable, weights_of

GROWING_RULES = ("min_days", "isolated_session", "single_session_day")
"""Rules that a first session breaks and later ones mend; when a dataset makes them hard they are judged at the end."""
SESSIONS_PER_CHUNK = 512
EJECTION_SECONDS = 1.0
EJECTION_TRIES = 40


class Floor(NamedTuple):
    """Slot and room per session, -1 for unplaced; a sentence for every session that is."""

    slots: Ints
    rooms: Ints
    reasons: Mapping[int, str]


def construct(
    dataset: Dataset,
    compiled: Compiled,
    *,
    control: Control,
    seed: int,
    start: Arrays | None = None,
    first: bool = False,
) -> Floor:
    """
    Places what it can without breaking a hard rule.

    Parameters
    ----------
    first
        Only a cancel ends it early. "Finish now" and a deadline wait for it: it takes seconds, and without it there
        would be nothing to hand over.
    seed
        Breaks ties in the order of placing.
    start
        A timetable to begin with; whatever breaks a hard rule in it is placed anew.
    """
    params = SearchParams()
    final = publishable(compiled, weights_of(compiled, params), keep_bent=False)
    weights = _growing(compiled, final)
    problem = build_problem(compiled, weights, params)
    state = new_state(problem, seed)
    if start is not None:
        put_all(problem, state, *loadable(problem, *start))
        clear_breaches(compiled, problem, weights, state)
    order = _order(problem, seed)
    unstoppable = np.zeros(NUM_WORDS, dtype=np.int64)
    for done in range(0, len(order), SESSIONS_PER_CHUNK):
        if control.stop is Stop.CANCEL if first else control.should_stop:
            break
        place_sessions(problem, state, order[done : done + SESSIONS_PER_CHUNK], True, unstoppable)
        control.beat()
    _eject(problem, state, order, control.until(EJECTION_SECONDS))
    if final.total(count_rules(compiled, state.slot, state.room))[1] > 0:
        problem, state = _judged(compiled, problem, state, final, params)
    open_sessions = np.flatnonzero(state.slot < 0)
    reasons = Reasons(dataset, compiled, problem, state)
    return Floor(state.slot, state.room, {int(s): reasons.of(int(s)) for s in open_sessions})


def _growing(compiled: Compiled, weights: Weights) -> Weights:
    hard = weights.hard.copy()
    for rule_id in GROWING_RULES:
        hard[RULE_IDS.index(rule_id)] = 0
    return weights._replace(hard=hard)


def _judged(
    compiled: Compiled, problem: Problem, state: State, final: Weights, params: SearchParams
) -> tuple[Problem, State]:
    """The same timetable under all hard rules, without the sessions that break one of them."""
    judging = build_problem(compiled, final, params)
    judged = new_state(judging, seed=0)
    put_all(judging, judged, state.slot, state.room)
    clear_breaches(compiled, judging, final, judged)
    return judging, judged


def _order(problem: Problem, seed: int) -> Ints:
    """Most constrained first; the seed shuffles sessions of one difficulty by shuffling all of them a little."""
    order = placing_order(problem)
    shift = np.random.default_rng(seed).uniform(0, 0.02 * len(order), len(order)) if seed else np.zeros(len(order))
    pinned = problem.frozen[order] > 0
    return order[np.lexsort((np.arange(len(order)) + shift, ~pinned))]


def _eject(problem: Problem, state: State, order: Ints, control: Control) -> None:
    for s in order[state.slot[order] < 0].tolist():
        if control.should_stop:
            return
        if problem.frozen[s] < 3:
            eject_for(problem, state, s, EJECTION_TRIES)


class Reasons:
    """Says in a sentence why a session found no place: what is in the way at its possible starts."""

    def __init__(self, dataset: Dataset, compiled: Compiled, problem: Problem, state: State) -> None:
        self.dataset, self.compiled, self.problem, self.state = dataset, compiled, problem, state
        self.resource_of_teacher = {teacher.id: x for x, teacher in enumerate(dataset.faculty)}

    def of(self, s: int) -> str:
        p, c = self.problem, int(self.problem.course_of[s])
        course = self.dataset.courses[c]
        first, end = int(p.start_ptr[c]), int(p.start_ptr[c + 1])
        if first == end:
            return f"no slot of the grid is allowed and long enough for its {course.session_slots} slots"
        if p.frozen[s] == 3:
            return f"it is fixed at slot {int(p.pinned_slot[s])}, where it may not start"
        if not self._some_room_fits(c):
            seats = int(self.compiled.seats[c])
            return f"no room of the wanted kind has {seats} seats"
        starts = p.start[first:end].tolist() if p.frozen[s] == 0 else [int(p.pinned_slot[s])]
        found = Counter(next(self._obstacles(s, c, course, t)) for t in starts)
        parts = [f"at {n} {text}" for text, n in found.most_common(3)]
        return f"of {len(starts)} possible starts, " + ", ".join(parts)

    def _some_room_fits(self, c: int) -> bool:
        compiled = self.compiled
        right = compiled.room_unsuitable[c] == 0
        if compiled.rule_tier[RULE_IDS.index("room_unsuitable")] < TIER_BENDABLE:
            right |= True
        if compiled.rule_tier[RULE_IDS.index("room_capacity")] >= TIER_BENDABLE:
            right &= compiled.room_seats >= compiled.seats[c]
        return bool(right.any())

    def _obstacles(self, s: int, c: int, course: Course, t: int) -> Iterator[str]:
        """What is in the way at one start, the most telling first; always says something."""
        p, covered, groups = self.problem, slice(t, t + course.session_slots), self.dataset.groups
        for teacher in course.faculty_ids:
            if self.state.busy_count[self.resource_of_teacher[teacher], covered].any():
                yield f"teacher {self.dataset.teacher[teacher].name or teacher} is busy"
        for k in range(int(p.resource_ptr[c, 0]) + len(course.faculty_ids), int(p.resource_ptr[c, 2])):
            if self.state.busy_count[p.resource[k], covered].any():
                g = int(p.resource[k]) - len(self.dataset.faculty)
                yield (
                    f"group {groups[g].name or groups[g].id} is busy" if g < len(groups) else "the course itself meets"
                )
        if self.compiled.faculty_unavailable[c, t]:
            yield "a teacher is unavailable"
        if self.compiled.group_unavailable[c, t]:
            yield "a group is outside its shift"
        row = p.room_row[c]
        fits = p.fit[p.fit_ptr[row] : p.fit_ptr[row + 1]]
        if self.state.room_cell[fits, covered, COUNT].any(axis=1).all():
            yield "every fitting room is taken"
        if p.students_clash and self.state.clash[c, covered].any():
            yield "students of the course are in another session"
        yield "a daily limit, a link or another rule is in the way"
