"""
The table of links: what each type asks of two sessions, or of all its sessions together.

The search, CP-SAT and `diagnose` read it; the verifier, which judges them, has predicates of its own. Whoever works on
many pairs asks once for all of them (`times_keep`, `rooms_keep`, `broken_table`) and looks the answers up, so nobody
else has to know one type from another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.terms import LinkType

Array: TypeAlias = NDArray[Any]
Bits: TypeAlias = NDArray[np.bool_]


NO_MOST = 2**30
"""In place of the most that a link allows, where it says nothing of it."""


class Pair(NamedTuple):
    """
    Where the two sessions of a pair stand, for many pairs at once: the arrays broadcast.

    `first` and `second` are their starts on a grid of `num_periods` slots a day, `lengths` what they take of it, in
    slots. `value` and `most` are what the link says.
    """

    first: Array
    second: Array
    same_room: Bits
    lengths: tuple[int, int]
    num_periods: int
    value: int
    most: int

    @property
    def gap(self) -> Array:
        """Slots between the end of the first and the start of the second; below 0 unless the first comes first."""
        return self.second - self.first - self.lengths[0]

    @property
    def gap_back(self) -> Array:
        """Slots between the end of the second and the start of the first; below 0 unless the second comes first."""
        return self.first - self.second - self.lengths[1]

    @property
    def touching(self) -> Bits:
        """Whether one ends where the other starts."""
        return np.asarray((self.gap == 0) | (self.gap_back == 0))

    @property
    def days(self) -> Array:
        """Days from one to the other, 0 on one day."""
        return abs(self.first // self.num_periods - self.second // self.num_periods)

    @property
    def same_day(self) -> Bits:
        """Whether they start on one day."""
        return np.asarray(self.days == 0)

    @property
    def same_hour(self) -> Bits:
        """Whether they start at one time of the day."""
        return np.asarray(self.first % self.num_periods == self.second % self.num_periods)


class LinkKind(NamedTuple):
    """
    A type of link: what it is about, and which pairs keep it.

    One about blocks looks at all its sessions together (see `terms.SET_LINKS`), one about people asks nothing (see
    `terms.PERMISSIONS`): every pair keeps either.
    """

    about: Literal["time", "room", "blocks", "people"]
    keeps: Callable[[Pair], Bits] = lambda pair: np.ones_like(pair.same_room)


LINKS: Mapping[LinkType, LinkKind] = {
    "precedence": LinkKind("time", lambda pair: pair.gap >= 0),
    "not_overlap": LinkKind("time", lambda pair: (pair.gap >= 0) | (pair.gap_back >= 0)),
    "same_start": LinkKind("time", lambda pair: pair.first == pair.second),
    "same_day": LinkKind("time", lambda pair: pair.same_day),
    "different_day": LinkKind("time", lambda pair: ~pair.same_day),
    "same_room": LinkKind("room", lambda pair: pair.same_room),
    "different_room": LinkKind("room", lambda pair: ~pair.same_room),
    "consecutive": LinkKind("time", lambda pair: pair.same_day & pair.touching),
    "min_gap": LinkKind("time", lambda pair: ~pair.same_day | (pair.gap >= pair.value) | (pair.gap_back >= pair.value)),
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

SOMEWHERE = np.zeros(1, dtype=np.int64)
EITHER_WAY = np.ones(1, dtype=np.bool_)
"""In place of what a link is not about."""


def times_keep(
    link_type: LinkType,
    first: Array,
    second: Array,
    lengths: tuple[int, int],
    num_periods: int,
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
    a, b = np.asarray(first)[:, None], np.asarray(second)[None, :]
    return np.broadcast_to(LINKS[link_type].keeps(Pair(a, b, EITHER_WAY, lengths, num_periods, value, most)), shape)


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
    pair = Pair(SOMEWHERE, SOMEWHERE, same_room, (1, 1), 1, 0, NO_MOST)
    return np.broadcast_to(LINKS[link_type].keeps(pair), shape)


def broken_table(
    link_type: LinkType, lengths: tuple[int, int], num_slots: int, num_periods: int, value: int, most: int = NO_MOST
) -> Bits:
    """
    Which pairs break a link, by all that any link looks at.

    Returns
    -------
    ``(2, num_slots, num_slots)`` by same room or not (0 for not) and the starts of the two sessions.
    """
    starts = np.arange(num_slots)
    no_yes = np.array([False, True])[:, None, None]
    pair = Pair(starts[:, None], starts[None, :], no_yes, lengths, num_periods, value, most)
    return np.broadcast_to(~LINKS[link_type].keeps(pair), (2, num_slots, num_slots))
