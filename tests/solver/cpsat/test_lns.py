from __future__ import annotations

import threading
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, decode, encode
from solver.control import Control, Stop
from solver.cpsat import NEIGHBOURHOOD_KINDS, complete, improve_neighbourhood, pick_neighbourhood, polish
from solver.cpsat.costs import course_costs, sessions_in_trouble
from solver.cpsat.lns import NeighbourhoodKind, judge
from solver.model import Dataset
from solver.rules import Score, profile_of, score
from solver.verify import verify
from tests.builders import Planted, course, dataset, grid, planted, random_planted, random_timetable, room, timetable
from tests.effort import FOR_EVER


def scored(data: Dataset, slots: np.ndarray, rooms: np.ndarray) -> Score:  # type: ignore[type-arg]
    return verify(data, decode(slots, rooms, data)).score


@settings(max_examples=25, deadline=None)
@given(case=planted(), seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(NEIGHBOURHOOD_KINDS), bend=st.booleans())
def test_a_neighbourhood_never_worsens_and_moves_only_its_free_sessions(
    case: Planted, seed: int, kind: NeighbourhoodKind, bend: bool
) -> None:
    data, rng = case.dataset, Random(seed)
    compiled = compile_dataset(data)
    table = case.timetable if rng.random() < 0.5 else random_timetable(data, rng)
    slots, rooms = encode(table, data)
    free = pick_neighbourhood(compiled, slots, rooms, np.random.default_rng(seed), 6, kind)
    assert len(set(free.tolist())) == len(free) <= 6
    found = improve_neighbourhood(data, compiled, slots, rooms, free, control=Control(), seconds=5.0, bend=bend)
    if found is not None:
        assert scored(data, *found) < scored(data, slots, rooms)
        others = np.setdiff1d(np.arange(compiled.num_sessions), free)
        assert (found[0][others] == slots[others]).all() and (found[1][others] == rooms[others]).all()


@settings(max_examples=10, deadline=None)
@given(case=planted(), seed=st.integers(0, 2**32 - 1))
def test_the_judge_of_neighbourhoods_agrees_with_the_verifier(case: Planted, seed: int) -> None:
    table = random_timetable(case.dataset, Random(seed))
    slots, rooms = encode(table, case.dataset)
    assert judge(compile_dataset(case.dataset), slots, rooms) == scored(case.dataset, slots, rooms)


def test_polish_finds_the_optimum_of_a_small_case_and_stops_there() -> None:
    off = dict.fromkeys(("context", "last_slot", "room_waste"), "off")
    data = dataset(*(course(f"c{i}", groups="g") for i in range(4)), grid=grid(2, 4), rules=off)
    compiled = compile_dataset(data)
    start = encode(timetable(c0=0, c1=2, c2=4, c3=7), data)
    heard: list[Score] = []
    slots, rooms = polish(
        data,
        compiled,
        start,
        control=Control(),
        seconds=20.0,
        on_improvement=lambda slots, rooms, claim: heard.append(claim),
    )
    assert scored(data, slots, rooms).soft == 0
    assert heard == sorted(heard, reverse=True) and heard[-1] == Score(0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_polish_never_returns_anything_worse(seed: int) -> None:
    case = random_planted(Random(seed), 8)
    compiled = compile_dataset(case.dataset)
    start = encode(case.timetable, case.dataset)
    found = polish(case.dataset, compiled, start, control=Control(), seconds=1.0, seed=seed)
    assert scored(case.dataset, *found) <= scored(case.dataset, *start)


def test_complete_places_what_has_room_once_others_step_aside() -> None:
    data = dataset(
        course("a", faculty="f", allowed_slots=(0,)),
        course("b", faculty="f"),
        course("c", faculty="f"),
        grid=grid(1, 3),
    )
    compiled = compile_dataset(data)
    start = encode(timetable(b=0, c=1), data)
    found = complete(data, compiled, *start, control=Control(), seconds=10.0)
    assert scored(data, *found).complete


def test_complete_takes_a_session_out_rather_than_leave_a_clash() -> None:
    data = dataset(course("a"), course("b"), grid=grid(1, 1))
    compiled = compile_dataset(data)
    start = encode(timetable(a=0, b=0), data)
    assert sessions_in_trouble(compiled, *start).tolist() == [0, 1]
    found = complete(data, compiled, *start, control=Control(), seconds=10.0)
    assert scored(data, *found)[:2] == (0, 1)


def test_a_stop_ends_polish() -> None:
    case = random_planted(Random(4), 8)
    compiled, control = compile_dataset(case.dataset), Control()
    threading.Timer(0.5, lambda: control.request_stop(Stop.FINISH)).start()
    polish(case.dataset, compiled, encode(case.timetable, case.dataset), control=control, seconds=FOR_EVER)


@settings(max_examples=20, deadline=None)
@given(case=planted(), seed=st.integers(0, 2**32 - 1))
def test_sessions_in_trouble_are_none_exactly_where_no_rule_they_know_is_broken(case: Planted, seed: int) -> None:
    data, rng = case.dataset, Random(seed)
    compiled = compile_dataset(data)
    assert len(sessions_in_trouble(compiled, *encode(case.timetable, data))) == 0
    table = random_timetable(data, rng)
    report = verify(data, table)
    known = {
        rule: n
        for rule, n in report.counts.items()
        if rule
        not in ("group_daily_limit", "course_daily_limit", "faculty_daily_limit", "faculty_weekly_limit", "link")
    }
    broken = score(known, profile_of(data), len(report.unplaced))
    trouble = len(sessions_in_trouble(compiled, *encode(table, data))) > 0
    assert trouble == (broken.rigid + broken.unplaced + broken.bent > 0)


def test_costs_point_at_the_course_that_causes_them() -> None:
    data = dataset(
        course("tight", size=40, sessions=2), course("easy", size=10), room("r1", 20), room("r2", 40), grid=grid(2, 4)
    )
    compiled = compile_dataset(data)
    costs = course_costs(compiled, *encode(timetable(tight=[(0, "r1"), (4, "r1")], easy=(1, "r1")), data))
    assert costs[0] > costs[1]
