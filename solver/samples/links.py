"""Ties between sessions, chosen among those that the planted timetable keeps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from random import Random

from solver.calendar import TimeGrid
from solver.model import Link
from solver.samples.curriculum import Section
from solver.samples.entities import University
from solver.samples.planting import Planted
from solver.terms import LinkType

SOFT_SHARE = 0.2
Member = tuple[Section, Planted]


def links(university: University, rng: Random) -> tuple[Link, ...]:
    """About `shape.links` links, the kinds in equal parts; a kind with too few occasions gives fewer."""
    wanted = university.shape.links
    grid = university.shape.grid
    pairs = _neighbours(university)
    chosen: list[Link] = []
    for kind, find in _KINDS:
        occasions = [link for pair in pairs for link in find(kind, pair, grid)]
        chosen += rng.sample(occasions, min(len(occasions), -(-wanted // len(_KINDS))))
    return tuple(_maybe_soft(link, rng) for link in _without_repeats(chosen)[:wanted])


def _neighbours(university: University) -> list[tuple[Member, Member]]:
    """Pairs of sections that a department would tie: two of the same batch, or two options of one basket."""
    families: dict[tuple[str, int], list[Member]] = defaultdict(list)
    for member in zip(university.curriculum.sections, university.planted, strict=True):
        section = member[0]
        key = ("basket", section.basket) if section.elective else ("batch", section.batches[0])
        families[key].append(member)
    return [pair for family in families.values() for pair in combinations(family, 2)]


def _without_repeats(candidates: Sequence[Link]) -> list[Link]:
    """One link per course pair: several would be hard to read and easy to contradict."""
    seen: set[frozenset[str]] = set()
    kept = []
    for link in candidates:
        key = frozenset(course for course, _ in link.sessions)
        if key not in seen:
            seen.add(key)
            kept.append(link)
    return kept


def _maybe_soft(link: Link, rng: Random) -> Link:
    if rng.random() >= SOFT_SHARE:
        return link
    return Link(type=link.type, sessions=link.sessions, tier="soft", weight=rng.randint(1, 3), value=link.value)


# --- what can be tied -----------------------------------------------------------------------------------------------

Finder = Callable[[LinkType, tuple[Member, Member], TimeGrid], Iterator[Link]]


def _lab_after_lecture(kind: LinkType, pair: tuple[Member, Member], grid: TimeGrid) -> Iterator[Link]:
    (lecture, first), (lab, second) = pair
    if lab.lab_kind and not lecture.lab_kind and first.slots[0] < second.slots[0]:
        yield Link(type=kind, sessions=((lecture.id, 0), (lab.id, 0)))


def _different_days(kind: LinkType, pair: tuple[Member, Member], grid: TimeGrid) -> Iterator[Link]:
    (a, first), (b, second) = pair
    if not {grid.day_of(t) for t in first.slots} & {grid.day_of(t) for t in second.slots}:
        yield Link(type=kind, sessions=((a.id, None), (b.id, None)))


def _one_room(kind: LinkType, pair: tuple[Member, Member], grid: TimeGrid) -> Iterator[Link]:
    a, planted = pair[0]
    if len(planted.rooms) > 1 and len(set(planted.rooms)) == 1:
        yield Link(type=kind, sessions=((a.id, None),))


def _at_once(kind: LinkType, pair: tuple[Member, Member], grid: TimeGrid) -> Iterator[Link]:
    (a, first), (b, second) = pair
    if a.elective and first.slots[0] == second.slots[0] and a.slots == b.slots:
        yield Link(type=kind, sessions=((a.id, 0), (b.id, 0)))


def _back_to_back(kind: LinkType, pair: tuple[Member, Member], grid: TimeGrid) -> Iterator[Link]:
    (a, first), (b, second) = pair
    for n, start in enumerate(first.slots):
        end = start + a.slots
        day = grid.day_of(start)
        if end in second.slots and grid.day_of(end) == day and grid.period_of(end) not in grid.rests(day):
            yield Link(type=kind, sessions=((a.id, n), (b.id, second.slots.index(end))))
            return


def _rest_between(kind: LinkType, pair: tuple[Member, Member], grid: TimeGrid) -> Iterator[Link]:
    """Meetings of one course with at least two slots between them; planted on different days they always keep it."""
    section, planted = pair[1]
    if len(planted.slots) == 2:
        yield Link(type=kind, sessions=((section.id, None),), value=2)


_KINDS: tuple[tuple[LinkType, Finder], ...] = (
    ("precedence", _lab_after_lecture),
    ("same_room", _one_room),
    ("different_day", _different_days),
    ("same_start", _at_once),
    ("consecutive", _back_to_back),
    ("min_gap", _rest_between),
)
