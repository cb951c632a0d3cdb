"""Links in the second counter: pairs that do not hold, and blocks of sessions that should make one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.calendar import DAY_MINUTES
from solver.compiled import Compiled, Ints
from solver.links import LINK_CODES
from solver.terms import LinkType

Bits: TypeAlias = NDArray[np.bool_]
Longs: TypeAlias = NDArray[np.int64]


def links_broken(compiled: Compiled, slots: Ints, rooms: Ints, *, hard: bool) -> int:
    """
    Weighted units of hard or of soft links.

    Parameters
    ----------
    slots, rooms
        ``(sessions,)``; -1 in either means unplaced.
    """
    there = (slots >= 0) & (rooms >= 0)
    places = slots.astype(np.int64), rooms.astype(np.int64)
    return _pairs_broken(compiled, *places, there, hard) + _blocks_above_one(compiled, places[0], there, hard)


def _pairs_broken(c: Compiled, slots: Longs, rooms: Longs, there: Bits, hard: bool) -> int:
    chosen = np.flatnonzero((c.link_hard == hard) & there[c.link_a] & there[c.link_b])
    a, b = c.link_a[chosen], c.link_b[chosen]
    broken = ~links_hold(
        c.link_type[chosen],
        (c.link_value[chosen].astype(np.int64), c.link_most[chosen].astype(np.int64)),
        (slots[a], rooms[a], c.length[c.course_of_session[a]].astype(np.int64)),
        (slots[b], rooms[b], c.length[c.course_of_session[b]].astype(np.int64)),
        c,
    )
    return int(c.link_weight[chosen][broken].sum(dtype=np.int64))


def _blocks_above_one(c: Compiled, slots: Longs, there: Bits, hard: bool) -> int:
    total = 0
    for k in np.flatnonzero(c.set_hard == hard).tolist():
        busy = np.zeros(c.num_slots, dtype=np.bool_)
        for s in c.set_session[c.set_ptr[k] : c.set_ptr[k + 1]].tolist():
            if there[s]:
                busy[slots[s] : slots[s] + c.length[c.course_of_session[s]]] = True
        total += int(c.set_weight[k]) * max(0, _blocks(c, busy) - 1)
    return total


def _blocks(c: Compiled, busy: Bits) -> int:
    """Stretches of busy slots, ``(slots,)``; days end them, and breaks that no session runs over."""
    period = np.arange(c.num_slots) % c.num_periods
    follows = np.concatenate([[False], busy[:-1]]) & (period != 0) & (c.wall == 0)
    return int((busy & ~follows).sum())


Place: TypeAlias = tuple[Longs, Longs, Longs]


def links_hold(kind: Ints, says: tuple[Longs, Longs], a: Place, b: Place, c: Compiled) -> Bits:
    """
    Whether pairs of sessions keep the links of the given kinds, which say a value and a most; a place is (slots, rooms,
    lengths).
    """
    value, most = says
    (slot_a, room_a, length_a), (slot_b, room_b, length_b) = a, b
    days = np.abs(slot_a // c.num_periods - slot_b // c.num_periods)
    same_day = days == 0
    start, end = c.slot_start.astype(np.int64), c.slot_end.astype(np.int64)
    # Minutes from the end of one to the start of the other.
    a_first, b_first = start[slot_b] - end[slot_a + length_a - 1], start[slot_a] - end[slot_b + length_b - 1]
    b_follows = (slot_b == slot_a + length_a) & (c.rest[slot_b] == 0)
    a_follows = (slot_a == slot_b + length_b) & (c.rest[slot_a] == 0)
    touching = same_day & (a_follows | b_follows)
    wanted = value * c.gap_unit
    holds: Mapping[LinkType, Bits] = {
        "precedence": a_first >= 0,
        "not_overlap": (a_first >= 0) | (b_first >= 0),
        "same_start": slot_a == slot_b,
        "same_day": same_day,
        "different_day": ~same_day,
        "same_room": room_a == room_b,
        "different_room": room_a != room_b,
        "consecutive": touching,
        "min_gap": ~same_day | (a_first >= wanted) | (b_first >= wanted),
        "same_hour": (start[slot_a] - start[slot_b]) % DAY_MINUTES == 0,
        "days_apart": (days >= value) & (days <= most),
        "consecutive_if_same_day": ~same_day | touching,
        "ordered_if_same_day": ~same_day | (a_first >= 0),
    }
    kept: Bits = np.select([kind == LINK_CODES[name] for name in holds], list(holds.values()), default=True)
    return kept
