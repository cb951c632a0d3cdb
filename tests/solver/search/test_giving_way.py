"""Open sessions take the places of lower ranks, and of nobody else."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, decode, encode
from solver.control import Control, Stop
from solver.model import Course, Dataset, Placement, Timetable
from solver.ranks import rank_of
from solver.search import strip
from solver.search.building import build_problem
from solver.search.giving_way import give_way
from solver.search.greedy import put_all
from solver.search.params import SearchParams
from solver.search.state import new_state
from solver.search.warm_start import loadable, placing_order
from solver.search.weights import publishable, weights_of
from solver.terms import SessionKey
from solver.verify import verify
from tests.builders import course, dataset, grid, link, random_dataset, random_timetable, room, teacher, timetable
from tests.solver.search.cases import random_case


def after(data: Dataset, start: Timetable, control: Control | None = None) -> Timetable:
    """What becomes of a timetable that breaks no hard rule."""
    compiled, params = compile_dataset(data), SearchParams()
    problem = build_problem(compiled, publishable(compiled, weights_of(compiled, params), keep_bent=False), params)
    state = new_state(problem, seed=0)
    put_all(problem, state, *loadable(problem, *encode(start, data)))
    give_way(problem, state, placing_order(problem), control or Control())
    return decode(state.slot, state.room, data)


def elective(id: str, **fields: Any) -> Course:
    return course(id, subject_type="elective", **fields)


def test_an_elective_gives_way_to_a_core_session_of_its_group() -> None:
    data = dataset(elective("e", groups="g"), course("a", groups="g"), grid=grid(1, 1))
    assert after(data, timetable(e=0)) == timetable(a=0)


def test_whoever_gives_way_is_placed_anew() -> None:
    data = dataset(elective("e", groups="g"), course("a", groups="g", allowed_slots=(0,)), grid=grid(1, 2))
    assert after(data, timetable(e=0)).by_session == timetable(a=0, e=1).by_session


def test_where_less_goes_it_goes() -> None:
    data = dataset(
        elective("e", groups="g", faculty="f"),
        elective("h", groups="h", faculty="f"),
        course("a", groups="g h", allowed_slots=(0, 1)),
        course("b", priority=-1, groups="h"),
        *(room("r1"), room("r2")),
        grid=grid(1, 2),
    )
    assert after(data, timetable(e=0, h=1, b=(0, "r2"))).by_session.keys() == {("a", 0), ("e", 0), ("b", 0)}


def test_the_higher_priority_takes_the_place_of_the_lower_one_and_not_the_other_way_round() -> None:
    data = dataset(course("a", groups="g", priority=1), course("b", groups="g"), grid=grid(1, 1))
    assert after(data, timetable(b=0)) == timetable(a=0)
    assert after(data, timetable(a=0)) == timetable(a=0)


def test_who_gave_way_takes_the_place_of_an_even_lower_rank() -> None:
    data = dataset(
        elective("e", faculty="f"),
        course("b", groups="g", faculty="f"),
        course("a", groups="g", priority=1, allowed_slots=(0,)),
        grid=grid(1, 2),
    )
    assert after(data, timetable(b=0, e=1)).by_session == timetable(a=0, b=1).by_session


def test_sessions_of_one_rank_leave_each_other_alone() -> None:
    data = dataset(course("a", groups="g"), course("b", groups="g"), grid=grid(1, 1))
    assert after(data, timetable(b=0)) == timetable(b=0)


def test_an_elective_gives_up_the_only_room_that_fits() -> None:
    data = dataset(elective("e"), course("a", types="lab"), room("r1", type="lab"), grid=grid(1, 1))
    assert after(data, timetable(e=0)) == timetable(a=0)


def test_two_electives_give_way_to_a_session_of_two_slots() -> None:
    data = dataset(elective("e", sessions=2), course("a", slots=2), grid=grid(1, 2))
    assert after(data, timetable(e=[0, 1])) == timetable(a=0)


def test_an_elective_that_uses_up_a_limit_gives_way() -> None:
    data = dataset(elective("e", faculty="f"), course("a", faculty="f"), teacher("f", week=1), grid=grid(2, 1))
    assert after(data, timetable(e=0)).by_session.keys() == {("a", 0)}


def test_an_elective_that_a_link_ties_gives_way() -> None:
    data = dataset(
        elective("e"), course("a", allowed_slots=(1,)), link("precedence", ("a", 0), ("e", 0)), grid=grid(1, 2)
    )
    assert after(data, timetable(e=0)) == timetable(a=1)


def test_a_pinned_core_session_takes_its_place() -> None:
    data = dataset(elective("e"), course("a", fixed=[(0, 1, "r1")]), grid=grid(1, 2))
    assert after(data, timetable(e=1)).by_session == timetable(a=1, e=0).by_session


def test_nobody_gives_way_once_a_stop_is_asked_for() -> None:
    data = dataset(elective("e", groups="g"), course("a", groups="g"), grid=grid(1, 1))
    control = Control()
    control.request_stop(Stop.CANCEL)
    assert after(data, timetable(e=0), control) == timetable(e=0)


def test_of_two_that_clash_the_elective_is_taken_out() -> None:
    for data in (
        dataset(elective("e", groups="g"), course("a", groups="g"), room("r1"), room("r2"), grid=grid(1, 1)),
        dataset(course("a", groups="g"), elective("e", groups="g"), room("r1"), room("r2"), grid=grid(1, 1)),
    ):
        slots, rooms = encode(timetable(e=0, a=(0, "r2")), data)
        kept = strip(compile_dataset(data), slots, rooms, keep_bent=False)
        assert decode(*kept, data).by_session.keys() == {("a", 0)}


def unchanged_but_ranks(data: Dataset, rng: Random) -> Dataset:
    """The same dataset with ranks drawn anew, so that several meet."""
    return replace(
        data,
        courses=tuple(
            replace(c, subject_type=rng.choice(("core", "elective")), priority=rng.randint(0, 1)) for c in data.courses
        ),
    )


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_nothing_hard_is_broken_and_what_is_open_is_never_worth_more(seed: int) -> None:
    rng = Random(seed)
    case = random_case(rng)
    data = unchanged_but_ranks(case.dataset, rng)
    kept = strip(compile_dataset(data), case.slots, case.rooms, keep_bent=False)
    before = decode(*kept, data)
    some = Timetable(placements=tuple(p for p in before.placements if rng.random() < 0.7))
    if verify(data, some).score.hard[::2] != (0, 0):
        return  # a rule that one session less makes worse, made hard: no timetable to begin with
    found = verify(data, after(data, some)).score
    assert (found.rigid, found.bent) == (0, 0)
    assert found.hard <= verify(data, some).score.hard


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1))
def test_nobody_is_left_open_who_could_stand_if_only_lower_ranks_went(seed: int) -> None:
    rng = Random(seed)
    data = unchanged_but_ranks(random_dataset(rng, rng.randint(2, 8)), rng)
    slots, rooms = encode(random_timetable(data, rng), data)
    found = decode(*strip(compile_dataset(data), slots, rooms, keep_bent=False), data)
    rank = {c.id: rank_of(c) for c in data.courses}
    for key in verify(data, found).unplaced[:2]:
        stay = tuple(p for p in found.placements if rank[p.course_id] >= rank[key[0]])
        for slot in allowed(data, key):
            for ids in given_way_to(data, key):
                here = Placement.at(key, slot, ids)
                hard = verify(data, Timetable(placements=(*stay, here))).score
                assert (hard.rigid, hard.bent) != (0, 0), f"{key} could stand at {slot} in {ids}"


def given_way_to(data: Dataset, key: SessionKey) -> list[tuple[str, ...]]:
    """Places that lower ranks are sent from: single rooms, but not those that several share; and no room."""
    needed = data.part_of(key).rooms_needed
    return [
        place.ids
        for place in data.places
        if len(place.rooms) == needed < 2 and all(room.sessions_at_once == 1 for room in place.rooms)
    ]


def allowed(data: Dataset, key: SessionKey) -> list[int]:
    return [t for t in range(data.time_grid.num_slots) if data.time_grid.can_start(t, data.part_of(key).session_slots)]
