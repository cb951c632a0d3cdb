"""
What each rung of the ladder does. Their order, and when one is entered, stands in `ladder.py` alone.

A rung works on the `Climb`: it calls stages, which offer what they find to the incumbents, and says at the end
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
from solver.ladder.solve_run import Climb, working_at
from solver.model import Timetable
from solver.names import counted
from solver.ranks import rank_of
from solver.result import Diagnosis
from solver.search import SearchParams, strip
from solver.search.params import Arrays

SMALL_SESSIONS = 600
"""Up to this many sessions the exact solver gets a share of the time; beyond, its windows cost more than they find."""
TINY_SESSIONS = 120
"""Up to this many sessions the whole problem is one exact model, which may prove the optimum."""
TINY_EXACT_SHARE, SMALL_EXACT_SHARE = 0.12, 0.02
"""
What the exact solver gets of the time. On datasets that are not tiny we know of no case where windows gain more than
annealing in the same seconds (17 windows on two ITC-2007 instances brought nothing), so it gets little.
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


def exact_and_search(climb: Climb) -> Verdict:
    """Everything placed and every hard rule kept, at the least soft cost that time allows."""
    if climb.diagnosis.proofs:
        return Verdict(False, f"proved infeasible: {climb.diagnosis.proofs[0].sentence}")
    exact_seconds = _exact_share(climb) * climb.walk.remaining
    if exact_seconds > 0:
        climb.bound_rooms(min(ROOM_BOUND_SECONDS, ROOM_BOUND_SHARE * climb.walk.remaining))
    climb.place_all(PLACING_SHARE * climb.walk.remaining)
    if not climb.complete:
        _place_slowly(climb, reserve=exact_seconds)
    climb.place_all(TRY_SHARE * climb.walk.remaining)
    if not climb.complete:
        return _give_up_on_full(climb)
    _improve(climb, reserve=exact_seconds)
    _prove(climb, exact_seconds)
    return Verdict(True, "every session is placed and every hard rule is kept")


def _exact_share(climb: Climb) -> float:
    """Nothing where it would be wasted: the models with the days of single students take seconds and bound nothing."""
    sessions = len(climb.problem.dataset.sessions)
    if sessions <= TINY_SESSIONS:
        return TINY_EXACT_SHARE
    return 0.0 if sessions > SMALL_SESSIONS or climb.problem.compiled.counts_days_of_students else SMALL_EXACT_SHARE


def _place_slowly(climb: Climb, *, reserve: float) -> None:
    """
    A cooling round places what could not be placed in a hurry, and improves it as well: one over a whole round finds
    better timetables than a first one that only places and a second one after it. It ends at `TRY_SHARE` when it has
    not placed all by then.
    """
    patience = TRY_SHARE * climb.walk.remaining
    left = climb.walk.remaining - reserve
    seconds = min(left, max(patience, climb.round_of(left)))
    patient = SearchParams(give_up_share=min(1.0, patience / max(seconds, 1e-9)))
    climb.search(seconds, patient, message="placing every session", start=climb.cheaper_start())


def _give_up_on_full(climb: Climb) -> Verdict:
    if len(climb.problem.dataset.sessions) <= SMALL_SESSIONS and not climb.over:
        status = climb.exact(
            TINY_EXACT_SHARE * climb.walk.remaining, bend=False, message="looking for any timetable, exactly"
        )
        if climb.complete:
            _improve(climb, reserve=0.0)
            return Verdict(True, "every session is placed and every hard rule is kept")
        if status == "infeasible":
            climb.explain(min(EXPLAIN_SECONDS, 0.5 * climb.walk.remaining))
            climb.diagnosis = Diagnosis(
                proofs=climb.diagnosis.proofs, conflicts=climb.diagnosis.conflicts, evidence="two_solves"
            )
            return Verdict(
                False, "proved infeasible: two different exact searches agree that the hard rules contradict each other"
            )
    return Verdict(False, "no timetable that keeps every hard rule was found in the time set aside for this step")


def _improve(climb: Climb, *, reserve: float) -> None:
    """Search rounds until the time is used or cooler ones bring nothing either on a result that is good enough."""
    climb.quick_search()
    start: Arrays | None = climb.cheaper_start()
    params, message = IMPROVING, "improving the timetable"
    for round_number in count(FIRST_ROUND):
        left = climb.walk.remaining - reserve
        if climb.over or climb.proved_optimal or left <= LEAST_SECONDS:
            return
        before = climb.best
        climb.search(climb.round_of(left), params, message=message, round_number=round_number, start=start)
        start = None
        if climb.best is not None and climb.best.soft == 0:
            climb.raise_bound(0)
        if climb.best != before:
            continue
        if params is COOLER and (_is_good(climb) or round_number + 1 >= FIRST_ROUND + PATIENT_ROUNDS):
            climb.stalled = climb.walk.remaining - reserve > LEAST_SECONDS
            return
        params = COOLER


