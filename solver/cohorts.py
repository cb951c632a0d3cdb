"""
Groups as people belong to them: who the members of a group are, and cohorts.

Groups may be parts of each other (`Group.part_of`). Parts of one group in one `division` have nobody in common, parts
in different divisions have; so whoever belongs to a group is in one part of each division, or in none. A *cohort* are
the people who belong to the same groups, as far as this tells groups apart: "1A in its half a, taking French". What a
group is taught, all its cohorts are taught. Where no group is part of another one, every group is one cohort.

Nobody can say whether somebody is in no part of a division. We take it that somebody is where there is one part only,
and where the parts are known to be smaller than the whole. A part of several groups takes its people from each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import NamedTuple

from solver.records import Group

MAX_COHORTS = 256
"""Cohorts of one group that is no part of another one."""

Divisions = Mapping[str, Mapping[str, Sequence[Group]]]
"""Group id -> division -> its parts, all in the order of the dataset."""


class Cohort(NamedTuple):
    """
    People who belong to the same groups.

    `groups` are ids, the whole before its parts. `size` is how many they are at most, 0 where nobody says.
    They are away when one of their groups is, and have no more sessions in a day than any of their groups may have.
    """

    id: str
    groups: tuple[str, ...]
    size: int
    unavailable: tuple[int, ...]
    max_sessions_per_day: int | None


def divisions_of(groups: Iterable[Group]) -> Divisions:
    """The parts of every group that has any."""
    found: dict[str, dict[str, list[Group]]] = {}
    for group in groups:
        for whole in group.part_of:
            found.setdefault(whole, {}).setdefault(group.division, []).append(group)
    return found


def cohorts_of(groups: Sequence[Group]) -> tuple[Cohort, ...]:
    """
    All cohorts, in the order of the groups that are no parts.

    The groups are known to have no circles, no dangling `part_of`, and no more cohorts than `MAX_COHORTS` each.
    """
    if not any(group.part_of for group in groups):
        return tuple(_alone(group) for group in groups)
    by_id, divisions = {group.id: group for group in groups}, divisions_of(groups)
    rank = {id: n for n, id in enumerate(TopologicalSorter({g.id: g.part_of for g in groups}).static_order())}
    found: dict[str, Cohort] = {}
    for group in groups:
        if group.part_of:
            continue
        if group.id not in divisions:
            found[group.id] = _alone(group)
            continue
        for members in _memberships(group, divisions):
            own = [by_id[id] for id in sorted(members, key=lambda id: rank[id])]
            id = " + ".join(each.id for each in own)
            while id in found or (id in by_id and id != group.id):
                id += "'"
            found[id] = _of(id, own)
    return tuple(found.values())


def _alone(group: Group) -> Cohort:
    return Cohort(group.id, (group.id,), group.size, group.unavailable, group.max_sessions_per_day)


def _of(id: str, groups: Sequence[Group]) -> Cohort:
    limits = [group.max_sessions_per_day for group in groups if group.max_sessions_per_day is not None]
    return Cohort(
        id=id,
        groups=tuple(group.id for group in groups),
        size=min((people for group in groups if (people := _people(group))), default=0),
        unavailable=tuple(sorted({slot for group in groups for slot in group.unavailable})),
        max_sessions_per_day=min(limits, default=None),
    )


def _memberships(group: Group, divisions: Divisions) -> list[frozenset[str]]:
    """The different sets of groups that people of this one belong to, itself included."""
    ways = [frozenset((group.id,))]
    for parts in divisions.get(group.id, {}).values():
        options = [way for part in parts for way in _memberships(part, divisions)]
        if somebody_is_in_none(group, parts):
            options.append(frozenset())
        ways = list(dict.fromkeys(way | option for way in ways for option in options))
    return ways


def somebody_is_in_none(group: Group, parts: Sequence[Group]) -> bool:
    """Whether we take it that some people of a group are in none of the parts of one of its divisions."""
    sizes = [_people(part) for part in parts]
    return len(parts) == 1 or (all(sizes) and sum(sizes) < _people(group))


def _people(group: Group) -> int:
    return group.size or len(group.student_ids)


def cohort_counts(groups: Sequence[Group], divisions: Divisions) -> dict[str, int]:
    """
    For each group how many sets of groups its people may belong to, at most; found without listing them.

    Raises
    ------
    graphlib.CycleError
        Groups are parts of each other in a circle.
    """
    by_id = {group.id: group for group in groups}
    counts: dict[str, int] = {}
    for id in reversed([*TopologicalSorter({g.id: g.part_of for g in groups}).static_order()]):
        ways = 1
        for parts in divisions.get(id, {}).values() if id in by_id else ():
            ways *= sum(counts[part.id] for part in parts) + somebody_is_in_none(by_id[id], parts)
        counts[id] = ways
    return counts


def memberships(groups: Sequence[Group]) -> dict[str, tuple[str, ...]]:
    """
    The groups of each member, in the order of the dataset: those that name them, and what these are part of.

    Whoever is in a part of several groups is of those of them that name them, too.
    """
    wholes = {group.id: group.part_of for group in groups}
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        line = tuple(_with_wholes(group.id, wholes)) if group.student_ids else ()
        for student in group.student_ids:
            found.setdefault(student, {}).update(dict.fromkeys(line))
    order = {group.id: n for n, group in enumerate(groups)}
    return {student: tuple(sorted(own, key=lambda id: order[id])) for student, own in found.items()}


def _with_wholes(id: str, wholes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A group, what it is part of, and so on, as long as that is one group."""
    yield id
    while len(wholes.get(id, ())) == 1:
        (id,) = wholes[id]
        if id not in wholes:
            return
        yield id


def people_in(ids: Iterable[str], groups: Mapping[str, Group]) -> int:
    """How many people are in these groups at most: nobody twice of whom it is known, and no more than in a whole."""
    wanted = set(ids)
    total: dict[str, int] = {}
    for id in wanted:
        wholes = groups[id].part_of
        if not wholes or not all(_is_covered(whole, wanted, groups) for whole in wholes):
            roots = _roots(id, groups)
            root = min(roots) if len(roots) == 1 else id
            total[root] = total.get(root, 0) + _people(groups[id])
    return sum(min(people, _people(groups[id]) or people) for id, people in total.items())


def _is_covered(id: str, wanted: set[str], groups: Mapping[str, Group]) -> bool:
    wholes = groups[id].part_of
    return id in wanted or (bool(wholes) and all(_is_covered(whole, wanted, groups) for whole in wholes))


def _roots(id: str, groups: Mapping[str, Group]) -> set[str]:
    """The groups at the top of what a group is part of."""
    wholes = groups[id].part_of
    return set().union(*(_roots(whole, groups) for whole in wholes)) if wholes else {id}
