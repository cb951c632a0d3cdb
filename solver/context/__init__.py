"""
The context engine: how well every hour and building suits every course, in points, and which courses share students.

Five dimensions - temporal, behavioural, academic, social, spatial - each give a cost in [0, 1] by the formula at the
head of their module. The weighted sum of the first four, and the weighted fifth, become points above the best choice:

    slot_points(c, t)     = round(10 x (cost(c, t) - lowest cost of c at a start on the grid that it allows))
    building_points(c, b) = round(10 x (cost(c, b) - lowest cost of c in a building that has a room))

and 0 where that is negative. So a course at its best hour costs nothing, and a dimension that likes all hours alike
changes nothing. A session never costs more than `CONTEXT_POINTS` for its hour and its place together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from solver.context.academic import academic
from solver.context.behavioural import behavioural
from solver.context.dimension import OPTIONAL, WEIGHTS, Dimension
from solver.context.graph import Matrix, chain_depths, conflict_graph, enrolment_matrix, prerequisite_cycles
from solver.context.social import social
from solver.context.spatial import Buildings, buildings_of, spatial
from solver.context.starts import Bools, Reals, allowed_starts, session_starts
from solver.context.summary import summarise
from solver.context.temporal import temporal
from solver.model import Dataset
from solver.rules import CONTEXT_POINTS

__all__ = ["OPTIONAL", "STEPS", "WEIGHTS", "Context", "build_context", "chain_depths", "prerequisite_cycles"]

STEPS = ("enrolments", "conflict graph", *WEIGHTS, "points")
"""What `build_context` reports, in order; the simplified context has no steps of the `OPTIONAL` dimensions."""

Watcher = Callable[[str, float], None]
Product = TypeVar("Product")


@dataclass(frozen=True, kw_only=True)
class Context:
    """
    What the context engine found out about a dataset; courses stand in the order of its `parts`.

    Attributes
    ----------
    slot_points
        ``(courses, slots) int32`` read-only; points of a session that starts there, 0 where none can start.
    buildings
        None for "no building" first, then every building of a room once.
    building_points
        ``(courses, buildings) int32`` read-only; points of a session held there.
    conflict_graph
        ``(courses, courses) int32``, number of common students; symmetric, no diagonal, sorted indices.
    summary
        JSON-safe account for people.
    """

    slot_points: NDArray[np.int32]
    buildings: Buildings
    building_points: NDArray[np.int32]
    conflict_graph: Matrix
    summary: Mapping[str, object] = field(default_factory=dict)


def build_context(dataset: Dataset, *, simplified: bool = False, report: Watcher | None = None) -> Context:
    """
    Works out the context of a dataset.

    Parameters
    ----------
    simplified
        Leaves out the `OPTIONAL` dimensions, for a second try when the whole context took too long; the summary says
        so. Courses, rooms and the conflict graph are never reduced: only preferences are lost, no rule.
    report
        Called with the name of each step when it begins, and the share of the steps that are done, in [0, 1).
    """
    steps = _Steps([step for step in STEPS if not (simplified and step in OPTIONAL)], report)
    enrolments = steps.run("enrolments", lambda: enrolment_matrix(dataset))
    graph = steps.run("conflict graph", lambda: conflict_graph(enrolments))
    buildings = buildings_of(dataset)
    makers: Mapping[str, Callable[[], Dimension]] = {
        "temporal": lambda: temporal(dataset),
        "behavioural": lambda: behavioural(dataset),
        "academic": lambda: academic(dataset),
        "social": lambda: social(dataset, enrolments),
        "spatial": lambda: spatial(dataset, buildings),
    }
    dimensions = {name: steps.run(name, make) for name, make in makers.items() if name in steps.names}
    starts = session_starts(dataset) & allowed_starts(dataset)
    slots, places = steps.run("points", lambda: _points(dimensions, starts, _used_buildings(dataset, buildings)))
    for table in (slots, places):
        table.setflags(write=False)
    return Context(
        slot_points=slots,
        buildings=buildings,
        building_points=places,
        conflict_graph=graph,
        summary=summarise(dataset, dimensions, starts, graph, steps.seconds),
    )


class _Steps:
    """Runs named steps, reports each when it begins and keeps its seconds."""

    def __init__(self, names: list[str], report: Watcher | None) -> None:
        self.names = names
        self.seconds: dict[str, float] = {}
        self._report = report or (lambda step, share: None)

    def run(self, name: str, step: Callable[[], Product]) -> Product:
        self._report(name, self.names.index(name) / len(self.names))
        begun = time.monotonic()
        product = step()
        self.seconds[name] = round(time.monotonic() - begun, 4)
        return product


def _points(
    dimensions: Mapping[str, Dimension], starts: Bools, used: Bools
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    slots = np.zeros(starts.shape)
    places = np.zeros((starts.shape[0], used.shape[1]))
    for name, dimension in dimensions.items():
        table = places if name == "spatial" else slots
        table += WEIGHTS[name] * dimension.cost
    return _from_best(slots, starts), _from_best(places, used)


def _from_best(costs: Reals, options: Bools) -> NDArray[np.int32]:
    """Whole points above the best option of each row, 0 below it; rows without any option are counted from 0."""
    best = np.min(np.where(options, costs, np.inf), axis=1, keepdims=True)
    above = np.maximum(0.0, costs - np.where(np.isfinite(best), best, 0.0))
    # `rint` takes 8.5 to 8 and 1.5 to 2, so that the worst hour at the worst place is 10 points and not 11.
    points: NDArray[np.int32] = np.rint(CONTEXT_POINTS * above).astype(np.int32)
    return points


def _used_buildings(dataset: Dataset, buildings: Buildings) -> Bools:
    """``(1, buildings)``: whether a room stands there; only "no building" may be empty."""
    held = {room.building for room in dataset.rooms}
    return np.array([[building in held for building in buildings]], dtype=np.bool_)
