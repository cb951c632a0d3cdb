"""The context engine: each formula by hand, bounds on random datasets, and slow twins of what is computed in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.context import OPTIONAL, STEPS, WEIGHTS, build_context, chain_depths, prerequisite_cycles
from solver.context.academic import academic, demand
from solver.context.behavioural import behavioural, liking
from solver.context.dimension import Dimension
from solver.context.graph import enrolment_matrix
from solver.context.social import density, social
from solver.context.spatial import buildings_of, spatial, travel_table
from solver.context.starts import cover, mean_over_session, session_starts, sum_over_session
from solver.context.temporal import slot_dislike, temporal
from solver.model import Dataset, Rating, Room
from solver.rules import CONTEXT_POINTS
from tests.builders import course, dataset, datasets, grid, group, room, teacher
from tests.effort import grows_with_its_input

"""The campus below takes a fifth of a second on two slow cores; work that grows with pairs of students takes hours."""


def every_dimension(data: Dataset) -> dict[str, Dimension]:
    return {
        "temporal": temporal(data),
        "behavioural": behavioural(data),
        "academic": academic(data),
        "social": social(data, enrolment_matrix(data)),
        "spatial": spatial(data, buildings_of(data)),
    }


# --- temporal --------------------------------------------------------------------------------------------------------


def test_first_and_last_periods_lunch_and_the_last_afternoon_are_disliked() -> None:
    table = slot_dislike(grid(days=2, periods=5, lunch_after=2)).reshape(2, 5)
    assert table[0] == pytest.approx([0.4, 0, 0.3, 0, 0.8])
    assert table[1] == pytest.approx([0.4, 0, 0.7, 0.4, 1.0])


def test_without_lunch_the_afternoon_is_the_second_half_of_the_periods() -> None:
    assert slot_dislike(grid(days=1, periods=5)) == pytest.approx([0.4, 0, 0, 0.4, 1.0])


def test_a_long_session_costs_the_mean_of_its_hours_and_nothing_where_it_cannot_start() -> None:
    data = dataset(course("a", slots=2), grid=grid(days=2, periods=4, lunch_after=2))
    first_day, last_day = temporal(data).cost.reshape(2, 4)
    assert first_day == pytest.approx([0.2, 0, (0.3 + 0.8) / 2, 0])
    assert last_day == pytest.approx([0.2, 0, (0.7 + 1.0) / 2, 0])


# --- behavioural -----------------------------------------------------------------------------------------------------


def ratings(faculty_id: str, slot: int, *values: float) -> list[Rating]:
    return [Rating(faculty_id=faculty_id, slot=slot, rating=value) for value in values]


def test_ratings_are_drawn_towards_neutral_and_less_so_the_more_there_are() -> None:
    history = [*ratings("f", 0, 0.0), *ratings("f", 1, *[0.0] * 8), *ratings("f", 2, 1.0, 0.5)]
    data = dataset(course("a", faculty="f"), grid=grid(days=1, periods=4), history=history)
    assert liking(data)[0] == pytest.approx([1 / 3, 1 / 10, 2.5 / 4, 0.5])


def test_a_course_costs_what_its_teachers_dislike_on_average() -> None:
    history = [*ratings("f", 0, 1.0, 1.0), *ratings("e", 0, 0.0, 0.0)]
    data = dataset(
        course("both", faculty="f e"),
        course("one", faculty="e"),
        course("nobody"),
        grid=grid(days=1, periods=2),
        history=history,
    )
    assert behavioural(data).cost == pytest.approx(np.array([[0.5, 0.5], [0.75, 0.5], [0.5, 0.5]]))


def test_without_history_every_hour_is_neutral_and_no_points_come_of_it() -> None:
    data = dataset(course("a", faculty="f"), grid=grid(days=1, periods=3))
    assert behavioural(data).cost.tolist() == [[0.5, 0.5, 0.5]]


# --- academic --------------------------------------------------------------------------------------------------------


def test_demand_adds_credits_core_length_and_place_in_the_chain_of_prerequisites() -> None:
    data = dataset(
        course("base", credits=4, subject_type="core"),
        course("next", credits=2, subject_type="elective", prerequisites=("base",)),
        course("last", credits=0, subject_type="elective", slots=3, prerequisites=("next", "base")),
    )
    assert demand(data) == pytest.approx([0.4 + 0.2, 0.2 + 0.1, 0.2 + 0.2])


def test_a_demanding_course_costs_more_the_later_it_starts() -> None:
    data = dataset(course("hard", credits=4), course("easy", subject_type="elective"), grid=grid(days=1, periods=5))
    cost = academic(data).cost
    assert cost[0] == pytest.approx(0.6 * np.array([0, 0.25, 0.5, 0.75, 1]))
    assert cost[1].tolist() == [0, 0, 0, 0, 0]


# --- social ----------------------------------------------------------------------------------------------------------


def social_cost(data: Dataset) -> np.ndarray:
    return social(data, enrolment_matrix(data)).cost


def test_a_course_is_expected_evenly_over_its_open_starts_and_surely_where_it_is_fixed() -> None:
    data = dataset(
        teacher("f", unavailable=[0]),
        course("free", faculty="f", sessions=2),
        course("fixed", sessions=2, fixed=[(0, 3)]),
        course("long", slots=2),
        course("nowhere", faculty="f", allowed_slots=(0,)),
        grid=grid(days=1, periods=4),
    )
    expected = [[0, 2 / 3, 2 / 3, 2 / 3], [0.25, 0.25, 0.25, 1.0], [1 / 3, 2 / 3, 2 / 3, 1 / 3], [0.25] * 4]
    assert density(data) == pytest.approx(np.array(expected))


def test_contention_is_the_share_of_students_who_are_expected_in_another_course() -> None:
    data = dataset(course("a", students="x y"), course("b", students="y", fixed=[(0, 0)]), grid=grid(days=1, periods=2))
    assert social_cost(data) == pytest.approx(np.array([[0.5, 0.0], [0.5, 0.5]]))


def test_a_group_weighs_as_much_as_its_members() -> None:
    data = dataset(
        group("g", size=3),
        course("a", students="x", groups="g"),
        course("b", groups="g", fixed=[(0, 0)]),
        grid=grid(days=1, periods=2),
    )
    assert social_cost(data)[0] == pytest.approx([0.75, 0.0])


def test_groups_outside_their_shift_count_as_busy() -> None:
    data = dataset(group("g", unavailable=[1]), group("h"), course("a", groups="g h"), grid=grid(days=1, periods=2))
    assert social_cost(data) == pytest.approx(np.array([[0.0, 0.5]]))


def test_a_course_without_people_contends_with_nobody() -> None:
    data = dataset(course("a"), course("b", students="x"), grid=grid(days=1, periods=2))
    assert social_cost(data).tolist() == [[0, 0], [0, 0]]


# --- spatial ---------------------------------------------------------------------------------------------------------


def campus() -> list[Room]:
    return [
        room("r1", building="A", department_id="D1"),
        room("r2", building="B", department_id="D2"),
        room("r3", building="B", department_id="D2"),
        room("r4", building="B", department_id="D1"),
        room("r5", building="A", department_id="D1"),
        room("r6", building="C"),
    ]


def test_a_place_costs_its_distance_from_home_and_the_rooms_of_other_departments() -> None:
    data = dataset(
        *campus(),
        course("d1", department_id="D1"),
        course("d2", department_id="D2"),
        course("stranger"),
        travel={"A": {"B": 10, "C": 20}, "C": {"B": 5}},
    )
    buildings = buildings_of(data)
    assert buildings == (None, "A", "B", "C")
    assert spatial(data, buildings).cost == pytest.approx(
        np.array(
            [
                [0, 0.0, 0.8 * 10 / 20 + 0.2 * 2 / 3, 0.8 * 20 / 20],  # home A
                [0, 0.8 * 10 / 20 + 0.2, 0.2 / 3, 0.8 * 5 / 20],  # home B
                [0, 0.8 * 10 / 20 + 0.2, 0.2, 0.8 * 5 / 20],  # home B, where most rooms are
            ]
        )
    )


def test_where_no_room_stands_in_a_building_every_place_is_home() -> None:
    data = dataset(room("r"), course("a"), travel={"A": {"B": 10}})
    assert spatial(data, buildings_of(data)).cost.tolist() == [[0.0]]


@given(datasets())
def test_the_travel_table_is_what_the_dataset_says_for_each_pair(data: Dataset) -> None:
    buildings = buildings_of(data)
    assert travel_table(data, buildings).tolist() == [[data.travel(a, b) for b in buildings] for a in buildings]


# --- points ----------------------------------------------------------------------------------------------------------


def test_points_are_the_weighted_costs_above_the_best_start() -> None:
    # Only the hour and the demand speak here: dislike 0.4, 0, 0.4, 1.0 and 0.6 demand x lateness 0, 1/3, 2/3, 1.
    data = dataset(course("a", credits=4), grid=grid(days=1, periods=4))
    context = build_context(data)
    costs = 0.25 * np.array([0.4, 0, 0.4, 1.0]) + 0.2 * 0.6 * np.array([0, 1 / 3, 2 / 3, 1])
    assert context.slot_points.tolist() == [np.rint(10 * (costs - costs.min())).tolist()] == [[1, 0, 1, 3]]


def test_the_best_start_is_looked_for_among_the_allowed_ones() -> None:
    data = dataset(course("a", allowed_slots=(3,)), grid=grid(days=1, periods=4))
    assert build_context(data).slot_points.tolist() == [[0, 0, 0, 0]]


def test_a_building_costs_points_and_the_best_one_none() -> None:
    data = dataset(*campus(), course("a", department_id="D1"), travel={"A": {"B": 10, "C": 20}})
    assert build_context(data).building_points.tolist() == [[0, 0, 1, 1]]


@given(datasets())
def test_costs_and_points_stay_in_their_bounds(data: Dataset) -> None:
    for dimension in every_dimension(data).values():
        assert dimension.cost.min() >= 0 and dimension.cost.max() <= 1
    context = build_context(data)
    assert context.slot_points.min() >= 0 and context.building_points.min() >= 0
    assert context.slot_points.max() + context.building_points.max() <= CONTEXT_POINTS
    assert not context.slot_points[~session_starts(data)].any()
    assert context.slot_points.shape == (len(data.parts), data.time_grid.num_slots)
    assert context.building_points.shape == (len(data.parts), len(context.buildings))
    assert context.slot_points.dtype == context.building_points.dtype == np.int32


@given(datasets())
def test_every_course_has_an_allowed_start_and_a_building_with_rooms_without_points(data: Dataset) -> None:
    context = build_context(data)
    held = [context.buildings.index(room.building) for room in data.rooms]
    for c, each in enumerate(data.parts):
        starts = [t for t in each.allowed_slots or data.time_grid.slots if session_starts(data)[c, t]]
        assert context.slot_points[c, starts].min() == 0
        assert context.building_points[c, held].min() == 0


def test_the_worst_hour_at_the_worst_place_reaches_the_top_and_never_passes_it() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    worst = sum(weight for name, weight in WEIGHTS.items() if name != "spatial")
    assert np.rint(CONTEXT_POINTS * worst) + np.rint(CONTEXT_POINTS * WEIGHTS["spatial"]) == CONTEXT_POINTS


def test_the_tables_are_read_only() -> None:
    context = build_context(dataset(course("a")))
    with pytest.raises(ValueError, match="read-only"):
        context.slot_points[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        context.building_points[0, 0] = 1


# --- conflict graph --------------------------------------------------------------------------------------------------


def naive_conflicts(data: Dataset) -> dict[tuple[int, int], int]:
    students = [set(data.students_of(part)) for part in data.parts]
    return {
        (a, b): len(one & other)
        for a, one in enumerate(students)
        for b, other in enumerate(students)
        if a != b and one & other
    }


@given(datasets(max_courses=12))
def test_the_conflict_graph_counts_the_common_students_of_each_pair(data: Dataset) -> None:
    graph = build_context(data).conflict_graph
    row, column = graph.tocoo().coords
    found = {(int(a), int(b)): int(n) for a, b, n in zip(row, column, graph.data, strict=True)}
    assert found == naive_conflicts(data)
    assert graph.data.dtype == graph.indices.dtype == graph.indptr.dtype == np.int32
    for c in range(len(data.parts)):
        neighbours = graph.indices[graph.indptr[c] : graph.indptr[c + 1]].tolist()
        assert neighbours == sorted(neighbours)


def university(num_courses: int, per_course: int = 38) -> Dataset:
    """A campus with as many enrolments per student at every size."""
    rng, num_students = Random(7), 8 * num_courses
    students = [f"s{i}" for i in range(num_students)]
    courses = []
    for i in range(num_courses):
        near = (i * 131) % (num_students - 400)
        taken = rng.sample(students[near : near + 400], per_course)
        courses.append(course(f"c{i}", faculty=f"f{i % 900}", students=taken, sessions=3, credits=i % 5))
    rooms = [
        room(f"r{i}", building=f"B{i % 40}", department_id=f"D{i % 70}") for i in range(num_courses * 1100 // 2500)
    ]
    return dataset(*courses, *rooms, grid=grid(days=6, periods=8, lunch_after=4))


def test_the_work_grows_with_the_enrolments_up_to_a_campus_of_95_000() -> None:
    def work_of(num_courses: int) -> Callable[[], None]:
        data = university(num_courses)

        def built() -> None:
            assert build_context(data).conflict_graph.nnz > num_courses

        return built

    assert grows_with_its_input(work_of, 2500)


# --- prerequisites ---------------------------------------------------------------------------------------------------


def test_circles_of_prerequisites_are_named() -> None:
    graph = {"z": ["a"], "a": ["b"], "b": ["c", "gone"], "c": ["a"], "self": ["self"], "free": ["a"]}
    assert prerequisite_cycles(graph) == (("a", "b", "c", "a"), ("self", "self"))
    assert prerequisite_cycles({"a": ["b"], "b": []}) == prerequisite_cycles({}) == ()


def test_a_chain_or_circle_of_ten_thousand_courses_meets_no_recursion_limit() -> None:
    chain = {str(i): [str(i - 1)] if i else [] for i in range(10_000)}
    assert chain_depths(chain)["9999"] == 9999
    (circle,) = prerequisite_cycles({**chain, "0": ["9999"]})
    assert len(circle) == 10_001


def test_depths_of_a_circle_are_refused() -> None:
    with pytest.raises(CycleError):
        chain_depths({"a": ["b"], "b": ["a"]})


NODES = "abcdef"


@given(st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=3)))
def test_a_circle_is_found_exactly_where_there_is_one(graph: Mapping[str, list[str]]) -> None:
    cycles = prerequisite_cycles(graph)
    known = {node: [p for p in required if p in graph] for node, required in graph.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError:
        assert cycles
    else:
        assert cycles == ()
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert all(after in graph[before] for before, after in pairwise(cycle))


# --- simplified context, progress, summary ---------------------------------------------------------------------------


def test_the_simplified_context_drops_preferences_says_so_and_keeps_the_conflict_graph() -> None:
    data = dataset(
        *campus(),
        course("a", faculty="f", students="x y", department_id="D1"),
        course("b", students="y"),
        travel={"A": {"B": 10}},
        history=ratings("f", 0, 0.0, 0.0, 0.0),
    )
    whole, simplified = build_context(data), build_context(data, simplified=True)
    assert simplified.summary["simplified"] is True
    assert simplified.summary["skipped"] == list(OPTIONAL)
    assert whole.summary["simplified"] is False and whole.summary["skipped"] == []
    assert not simplified.building_points.any() and whole.building_points.any()
    assert (simplified.conflict_graph != whole.conflict_graph).nnz == 0
    assert simplified.slot_points.shape == whole.slot_points.shape
    assert simplified.slot_points[0, 0] < whole.slot_points[0, 0]


@pytest.mark.parametrize("simplified", [False, True])
def test_every_step_is_reported_once_in_order_when_it_begins(simplified: bool) -> None:
    heard: list[tuple[str, float]] = []
    context = build_context(
        dataset(course("a")), simplified=simplified, report=lambda step, share: heard.append((step, share))
    )
    names = [step for step in STEPS if not (simplified and step in OPTIONAL)]
    assert [step for step, _ in heard] == names
    assert [share for _, share in heard] == [i / len(names) for i in range(len(names))]
    assert list(context.summary["seconds"]) == names  # type: ignore[call-overload]


def test_a_watcher_that_raises_stops_the_work_at_that_step() -> None:
    def stop(step: str, share: float) -> None:
        if step == "academic":
            raise InterruptedError(step)

    with pytest.raises(InterruptedError, match="academic"):
        build_context(dataset(course("a")), report=stop)


@given(datasets())
def test_the_summary_is_json_and_names_every_dimension(data: Dataset) -> None:
    summary = build_context(data).summary
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert list(again["dimensions"]) == list(WEIGHTS)
    for name, dimension in again["dimensions"].items():
        assert 0 <= dimension["min_points"] <= dimension["mean_points"] <= dimension["max_points"] <= 10 * WEIGHTS[name]


def test_the_summary_tells_of_the_conflict_graph_without_naming_students() -> None:
    data = dataset(course("a", students="anna bert"), course("b", students="anna bert"), course("c", students="bert"))
    summary = build_context(data).summary
    assert summary["conflict_graph"] == {
        "courses": 3,
        "edges": 3,
        "density": 1.0,
        "busiest_course": "a",
        "busiest_course_conflicts": 2,
        "max_common_students": 2,
    }
    assert "anna" not in json.dumps(summary)


def test_a_single_course_without_anybody_has_a_context() -> None:
    context = build_context(dataset(course("a"), grid=grid(days=1, periods=1)))
    assert context.slot_points.tolist() == [[0]]
    assert context.buildings == (None,)
    assert context.conflict_graph.shape == (1, 1)
    assert context.summary["conflict_graph"]["busiest_course"] is None  # type: ignore[index]


# --- tables over sessions --------------------------------------------------------------------------------------------


@given(datasets(), st.integers(0, 2**32 - 1))
def test_sums_over_sessions_are_those_of_a_plain_loop(data: Dataset, seed: int) -> None:
    table = np.random.default_rng(seed).integers(0, 9, session_starts(data).shape)
    for c, each in enumerate(data.parts):
        for t in range(data.time_grid.num_slots):
            covered = table[c, t : t + each.session_slots] if data.time_grid.can_start(t, each.session_slots) else []
            assert sum_over_session(table, data)[c, t] == sum(covered)
            assert mean_over_session(table / 9, data)[c, t] == pytest.approx(sum(covered) / 9 / each.session_slots)


@given(datasets(), st.integers(0, 2**32 - 1))
def test_covering_is_the_transpose_of_summing_over_sessions(data: Dataset, seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts, table = (
        rng.random(session_starts(data).shape) * session_starts(data),
        rng.random(session_starts(data).shape),
    )
    assert (cover(starts, data) * table).sum() == pytest.approx((starts * sum_over_session(table, data)).sum())
