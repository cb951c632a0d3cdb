"""The annealing run: its deltas, its promises about pins and stops, and that it finds what is there to be found."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import TIER_RIGID, Ints, compile_dataset, decode, encode
from solver.control import BEAT_WORD, Control, Stop
from solver.formats.tim import load_tim
from solver.rules import RULE_IDS, Score, profile_of, score
from solver.search import SearchParams, SearchResult, anneal, count_rules, search
from solver.search.engine import FIRST_PROPOSALS, Run
from solver.search.params import MAX_COST
from solver.verify import verify
from tests.builders import (
    Planted,
    course,
    crowded_students,
    dataset,
    grid,
    group,
    planted,
    random_timetable,
    room,
    teacher,
    timetable,
)
from tests.solver.formats.tim_cases import tim_case
from tests.solver.search.cases import Case, cases, nothing_placed, random_case

FEW = SearchParams(max_proposals=400, levels=8)


def run(case: Case, seed: int = 1, params: SearchParams = FEW, control: Control | None = None) -> SearchResult:
    start = (case.slots, case.rooms)
    return anneal(
        case.dataset, case.compiled, start, control=control or Control(), seconds=60, seed=seed, params=params
    )


@settings(max_examples=60)
@given(cases(), st.booleans(), st.booleans(), st.integers(0, 1000))
def test_every_applied_move_changes_the_cost_as_it_claims(case: Case, bend: bool, anchored: bool, seed: int) -> None:
    anchors = ((case.slots, case.rooms),) if anchored else ()
    run(case, seed, replace(FEW, strict=True, accept_share=1.0, bend=bend, anchors=anchors))


@settings(max_examples=30)
@given(planted(max_courses=8), st.integers(0, 1000))
def test_a_run_for_hard_rules_only_ends_with_the_first_timetable_that_breaks_none(case: Planted, seed: int) -> None:
    compiled = compile_dataset(case.dataset)
    params = SearchParams(hard_only=True, enough=MAX_COST, max_proposals=200_000, strict=seed % 2 == 0)
    start = nothing_placed(compiled)
    found = anneal(case.dataset, compiled, start, control=Control(), seconds=60, seed=seed, params=params)
    complete = score(found.counts, profile_of(case.dataset), int((found.slots < 0).sum())).complete
    assert complete == (found.proposals < params.max_proposals)  # type: ignore[operator]
    assert all(point.cost == 0 for point in found.trace if point.hard == 0), "soft rules cost nothing"


@settings(max_examples=30)
@given(planted(max_courses=12), st.booleans(), st.integers(0, 1000))
def test_every_exchanged_chain_changes_the_cost_as_it_claims(case: Planted, anchored: bool, seed: int) -> None:
    compiled, start = compile_dataset(case.dataset), encode(case.timetable, case.dataset)
    anchors = (start,) if anchored else ()
    params = replace(FEW, strict=True, accept_share=1.0, chain_share=1.0, anchors=anchors, start_temperature=100.0)
    found = anneal(case.dataset, compiled, start, control=Control(), seconds=60, seed=seed, params=params)
    assert score(found.counts, profile_of(case.dataset))[:3] == (0, 0, 0), "a chain breaks nothing hard"


def test_a_chain_takes_everybody_along_who_is_in_the_way() -> None:
    """All of slots 0 and 1 has to change places at once: every single step on the way would clash."""
    rules = dict.fromkeys(RULE_IDS, "off") | {
        "faculty_clash": "hard",
        "group_clash": "hard",
        "room_clash": "hard",
        "faculty_preference": "soft",
    }
    last = teacher("f0", preferences={0: 0.0, 1: 1.0})
    ring = [
        course("a", faculty="f0", groups="g0"),
        course("b", groups=("g0", "g1")),
        course("c", groups=("g1", "g2")),
        course("d", groups="g2"),
    ]
    data = dataset(*ring, last, room("r1"), room("r2"), grid=grid(1, 2), rules=rules)
    compiled = compile_dataset(data)
    start = encode(timetable(a=(0, "r1"), b=(1, "r1"), c=(0, "r2"), d=(1, "r2")), data)
    params = replace(FEW, chain_share=1.0, start_temperature=0.2)
    found = anneal(data, compiled, start, control=Control(), seconds=60, seed=1, params=params)
    assert found.slots.tolist() == [1, 0, 1, 0]
    assert score(found.counts, profile_of(data)).numbers == (0, 0, 0, 0)


def test_a_run_that_cannot_be_completed_gives_up_early_and_no_other_does() -> None:
    rooms = [room("r1")]
    params = SearchParams(max_proposals=40_000, levels=40, accept_share=1.0, give_up_share=0.25)
    for sessions, share in ((4, 1.0), (5, 0.25)):
        data = dataset(*[course(f"c{i}", faculty="f") for i in range(sessions)], *rooms, grid=grid(1, 4))
        compiled = compile_dataset(data)
        start = nothing_placed(compiled)
        found = anneal(data, compiled, start, control=Control(), seconds=60, seed=1, params=params)
        assert share <= found.proposals / 40_000 <= share + 0.1


def test_short_calls_of_the_kernel_do_not_stay_short() -> None:
    """A machine that stands still for a moment looks slow, the calls get short, and short ones must be measured too."""
    case = random_case(Random(4))
    run_of = Run(case.dataset, case.compiled, Control(), FEW, 1, None)
    run_of._measure(FIRST_PROPOSALS, 1000.0)
    slow = run_of.speed
    for _ in range(20 * FIRST_PROPOSALS // 100):
        run_of._measure(100, 0.0001)
    assert run_of.speed > 1000 * slow


def test_a_wrong_claim_is_noticed_in_strict_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dataset(course("a"), course("b"), grid=grid(2, 2))
    case = Case(data, compile_dataset(data), *nothing_placed(compile_dataset(data)))
    monkeypatch.setattr("solver.search.engine.count_rules", lambda *_: dict.fromkeys(RULE_IDS, time.perf_counter_ns()))
    with pytest.raises(AssertionError, match="recount"):
        run(case, params=replace(FEW, strict=True, start_temperature=1e6))


@settings(max_examples=30)
@given(cases(), st.integers(0, 1000))
def test_the_same_seed_finds_the_same_timetable_under_a_limit_of_proposals(case: Case, seed: int) -> None:
    first, second = run(case, seed), run(case, seed)
    assert np.array_equal(first.slots, second.slots) and np.array_equal(first.rooms, second.rooms)
    assert first.counts == second.counts


@settings(max_examples=40)
@given(cases())
def test_every_session_with_a_possible_start_is_placed_and_pins_hold(case: Case) -> None:
    compiled = case.compiled
    found = run(case)
    rigid_pins = compiled.rule_tier[RULE_IDS.index("fixed_moved")] == TIER_RIGID
    possible = compiled.start_possible[compiled.course_of_session]
    pinned = np.flatnonzero(compiled.fixed_slot >= 0) if rigid_pins else []
    can = possible.any(axis=1)
    for s in pinned:
        can[s] &= possible[s, compiled.fixed_slot[s]] == 1
    assert np.array_equal(found.slots >= 0, can)
    assert np.array_equal(found.rooms >= 0, can)
    assert possible[np.flatnonzero(can), found.slots[can]].all()
    assert found.counts == count_rules(compiled, found.slots, found.rooms)
    if rigid_pins:
        assert found.counts["fixed_moved"] == 0


@settings(max_examples=15)
@given(planted())
def test_the_result_is_never_worse_than_a_complete_start(case: Planted) -> None:
    compiled = compile_dataset(case.dataset)
    profile = profile_of(case.dataset)
    start = encode(case.timetable, case.dataset)
    found = anneal(case.dataset, compiled, start, control=Control(), seconds=60, seed=3, params=FEW)
    assert score(found.counts, profile) <= score(count_rules(compiled, *start), profile)
    assert verify(case.dataset, decode(found.slots, found.rooms, case.dataset)).score == score(found.counts, profile)


def test_a_tight_timetable_is_completed_by_crossing_clashes() -> None:
    """Four groups, four teachers, four slots, four rooms: a Latin square."""
    courses = [course(f"c{f}{g}", faculty=f"f{f}", groups=f"g{g}") for f in range(4) for g in range(4)]
    data = dataset(*courses, *[room(f"r{i}") for i in range(4)], grid=grid(1, 4))
    compiled = compile_dataset(data)
    params = SearchParams(max_proposals=60_000, levels=60)
    found = anneal(data, compiled, nothing_placed(compiled), control=Control(), seconds=60, seed=2, params=params)
    assert score(found.counts, profile_of(data))[:3] == (0, 0, 0)


def test_cheap_bent_rules_are_broken_rather_than_dear_ones() -> None:
    small, away = room("r1", 10), teacher("f", unavailable=range(1, 4))
    data = dataset(course("a", faculty="f", size=11), course("b", faculty="f", size=10), small, away, grid=grid(1, 4))
    compiled = compile_dataset(data)
    params = replace(FEW, bend=True, max_proposals=4000)
    found = anneal(data, compiled, nothing_placed(compiled), control=Control(), seconds=60, seed=1, params=params)
    broken = {rule_id: found.counts[rule_id] for rule_id in ("faculty_clash", "faculty_unavailable", "room_capacity")}
    assert broken == {"faculty_clash": 0, "faculty_unavailable": 1, "room_capacity": 1}


@pytest.mark.parametrize("seed", range(3))
def test_rather_an_elective_clashes_than_two_core_courses(seed: int) -> None:
    """Three courses in two slots: apart from what the courses are, a clash of a and b would be the cheapest."""
    data = crowded_students()
    compiled = compile_dataset(data)
    params = replace(FEW, bend=True, max_proposals=4000)
    found = anneal(data, compiled, nothing_placed(compiled), control=Control(), seconds=60, seed=seed, params=params)
    assert (found.counts["student_clash"], found.counts["core_clash"]) == (5, 0)


def test_anchors_push_the_wanted_share_of_sessions_elsewhere() -> None:
    data = dataset(*[course(f"c{i}", faculty=f"f{i}") for i in range(10)], room("r1"), room("r2"), grid=grid(5, 6))
    compiled = compile_dataset(data)
    first = anneal(data, compiled, nothing_placed(compiled), control=Control(), seconds=60, seed=1, params=FEW)
    anchor = (first.slots, first.rooms)
    params = replace(FEW, max_proposals=5000, anchors=(anchor,), min_distance=0.4)
    second = anneal(data, compiled, anchor, control=Control(), seconds=60, seed=1, params=params)
    same = (first.slots == second.slots) & (first.rooms == second.rooms)
    assert same.sum() <= 6
    assert second.counts["faculty_clash"] == second.counts["room_clash"] == 0


def test_the_stop_word_ends_a_run_at_once_with_its_best_timetable() -> None:
    control = Control()
    control.request_stop(Stop.FINISH)
    case = random_case(Random(4))
    found = run(case, params=SearchParams(), control=control)
    assert found.proposals == 0


def test_a_run_ends_with_its_budget_and_beats_meanwhile() -> None:
    control, case = Control(), random_case(Random(9))
    run(case)
    before, began = int(control.words[BEAT_WORD]), time.monotonic()
    anneal(case.dataset, case.compiled, (case.slots, case.rooms), control=control, seconds=0.3, seed=1)
    assert time.monotonic() - began < 20, "only a run that ignores its budget takes this long"
    assert control.words[BEAT_WORD] > before + 1


@pytest.mark.parametrize("workers", [1, 2])
def test_improvements_are_reported_from_the_calling_thread_with_their_score(workers: int) -> None:
    courses = [course(f"c{i}", faculty=f"f{i % 3}", groups=f"g{i % 2}", sessions=2) for i in range(8)]
    data = dataset(*courses, group("g0"), group("g1"), room("r1"), room("r2"), grid=grid(5, 4))
    compiled, profile = compile_dataset(data), profile_of(data)
    heard: list[tuple[Ints, Ints, Score]] = []
    found = search(
        data,
        compiled,
        nothing_placed(compiled),
        control=Control(),
        seconds=0.6,
        workers=workers,
        seed=5,
        on_improvement=lambda *improvement: heard.append(improvement),
    )
    assert heard
    for slots, rooms, claim in heard:
        assert claim == score(count_rules(compiled, slots, rooms), profile, int((slots < 0).sum()))
    assert score(found.counts, profile) <= min(claim for *_, claim in heard)


def test_nothing_to_move_is_an_answer_too() -> None:
    data = dataset(course("a", fixed=[(0, 2, "r1")]), course("b", slots=3), room("r1"), grid=grid(1, 3, lunch_after=1))
    compiled = compile_dataset(data)
    found = anneal(data, compiled, nothing_placed(compiled), control=Control(), seconds=60, seed=1)
    assert decode(found.slots, found.rooms, data) == timetable(a=2)


ONLY_CHAINS = replace(FEW, strict=True, accept_share=1.0, chain_share=1.0, student_chain_share=1.0)


@settings(max_examples=60)
@given(cases(), st.booleans(), st.integers(0, 1000))
def test_every_chain_changes_the_cost_as_it_claims_also_where_hard_rules_are_broken(
    case: Case, anchored: bool, seed: int
) -> None:
    anchors = ((case.slots, case.rooms),) if anchored else ()
    run(case, seed, replace(ONLY_CHAINS, anchors=anchors))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_chains_keep_count_on_post_enrolment_problems(seed: int) -> None:
    rng = Random(seed)
    data = load_tim(tim_case(rng, events=20, rooms=3).problem)
    compiled = compile_dataset(data)
    run(Case(data, compiled, *encode(random_timetable(data, rng), data)), seed % 1000, ONLY_CHAINS)


def test_a_chain_moves_others_from_room_to_room_to_make_space() -> None:
    """`a` needs the piano; in the first slot `b` has that room and fits `c`'s, and only `c` fits the third."""
    data = dataset(
        course("a", features="piano", students="s1"),
        course("b", features="tiles", students="s2", allowed_slots=(0,)),
        course("c", features="light", students="s3", allowed_slots=(0,)),
        room("r1", features="piano tiles"),
        room("r2", features="tiles light"),
        room("r3", features="light"),
        grid=grid(1, 2),
    )
    compiled = compile_dataset(data)
    start = encode(timetable(a=(1, "r1"), b=(0, "r1"), c=(0, "r2")), data)
    wanted = timetable(a=(0, "r1"), b=(0, "r2"), c=(0, "r3"))
    one = replace(ONLY_CHAINS, max_proposals=1, levels=1)
    found = [anneal(data, compiled, start, control=Control(), seconds=60, seed=seed, params=one) for seed in range(40)]
    assert any(decode(each.slots, each.rooms, data) == wanted for each in found)


