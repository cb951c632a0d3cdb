"""
The ladder: five promises, strongest first, and the loop that walks them.

This is the only file that knows the order. A floor is secured first, so that an answer exists within seconds; then the
loop enters rung after rung until one keeps its promise, each starting from the best timetable so far. The best verified
timetable wins, whichever rung found it, and the result says which promise it keeps. No rung calls another; the journal
says why each one was left.

When a child process dies, the supervisor starts the next attempt with `start_at` the rung after the one that died; it
does not invent an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version

from solver.climb import Climb
from solver.compiled import compile_dataset, decode, encode
from solver.construct import construct
from solver.context import build_context
from solver.control import Control, Progress, Stop
from solver.diagnose import diagnose
from solver.incumbent import Incumbent, Incumbents, Problem
from solver.ledger import core_open
from solver.model import Dataset, Timetable
from solver.params import SolveParams
from solver.reduction import batches, only, restrict
from solver.result import Coverage, Diagnosis, Quality, Result, RungId, RungVisit, StoppedBy, Variant
from solver.rules import profile_of
from solver.search import SearchParams, search, strip, warm_up
from solver.variants import make_variants

SMALL_SESSIONS = 600
"""Up to this many sessions the exact solver gets a share of the time; beyond, its windows cost more than they find."""
TINY_SESSIONS = 120
"""Up to this many sessions the whole problem is one exact model, which may prove the optimum."""
EXACT_SHARE = 0.12
TRY_SHARE = 0.6
"""Share of the time left that one try at placing everything gets; the rest is for a second one and the rungs below."""
VARIANTS_SHARE = 0.2
EXPLAIN_SECONDS = 10.0
SECONDS_PER_SESSION = 0.25
MIN_ROUND_SECONDS = 8.0
"""A search round gets at most this much time; the round after one that gained nothing is not started."""
FINAL_SECONDS = 0.5
"""Kept free at the end for the last recount and the account, in addition to twice the measured recounting time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a rung ended: kept when its promise holds, and why in words that people read."""

    kept: bool
    why: str


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder; `promise` is what users read."""

    id: RungId
    promise: str
    walk: Callable[[Climb], Verdict]


def exact_and_search(climb: Climb) -> Verdict:
    """Everything placed and every hard rule kept, at the least soft cost that time allows."""
    if climb.diagnosis.proofs:
        return Verdict(False, f"proved infeasible: {climb.diagnosis.proofs[0].sentence}")
    small = len(climb.problem.dataset.sessions) <= SMALL_SESSIONS
    exact_seconds = EXACT_SHARE * climb.walk.remaining if small else 0.0
    for attempt in range(2):
        if not climb.complete:
            seconds = TRY_SHARE * climb.walk.remaining
            climb.search(seconds, bend=False, message="placing every session", round_number=attempt)
    if not climb.complete:
        return _give_up_on_full(climb)
    _improve(climb, reserve=exact_seconds)
    _prove(climb, exact_seconds)
    return Verdict(True, "every session is placed and every hard rule holds")


def _give_up_on_full(climb: Climb) -> Verdict:
    if len(climb.problem.dataset.sessions) <= SMALL_SESSIONS and not climb.over:
        status = climb.exact(
            EXACT_SHARE * climb.walk.remaining, bend=False, message="looking for any timetable, exactly"
        )
        if climb.complete:
            _improve(climb, reserve=0.0)
            return Verdict(True, "every session is placed and every hard rule holds")
        if status == "infeasible":
            climb.explain(min(EXPLAIN_SECONDS, 0.5 * climb.walk.remaining))
            climb.diagnosis = Diagnosis(
                proofs=climb.diagnosis.proofs, conflicts=climb.diagnosis.conflicts, evidence="two_solves"
            )
            return Verdict(False, "proved infeasible: two differing exact solves agree that the hard rules contradict")
    return Verdict(False, "no timetable that keeps every hard rule was found in the time this rung may use")


