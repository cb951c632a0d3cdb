"""The arrays of a dataset: each field on a dataset made by hand, and the way there and back for timetables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import TypingError, njit

from solver.compiled import (
    NO_LIMIT,
    TIER_BENDABLE,
    TIER_OFF,
    TIER_RIGID,
    TIER_SOFT,
    Compiled,
    Flags,
    compile_dataset,
    decode,
    encode,
)
from solver.context import build_context
from solver.links import NO_MOST, TYPE_OF_CODE
from solver.model import Dataset, Placement, RuleSetting, Timetable
from solver.places import suits
from solver.rules import RULE_IDS, peak_limit, profile_of
from tests.builders import course, dataset, datasets, grid, group, link, random_timetable, room, teacher, timetable


@pytest.fixture(scope="module")
def college() -> Dataset:
    """Two days of four periods, lunch in the middle; every kind of field has something to say."""
    return dataset(
        room("hall", 80, building="A", features="projector"),
        room("lab", 20, building="B", type="lab", unavailable=[0, 5]),
        room("hut", 10),
        teacher("f", day=2, week=5, unavailable=[0], preferences={1: 1.0, 2: 0.0}),
        teacher("e", unavailable=[0, 4]),
        group("g", 30, day=3, unavailable=[7]),
        group("h", 25),
        course("a", faculty="f e", groups="g h", students="x y", sessions=2, limit=1, credits=4),
        course("b", faculty="f", students="y z", slots=2, types="lab", size=12, min_days=2, subject_type="elective"),
        course("c", students="y x", features="projector", allowed_slots=(0, 3), fixed=[(0, 3, "hall")], sessions=3),
        course("d", groups="g", fixed=[(0, 2)]),
        link("precedence", "a", ("b", 0)),
        link("same_day", ("b", 0), ("d", 0), tier="soft", weight=7),
        link("min_gap", ("a", 1), ("d", 0), value=2),
        link("same_start", "a", "c", tier="off"),
        grid=grid(days=2, periods=4, lunch_after=2),
        travel={"A": {"B": 6}},
    )


@pytest.fixture(scope="module")
def compiled(college: Dataset) -> Compiled:
    return compile_dataset(college)


def rows(pointers: np.ndarray, entries: np.ndarray) -> list[list[int]]:
    return [entries[start:end].tolist() for start, end in pairwise(pointers)]


def test_sizes(compiled: Compiled) -> None:
    assert (compiled.num_sessions, compiled.num_courses, compiled.num_slots, compiled.num_rooms) == (7, 4, 8, 3)
    assert (compiled.num_faculty, compiled.num_groups, compiled.num_students, compiled.num_links) == (2, 2, 3, 4)
    assert (compiled.num_days, compiled.num_periods, compiled.num_buildings) == (2, 4, 3)
    assert compiled.day_periods.tolist() == [4, 4]
    assert compiled.rest.tolist() == compiled.wall.tolist() == [0, 0, 1, 0, 0, 0, 1, 0]


def test_sessions_and_courses(compiled: Compiled) -> None:
    assert compiled.course_of_session.tolist() == [0, 0, 1, 2, 2, 2, 3]
    assert compiled.session_ptr.tolist() == [0, 2, 3, 6, 7]
    assert compiled.length.tolist() == [1, 2, 1, 1]
    assert compiled.seats.tolist() == [55, 12, 2, 30]
    assert compiled.core.tolist() == [1, 0, 1, 1]
    assert compiled.min_days.tolist() == [1, 2, 1, 1]
    assert compiled.fixed_slot.tolist() == [-1, -1, -1, 3, -1, -1, 2]
    assert compiled.fixed_room.tolist() == [-1, -1, -1, 0, -1, -1, -1]


def test_starts_are_on_the_grid_clear_of_lunch_and_allowed(compiled: Compiled) -> None:
    assert compiled.start_possible.tolist() == [[1] * 8, [1, 0, 1, 0] * 2, [1, 0, 0, 1, 0, 0, 0, 0], [1] * 8]
    assert (compiled.slot_forbidden == 1 - compiled.start_possible).all()


def test_where_forbidden_slots_may_be_used_they_are_possible_and_still_counted() -> None:
    lenient = dataset(course("a", slots=2, allowed_slots=(0,)), grid=grid(1, 4), rules={"slot_forbidden": "soft"})
    compiled = compile_dataset(lenient)
    assert compiled.start_possible.tolist() == [[1, 1, 1, 0]]
    assert compiled.slot_forbidden.tolist() == [[0, 1, 1, 1]]


def test_people_of_each_course(compiled: Compiled) -> None:
    assert rows(compiled.faculty_ptr, compiled.faculty) == [[0, 1], [0], [], []]
    assert rows(compiled.group_ptr, compiled.group) == [[0, 1], [2], [3], [0]]
    assert compiled.num_clash_groups == 4
    assert rows(compiled.student_ptr, compiled.student) == [[0, 1], [1, 2], [1, 0], []]


def test_courses_that_share_people(compiled: Compiled) -> None:
    assert rows(compiled.conflict_ptr, compiled.conflict) == [[1, 2], [0, 2], [0, 1], []]
    assert compiled.conflict_students.tolist() == [1, 2, 1, 1, 2, 1]
    assert compiled.conflict_core.tolist() == [0, 2, 0, 0, 2, 0], "b is an elective"
    # a has two teachers and two groups, and shares f with b and g with d; the own group of c is no real one.
    assert rows(compiled.people_ptr, compiled.people) == [[0, 1, 3], [0, 1], [], [0, 3]]
    assert compiled.people_shared.tolist() == [4, 1, 1, 1, 1, 1, 1]


def test_rooms(compiled: Compiled) -> None:
    assert compiled.room_seats.tolist() == [80, 20, 10]
    assert compiled.room_building.tolist() == [1, 2, 0]
    assert compiled.room_limit.tolist() == [[1] * 8, [0, 1, 1, 1, 1, 0, 1, 1], [1] * 8]
    assert compiled.room_unsuitable.tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 1], [0, 0, 0]]
    assert compiled.travel.tolist() == [[0, 0, 0], [0, 0, 6], [0, 6, 0]]
    assert compiled.walk_until.tolist() == [1, 1, 3, 3, 5, 5, 7, 7], "lunch is longer than any way"


def test_units_of_a_start_are_summed_over_people_and_covered_slots(compiled: Compiled) -> None:
    assert compiled.faculty_unavailable.tolist() == [
        [2, 0, 0, 0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0] * 8,
        [0] * 8,
    ]
    assert compiled.group_unavailable.tolist() == [[0] * 7 + [1], [0] * 8, [0] * 8, [0] * 7 + [1]]
    # Only f states preferences: 5 points at slot 2, nothing is said of most others. The session of b takes two hours.
    assert compiled.faculty_preference.tolist() == [
        [0, 0, 5, 0, 0, 0, 0, 0],
        [0, 0, 5, 0, 0, 0, 0, 0],
        [0] * 8,
        [0] * 8,
    ]


def test_limits(compiled: Compiled) -> None:
    assert compiled.course_day_limit.tolist() == [1, NO_LIMIT, NO_LIMIT, NO_LIMIT]
    assert compiled.group_day_limit.tolist() == [3, NO_LIMIT]
    assert compiled.faculty_day_limit.tolist() == [2, NO_LIMIT]
    assert compiled.faculty_week_limit.tolist() == [5, NO_LIMIT]
    assert compiled.faculty_fair_share.tolist() == [2, 1]
    assert compiled.peak_limit == peak_limit(2 + 2 + 3 + 1, 8)
    assert compiled.consecutive_limit == 4


def test_links_are_pairs_of_sessions_in_order_and_those_that_are_off_are_gone(compiled: Compiled) -> None:
    assert list(zip(compiled.link_a.tolist(), compiled.link_b.tolist(), strict=True)) == [
        (0, 2),
        (1, 2),
        (2, 6),
        (1, 6),
    ]
    assert [TYPE_OF_CODE[k] for k in compiled.link_type.tolist()] == ["precedence", "precedence", "same_day", "min_gap"]
    assert compiled.link_value.tolist() == [0, 0, 0, 2]
    assert compiled.link_most.tolist() == [NO_MOST] * 4
    assert compiled.link_weight.tolist() == [1, 1, 7, 1]
    assert compiled.link_hard.tolist() == [1, 1, 0, 1]
    assert rows(compiled.session_link_ptr, compiled.session_link) == [[0], [1, 3], [0, 1, 2], [], [], [], [2, 3]]


def test_context_points_are_taken_over(college: Dataset, compiled: Compiled) -> None:
    context = build_context(college)
    assert (compiled.context_slot == context.slot_points).all()
    assert (compiled.context_building == context.building_points).all()
    simplified = build_context(college, simplified=True)
    assert (compile_dataset(college, context=simplified).context_slot == simplified.slot_points).all()


def test_rules_in_the_order_of_the_list() -> None:
    data = dataset(
        course("a"),
        rules={
            "group_gap": RuleSetting(tier="hard", weight=9),
            "travel": RuleSetting(tier="off", weight=9),
            "room_clash": RuleSetting(weight=9),
            "consecutive_limit": RuleSetting(value=2),
        },
    )
    compiled = compile_dataset(data)
    meaning = {
        rule: (int(tier), int(weight))
        for rule, tier, weight in zip(RULE_IDS, compiled.rule_tier, compiled.rule_weight, strict=True)
    }
    assert meaning["room_clash"] == (TIER_RIGID, 1)
    assert meaning["student_clash"] == (TIER_BENDABLE, 24)
    assert meaning["group_gap"] == (TIER_BENDABLE, 9)
    assert meaning["min_days"] == (TIER_SOFT, 5)
    assert meaning["travel"] == (TIER_OFF, 1)
    assert compiled.consecutive_limit == 2


def test_a_profile_that_is_given_wins_over_the_dataset() -> None:
    data = dataset(course("a"))
    profile = profile_of(data, {"min_days": RuleSetting(weight=50)})
    assert compile_dataset(data, profile).rule_weight[RULE_IDS.index("min_days")] == 50


@pytest.mark.parametrize(
    "data",
    [
        dataset(course("a"), grid=grid(days=1, periods=1)),
        dataset(course("a", students="x y"), course("b", students="y")),
        dataset(course("a", groups="g"), course("b", groups="g")),
        dataset(course("a", faculty="f", allowed_slots=())),
    ],
    ids=["alone", "students only", "groups only", "no allowed slot"],
)
def test_datasets_without_teachers_groups_or_students_compile(data: Dataset) -> None:
    compiled = compile_dataset(data)
    assert compiled.lone_student.tolist() == [1] * len(data.student_ids)
    assert compiled.faculty_fair_share.shape == (len(data.faculty),)
    assert compiled.group_ptr[-1] == len(compiled.group)
    assert compiled.num_students == len(data.student_ids)


@given(datasets())
def test_arrays_are_contiguous_read_only_and_of_their_type(data: Dataset) -> None:
    hints = get_type_hints(Compiled)
    for name, value in compile_dataset(data)._asdict().items():
        if hints[name] is int:
            assert type(value) is int, name
            continue
        assert value.flags.c_contiguous and not value.flags.writeable, name
        assert value.dtype == (np.uint8 if hints[name] == Flags else np.int32), name


def test_compiling_leaves_the_context_untouched() -> None:
    data = dataset(course("a", students="x"), course("b", students="x"))
    context = build_context(data)
    compile_dataset(data, context=context)
    assert context.conflict_graph.data.flags.writeable


def test_a_kernel_reads_the_arrays_and_is_refused_when_it_writes(compiled: Compiled) -> None:
    @njit
    def longest(c: Any) -> Any:
        return c.length.max()

    @njit
    def stretch(c: Any) -> None:
        c.length[0] = 9

    assert longest(compiled) == 2
    # A ValueError is what plain NumPy says when Numba is switched off.
    with pytest.raises((TypingError, ValueError), match=r"read-?only"):
        stretch(compiled)
    assert compiled.length[0] == 1


# --- timetables ------------------------------------------------------------------------------------------------------


def by_session(answer: Timetable) -> dict[Any, Placement]:
    return dict(answer.by_session)


@given(datasets(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 1.0]))
def test_decoding_an_encoded_timetable_gives_it_back(data: Dataset, seed: int, placed: float) -> None:
    answer = random_timetable(data, Random(seed), placed)
    slots, rooms = encode(answer, data)
    assert slots.dtype == rooms.dtype == np.int32
    assert slots.shape == rooms.shape == (len(data.sessions),)
    assert by_session(decode(slots, rooms, data)) == by_session(answer)
    assert ((slots == -1) == (rooms == -1)).all()


def test_encoding_ignores_what_another_version_of_the_data_placed(college: Dataset) -> None:
    answer = timetable({"a": [3, (5, "gone")], "b": [1], "left": [0], "d": [2, 3]}, default_room="hall")
    slots, rooms = encode(answer, college)
    # a/1 stands in a room that is gone, b/0 would run into lunch, "left" and d/1 do not exist any more.
    assert slots.tolist() == [3, -1, -1, -1, -1, -1, 2]
    assert rooms.tolist() == [0, -1, -1, -1, -1, -1, 0]


def test_decoding_leaves_half_placed_sessions_out(college: Dataset) -> None:
    slots, rooms = np.full(7, -1), np.full(7, -1)
    slots[0], rooms[1], slots[2], rooms[2] = 1, 1, 4, 1
    assert [p.key for p in decode(slots, rooms, college).placements] == [("b", 0)]


def test_a_room_suits_by_type_features_and_name() -> None:
    wants = course("a", types="lab studio", features="sink gas", rooms={"r": 0}, room_penalties={"s": None})
    assert suits(wants, room("r", type="lab", features="gas sink piano"))
    assert not suits(wants, room("r", type="hall", features="gas sink"))
    assert not suits(wants, room("r", type="lab", features="gas"))
    assert not suits(wants, room("q", type="lab", features="gas sink"))
    assert not suits(replace(wants, rooms=None), room("s", type="lab", features="gas sink"))
    assert suits(course("b"), room("r", type="anything"))
