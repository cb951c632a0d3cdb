"""
What the times of sessions cost at least, summed over clusters: small sets of courses that are looked at by themselves.

Each cost of time belongs to a course (its missing days, the price of its starts) or to a group (the shape of its days).
Each group is counted in one cluster, which holds all courses of that group; each course pays for its starts in one
cluster, and the weight of its missing days is shared out between the clusters that it is in. So no cost is counted
twice: what a timetable costs is never less than the sum of what it costs the clusters.

In a cluster only its own courses have to be placed. Any timetable of all courses, cut down to those of the cluster, is
one of the cluster: a hard rule that is looked at here forbids something, it never asks for another course, and the
rules about the days of a group are looked at only where all its courses are there. So the least cost of a cluster is
not above what any timetable costs it, nor is any bound of that least cost, and the sum of the bounds is a bound (the
argument of every decomposition by weak duality; with the split of costs of Cacchiani et al., 2013,
doi:10.1016/j.cor.2013.02.022).

Small clusters are solved exactly within seconds where the whole model stays far from its optimum for hours. Then
clusters that share courses are joined, all that hang together or, where that is too much, two at a time; what was
proved of each is a constraint of the joined one, which therefore is never worse than its parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, combinations

import numpy as np

from solver.compiled import START_UNITS, Compiled
from solver.control import Control
from solver.cpsat.attendance import ATTENDEE_RULES, GROUP_RULES, Attendance
from solver.cpsat.model_builder import ModelBuilder, Tally
from solver.cpsat.packing import soft_weight
from solver.cpsat.plan import Array, Plan, Treatment
from solver.cpsat.rules import BUILDERS, count_missing_days
from solver.cpsat.run import Parameter, run
from solver.cpsat.supply import add_room_supply
from solver.rules import RULE_IDS

FIRST_COURSES = 8
"""Courses of a cluster before any are joined; CP-SAT proves the optimum of most of these within seconds."""
FIRST_SHARE = 0.3
"""Share of the time after which no cluster is looked at for the first time any more."""
MAX_TANGLE = 45
"""
Courses that hang together are looked at as a whole up to so many. Measured: on comp09 (35 and 20 courses) that
proves 48 where pairs prove 26, on comp05 (53) and comp12 (88) pairs prove 69 and 80 where half of the time for the
whole leaves 59 and 67.
"""
JOIN_SHARE = 0.15
"""Share of the time left that one joined cluster may take."""
LEAST_SECONDS = 0.05
MAX_MEMBERSHIPS = 100_000
"""Groups x courses; forming clusters takes about a second then, and nothing stops it."""
NEARLY_COMPLETE, TOUCHED = 0.2, 0.01
"""What a course is worth to a growing cluster for a group that then lacks one course, or is touched at all."""
FEW_COURSES = 9
STEP_SEARCH: Mapping[str, Parameter] = {"use_objective_lb_search": True, "linearization_level": 1}
"""
For a cluster of few courses: it raises the bound step by step and finds the optimum as well. Measured on comp05 and
comp12 at 12 to 15 s: three of four clusters of 8 or 9 courses solved, where `TREE_SEARCH` solved one of them; with 12
courses that one is ahead.
"""
TREE_SEARCH: Mapping[str, Parameter] = {"optimize_with_lb_tree_search": True, "linearization_level": 2}
"""Measured at 20 s on comp04: bound 35, which is the optimum; the default search reached 3."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    Courses that are looked at by themselves, and the costs that are counted there.

    `groups` are counted in full, `paying` are the courses whose starts are, `day_weight` is the share of the weight of
    `min_days` by course. `parts` are clusters that this one was joined from, with what they cost at least; `floor` is
    what is known of this one, and `proved` says that it cannot be raised.
    """

    courses: frozenset[int]
    groups: frozenset[int] = frozenset()
    paying: frozenset[int] = frozenset()
    day_weight: Mapping[int, int] = field(default_factory=dict)
    parts: tuple[Cluster, ...] = ()
    floor: int = 0
    proved: bool = False


def joined(parts: Sequence[Cluster]) -> Cluster:
    """One cluster of several that count different costs."""
    days: Counter[int] = Counter()
    for part in parts:
        days.update(part.day_weight)
    return Cluster(
        courses=frozenset().union(*(part.courses for part in parts)),
        groups=frozenset().union(*(part.groups for part in parts)),
        paying=frozenset().union(*(part.paying for part in parts)),
        day_weight=days,
        parts=tuple(parts),
        floor=sum(part.floor for part in parts),
    )


def least_time_cost(plan: Plan, *, control: Control, enough: int | None = None, courses: int = FIRST_COURSES) -> int:
    """
    A number that what times cost cannot be below: missing days, starts, and days of groups; 0 at least.

    Parameters
    ----------
    plan
        Every session free, and rules about rooms ignored.
    control
        Its deadline is the time there is.
    enough
        The search ends when this much is proved; None to use all the time.
    courses
        See `clusters_of`.
    """
    plan = replace(plan, treat={rule: _kept_here(rule, how) for rule, how in plan.treat.items()})
    too_large = plan.compiled.num_groups * plan.compiled.num_courses > MAX_MEMBERSHIPS
    if too_large or not any(how is Treatment.PRICE for how in plan.treat.values()):
        return 0
    clusters = _looked_at(plan, clusters_of(plan.compiled, courses), control, enough)
    if not control.should_stop and not _reached(clusters, enough):
        clusters = _connected_joined(plan, clusters, control, enough)
        clusters = _closest_joined(plan, clusters, control, enough)
    return sum(cluster.floor for cluster in clusters)


TIME_COSTS = frozenset({"min_days", *START_UNITS, *GROUP_RULES, *ATTENDEE_RULES})
"""The rules that are counted here when they are soft, those about attendees over the cohorts only."""


def _kept_here(rule: str, how: Treatment) -> Treatment:
    return Treatment.IGNORE if how is Treatment.PRICE and rule not in TIME_COSTS else how


def _reached(clusters: Sequence[Cluster], enough: int | None) -> bool:
    return enough is not None and sum(cluster.floor for cluster in clusters) >= enough


def _looked_at(plan: Plan, clusters: list[Cluster], control: Control, enough: int | None) -> list[Cluster]:
    """Each cluster with its floor; those that need less than their share of the time leave the rest to the others."""
    budget = control.until(FIRST_SHARE * control.remaining)
    for i, cluster in enumerate(clusters):
        if budget.should_stop or _reached(clusters, enough):
            break
        clusters[i] = _solved(plan, cluster, budget, 2 * budget.remaining / (len(clusters) - i + 1))
    return clusters


def _closest_joined(plan: Plan, clusters: list[Cluster], control: Control, enough: int | None) -> list[Cluster]:
    """Joins the two that share most, again and again; two that gain nothing together stay apart."""
    apart: set[tuple[frozenset[int], frozenset[int]]] = set()
    while not control.should_stop and not _reached(clusters, enough):
        pair = max(_candidates(clusters, apart), key=lambda pair: _closeness(*pair), default=None)
        if pair is None:
            break
        both = _solved(plan, joined(pair), control, max(LEAST_SECONDS, JOIN_SHARE * control.remaining))
        if both.floor > pair[0].floor + pair[1].floor or both.proved:
            clusters = [cluster for cluster in clusters if cluster not in pair] + [both]
        else:
            apart.add((pair[0].courses, pair[1].courses))
    return clusters


def _connected_joined(plan: Plan, clusters: list[Cluster], control: Control, enough: int | None) -> list[Cluster]:
    """All that hang together by the courses they share in one, smallest first, where that is not too much at once."""
    tangles = sorted((joined(some) for some in _tangles(clusters)), key=lambda tangle: len(tangle.courses))
    known: list[Cluster] = []
    for i, tangle in enumerate(tangles):
        if control.should_stop or _reached(known + tangles[i:], enough) or not _worth_a_look(tangle):
            known += tangle.parts
        else:
            known.append(_solved(plan, tangle, control, control.remaining / (len(tangles) - i)))
    return known


def _worth_a_look(tangle: Cluster) -> bool:
    """Not where one cluster is settled already, nor where there is too much at once."""
    settled = len(tangle.parts) == 1 and tangle.parts[0].proved
    return not settled and len(tangle.courses) <= MAX_TANGLE


def _tangles(clusters: Sequence[Cluster]) -> list[list[Cluster]]:
    """Clusters by what hangs together: two that share a course, and all that are tied by such."""
    apart: list[list[Cluster]] = []
    for cluster in clusters:
        touching = [some for some in apart if any(other.courses & cluster.courses for other in some)]
        apart = [some for some in apart if some not in touching] + [[cluster, *chain(*touching)]]
    return apart


def _candidates(
    clusters: Sequence[Cluster], apart: set[tuple[frozenset[int], frozenset[int]]]
) -> Iterator[tuple[Cluster, Cluster]]:
    for a, b in combinations(clusters, 2):
        if a.courses & b.courses and (a.courses, b.courses) not in apart:
            yield a, b


def _closeness(a: Cluster, b: Cluster) -> float:
    """Courses that two clusters share, for their size, and what they cost: there it pays to look at them together."""
    return (1 + a.floor + b.floor) * len(a.courses & b.courses) / len(a.courses | b.courses)


# --- one cluster as a model -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Terms:
    """What there is to count in a model: missing days (not weighted) and starts by course, days by group."""

    days: Mapping[int, Tally]
    starts: Mapping[int, Tally]
    groups: Mapping[int, Tally]

    def cost(self, cluster: Cluster) -> Tally:
        total = Tally()
        for c, weight in cluster.day_weight.items():
            total.include(self.days.get(c, Tally()), weight)
        for c in cluster.paying:
            total.include(self.starts.get(c, Tally()))
        for g in cluster.groups:
            total.include(self.groups[g])
        return total


def _solved(plan: Plan, cluster: Cluster, control: Control, seconds: float) -> Cluster:
    """The cluster with a floor as high as could be proved."""
    units = tuple(unit for unit in plan.units if unit.course in cluster.courses)
    builder = ModelBuilder(replace(plan, units=units, elsewhere=True), with_rooms=False, control=control)
    for rule, build in BUILDERS.items():
        if builder.treatment(rule) is Treatment.FORBID and rule != "min_days":
            build(builder)
    if builder.treatment("min_days") is Treatment.FORBID:
        _keep_days(builder, cluster)
    add_room_supply(builder)
    terms = _terms(builder, cluster)
    cost = terms.cost(cluster)
    for part in cluster.parts:
        builder.model.add(terms.cost(part).expression() >= part.floor)
    if control.should_stop or not cost.variables:
        return replace(cluster, floor=max(cluster.floor, cost.constant), proved=not cost.variables)
    builder.model.minimize(cost.expression())
    parameters = STEP_SEARCH if len(cluster.courses) <= FEW_COURSES else TREE_SEARCH
    found = run(builder.model, control=control, seconds=seconds, parameters=parameters)
    return replace(cluster, floor=max(cluster.floor, found.bound or 0), proved=found.status == "optimal")


def _keep_days(builder: ModelBuilder, cluster: Cluster) -> None:
    """Only of courses that are here with all of their parts: the others would ask for what is not here."""
    absent = {int(builder.compiled.whole[c]) for c in set(range(builder.compiled.num_courses)) - cluster.courses}
    for whole in builder.units_of_whole:
        if whole not in absent:
            count_missing_days(builder, whole)


def _undivided(compiled: Compiled) -> Array:
    """``(courses,)`` whether it is a whole course."""
    return np.asarray(np.bincount(compiled.whole, minlength=compiled.num_wholes)[compiled.whole] == 1)


def _terms(builder: ModelBuilder, cluster: Cluster) -> _Terms:
    attendance, whole = Attendance(builder), builder.compiled.whole
    days = cluster.day_weight if builder.treatment("min_days") is Treatment.PRICE else ()
    return _Terms(
        {c: _counts(builder, partial(count_missing_days, builder, int(whole[c])))["min_days"] for c in days},
        {c: _start_costs(builder, c) for c in cluster.paying},
        {g: _weighted(builder, _counts(builder, partial(attendance.add_group_rules, {g}))) for g in cluster.groups},
    )


def _counts(builder: ModelBuilder, build: Callable[[], None]) -> dict[str, Tally]:
    """What `build` counts, apart from everything else in the model."""
    before = builder.tallies
    builder.tallies = {rule: Tally() for rule in RULE_IDS}
    build()
    counted, builder.tallies = builder.tallies, before
    return counted


def _weighted(builder: ModelBuilder, counts: Mapping[str, Tally]) -> Tally:
    total = Tally()
    for rule, tally in counts.items():
        total.include(tally, soft_weight(builder.compiled, rule))
    return total


def _start_costs(builder: ModelBuilder, course: int) -> Tally:
    compiled, total = builder.compiled, Tally()
    for rule, name in START_UNITS.items():
        if builder.treatment(rule) is Treatment.PRICE:
            weight, units = soft_weight(compiled, rule), getattr(compiled, name)[course]
            for u in builder.units_of_course.get(course, ()):
                for t, literal in builder.x[u].items():
                    if units[t]:
                        total.add(weight * int(units[t]), literal)
    return total


# --- which courses belong together ------------------------------------------------------------------------------------


def clusters_of(compiled: Compiled, courses: int = FIRST_COURSES) -> list[Cluster]:
    """
    Clusters of at most so many courses, more only where a single group has more: together they hold every course, and
    every group with all its courses.
    """
    members = _members(compiled)
    groups = _grown(members, courses)
    sets = [frozenset(np.flatnonzero(members[list(chosen)].any(axis=0)).tolist()) for chosen in groups]
    alone = set(range(compiled.num_courses)) - set().union(*sets)
    sets += [frozenset((c,)) for c in sorted(alone)]
    groups += [()] * len(alone)
    return _priced(compiled, members, sets, groups)


def _members(compiled: Compiled) -> Array:
    """``(groups, courses) bool``, real groups only."""
    members = np.zeros((compiled.num_groups, compiled.num_courses), dtype=bool)
    for c in range(compiled.num_courses):
        own = compiled.group[compiled.group_ptr[c] : compiled.group_ptr[c + 1]]
        members[own[own < compiled.num_groups], c] = True
    return members


def _grown(members: Array, courses: int) -> list[tuple[int, ...]]:
    """Groups of each cluster: it starts from the group that shares most, and takes in what completes other groups."""
    left, grown = members.any(axis=1), []
    sizes, shared = members.sum(axis=1), members.astype(np.int64) @ members.T.astype(np.int64)
    while left.any():
        seed = int(np.argmax(np.where(left, shared @ left, -1)))
        inside = members[seed].copy()
        while inside.sum() < courses:
            touched = members @ inside.astype(np.int64)
            missing = sizes - touched
            worth = left * ((missing == 1) + NEARLY_COMPLETE * (missing == 2) + TOUCHED * touched)
            gain = np.where(inside, 0.0, worth @ members)
            best = int(np.argmax(gain))
            if gain[best] <= 0:
                break
            inside[best] = True
        complete = left & ~(members & ~inside).any(axis=1)
        grown.append(tuple(np.flatnonzero(complete).tolist()))
        left &= ~complete
    return grown


def _priced(
    compiled: Compiled, members: Array, sets: Sequence[frozenset[int]], groups: Sequence[tuple[int, ...]]
) -> list[Cluster]:
    """
    Shares out what courses cost: the clusters of a course bear its missing days by the number of its groups in each, in
    whole units of cost, and the one with most of them its starts. The days of a course in parts, which may lie in
    several clusters, are left out.
    """
    weight, undivided = soft_weight(compiled, "min_days"), _undivided(compiled)
    days: list[dict[int, int]] = [{} for _ in sets]
    paying: list[set[int]] = [set() for _ in sets]
    for c in range(compiled.num_courses):
        inside = [i for i, courses in enumerate(sets) if c in courses]
        counts = [int(members[list(groups[i]), c].sum()) for i in inside]
        order = sorted(range(len(inside)), key=lambda j: -counts[j])
        paying[inside[order[0]]].add(c)
        if not undivided[c]:
            continue
        for j, part in zip(order, _shared_out(weight, sorted(counts, reverse=True)), strict=True):
            days[inside[j]][c] = part
    return [
        Cluster(courses, frozenset(chosen), frozenset(starts), days_here)
        for courses, chosen, starts, days_here in zip(sets, groups, paying, days, strict=True)
    ]


def _shared_out(weight: int, counts: Sequence[int]) -> list[int]:
    """Whole parts of a weight in proportion to counts, largest first; what rounding leaves goes to the first."""
    total = sum(counts)
    parts = [weight * count // total if total else 0 for count in counts]
    left = weight - sum(parts)
    return [part + (i < left if total else left * (i == 0)) for i, part in enumerate(parts)]
