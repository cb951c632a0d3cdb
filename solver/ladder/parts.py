"""Some courses as if there were no others, then the rest around them: what is placed first when not all fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from solver.compiled import Compiled, compile_dataset, decode, encode
from solver.construct import construct
from solver.context import build_context
from solver.control import Place, Stop
from solver.ladder.incumbent import Incumbent
from solver.ladder.reduction import only, restrict
from solver.ladder.solve_run import PLACING, SolveRun, working_at
from solver.model import Dataset, Timetable
from solver.ranks import rank_of
from solver.search import SearchParams, search, strip
from solver.search.params import Arrays


def place_part(
    run: SolveRun,
    chosen: set[str],
    placed: Timetable,
    search_seconds: float,
    *,
    improve: bool = True,
    bend: bool = False,
) -> Timetable:
    """
    Adds the chosen courses that are not placed yet: greedily, and by a search where that leaves some open.

    A part that is not worth a search has 0 for its seconds; without `improve` the search ends when all have a place
    and nothing is bent. With `bend` it bends rules for those that find no place otherwise.
    """
    part = restrict(run.instance.dataset, chosen)
    compiled = compile_dataset(part, run.instance.profile, build_context(part, simplified=True))
    start = encode(only(placed, chosen), part)
    floor = construct(compiled, control=run.walk, seed=run.params.seed, start=start)
    slots, rooms = floor.slots, floor.rooms
    if search_seconds > 0 and not run.over and (slots < 0).any():
        slots, rooms = _searched(run, part, compiled, (slots, rooms), search_seconds, improve=improve, bend=bend)
    return decode(slots, rooms, part)


@working_at(Place.LOCAL_SEARCH)
def _searched(
    run: SolveRun, part: Dataset, compiled: Compiled, start: Arrays, seconds: float, *, improve: bool, bend: bool
) -> Arrays:
    """Any timetable in which all have a place, in half of the time at most, and a good one in the rest."""
    control = run.timed("search", seconds, "placing the most important courses")
    rounds = ((0.5, PLACING), (1.0, SearchParams())) if improve else ((1.0, PLACING),)
    for share, params in rounds:
        found = search(
            part,
            compiled,
            start,
            control=control,
            seconds=share * control.remaining,
            workers=run.params.workers,
            seed=run.params.seed,
            params=replace(params, bend=bend),
        )
        start = found.slots, found.rooms
    return strip(compiled, *start, keep_bent=bend)


@working_at(Place.CONSTRUCT)
def core_apart(run: SolveRun, seconds: float, *, bend: bool) -> None:
    """
    All core subjects on their own, for these seconds at most, then the rest around them, greedily.

    For when electives may be what keeps core sessions open; does nothing where no core session is. With `bend` rules
    are bent for core sessions that find no place otherwise, and then for the others.
    """
    courses = run.instance.dataset.courses
    core = {course.id for course in courses if rank_of(course).core}
    best = run.best
    if run.over or best is None or len(core) == len(courses) or not any(row.core for row in best.left_open):
        return
    placed = place_part(run, core, Timetable(), seconds, improve=False, bend=bend)
    if bend:
        _offer_bent(run, placed, "core first")
    else:
        offer_with_rest(run, placed, "core first")


def offer_with_rest(run: SolveRun, placed: Timetable, source: str) -> Incumbent | None:
    """
    Offers a timetable of some courses with all others around it, greedily, even where the time of the walk is over: a
    core session more in place would outweigh all that nobody has tried to place. None once the solve is cancelled.
    """
    instance, control = run.instance, run.control
    start = encode(placed, instance.dataset)
    whole = construct(instance.compiled, control=control, seed=run.params.seed, start=start, first=True)
    return None if control.stop is Stop.CANCEL else run.incumbents.offer_arrays(whole.slots, whole.rooms, source)


def _offer_bent(run: SolveRun, placed: Timetable, source: str) -> None:
    """
    The same where rules may be bent: offers it with all others placed anew, and with those that need not go where they
    stand in the best timetable so far. The first leaves less open of higher ranks, the second less of the lowest.
    """
    slots, rooms = encode(placed, run.instance.dataset)
    there, where = run.start_arrays()
    absent = slots < 0
    in_best: Arrays = np.where(absent, there, slots), np.where(absent, where, rooms)
    for start_slots, start_rooms in ((slots, rooms), in_best):
        if run.control.stop is not Stop.CANCEL:
            kept = strip(run.instance.compiled, start_slots, start_rooms, keep_bent=True)
            run.incumbents.offer_arrays(*kept, source)
