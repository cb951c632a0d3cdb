from __future__ import annotations

import sys
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from solver.compiled import Compiled, compile_dataset, decode, encode
from solver.control import Control, Stop
from solver.cpsat import exact
from solver.cpsat.exact import build_model
from solver.cpsat.plan import Array, make_plan, rough_literals, treatments
from solver.verify import verify
from tests.builders import (
    Planted,
    course,
    crowded_students,
    dataset,
    grid,
    group,
    link,
    planted,
    random_dataset,
    room,
    teacher,
    timetable,
)


def nowhere(compiled: Compiled) -> tuple[Array, Array]:
    empty = np.full(compiled.num_sessions, -1, dtype=np.int32)
    return empty, empty.copy()


@settings(max_examples=12, deadline=None)
@given(case=planted(max_courses=5))
def test_a_feasible_case_ends_optimal_and_no_worse_than_the_planted_timetable(case: Planted) -> None:
    data = case.dataset
    compiled = compile_dataset(data)
    found = exact(data, compiled, nowhere(compiled), control=Control(), seconds=30.0)
    assert found.status == "optimal" and found.slots is not None and found.rooms is not None
    score = verify(data, decode(found.slots, found.rooms, data)).score
    assert score.complete
    assert score.soft == found.bound <= verify(data, case.timetable).score.soft


def test_a_start_may_be_handed_over_again_and_the_last_one_counts() -> None:
    """CP-SAT calls a model invalid in which a variable has two hints, though both may say the same."""
    compiled = compile_dataset(dataset(course("a", sessions=2)))
    builder = build_model(compiled, *nowhere(compiled), treat=treatments(compiled, bend=False))
    for hint in (0, 1):
        builder.hints[0] = hint
        builder.add_hint()
    assert builder.model.validate() == ""
    assert builder.model.proto.solution_hint.values[0] == 1


def test_with_bending_the_cheapest_breach_is_found() -> None:
    data = dataset(course("a", sessions=2, groups="g", size=30), room("r1", 28), group("g", day=1), grid=grid(1, 4))
    compiled = compile_dataset(data)
    kept = exact(data, compiled, nowhere(compiled), control=Control(), seconds=10.0)
    assert (kept.status, kept.slots, kept.bound) == ("infeasible", None, None)
    bent = exact(data, compiled, nowhere(compiled), control=Control(), seconds=10.0, bend=True)
    assert bent.status == "optimal" and bent.slots is not None and bent.rooms is not None and bent.bound is None
    report = verify(data, decode(bent.slots, bent.rooms, data))
    assert report.score.rigid == report.score.unplaced == 0
    assert {rule: n for rule, n in report.counts.items() if n and rule in ("room_capacity", "group_daily_limit")} == {
        "room_capacity": 4,
        "group_daily_limit": 1,
    }


def test_rather_an_elective_clashes_than_two_core_courses() -> None:
    data = crowded_students()
    compiled = compile_dataset(data)
    found = exact(data, compiled, nowhere(compiled), control=Control(), seconds=10.0, bend=True)
    assert found.status == "optimal" and found.slots is not None and found.rooms is not None
    report = verify(data, decode(found.slots, found.rooms, data))
    assert (report.counts["student_clash"], report.counts["core_clash"], report.score.bent) == (5, 0, 5 * 24)


@pytest.mark.parametrize("largest", [2**50, 200])
def test_what_matters_least_is_left_open_even_where_the_objective_has_to_be_cut(
    largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[exact.__module__], "LARGEST_OBJECTIVE", largest)
    data = dataset(
        course("e", groups="g", subject_type="elective", sessions=3),
        course("low", groups="g", slots=2),
        course("high", groups="g", priority=1, slots=2),
        grid=grid(1, 3),
    )
    compiled = compile_dataset(data)
    found = exact(data, compiled, nowhere(compiled), control=Control(), seconds=10.0, partial=True)
    assert found.slots is not None and found.rooms is not None and found.bound is None
    report = verify(data, decode(found.slots, found.rooms, data))
    assert report.score.left_open == ((1, 0, 1), (0, 0, 2)), "course low and two of three electives"


def test_rigid_rules_are_not_bent_even_with_bending() -> None:
    data = dataset(course("a", faculty="f"), course("b", faculty="f"), grid=grid(1, 1))
    compiled = compile_dataset(data)
    assert exact(data, compiled, nowhere(compiled), control=Control(), seconds=5.0, bend=True).status == "infeasible"


def test_a_model_too_large_is_refused_before_it_is_built() -> None:
    courses = [course(f"c{i}", sessions=2) for i in range(400)]
    data = dataset(*courses, *(room(f"r{i}") for i in range(40)), grid=grid(5, 8))
    compiled = compile_dataset(data)
    found = exact(data, compiled, nowhere(compiled), control=Control(), seconds=5.0)
    assert found.status == "too_large" and found.slots is None
    assert "variables" in found.reason


def test_a_stop_before_the_solve_gives_unknown() -> None:
    data = dataset(course("a"))
    compiled, control = compile_dataset(data), Control()
    control.request_stop(Stop.CANCEL)
    assert exact(data, compiled, nowhere(compiled), control=control, seconds=5.0).status == "unknown"


def test_the_same_seed_gives_the_same_timetable() -> None:
    case = random_dataset(Random(5), 4)
    compiled = compile_dataset(case)
    runs = [exact(case, compiled, nowhere(compiled), control=Control(), seconds=20.0, bend=True) for _ in range(2)]
    assert runs[0].status == runs[1].status
    if runs[0].slots is not None and runs[1].slots is not None:
        assert (runs[0].slots == runs[1].slots).all()


def test_sessions_of_a_course_are_one_unit_except_fixed_and_linked_ones() -> None:
    data = dataset(
        course("a", sessions=5, fixed=[(1, 3)]), course("b"), link("precedence", ("a", 3), ("b", 0)), grid=grid(5, 4)
    )
    compiled = compile_dataset(data)
    plan = make_plan(compiled, *nowhere(compiled), treat=treatments(compiled, bend=False))
    assert sorted(unit.sessions for unit in plan.units) == [(0, 2, 4), (1,), (3,), (5,)]
    assert set(plan.units[1].places) == {3}


def test_hard_rules_and_the_background_narrow_where_sessions_may_go() -> None:
    data = dataset(
        course("a", faculty="f", size=30, types="lab"),
        course("b", faculty="f"),
        room("r1", 50),
        room("r2", 20, type="lab"),
        room("r3", 40, type="lab", unavailable=[2]),
        teacher("f", unavailable=[0]),
        grid=grid(1, 4),
    )
    compiled = compile_dataset(data)
    slots, rooms = np.array([-1, 3], dtype=np.int32), np.array([-1, 0], dtype=np.int32)
    plan = make_plan(compiled, slots, rooms, treat=treatments(compiled, bend=False), free=[0])
    assert plan.units[0].places == {1: (2,)}
    assert rough_literals(compiled, plan.treat) >= plan.literals


def test_interchangeable_sessions_keep_their_places_when_decoded() -> None:
    data = dataset(course("a", sessions=3, min_days=3), grid=grid(3, 1), rules={"context": "off"})
    compiled = compile_dataset(data)
    slots, rooms = encode(timetable(a=[2, 0, 1]), data)
    found = exact(data, compiled, (slots, rooms), control=Control(), seconds=5.0)
    assert found.slots is not None and list(found.slots) == [2, 0, 1]
