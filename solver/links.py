"""
The table of links: what each type asks of two sessions.

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


class Pair(NamedTuple):
    """
    How the second of two sessions stands to the first, for many pairs at once: the arrays broadcast.

    `offset` is the start of the second less that of the first, `lengths` are those of the first and the second, and
    `value` is what the link says; all in slots.
    """

    offset: Array
    same_day: Bits
    same_room: Bits
    lengths: tuple[int, int]
    value: int

    @property
    def gap(self) -> Array:
        """Slots between the end of the first and the start of the second; below 0 unless the first comes first."""
        return self.offset - self.lengths[0]

    @property
    def gap_back(self) -> Array:
        """Slots between the end of the second and the start of the first; below 0 unless the second comes first."""
        return -self.offset - self.lengths[1]


class LinkKind(NamedTuple):
    """A type of link: whether it is about times or about rooms, and which pairs keep it."""

    about: Literal["time", "room"]
    keeps: Callable[[Pair], Bits]


LINKS: Mapping[LinkType, LinkKind] = {
    "precedence": LinkKind("time", lambda pair: pair.gap >= 0),
    "not_overlap": LinkKind("time", lambda pair: (pair.gap >= 0) | (pair.gap_back >= 0)),
    "same_start": LinkKind("time", lambda pair: pair.offset == 0),
    "same_day": LinkKind("time", lambda pair: pair.same_day),
    "different_day": LinkKind("time", lambda pair: ~pair.same_day),
    "same_room": LinkKind("room", lambda pair: pair.same_room),
    "different_room": LinkKind("room", lambda pair: ~pair.same_room),
    "consecutive": LinkKind("time", lambda pair: pair.same_day & ((pair.gap == 0) | (pair.gap_back == 0))),
    "min_gap": LinkKind("time", lambda pair: ~pair.same_day | (pair.gap >= pair.value) | (pair.gap_back >= pair.value)),
}
LINK_CODES: Mapping[LinkType, int] = {link_type: code for code, link_type in enumerate(LINKS)}
"""The number that stands for a type in arrays; it means nothing else."""
TYPE_OF_CODE: Mapping[int, LinkType] = {code: link_type for link_type, code in LINK_CODES.items()}

SOMEWHERE = np.zeros(1, dtype=np.int64)
EITHER_WAY = np.ones(1, dtype=np.bool_)
"""In place of what a link is not about."""


def times_keep(
    link_type: LinkType, first: Array, second: Array, lengths: tuple[int, int], num_periods: int, value: int
) -> Bits:
    """
    Which starts of two sessions keep a link.

    Parameters
    ----------
    first, second
        ``(n,)`` and ``(m,)``; possible starts of the first and of the second session of the pair.
    lengths
        Their lengths in slots.

    Returns
    -------
    ``(n, m)``; True everywhere where the link is not about times.
    """
    shape = (len(first), len(second))
    if LINKS[link_type].about != "time":
        return np.ones(shape, dtype=np.bool_)
    a, b = np.asarray(first)[:, None], np.asarray(second)[None, :]
    same_day = a // num_periods == b // num_periods
    return np.broadcast_to(LINKS[link_type].keeps(Pair(b - a, same_day, EITHER_WAY, lengths, value)), shape)


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
    return np.broadcast_to(LINKS[link_type].keeps(Pair(SOMEWHERE, EITHER_WAY, same_room, (1, 1), 0)), shape)


def broken_table(link_type: LinkType, lengths: tuple[int, int], num_slots: int, value: int) -> Bits:
    """
    Which pairs break a link, by all that any link looks at.

    Returns
    -------
    ``(2, 2, 2 * num_slots - 1)`` by same room or not, same day or not (0 for not), and the start of the second session
    less that of the first plus ``num_slots - 1``.
    """
    no_yes = np.array([False, True])
    offset = np.arange(1 - num_slots, num_slots)
    pair = Pair(offset, no_yes[None, :, None], no_yes[:, None, None], lengths, value)
    return np.broadcast_to(~LINKS[link_type].keeps(pair), (2, 2, len(offset)))
