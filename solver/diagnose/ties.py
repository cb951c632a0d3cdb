"""Proofs about hard links: circles of precedence, chains longer than the week, pairs and cliques that cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np

from solver.diagnose.blocks import block_proofs
from solver.diagnose.facts import Bits, Facts, indices
from solver.links import LINKS, NO_MOST, Clock, rooms_keep, times_keep
from solver.model import Link
from solver.names import counted, days_in_words, listed
from solver.pairing import members_of, pairing_of, sessions_of
from solver.result import Proof
from solver.terms import LinkType, SessionKey

MAX_PAIRS = 20_000
"""So many linked pairs are tried start by start at most: a proof may be missed, never invented."""
PAIR_WORDS: Mapping[LinkType, str] = {
    "precedence": "the first ends before the second starts",
    "not_overlap": "they do not overlap",
    "same_start": "they start together",
    "same_day": "they share a day",
    "different_day": "they are on different days",
    "same_room": "they share a room",
    "different_room": "they are in different rooms",
    "consecutive": "one follows the other at once",
    "min_gap": "{minutes} minutes or more lie between them on a common day",
    "same_hour": "they start at one hour of the day",
    "days_apart": "they are {days} apart",
    "consecutive_if_same_day": "one follows the other at once where they share a day",
    "ordered_if_same_day": "the first ends before the second starts where they share a day",
}


def tie_proofs(facts: Facts) -> Iterator[Proof]:
    """Every proof that hard links cannot hold; none where the rule `link` is not hard."""
    if not facts.hard("link"):
        return
    links = [link for link in facts.dataset.links if link.tier == "hard"]
    yield from _precedence_proofs(facts, links)
    yield from _pair_proofs(facts, links)
    for link in links:
        yield from _clique_proofs(facts, link)
        yield from block_proofs(facts, link)


# --- precedence ------------------------------------------------------------------------------------------------------


def _precedence_proofs(facts: Facts, links: Sequence[Link]) -> Iterator[Proof]:
    """One circle, or else every session that comes too late at the end of its chain."""
    before: dict[SessionKey, set[SessionKey]] = {}
    for link in links:
        if link.type == "precedence":
            for a, b in facts.dataset.expand(link):
                before.setdefault(b, set()).add(a)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        yield _circle(facts, error.args[1])
        return
    earliest: dict[SessionKey, tuple[int, SessionKey | None]] = {}
    for key in order:
        found = _earliest(facts, key, before.get(key, set()), earliest)
        if isinstance(found, Proof):
            yield found
        else:
            earliest[key] = found


def _circle(facts: Facts, cycle: Sequence[SessionKey]) -> Proof:
    words = [facts.names.session(key) for key in cycle]
    shown = " -> ".join(words if len(words) <= 12 else [*words[:6], "...", *words[-5:]])
    return Proof(
        code="precedence_cycle",
        sentence=f"precedence links run in a circle: {shown}",
        entities=tuple(dict.fromkeys(key[0] for key in cycle)),
        rules=("link",),
    )


def _earliest(
    facts: Facts, key: SessionKey, before: set[SessionKey], earliest: Mapping[SessionKey, tuple[int, SessionKey | None]]
) -> tuple[int, SessionKey | None] | Proof:
    """
    The earliest start that the chains before a session leave to it, and the session that holds it up most.

    Sessions that cannot start at all, or come too late themselves, hold nobody up: they have a proof of their own.
    """
    ready, last = 0, None
    for other in sorted(before):
        end = earliest[other][0] + facts.dataset.part_of(other).session_slots if other in earliest else 0
        if end > ready:
            ready, last = end, other
    starts = facts.options(key).starts
    if starts == 0:
        return 0, None
    later = starts >> ready << ready
    if later:
        return (later & -later).bit_length() - 1, last
    return _too_long(facts, key, ready, last, earliest)


def _too_long(
    facts: Facts,
    key: SessionKey,
    ready: int,
    last: SessionKey | None,
    earliest: Mapping[SessionKey, tuple[int, SessionKey | None]],
) -> Proof:
    chain: list[SessionKey] = [key]
    while last is not None:
        chain.append(last)
        last = earliest[last][1]
    chain.reverse()
    latest = facts.options(key).starts.bit_length() - 1
    words = [facts.names.session(member) for member in chain]
    return Proof(
        code="precedence_chain",
        sentence=f"{words[-1]} can start on {facts.names.slot(latest)} at the latest, but what must come before it "
        f"({listed(words[:-1], 8)}) takes until the end of {facts.names.slot(ready - 1)} at the earliest",
        entities=tuple(dict.fromkeys(member[0] for member in chain)),
        rules=tuple(dict.fromkeys(("link", *(rule for member in chain for rule in facts.options(member).rules)))),
        needed=ready,
        available=latest,
    )


# --- pairs -----------------------------------------------------------------------------------------------------------


def _pair_proofs(facts: Facts, links: Sequence[Link]) -> Iterator[Proof]:
    """Pairs whose links, shared people and own restrictions leave no two starts, or no two rooms."""
    ties: dict[tuple[SessionKey, SessionKey], list[tuple[Link, bool]]] = {}
    for link in links:
        for a, b in facts.dataset.expand(link):
            ties.setdefault(min((a, b), (b, a)), []).append((link, a > b))
    for (a, b), linked in islice(ties.items(), MAX_PAIRS):
        if facts.options(a).starts and facts.options(b).starts:
            shared = _shared(facts, a, b)
            if not _rooms_work(facts, a, b, linked):
                yield _impossible(facts, a, b, [(k, r) for k, r in linked if LINKS[k.type].about == "room"], None)
            elif not _starts_work(facts, a, b, linked, apart=shared is not None):
                yield _impossible(facts, a, b, [(k, r) for k, r in linked if LINKS[k.type].about == "time"], shared)


def _shared(facts: Facts, a: SessionKey, b: SessionKey) -> tuple[str, str] | None:
    """The clash rule that keeps two sessions apart and why, in words; None when they may overlap."""
    one, other = facts.dataset.part_of(a), facts.dataset.part_of(b)
    if facts.dataset.may_clash(a, b) or not facts.dataset.meet(a, b):
        return None
    if facts.hard("group_clash"):
        if one is other or (one.id == other.id and not one.group_ids and not other.group_ids):
            return "group_clash", "they are of one course"
        others = facts.dataset.cohorts_of(other)
        for id in facts.dataset.cohorts_of(one):
            if id in others:
                return "group_clash", f"they share group {facts.names.cohort(id)}"
    if facts.hard("faculty_clash"):
        for id in one.faculty_ids:
            if id in other.faculty_ids:
                return "faculty_clash", f"they share teacher {facts.names.teacher(id)}"
    if facts.hard("student_clash") and one is not other:
        common = len(set(facts.dataset.students_of(one)) & set(facts.dataset.students_of(other)))
        return ("student_clash", f"they share {counted(common, 'student')}") if common else None
    return None


def _rooms_work(facts: Facts, a: SessionKey, b: SessionKey, linked: Sequence[tuple[Link, bool]]) -> bool:
    rooms, others = facts.options(a).rooms, facts.options(b).rooms
    same, apart = (all(keeps) for keeps in zip(*(keeps_rooms(link.type) for link, _ in linked), strict=True))
    if same and apart:
        return True
    return (same and bool(rooms & others)) or (apart and (rooms | others).bit_count() > 1)


@lru_cache
def keeps_rooms(link_type: LinkType) -> tuple[bool, bool]:
    """Whether a pair in one room keeps a link, and whether a pair in two rooms does."""
    same, apart = rooms_keep(link_type, np.arange(1), np.arange(2))[0].tolist()
    return same, apart


def _starts_work(
    facts: Facts, a: SessionKey, b: SessionKey, linked: Sequence[tuple[Link, bool]], *, apart: bool
) -> bool:
    length, other = facts.dataset.part_of(a).session_slots, facts.dataset.part_of(b).session_slots
    for start in indices(facts.options(a).starts):
        possible = facts.options(b).starts
        if apart:
            possible &= ~_window(start - other + 1, start + length)
        for link, reverse in linked:
            possible &= partner_starts(facts, link, start, length, other, reverse)
        if possible:
            return True
    return False


def _window(low: int, high: int) -> Bits:
    """Slots low .. high - 1, cut at 0."""
    low, high = max(0, low), max(0, high)
    return ((1 << high) - 1) & ~((1 << low) - 1) if high > low else 0


def partner_starts(facts: Facts, link: Link, start: int, length: int, other: int, reverse: bool) -> Bits:
    """
    Starts of the other session, of length `other`, that keep a link with this one at `start`; `reverse` when the other
    comes first in the link.
    """
    # More slots or days than there are, are all of them.
    highest = facts.clock.longest_value
    says = min(link.value or 0, highest), min(NO_MOST if link.most is None else link.most, highest)
    key = (link.type, length, other, says, reverse)
    if key not in facts.partners:
        facts.partners[key] = _partner_starts(facts.clock, *key)
    return facts.partners[key][start]


def _partner_starts(
    clock: Clock, link_type: LinkType, length: int, other: int, says: tuple[int, int], reverse: bool
) -> tuple[Bits, ...]:
    """By the start of this session; asked once for a whole week, because thousands of pairs ask the same."""
    slots, lengths = np.arange(len(clock.start)), (other, length) if reverse else (length, other)
    keeps = times_keep(link_type, slots, slots, lengths, clock, *says)
    packed = np.packbits(keeps.T if reverse else keeps, axis=1, bitorder="little")
    return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)


def _impossible(
    facts: Facts,
    a: SessionKey,
    b: SessionKey,
    linked: Sequence[tuple[Link, bool]],
    shared: tuple[str, str] | None,
) -> Proof:
    first, second = facts.names.session(a), facts.names.session(b)
    words = [_words(facts, link, reverse) for link, reverse in linked]
    demands = f"links demand that {listed(list(dict.fromkeys(words)), 9)}"
    clash, why = ((shared[0],), f", and {shared[1]}") if shared else ((), "")
    rules = ("link", *clash, *facts.options(a).rules, *facts.options(b).rules)
    return Proof(
        code="link_impossible",
        sentence=f"{first} and {second} cannot both be placed: {demands}{why}",
        entities=tuple(dict.fromkeys((a[0], b[0]))),
        rules=tuple(dict.fromkeys(rules)),
    )


def _words(facts: Facts, link: Link, reverse: bool) -> str:
    minutes = (link.value or 0) * facts.clock.unit
    words = PAIR_WORDS[link.type].format(minutes=minutes, days=days_in_words(link))
    if reverse and link.type in ("precedence", "ordered_if_same_day"):
        return words.replace("the first ends before the second starts", "the second ends before the first starts")
    return words


# --- cliques ---------------------------------------------------------------------------------------------------------


class Crowd(NamedTuple):
    """What a link makes of sessions tied pairwise: each needs one of its own, in words, if these rules are hard."""

    own: str
    demand: str
    rules: tuple[str, ...]


CROWDS: Mapping[LinkType, Crowd] = {
    "different_day": Crowd("day", "all differ in day", ("link",)),
    "different_room": Crowd("room", "all differ in room", ("link",)),
    "same_start": Crowd("room", "all start together, each in a room of its own", ("link", "room_clash")),
}


def _clique_proofs(facts: Facts, link: Link) -> Iterator[Proof]:
    """Sessions that all need a day, or a room, of their own: more of them than there are."""
    crowd = CROWDS.get(link.type)
    if crowd is None or not facts.hard(*crowd.rules):
        return
    for clique in (met for tied in _cliques(facts, link) for met in _meeting(facts, crowd, tied)):
        if crowd.own == "day":
            starts = _all(facts.options(key).starts for key in clique)
            available = sum(bool(starts & day) for day in facts.day_slots)
        else:
            places = _all(facts.options(key).rooms for key in clique)
            available = sum(_held(facts, q, crowd, len(clique)) for q in indices(places))
        if len(clique) > available:
            yield Proof(
                code=f"link_{link.type}",
                sentence=f"{facts.names.sessions(clique)} should {crowd.demand}: {len(clique)} sessions for "
                f"{counted(available, crowd.own)}",
                entities=tuple(dict.fromkeys(key[0] for key in clique)),
                rules=crowd.rules,
                needed=len(clique),
                available=available,
            )


def _meeting(facts: Facts, crowd: Crowd, clique: list[SessionKey]) -> Iterable[list[SessionKey]]:
    """Where a clique is about clashes: those of it that are given in one week class, each such set once."""
    dataset = facts.dataset
    if "room_clash" not in crowd.rules or len(dataset.week_classes) == 1:
        return [clique]
    classes = range(len(dataset.week_classes))
    sets = (tuple(key for key in clique if k in dataset.classes_of_part[dataset.part_number[key]]) for k in classes)
    return map(list, dict.fromkeys(sets))


def _held(facts: Facts, place: int, crowd: Crowd, most: int) -> int:
    """Sessions of a clique that one place has room for at once, `most` at most."""
    if "room_clash" not in crowd.rules:
        return 1
    return min((room.sessions_at_once for room in facts.dataset.places[place].rooms), default=most)


def _cliques(facts: Facts, link: Link) -> Iterator[list[SessionKey]]:
    """Sessions tied pairwise, of those that can start at all."""
    sizes = facts.dataset.sizes
    pairing, members = pairing_of(link, sizes), members_of(link, sizes)
    together: Iterable[Iterable[SessionKey]]
    if pairing == "by_number":
        together = zip(*members, strict=True)
    elif pairing == "chain":
        together = pairwise(chain(*members))
    elif pairing == "all" or len(members) == 1:
        together = [sessions_of(link, sizes)]
    else:
        together = [[member[0] for member in members]]  # one of each member
    for keys in together:
        yield [key for key in dict.fromkeys(keys) if facts.options(key).starts]


def _all(masks: Iterator[Bits]) -> Bits:
    union = 0
    for mask in masks:
        union |= mask
    return union
