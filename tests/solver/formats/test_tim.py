"""ITC-2007 post-enrolment problems: what is read and written, and that our cost is the competition's."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats import dump_dataset, load_dataset, tim
from solver.formats.issues import MAX_CHARACTERS
from solver.formats.sln import dump_sln, load_sln
from solver.formats.tim import dump_tim, load_tim
from solver.model import Dataset, Link, RuleSetting, Timetable
from solver.rules import profile_of
from solver.verify import verify
from tests.builders import course, dataset, grid, link, random_timetable, room
from tests.solver.formats.tim_cases import count, tim_case

INSTANCES = sorted((Path(__file__).resolve().parents[4] / "shared" / "datasets" / "itc2007-pectt").glob("*.tim"))
SEEDS = st.integers(0, 2**32 - 1)

# Two events, one room, one feature, two students; event 0 needs the feature, is closed in slot 44, and is before 1.
TWO = [
    "2 1 1 2",
    "7",
    "1 0",
    "1 1",
    "1",
    "1",
    "0",
    " ".join(["1"] * 44 + ["0"]),
    " ".join(["1"] * 45),
    "0 1",
    "-1 0",
]


def changed(line: int, text: str) -> str:
    """`TWO` with another line, counted from 1."""
    return "\n".join([*TWO[: line - 1], text, *TWO[line:]])


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as raised:
        load_tim(text)
    return [(issue.pointer, issue.code) for issue in raised.value.issues]


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_problem_becomes_courses_of_one_session_with_students_and_links() -> None:
    data = load_tim("\n".join(TWO), "two")
    assert data.name == "two"
    assert (data.time_grid.num_days, data.time_grid.num_periods, data.time_grid.rested) == (5, 9, frozenset())
    assert [(r.id, r.capacity, r.features) for r in data.rooms] == [("R0", 7, ("F0",))]
    first, second = data.courses
    assert (first.student_ids, first.required_features) == (("S0", "S1"), ("F0",))
    assert (second.student_ids, second.required_features) == (("S1",), ())
    assert first.allowed_slots == tuple(range(44)) and second.allowed_slots is None
    assert data.links == (Link(type="precedence", sessions=(("E0", 0), ("E1", 0))),)


def test_three_soft_rules_of_weight_one_are_on_and_no_hard_rule_bends() -> None:
    profile = profile_of(load_tim("\n".join(TWO)))
    soft = {id: (rule.weight, rule.value) for id, rule in profile.rules.items() if rule.tier == "soft"}
    assert soft == {"last_slot": (1, None), "consecutive_limit": (1, 2), "single_session_day": (1, None)}
    assert all(rule.rigid for rule in profile.rules.values() if rule.tier == "hard")


def test_line_ends_blanks_and_a_byte_order_mark_are_no_harm() -> None:
    one_a_line = "\ufeff" + "\r\n\r\n".join(" ".join(TWO).split())
    assert load_tim(one_a_line) == load_tim("\n".join(TWO))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("/line/1", "missing")] * 4),
        ("2 1", [("/line/1", "missing")] * 2),
        (changed(1, "0 1 1 2"), [("/line/1", "out_of_range")]),
        (changed(1, "2 0 1 2"), [("/line/1", "out_of_range")]),
        (changed(1, "2 1 1 -2"), [("/line/1", "out_of_range")]),
        (changed(1, "2 1 1 3"), [("/line/1", "wrong_count")]),
        (changed(1, "900000000 900000000 1 1"), [("/line/1", "too_large")] * 2),
        (changed(1, "2 1 1001 50001"), [("/line/1", "too_large")] * 2),
        (changed(2, "seven"), [("/line/2", "wrong_type")]),
        (changed(2, "7.0"), [("/line/2", "wrong_type")]),
        (changed(2, "٣"), [("/line/2", "wrong_type")]),
        (changed(2, "1_0"), [("/line/2", "wrong_type")]),
        (changed(2, "99999999999999999999"), [("/line/2", "wrong_type")]),
        (changed(2, "-7"), [("/line/2", "out_of_range")]),
        (changed(2, "2000000"), [("/line/2", "out_of_range")]),
        (changed(4, "1 2"), [("/line/4", "out_of_range")]),
        (changed(5, "3"), [("/line/5", "out_of_range")]),
        (changed(7, "-1"), [("/line/7", "out_of_range")]),
        (changed(10, "0 2"), [("/line/10", "out_of_range"), ("/line/10", "contradiction")]),
        (changed(10, "0 0"), [("/line/10", "contradiction")]),
        (changed(10, "1 1"), [("/line/10", "contradiction")]),
        ("\n".join(TWO[:-1]), [("/line/1", "wrong_count")]),
        ("\n".join([*TWO, "0"]), [("/line/1", "wrong_count")]),
    ],
)
def test_a_fault_is_reported_at_its_line(text: str, expected: list[tuple[str, str]]) -> None:
    assert faults(text) == expected


def test_a_fault_is_told_with_what_the_number_stands_for() -> None:
    with pytest.raises(InputError, match="whether student 1 attends event 1 must be 0 or 1, got 2"):
        load_tim(changed(4, "1 2"))
    with pytest.raises(InputError, match="the size of room 0 must be 0 to 1000000, got -7"):
        load_tim(changed(2, "-7"))
    with pytest.raises(InputError, match="by its first line the file has 106 numbers, it has 105"):
        load_tim(changed(11, "-1"))


def test_all_faults_are_reported_at_once() -> None:
    lines = [*TWO]
    lines[1], lines[3], lines[6] = "-7", "1 5", "8"
    assert [pointer for pointer, _ in faults("\n".join(lines))] == ["/line/2", "/line/4", "/line/7"]


def test_too_long_a_text_and_too_many_precedences_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults("1 " * (MAX_CHARACTERS // 2 + 1)) == [("", "too_large")]
    monkeypatch.setattr(tim, "MAX_ENTRIES", 0)
    assert faults("\n".join(TWO)) == [("/line/1", "too_large")]


@given(SEEDS)
def test_a_damaged_problem_is_read_or_refused_but_never_crashes(seed: int) -> None:
    rng = Random(seed)
    words = tim_case(rng, events=3, students=2).problem.split()
    for _ in range(rng.randint(1, 3)):
        words[rng.randrange(len(words))] = rng.choice(["", "-1", "2", "9" * 20, "x", "٣", "²", "0 0"])
    try:
        load_tim(" ".join(words))
    except InputError as error:
        assert error.issues


# --- writing --------------------------------------------------------------------------------------------------------


@given(SEEDS)
def test_a_problem_in_which_every_student_attends_something_survives_as_text(seed: int) -> None:
    case = tim_case(Random(seed), features=0)
    assert dump_tim(load_tim(case.problem)) == case.problem


@given(SEEDS)
def test_what_was_written_is_read_as_the_same_problem(seed: int) -> None:
    """Features that nobody has or needs are forgotten, so the text of the second writing is that of the first."""
    rng = Random(seed)
    data = load_tim(tim_case(rng).problem)
    again = load_tim(dump_tim(data))
    assert dump_tim(again) == dump_tim(data)
    for _ in range(3):
        timetable = random_timetable(data, rng)
        assert verify(again, timetable).counts == verify(data, timetable).counts


def test_a_problem_survives_the_native_format() -> None:
    data = load_tim("\n".join(TWO))
    assert load_dataset(dump_dataset(data)) == data


def test_a_dataset_that_says_more_than_the_format_is_refused_with_pointers() -> None:
    data = dataset(
        course("a", faculty="f1", groups="g1", students="s1", sessions=2, slots=2, size=3),
        course("b", fixed=[(0, 3)], types="lab"),
        room("r1", unavailable=[1]),
        link("same_day", "a", "b"),
        link("precedence", "b", ("a", 0)),
        link("precedence", ("a", 0), "b"),
        link("precedence", ("a", 0), "b", tier="soft"),
        grid=grid(5, 4),
    )
    with pytest.raises(InputError) as raised:
        dump_tim(data)
    assert {issue.code for issue in raised.value.issues} == {"not_expressible"}
    assert {issue.pointer for issue in raised.value.issues} >= {
        "/time_grid",
        "/rooms/0/unavailable",
        "/courses/0/sessions_per_week",
        "/courses/0/session_slots",
        "/courses/0/faculty_ids",
        "/courses/0/group_ids",
        "/courses/0/expected_students",
        "/courses/1/fixed",
        "/courses/1/room_types",
        "/links/0",
        "/links/2",
        "/links/3",
        "/rules/group_gap",
        "/rules/student_clash",
    }


# --- the cost of the competition ------------------------------------------------------------------------------------


def agrees(problem: str, data: Dataset, timetable: Timetable) -> None:
    """The verifier counts what the problem statement counts, term by term; a breach there is a breach here."""
    report, told = verify(data, timetable), count(problem, dump_sln(data, timetable))
    counts = report.counts
    assert counts["last_slot"] == told.last_slots
    assert counts["consecutive_limit"] == told.more_than_two
    assert counts["single_session_day"] == told.single_events
    assert counts["student_clash"] == told.clashes
    assert counts["room_unsuitable"] == told.unsuitable
    assert counts["slot_forbidden"] == told.unavailable
    assert counts["link"] == told.disorder
    assert (counts["room_capacity"] > 0) == (told.too_small > 0)
    assert (counts["room_clash"] > 0) == (told.shared_rooms > 0)
    assert report.score.soft == told.cost
    assert report.distance_to_feasibility == told.distance
    assert (report.score.rigid == 0) == (told.breaches == 0) and report.score.bent == 0


@given(SEEDS)
def test_our_cost_of_any_timetable_is_the_competitions(seed: int) -> None:
    rng = Random(seed)
    case = tim_case(rng, events=rng.randint(1, 20))
    data = load_tim(case.problem)
    planted = load_sln(case.answer, data)
    agrees(case.problem, data, planted)
    assert verify(data, planted).score.complete
    for _ in range(3):
        agrees(case.problem, data, random_timetable(data, rng))


@pytest.mark.skipif(not INSTANCES, reason="the competition's files are not here")
@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.stem)
def test_our_cost_on_a_file_of_the_competition_is_the_competitions(path: Path) -> None:
    problem = path.read_text(encoding="utf-8")
    data = load_tim(problem)
    assert dump_tim(load_tim(dump_tim(data))) == dump_tim(data)
    agrees(problem, data, random_timetable(data, Random(1)))


def test_a_rule_that_a_dataset_keeps_rigid_is_not_priced() -> None:
    setting = {"room_capacity": RuleSetting(bendable=False), "link": RuleSetting(bendable=True)}
    profile = profile_of(dataset(course("a"), rules=setting))
    assert profile["room_capacity"].rigid and profile["room_capacity"].weight == 1
    assert profile["link"].bendable
    assert profile_of(dataset(course("a"), rules={"room_clash": RuleSetting(bendable=True)}))["room_clash"].rigid


# --- the competition of 2002 ------------------------------------------------------------------------------------------


def test_a_file_of_the_competition_of_2002_is_read_with_every_slot_open_and_no_order() -> None:
    data, whole = load_tim("\n".join(TWO[:7]), "old"), load_tim("\n".join(TWO), "new")
    assert [event.allowed_slots for event in data.courses] == [None, None] and data.links == ()
    assert data.rooms == whole.rooms and data.rules == whole.rules
    assert [(event.student_ids, event.required_features) for event in data.courses] == [
        (event.student_ids, event.required_features) for event in whole.courses
    ]
    assert load_tim(dump_tim(data), "old") == data


def test_a_number_too_few_is_told_with_what_both_layouts_would_have() -> None:
    with pytest.raises(
        InputError, match="has 106 numbers, it has 11; in the layout of the competition of 2002 it would have 12"
    ):
        load_tim("\n".join(TWO[:6]))
