"""
The places that sessions may take: one room, several at once, or none.

Which rooms go together nobody says, and of some dozen rooms there are thousands of pairs. So of those that a session
may take we offer a bounded number: rooms near the size that each of them should have, of one building where possible,
and no more seats than it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, islice
from math import comb
from typing import NamedTuple

from solver.records import Course, Room

MAX_ROOMS_AT_ONCE = 4
MOST_ROOMS = 24
"""Rooms that are combined for one kind of session."""
MOST_TRIED, MOST_SETS, FEWEST_SETS = 20_000, 200, 10
"""Sets of rooms that are looked at for one kind of session, and that are offered to it at most and at least."""
MOST_IN_ALL = 2_000
"""So many sets are shared out among all kinds of sessions: there is a row of costs for each."""


class Place(NamedTuple):
    """Where a session stands: its rooms, in the order of the dataset; no room is a place as well."""

    rooms: tuple[Room, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(room.id for room in self.rooms)

    @property
    def seats(self) -> int:
        """Those of all rooms together."""
        return sum(room.capacity for room in self.rooms)

    @property
    def building(self) -> str | None:
        """That of the first room; None also where there is no room."""
        return self.rooms[0].building if self.rooms else None


def suits(part: Course, room: Room) -> bool:
    """Whether a room is of the kind that the part asks for, and one that it may use."""
    right_type = not part.room_types or room.type in part.room_types
    return right_type and set(part.required_features) <= set(room.features) and part.may_use(room.id)


def places_of(rooms: Sequence[Room], parts: Iterable[Course], seats_of: Callable[[Course], int]) -> tuple[Place, ...]:
    """
    Every room, then "no room" where a part needs none, then the sets of rooms that parts with several may take.

    Parameters
    ----------
    seats_of
        How many seats a part needs.
    """
    order = {room.id: r for r, room in enumerate(rooms)}
    found: dict[tuple[int, ...], None] = {(r,): None for r in range(len(rooms))}
    parts = list(parts)
    if any(part.rooms_needed == 0 for part in parts):
        found[()] = None
    several = [part for part in parts if part.rooms_needed > 1]
    most = max(FEWEST_SETS, min(MOST_SETS, MOST_IN_ALL // max(1, len(several))))
    for part in several:
        pinned = (tuple(sorted(order[id] for id in pin.room_ids)) for pin in part.fixed if pin.room_ids)
        found |= dict.fromkeys(pinned)
        found |= dict.fromkeys(islice(_sets(rooms, part, seats_of(part)), most))
    return tuple(Place(tuple(rooms[r] for r in chosen)) for chosen in found)


def _sets(rooms: Sequence[Room], part: Course, seats: int) -> Iterator[tuple[int, ...]]:
    """The best sets first; all that there are where these are few, those with a room that does not suit come last."""
    each, everywhere = -(-seats // part.rooms_needed), range(len(rooms))
    wrong = {r for r in everywhere if not suits(part, rooms[r])}
    fit = [r for r in everywhere if r not in wrong]
    if comb(len(rooms), part.rooms_needed) <= MOST_SETS or len(fit) < part.rooms_needed:
        fit = list(everywhere)
    near = sorted(fit, key=lambda r: (r in wrong, rooms[r].capacity < each, abs(rooms[r].capacity - each)))[:MOST_ROOMS]
    tried = islice(combinations(sorted(near), part.rooms_needed), MOST_TRIED)

    def cost(chosen: tuple[int, ...]) -> tuple[int, bool, int, int]:
        total = sum(rooms[r].capacity for r in chosen)
        return len(wrong & set(chosen)), total < seats, len({rooms[r].building for r in chosen}), abs(total - seats)

    yield from sorted(tried, key=cost)