def _improve(climb: Climb, *, reserve: float) -> None:
    """Search rounds until the time is used or a round brings nothing on a result that is good enough."""
    round_seconds = max(MIN_ROUND_SECONDS, SECONDS_PER_SESSION * len(climb.problem.dataset.sessions))
    round_number = 10
    while not climb.over and not climb.proved_optimal and (seconds := climb.walk.remaining - reserve) > 0.05:
        before = climb.best
        # A leftover too short to be a round of its own is added to this one.
        seconds = round_seconds if seconds > 1.5 * round_seconds else seconds
        climb.search(seconds, bend=False, message="improving the timetable", round_number=round_number)
        round_number += 1
        best = climb.incumbents.best
        good = best is not None and best.report.quality_index >= climb.params.quality_threshold
        if climb.best == before and (good or round_number >= 13) and climb.walk.remaining - reserve > 0.05:
            climb.stalled = True
            return
        if climb.best is not None and climb.best.soft == 0:
            climb.raise_bound(0)


def _prove(climb: Climb, seconds: float) -> None:
    if climb.best is not None and climb.best.soft == 0:
        climb.raise_bound(0)
    if not climb.proved_optimal:
        climb.prove_bound(0.5 * seconds, "proving how much better it could be")
    if climb.proved_optimal:
        return
    if len(climb.problem.dataset.sessions) <= TINY_SESSIONS:
        climb.exact(0.5 * seconds, bend=False, message="solving the whole problem exactly")
    else:
        climb.polish(0.5 * seconds, "solving windows exactly")


def cheapest_relaxation(climb: Climb) -> Verdict:
    """Everything placed, bendable rules broken at the least price found."""
    if climb.complete:
        _improve(climb, reserve=0.0)
        return Verdict(True, "nothing has to be bent: the timetable at hand keeps every hard rule")
    time_left = climb.walk.remaining
    small = len(climb.problem.dataset.sessions) <= SMALL_SESSIONS
    if small and not climb.diagnosis.conflicts:
        climb.explain(min(EXPLAIN_SECONDS, 0.15 * time_left))
    for attempt in range(2):
        climb.search(
            (0.5 - 0.2 * attempt) * time_left,
            bend=True,
            message="bending the cheapest rules",
            round_number=20 + attempt,
        )
        if climb.best is not None and climb.best.unplaced == 0 and attempt == 0 and not small:
            break
    if small:
        climb.exact(0.5 * climb.walk.remaining, bend=True, message="bending as little as possible, exactly")
    if climb.best is None or climb.best.unplaced:
        open_count = climb.best.unplaced if climb.best else len(climb.problem.dataset.sessions)
        return Verdict(False, f"{open_count} session(s) cannot be placed even when every bendable rule may be broken")
    return Verdict(True, "every session is placed; the broken rules are listed")


def construct_and_repair(climb: Climb) -> Verdict:
    """The greedy floor, improved by stripping the best timetable down to what keeps every hard rule."""
    problem = climb.problem
    climb.report("construct", 0.0, "placing what fits, greedily")
    if climb.incumbents.best is not None:
        slots, rooms = encode(climb.incumbents.best.timetable, problem.dataset)
        climb.incumbents.offer_arrays(*strip(problem.compiled, slots, rooms, keep_bent=False), "greedy")
    strict = climb.incumbents.strict
    placed = construct(
        problem.dataset,
        problem.compiled,
        control=climb.control,
        seed=climb.params.seed,
        start=encode(strict.timetable, problem.dataset) if strict else None,
    )
    climb.incumbents.offer_arrays(placed.slots, placed.rooms, "greedy")
    strict = climb.incumbents.strict
    open_core = core_open(problem, strict.report) if strict else len(problem.dataset.sessions)
    if open_core:
        return Verdict(False, f"{open_core} session(s) of core courses do not fit")
    if climb.best is None or climb.best.bent:
        return Verdict(False, "bending rules leaves fewer sessions open than keeping them all does")
    return Verdict(True, "every hard rule holds; what does not fit is listed")


