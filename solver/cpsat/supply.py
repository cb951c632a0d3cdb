"""Rooms as mere supply: in each slot, sessions that need some set of rooms are no more than the set holds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from solver.compiled import Compiled
from solver.cpsat.model_builder import ModelBuilder
from solver.cpsat.plan import Treatment, Unit


def add_room_supply(builder: ModelBuilder) -> None:
    """In each slot, the sessions that can only use some set of rooms are no more than these hold."""
    if builder.treatment("room_clash") is not Treatment.FORBID:
        return
    for t in range(builder.compiled.num_slots):
        for rooms, units in rooms_wanted(builder, t).items():
            literals, most = builder.covers(units, t), held_by(builder.compiled, rooms, t)
            if len(literals) > most:
                builder.at_most(literals, most)


def held_by(compiled: Compiled, places: Iterable[int], t: int) -> int:
    """Sessions that these places hold at slot t, each taking one of their rooms at least."""
    rooms = {
        room for q in places for room in compiled.place_room[compiled.place_ptr[q] : compiled.place_ptr[q + 1]].tolist()
    }
    return int(compiled.room_limit[list(rooms), t].sum(dtype=np.int64))


def rooms_wanted(builder: ModelBuilder, t: int) -> dict[frozenset[int], list[int]]:
    """Each set of rooms that some unit could use at slot t, with all units that could use no others."""
    usable: dict[int, frozenset[int]] = {}
    for u, unit in enumerate(builder.plan.units):
        if builder.cover(u, t):
            usable[u] = rooms_at(unit, t)
    return {rooms: [u for u, own in usable.items() if own <= rooms] for rooms in set(usable.values())}


def rooms_at(unit: Unit, t: int) -> frozenset[int]:
    """Rooms that a session of the unit may be in while it covers slot t."""
    starts = range(t - unit.length + 1, t + 1)
    return frozenset(room for start in starts for room in unit.places.get(start, ()))
