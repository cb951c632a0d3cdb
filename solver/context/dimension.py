"""What every dimension of the context returns, and how much each weighs."""

from __future__ import annotations

from typing import NamedTuple

from solver.context.starts import Reals

WEIGHTS = {"temporal": 0.25, "behavioural": 0.25, "academic": 0.20, "social": 0.15, "spatial": 0.15}
"""The platform's own weights; they sum to 1."""
OPTIONAL = ("behavioural", "social", "spatial")
"""Left out of the simplified context: what remains needs the courses and the grid only."""


class Dimension(NamedTuple):
    """
    One dimension for all courses.

    Attributes
    ----------
    cost
        ``(courses, slots)``, or ``(courses, buildings)`` for the spatial one; 0 suits best, 1 suits least. A slot's
        entry speaks of a session that starts there; it is 0 where none can start.
    data
        What the dimension had to work with, for people.
    """

    cost: Reals
    data: str
