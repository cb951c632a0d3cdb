"""
Temporal dimension: hours that nobody likes, whoever teaches what.

    dislike(t) = min(1, 0.4 [first period of the day] + 0.8 [last period of the day]
                      + 0.3 [first period after lunch] + 0.4 [afternoon of the last working day])
    cost(c, t) = mean of dislike over the slots that a session of c covers when it starts at t

The unit is a share of the worst hour, 1. The afternoon starts after lunch, on a day without lunch with the second half
of its periods. A long session is disliked for each of its hours alike, so that no lab is judged by its last hour alone.
"""

from __future__ import annotations

import numpy as np

from solver.calendar import TimeGrid
from solver.context.dimension import Dimension
from solver.context.starts import Reals, mean_over_session
from solver.model import Dataset

FIRST_PERIOD = 0.4
LAST_PERIOD = 0.8
AFTER_LUNCH = 0.3
LAST_AFTERNOON = 0.4


def temporal(dataset: Dataset) -> Dimension:
    """``(courses, slots)`` cost of the hour."""
    dislike = slot_dislike(dataset.time_grid)
    per_slot = np.broadcast_to(dislike, (len(dataset.parts), len(dislike)))
    grid = dataset.time_grid
    lunch = "a lunch break" if any(grid.after_lunch(day) for day in range(grid.num_days)) else "no lunch break"
    return Dimension(
        cost=mean_over_session(per_slot, dataset),
        data=f"a grid of {grid.num_days} days with {grid.num_periods} periods and {lunch}",
    )


def slot_dislike(grid: TimeGrid) -> Reals:
    """``(slots,)`` dislike of each slot in [0, 1]; a period that a day has not is disliked as if it came after all."""
    table = np.zeros((grid.num_days, grid.num_periods))
    for day in range(grid.num_days):
        periods, lunch = len(grid.periods_of(day)), grid.after_lunch(day)
        table[day, 0] += FIRST_PERIOD
        table[day, periods - 1 :] += LAST_PERIOD
        if lunch is not None:
            table[day, lunch] += AFTER_LUNCH
        if day == grid.num_days - 1:
            table[day, lunch if lunch is not None else (periods + 1) // 2 :] += LAST_AFTERNOON
    return np.minimum(table, 1.0).ravel()
