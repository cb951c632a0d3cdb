"""What a cancelled job held becomes its result when it is better than what was published before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.messages import pack
from app.domain.options import SolveOptions
from app.processes.last_recount import publish
from app.processes.salvage import Salvageable, salvage
from solver.control import Control
from solver.formats.native import dump_dataset, dump_result, dump_timetable
from solver.model import Dataset, Timetable
from solver.result import Result, StoppedBy
from solver.rules import Score
from tests.builders import course, dataset, grid, timetable

CROWDED = dataset(
    course("a", groups="g"), course("e", groups="g", sessions=2, subject_type="elective"), grid=grid(1, 2)
)
CORE_OPEN, ELECTIVES_OPEN = timetable(e=[0, 1]), timetable(a=0)


def published(data: Dataset, found: Timetable, *, by_an_older_version: bool) -> Result:
    result = publish(data, found, StoppedBy.DEADLINE, "greedy", Control())
    if not by_an_older_version:
        return result
    variant = result.best
    report = replace(variant.report, score=variant.score._replace(left_open=()))
    return replace(result, variants=(replace(variant, report=report),))


def kept(earlier: Result, found: Timetable, score: Score) -> bool:
    held = Salvageable(
        dataset=pack(dump_dataset(CROWDED)),
        timetable=pack(dump_timetable(found)),
        earlier=pack(dump_result(earlier)),
        options=SolveOptions(),
        score=score,
        rung="greedy",
    )
    return salvage(held) is not None


@pytest.mark.parametrize("older_result", [False, True])
@pytest.mark.parametrize("older_score", [False, True])
def test_what_leaves_electives_open_replaces_a_result_that_leaves_a_core_session_open(
    older_result: bool, older_score: bool
) -> None:
    fewer = published(CROWDED, CORE_OPEN, by_an_older_version=older_result)
    better = published(CROWDED, ELECTIVES_OPEN, by_an_older_version=older_score).best.score
    assert kept(fewer, ELECTIVES_OPEN, better)
    good = published(CROWDED, ELECTIVES_OPEN, by_an_older_version=older_result)
    worse = published(CROWDED, CORE_OPEN, by_an_older_version=older_score).best.score
    assert not kept(good, CORE_OPEN, worse)
