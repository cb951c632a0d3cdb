"""The curve of a running job: what was held, since when."""

from __future__ import annotations

from app.domain.history import MAX_POINTS, CostHistory
from solver.rules import Score


def score(soft: int, unplaced: int = 0) -> Score:
    return Score(rigid=0, unplaced=unplaced, bent=0, soft=soft)


def test_only_news_make_a_point() -> None:
    curve = CostHistory()
    curve.note(1.0, None, None)
    for at, held, bound in (
        (2.0, score(9, 1), None),
        (3.0, score(9, 1), None),
        (4.0, score(9), None),
        (5.0, score(9), 3),
    ):
        curve.note(at, held, bound)
    assert curve.view(1.0) == [
        {"seconds": 1.0, "cost": 9, "bound": None, "complete": False},
        {"seconds": 3.0, "cost": 9, "bound": None, "complete": True},
        {"seconds": 4.0, "cost": 9, "bound": 3, "complete": True},
    ]
    curve.clear()
    assert curve.view(0.0) == []


def test_a_long_run_is_thinned_out_and_keeps_its_ends() -> None:
    curve = CostHistory()
    for step in range(10 * MAX_POINTS):
        curve.note(float(step), score(100_000 - step), None)
    seconds = [point["seconds"] for point in curve.view(0.0)]
    assert len(seconds) <= MAX_POINTS and seconds == sorted(seconds, key=float)
    assert (seconds[0], seconds[-1]) == (0.0, 10 * MAX_POINTS - 1)