def test_sessions_of_one_course_do_not_exchange_their_places() -> None:
    data = dataset(course("a", sessions=2), room("r1"), grid=grid(1, 2))
    compiled = compile_dataset(data)
    start = (np.array([0, 1], dtype=np.int32), np.zeros(2, dtype=np.int32))
    found = anneal(data, compiled, start, control=Control(), seconds=60, seed=1, params=ONLY_CHAINS)
    assert found.proposals == FEW.max_proposals and found.accepted == 0


def test_moves_that_stay_at_their_start_bring_a_course_together_in_one_room() -> None:
    rules = dict.fromkeys(RULE_IDS, "off") | {"room_clash": "hard", "room_stability": "soft"}
    data = dataset(*[course(name, sessions=3) for name in "ab"], room("r1"), room("r2"), grid=grid(1, 3), rules=rules)
    compiled = compile_dataset(data)
    slots = np.array([0, 1, 2, 0, 1, 2], dtype=np.int32)
    start = (slots, np.array([0, 1, 0, 1, 0, 1], dtype=np.int32))
    params = replace(FEW, strict=True, accept_share=1.0, stay_share=1.0)
    found = anneal(data, compiled, start, control=Control(), seconds=60, seed=1, params=params)
    assert np.array_equal(found.slots, slots)
    assert found.counts["room_stability"] == 0


def test_a_search_ends_where_the_cost_is_enough() -> None:
    case = random_case(Random(5))
    whole = run(case, 1, FEW)
    enough = run(case, 1, replace(FEW, enough=10**6))
    assert enough.proposals <= whole.proposals
    sound = score(enough.counts, profile_of(case.dataset))[:3] == (0, 0, 0)
    assert not sound or enough.proposals < FEW.max_proposals, "any sound timetable is good enough"
