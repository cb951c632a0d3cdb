"""What children of service tests call: the solvers of `tests.service.solvers`, and one that is done at once."""

from __future__ import annotations

import time
from dataclasses import replace

from app.domain.portfolio import SEED_STEP
from app.processes import child
from solver.control import Control
from solver.model import Dataset, Timetable
from solver.params import SolveParams
from solver.result import Result
from tests.service import solvers

POOR, GOOD = 3, 8
"""Levels that the owner of a job finds with `seeded`, and its assistants."""


def quick(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Finds the best timetable and returns it."""
    solvers.offer(dataset, control, solvers.COURSES)
    return solvers.result(dataset, solvers.timetable(solvers.COURSES), control, params)


def seeded(dataset: Dataset, params: SolveParams, control: Control, level: int, *, hears: bool = True) -> Result:
    """Holds what its seed lets it find until it is asked to end; goes on from what it is offered, if it is better."""
    level = max(level, GOOD if params.seed >= SEED_STEP else POOR)
    solvers.offer(dataset, control, level)
    while not control.should_stop:
        offered = control.offered() if hears else None
        if offered is not None and solvers.level_of(offered) > level:
            level = solvers.level_of(offered)
            solvers.offer(dataset, control, level)
        solvers.say(control, params, "search", 0.5)
        time.sleep(0.02)
    return solvers.result(dataset, solvers.timetable(level), control, params)


def deaf(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """The same, and never looks at what it is offered."""
    return seeded(dataset, params, control, level, hears=False)


def gulp(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Holds a timetable and takes more memory at once than its container has, but not on the rung `reduced`."""
    solvers.offer(dataset, control, max(level, 3))
    if params.start_at == "full":
        solvers.say(control, params, "search")
        time.sleep(0.3)
        bytearray(b"x") * 800_000_000
    return solvers.result(dataset, solvers.timetable(solvers.COURSES), control, params)


def forger(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Holds a poor timetable, and hands it in as a perfect one from a process in which nobody finds fault with that."""
    solvers.offer(dataset, control, POOR)
    poor = solvers.result(dataset, solvers.timetable(POOR), control, params)
    perfect = solvers.result(dataset, solvers.timetable(solvers.COURSES), control, params)
    return replace(poor, variants=(replace(perfect.best, timetable=poor.best.timetable),))


def boastful_frame(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Hands in a sound result, and claims a better score beside it."""
    honest = child._result_frame
    child._result_frame = lambda result, found_by: replace(honest(result, found_by), score=(0, 0, 0, 0))
    solvers.offer(dataset, control, POOR)
    return solvers.result(dataset, solvers.timetable(POOR), control, params)


OURS = {behaviour.__name__: behaviour for behaviour in (quick, seeded, deaf, gulp, forger, boastful_frame)}


def solve(dataset: Dataset, params: SolveParams, control: Control, *, start: Timetable | None = None) -> Result:
    solvers.BEHAVIOURS.update(OURS)
    return solvers.solve(dataset, params, control, start=start)
