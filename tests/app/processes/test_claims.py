"""A claim is counted anew, against the dataset as it was sent; what is claimed beyond that is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.messages import pack
from app.processes.claims import Claim, NotVerified, recount
from solver.context import build_context
from solver.formats.native import dump_dataset, dump_result
from solver.result import Diagnosis, Quality, Result, StoppedBy, Variant
from solver.samples import planted, sample
from solver.verify import verify


@pytest.fixture(scope="module")
def honest() -> Result:
    dataset, found = sample("tiny"), planted("tiny")
    report = verify(dataset, found, context=build_context(dataset))
    variant = Variant(
        name="balanced", label="Balanced", timetable=found, report=report, rung="full", quality=Quality.FEASIBLE
    )
    return Result(
        variants=(variant,), stopped_by=StoppedBy.DEADLINE, lower_bound=None, diagnosis=Diagnosis(), journal=()
    )


def claim(result: Result) -> Claim:
    report = result.best.report
    return Claim(
        dataset=pack(dump_dataset(sample("tiny"))),
        result=pack(dump_result(result)),
        rules={},
        simplified_context=False,
        score=report.score,
        placed=report.placed,
        total=report.total,
    )


def test_an_honest_claim_is_counted_as_it_says(honest: Result) -> None:
    counted, report = recount(claim(honest)), honest.best.report
    assert (counted.score, counted.placed, counted.total) == (report.score, report.placed, report.total)
    assert counted.quality_index == report.quality_index


def test_a_better_score_beside_a_sound_result_is_refused(honest: Result) -> None:
    sound = claim(honest)
    for better in (
        replace(sound, score=sound.score._replace(soft=sound.score.soft - 1)),
        replace(sound, placed=sound.placed + 1),
        replace(sound, total=sound.total - 1),
    ):
        with pytest.raises(NotVerified, match=r"claimed, .* counted"):
            recount(better)


def test_a_better_score_in_the_result_is_refused_although_each_rule_counts_as_it_says(honest: Result) -> None:
    report = honest.best.report
    boasted = replace(report, score=report.score._replace(soft=0))
    forged = replace(honest, variants=(honest.best, replace(honest.best, report=boasted)))
    with pytest.raises(NotVerified, match="variant 2: a score of"):
        recount(claim(forged))


def test_a_result_that_cannot_be_read_is_refused(honest: Result) -> None:
    for body in (b"not packed at all", pack([]), pack({"schema": "result/9"})):
        with pytest.raises(NotVerified, match="cannot be read"):
            recount(replace(claim(honest), result=body))
