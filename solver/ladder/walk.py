"""
The ladder: five promises, strongest first, and the loop that walks them.

This is the only file that says what a rung does and when it is left. A floor is secured first, so that an answer exists
within seconds; then the loop enters rung after rung until one keeps its promise, each starting from the best timetable
so far. The best verified timetable wins, whichever rung found it, and the result says which promise it keeps. No rung
calls another; the journal says why each one was left.

When a child process dies, the supervisor starts the next attempt with `start_at` the rung after the one that died; it
does not invent an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version

from solver.advice import notes_on
from solver.compiled import decode, encode
from solver.construct import construct
from solver.context import build_context
from solver.control import Control, Place, Progress, Stop
from solver.diagnose import diagnose
from solver.ladder.incumbent import Incumbent, Incumbents, Instance
from solver.ladder.ledger import coverage_of
from solver.ladder.rungs import (
    Verdict,
    cheapest_relaxation,
    construct_and_repair,
    core_then_rest,
    exact_and_search,
    work_list,
)
from solver.ladder.solve_run import SolveRun
from solver.ladder.variants import final_seconds, make_variants
from solver.model import Dataset, Timetable
from solver.params import SolveParams, search_share
from solver.result import PROMISES, Diagnosis, Quality, Result, RungId, RungVisit, StoppedBy, Variant, missed_quality
from solver.rules import profile_of
from solver.search import strip, warm_up

IDLE_SHARE = 0.1
"""Who leaves more of the time than this was not ended by the clock: there was nothing left to be tried."""
SIMPLIFIED = (
    "the context was simplified (without its behavioural, social and spatial dimensions); "
    "the costs of rule context and every bound are counted on that"
)


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder; `promise` is what users read."""

    id: RungId
    promise: str
    walk: Callable[[SolveRun], Verdict]


RUNGS: tuple[Rung, ...] = (
    Rung("full", PROMISES["full"], exact_and_search),
    Rung("relaxed", PROMISES["relaxed"], cheapest_relaxation),
    Rung("greedy", PROMISES["greedy"], construct_and_repair),
    Rung("reduced", PROMISES["reduced"], core_then_rest),
    Rung("manual", PROMISES["manual"], work_list),
)


def solve(
    dataset: Dataset,
    params: SolveParams | None = None,
    control: Control | None = None,
    *,
    start: Timetable | None = None,
) -> Result:
    """
    Finds verified timetables and says truthfully what was given up.

    Parameters
    ----------
    dataset
        The problem; it has checked itself already.
    params
        What is asked for; `SolveParams()` when None.
    control
        Deadline, stop word and callbacks; the time limit of `params` is applied on top of its deadline.
    start
        An earlier timetable to start from, possibly partial or of older data; it is recounted like everything else.

    Returns
    -------
    Result
        Always, whether feasible, infeasible, late or cancelled; `variants` holds at least one timetable.
    """
    params = params or SolveParams()
    # Compiling kernels happens once per installation; it is not part of anybody's time limit.
    warm_up()
    control = (control or Control()).until(params.time_limit_seconds)
    run = _prepare(dataset, params, control, start)
    kept = _walk(run)
    run.stalled |= run.walk.remaining > IDLE_SHARE * run.walk_seconds
    run.welcome()
    kept = _promise_kept(run, kept)
    variants = make_variants(run, kept)
    missed = missed_quality(variants[0].report.quality_index, params.quality_threshold)
    control.report(Progress(stage="verify", share=0.4, message="recounted against the original dataset", rung=kept))
    return Result(
        variants=variants,
        stopped_by=_stopped_by(run, variants),
        lower_bound=run.bound,
        diagnosis=run.diagnosis,
        journal=tuple(run.journal),
        curve=tuple(run.incumbents.curve),
        coverage=coverage_of(dataset, run.core, variants[0].report) if run.core else None,
        context=run.instance.context.summary,
        seed=params.seed,
        seconds=control.elapsed,
        versions=versions(),
        notes=tuple(dict.fromkeys([*notes_on(dataset), *run.incumbents.notes, *([missed] if missed else [])])),
    )


def versions() -> dict[str, str]:
    """Everything that may change an answer for the same seed."""
    return {"python": python_version(), **{name: version(name) for name in ("ortools", "numba", "numpy")}}


