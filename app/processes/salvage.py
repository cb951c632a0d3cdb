"""
The best timetable that a cancelled job held, made into a result: from packed bytes to packed bytes, in any process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.jobs import effective_dataset
from app.domain.messages import pack, unpack
from app.domain.options import SolveOptions
from app.processes.claims import NotVerified
from solver.formats.native import load_dataset, load_result
from solver.ranks import left_open
from solver.result import Quality, RungId, Variant
from solver.rules import Score

_log = logging.getLogger("timetable.supervisor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvageable:
    """What there is to recount: the dataset and the timetable, packed, and what an `earlier` run has published."""

    dataset: bytes
    timetable: bytes
    earlier: bytes | None
    options: SolveOptions
    score: Score
    rung: RungId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """A packed result, and what a job has to know of it."""

    body: bytes
    score: Score
    placed: int
    total: int
    quality: Quality
    rung: RungId


def salvage(held: Salvageable) -> Salvaged | None:
    """
    The result of the timetable; None when the `earlier` one is as good, or what is held is no timetable.

    Takes up to seconds for the largest, so call it off the event loop.
    """
    from app.processes.last_recount import publish_salvaged  # takes half a second, which every start can do without

    earlier = None if held.earlier is None else load_result(unpack(held.earlier)).best
    if earlier is not None and earlier.score.weighed and held.score.weighed and earlier.score <= held.score:
        return None
    document = effective_dataset(unpack(held.dataset), held.options.rules)
    try:
        result = publish_salvaged(document, held.timetable, held.rung, simplified=held.options.simplified_context)
    except NotVerified as error:
        _log.error("what a cancelled job holds is no timetable: %s", error)
        return None
    best = load_result(result).best
    if earlier is not None and _weighed(earlier, document) <= best.score:
        return None
    return Salvaged(
        body=pack(result),
        score=best.score,
        placed=best.report.placed,
        total=best.report.total,
        quality=best.quality,
        rung=best.rung,
    )


def _weighed(variant: Variant, document: Mapping[str, Any]) -> Score:
    """The score of a variant that an older version may have counted, which did not ask who is left open."""
    return variant.score._replace(left_open=left_open(load_dataset(document), variant.report.unplaced))
