"""
What a child hands in is a claim; what a process that has not searched has counted of it is what may be stored.

The claim goes, with the dataset as it was sent, to a worker of the parse pool: that one has never searched, and shares
no memory with a child. Only the supervisor, which has the answer, writes a result down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.domain.jobs import effective_dataset
from app.domain.messages import FrameError, unpack
from solver.errors import SolverError
from solver.formats.native import load_dataset, load_result
from solver.result import Result
from solver.rules import Score


class NotVerified(Exception):
    """A timetable is not what it claims to be; it must not be published."""


class CannotRecount(Exception):
    """Nobody could recount a claim, which says nothing about the timetable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A packed result, the packed dataset and the rules it was asked for, and what is claimed of its best variant."""

    dataset: bytes
    result: bytes
    rules: Mapping[str, Any]
    simplified_context: bool
    score: Score
    placed: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted of the best variant; `quality_index` is that of `solver.result.Report`."""

    score: Score
    placed: int
    total: int
    quality_index: float | None


LastRecount: TypeAlias = Callable[[Claim, Callable[[], None]], Awaitable[Counted]]
"""
Has a claim recounted elsewhere; the function it is given is called once somebody has begun.

Raises NotVerified when the claim is false, CannotRecount when nobody could recount it.
"""


def recount(claim: Claim) -> Counted:
    """
    Counts every variant of a claimed result anew, against the dataset as it was sent.

    Takes up to seconds for the largest, so call it off the event loop.

    Raises
    ------
    NotVerified
        It cannot be read, or a variant counts otherwise than it is said to, or breaks a rule that none may break.
    """
    from app.processes.last_recount import check  # takes half a second, which every start can do without

    dataset = load_dataset(effective_dataset(unpack(claim.dataset), claim.rules))
    result = _result_of(claim)
    reports = check(result, dataset, simplified_context=claim.simplified_context)
    for number, (variant, report) in enumerate(zip(result.variants, reports, strict=True), 1):
        if variant.report.score != report.score:
            raise NotVerified(f"variant {number}: a score of {variant.report.score} claimed, {report.score} counted")
    best = reports[0]
    claimed, counted = (claim.score, claim.placed, claim.total), (best.score, best.placed, best.total)
    if claimed != counted:
        raise NotVerified(f"score, placed and all sessions: {claimed} claimed, {counted} counted")
    return Counted(score=best.score, placed=best.placed, total=best.total, quality_index=best.quality_index)


def _result_of(claim: Claim) -> Result:
    try:
        return load_result(unpack(claim.result))
    except (FrameError, SolverError) as error:
        raise NotVerified(f"the result cannot be read: {error}") from error
