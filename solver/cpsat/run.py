"""
Running CP-SAT under a `Control`: in the calling thread, with a watcher that beats and repeats a stop until it is heard.

CP-SAT's own time limit is advice, and a stop asked for before the search begins is lost, so the watcher asks again
every `WATCH_SECONDS` for as long as the solve lasts. It beats in the name of CP-SAT, which cannot, but only while the
process computes and only until `OVERTIME_SECONDS` after the solve should have ended: whoever watches the beats learns
of a CP-SAT that waits for itself, or that ignores its limit. The number of workers is always given: zero would mean
every core of the machine.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ortools.sat.python import cp_model

from solver.control import Control, Place

WATCH_SECONDS = 0.05
OVERTIME_SECONDS = 2.0
WORKING_SHARE = 0.01
"""Of a pause between two looks; a process that computes less than this in it does not beat."""
SEARCH_BEGINS = "tarting search"
"""In the line of CP-SAT's log that ends its presolve."""
BOUND_NOISE = 1e-3
"""All objectives are whole numbers, so a bound above k - 1 by more than this proves k."""
LARGEST_SEED = 2**31 - 1
Status = Literal["optimal", "feasible", "infeasible", "unknown"]
Parameter = int | float | bool

_STATUS: Mapping[cp_model.CpSolverStatus, Status] = {
    cp_model.OPTIMAL: "optimal",
    cp_model.FEASIBLE: "feasible",
    cp_model.INFEASIBLE: "infeasible",
}


@dataclass(frozen=True, slots=True)
class Run:
    """
    Outcome of one solve.

    `values` holds every variable by index, empty without a solution; `bound` is the proved lower bound of the
    objective, rounded up, None when there is none; `core` the assumptions found to be infeasible together, by literal
    index; `interrupted` says that somebody asked to stop, which takes the weight from "optimal".
    """

    status: Status
    values: Sequence[int] = ()
    bound: int | None = None
    core: tuple[int, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False


def run(
    model: cp_model.CpModel,
    *,
    control: Control,
    seconds: float,
    workers: int = 1,
    seed: int = 0,
    parameters: Mapping[str, Parameter] | None = None,
    enough: int | None = None,
) -> Run:
    """
    Solves `model` within `seconds` and the control's own deadline, or until its bound has reached `enough`.

    A stop, before or during the solve, ends it with what there is. Raises ValueError when CP-SAT finds the model
    invalid, which is a bug of ours.
    """
    budget = min(seconds, control.remaining)
    if control.should_stop or budget <= 0:
        return Run("unknown", interrupted=True)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = seed & LARGEST_SEED
    solver.parameters.max_time_in_seconds = budget
    solver.parameters.catch_sigint_signal = False
    for name, value in (parameters or {}).items():
        setattr(solver.parameters, name, value)
    solver.parameters.log_search_progress = True
    solver.parameters.log_to_stdout = False
    solver.log_callback = lambda line: _note_search(control, line)
    if enough is not None:
        solver.best_bound_callback = lambda bound: solver.stop_search() if bound > enough - 1 + BOUND_NOISE else None
    began = time.monotonic()
    with control.at(Place.CPSAT_PRESOLVE), _Watcher(solver, control.until(budget)):
        found = solver.solve(model)
    if found == cp_model.MODEL_INVALID:
        raise ValueError(f"CP-SAT refuses the model: {model.validate()}")
    status = _STATUS.get(found, "unknown")
    return Run(
        status=status,
        values=tuple(solver.response_proto.solution) if status in ("optimal", "feasible") else (),
        bound=_safe_bound(solver, status) if model.has_objective() else None,
        core=tuple(solver.sufficient_assumptions_for_infeasibility()) if status == "infeasible" else (),
        seconds=time.monotonic() - began,
        interrupted=control.should_stop,
    )


def _safe_bound(solver: cp_model.CpSolver, status: Status) -> int | None:
    """
    The bound as an integer; all our objectives are integral, so rounding up is safe once noise is taken off.

    A solve that ends in its presolve says 0.0, whatever the objective: that is no bound, and cannot be told from one.
    """
    bound = solver.best_objective_bound
    if status == "infeasible" or not math.isfinite(bound) or (status == "unknown" and bound == 0.0):
        return None
    return math.ceil(bound - 1e-6 * max(1.0, abs(bound)))


def _note_search(control: Control, line: str) -> None:
    if SEARCH_BEGINS in line:
        control.place = Place.CPSAT_SEARCH


class _Watcher:
    """A thread beside a solve: beats while CP-SAT works in its time, and passes a stop on until the solve returns."""

    def __init__(self, solver: cp_model.CpSolver, control: Control) -> None:
        self.solver, self.control = solver, control
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, name="cpsat-watcher", daemon=True)

    def _watch(self) -> None:
        silent_from = self.control.deadline + OVERTIME_SECONDS
        looked, used = time.monotonic(), _used_by_others()
        try:
            while not self.done.wait(WATCH_SECONDS):
                if self.control.should_stop:
                    self.solver.stop_search()
                now, using = time.monotonic(), _used_by_others()
                if now < silent_from and using - used >= WORKING_SHARE * (now - looked):
                    self.control.beat()
                looked, used = now, using
        finally:
            # Also when whoever listens to the beat raises: a solve that nobody watches must not go on.
            self.solver.stop_search()

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.thread.join()


def _used_by_others() -> float:
    """Processor seconds of this process without those of the calling thread."""
    return time.process_time() - time.thread_time()