def core_then_rest(climb: Climb) -> Verdict:
    """The priority core on its own, then the rest in growing batches around it."""
    dataset, params = climb.problem.dataset, climb.params
    chosen: set[str] = set()
    placed = Timetable()
    seconds = 0.5 * climb.walk.remaining
    parts = list(batches(dataset, params.max_courses, params.max_faculty, params.max_rooms))
    for number, part in enumerate(parts):
        chosen |= set(part)
        climb.report("construct", number / len(parts), f"placing batch {number + 1} of {len(parts)}")
        placed = _place_part(climb, chosen, placed, seconds if number == 0 else 0.0)
    found = climb.incumbents.offer(placed, "reduced")
    climb.coverage = _coverage(dataset, set(parts[0]), found)
    open_in_core = [key for key in found.report.unplaced if key[0] in set(parts[0])]
    if open_in_core:
        return Verdict(False, f"{len(open_in_core)} session(s) of the priority core cannot be placed")
    if climb.best is None or climb.best < found.score:
        return Verdict(False, "the best timetable so far places more than the core and its batches do")
    return Verdict(True, f"the core of {len(parts[0])} courses was placed first, the rest around it")


def _place_part(climb: Climb, chosen: set[str], placed: Timetable, search_seconds: float) -> Timetable:
    """Adds the chosen courses that are not placed yet; the core is searched, later batches are built greedily."""
    part = restrict(climb.problem.dataset, chosen)
    profile = climb.problem.profile
    compiled = compile_dataset(part, profile, build_context(part, simplified=True))
    start = encode(only(placed, chosen), part)
    floor = construct(part, compiled, control=climb.walk, seed=climb.params.seed, start=start)
    slots, rooms = floor.slots, floor.rooms
    if search_seconds > 0 and not climb.over and (slots < 0).any():
        found = search(
            part,
            compiled,
            (slots, rooms),
            control=climb.timed("search", search_seconds, "placing the priority core"),
            seconds=search_seconds,
            workers=climb.params.workers,
            seed=climb.params.seed,
            params=SearchParams(bend=False),
        )
        slots, rooms = strip(compiled, found.slots, found.rooms, keep_bent=False)
    return decode(slots, rooms, part)


def _coverage(dataset: Dataset, core: set[str], found: Incumbent) -> Coverage:
    open_courses = {course_id for course_id, _ in found.report.unplaced}
    return Coverage(
        core_courses=len(core),
        reinserted_courses=len([c for c in dataset.courses if c.id not in core and c.id not in open_courses]),
        open_courses=len(open_courses),
        total_courses=len(dataset.courses),
    )


def work_list(climb: Climb) -> Verdict:
    """Never fails: whatever stands is verified, and every open session gets its blockers and repairs."""
    best = climb.best
    return Verdict(True, f"{best.unplaced if best else 0} open session(s) are listed with blockers and repairs")


