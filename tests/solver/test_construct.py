"""The greedy floor: never a broken hard rule, never a session dropped without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, decode, encode
from solver.construct import construct
from solver.control import Control, Stop
from solver.model import Course, RuleSetting
from solver.rules import profile_of, score
from solver.search import count_rules
from solver.verify import verify
from tests.builders import Planted, course, dataset, grid, planted, room, timetable
from tests.solver.search.cases import Case, cases


@settings(max_examples=80)
@given(cases(), st.booleans(), st.integers(0, 100))
def test_the_floor_breaks_no_hard_rule_and_explains_what_is_open(case: Case, from_start: bool, seed: int) -> None:
    start = (case.slots, case.rooms) if from_start else None
    floor = construct(case.compiled, control=Control(), seed=seed, start=start)
    profile = profile_of(case.dataset)
    counts = count_rules(case.compiled, floor.slots, floor.rooms)
    assert score(counts, profile)[:3] == (0, 0, 0)


@settings(max_examples=20)
@given(planted())
def test_a_sound_start_is_kept_whole(case: Planted) -> None:
    compiled = compile_dataset(case.dataset)
    start = encode(case.timetable, case.dataset)
    floor = construct(compiled, control=Control(), seed=1, start=start)
    assert verify(case.dataset, decode(floor.slots, floor.rooms, case.dataset)).score.complete
    assert np.array_equal(floor.slots, start[0])


def test_pins_are_honoured_before_anything_else() -> None:
    data = dataset(
        course("a", faculty="f"), course("b", faculty="f", fixed=[(0, 0, "r1")]), room("r1"), grid=grid(1, 2)
    )
    floor = construct(compile_dataset(data), control=Control(), seed=0)
    assert decode(floor.slots, floor.rooms, data) == timetable(a=1, b=0)


def test_a_session_makes_way_for_one_that_has_no_other_place() -> None:
    data = dataset(course("a", faculty="f", allowed_slots=(0,)), course("b", faculty="f"), grid=grid(1, 2))
    compiled = compile_dataset(data)
    start = encode(timetable(b=0), data)
    floor = construct(compiled, control=Control(), seed=0, start=start)
    assert decode(floor.slots, floor.rooms, data) == timetable(a=0, b=1)


def test_rules_made_hard_that_only_whole_courses_keep_are_kept() -> None:
    data = dataset(
        course("a", sessions=3, min_days=3),
        course("b", sessions=2, min_days=2),
        grid=grid(2, 3),
        rules={"min_days": RuleSetting(tier="hard")},
    )
    floor = construct(compile_dataset(data), control=Control(), seed=0)
    assert (floor.slots[:3] == -1).all() and (floor.slots[3:] >= 0).all()


@pytest.mark.parametrize(("first", "placed"), [(True, 2), (False, 0)])
def test_only_the_first_timetable_of_all_is_built_to_its_end_whatever_the_deadline(first: bool, placed: int) -> None:
    data = dataset(course("a", groups="g"), course("b", groups="g"))
    floor = construct(compile_dataset(data), control=Control(deadline=0.0), seed=0, first=first)
    assert (floor.slots >= 0).sum() == placed


def test_a_stop_returns_what_is_placed_so_far() -> None:
    control = Control()
    control.request_stop(Stop.CANCEL)
    data = dataset(course("a"), course("b"))
    floor = construct(compile_dataset(data), control=control, seed=0)
    assert floor.slots.tolist() == [-1, -1]


def crowded_groups() -> list[Course]:
    """Four core and four elective sessions for each of three groups that have six slots."""
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (("elective", {}), ("core", {"priority": 9}))
    return [
        course(f"{kind}{n}", groups=f"g{n}", sessions=4, subject_type=kind, **fields)
        for kind, fields in kinds
        for n in range(3)
    ]


@settings(max_examples=30)
@given(st.permutations(crowded_groups()), st.booleans())
def test_electives_are_left_open_however_the_courses_are_listed(courses: list[Course], by_rank: bool) -> None:
    data = dataset(*courses, *(room(f"r{n}") for n in range(3)), grid=grid(1, 6))
    floor = construct(compile_dataset(data), control=Control(), seed=0, by_rank=by_rank)
    unplaced = verify(data, decode(floor.slots, floor.rooms, data)).unplaced
    assert sorted(data.course[id].subject_type for id, _ in unplaced) == ["elective"] * 6


def test_by_rank_nobody_is_placed_before_all_of_higher_ranks() -> None:
    data = dataset(
        course("easy", groups="g h", subject_type="elective"),
        course("a", groups="g", faculty="f"),
        course("b", groups="h", faculty="f"),
        *(room("r1"), room("r2")),
        grid=grid(1, 2),
    )
    floor = construct(compile_dataset(data), control=Control(), seed=0, by_rank=True)
    assert verify(data, decode(floor.slots, floor.rooms, data)).unplaced == (("easy", 0),)
