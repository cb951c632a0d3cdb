"""
Academic dimension: demanding courses belong into the early periods.

    demand(c)   = 0.4 credits / most credits + 0.2 [core subject]
                + 0.2 (slots of a session - 1) / (most slots - 1) + 0.2 prerequisite depth / greatest depth
    lateness(t) = period / (periods - 1), 0 for the first and 1 for the last period of a day
    cost(c, t)  = demand(c) x mean of lateness over the slots that a session covers from t on

The unit is a share of the most demanding course at the latest hour, 1. The depth of a course is the length of the
longest chain of prerequisites below it. A share whose greatest value is 0 counts 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from solver.context.dimension import Dimension
from solver.context.graph import chain_depths
from solver.context.starts import Reals, mean_over_session, session_lengths
from solver.model import Dataset
from solver.terms import CORE_SUBJECT_TYPE

CREDITS = 0.4
CORE = 0.2
LENGTH = 0.2
DEPTH = 0.2


def academic(dataset: Dataset) -> Dimension:
    """``(courses, slots)`` cost of a late hour for what is taught."""
    grid = dataset.time_grid
    day = np.arange(grid.num_periods) / max(1, grid.num_periods - 1)
    lateness = np.broadcast_to(np.tile(day, grid.num_days), (len(dataset.parts), grid.num_slots))
    with_credits = sum(course.credits > 0 for course in dataset.courses)
    with_prerequisites = sum(bool(course.prerequisites) for course in dataset.courses)
    return Dimension(
        cost=demand(dataset)[:, None] * mean_over_session(lateness, dataset),
        data=f"{with_credits} courses with credits, {with_prerequisites} with prerequisites",
    )


def demand(dataset: Dataset) -> Reals:
    """``(courses,)`` how demanding each course is, in [0, 1]."""
    depths = chain_depths({course.id: course.prerequisites for course in dataset.courses})
    core = np.array([course.subject_type == CORE_SUBJECT_TYPE for course in dataset.parts], dtype=np.float64)
    return np.asarray(
        CREDITS * _share([course.credits for course in dataset.parts])
        + CORE * core
        + LENGTH * _share(session_lengths(dataset) - 1)
        + DEPTH * _share([depths[course.id] for course in dataset.parts]),
        dtype=np.float64,
    )


def _share(values: ArrayLike) -> Reals:
    """Values divided by the greatest one; zeros when that is 0."""
    array = np.asarray(values, dtype=np.float64)
    return array / max(array.max(), 0.0) if array.max() > 0 else np.zeros_like(array)
