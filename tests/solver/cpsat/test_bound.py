from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from solver.compiled import compile_dataset
from solver.control import Control, Stop
from solver.cpsat import bound as bound_module
from solver.cpsat import exact, lower_bound, room_bound
from solver.cpsat.run import Run, run
from solver.formats import read_dataset
from solver.model import RuleSetting
from solver.verify import verify
from tests.builders import Planted, course, dataset, grid, planted, room
from tests.solver.cpsat.test_exact import nowhere

CTT = Path(__file__).parents[3].parent / "shared" / "datasets" / "itc2007-cbctt"
BEST_KNOWN = {
    "comp01": 5,
    "comp03": 62,
    "comp04": 35,
    "comp05": 284,
    "comp06": 27,
    "comp08": 37,
    "comp09": 96,
    "comp10": 4,
    "comp12": 294,
    "comp14": 51,
    "comp15": 62,
    "comp17": 56,
}
"""Best published costs, reference/performance.md section 1.2: no valid bound exceeds them."""


@settings(max_examples=30, deadline=None)
@given(case=planted(max_courses=8))
def test_what_rooms_cost_at_least_is_not_more_than_a_timetable_costs(case: Planted) -> None:
    bound = room_bound(compile_dataset(case.dataset), control=Control(), seconds=20.0)
    assert 0 <= bound <= verify(case.dataset, case.timetable).score.soft


@settings(max_examples=15, deadline=None)
@given(case=planted(max_courses=5))
def test_the_bound_never_exceeds_the_optimum(case: Planted) -> None:
    compiled = compile_dataset(case.dataset)
    bound = lower_bound(case.dataset, compiled, control=Control(), seconds=20.0)
    best = exact(case.dataset, compiled, nowhere(compiled), control=Control(), seconds=30.0)
    assert best.status == "optimal" and bound is not None and best.bound is not None
    assert 0 <= bound <= best.bound


def test_the_bound_counts_students_for_whom_no_room_has_a_seat() -> None:
    soft = {"room_capacity": RuleSetting(tier="soft", weight=1), "context": RuleSetting(tier="off")}
    data = dataset(
        course("a", size=30), course("b", size=30), room("r1", 28), room("r2", 20), grid=grid(1, 1), rules=soft
    )
    assert lower_bound(data, compile_dataset(data), control=Control(), seconds=5.0) == 2 + 10


STABLE = {
    **dict.fromkeys(("context", "room_waste"), RuleSetting(tier="off")),
    "room_stability": RuleSetting(tier="soft", weight=3),
}


def test_rooms_that_are_full_make_some_course_move_whatever_the_times_are() -> None:
    courses = [course(name, sessions=2, min_days=1) for name in "abc"]
    data = dataset(*courses, room("r1"), room("r2"), grid=grid(1, 3), rules=STABLE)
    compiled = compile_dataset(data)
    assert room_bound(compiled, control=Control(), seconds=5.0) == 3
    assert lower_bound(data, compiled, control=Control(), seconds=5.0) == 3
    assert lower_bound(data, compiled, control=Control(), seconds=5.0, enough=3) == 3
    best = exact(data, compiled, nowhere(compiled), control=Control(), seconds=10.0)
    assert (best.status, best.bound) == ("optimal", 3)


def test_the_search_for_a_bound_ends_when_it_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int | None] = []

    def listened(*model: Any, enough: int | None = None, **given: Any) -> Run:
        told.append(enough)
        return run(*model, enough=enough, **given)

    monkeypatch.setattr(bound_module, "run", listened)
    soft = {"room_capacity": RuleSetting(tier="soft", weight=1), "context": RuleSetting(tier="off")}
    many = [course(f"c{i}", size=30, sessions=2, min_days=1) for i in range(6)]
    data = dataset(*many, room("r1", 28), room("r2", 20), room("r3", 40), grid=grid(2, 2), rules=soft)
    compiled = compile_dataset(data)
    whole = lower_bound(data, compiled, control=Control(), seconds=10.0)
    part = lower_bound(data, compiled, control=Control(), seconds=10.0, room_floor=0, enough=1)
    assert whole is not None and part is not None and 1 <= part <= whole
    assert told == [None, 1], "CP-SAT itself is asked to end there"


def test_a_stop_before_the_solve_gives_no_bound() -> None:
    data = dataset(course("a"))
    control = Control()
    control.request_stop(Stop.CANCEL)
    assert lower_bound(data, compile_dataset(data), control=control, seconds=5.0) is None


@pytest.mark.parametrize(("name", "seconds", "least"), [("comp01", 60.0, 5), ("comp04", 60.0, 1), ("comp05", 60.0, 1)])
def test_the_bound_of_a_competition_instance_is_good_and_not_above_the_best_known_cost(
    name: str, seconds: float, least: int
) -> None:
    path = CTT / f"{name}.ctt"
    if not path.exists():
        pytest.skip(f"the competition files are not beside the repository: {path}")
    data = read_dataset(path)
    bound = lower_bound(data, compile_dataset(data), control=Control(), seconds=seconds, enough=least)
    assert bound is not None
    assert least <= bound <= BEST_KNOWN[name]
