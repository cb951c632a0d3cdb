"""Which timetable an attempt holds, who has found it, and whether the store has it."""

from __future__ import annotations

import pytest

from app.domain.messages import IncumbentFrame
from app.processes.incumbents import Incumbents
from app.store import StoredIncumbent
from solver.rules import Score


async def kept(held: StoredIncumbent) -> bool:
    return True


def told(cost: int, finder: int = 0) -> IncumbentFrame:
    return IncumbentFrame(score=(0, 0, 0, cost), rung="full", found_by=finder, body=b"t")


def score_found(began_with: int | None, *frames: IncumbentFrame) -> int | None:
    """The cost of what a child has found itself that says these, one after the other."""
    best = Incumbents(kept)
    if began_with is not None:
        start = StoredIncumbent(score=Score(0, 0, 0, began_with), timetable=b"t", rung="full", found_at=0.0)
        best.begin_with(start, saved=True)
    for frame in frames:
        best.hear(frame)
    return None if best.found is None else best.found.score.soft


def test_a_child_has_found_what_is_better_than_what_it_began_with_and_nobody_has_offered() -> None:
    assert score_found(None, told(9), told(7), told(5, finder=1)) == 7
    assert score_found(7, told(7)) is None, "it tells of its start first, whoever has found that"
    assert score_found(7, told(7), told(5, finder=2)) is None
    assert score_found(7, told(7), told(5, finder=2), told(4)) == 4


@pytest.mark.anyio
async def test_a_timetable_is_unsaved_until_the_store_has_exactly_that_one() -> None:
    asked: list[int] = []
    answers = iter([False, True, True])

    async def save(held: StoredIncumbent) -> bool:
        asked.append(held.score.soft)
        if len(asked) == 2:
            assert best.hear(told(5)), "a better one comes while the store is at work"
        return next(answers)

    best = Incumbents(save)
    await best.save()
    assert asked == [], "there is nothing to save"
    assert best.hear(told(9)) and not best.hear(told(9)) and best.unsaved
    unsaved = []
    for _ in range(4):
        await best.save()
        unsaved.append(best.unsaved)
    assert (asked, unsaved) == ([9, 9, 5], [True, True, False, False])
