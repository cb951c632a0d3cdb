"""Courses whose sessions differ: what a part takes over from its course, and what is told of parts everywhere."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from app.views.entries import Entries
from app.views.weeks import week_view
from solver import SolveParams, solve
from solver.compiled import compile_dataset
from solver.diagnose import blockers, diagnose
from solver.errors import InputError
from solver.formats.csv_export import dump_csv
from solver.formats.meetings import Of, Weeks
from solver.formats.native import dump_dataset, load_dataset
from solver.ladder.reduction import batches
from solver.ladder.variants import distance
from solver.model import Course, Dataset, Part
from solver.names import Names
from solver.verify import verify
from tests.builders import course, dataset, grid, part, room, teacher, timetable

LAB = part("lab", slots=2, types="lab")
PHYSICS = course(
    "p",
    code="PH1",
    name="Physics",
    faculty="f1",
    groups="g1",
    size=60,
    parts=(part("lecture", sessions=2), part("lab", slots=2, faculty="f2", groups="h1", size=30, types="lab")),
    fixed=((2, 4),),
)


def physics(**fields: Any) -> Dataset:
    return dataset(PHYSICS, room("r1", 80), room("l1", 40, type="lab"), **fields)


def test_a_part_is_a_course_with_what_it_says_itself_in_place_of_what_the_course_says() -> None:
    lecture, lab = PHYSICS.apart()
    plain = replace(PHYSICS, parts=(), sessions_per_week=2, fixed=())
    assert lecture == replace(plain, kind="lecture")
    changed = {"faculty_ids": ("f2",), "group_ids": ("h1",), "expected_students": 30, "room_types": ("lab",)}
    assert lab == replace(plain, **changed, kind="lab", sessions_per_week=1, session_slots=2, fixed=PHYSICS.fixed)  # type: ignore[arg-type]
    assert [*plain.apart()] == [plain]


def test_sessions_are_numbered_over_the_parts() -> None:
    data = physics()
    assert data.sessions == (("p", 0), ("p", 1), ("p", 2))
    assert [each.kind for each in data.parts] == ["lecture", "lab"]
    assert [data.part_of(key).kind for key in data.sessions] == ["lecture", "lecture", "lab"]
    assert data.sessions_of_part == ((("p", 0), ("p", 1)), (("p", 2),))
    assert data.course["p"].sessions_per_week == 3


def test_arrays_run_over_parts_and_know_the_whole_course() -> None:
    data = dataset(course("a"), PHYSICS, course("b", parts=(part(), part("lab"), part())))
    compiled = compile_dataset(data)
    assert (compiled.num_courses, compiled.num_wholes) == (6, 3)
    assert compiled.course_of_session.tolist() == [0, 1, 1, 2, 3, 4, 5]
    assert compiled.whole.tolist() == [0, 1, 1, 2, 2, 2]
    assert compiled.whole_ptr.tolist() == [0, 1, 4, 7]
    assert compiled.length.tolist() == [1, 1, 2, 1, 1, 1]
    assert compiled.family.tolist() == [0, 1, 2, 3, 4, 3], "sessions of one kind, wherever they stand"
    assert compiled.fixed_slot.tolist() == [-1, -1, -1, 4, -1, -1, -1]
    own = [compiled.group[compiled.group_ptr[c]] - compiled.num_groups for c in (0, 3, 4, 5)]
    assert own == [0, 1, 1, 1], "parts without groups share the one of their course"


@pytest.mark.parametrize(
    ("broken", "pointer", "code"),
    [
        (replace(PHYSICS, sessions_per_week=5), "/courses/0/sessions_per_week", "contradiction"),
        (course("p", parts=(Part(sessions=0), Part())), "/courses/0/parts/0/sessions", "out_of_range"),
        (course("p", parts=(Part(session_slots=5),)), "/courses/0/parts/0/session_slots", "out_of_range"),
        (course("p", parts=(Part(expected_students=-1),)), "/courses/0/parts/0/expected_students", "out_of_range"),
        (course("p", parts=(Part(allowed_slots=(3, 99)),)), "/courses/0/parts/0/allowed_slots/1", "bad_slot"),
        (course("p", parts=(Part(student_ids=("s", "s")),)), "/courses/0/parts/0/student_ids/1", "duplicate"),
        (course("p", parts=(Part(), Part(session_slots=2)), fixed=((1, 3),)), "/courses/0/fixed/0/slot", "bad_slot"),
    ],
)
def test_what_is_wrong_with_a_part_is_told_where_it_stands(broken: Course, pointer: str, code: str) -> None:
    with pytest.raises(InputError) as error:
        dataset(broken)
    assert [(issue.pointer, issue.code) for issue in error.value.issues] == [(pointer, code)]


def test_a_part_may_name_only_people_who_exist() -> None:
    data = physics()
    stray = replace(PHYSICS, sessions_per_week=1, fixed=(), parts=(part(faculty="f9"), part(groups="g9", sessions=2)))
    with pytest.raises(InputError) as error:
        replace(data, courses=(stray,))
    found = [(issue.pointer, issue.value) for issue in error.value.issues]
    assert found == [("/courses/0/parts/0/faculty_ids/0", "f9"), ("/courses/0/parts/1/group_ids/0", "g9")]


def test_names_tell_the_kind_of_session() -> None:
    names = Names(physics())
    assert [names.session(("p", n)) for n in range(3)] == [
        "PH1 session 1 (lecture)",
        "PH1 session 2 (lecture)",
        "PH1 session 3 (lab)",
    ]
    assert Names(dataset(course("a", parts=(part(), part("lab"))))).session(("a", 0)) == "a session 1"


# --- reading and writing ---------------------------------------------------------------------------------------------


def test_parts_are_read_and_written_under_the_second_schema() -> None:
    data = physics()
    document = dump_dataset(data)
    assert document["schema"] == "timetable-dataset/2"
    assert document["courses"][0]["parts"] == [
        {"kind": "lecture", "sessions": 2},
        {
            "kind": "lab",
            "sessions": 1,
            "session_slots": 2,
            "faculty_ids": ["f2"],
            "group_ids": ["h1"],
            "expected_students": 30,
            "room_types": ["lab"],
        },
    ]
    assert "sessions_per_week" not in document["courses"][0]
    assert load_dataset(document) == data


def test_the_first_schema_has_no_parts() -> None:
    data = dataset(replace(PHYSICS, fixed=()), room("r1"), room("l1", type="lab"))
    with pytest.raises(InputError) as error:
        load_dataset({**dump_dataset(data), "schema": "timetable-dataset/1"})
    issue = next(issue for issue in error.value.issues if issue.pointer == "/courses/0/parts")
    assert issue.code == "newer_field" and issue.message.startswith("timetable-dataset/2 has the field parts")


def test_how_many_sessions_there_are_is_said_once() -> None:
    document = dump_dataset(physics())
    document["courses"][0]["sessions_per_week"] = 4
    with pytest.raises(InputError) as error:
        load_dataset(document)
    (issue,) = error.value.issues
    assert (issue.pointer, issue.code, issue.value) == ("/courses/0/sessions_per_week", "contradiction", 4)


def test_exports_tell_a_part_by_its_kind_its_length_and_its_people() -> None:
    data, table = physics(), timetable(p=[0, 5, (4, "l1")])
    rows = list(csv.DictReader(io.StringIO(dump_csv(data, table), newline="")))
    told = [(row["start"], row["end"], row["course_name"], row["teachers"], row["students"]) for row in rows]
    assert told == [
        ("08:00", "09:00", "Physics (lecture)", "f1", "60"),
        ("08:00", "10:00", "Physics (lab)", "f2", "30"),
        ("09:00", "10:00", "Physics (lecture)", "f1", "60"),
    ]
    weeks = Weeks(data, table)
    assert [meeting.session for meeting in weeks.week(Of(kind="teacher", id="f2")).meetings] == [2]
    assert [meeting.session for meeting in weeks.week(Of(kind="group", id="g1")).meetings] == [0, 1]
    assert weeks.week(Of(kind="group", id="h1")).meetings[0].title == "PH1 Physics (lab)"


def test_entries_and_weeks_of_the_page_are_those_of_the_part() -> None:
    data, table = physics(), timetable(p=[0, 5, (4, "l1")])
    entries = Entries(data).of(table, verify(data, table))
    lab = next(entry for entry in entries if entry["session_number"] == 2)
    assert (lab["faculty_name"], lab["batch_ids"], lab["duration_slots"]) == ("f2", ["h1"], 2)
    assert (lab["course_name"], lab["enrolled_count"]) == ("Physics (lab)", 30)
    variant = solve(data, SolveParams(time_limit_seconds=2, num_variants=1)).best
    view = week_view(data, variant, "group", "h1")
    assert view is not None
    assert [entry["session_number"] for entry in view["entries"]] == [2]  # type: ignore[attr-defined]


# --- solving ---------------------------------------------------------------------------------------------------------


def test_a_course_of_long_and_short_sessions_is_solved_with_everybody_where_they_belong() -> None:
    subjects = [
        replace(PHYSICS, id=f"p{n}", sessions_per_week=1, fixed=(), parts=(part(sessions=2), part(slots=2), LAB))
        for n in range(3)
    ]
    data = dataset(*subjects, room("r1", 80), room("l1", 80, type="lab"))
    best = solve(data, SolveParams(time_limit_seconds=5, num_variants=1)).best
    assert best.rung == "full"
    by_session = best.timetable.by_session
    assert {by_session[key].room_id for key in data.sessions if data.part_of(key).kind == "lab"} == {"l1"}
    assert all(by_session[key].slot % 4 < 3 for key in data.sessions if data.part_of(key).session_slots == 2)


def test_variants_differ_by_where_a_part_stands_not_by_the_numbers_of_its_sessions() -> None:
    data = dataset(course("a", parts=(part(sessions=2), part("lab"))))
    here = timetable(a=[0, 1, 2])
    assert distance(data, here, timetable(a=[1, 0, 2])) == 0
    assert distance(data, here, timetable(a=[0, 2, 1])) == pytest.approx(2 / 3)


def test_the_core_counts_the_teachers_and_slots_of_all_parts() -> None:
    subjects = [course(f"c{n}", parts=(part(faculty=f"f{n}"), part("lab", faculty=f"x{n}"))) for n in range(6)]
    assert next(len(batch) for batch in batches(dataset(*subjects), 500, 4, 500)) == 2


# --- proofs ----------------------------------------------------------------------------------------------------------


def test_parts_of_different_groups_may_run_at_once_and_no_proof_says_otherwise() -> None:
    halves = course("a", parts=(part(sessions=2, groups="g1"), part(sessions=2, groups="g2")))
    data = dataset(halves, room("r1"), room("r2"), grid=grid(1, 2))
    assert diagnose(data) == ()
    assert solve(data, SolveParams(time_limit_seconds=3, num_variants=1)).best.rung == "full"


def test_parts_without_groups_need_slots_of_their_own() -> None:
    data = dataset(course("a", parts=(part(sessions=2), part("lab"))), room("r1"), room("r2"), grid=grid(1, 2))
    sentences = [proof.sentence for proof in diagnose(data)]
    assert any(sentence.startswith("course a has 3 sessions that take 3 slots") for sentence in sentences), sentences


def test_a_proof_names_the_part_that_finds_no_room() -> None:
    data = dataset(course("a", size=30, parts=(part(), part("lab", types="lab"))), room("r1", 60))
    (proof,) = diagnose(data)
    assert proof.sentence.startswith("course a (lab) needs a lab with 30 seats")


def test_the_work_list_knows_who_teaches_the_part() -> None:
    data = dataset(
        course("a", parts=(part(faculty="f1"), part("lab", faculty="f2"))),
        course("b", faculty="f2", sessions=2),
        teacher("f2", unavailable=[2, 3]),
        room("r1"),
        room("r2"),
        grid=grid(1, 4),
    )
    lines = blockers(data, timetable(b=[0, 1], a=[(0, "r2"), None]), ("a", 1))
    assert any("teacher f2 is busy or away" in line for line in lines)
    assert not any("f1" in line for line in lines)
