"""
Social dimension: hours at which the people of a course are needed elsewhere.

    density(c, t) = expected sessions of c that cover t when its free sessions are spread evenly over its open starts;
                    a fixed session counts 1 where it stands
    busy(c, t)    = mean over the attendees of c of the summed density of their *other* courses at t
    away(c, t)    = share of the cohorts of c that are outside their shift at t
    cost(c, t)    = mean over the slots that a session covers from t on of min(1, busy + away)

The unit is the expected share of attendees that are not free. Attendees are the students, each with weight 1, and the
cohorts, each with its size. An open start is one that the grid, `allowed_slots`, the teachers and the groups permit; a
course that has none is spread over every start of the grid.

All other courses of an attendee are summed in two sparse products, attendance @ (attendance^T @ density), so the work
grows with the number of enrolments and never with pairs of students.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from solver.context.dimension import Dimension
from solver.context.graph import Matrix, cohort_matrix, row_means, teaching_matrix
from solver.context.starts import (
    Bools,
    Reals,
    allowed_starts,
    closed_slots,
    cover,
    mean_over_session,
    session_starts,
    sum_over_session,
)
from solver.model import Dataset


def social(dataset: Dataset, enrolments: Matrix) -> Dimension:
    """
    Estimates how busy the people of each course are.

    Parameters
    ----------
    enrolments
        ``(courses, students)`` as `enrolment_matrix` makes it.

    Returns
    -------
    Dimension
        ``(courses, slots)`` expected share of attendees that are not free.
    """
    groups = cohort_matrix(dataset)
    sizes = np.array([max(1, cohort.size) for cohort in dataset.cohorts], dtype=np.float64)
    attendance = sparse.csr_array(sparse.hstack([enrolments, groups], format="csr"))
    weights = np.concatenate([np.ones(enrolments.shape[1]), sizes])[attendance.indices]
    weighted = sparse.csr_array((weights, attendance.indices, attendance.indptr), shape=attendance.shape)
    expected = density(dataset)
    # Every attendee is also in the course itself. A course without attendees falls below 0 here and is clipped.
    busy = row_means(weighted) @ (attendance.T @ expected) - expected
    away = row_means(groups) @ closed_slots(dataset.cohorts, dataset.time_grid.num_slots)
    per_slot = np.clip(busy + away, 0.0, 1.0)
    return Dimension(
        cost=mean_over_session(per_slot, dataset),
        data=f"{enrolments.nnz} enrolments of {enrolments.shape[1]} students, "
        f"{groups.nnz} places of {groups.shape[1]} cohorts",
    )


def density(dataset: Dataset) -> Reals:
    """``(courses, slots)`` expected number of sessions of each course in each slot, at most 1."""
    starts = open_starts(dataset)
    fixed = np.zeros(starts.shape)
    for c, course in enumerate(dataset.parts):
        for session in course.fixed:
            fixed[c, session.slot] += 1
    free = np.array([course.sessions_per_week - len(course.fixed) for course in dataset.parts])
    spread = starts * (free / np.maximum(1, starts.sum(axis=1)))[:, None]
    return np.minimum(1.0, cover(fixed + spread, dataset))


def open_starts(dataset: Dataset) -> Bools:
    """``(courses, slots)``: starts that grid, course, teachers and groups permit; the whole grid where none is left."""
    on_grid = session_starts(dataset)
    closed = teaching_matrix(dataset) @ closed_slots(dataset.faculty, dataset.time_grid.num_slots)
    closed += cohort_matrix(dataset) @ closed_slots(dataset.cohorts, dataset.time_grid.num_slots)
    starts: Bools = on_grid & allowed_starts(dataset) & (sum_over_session(closed, dataset) == 0)
    nowhere = ~starts.any(axis=1)
    starts[nowhere] = on_grid[nowhere]
    return starts
