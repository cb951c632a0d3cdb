"""Where sessions may start and which slots they cover, as tables of courses by slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.calendar import TimeGrid
from solver.model import Cohort, Dataset, Faculty, Group, Room

Reals: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


def grid_starts(grid: TimeGrid, length: int) -> Bools:
    """``(slots,)``: whether a session of `length` slots that starts there stays inside the day and clear of breaks."""
    return np.array([grid.can_start(t, length) for t in range(grid.num_slots)], dtype=np.bool_)


def session_starts(dataset: Dataset) -> Bools:
    """``(courses, slots)``: `grid_starts` for the session length of each course."""
    lengths = session_lengths(dataset)
    table = np.zeros((len(lengths), dataset.time_grid.num_slots), dtype=np.bool_)
    for length in np.unique(lengths):
        table[lengths == length] = grid_starts(dataset.time_grid, int(length))
    return table


def allowed_starts(dataset: Dataset) -> Bools:
    """``(courses, slots)``: whether a course may start there; one that says nothing of its starts may take all."""
    table = np.ones((len(dataset.parts), dataset.time_grid.num_slots), dtype=np.bool_)
    for c, course in enumerate(dataset.parts):
        if course.chooses_starts:
            table[c] = [course.may_start(t) for t in range(dataset.time_grid.num_slots)]
    return table


def closed_slots(owners: Sequence[Room | Faculty | Group | Cohort], num_slots: int) -> NDArray[np.int32]:
    """``(owners, slots)``: 1 where the room, teacher or cohort is unavailable, 0 elsewhere."""
    table = np.zeros((len(owners), num_slots), dtype=np.int32)
    for i, owner in enumerate(owners):
        table[i, list(owner.unavailable)] = 1
    return table


def session_lengths(dataset: Dataset) -> NDArray[np.int64]:
    """``(courses,)`` slots of one session."""
    return np.array([course.session_slots for course in dataset.parts], dtype=np.int64)


def sum_over_session(per_slot: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """
    Sums a table over the slots that a session covers.

    Parameters
    ----------
    per_slot
        ``(courses, slots)`` any number type.

    Returns
    -------
    ndarray
        ``(courses, slots)``, same type: the sum over the slots of a session that starts there, 0 where none can start.
    """
    grid, lengths = dataset.time_grid, session_lengths(dataset)
    before = np.zeros((per_slot.shape[0], grid.num_slots + 1), dtype=per_slot.dtype)
    np.cumsum(per_slot, axis=1, out=before[:, 1:])
    total = np.zeros_like(per_slot, shape=per_slot.shape)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)[:, None]
        slots = np.flatnonzero(grid_starts(grid, int(length)))[None, :]
        total[rows, slots] = before[rows, slots + length] - before[rows, slots]
    return total


def mean_over_session(per_slot: Reals, dataset: Dataset) -> Reals:
    """`sum_over_session` of a table in [0, 1], divided by the length of the session: in [0, 1] again."""
    mean: Reals = sum_over_session(per_slot, dataset) / session_lengths(dataset)[:, None]
    # Differences of running sums may miss 0 or 1 by a rounding error.
    return np.clip(mean, 0.0, 1.0)


def cover(starts: Reals, dataset: Dataset) -> Reals:
    """
    Spreads weights of starts over the slots that the sessions cover: the transpose of `sum_over_session`.

    Parameters
    ----------
    starts
        ``(courses, slots)`` weight of a start there; 0 where a session cannot start.
    """
    lengths = session_lengths(dataset)
    covered = np.zeros_like(starts)
    for offset in range(int(lengths.max())):
        rows = lengths > offset
        covered[rows, offset:] += starts[rows, : starts.shape[1] - offset]
    return covered