RUNGS: tuple[Rung, ...] = (
    Rung(
        "full",
        "Every session is placed and every hard rule holds; soft cost is as low as time allowed, "
        "with a bound where one was proved.",
        exact_and_search,
    ),
    Rung(
        "relaxed",
        "Every session is placed; only bendable rules are broken, at the least total price found; "
        "each breach is listed.",
        cheapest_relaxation,
    ),
    Rung(
        "greedy",
        "Placed without the exact solver, in seconds; every hard rule holds; what does not fit is listed.",
        construct_and_repair,
    ),
    Rung(
        "reduced",
        "The priority core was solved first and the rest reinserted in growing batches; "
        "coverage is accounted for, n of N.",
        core_then_rest,
    ),
    Rung(
        "manual",
        "The best verified partial timetable and a work list: each open session with its blockers and checked repairs.",
        work_list,
    ),
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
    climb = _prepare(dataset, params, control, start)
    kept = _walk(climb)
    variants = make_variants(climb, kept)
    control.report(Progress(stage="verify", share=1.0, message="recounted against the original dataset", rung=kept))
    return Result(
        variants=variants,
        stopped_by=_stopped_by(climb, variants),
        lower_bound=climb.bound,
        diagnosis=climb.diagnosis,
        journal=tuple(climb.journal),
        curve=tuple(climb.incumbents.curve),
        coverage=climb.coverage,
        context=climb.problem.context.summary,
        seed=params.seed,
        seconds=control.elapsed,
        versions=versions(),
        notes=tuple(dict.fromkeys(climb.incumbents.notes)),
    )


def versions() -> dict[str, str]:
    """Everything that may change an answer for the same seed."""
    return {"python": python_version(), **{name: version(name) for name in ("ortools", "numba", "numpy")}}


def _prepare(dataset: Dataset, params: SolveParams, control: Control, start: Timetable | None) -> Climb:
    """Context, arrays, counting proofs and the floor: after this an answer exists."""
    profile = profile_of(dataset)

    def report(step: str, share: float) -> None:
        control.report(Progress(stage="context", share=share, message=step))

    context = build_context(dataset, simplified=params.simplified_context, report=report)
    problem = Problem.of(dataset, profile, context)
    control.report(Progress(stage="construct", share=0.0, message="securing a first timetable"))
    incumbents = Incumbents(problem=problem, control=control)
    if start is not None:
        _offer_start(incumbents, start)
    floor = construct(
        dataset, problem.compiled, control=control, seed=params.seed, start=incumbents.start_arrays() if start else None
    )
    incumbents.offer_arrays(floor.slots, floor.rooms, "floor")
    diagnosis = _diagnosis(dataset)
    reserve = FINAL_SECONDS + 2 * incumbents.verify_seconds
    share = VARIANTS_SHARE if params.num_variants > 1 else 0.0
    walk_seconds = max(0.0, control.remaining * (1 - share) - reserve)
    climb = Climb(
        problem=problem,
        params=params,
        control=control,
        walk=control.until(walk_seconds),
        incumbents=incumbents,
        diagnosis=diagnosis,
    )
    climb.report("construct", 1.0, "a first timetable is secured")
    return climb


def _offer_start(incumbents: Incumbents, start: Timetable) -> None:
    """An earlier timetable may be of other data: what no longer exists is left out before it is recounted."""
    dataset = incumbents.problem.dataset
    slots, rooms = strip(incumbents.problem.compiled, *encode(start, dataset), keep_bent=True)
    incumbents.offer_arrays(slots, rooms, "start")


def _diagnosis(dataset: Dataset) -> Diagnosis:
    proofs = diagnose(dataset)
    return Diagnosis(proofs=proofs, evidence="certificate" if proofs else None)


def _walk(climb: Climb) -> RungId:
    """Enters the rungs in order until one keeps its promise; returns the promise that the best timetable keeps."""
    ids = [rung.id for rung in RUNGS]
    first = ids.index(climb.params.start_at)
    for number, rung in enumerate(RUNGS):
        entered = climb.control.elapsed
        if number < first:
            _note(climb, rung, entered, "skipped", f"this attempt starts at rung {climb.params.start_at}")
            continue
        if climb.control.stop is not Stop.NO and rung.id not in ("full", "manual") and not climb.complete:
            _note(climb, rung, entered, "skipped", f"stopped from outside ({climb.control.stop.name.lower()})")
            continue
        climb.rung = rung.id
        verdict = _enter(climb, rung)
        _note(climb, rung, entered, "kept" if verdict.kept else "left", verdict.why)
        if verdict.kept:
            return _promise_kept(climb, rung.id)
    return RUNGS[-1].id


def _promise_kept(climb: Climb, rung: RungId) -> RungId:
    """The strongest promise that the best timetable keeps; a lower rung may have found what a higher one asks for."""
    if climb.complete:
        return "full"
    return "relaxed" if climb.best is not None and climb.best.unplaced == 0 else rung


def _enter(climb: Climb, rung: Rung) -> Verdict:
    try:
        return rung.walk(climb)
    except MemoryError:
        return Verdict(False, "memory ran out on this rung")
    except Exception as error:  # noqa: BLE001 - the one broad catch of the solver: a bug costs a rung, never the answer
        climb.incumbents.notes.append(f"rung {rung.id} failed: {type(error).__name__}: {error}")
        return Verdict(False, f"an internal error ended this rung: {type(error).__name__}: {error}")


def _note(climb: Climb, rung: Rung, entered: float, outcome: str, why: str) -> None:
    climb.journal.append(
        RungVisit(
            rung=rung.id,
            entered=entered,
            left=climb.control.elapsed,
            outcome=outcome,  # type: ignore[arg-type]
            why=why,
            score=climb.best,
        )
    )


def _stopped_by(climb: Climb, variants: tuple[Variant, ...]) -> StoppedBy:
    if climb.control.stop is Stop.CANCEL:
        return StoppedBy.CANCELLED
    if climb.control.stop is Stop.FINISH:
        return StoppedBy.FINISHED_EARLY
    if variants[0].quality is Quality.OPTIMAL:
        return StoppedBy.PROVED
    return StoppedBy.STALLED if climb.stalled else StoppedBy.DEADLINE
