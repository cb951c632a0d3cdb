"""
The last look at a timetable before anybody sees it.

`check()` recounts every variant of a result with the independent verifier, whatever the solver said. `publish()` makes
a result out of an incumbent alone, when the attempt that found it is gone: recounted, with its concessions and its work
list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.domain.messages import FrameError, unpack
from solver.advice import notes_on
from solver.context import build_context
from solver.control import Control
from solver.errors import SolverError
from solver.formats.native import dump_result, load_dataset, load_timetable
from solver.ladder.incumbent import Incumbent, Instance
from solver.ladder.ledger import concessions_of, open_sessions, quality_of
from solver.model import Dataset, Timetable
from solver.result import Diagnosis, Result, RungId, RungVisit, StoppedBy, Variant
from solver.rules import Counts, profile_of
from solver.verify import earlier_counts, unknown_before, verify


class NotVerified(Exception):
    """A timetable is not what it claims to be; it must not be published."""


def timetable_of(packed: bytes) -> Timetable:
    """Raises NotVerified when this is no timetable, or one as another version of this program packs it."""
    try:
        return load_timetable(unpack(packed))
    except (FrameError, SolverError) as error:
        raise NotVerified(f"it cannot be read: {error}") from error


def check(
    result: Result, dataset: Dataset, *, simplified_context: bool = False, beat: Callable[[], None] = lambda: None
) -> None:
    """
    Raises NotVerified unless every variant counts as it says, rule by rule, and breaks no rigid rule.

    `simplified_context` as the solver was told: its context is built anew here, once for all variants. `beat` is called
    before each of them.
    """
    context, profile = build_context(dataset, simplified=simplified_context), profile_of(dataset)
    for number, variant in enumerate(result.variants, 1):
        beat()
        found = verify(dataset, variant.timetable, context=context, profile=profile)
        different = _differences(variant.report.counts, found.counts, dataset, variant.timetable)
        if found.unplaced != variant.report.unplaced:
            different.append(f"unplaced: {len(variant.report.unplaced)} claimed, {len(found.unplaced)} counted")
        if found.score.rigid:
            different.append(f"{found.score.rigid} breach(es) of rules that no published timetable may break")
        if different:
            raise NotVerified(f"variant {number} does not pass the verifier: {'; '.join(different[:5])}")


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
    simplified_context: bool = False,
) -> Result:
    """
    A result with one variant, the incumbent of an earlier attempt, recounted with the context that the job has.

    Raises
    ------
    NotVerified
        The timetable breaks a rigid rule.
    """
    instance = Instance.of(dataset, profile_of(dataset), build_context(dataset, simplified=simplified_context))
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


def publish_kept(
    document: Mapping[str, Any], packed: bytes, rung: RungId | None, *, simplified_context: bool
) -> dict[str, Any]:
    """
    The same from a packed timetable to native JSON, for a job that was cancelled. Takes up to seconds for the largest.

    Raises
    ------
    NotVerified
        The timetable cannot be read, or breaks a rigid rule.
    """
    dataset, found = load_dataset(document), timetable_of(packed)
    result = publish(dataset, found, StoppedBy.CANCELLED, rung, Control(), simplified_context=simplified_context)
    return dump_result(result)


def _rung_kept(unplaced: int, bent: int, found_on: RungId | None) -> RungId:
    """The strongest promise that the timetable keeps, whichever rung it was found on."""
    if unplaced == 0:
        return "relaxed" if bent else "full"
    return found_on if found_on in ("greedy", "reduced") else "manual"
