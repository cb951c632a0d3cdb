"""
Large-neighbourhood search with CP-SAT: free some sessions, keep the rest as background, solve, recount, keep if better.

Rounds per second decide how much this finds, so a neighbourhood is built from its free sessions alone and offers each a
handful of rooms; building takes tens of milliseconds whatever the size of the institution. How large neighbourhoods are
follows what the solver can finish.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from solver.compiled import TIER_BENDABLE, TIER_OFF, TIER_RIGID, Compiled
from solver.control import Control
from solver.cpsat.costs import course_costs, sessions_in_trouble
from solver.cpsat.exact import build_from, minimise
from solver.cpsat.plan import Array, make_plan, treatments
from solver.cpsat.run import run
from solver.model import Dataset
from solver.ranks import Rank, by_rank
from solver.rules import RULE_IDS, ActiveRule, Profile, Score, score
from solver.search import count_rules

NeighbourhoodKind = Literal["courses", "days", "slots", "rooms"]
NEIGHBOURHOOD_KINDS: tuple[NeighbourhoodKind, ...] = NeighbourhoodKind.__args__  # type: ignore[attr-defined]

MAX_SIZE = 150_000
"""`Plan.size` above which a neighbourhood is not built."""
ROOMS_PER_UNIT = 8
FIRST_SIZE, LEAST_SIZE, MOST_SIZE = 16, 4, 80
"""Free sessions of a neighbourhood."""
GROW, SHRINK = 1.2, 0.7
NEIGHBOURHOOD_SECONDS = 2.0

LEAST_COST = 0.1
"""Added to the cost of each course, so that those without any are freed now and then."""

Arrays = tuple[Array, Array]


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
    courses = compiled.course_of_session[(slots < 0) | (rooms < 0)].tolist()
    ranks = Counter(Rank(int(compiled.core[c]), int(compiled.priority[c])) for c in courses if compiled.rank.any())
    return score(count_rules(compiled, slots, rooms), Profile(rules=rules), len(courses), by_rank(ranks))


def improve_neighbourhood(
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
    walk = _Walk(compiled, control, slots, rooms, judge(compiled, slots, rooms))
    return (walk.slots, walk.rooms) if walk.step(free_sessions, seconds, seed, bend)[0] else None


@dataclass(slots=True)
class _Walk:
    """The best timetable so far and its recounted score; it only ever gets better."""

    compiled: Compiled
    control: Control
    slots: Array
    rooms: Array
    score: Score

    def step(self, free: Iterable[int], seconds: float, seed: int, bend: bool) -> tuple[bool, bool]:
        """One neighbourhood: whether it made the timetable better, and whether it was solved to the end."""
        treat = treatments(self.compiled, bend=bend)
        plan = make_plan(self.compiled, self.slots, self.rooms, treat=treat, free=free, max_rooms=ROOMS_PER_UNIT)
        if plan.size > MAX_SIZE or self.control.should_stop:
            return False, False
        builder = build_from(plan, partial=self.score.rigid > 0 or self.score.unplaced > 0, control=self.control)
        minimise(builder)
        builder.add_hint()
        found = run(builder.model, control=self.control, seconds=seconds, seed=seed)
        proved = found.status in ("optimal", "infeasible") and not found.interrupted
        return bool(found.values) and self._take(*builder.decode(found.values)), proved

    def _take(self, slots: Array, rooms: Array) -> bool:
        if (slots == self.slots).all() and (rooms == self.rooms).all():
            return False
        after = judge(self.compiled, slots, rooms)
        if after >= self.score:
            return False
        self.slots, self.rooms, self.score = slots, rooms, after
        return True


def pick_neighbourhood(
    compiled: Compiled, slots: Array, rooms: Array, rng: np.random.Generator, size: int, kind: NeighbourhoodKind
) -> Array:
    """
    About `size` sessions worth freeing together.

    ``courses``: a costly course and courses that share people with it. ``days``: the sessions of such courses on two
    days. ``slots``: what runs in a few slots. ``rooms``: what stands in a room of a costly course and in a few others.
    """
    costs = course_costs(compiled, slots, rooms) + LEAST_COST
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
    near = compiled.whole == compiled.whole[seed_course]
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
    Places unplaced sessions and mends broken hard rules, one neighbourhood around each session in trouble.

    Returns the start or something better by `Score`; sweeps over the troubled sessions until a sweep helps nobody.
    """
    walk = _Walk(compiled, control.until(seconds), slots, rooms, judge(compiled, slots, rooms))
    _mend(walk, np.random.default_rng(seed), seed, bend)
    return walk.slots, walk.rooms


def _mend(walk: _Walk, rng: np.random.Generator, seed: int, bend: bool) -> None:
    size, helped, compiled = FIRST_SIZE, True, walk.compiled
    while helped:
        helped = False
        for session in rng.permutation(sessions_in_trouble(compiled, walk.slots, walk.rooms)).tolist():
            if walk.control.should_stop:
                return
            costs = course_costs(compiled, walk.slots, walk.rooms) + LEAST_COST
            near = _around(compiled, int(compiled.course_of_session[session]), costs, rng)
            others = np.concatenate([np.arange(*compiled.session_ptr[c : c + 2]) for c in near])
            better, _ = walk.step(np.unique([session, *others[:size]]), NEIGHBOURHOOD_SECONDS, seed, bend)
            helped = helped or better
        size = _resized(size, proved=True)


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
    Neighbourhoods around the costly parts until the time is up; never returns anything worse than `start`.

    Bendable rules are priced when the start breaks some, and kept otherwise. `on_improvement` hears of each
    improvement with its recounted score, in this thread.
    """
    rng = np.random.default_rng(seed)
    walk = _Walk(compiled, control.until(seconds), *start, judge(compiled, *start))
    if walk.score.rigid or walk.score.unplaced:
        walk.control = control.until(seconds / 3)
        _mend(walk, rng, seed, walk.score.bent > 0)
        walk.control = control.until(seconds * 2 / 3)
    sizes = dict.fromkeys(NEIGHBOURHOOD_KINDS, FIRST_SIZE)
    for number in count():
        if walk.control.should_stop or walk.score == Score(0, 0, 0, 0):
            break
        kind = NEIGHBOURHOOD_KINDS[number % len(NEIGHBOURHOOD_KINDS)]
        free = pick_neighbourhood(compiled, walk.slots, walk.rooms, rng, sizes[kind], kind)
        better, proved = walk.step(free, NEIGHBOURHOOD_SECONDS, seed + number, walk.score.bent > 0)
        if better and on_improvement is not None:
            on_improvement(walk.slots, walk.rooms, walk.score)
        if not better and proved and len(free) == compiled.num_sessions and compiled.num_places <= ROOMS_PER_UNIT:
            break  # the neighbourhood was the whole problem
        if not better and (len(free) >= sizes[kind] or not proved):
            sizes[kind] = _resized(sizes[kind], proved=proved)
    return walk.slots, walk.rooms


def _resized(size: int, *, proved: bool) -> int:
    """Larger after a neighbourhood that was solved to the end without gain, smaller after one that was not."""
    return max(LEAST_SIZE, min(MOST_SIZE, round(size * (GROW if proved else SHRINK))))
