"""The account of the context for people: JSON-safe, no ids of students."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from solver.context.dimension import WEIGHTS, Dimension
from solver.context.graph import Matrix
from solver.context.starts import Bools
from solver.model import Dataset
from solver.rules import CONTEXT_POINTS


def summarise(
    dataset: Dataset,
    dimensions: Mapping[str, Dimension],
    starts: Bools,
    graph: Matrix,
    seconds: Mapping[str, float],
) -> dict[str, object]:
    """
    Tells what the context is made of.

    Parameters
    ----------
    starts
        ``(courses, slots)``: the starts whose points count in the means.
    seconds
        Per step that was run.
    """
    skipped = [name for name in WEIGHTS if name not in dimensions]
    return {
        "simplified": bool(skipped),
        "skipped": skipped,
        "dimensions": {name: _points(name, dimension, starts) for name, dimension in dimensions.items()},
        "conflict_graph": _graph(dataset, graph),
        "seconds": dict(seconds),
    }


def _points(name: str, dimension: Dimension, starts: Bools) -> dict[str, object]:
    """Points that the dimension alone gives, before each course is counted from its best place."""
    costs = dimension.cost.ravel() if name == "spatial" else dimension.cost[starts]
    points = CONTEXT_POINTS * WEIGHTS[name] * (costs if costs.size else np.zeros(1))
    return {
        "weight": WEIGHTS[name],
        "mean_points": round(float(points.mean()), 3),
        "min_points": round(float(points.min()), 3),
        "max_points": round(float(points.max()), 3),
        "data": dimension.data,
    }


def _graph(dataset: Dataset, graph: Matrix) -> dict[str, object]:
    courses = len(dataset.parts)
    degrees = np.diff(graph.indptr)
    busiest = int(degrees.argmax())
    return {
        "courses": courses,
        "edges": graph.nnz // 2,
        "density": round(graph.nnz / (courses * (courses - 1)), 4) if courses > 1 else 0.0,
        "busiest_course": dataset.parts[busiest].id if degrees[busiest] else None,
        "busiest_course_conflicts": int(degrees[busiest]),
        "max_common_students": int(graph.data.max()) if graph.nnz else 0,
    }
