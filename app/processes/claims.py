"""
What a child hands in is a claim; what a process that has not searched has counted of it is what may be stored.

The claim goes, with the dataset as it was sent, to a worker of the parse pool: that one has never searched, and shares
no memory with a child. Only the supervisor, which has the answer, writes a result down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from app.domain.options import SolveOptions
from solver.result import Quality, RungId, StoppedBy
from solver.rules import Score


class NotVerified(Exception):
    """A timetable is not what it claims to be; it must not be published."""


class CannotRecount(Exception):
    """Nobody could recount a claim, which says nothing about the timetable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A packed result, the packed dataset and the options of its job, and what is claimed of its best variant."""

    dataset: bytes
    result: bytes
    options: SolveOptions
    score: Score
    placed: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """
    What was counted of the best variant; `quality_index` is that of `solver.result.Report`. What the result calls
    itself stands here too, because it was found to follow from what was counted; the bound is the solver's alone.
    """

    score: Score
    placed: int
    total: int
    quality_index: float | None
    bound: int | None
    quality: Quality
    rung: RungId
    stopped_by: StoppedBy


LastRecount: TypeAlias = Callable[[Claim, Callable[[], None]], Awaitable[Counted]]
"""
Has a claim recounted elsewhere; the function it is given is called once somebody has begun.

Raises NotVerified when the claim is false, CannotRecount when nobody could recount it.
"""
