"""Datasets and timetables cannot exist in a broken state, and say everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.calendar import TimeGrid, clock_of, minutes_of
from solver.errors import InputError, Issue
from solver.model import Dataset, Link, Placement, Rating, Timetable
from solver.pairing import pairing_of
from solver.terms import MAX_NUMBER
from tests.builders import course, dataset, datasets, grid, group, link, room, teacher, timetable


def issues_of(make: Callable[[], object]) -> list[Issue]:
    with pytest.raises(InputError) as error:
        make()
    return list(error.value.issues)


# --- the grid --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("08:00", 480), ("8:05", 485), ("08:30:59", 510), ("24:00", 1440), ("24:01", None), ("8", None), ("08:60", None)],
)
def test_clock_times_are_read_to_the_minute(text: str, minutes: int | None) -> None:
    assert minutes_of(text) == minutes


@given(st.integers(0, 24 * 60))
def test_a_written_clock_time_reads_back(minutes: int) -> None:
    assert minutes_of(clock_of(minutes)) == minutes


def test_the_default_grid_is_the_one_of_the_platform() -> None:
    default = TimeGrid()
    assert [clock_of(start) for start, _ in default.periods_of(0)] == [
        "08:00", "09:00", "10:00", "11:00", "13:00", "14:00", "15:00", "16:00",
    ]  # fmt: skip
    assert (default.num_days, default.num_periods, default.num_slots, default.after_lunch(0)) == (6, 8, 48, 4)


def test_there_are_never_more_periods_than_fit_between_start_and_end() -> None:
    assert TimeGrid(slots_per_day=20, start_time="09:00", end_time="13:30", lunch=None).num_periods == 4


def test_a_period_never_straddles_lunch_nor_runs_past_the_end() -> None:
    odd = TimeGrid(start_time="08:00", end_time="15:00", slot_minutes=90, lunch=("12:00", "12:30"), slots_per_day=9)
    assert [(clock_of(start), clock_of(end)) for start, end in odd.periods_of(0)] == [
        ("08:00", "09:30"),
        ("09:30", "11:00"),
        ("12:30", "14:00"),
    ]
    assert odd.rests(0) == odd.walls(0) == {2}


@pytest.mark.parametrize("lunch", [None, ("06:00", "07:00"), ("19:00", "20:00"), ("12:00", "12:00")])
def test_a_lunch_outside_the_day_cuts_nothing(lunch: tuple[str, str] | None) -> None:
    plain = TimeGrid(lunch=lunch)
    assert not plain.rests(0)
    assert plain.can_start(2, 4)


def test_seven_days_work() -> None:
    assert TimeGrid(working_days=7).num_slots == 56


def test_a_session_stays_inside_the_day_and_clear_of_lunch() -> None:
    cut = grid(days=2, periods=5, lunch_after=3)
    assert [t for t in range(cut.num_slots) if cut.can_start(t, 2)] == [0, 1, 3, 5, 6, 8]
    assert [t for t in range(cut.num_slots) if cut.can_start(t, 4)] == []
    assert not cut.can_start(-1, 1)
    assert not cut.can_start(cut.num_slots, 1)
    assert (cut.day_of(7), cut.period_of(7)) == (1, 2)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"working_days": 0}, "/time_grid/working_days", "out_of_range"),
        ({"working_days": 8}, "/time_grid/working_days", "out_of_range"),
        ({"slots_per_day": 0}, "/time_grid/slots_per_day", "out_of_range"),
        ({"slot_minutes": 0}, "/time_grid/slot_minutes", "out_of_range"),
        ({"start_time": "noon"}, "/time_grid/start_time", "bad_time"),
        ({"lunch": ("12:00", "1pm")}, "/time_grid/lunch/end", "bad_time"),
        ({"end_time": "08:00"}, "/time_grid/end_time", "impossible_grid"),
        ({"lunch": ("13:00", "12:00")}, "/time_grid/lunch/end", "impossible_grid"),
        ({"slot_minutes": 700}, "/time_grid/slot_minutes", "impossible_grid"),
    ],
)
def test_an_impossible_grid_is_refused(fields: dict[str, object], pointer: str, code: str) -> None:
    found = issues_of(lambda: dataset(course("a"), grid=TimeGrid(**fields)))  # type: ignore[arg-type]
    assert (found[0].pointer, found[0].code) == (pointer, code)


# --- the dataset -----------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Callable[[], object], str, str]] = {
    "no course": (lambda: dataset(room("r1")), "/courses", "empty"),
    "no room": (lambda: Dataset(rooms=(), courses=(course("a"),)), "/rooms", "empty"),
    "twice the same id": (lambda: dataset(course("a"), course("a")), "/courses/1/id", "duplicate"),
    "an empty id": (lambda: dataset(course("")), "/courses/0/id", "bad_id"),
    "a line break in an id": (lambda: dataset(course("a\nb")), "/courses/0/id", "bad_id"),
    "an id without end": (lambda: dataset(course("a" * 129)), "/courses/0/id", "bad_id"),
    "a negative capacity": (lambda: dataset(course("a"), room("r1", -1)), "/rooms/0/capacity", "out_of_range"),
    "a huge capacity": (lambda: dataset(course("a"), room("r", MAX_NUMBER + 1)), "/rooms/0/capacity", "out_of_range"),
    "a room closed off the grid": (
        lambda: dataset(course("a"), room("r1", unavailable=[3, 20])),
        "/rooms/0/unavailable/1",
        "bad_slot",
    ),
    "a negative limit": (
        lambda: dataset(course("a"), teacher("f", day=-1)),
        "/faculty/0/max_sessions_per_day",
        "out_of_range",
    ),
    "a liking above one": (
        lambda: dataset(course("a"), teacher("f", preferences={0: 1.5})),
        "/faculty/0/preferences/0",
        "out_of_range",
    ),
    "a preference off the grid": (
        lambda: dataset(course("a"), teacher("f", preferences={99: 0.5})),
        "/faculty/0/preferences/99",
        "bad_slot",
    ),
    "a negative size": (lambda: dataset(course("a"), group("g", -5)), "/groups/0/size", "out_of_range"),
    "no sessions": (lambda: dataset(course("a", sessions=0)), "/courses/0/sessions_per_week", "out_of_range"),
    "a session longer than a day": (lambda: dataset(course("a", slots=5)), "/courses/0/session_slots", "out_of_range"),
    "an allowed slot off the grid": (
        lambda: dataset(course("a", allowed_slots=(0, -1))),
        "/courses/0/allowed_slots/1",
        "bad_slot",
    ),
    "an unknown teacher": (
        lambda: Dataset(rooms=(room("r"),), courses=(course("a", faculty="x"),)),
        "/courses/0/faculty_ids/0",
        "dangling_id",
    ),
    "an unknown group": (
        lambda: Dataset(rooms=(room("r"),), courses=(course("a", groups="x"),)),
        "/courses/0/group_ids/0",
        "dangling_id",
    ),
    "twice the same student": (lambda: dataset(course("a", students="s s")), "/courses/0/student_ids/1", "duplicate"),
    "an unknown prerequisite": (
        lambda: dataset(course("a", prerequisites=("x",))),
        "/courses/0/prerequisites/0",
        "dangling_id",
    ),
    "prerequisites in a circle": (
        lambda: dataset(course("a", prerequisites=("b",)), course("b", prerequisites=("a",))),
        "/courses/0/prerequisites",
        "cycle",
    ),
    "a fixed session that does not exist": (
        lambda: dataset(course("a", fixed=[(1, 0)])),
        "/courses/0/fixed/0/session",
        "out_of_range",
    ),
    "a session fixed twice": (
        lambda: dataset(course("a", fixed=[(0, 0), (0, 1)])),
        "/courses/0/fixed/1/session",
        "duplicate",
    ),
    "a session fixed across midnight": (
        lambda: dataset(course("a", slots=2, fixed=[(0, 3)])),
        "/courses/0/fixed/0/slot",
        "bad_slot",
    ),
    "a session fixed in an unknown room": (
        lambda: dataset(course("a", fixed=[(0, 0, "x")])),
        "/courses/0/fixed/0/room_id",
        "dangling_id",
    ),
    "an unknown link": (lambda: dataset(course("a", sessions=2), link("near", "a")), "/links/0/type", "unknown_link"),
    "a gap without a value": (
        lambda: dataset(course("a", sessions=2), link("min_gap", "a")),
        "/links/0/value",
        "missing",
    ),
    "a link of one session": (lambda: dataset(course("a"), link("same_day", ("a", 0))), "/links/0/sessions", "too_few"),
    "a link of an unknown course": (
        lambda: dataset(course("a"), link("same_day", "a", "x")),
        "/links/0/sessions/1/0",
        "dangling_id",
    ),
    "a link of an unknown session": (
        lambda: dataset(course("a"), course("b"), link("same_day", ("a", 3), "b")),
        "/links/0/sessions/0/1",
        "out_of_range",
    ),
    "an unknown pairing": (
        lambda: dataset(course("a", sessions=2), link("same_day", "a", pairing="some")),
        "/links/0/pairing",
        "unknown_pairing",
    ),
    "days apart without a number": (
        lambda: dataset(course("a", sessions=2), link("days_apart", "a")),
        "/links/0/value",
        "missing",
    ),
    "a most below nothing": (
        lambda: dataset(course("a", sessions=2), link("days_apart", "a", most=-1)),
        "/links/0/most",
        "out_of_range",
    ),
    "more minutes than a day has": (
        lambda: dataset(course("a"), travel={"A/1": {"B~": 1441}}),
        "/travel_minutes/A~11/B~0",
        "out_of_range",
    ),
    "a rating of nobody": (
        lambda: dataset(course("a"), history=[Rating(faculty_id="x", slot=0, rating=0.5)]),
        "/history/0/faculty_id",
        "dangling_id",
    ),
    "a rating above one": (
        lambda: dataset(course("a", faculty="f"), history=[Rating(faculty_id="f", slot=0, rating=1.1)]),
        "/history/0/rating",
        "out_of_range",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_dataset_is_refused_with_pointer_and_code(what: str) -> None:
    make, pointer, code = BROKEN[what]
    found = issues_of(make)
    assert (pointer, code) in [(issue.pointer, issue.code) for issue in found]
    assert all(issue.message for issue in found)


def test_every_problem_is_reported_at_once_in_document_order() -> None:
    found = issues_of(lambda: dataset(course("a", sessions=0), course("b", slots=9), room("r1", -1)))
    assert [issue.pointer for issue in found] == [
        "/rooms/0/capacity",
        "/courses/0/sessions_per_week",
        "/courses/1/session_slots",
    ]
    assert found[1].message == "course 'a': sessions_per_week must be >= 1, got 0"
    assert found[1].value == 0


def test_an_input_error_reads_as_its_first_issue() -> None:
    with pytest.raises(InputError, match=r"^/rooms/0/capacity: .* \(and 1 more\)$"):
        dataset(course("a", sessions=0), room("r1", -1))


def test_a_dataset_cannot_be_changed() -> None:
    data = dataset(course("a"))
    with pytest.raises(FrozenInstanceError):
        data.name = "other"  # type: ignore[misc]


def test_entities_are_found_by_id_and_sessions_listed_in_course_order() -> None:
    data = dataset(course("b", sessions=2), course("a", faculty="f", groups="g"))
    assert data.sessions == (("b", 0), ("b", 1), ("a", 0))
    assert (data.course["a"].id, data.room["r1"].id, data.teacher["f"].id, data.group["g"].id) == ("a", "r1", "f", "g")


def test_students_are_listed_once_in_order_of_appearance() -> None:
    assert dataset(course("a", students="s2 s1"), course("b", students="s1 s3")).student_ids == ("s2", "s1", "s3")


def test_expected_students_are_stated_or_the_larger_of_enrolments_and_groups() -> None:
    parts = [
        course("stated", size=7, students="s1"),
        course("enrolled", students="s1 s2 s3", groups="g1"),
        course("grouped", students="s1", groups="g1 g2"),
    ]
    data = dataset(*parts, group("g1", 2), group("g2", 30))
    assert [data.expected_students(each) for each in data.courses] == [7, 3, 32]


def test_minutes_in_one_direction_serve_both() -> None:
    data = dataset(course("a"), travel={"A": {"B": 10, "C": 4}, "C": {"A": 6}})
    assert [data.travel(*pair) for pair in (("A", "B"), ("B", "A"), ("A", "C"), ("C", "A"))] == [10, 10, 4, 6]
    assert [data.travel(*pair) for pair in (("A", "A"), (None, "A"), ("B", "C"))] == [0, 0, 0]


def test_links_are_expanded_into_ordered_pairs() -> None:
    data = dataset(course("a", sessions=3), course("b", sessions=2), course("c"))

    def pairs(*sessions: tuple[str, int | None]) -> list[tuple[tuple[str, int], tuple[str, int]]]:
        return list(data.expand(Link(type="precedence", sessions=sessions)))

    assert pairs(("a", None)) == [(("a", 0), ("a", 1)), (("a", 0), ("a", 2)), (("a", 1), ("a", 2))]
    assert pairs(("b", None), ("c", 0)) == [(("b", 0), ("c", 0)), (("b", 1), ("c", 0))]
    assert pairs(("c", 0), ("b", 1), ("a", 2)) == [
        (("c", 0), ("b", 1)),
        (("c", 0), ("a", 2)),
        (("b", 1), ("a", 2)),
    ]
    assert pairs(("a", 0), ("a", 0)) == []


def test_a_pairing_says_which_sessions_are_tied() -> None:
    data = dataset(course("a", sessions=2), course("b", sessions=2), course("c"))

    def pairs(pairing: str, *sessions: str | tuple[str, int | None]) -> str:
        """ "a0b0 a1b1" """
        found = data.expand(link("same_day", *sessions, pairing=pairing))
        return " ".join("".join(f"{course_id}{n}" for course_id, n in pair) for pair in found)

    assert pairs("by_number", "a", "b") == "a0b0 a1b1"
    assert pairs("by_number", "a", "b", "a") == "a0b0 a1b1 b0a0 b1a1"
    assert pairs("chain", "a") == "a0a1"
    assert pairs("chain", "a", "c", ("b", 1)) == "a0a1 a1c0 c0b1"
    assert pairs("all", "a", "c") == "a0a1 a0c0 a1c0"
    assert pairs("all", "a", ("a", 1), "c") == "a0a1 a0c0 a1c0"
    assert pairs("each", "a", "c") == "a0c0 a1c0"
    data = dataset(
        *data.courses, course("d"), link("may_clash", "a", "b", pairing="by_number"), link("may_clash", ("b", 1), "d")
    )
    assert data.together == {("a", 0): 0, ("b", 0): 0, ("a", 1): 1, ("b", 1): 1, ("d", 0): 1}
    assert data.may_clash(("a", 1), ("d", 0)) and not data.may_clash(("a", 0), ("a", 1))
    assert not data.may_clash(("c", 0), ("c", 0))
    block = link("grouped", "c", ("a", 1), "a")
    assert (list(data.expand(block)), data.sessions_of(block)) == ([], [("c", 0), ("a", 1), ("a", 0)])


@pytest.mark.parametrize(
    ("type", "sessions", "expected"),
    [
        ("same_start", "a b", "by_number"),
        ("same_start", "c d", "by_number"),
        ("consecutive", "a", "chain"),
        ("consecutive", "c d", "chain"),
        ("consecutive", "a b", "by_number"),
        ("consecutive", "a c", "each"),
        ("precedence", "a b", "each"),
        ("different_day", "a", "each"),
    ],
)
def test_where_a_link_says_nothing_its_type_says_how_sessions_are_paired(
    type: str, sessions: str, expected: str
) -> None:
    data = dataset(course("a", sessions=2), course("b", sessions=2), course("c"), course("d"))
    assert pairing_of(link(type, *sessions.split()), data.sizes) == expected


NEVER_KEPT = {
    "courses of different length by number": (
        link("same_start", "a", "c"),
        "same_start ties session k of one course to session k of the other, but 'c' stands for 1 session and 'a' "
        "stands for 2 sessions; name the sessions that belong together one by one, or choose another pairing",
    ),
    "one course by number": (link("same_day", "a", pairing="by_number"), "but only one is named"),
    "one course at once": (link("same_start", "a"), "same_hour asks for the same hour of the day"),
    "two sessions of one course at once": (link("same_start", ("a", 0), ("a", 1)), "several sessions of one course"),
    "all of a course with one of another": (link("same_start", "a", "c", pairing="each"), "several sessions of one"),
    "three sessions each beside the others": (link("consecutive", "d", pairing="each"), "the pairing chain asks for"),
    "three courses side by side": (link("consecutive", "a", "b", "e"), "which three or more cannot be"),
    "all of two courses side by side": (link("consecutive", "a", "b", pairing="each"), "which three or more cannot be"),
    "all with all side by side": (link("consecutive", "a", "c", pairing="all"), "which three or more cannot be"),
    "a block of pairs": (link("grouped", "a", "b", pairing="by_number"), "looks at all its sessions together"),
    "at least more days than at most": (link("days_apart", "a", value=3, most=2), "3 days or more, and for 2 or fewer"),
}
COURSES = (
    course("a", sessions=2),
    course("b", sessions=2),
    course("c"),
    course("d", sessions=3),
    course("e", sessions=2),
)


@pytest.mark.parametrize("what", NEVER_KEPT)
def test_a_link_that_no_timetable_can_keep_is_refused_at_once_and_says_why(what: str) -> None:
    tie, words = NEVER_KEPT[what]
    (issue,) = issues_of(lambda: dataset(*COURSES, tie))
    assert (issue.pointer, issue.code) == ("/links/0/sessions", "cannot_hold")
    assert issue.message.startswith("no timetable can keep this link: ") and words in issue.message
    assert dataset(*COURSES, replace(tie, tier="off")).links


@pytest.mark.parametrize("rule", ["link", "group_clash"])
def test_what_could_be_kept_where_a_rule_is_soft_is_not_refused(rule: str) -> None:
    tie = link("same_start", "a")
    assert dataset(*COURSES, tie, rules={rule: "soft"}).links == (tie,)
    assert dataset(*COURSES, replace(tie, tier="soft")).links[0].tier == "soft"


def test_of_a_course_with_an_impossible_number_of_sessions_nothing_follows_for_its_links() -> None:
    found = issues_of(lambda: dataset(course("a", sessions=10**9), course("b"), link("same_start", "a", "b")))
    assert [issue.pointer for issue in found] == ["/courses/0/sessions_per_week"]


def test_the_title_of_a_course_is_its_code_or_name_or_id() -> None:
    assert [course("a", **fields).title for fields in ({}, {"name": "Algebra"}, {"name": "Algebra", "code": "M1"})] == [
        "a",
        "Algebra",
        "M1",
    ]


# --- the timetable ---------------------------------------------------------------------------------------------------


def test_a_session_is_placed_once() -> None:
    twice = (
        Placement(course_id="a", session=0, slot=0, room_id="r1"),
        Placement(course_id="a", session=0, slot=1, room_id="r1"),
    )
    found = issues_of(lambda: Timetable(placements=twice))
    assert [(issue.pointer, issue.code) for issue in found] == [("/placements/1", "duplicate")]


def test_placements_are_found_by_session() -> None:
    answer = timetable(a=[3, None, (5, "r2")])
    assert {key: (p.slot, p.room_id) for key, p in answer.by_session.items()} == {
        ("a", 0): (3, "r1"),
        ("a", 2): (5, "r2"),
    }


@given(data=datasets())
def test_a_dataset_equals_its_copy_and_copies_are_checked_again(data: Dataset) -> None:
    assert replace(data) == data
    with pytest.raises(InputError):
        replace(data, courses=(*data.courses, data.courses[0]))
