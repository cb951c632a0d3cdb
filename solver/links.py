"""
The table of links: what each type asks of two sessions, or of all its sessions together.

The search, CP-SAT and `diagnose` read it; the verifier, which judges them, has predicates of its own. Whoever works on
many pairs asks once for all of them (`times_keep`, `rooms_keep`, `broken_table`) and looks the answers up, so nobody
else has to know one type from another. What lies between two sessions is told by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.calendar import DAY_MINUTES, TimeGrid
from solver.terms import LinkType

Array: TypeAlias = NDArray[Any]
Bits: TypeAlias = NDArray[np.bool_]


NO_MOST = 2**30
"""In place of the most that a link allows, where it says nothing of it."""


class Clock(NamedTuple):
    """
    When the slots of a grid are, each ``(slots,)``.

    `start` and `end` are minutes since the week began (both are the end of its day where a day has no such period),
    `day` counts from 0, `rest` says that a break lies before the slot. `unit` is what a free slot is worth, in minutes.
    """

    start: Array
    end: Array
    day: Array
    rest: Bits
    unit: int

    @classmethod
    def of(cls, grid: TimeGrid) -> Clock:
        """The clock of a grid."""
        slots = range(grid.num_slots)
        day = np.array([grid.day_of(t) for t in slots], dtype=np.int64)
        start = np.array([grid.start_of(t) if grid.exists(t) else DAY_MINUTES for t in slots], dtype=np.int64)
        end = np.array([grid.end_of(t) if grid.exists(t) else DAY_MINUTES for t in slots], dtype=np.int64)
        rest = np.array([grid.period_of(t) in grid.rests(grid.day_of(t)) for t in slots], dtype=np.bool_)
        return cls(start + day * DAY_MINUTES, end + day * DAY_MINUTES, day, rest, grid.gap_minutes)

    def span(self, first: Array, length: int) -> Span:
        """When sessions of `length` slots are that start at the slots `first`; they are cut where the week ends."""
        last = np.minimum(first + length, len(self.start)) - 1
        return Span(first, first + length, self.start[first], self.end[last], self.day[first], self.rest[first])

    @property
    def longest_value(self) -> int:
        """A gap of more slots than this asks for no more than this does: longer than a day, and more days than any."""
        return max(DAY_MINUTES // self.unit + 1, len(self.start))


class Span(NamedTuple):
    """
    When one of two sessions is, for many pairs at once: arrays that broadcast with those of the other one.

    `slot` is the first one and `after` that behind the last one; `start` and `end` are minutes since the week began;
    `rested` says that a break lies right before.
    """

    slot: Array
    after: Array
    start: Array
    end: Array
    day: Array
    rested: Bits


class Pair(NamedTuple):
    """
    How the two sessions of a pair stand, for many pairs at once.

    `value` and `most` are what the link says, and `unit` what a slot of them is worth, in minutes.
    """

    first: Span
    second: Span
    same_room: Bits
    value: int
    most: int
    unit: int

    @property
    def gap(self) -> Array:
        """Minutes between the end of the first and the start of the second; below 0 unless the first comes first."""
        return self.second.start - self.first.end

    @property
    def gap_back(self) -> Array:
        """Minutes between the end of the second and the start of the first; below 0 unless the second comes first."""
        return self.first.start - self.second.end

    @property
    def touching(self) -> Bits:
        """Whether one follows the other in the next slot of the day, with no break between."""
        forth = (self.second.slot == self.first.after) & ~self.second.rested
        back = (self.first.slot == self.second.after) & ~self.first.rested
        return np.asarray(self.same_day & (forth | back))

    @property
    def days(self) -> Array:
        """Days from one to the other, 0 on one day."""
        return np.asarray(abs(self.first.day - self.second.day))

    @property
    def same_day(self) -> Bits:
        """Whether they start on one day."""
        return np.asarray(self.first.day == self.second.day)

    @property
    def same_hour(self) -> Bits:
        """Whether they start at one time of the day, by the clock."""
        return np.asarray((self.first.start - self.second.start) % DAY_MINUTES == 0)


class LinkKind(NamedTuple):
    """
    A type of link: what it is about, and which pairs keep it.

    One about blocks looks at all its sessions together (see `terms.SET_LINKS`), one about people asks nothing (see
    `terms.PERMISSIONS`): every pair keeps either.
    """

    about: Literal["time", "room", "blocks", "people"]
    keeps: Callable[[Pair], Bits] = lambda pair: np.ones_like(pair.same_room)


def _far_apart(pair: Pair) -> Bits:
    wanted = pair.value * pair.unit
    return np.asarray(~pair.same_day | (pair.gap >= wanted) | (pair.gap_back >= wanted))


LINKS: Mapping[LinkType, LinkKind] = {
    "precedence": LinkKind("time", lambda pair: pair.gap >= 0),
    "not_overlap": LinkKind("time", lambda pair: (pair.gap >= 0) | (pair.gap_back >= 0)),
    "same_start": LinkKind("time", lambda pair: np.asarray(pair.first.slot == pair.second.slot)),
    "same_day": LinkKind("time", lambda pair: pair.same_day),
    "different_day": LinkKind("time", lambda pair: ~pair.same_day),
    "same_room": LinkKind("room", lambda pair: pair.same_room),
    "different_room": LinkKind("room", lambda pair: ~pair.same_room),
    "consecutive": LinkKind("time", lambda pair: pair.touching),
    "min_gap": LinkKind("time", _far_apart),
    "same_hour": LinkKind("time", lambda pair: pair.same_hour),
    "days_apart": LinkKind("time", lambda pair: (pair.days >= pair.value) & (pair.days <= pair.most)),
    "consecutive_if_same_day": LinkKind("time", lambda pair: ~pair.same_day | pair.touching),
    "ordered_if_same_day": LinkKind("time", lambda pair: ~pair.same_day | (pair.gap >= 0)),
    "grouped": LinkKind("blocks"),
    "may_clash": LinkKind("people"),
}
LINK_CODES: Mapping[LinkType, int] = {link_type: code for code, link_type in enumerate(LINKS)}
"""The number that stands for a type in arrays; it means nothing else."""
TYPE_OF_CODE: Mapping[int, LinkType] = {code: link_type for link_type, code in LINK_CODES.items()}

EITHER_WAY = np.ones(1, dtype=np.bool_)
SOMETIME = Span(*(np.zeros(1, dtype=np.int64),) * 5, EITHER_WAY)
"""In place of what a link is not about."""


def times_keep(
    link_type: LinkType,
    first: Array,
    second: Array,
    lengths: tuple[int, int],
    clock: Clock,
    value: int,
    most: int = NO_MOST,
) -> Bits:
    """
    Which starts of two sessions keep a link.

    Parameters
    ----------
    first, second
        ``(n,)`` and ``(m,)``; possible starts of the first and of the second session of the pair.
    lengths
        Their lengths in slots.
    value, most
        What the link says, in the unit of its type.

    Returns
    -------
    ``(n, m)``; True everywhere where the link is not about times.
    """
    shape = (len(first), len(second))
    if LINKS[link_type].about != "time":
        return np.ones(shape, dtype=np.bool_)
    a = clock.span(np.asarray(first, dtype=np.int64)[:, None], lengths[0])
    b = clock.span(np.asarray(second, dtype=np.int64)[None, :], lengths[1])
    return np.broadcast_to(LINKS[link_type].keeps(Pair(a, b, EITHER_WAY, value, most, clock.unit)), shape)


def rooms_keep(link_type: LinkType, first: Array, second: Array) -> Bits:
    """
    Which rooms of two sessions keep a link.

    Parameters
    ----------
    first, second
        ``(n,)`` and ``(m,)`` rooms by number.

    Returns
    -------
    ``(n, m)``; True everywhere where the link is not about rooms.
    """
    shape = (len(first), len(second))
    if LINKS[link_type].about != "room":
        return np.ones(shape, dtype=np.bool_)
    same_room = np.asarray(first)[:, None] == np.asarray(second)[None, :]
    return np.broadcast_to(LINKS[link_type].keeps(Pair(SOMETIME, SOMETIME, same_room, 0, NO_MOST, 1)), shape)


def broken_table(link_type: LinkType, lengths: tuple[int, int], clock: Clock, value: int, most: int = NO_MOST) -> Bits:
    """
    Which pairs break a link, by all that any link looks at.

    Returns
    -------
    ``(2, slots, slots)`` by same room or not (0 for not) and the starts of the two sessions.
    """
    slots = np.arange(len(clock.start))
    a, b = clock.span(slots[:, None], lengths[0]), clock.span(slots[None, :], lengths[1])
    no_yes = np.array([False, True])[:, None, None]
    keeps = LINKS[link_type].keeps(Pair(a, b, no_yes, value, most, clock.unit))
    return np.broadcast_to(~keeps, (2, len(slots), len(slots)))
