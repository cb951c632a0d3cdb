"""The arithmetic of the campaign."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """
    The smallest value that at least `share` of all values do not exceed (nearest rank); `share` 1 is the worst.

    Raises
    ------
    ValueError
        There are no values, or `share` is not within (0, 1].
    """
    if not values or not 0 < share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Rise of y per unit of x of (x, y) pairs by least squares; 0 when all x are the same."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
