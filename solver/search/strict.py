"""
What strict mode looks at after every applied move: a search against the timetable that it stands at.

The totals are the sum of what moves claimed, and the counts of `State` are kept on the way in and out. Here both are
made anew from the places of the sessions alone. A day that was kept wrongly is so found at once, and not only when a
move of somebody on that day is priced by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.compiled import Compiled
from solver.search.jit import Longs
from solver.search.recount import Placed
from solver.search.state import State


def check_counts(compiled: Compiled, state: State) -> None:
    """
    Compares what `state` keeps about people, days and slots with a recount.

    Raises
    ------
    AssertionError
        A count differs; the message names the field of `State`, the index and both numbers.
    """
    placed = Placed(compiled, state.slot, state.room)
    for name, counted in recounted(placed, len(state.busy_count)).items():
        kept = getattr(state, name)
        wrong = np.argwhere(kept != counted)
        if len(wrong):
            index = tuple(wrong[0].tolist())
            where = f"State.{name}[{', '.join(map(str, index))}]"
            raise AssertionError(f"{where} is kept as {kept[index]}, a recount finds {counted[index]}")


def recounted(placed: Placed, num_resources: int) -> Mapping[str, NDArray[Any]]:
    """
    What fields of `State` have to be. Students are among the resources only where `num_resources` has room for them:
    all of them, or those without a group.
    """
    c = placed.compiled
    clashing = c.num_faculty + c.num_clash_groups
    busy = np.zeros((num_resources, c.num_slots), dtype=np.int64)
    busy[: c.num_faculty] = placed.occupancy(c.faculty_ptr, c.faculty, c.num_faculty)
    busy[c.num_faculty : clashing] = placed.group_slots
    if num_resources > clashing:
        students = placed.occupancy(c.student_ptr, c.student, c.num_students)
        everybody = num_resources == clashing + c.num_students
        busy[clashing:] = students if everybody else students[c.lone_student > 0]
    starts = np.zeros((num_resources, c.num_days), dtype=np.int64)
    starts[: c.num_faculty] = placed.faculty_days
    starts[c.num_faculty : clashing] = placed.per_day(c.group_ptr, c.group, c.num_clash_groups)
    return {
        "busy_count": busy,
        "mask": np.stack([_day_masks(c, busy, level) for level in (1, 2)], axis=-1),
        "day_count": starts,
        "course_day": placed.course_days,
        "days_used": (placed.course_days > 0).sum(axis=1),
        "slot_count": placed.course_slots.sum(axis=0),
    }


def _day_masks(c: Compiled, busy: Longs, level: int) -> Longs:
    """``(resources, days)`` a bit per period with `level` sessions or more."""
    bit = np.int64(1) << np.arange(c.num_periods)
    return (busy.reshape(len(busy), c.num_days, c.num_periods) >= level) @ bit
