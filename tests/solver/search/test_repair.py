"""Taking out what breaks hard rules, and placing it again where it does not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import Compiled, Ints, compile_dataset, decode, encode
from solver.control import Control, Stop
from solver.model import Dataset, RuleSetting, Timetable
from solver.rules import profile_of, score
from solver.search import count_rules, strip
from solver.search.building import build_problem
from solver.search.engine import Run
from solver.search.greedy import place_sessions, put_all
from solver.search.params import SearchParams
from solver.search.problem import Problem
from solver.search.repair import MOST_FAILURES, mend, wander
from solver.search.state import BEST_COST, BEST_HARD, COST, HARD_PART, State, new_state
from solver.search.warm_start import loadable, placing_order
from solver.search.weights import weights_of
from tests.builders import Planted, course, dataset, grid, link, planted, room, teacher, timetable
from tests.solver.search.cases import Case, cases


@settings(max_examples=80)
@given(cases(), st.booleans())
def test_a_stripped_timetable_breaks_no_rule_that_it_must_keep(case: Case, keep_bent: bool) -> None:
    slots, rooms = strip(case.compiled, case.slots, case.rooms, keep_bent=keep_bent)
    result = score(count_rules(case.compiled, slots, rooms), profile_of(case.dataset))
    assert result.rigid == 0
    assert keep_bent or result.bent == 0
    assert ((slots < 0) == (rooms < 0)).all()


@settings(max_examples=30)
@given(planted())
def test_a_timetable_without_breaches_stays_as_it_is(case: Planted) -> None:
    compiled = compile_dataset(case.dataset)
    slots, rooms = strip(compiled, *encode(case.timetable, case.dataset), keep_bent=False)
    assert set(decode(slots, rooms, case.dataset).placements) == set(case.timetable.placements)


def test_one_of_two_clashing_sessions_moves_and_the_pinned_one_stays() -> None:
    data = dataset(course("a", faculty="f", fixed=[(0, 1)]), course("b", faculty="f"), room("r1"), grid=grid(1, 3))
    compiled = compile_dataset(data)
    slots, rooms = strip(compiled, *encode(timetable(a=1, b=1), data), keep_bent=True)
    assert slots[0] == 1 and slots[1] in (0, 2) and (rooms == 0).all()


def test_rules_that_a_missing_session_makes_worse_cost_whole_courses() -> None:
    hard = {"min_days": RuleSetting(tier="hard"), "room_stability": RuleSetting(tier="hard")}
    data = dataset(course("a", sessions=2, min_days=2), course("b"), room("r1"), grid=grid(1, 4), rules=hard)
    compiled = compile_dataset(data)
    slots, _ = strip(compiled, *encode(timetable(a=[0, 1], b=2), data), keep_bent=False)
    assert slots.tolist() == [-1, -1, 2]


def mended(data: Dataset, table: Timetable) -> list[tuple[int, int]]:
    """(slot, room) per session after mending."""
    compiled = compile_dataset(data)
    state = repaired(compiled, *encode(table, data), mend)
    return list(zip(state.slot.tolist(), state.room.tolist(), strict=True))


def repaired(compiled: Compiled, slots: Ints, rooms: Ints, repair: Callable[[Problem, State, Control], None]) -> State:
    """The state afterwards; neither it nor its best breaks more, and its totals are those of a recount."""
    params = SearchParams()
    weights = weights_of(compiled, params)
    problem = build_problem(compiled, weights, params)
    state = new_state(problem, seed=0)
    put_all(problem, state, *loadable(problem, slots, rooms))
    place_sessions(problem, state, placing_order(problem), False, Control().words)
    before = weights.total(count_rules(compiled, state.slot, state.room))
    state.best_slot[:], state.best_room[:] = state.slot, state.room
    state.totals[COST], state.totals[HARD_PART] = state.totals[BEST_COST], state.totals[BEST_HARD] = before
    repair(problem, state, Control())
    for found, cost, hard in (
        ((state.slot, state.room), COST, HARD_PART),
        ((state.best_slot, state.best_room), BEST_COST, BEST_HARD),
    ):
        assert (state.totals[cost], state.totals[hard]) == weights.total(count_rules(compiled, *found))
    assert state.totals[BEST_HARD] <= before[1]
    return state


def test_mending_moves_the_session_in_the_way() -> None:
    """b stands where a has its only start, and can go elsewhere."""
    data = dataset(
        course("a", faculty="f", allowed_slots=(0,)), course("b", faculty="f"), room("r1"), room("r2"), grid=grid(1, 2)
    )
    assert [slot for slot, _ in mended(data, timetable(a=0, b=(0, "r2")))] == [0, 1]


def test_mending_brings_a_whole_course_to_the_room_of_its_pinned_session() -> None:
    """One session alone would break more: it parts with two and joins one."""
    data = dataset(
        course("a", sessions=4, faculty="f", fixed=[(0, 0, "r2")]),
        room("r1"),
        room("r2"),
        link("same_room", ("a", None)),
        grid=grid(1, 4),
    )
    table = timetable(a=[(0, "r2"), (1, "r1"), (2, "r1"), (3, "r1")])
    assert [room for _, room in mended(data, table)] == [1, 1, 1, 1]


def test_mending_moves_sessions_that_start_together_with_all_that_is_in_the_way_of_either() -> None:
    """Teacher f is away at 0; at 1 the teachers of both are with c and d, which can go to 0 and 2."""
    data = dataset(
        *(course("a", faculty="f", allowed_slots=(0, 1)), course("b", faculty="g", allowed_slots=(0, 1))),
        *(course("c", faculty="f", allowed_slots=(1, 2)), course("d", faculty="g", allowed_slots=(0, 1))),
        teacher("f", unavailable=(0,)),
        *(room("r1"), room("r2")),
        link("same_start", ("a", 0), ("b", 0)),
        grid=grid(1, 3),
    )
    table = timetable(a=(0, "r1"), b=(0, "r2"), c=(1, "r1"), d=(1, "r2"))
    assert [slot for slot, _ in mended(data, table)] == [1, 1, 2, 0]


@settings(max_examples=60)
@given(cases())
def test_mending_never_breaks_more_and_counts_what_it_does(case: Case) -> None:
    def mend_once(problem: Problem, state: State, control: Control) -> None:
        before = int(state.totals[HARD_PART])
        mend(problem, state, control)
        assert state.totals[HARD_PART] <= before

    repaired(case.compiled, case.slots, case.rooms, mend_once)


@settings(max_examples=60)
@given(cases(), st.integers(0, 3))
def test_a_walk_remembers_its_best_and_counts_what_it_does(case: Case, seed: int) -> None:
    repaired(case.compiled, case.slots, case.rooms, partial(wander, seed=seed))


def test_a_walk_finds_the_room_that_is_many_sessions_away() -> None:
    """Each of six sessions has the start of the next one as its only other start; the last one's is free."""
    queue = [course(f"c{n}", faculty="f", allowed_slots=(n, n + 1)) for n in range(6)]
    data = dataset(course("pinned", faculty="f", fixed=[(0, 0)]), *queue, room("r1"), room("r2"), grid=grid(1, 7))
    table = timetable(pinned=0, **{f"c{n}": (n, "r2" if n == 0 else "r1") for n in range(6)})
    assert [slot for slot, _ in mended(data, table)] == [0, 0, 1, 2, 3, 4, 5]
    walked = repaired(compile_dataset(data), *encode(table, data), partial(wander, seed=0))
    assert walked.best_slot.tolist() == [0, 1, 2, 3, 4, 5, 6]


