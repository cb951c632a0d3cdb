"""
The last look at a timetable before anybody sees it.

`check()` recounts every variant of a result with the independent verifier, whatever the solver said; `recount()` does
so for what a child hands in, in a process that has not searched (`app.processes.claims`). `publish()` makes a result
out of an incumbent alone, when the attempt that found it is gone: recounted, with its concessions and its work list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.framing import FrameError
from app.domain.jobs import RUNG_ORDER, effective_dataset
from app.domain.messages import unpack
from app.processes.claims import Claim, Counted, NotVerified
from solver.advice import notes_on
from solver.context import build_context
from solver.control import Control
from solver.errors import SolverError
from solver.formats.native import dump_result, load_dataset, load_result, load_timetable
from solver.ladder.incumbent import Incumbent, Instance
from solver.ladder.ledger import concessions_of, open_sessions, quality_of
from solver.model import Dataset, Timetable
from solver.result import Diagnosis, Report, Result, RungId, RungVisit, StoppedBy, Variant
from solver.rules import Counts, profile_of
from solver.verify import earlier_counts, unknown_before, verify


def timetable_of(packed: bytes) -> Timetable:
    """Raises NotVerified when this is no timetable, or one as another version of this program packs it."""
    try:
        return load_timetable(unpack(packed))
    except (FrameError, SolverError) as error:
        raise NotVerified(f"it cannot be read: {error}") from error


def recount(claim: Claim) -> Counted:
    """
    Counts every variant of a claimed result anew, against the dataset as it was sent.

    Takes up to seconds for the largest, so call it off the event loop.

    Raises
    ------
    NotVerified
        It cannot be read, or a variant counts otherwise than it is said to, or breaks a rule that none may break.
    """
    dataset = load_dataset(effective_dataset(unpack(claim.dataset), claim.options.rules))
    result = _result_of(claim)
    reports = check(result, dataset, simplified=claim.options.simplified_context)
    for number, (variant, report) in enumerate(zip(result.variants, reports, strict=True), 1):
        if variant.report.score != report.score:
            raise NotVerified(f"variant {number}: a score of {variant.report.score} claimed, {report.score} counted")
        if told := _untrue(variant, report, result.lower_bound):
            raise NotVerified(f"variant {number} is not what it is called: {'; '.join(told)}")
    best = reports[0]
    kept = _rung_kept(best.score.unplaced, best.score.bent, result.best.rung)
    if RUNG_ORDER.index(result.best.rung) < RUNG_ORDER.index(kept):
        raise NotVerified(f"the promise of the rung {result.best.rung} claimed, which {best.score} does not keep")
    claimed, counted = (claim.score, claim.placed, claim.total), (best.score, best.placed, best.total)
    if claimed != counted:
        raise NotVerified(f"score, placed and all sessions: {claimed} claimed, {counted} counted")
    return Counted(
        score=best.score,
        placed=best.placed,
        total=best.total,
        quality_index=best.quality_index,
        bound=result.lower_bound,
        quality=result.best.quality,
        rung=result.best.rung,
        stopped_by=result.stopped_by,
    )


def _untrue(variant: Variant, report: Report, bound: int | None) -> list[str]:
    """What is said of a variant and does not follow from what was counted of it."""
    told = []
    if bound is not None and report.score.complete and bound > report.score.soft:
        told.append(f"a bound of {bound} is above its cost of {report.score.soft}")
    if variant.quality is not quality_of(report, bound):
        told.append(f"{variant.quality} claimed")
    given_up = [(concession.rule, concession.count) for concession in concessions_of(report)]
    if [(concession.rule, concession.count) for concession in variant.concessions] != given_up:
        told.append(f"{len(variant.concessions)} rules claimed as given up, {len(given_up)} counted")
    if {(found.course_id, found.session) for found in variant.open_sessions} != set(report.unplaced):
        told.append(f"{len(variant.open_sessions)} open sessions claimed, {len(report.unplaced)} counted")
    return told


def _result_of(claim: Claim) -> Result:
    try:
        return load_result(unpack(claim.result))
    except (FrameError, SolverError) as error:
        raise NotVerified(f"the result cannot be read: {error}") from error


def check(result: Result, dataset: Dataset, *, simplified: bool = False) -> tuple[Report, ...]:
    """
    What was counted of each variant. `simplified` as the solver was told: its context is built anew here.

    Raises
    ------
    NotVerified
        A variant does not count as it says, rule by rule, or breaks a rigid rule.
    """
    reports = []
    context, profile = build_context(dataset, simplified=simplified), profile_of(dataset)
    for number, variant in enumerate(result.variants, 1):
        found = verify(dataset, variant.timetable, context=context, profile=profile)
        different = _differences(variant.report.counts, found.counts, dataset, variant.timetable)
        if found.unplaced != variant.report.unplaced:
            different.append(f"unplaced: {len(variant.report.unplaced)} claimed, {len(found.unplaced)} counted")
        if found.score.rigid:
            different.append(f"{found.score.rigid} breach(es) of rules that no published timetable may break")
        if different:
            raise NotVerified(f"variant {number} does not pass the verifier: {'; '.join(different[:5])}")
        reports.append(found)
    return tuple(reports)


def _differences(claims: Counts, counted: Counts, dataset: Dataset, timetable: Timetable) -> list[str]:
    """What a result claims and is not so, and was not so by the count of any earlier version."""
    # A result of before there was a rule does not know it, and is no less true.
    claimed = {**{rule: counted[rule] for rule in unknown_before(profile_of(dataset))}, **claims}
    different = [rule for rule, count in counted.items() if claimed.get(rule) != count]
    before = earlier_counts(dataset, timetable) if different else {}
    return [
        f"{rule}: {claimed.get(rule)} claimed, {counted[rule]} counted"
        for rule in different
        if claimed.get(rule) != before.get(rule, counted[rule])
    ]


def publish(
    dataset: Dataset,
    timetable: Timetable,
    why: StoppedBy,
    rung: RungId | None,
    control: Control,
    *,
    simplified: bool = False,
) -> Result:
    """
    A result with one variant, the incumbent of an earlier attempt, recounted with the context that the job has.

    Raises
    ------
    NotVerified
        The timetable breaks a rigid rule.
    """
    instance = Instance.of(dataset, profile_of(dataset), build_context(dataset, simplified=simplified))
    incumbent = Incumbent(timetable=timetable, report=instance.verify(timetable), source="incumbent")
    report = incumbent.report
    if report.score.rigid:
        raise NotVerified(f"the incumbent breaks rules that no published timetable may break: {report.score}")
    rung = _rung_kept(report.score.unplaced, report.score.bent, rung)
    variant = Variant(
        name="balanced",
        label="Balanced",
        timetable=timetable,
        report=report,
        rung=rung,
        quality=quality_of(report, None),
        concessions=concessions_of(report),
        open_sessions=open_sessions(instance, incumbent, with_repairs=False),
    )
    note = "the search ended early; this is the best timetable it had reported, recounted"
    visit = RungVisit(rung=rung, entered=0.0, left=control.elapsed, outcome="kept", why=note, score=report.score)
    return Result(
        variants=(variant,),
        stopped_by=why,
        lower_bound=None,
        diagnosis=Diagnosis(),
        journal=(visit,),
        context=instance.context.summary,
        seconds=control.elapsed,
        notes=(*notes_on(dataset), note),
    )


def publish_salvaged(
    document: Mapping[str, Any], packed: bytes, rung: RungId | None, *, simplified: bool
) -> dict[str, Any]:
    """
    The same from a packed timetable to native JSON, for a job that was cancelled. Takes up to seconds for the largest.

    Raises
    ------
    NotVerified
        The timetable cannot be read, or breaks a rigid rule.
    """
    dataset, found = load_dataset(document), timetable_of(packed)
    result = publish(dataset, found, StoppedBy.CANCELLED, rung, Control(), simplified=simplified)
    return dump_result(result)


def _rung_kept(unplaced: int, bent: int, found_on: RungId | None) -> RungId:
    """The strongest promise that the timetable keeps, whichever rung it was found on."""
    if unplaced == 0:
        return "relaxed" if bent else "full"
    return found_on if found_on in ("greedy", "reduced") else "manual"
