"""Taking out what breaks hard rules, and placing it again where it does not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, decode, encode
from solver.control import Control
from solver.model import RuleSetting
from solver.rules import profile_of, score
from solver.search import count_rules, strip
from solver.search.building import build_problem
from solver.search.greedy import put_all
from solver.search.params import SearchParams
from solver.search.repair import mend
from solver.search.state import COST, HARD_PART, new_state
from solver.search.weights import weights_of
from tests.builders import Planted, course, dataset, grid, planted, room, timetable
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


def test_mending_moves_the_session_in_the_way() -> None:
    """b stands where a has its only start, and can go elsewhere."""
    data = dataset(
        course("a", faculty="f", allowed_slots=(0,)), course("b", faculty="f"), room("r1"), room("r2"), grid=grid(1, 2)
    )
    compiled, params = compile_dataset(data), SearchParams()
    weights = weights_of(compiled, params)
    problem = build_problem(compiled, weights, params)
    state = new_state(problem, seed=0)
    slots, rooms = encode(timetable(a=0, b=(0, "r2")), data)
    put_all(problem, state, slots, rooms)
    state.totals[COST], state.totals[HARD_PART] = weights.total(count_rules(compiled, slots, rooms))
    mend(problem, state, Control())
    assert state.slot.tolist() == [0, 1]
    assert (state.totals[COST], state.totals[HARD_PART]) == weights.total(count_rules(compiled, state.slot, state.room))
