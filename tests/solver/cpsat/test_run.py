from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from ortools.sat.python import cp_model

from solver.control import BEAT_WORD, Control, Place, Stop
from solver.cpsat import run as running
from solver.cpsat.run import run
from tests.effort import FOR_EVER


def _hard_model(holes: int = 13) -> cp_model.CpModel:
    """Pigeons in holes: no solution, and no short proof without counting."""
    model = cp_model.CpModel()
    pigeons = holes + 1
    sits = [[model.new_bool_var("") for _ in range(holes)] for _ in range(pigeons)]
    for row in sits:
        model.add_bool_or(row)
    for hole in range(holes):
        for i in range(pigeons):
            for j in range(i):
                model.add_bool_or([~sits[i][hole], ~sits[j][hole]])
    return model


LONG = {"cp_model_presolve": False, "linearization_level": 0, "symmetry_level": 0}


def test_a_stop_during_the_solve_ends_it() -> None:
    control = Control()
    threading.Timer(0.5, lambda: control.request_stop(Stop.CANCEL)).start()
    found = run(_hard_model(), control=control, seconds=FOR_EVER, parameters=LONG)
    assert found.status == "unknown" and found.interrupted
    assert control.words[BEAT_WORD] > 0, "the stop came during the solve"


def test_a_stop_before_the_solve_is_not_lost() -> None:
    control = Control()
    control.request_stop(Stop.FINISH)
    found = run(_hard_model(), control=control, seconds=FOR_EVER, parameters=LONG)
    assert found.status == "unknown" and found.interrupted


def test_the_deadline_of_the_control_wins_over_the_seconds_given() -> None:
    found = run(_hard_model(), control=Control().until(0.5), seconds=FOR_EVER, parameters=LONG)
    assert found.status == "unknown"


def test_the_solve_beats_while_it_runs() -> None:
    control = Control()
    run(_hard_model(), control=control, seconds=1.0, parameters=LONG)
    assert control.words[BEAT_WORD] >= 2


@pytest.mark.parametrize(
    ("parameters", "holes", "place"),
    [({}, 60, Place.CPSAT_PRESOLVE), (LONG, 13, Place.CPSAT_SEARCH)],
    ids=["presolve", "search"],
)
def test_presolve_and_search_are_told_apart(parameters: dict[str, int], holes: int, place: Place) -> None:
    seen: list[Place] = []
    control = Control()
    control.on_beat = lambda: seen.append(control.place)
    with control.at(Place.MODEL_BUILD):
        run(_hard_model(holes), control=control, seconds=0.6, parameters=parameters)
        assert control.place is Place.MODEL_BUILD
    assert place in seen and set(seen) <= {Place.CPSAT_PRESOLVE, Place.CPSAT_SEARCH}


class _Stuck:
    """A solver that cannot be stopped."""

    def stop_search(self) -> None:
        pass


@pytest.mark.parametrize("computing", [True, False])
def test_nobody_beats_for_a_solve_that_is_long_over_its_time_or_does_not_compute(
    computing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "OVERTIME_SECONDS", 0.2)
    control = Control()
    beats = []
    with running._Watcher(_Stuck(), control.until(0.4)):  # type: ignore[arg-type]
        for _ in range(4):
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                if not computing:
                    time.sleep(0.3)
            beats.append(int(control.words[BEAT_WORD]))
    assert beats[3] == beats[2], "silent when it is over"
    assert (beats[0] > 0) is computing, "and before, when nothing is computed"


def test_a_listener_that_raises_ends_the_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    monkeypatch.setattr(threading, "excepthook", heard.append)

    def on_beat() -> None:
        raise RuntimeError("the listener is gone")

    run(_hard_model(), control=Control(on_beat=on_beat), seconds=FOR_EVER, parameters=LONG)
    assert len(heard) == 1


def test_an_invalid_model_is_our_bug_and_raises() -> None:
    model = cp_model.CpModel()
    wide = [model.new_int_var(-(2**62), 2**62, "") for _ in range(4)]
    model.add(sum(wide) == 0)
    with pytest.raises(ValueError, match="refuses"):
        run(model, control=Control(), seconds=1.0)


def test_the_bound_of_a_solved_model_is_its_optimum() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(3, 10, "")
    model.minimize(2 * x + 1)
    found = run(model, control=Control(), seconds=5.0)
    assert (found.status, found.bound, list(found.values)) == ("optimal", 7, [3])


def test_importing_the_solver_does_not_load_pyarrow() -> None:
    code = "import sys, solver.cpsat; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def _priced(model: cp_model.CpModel, least: int, most: int) -> cp_model.CpModel:
    model.minimize(model.new_int_var(least, most, ""))
    return model


@pytest.mark.parametrize("workers", [1, 2])
def test_a_solve_that_ends_before_its_search_has_no_bound_although_cp_sat_says_0(workers: int) -> None:
    for least, most in ((-10, -5), (3, 9)):
        found = run(_priced(cp_model.CpModel(), least, most), control=Control(), seconds=1e-9, workers=workers)
        assert (found.status, found.values, found.bound) == ("unknown", (), None)


def test_a_bound_that_a_search_without_a_solution_has_found_is_kept() -> None:
    found = run(_priced(_hard_model(), 3, 9), control=Control(), seconds=1.0, parameters=LONG)
    assert (found.status, found.bound) == ("unknown", 3)
