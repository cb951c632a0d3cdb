"""
Large-neighbourhood search with CP-SAT: free some sessions, keep the rest as background, solve, recount, keep if better.

Rounds per second decide how much this finds, so a window is built from its free sessions alone and offers each a
handful of rooms; building takes tens of milliseconds whatever the size of the institution. The size of windows follows
what the solver can finish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np

from solver.compiled import TIER_BENDABLE, TIER_OFF, TIER_RIGID, Compiled
from solver.control import Control
from solver.cpsat.costs import course_costs, sessions_in_trouble
from solver.cpsat.exact import build_from, minimise
from solver.cpsat.plan import Array, make_plan, treatments
from solver.cpsat.run import run
from solver.model import Dataset
from solver.rules import RULE_IDS, ActiveRule, Profile, Score, score
from solver.search import count_rules

WindowKind = Literal["courses", "days", "slots", "rooms"]
WINDOW_KINDS: tuple[WindowKind, ...] = WindowKind.__args__  # type: ignore[attr-defined]

MAX_SIZE = 150_000
"""`Plan.size` above which a window is not built."""
ROOMS_PER_UNIT = 8
FIRST_SIZE, LEAST_SIZE, MOST_SIZE = 12, 4, 80
"""Free sessions of a window."""
GROW, SHRINK = 1.2, 0.7
WINDOW_SECONDS = 2.0

Arrays = tuple[Array, Array]


class _Outcome(NamedTuple):
    better: Arrays | None
    proved: bool


def judge(compiled: Compiled, slots: Array, rooms: Array) -> Score:
    """The score of a timetable by the second counter, with the weights that were compiled in."""
    tiers = {TIER_OFF: "off", TIER_BENDABLE: "hard", TIER_RIGID: "hard"}
    rules = {
        rule: ActiveRule(
            id=rule,
            tier=tiers.get(int(compiled.rule_tier[k]), "soft"),  # type: ignore[arg-type]
            weight=int(compiled.rule_weight[k]),
            bendable=int(compiled.rule_tier[k]) == TIER_BENDABLE,
            value=None,
        )
        for k, rule in enumerate(RULE_IDS)
    }
    unplaced = int(((slots < 0) | (rooms < 0)).sum())
    return score(count_rules(compiled, slots, rooms), Profile(rules=rules), unplaced)


def improve_window(
    dataset: Dataset,
    compiled: Compiled,
    slots: Array,
    rooms: Array,
    free_sessions: Iterable[int],
    *,
    control: Control,
    seconds: float,
    seed: int = 0,
    bend: bool = False,
) -> Arrays | None:
    """
    The best places found for some sessions while all others stay where they are.

    Parameters
    ----------
    slots, rooms
        ``(sessions,) int32``, -1 where unplaced. Free sessions that are placed stay placed, unless there are unplaced
        ones among them or hard rules are broken: then as many as possible are placed.
    bend
        Prices bendable hard rules instead of keeping them.

    Returns
    -------
    tuple or None
        New ``(slots, rooms)`` when recounting shows a better score, None otherwise.
    """
    return _solve(compiled, slots, rooms, free_sessions, control, seconds, seed, bend).better


def _solve(
    compiled: Compiled,
    slots: Array,
    rooms: Array,
    free: Iterable[int],
    control: Control,
    seconds: float,
    seed: int,
    bend: bool,
) -> _Outcome:
    before = judge(compiled, slots, rooms)
    treat = treatments(compiled, bend=bend)
    plan = make_plan(compiled, slots, rooms, treat=treat, free=free, max_rooms=ROOMS_PER_UNIT)
    if plan.size > MAX_SIZE or control.should_stop:
        return _Outcome(None, False)
    space = build_from(plan, partial=before.rigid > 0 or before.unplaced > 0)
    minimise(space)
    space.add_hint()
    found = run(space.model, control=control, seconds=seconds, seed=seed)
    proved = found.status in ("optimal", "infeasible") and not found.interrupted
    if not found.values:
        return _Outcome(None, proved)
    after = space.decode(found.values)
    return _Outcome(after if judge(compiled, *after) < before else None, proved)


def pick_window(
    compiled: Compiled, slots: Array, rooms: Array, rng: np.random.Generator, size: int, kind: WindowKind
) -> Array:
    """
    About `size` sessions worth freeing together.

    ``courses``: a costly course and courses that share people with it. ``days``: the sessions of such courses on two
    days. ``slots``: what runs in a few slots. ``rooms``: what stands in a room of a costly course and in a few others.
    """
    costs = course_costs(compiled, slots, rooms) + 0.1
    order = _around(compiled, int(_draw(rng, costs, 1)[0]), costs, rng)
    sessions = np.concatenate([np.arange(*compiled.session_ptr[c : c + 2]) for c in order])
    if kind == "courses":
        return np.sort(sessions[:size])
    placed = sessions[(slots[sessions] >= 0) & (rooms[sessions] >= 0)]
    if kind == "rooms":
        where, wanted = rooms, 3
    else:
        where, wanted = (slots // compiled.num_periods, 2) if kind == "days" else (slots, 3)
    values = list(dict.fromkeys(where[placed].tolist()))
    chosen = [*values[:1], *rng.permutation(values[1:])[: wanted - 1].tolist()]
    return np.sort(placed[np.isin(where[placed], chosen)][:size])


def _draw(rng: np.random.Generator, weights: Array, number: int) -> Array:
    return rng.choice(len(weights), size=number, replace=False, p=weights / weights.sum())


def _around(compiled: Compiled, seed_course: int, costs: Array, rng: np.random.Generator) -> Array:
    """All courses: the given one, then those that share people with it, then the rest; each part by cost and chance."""
    near = np.zeros(compiled.num_courses, dtype=bool)
    near[compiled.people[slice(*compiled.people_ptr[seed_course : seed_course + 2])]] = True
    near[compiled.conflict[slice(*compiled.conflict_ptr[seed_course : seed_course + 2])]] = True
    first = np.arange(compiled.num_courses) == seed_course
    # Exponential keys divided by weights: sorting by them draws without replacement in proportion to the weights.
    keys = rng.exponential(size=compiled.num_courses) / costs
    return np.lexsort((keys, ~near, ~first))


def complete(
    dataset: Dataset,
    compiled: Compiled,
    slots: Array,
    rooms: Array,
    *,
    control: Control,
    seconds: float,
    seed: int = 0,
    bend: bool = False,
) -> Arrays:
    """
    Places unplaced sessions and mends broken hard rules, one window around each session in trouble.

    Returns the start or something better by `Score`; sweeps over the troubled sessions until a sweep helps nobody.
    """
    budget, rng = control.until(seconds), np.random.default_rng(seed)
    size, helped = FIRST_SIZE, True
    while helped and not budget.should_stop:
        helped = False
        for session in rng.permutation(sessions_in_trouble(compiled, slots, rooms)).tolist():
            if budget.should_stop:
                break
            course = int(compiled.course_of_session[session])
            near = _around(compiled, course, course_costs(compiled, slots, rooms) + 0.1, rng)
            others = np.concatenate([np.arange(*compiled.session_ptr[c : c + 2]) for c in near])
            free = np.unique([session, *others[:size]])
            outcome = _solve(compiled, slots, rooms, free, budget, WINDOW_SECONDS, seed, bend)
            if outcome.better is not None:
                (slots, rooms), helped = outcome.better, True
        size = _resized(size, proved=True)
    return slots, rooms


def polish(
    dataset: Dataset,
    compiled: Compiled,
    start: Arrays,
    *,
    control: Control,
    seconds: float,
    seed: int = 0,
    on_improvement: Callable[[Array, Array, Score], None] | None = None,
) -> Arrays:
    """
    Windows around the costly parts until the time is up; never returns anything worse than `start`.

    Bendable rules are priced when the start breaks some, and kept otherwise. `on_improvement` hears of each
    improvement with its recounted score, in this thread.
    """
    budget, rng = control.until(seconds), np.random.default_rng(seed)
    slots, rooms = start
    best = judge(compiled, slots, rooms)
    if best.rigid or best.unplaced:
        slots, rooms = complete(dataset, compiled, slots, rooms, control=budget, seconds=seconds / 3, seed=seed)
    sizes = dict.fromkeys(WINDOW_KINDS, FIRST_SIZE)
    for number in range(10**9):
        if budget.should_stop or best == Score(0, 0, 0, 0):
            break
        kind = WINDOW_KINDS[number % len(WINDOW_KINDS)]
        free = pick_window(compiled, slots, rooms, rng, sizes[kind], kind)
        outcome = _solve(compiled, slots, rooms, free, budget, WINDOW_SECONDS, seed + number, best.bent > 0)
        if outcome.better is not None:
            slots, rooms = outcome.better
            best = judge(compiled, slots, rooms)
            if on_improvement is not None:
                on_improvement(slots, rooms, best)
        elif len(free) >= sizes[kind] or not outcome.proved:
            sizes[kind] = _resized(sizes[kind], proved=outcome.proved)
    return slots, rooms


def _resized(size: int, *, proved: bool) -> int:
    """Larger after a window that was solved to the end without gain, smaller after one that was not."""
    return max(LEAST_SIZE, min(MOST_SIZE, round(size * (GROW if proved else SHRINK))))