def _prepare(dataset: Dataset, params: SolveParams, control: Control, start: Timetable | None) -> SolveRun:
    """Context, arrays, counting proofs and the floor: after this an answer exists."""
    profile = profile_of(dataset)

    def report(step: str, share: float) -> None:
        control.report(Progress(stage="context", share=share, message=step))

    with control.at(Place.CONTEXT_ENGINE):
        context = build_context(dataset, simplified=params.simplified_context, report=report)
    with control.at(Place.COMPILE):
        instance = Instance.of(dataset, profile, context)
    notes = [SIMPLIFIED] if params.simplified_context and profile.is_on("context") else []
    incumbents = Incumbents(instance=instance, control=control, notes=notes)
    with control.at(Place.CONSTRUCT):
        control.report(Progress(stage="construct", share=0.0, message="securing a first timetable"))
        floor = _floor(incumbents, params.seed, start)
    with control.at(Place.DIAGNOSE):
        diagnosis = _diagnosis(dataset)
    reserve = final_seconds(params.num_variants, incumbents.verify_seconds)
    walk_seconds = max(0.0, control.remaining * search_share(params.num_variants) - reserve)
    run = SolveRun(
        instance=instance,
        params=params,
        control=control,
        walk=control.until(walk_seconds),
        walk_seconds=walk_seconds,
        incumbents=incumbents,
        floor=floor,
        diagnosis=diagnosis,
    )
    run.report("construct", 1.0, "a first timetable is secured")
    return run


def _floor(incumbents: Incumbents, seed: int, start: Timetable | None) -> Incumbent:
    """A first timetable, around the one that an earlier attempt has left."""
    if start is not None:
        _offer_start(incumbents, start)
    kept = incumbents.start_arrays() if start is not None else None
    instance = incumbents.instance
    floor = construct(instance.compiled, control=incumbents.control, seed=seed, start=kept, first=True)
    return incumbents.offer(decode(floor.slots, floor.rooms, instance.dataset), "floor")


def _offer_start(incumbents: Incumbents, start: Timetable) -> None:
    """An earlier timetable may be of other data: what no longer exists is left out before it is recounted."""
    dataset = incumbents.instance.dataset
    slots, rooms = strip(incumbents.instance.compiled, *encode(start, dataset), keep_bent=True)
    incumbents.offer_arrays(slots, rooms, "start")


def _diagnosis(dataset: Dataset) -> Diagnosis:
    proofs = diagnose(dataset)
    return Diagnosis(proofs=proofs, evidence="certificate" if proofs else None)


def _walk(run: SolveRun) -> RungId:
    """Enters the rungs in order until one keeps its promise; returns the promise that the best timetable keeps."""
    ids = [rung.id for rung in RUNGS]
    first = ids.index(run.params.start_at)
    for number, rung in enumerate(RUNGS):
        entered = run.control.elapsed
        if number < first:
            _note(
                run,
                rung,
                entered,
                "skipped",
                f"left to an earlier attempt: this one starts at rung {run.params.start_at}",
            )
            continue
        if run.control.stop is not Stop.NO and rung.id not in ("full", "manual") and not run.complete:
            _note(run, rung, entered, "skipped", f"stopped from outside ({run.control.stop.name.lower()})")
            continue
        run.rung = rung.id
        verdict = _enter(run, rung)
        _note(run, rung, entered, "kept" if verdict.kept else "left", verdict.why)
        if verdict.kept:
            return _promise_kept(run, rung.id)
    return RUNGS[-1].id


def _promise_kept(run: SolveRun, rung: RungId) -> RungId:
    """The strongest promise that the best timetable keeps; a lower rung may have found what a higher one asks for."""
    if run.complete:
        return "full"
    return "relaxed" if run.best is not None and run.best.unplaced == 0 else rung


def _enter(run: SolveRun, rung: Rung) -> Verdict:
    try:
        return rung.walk(run)
    except MemoryError:
        return Verdict(False, "memory ran out on this rung")
    except Exception as error:  # noqa: BLE001 - the one broad catch of the solver: a bug costs a rung, never the answer
        run.incumbents.notes.append(f"rung {rung.id} failed: {type(error).__name__}: {error}")
        return Verdict(False, f"an internal error ended this rung: {type(error).__name__}: {error}")


def _note(run: SolveRun, rung: Rung, entered: float, outcome: str, why: str) -> None:
    run.journal.append(
        RungVisit(
            rung=rung.id,
            entered=entered,
            left=run.control.elapsed,
            outcome=outcome,  # type: ignore[arg-type]
            why=why,
            score=run.best,
        )
    )


def _stopped_by(run: SolveRun, variants: tuple[Variant, ...]) -> StoppedBy:
    if run.control.stop is Stop.CANCEL:
        return StoppedBy.CANCELLED
    if run.control.stop is Stop.FINISH:
        return StoppedBy.FINISHED_EARLY
    if variants[0].quality is Quality.OPTIMAL:
        return StoppedBy.PROVED
    return StoppedBy.STALLED if run.stalled else StoppedBy.DEADLINE
