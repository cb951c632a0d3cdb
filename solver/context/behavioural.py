"""
Behavioural dimension: how teaching at an hour went in earlier terms.

    liking(f, t) = (sum of the ratings of f at t + 2 x 0.5) / (number of those ratings + 2)
    cost(c, t)   = 1 - mean of liking over the teachers of c and the slots that a session covers from t on

The unit is a rating, 0 to 1. The two neutral ratings of 0.5 that everybody starts with keep a single bad day from
banning an hour: one rating of 0 counts as 0.33, ten of them as 0.08. Who was never rated, and a course without
teachers, stands at 0.5 at every hour.
"""

from __future__ import annotations

import numpy as np

from solver.context.dimension import Dimension
from solver.context.graph import row_means, teaching_matrix
from solver.context.starts import Reals, mean_over_session, session_starts
from solver.model import Dataset

NEUTRAL = 0.5
NEUTRAL_RATINGS = 2
"""Ratings of `NEUTRAL` that every teacher is given at every slot."""


def behavioural(dataset: Dataset) -> Dimension:
    """``(courses, slots)`` cost of the teachers' experience with the hour."""
    rated = len({rating.faculty_id for rating in dataset.history})
    data = f"{len(dataset.history)} past ratings of {rated} out of {len(dataset.faculty)} teachers"
    if not dataset.history:
        return Dimension(cost=np.where(session_starts(dataset), NEUTRAL, 0.0), data=data)
    per_slot: Reals = row_means(teaching_matrix(dataset)) @ (1.0 - liking(dataset))
    per_slot[[not course.faculty_ids for course in dataset.parts]] = NEUTRAL
    return Dimension(cost=mean_over_session(per_slot, dataset), data=data)


def liking(dataset: Dataset) -> Reals:
    """``(faculty, slots)`` smoothed rating in (0, 1); 0.5 where nothing is known."""
    index = {teacher.id: f for f, teacher in enumerate(dataset.faculty)}
    teachers = [index[rating.faculty_id] for rating in dataset.history]
    slots = [rating.slot for rating in dataset.history]
    shape = (len(index), dataset.time_grid.num_slots)
    total = np.full(shape, NEUTRAL * NEUTRAL_RATINGS)
    count = np.full(shape, float(NEUTRAL_RATINGS))
    np.add.at(total, (teachers, slots), [rating.rating for rating in dataset.history])
    np.add.at(count, (teachers, slots), 1.0)
    return np.asarray(total / count, dtype=np.float64)
