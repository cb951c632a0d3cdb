"""What children of service tests call: the solvers of `tests.service.solvers`, and one that is done at once."""

from __future__ import annotations

from solver.control import Control
from solver.model import Dataset, Timetable
from solver.params import SolveParams
from solver.result import Result
from tests.service import solvers


def quick(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Finds the best timetable and returns it."""
    solvers.offer(dataset, control, solvers.COURSES)
    return solvers.result(dataset, solvers.timetable(solvers.COURSES), control, params)


def solve(dataset: Dataset, params: SolveParams, control: Control, *, start: Timetable | None = None) -> Result:
    solvers.BEHAVIOURS.setdefault("quick", quick)
    return solvers.solve(dataset, params, control, start=start)
