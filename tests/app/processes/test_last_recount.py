"""The last look: every rule is recounted, with the context that the job was solved with."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from app.domain.messages import IncumbentFrame, Start, pack
from app.domain.options import SolveOptions
from app.processes.child import attempt
from app.processes.claims import Claim, NotVerified
from app.processes.last_recount import check, publish, recount
from solver.context import build_context
from solver.control import Control
from solver.formats.native import dump_dataset, dump_result, dump_timetable
from solver.model import Dataset, Timetable
from solver.result import Diagnosis, Quality, Result, StoppedBy, Variant
from solver.samples import planted, sample
from solver.verify import earlier_counts, verify


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return sample("tiny")


def claimed(dataset: Dataset, *, simplified: bool) -> Result:
    """The planted timetable, with a report that counts the context in one of its two modes."""
    found = planted("tiny")
    report = verify(dataset, found, context=build_context(dataset, simplified=simplified))
    variant = Variant(
        name="balanced", label="Balanced", timetable=found, report=report, rung="full", quality=Quality.FEASIBLE
    )
    return Result(
        variants=(variant,), stopped_by=StoppedBy.DEADLINE, lower_bound=None, diagnosis=Diagnosis(), journal=()
    )


def started(dataset: Dataset, *, simplified: bool, why: StoppedBy | None) -> Start:
    return Start(
        job_id="j",
        attempt=1,
        options=SolveOptions(time_limit_seconds=5.0, workers=1, num_variants=1, simplified_context=simplified),
        max_courses=9,
        max_faculty=9,
        max_rooms=9,
        quality_threshold=0.8,
        last_resort_seconds=60.0,
        publish=why,
        body=pack(dump_dataset(dataset)),
    )


@pytest.mark.parametrize("simplified", [False, True])
def test_the_context_is_recounted_in_the_mode_of_the_job(dataset: Dataset, simplified: bool) -> None:
    check(claimed(dataset, simplified=simplified), dataset, simplified=simplified)
    with pytest.raises(NotVerified, match=r"context: .* claimed, .* counted"):
        check(claimed(dataset, simplified=not simplified), dataset, simplified=simplified)


def test_a_result_of_before_there_was_a_rule_that_charges_nothing_is_no_less_true(dataset: Dataset) -> None:
    result = claimed(dataset, simplified=False)
    report = result.best.report
    for missing, damaged in (("core_clash", False), ("student_gap", False), ("student_clash", True), ("travel", True)):
        rules = {id: rule for id, rule in report.rules.items() if id != missing}
        old = replace(result, variants=(replace(result.best, report=replace(report, rules=rules)),))
        with pytest.raises(NotVerified) if damaged else nullcontext():
            check(old, dataset)


def test_a_result_of_before_silence_about_a_slot_was_free_is_no_less_true(dataset: Dataset) -> None:
    result = claimed(dataset, simplified=False)
    counted = result.best.report.rules["faculty_preference"]
    before = earlier_counts(dataset, result.best.timetable)["faculty_preference"]
    assert before > counted.count
    for count, damaged in ((before, False), (before + 1, True)):
        rules = {**result.best.report.rules, "faculty_preference": replace(counted, count=count)}
        old = replace(result, variants=(replace(result.best, report=replace(result.best.report, rules=rules)),))
        with pytest.raises(NotVerified) if damaged else nullcontext():
            check(old, dataset)


@pytest.mark.parametrize("simplified", [False, True])
def test_a_published_incumbent_is_counted_in_the_mode_of_the_job(dataset: Dataset, simplified: bool) -> None:
    result = publish(dataset, planted("tiny"), StoppedBy.CRASH, "full", Control(), simplified=simplified)
    assert result.best.report == claimed(dataset, simplified=simplified).best.report
    check(result, dataset, simplified=simplified)


@pytest.mark.parametrize("simplified", [False, True])
@pytest.mark.parametrize("why", [None, StoppedBy.CRASH])
def test_a_child_recounts_in_the_mode_it_was_started_in(
    dataset: Dataset, simplified: bool, why: StoppedBy | None
) -> None:
    start = started(dataset, simplified=simplified, why=why)
    honest = claimed(dataset, simplified=simplified)
    seed = IncumbentFrame(score=honest.best.score.numbers, body=pack(dump_timetable(honest.best.timetable)))
    frame = attempt(start, seed, lambda *given, **named: honest, Control())
    assert frame.score == honest.best.score.numbers


@pytest.mark.parametrize("why", [None, StoppedBy.CRASH])
@pytest.mark.parametrize("body", [b"not packed at all", pack([]), pack({"schema": "timetable/9", "placements": []})])
def test_a_child_sets_a_timetable_aside_that_it_cannot_read_and_solves_without(
    dataset: Dataset, body: bytes, why: StoppedBy | None
) -> None:
    honest, said = claimed(dataset, simplified=False), list[str]()

    def solve(dataset: Dataset, params: object, control: object, *, start: Timetable | None = None) -> Result:
        assert start is None
        return honest

    seed = IncumbentFrame(score=(0, 0, 0, 0), body=body)
    start = started(dataset, simplified=False, why=why)
    frame = attempt(start, seed, solve, Control(), set_aside=said.append)
    assert (frame.score, frame.stopped_by) == (honest.best.score.numbers, honest.stopped_by)
    assert len(said) == 1 and "cannot be read" in said[0]


def test_a_claim_that_is_off_by_one_in_any_rule_is_refused(dataset: Dataset) -> None:
    honest = claimed(dataset, simplified=False)
    for rule, counted in honest.best.report.rules.items():
        rules = {**honest.best.report.rules, rule: replace(counted, count=counted.count + 1)}
        report = replace(honest.best.report, rules=rules)
        wrong = replace(honest, variants=(replace(honest.best, report=report),))
        with pytest.raises(NotVerified, match=rule):
            check(wrong, dataset)


def claim(result: Result) -> Claim:
    """What a child says that hands this in."""
    report = result.best.report
    return Claim(
        dataset=pack(dump_dataset(sample("tiny"))),
        result=pack(dump_result(result)),
        options=SolveOptions(),
        score=report.score,
        placed=report.placed,
        total=report.total,
    )


def test_an_honest_claim_is_counted_as_it_says(dataset: Dataset) -> None:
    honest = claimed(dataset, simplified=False)
    counted, report = recount(claim(honest)), honest.best.report
    assert (counted.score, counted.placed, counted.total) == (report.score, report.placed, report.total)
    assert counted.quality_index == report.quality_index


def test_a_better_score_beside_a_sound_result_is_refused(dataset: Dataset) -> None:
    sound = claim(claimed(dataset, simplified=False))
    for better in (
        replace(sound, score=sound.score._replace(soft=sound.score.soft - 1)),
        replace(sound, placed=sound.placed + 1),
        replace(sound, total=sound.total - 1),
    ):
        with pytest.raises(NotVerified, match=r"claimed, .* counted"):
            recount(better)


def test_a_better_score_in_the_result_is_refused_although_each_rule_counts_as_it_says(dataset: Dataset) -> None:
    honest = claimed(dataset, simplified=False)
    report = honest.best.report
    boasted = replace(report, score=report.score._replace(soft=0))
    forged = replace(honest, variants=(honest.best, replace(honest.best, report=boasted)))
    with pytest.raises(NotVerified, match="variant 2: a score of"):
        recount(claim(forged))


def partly(result: Result) -> Result:
    """The same with a session taken out, and said so."""
    timetable = Timetable(placements=result.best.timetable.placements[1:])
    return publish(sample("tiny"), timetable, StoppedBy.DEADLINE, "greedy", Control())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"quality": Quality.OPTIMAL}, "optimal claimed"),
        ({"quality": Quality.FEASIBLE}, "feasible claimed"),
        ({"rung": "full"}, "promise of the rung full"),
        ({"rung": "relaxed"}, "promise of the rung relaxed"),
        ({"open_sessions": ()}, "0 open sessions claimed, 1 counted"),
    ],
)
def test_a_better_name_for_what_was_counted_is_refused(dataset: Dataset, said: dict[str, Any], why: str) -> None:
    honest = partly(claimed(dataset, simplified=False))
    assert recount(claim(honest)).placed == honest.best.report.total - 1
    with pytest.raises(NotVerified, match=why):
        recount(claim(replace(honest, variants=(replace(honest.best, **said),))))


def test_a_bound_above_the_cost_is_refused(dataset: Dataset) -> None:
    honest = claimed(dataset, simplified=False)
    cost = honest.best.report.score.soft
    assert recount(claim(replace(honest, lower_bound=cost - 1))).bound == cost - 1
    with pytest.raises(NotVerified, match=f"a bound of {cost + 1} is above its cost of {cost}"):
        recount(claim(replace(honest, lower_bound=cost + 1)))


def test_a_rule_that_was_given_up_without_a_word_is_refused(dataset: Dataset) -> None:
    first, *others = claimed(dataset, simplified=False).best.timetable.placements
    moved = (
        Timetable(placements=(replace(first, room_id=room.id), *others))
        for room in dataset.rooms
        if room.id != first.room_id
    )
    bent = next(one for one in moved if (score := verify(dataset, one).score).bent and not score.rigid)
    honest = publish(dataset, bent, StoppedBy.DEADLINE, None, Control())
    assert honest.best.concessions and recount(claim(honest)).quality is Quality.RELAXED
    with pytest.raises(NotVerified, match="0 rules claimed as given up"):
        recount(claim(replace(honest, variants=(replace(honest.best, concessions=()),))))


def test_a_result_that_cannot_be_read_is_refused(dataset: Dataset) -> None:
    for body in (b"not packed at all", pack([]), pack({"schema": "result/9"})):
        with pytest.raises(NotVerified, match="cannot be read"):
            recount(replace(claim(claimed(dataset, simplified=False)), result=body))
