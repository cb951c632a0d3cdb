"""How the cost of a running job fell and its bound rose, for whoever comes back to it; what has ended has a result."""

from __future__ import annotations

from typing import NamedTuple

from solver.rules import Score

MAX_POINTS = 240
"""Of more points every other one is forgotten: nobody can see that many in one picture."""


class Point(NamedTuple):
    """What was held from the wall time `at` on."""

    at: float
    score: Score
    bound: int | None


class CostHistory:
    """Improvements in order of time; the first and the newest are always there."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def note(self, at: float, score: Score | None, bound: int | None) -> None:
        """Takes down what is held now, if that is news."""
        newest = self._points[-1] if self._points else None
        if score is None or (newest is not None and (newest.score, newest.bound) == (score, bound)):
            return
        self._points.append(Point(at, score, bound))
        if len(self._points) > MAX_POINTS:
            self._points = [*self._points[:-1:2], self._points[-1]]

    def clear(self) -> None:
        """Forgets all points, for an attempt that begins anew."""
        self._points = []

    def view(self, began: float) -> list[dict[str, object]]:
        """Ready for JSON, in seconds since `began`; `complete` says that every session stands and no rule is bent."""
        return [
            {
                "seconds": round(max(0.0, point.at - began), 1),
                "cost": point.score.soft,
                "bound": point.bound,
                "complete": point.score.complete,
            }
            for point in self._points
        ]
