"""
Proofs about rooms: the sessions that can only stand in certain rooms need more room slots than those rooms offer.

The sets of rooms are those that some course asks for by type, features and seats, so every threshold of seats is a
case of its own; within one set, the sessions that are tied to few slots are looked at as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from solver.diagnose.courses import kind_in_words
from solver.diagnose.facts import Bits, Facts, bits, indices
from solver.diagnose.people import Demand, demands_of
from solver.names import counted, listed
from solver.result import Proof

MAX_NARROW_SETS = 64
"""So many sets of slots are tried per set of rooms, the smallest first: a proof may be missed, never invented."""


@dataclass(frozen=True, slots=True)
class RoomDemand:
    """Session counts of all sessions with the same rooms, the same covered slots and the same length."""

    rooms: Bits
    cover: Bits
    length: int
    sessions: int
    parts: tuple[int, ...]
    """Numbers in `Dataset.parts`."""


def supply_proofs(facts: Facts) -> Iterator[Proof]:
    """At most one proof per set of rooms."""
    if not facts.hard("room_clash"):
        return
    demands = _room_demands(facts)
    for rooms in sorted({demand.rooms for demand in demands}, key=lambda rooms: (rooms.bit_count(), rooms)):
        inside = [demand for demand in demands if not demand.rooms & ~rooms]
        proof = _shortage(facts, rooms, inside)
        if proof is not None:
            yield proof


def _room_demands(facts: Facts) -> list[RoomDemand]:
    sessions: Counter[tuple[Bits, Bits, int]] = Counter()
    parts: dict[tuple[Bits, Bits, int], list[int]] = {}
    for part, course in enumerate(facts.dataset.parts):
        # What takes several rooms at once takes more than is counted here, and is left out.
        for demand in demands_of(facts, part) if course.rooms_needed == 1 else ():
            key = _key(demand)
            sessions[key] += len(demand.keys)
            parts.setdefault(key, []).append(part)
    return [RoomDemand(*key, sessions=number, parts=tuple(parts[key])) for key, number in sessions.items()]


def _key(demand: Demand) -> tuple[Bits, Bits, int]:
    return (demand.options.rooms, demand.cover, demand.length)


def _shortage(facts: Facts, rooms: Bits, demands: Sequence[RoomDemand]) -> Proof | None:
    openings = Counter(
        facts.all_slots & ~bits(facts.dataset.rooms[r].unavailable)
        for r in indices(rooms)
        for _ in range(min(facts.dataset.rooms[r].sessions_at_once, len(facts.dataset.sessions)))
    )
    needed = sum(demand.sessions * demand.length for demand in demands)
    union = 0
    for demand in demands:
        union |= demand.cover
    narrow = sorted({demand.cover for demand in demands}, key=lambda cover: (cover.bit_count(), cover))
    for slots in (union, *narrow[:MAX_NARROW_SETS]):
        if slots != union and _open_slots(openings, slots) >= needed:
            continue
        few = [demand for demand in demands if not demand.cover & ~slots]
        proof = _too_few_slots(facts, rooms, few, slots, openings) or _too_few_blocks(
            facts, rooms, few, slots, openings
        )
        if proof is not None:
            return proof
    return None


def _open_slots(openings: Mapping[Bits, int], slots: Bits) -> int:
    return sum(number * (opening & slots).bit_count() for opening, number in openings.items())


def _too_few_slots(
    facts: Facts, rooms: Bits, demands: Sequence[RoomDemand], slots: Bits, openings: Mapping[Bits, int]
) -> Proof | None:
    needed = sum(demand.sessions * demand.length for demand in demands)
    available = _open_slots(openings, slots)
    if needed <= available:
        return None
    take = f"take {counted(needed, 'room slot')}, but {_offer(facts, rooms, slots)} {counted(available, 'room slot')}"
    return _proof(facts, "room_supply", rooms, demands, take, needed, available)


def _too_few_blocks(
    facts: Facts, rooms: Bits, demands: Sequence[RoomDemand], slots: Bits, openings: Mapping[Bits, int]
) -> Proof | None:
    for length in sorted({demand.length for demand in demands if demand.length > 1}):
        long = [demand for demand in demands if demand.length >= length]
        needed = sum(demand.sessions for demand in long)
        available = sum(number * facts.blocks(opening & slots, length) for opening, number in openings.items())
        if needed > available:
            offer = f"{_offer(facts, rooms, slots)} {counted(available, 'such block')}"
            take = f"take {length} or more slots in a row each, but {offer}"
            return _proof(facts, "room_blocks", rooms, long, take, needed, available)
    return None


def _offer(facts: Facts, rooms: Bits, slots: Bits) -> str:
    """ "the 2 rooms that suit (R1 and R2) offer": the week, or few slots of it."""
    names = [facts.names.room(facts.dataset.rooms[r].id) for r in indices(rooms)]
    those = f"the only room that suits, {names[0]}, offers" if len(names) == 1 else ""
    those = those or f"the {len(names)} rooms that suit ({listed(names)}) offer"
    if slots.bit_count() * 2 > facts.all_slots.bit_count():
        return those
    return f"{those} in the slots open to them ({facts.slots_in_words(slots)})"


def _proof(
    facts: Facts, code: str, rooms: Bits, demands: Sequence[RoomDemand], take: str, needed: int, available: int
) -> Proof:
    parts = [facts.dataset.parts[n] for n in dict.fromkeys(part for demand in demands for part in demand.parts)]
    courses = tuple(dict.fromkeys(part.id for part in parts))
    widest = max(demands, key=lambda demand: demand.rooms.bit_count())
    kind = kind_in_words(facts, facts.dataset.parts[widest.parts[0]])
    sessions = sum(demand.sessions for demand in demands)
    who = f"{counted(sessions, 'session')} of {listed([facts.names.part(part) for part in parts])}"
    restricting = [rule for rule in ("room_unsuitable", "room_capacity") if facts.hard(rule)]
    return Proof(
        code=code,
        sentence=f"{who}, which need {kind} or more, {take}",
        entities=(*courses[:20], *[facts.dataset.rooms[r].id for r in list(indices(rooms))[:20]]),
        rules=("room_clash", *restricting),
        needed=needed,
        available=available,
    )
