"""
Spatial dimension: how far from home a course is held.

    home(c)    = the building that holds most rooms of the department of c; most rooms at all when that is not known
    cost(c, b) = 0.8 minutes(home(c), b) / most minutes between two buildings
               + 0.2 share of the rooms of b that belong to another department than c's

The unit is a share of the longest way on the campus, 1. Rooms of no department belong to everybody. The place
"no building" is 0 minutes from everywhere, as are buildings between which no minutes are known. Between buildings with
equally many rooms the one named first is home.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solver.context.dimension import Dimension
from solver.context.starts import Reals
from solver.model import Dataset

DISTANCE = 0.8
FOREIGN = 0.2

Buildings = tuple[str | None, ...]


def spatial(dataset: Dataset, buildings: Buildings) -> Dimension:
    """
    Rates every building for every course.

    Parameters
    ----------
    buildings
        As `buildings_of` lists them.

    Returns
    -------
    Dimension
        ``(courses, buildings)`` cost of the place.
    """
    departments = list(dict.fromkeys(course.department_id for course in dataset.courses))
    row_of = {department: d for d, department in enumerate(departments)}
    own, owned, rooms = _room_counts(dataset, departments, buildings)
    minutes = travel_table(dataset, buildings)
    homes = home_buildings(own, rooms)
    costs = DISTANCE * minutes[homes] / max(1, int(minutes.max())) + FOREIGN * (owned - own) / np.maximum(1, rooms)
    return Dimension(
        cost=costs[[row_of[course.department_id] for course in dataset.parts]],
        data=f"{len(buildings) - 1} buildings, {np.count_nonzero(minutes)} one-way distances between them, "
        f"{int(owned.sum())} of {len(dataset.rooms)} rooms with a department",
    )


def buildings_of(dataset: Dataset) -> Buildings:
    """None for "no building", then every building once in the order of the rooms."""
    return (None, *dict.fromkeys(room.building for room in dataset.rooms if room.building is not None))


def travel_table(dataset: Dataset, buildings: Buildings) -> NDArray[np.int32]:
    """``(buildings, buildings)`` minutes, the same as `Dataset.travel` gives for each pair."""
    index = {building: b for b, building in enumerate(buildings) if building is not None}
    ways = [
        (index[building], index[other], minutes)
        for building, row in dataset.travel_minutes.items()
        for other, minutes in row.items()
        if building in index and other in index and building != other
    ]
    table = np.zeros((len(buildings), len(buildings)), dtype=np.int32)
    for a, b, minutes in ways:
        table[b, a] = minutes
    # Ways back first: a direction that is given itself wins over the other one.
    for a, b, minutes in ways:
        table[a, b] = minutes
    return table


def home_buildings(own: Reals, rooms: Reals) -> NDArray[np.intp]:
    """
    Finds the home of each department.

    Parameters
    ----------
    own
        ``(departments, buildings)`` rooms of the department in the building.
    rooms
        ``(buildings,)`` rooms in the building.

    Returns
    -------
    ndarray
        ``(departments,)`` index of the building; 0, "no building", when no room stands in one.
    """
    counts = np.where(own[:, 1:].any(axis=1, keepdims=True), own[:, 1:], rooms[1:])
    if not counts.any():
        return np.zeros(len(own), dtype=np.intp)
    return np.asarray(1 + counts.argmax(axis=1), dtype=np.intp)


def _room_counts(
    dataset: Dataset, departments: Sequence[str | None], buildings: Buildings
) -> tuple[Reals, Reals, Reals]:
    """Rooms per building: of each department ``(departments, buildings)``, of any department, and all."""
    building_of = {building: b for b, building in enumerate(buildings)}
    row_of = {department: d for d, department in enumerate(departments) if department is not None}
    own = np.zeros((len(departments), len(buildings)))
    owned, rooms = np.zeros(len(buildings)), np.zeros(len(buildings))
    for room in dataset.rooms:
        b = building_of[room.building]
        rooms[b] += 1
        owned[b] += room.department_id is not None
        if room.department_id in row_of:
            own[row_of[room.department_id], b] += 1
    return own, owned, rooms
