"""
What each rung of the ladder does. Their order, and when one is entered, stands in `walk.py` alone.

A rung works on the `SolveRun`: it calls stages, which offer what they find to the incumbents, and says at the end
whether its promise holds and why. No rung calls another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from solver.compiled import encode
from solver.construct import construct
from solver.control import Control, Place
from solver.ladder.ledger import core_open
from solver.ladder.parts import core_apart, offer_with_rest, place_part
from solver.ladder.reduction import batches
from solver.ladder.solve_run import SolveRun, working_at
from solver.model import Timetable
from solver.names import counted
from solver.ranks import rank_of
from solver.result import Diagnosis
from solver.search import SearchParams, strip
from solver.search.params import Arrays

SMALL_SESSIONS = 600
"""Up to this many sessions the exact solver gets a share of the time; beyond, it costs more than it finds."""
TINY_SESSIONS = 120
"""Up to this many sessions the whole problem is one exact model, which may prove the optimum."""
TINY_EXACT_SHARE, SMALL_EXACT_SHARE = 0.12, 0.02
"""
What the exact solver gets of the time. On datasets that are not tiny we know of no case where neighbourhoods gain more
than annealing in the same seconds (17 of them on two ITC-2007 instances brought nothing), so it gets little.
"""
PLACING_SHARE, TRY_SHARE = 0.3, 0.6
"""Shares of the time left after which a try at placing everything ends, so that others and lower rungs have a turn."""
IMPROVING, COOLER = SearchParams(give_up_share=0.8), SearchParams(start_temperature=3.0)
"""
A round may start from a floor that is not complete. If it does not get there, as on a slow machine with many sessions,
what follows starts from the best at a temperature that breaks nothing which then could not be mended.
"""
ROOM_BOUND_SECONDS, ROOM_BOUND_SHARE = 1.0, 0.02
"""What rooms cost at least is found before the search, in the lesser of these seconds and this share of the time."""
CORE_SHARE = 0.25
"""Of the time left, for the core subjects apart, once a first try at bending has left some of them open."""
BENDING_SHARE = 0.8
"""Of the time left, for bending where that does not place everything, so that the lower rungs have a turn."""
BENDING_ROUNDS = 0.45, 0.3
"""Of the time left; the second round gets half of the rest of `BENDING_SHARE` at most where sessions are open yet."""
EXPLAIN_SECONDS = 10.0
LEAST_SECONDS = 0.05
"""Less is not worth a round."""
FIRST_ROUND, PATIENT_ROUNDS = 10, 4
"""Number of the first improving round, from which seeds follow; rounds before a result that is poor is left alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a rung ended: kept when its promise holds, and why in words that people read."""

    kept: bool
    why: str


def exact_and_search(run: SolveRun) -> Verdict:
    """Everything placed and every hard rule kept, at the least soft cost that time allows."""
    if run.diagnosis.proofs:
        return Verdict(False, f"proved infeasible: {run.diagnosis.proofs[0].sentence}")
    exact_seconds = _exact_share(run) * run.walk.remaining
    if exact_seconds > 0:
        run.bound_rooms(min(ROOM_BOUND_SECONDS, ROOM_BOUND_SHARE * run.walk.remaining))
    run.place_all(PLACING_SHARE * run.walk.remaining)
    if not run.complete:
        _place_slowly(run, reserve=exact_seconds)
    run.place_all(TRY_SHARE * run.walk.remaining)
    if not run.complete:
        return _give_up_on_full(run)
    _improve(run, reserve=exact_seconds)
    _prove(run, exact_seconds)
    return Verdict(True, "every session is placed and every hard rule is kept")


def _exact_share(run: SolveRun) -> float:
    """Nothing where it would be wasted: the models with the days of single students take seconds and bound nothing."""
    sessions = len(run.instance.dataset.sessions)
    if sessions <= TINY_SESSIONS:
        return TINY_EXACT_SHARE
    return 0.0 if sessions > SMALL_SESSIONS or run.instance.compiled.counts_days_of_students else SMALL_EXACT_SHARE


def _place_slowly(run: SolveRun, *, reserve: float) -> None:
    """
    A cooling round places what could not be placed in a hurry, and improves it as well: one over a whole round finds
    better timetables than a first one that only places and a second one after it. It ends at `TRY_SHARE` when it has
    not placed all by then.
    """
    patience = TRY_SHARE * run.walk.remaining
    left = run.walk.remaining - reserve
    seconds = min(left, max(patience, run.round_of(left)))
    patient = SearchParams(give_up_share=min(1.0, patience / max(seconds, 1e-9)))
    run.search(seconds, patient, message="placing every session", start=run.cheaper_start())


def _give_up_on_full(run: SolveRun) -> Verdict:
    if len(run.instance.dataset.sessions) <= SMALL_SESSIONS and not run.over:
        status = run.exact(
            TINY_EXACT_SHARE * run.walk.remaining, bend=False, message="looking for any timetable, exactly"
        )
        if run.complete:
            _improve(run, reserve=0.0)
            return Verdict(True, "every session is placed and every hard rule is kept")
        if status == "infeasible":
            run.explain(min(EXPLAIN_SECONDS, 0.5 * run.walk.remaining))
            run.diagnosis = Diagnosis(
                proofs=run.diagnosis.proofs, conflicts=run.diagnosis.conflicts, evidence="two_solves"
            )
            return Verdict(
                False, "proved infeasible: two different exact searches agree that the hard rules contradict each other"
            )
    return Verdict(False, "no timetable that keeps every hard rule was found in the time set aside for this step")


def _improve(run: SolveRun, *, reserve: float) -> None:
    """Search rounds until the time is used or cooler ones bring nothing either on a result that is good enough."""
    run.quick_search()
    start: Arrays | None = run.cheaper_start()
    params, message = IMPROVING, "improving the timetable"
    for round_number in count(FIRST_ROUND):
        left = run.walk.remaining - reserve
        if run.over or run.proved_optimal or left <= LEAST_SECONDS:
            return
        before = run.best
        run.search(run.round_of(left), params, message=message, round_number=round_number, start=start)
        start = None
        if run.best is not None and run.best.soft == 0:
            run.raise_bound(0)
        if run.best != before:
            continue
        if params is COOLER and (_is_good(run) or round_number + 1 >= FIRST_ROUND + PATIENT_ROUNDS):
            run.stalled = run.walk.remaining - reserve > LEAST_SECONDS
            return
        params = COOLER


def _is_good(run: SolveRun) -> bool:
    best = run.incumbents.best
    return best is not None and best.report.quality_index >= run.params.quality_threshold


def _prove(run: SolveRun, seconds: float) -> None:
    if run.best is not None and run.best.soft == 0:
        run.raise_bound(0)
    if not run.proved_optimal:
        run.prove_bound(0.5 * seconds, "proving how much better it could be")
    if run.proved_optimal:
        return
    if len(run.instance.dataset.sessions) <= TINY_SESSIONS:
        run.exact(0.5 * seconds, bend=False, message="solving the whole problem exactly")
    else:
        run.polish(0.5 * seconds, "solving windows exactly")


def cheapest_relaxation(run: SolveRun) -> Verdict:
    """Everything placed, bendable rules broken at the least price found."""
    if run.complete:
        _improve(run, reserve=0.0)
        return Verdict(True, "nothing has to be bent, because the timetable found so far keeps every hard rule")
    bending = run.walk.until(BENDING_SHARE * run.walk.remaining)
    small = len(run.instance.dataset.sessions) <= SMALL_SESSIONS
    first, second = (share * run.walk.remaining for share in BENDING_ROUNDS)
    if small and not run.diagnosis.conflicts:
        run.explain(min(EXPLAIN_SECONDS, 0.15 * bending.remaining))
    _bend(run, first, round_number=20)
    if small or not _all_placed(run):
        core_apart(run, CORE_SHARE * run.walk.remaining, bend=True)
        _bend(run, second if _all_placed(run) else min(second, 0.5 * bending.remaining), round_number=21)
    if small:
        _bend_exactly(run, bending)
    if not _all_placed(run):
        open_count = run.best.unplaced if run.best else len(run.instance.dataset.sessions)
        return Verdict(
            False, f"{counted(open_count, 'session')} found no place although every rule that may bend was allowed to"
        )
    return Verdict(True, "every session is placed, and the broken rules are listed")


def _all_placed(run: SolveRun) -> bool:
    return run.best is not None and run.best.unplaced == 0


def _bend(run: SolveRun, seconds: float, *, round_number: int) -> None:
    run.search(seconds, SearchParams(bend=True), message="bending the cheapest rules", round_number=round_number)


def _bend_exactly(run: SolveRun, bending: Control) -> None:
    """Where all have a place no lower rung needs the time that `bending` leaves to them."""
    time = run.walk if _all_placed(run) else bending
    run.exact(0.5 * time.remaining, bend=True, message="bending as little as possible, exactly")
    if run.best is not None and run.best.left_open:  # who it is matters
        message = "leaving open what matters least, exactly"
        run.exact(0.5 * bending.remaining, bend=True, partial=True, message=message)


@working_at(Place.CONSTRUCT)
def construct_and_repair(run: SolveRun) -> Verdict:
    """The greedy floor, improved by stripping the best timetable down to what keeps every hard rule."""
    instance = run.instance
    run.report("construct", 0.0, "placing whatever fits")
    if not run.over:  # the floor keeps every hard rule, too: there is something to judge
        _construct_again(run)
        core_apart(run, 0.5 * run.walk.remaining, bend=False)
    strict = run.incumbents.strict
    open_core = core_open(instance, strict.report) if strict else len(instance.dataset.sessions)
    if open_core:
        return Verdict(False, f"{counted(open_core, 'session')} of core courses {_left_open(run)}")
    if run.best is None or run.best.bent:
        return Verdict(False, "bending rules leaves fewer sessions open than keeping them all does")
    return Verdict(True, "every hard rule is kept, and whatever does not fit is listed")


def _left_open(run: SolveRun) -> str:
    return "had no place when time ran out" if run.over else "found no place"


def _construct_again(run: SolveRun) -> None:
    instance = run.instance
    if run.incumbents.best is not None:
        slots, rooms = encode(run.incumbents.best.timetable, instance.dataset)
        run.incumbents.offer_arrays(*strip(instance.compiled, slots, rooms, keep_bent=False), "greedy")
    strict = run.incumbents.strict
    start = encode(strict.timetable, instance.dataset) if strict else None
    placed = construct(instance.compiled, control=run.walk, seed=run.params.seed, start=start)
    run.incumbents.offer_arrays(placed.slots, placed.rooms, "greedy")
    if strict is not None and strict.score.left_open:
        placed = construct(instance.compiled, control=run.walk, seed=run.params.seed, by_rank=True)
        run.incumbents.offer_arrays(placed.slots, placed.rooms, "greedy")


@working_at(Place.CONSTRUCT)
def core_then_rest(run: SolveRun) -> Verdict:
    """The priority core on its own, then the rest in growing batches around it."""
    if run.over:
        return Verdict(False, "no time was left to place the most important courses first")
    dataset, params = run.instance.dataset, run.params
    chosen: set[str] = set()
    placed = Timetable()
    parts = list(batches(dataset, params.max_courses, params.max_faculty, params.max_rooms))
    for number, part in enumerate(parts):
        if run.over:
            break
        chosen |= set(part)
        run.report("construct", number / len(parts), f"placing batch {number + 1} of {len(parts)}")
        searched = number == 0 or all(rank_of(dataset.course[course_id]).core for course_id in part)
        placed = place_part(run, chosen, placed, 0.5 * run.walk.remaining if searched else 0.0)
    found = offer_with_rest(run, placed, "reduced")
    run.core = frozenset(parts[0])
    if found is None:
        return Verdict(False, "stopped from outside (cancel)")
    open_in_core = [key for key in found.report.unplaced if key[0] in run.core]
    if open_in_core:
        return Verdict(
            False, f"{counted(len(open_in_core), 'session')} of the most important courses {_left_open(run)}"
        )
    if run.best is None or run.best < found.score:
        return Verdict(False, "the best timetable so far places more than this step does")
    return Verdict(True, f"the {len(parts[0])} most important courses were placed first, and the rest around them")


def work_list(run: SolveRun) -> Verdict:
    """Never fails: whatever stands is verified, and every open session gets its blockers and repairs."""
    left = run.best.unplaced if run.best else 0
    return Verdict(True, f"{counted(left, 'open session')} listed, with what is in the way and what would help")