@settings(max_examples=40)
@given(cases(), st.booleans())
def test_distance_from_other_timetables_is_charged_while_sessions_are_mended(case: Case, hard_only: bool) -> None:
    """`Run.check` raises when the totals of the kernels are not those of a recount."""
    params = SearchParams(anchors=((case.slots, case.rooms),), hard_only=hard_only, max_proposals=1)
    run = Run(case.dataset, case.compiled, Control(), params, seed=0, on_improvement=None)
    run.load(case.slots, case.rooms)
    place_sessions(run.problem, run.state, placing_order(run.problem), False, Control().words)
    run._recount(forget=True)
    run._mend()
    run.check()
    assert (run.state.totals[BEST_COST], run.state.totals[BEST_HARD]) == run.totals(*run.best)


def crowded() -> tuple[Dataset, Timetable]:
    """Thirty sessions of one teacher, all at one slot of two."""
    courses = [course(f"c{n}", faculty="f") for n in range(30)]
    data = dataset(*courses, *(room(f"r{n}") for n in range(30)), grid=grid(1, 2))
    return data, timetable(**{f"c{n}": (0, f"r{n}") for n in range(30)})


def test_mending_what_cannot_be_mended_shows_that_it_is_at_work_and_gives_up() -> None:
    data, table = crowded()
    compiled = compile_dataset(data)
    beats: list[int] = []
    control = Control(on_beat=lambda: beats.append(1))
    repaired(compiled, *encode(table, data), lambda problem, state, _: mend(problem, state, control))
    assert 30 < len(beats) <= MOST_FAILURES + 31


@pytest.mark.parametrize("repair", [mend, partial(wander, seed=0)])
def test_a_stop_ends_mending_and_walking_before_anything_is_moved(repair: Callable[..., None]) -> None:
    data, table = crowded()
    control = Control()
    control.request_stop(Stop.FINISH)
    slots, rooms = encode(table, data)
    state = repaired(compile_dataset(data), slots, rooms, lambda problem, state, _: repair(problem, state, control))
    assert (state.slot == slots).all() and (state.room == rooms).all()