def _is_good(climb: Climb) -> bool:
    best = climb.incumbents.best
    return best is not None and best.report.quality_index >= climb.params.quality_threshold


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
        return Verdict(True, "nothing has to be bent, because the timetable found so far keeps every hard rule")
    bending = climb.walk.until(BENDING_SHARE * climb.walk.remaining)
    small = len(climb.problem.dataset.sessions) <= SMALL_SESSIONS
    first, second = (share * climb.walk.remaining for share in BENDING_ROUNDS)
    if small and not climb.diagnosis.conflicts:
        climb.explain(min(EXPLAIN_SECONDS, 0.15 * bending.remaining))
    _bend(climb, first, round_number=20)
    if small or not _all_placed(climb):
        core_apart(climb, CORE_SHARE * climb.walk.remaining, bend=True)
        _bend(climb, second if _all_placed(climb) else min(second, 0.5 * bending.remaining), round_number=21)
    if small:
        _bend_exactly(climb, bending)
    if not _all_placed(climb):
        open_count = climb.best.unplaced if climb.best else len(climb.problem.dataset.sessions)
        return Verdict(
            False, f"{counted(open_count, 'session')} found no place although every rule that may bend was allowed to"
        )
    return Verdict(True, "every session is placed, and the broken rules are listed")


def _all_placed(climb: Climb) -> bool:
    return climb.best is not None and climb.best.unplaced == 0


def _bend(climb: Climb, seconds: float, *, round_number: int) -> None:
    climb.search(seconds, SearchParams(bend=True), message="bending the cheapest rules", round_number=round_number)


def _bend_exactly(climb: Climb, bending: Control) -> None:
    """Where all have a place no lower rung needs the time that `bending` leaves to them."""
    time = climb.walk if _all_placed(climb) else bending
    climb.exact(0.5 * time.remaining, bend=True, message="bending as little as possible, exactly")
    if climb.best is not None and climb.best.left_open:  # who it is matters
        message = "leaving open what matters least, exactly"
        climb.exact(0.5 * bending.remaining, bend=True, partial=True, message=message)


@working_at(Place.CONSTRUCT)
def construct_and_repair(climb: Climb) -> Verdict:
    """The greedy floor, improved by stripping the best timetable down to what keeps every hard rule."""
    problem = climb.problem
    climb.report("construct", 0.0, "placing whatever fits")
    if not climb.over:  # the floor keeps every hard rule, too: there is something to judge
        _construct_again(climb)
        core_apart(climb, 0.5 * climb.walk.remaining, bend=False)
    strict = climb.incumbents.strict
    open_core = core_open(problem, strict.report) if strict else len(problem.dataset.sessions)
    if open_core:
        return Verdict(False, f"{counted(open_core, 'session')} of core courses {_left_open(climb)}")
    if climb.best is None or climb.best.bent:
        return Verdict(False, "bending rules leaves fewer sessions open than keeping them all does")
    return Verdict(True, "every hard rule is kept, and whatever does not fit is listed")


def _left_open(climb: Climb) -> str:
    return "had no place when time ran out" if climb.over else "found no place"


def _construct_again(climb: Climb) -> None:
    problem = climb.problem
    if climb.incumbents.best is not None:
        slots, rooms = encode(climb.incumbents.best.timetable, problem.dataset)
        climb.incumbents.offer_arrays(*strip(problem.compiled, slots, rooms, keep_bent=False), "greedy")
    strict = climb.incumbents.strict
    start = encode(strict.timetable, problem.dataset) if strict else None
    placed = construct(problem.compiled, control=climb.walk, seed=climb.params.seed, start=start)
    climb.incumbents.offer_arrays(placed.slots, placed.rooms, "greedy")
    if strict is not None and strict.score.left_open:
        placed = construct(problem.compiled, control=climb.walk, seed=climb.params.seed, by_rank=True)
        climb.incumbents.offer_arrays(placed.slots, placed.rooms, "greedy")


@working_at(Place.CONSTRUCT)
def core_then_rest(climb: Climb) -> Verdict:
    """The priority core on its own, then the rest in growing batches around it."""
    if climb.over:
        return Verdict(False, "no time was left to place the most important courses first")
    dataset, params = climb.problem.dataset, climb.params
    chosen: set[str] = set()
    placed = Timetable()
    parts = list(batches(dataset, params.max_courses, params.max_faculty, params.max_rooms))
    for number, part in enumerate(parts):
        if climb.over:
            break
        chosen |= set(part)
        climb.report("construct", number / len(parts), f"placing batch {number + 1} of {len(parts)}")
        searched = number == 0 or all(rank_of(dataset.course[course_id]).core for course_id in part)
        placed = place_part(climb, chosen, placed, 0.5 * climb.walk.remaining if searched else 0.0)
    found = offer_with_rest(climb, placed, "reduced")
    climb.core = frozenset(parts[0])
    if found is None:
        return Verdict(False, "stopped from outside (cancel)")
    open_in_core = [key for key in found.report.unplaced if key[0] in climb.core]
    if open_in_core:
        return Verdict(
            False, f"{counted(len(open_in_core), 'session')} of the most important courses {_left_open(climb)}"
        )
    if climb.best is None or climb.best < found.score:
        return Verdict(False, "the best timetable so far places more than this step does")
    return Verdict(True, f"the {len(parts[0])} most important courses were placed first, and the rest around them")


def work_list(climb: Climb) -> Verdict:
    """Never fails: whatever stands is verified, and every open session gets its blockers and repairs."""
    left = climb.best.unplaced if climb.best else 0
    return Verdict(True, f"{counted(left, 'open session')} listed, with what is in the way and what would help")
