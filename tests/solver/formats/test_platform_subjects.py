"""Sections of the CSV set: lectures out of laboratories, teachers who are replaced, batches that stay together."""

from __future__ import annotations

import pytest

from solver.formats.platform_csv import Imported
from tests.solver.formats.test_platform_choices import STUDENTS, SUBJECTS, students, subjects
from tests.solver.formats.test_platform_csv import CLEAN, imported

LABS = "lab_id,department_id,lab_name,capacity\nL1,D2,Chemistry,30\n"


def room_types(found: Imported) -> dict[str, tuple[str, ...]]:
    return {course.code: course.room_types for course in found.dataset.courses}


def codes(found: Imported) -> list[str]:
    return [note.code for note in found.decisions]


# --- rooms ------------------------------------------------------------------------------------------------------------


def test_lectures_stay_out_of_laboratories_and_the_account_says_so() -> None:
    found = imported(
        subjects=subjects("Optics", "Chemistry Lab", "Labour Law", "Practical Physics"),
        students=students("Optics, Chemistry Lab, Labour Law, Practical Physics"),
    )
    assert room_types(found) == {
        "S1": ("lecture_hall",),
        "S2": ("lab",),
        "S3": ("lecture_hall",),
        "S4": ("lab",),
    }
    (said,) = [note.message for note in found.decisions if note.code == "rooms"]
    assert "2 subjects may be in classrooms only; 1 laboratory is for Chemistry Lab and Practical Physics" in said


@pytest.mark.parametrize(
    ("column", "cell", "types"),
    [
        ("room_type", "Lab", ("lab",)),
        ("room_type", "laboratory", ("lab",)),
        ("room_type_required", "Lecture Hall", ("lecture_hall",)),
        ("subject_type", "Practical", ("lab",)),
        ("subject_type", "core", ("lecture_hall",)),
        ("room_type", "", ("lecture_hall",)),
    ],
)
def test_the_data_say_otherwise_by_a_column(column: str, cell: str, types: tuple[str, ...]) -> None:
    text = SUBJECTS.replace("credits\n", f"credits,{column}\n") + f"S1,Optics,P1,D1,F1,1,{cell}\n"
    assert room_types(imported(subjects=text)) == {"S1": types}


def test_a_kind_of_room_that_nobody_has_is_reported() -> None:
    text = SUBJECTS.replace("credits\n", "credits,room_type\n") + "S1,Optics,P1,D1,F1,1,Swimming Pool\n"
    found = imported(subjects=text)
    assert room_types(found) == {"S1": ("lecture_hall",)}
    assert [(note.column, note.value) for note in found.repairs] == [("room_type", "Swimming Pool")]


def test_a_subject_that_asks_for_a_laboratory_where_there_is_none_may_be_anywhere() -> None:
    found = imported(
        subjects=subjects("Chemistry Lab"), students=students("Chemistry Lab"), labs="lab_id,lab_name,capacity\n"
    )
    assert room_types(found) == {"S1": ()}
    assert codes(found).count("rooms") == 1


def test_a_classroom_whose_type_says_laboratory_is_one() -> None:
    rooms = CLEAN["classrooms.csv"] + "R2,D1,102,60,Computer Lab\nR3,D1,103,60,C++ Lab\nR4,D1,104,60,C Lab\n"
    found = imported(classrooms=rooms)
    assert [room.type for room in found.dataset.rooms] == ["lecture_hall", "computer_lab", "c++_lab", "c_lab", "lab"]
    assert room_types(found) == {"S1": ("lecture_hall",)}


def test_no_section_is_larger_than_the_largest_room_that_it_may_use() -> None:
    crowd = STUDENTS + "".join(f"T{n},N,Physics,B.Tech,Chemistry Lab\n" for n in range(50))
    found = imported(subjects=subjects("Chemistry Lab"), students=crowd, labs=LABS)
    assert [len(course.student_ids) for course in found.dataset.courses] == [25, 25]
    assert "section_size" in codes(found)


# --- teachers ---------------------------------------------------------------------------------------------------------


def test_a_teacher_who_is_replaced_is_one_warning_a_subject_and_no_mended_cell() -> None:
    crowd = STUDENTS + "".join(f"T{n:03},N,Physics,B.Tech,Optics\n" for n in range(200))
    found = imported(students=crowd, faculty=CLEAN["faculty.csv"].replace(",12\n", ",6\n") + "F2,Mira,Physics,12\n")
    assert [course.faculty_ids for course in found.dataset.courses] == [("F1",), ("F1",), ("F2",), ("F2",)]
    (warning,) = found.warnings
    assert (warning.code, warning.file, warning.line, warning.value) == ("teacher_replaced", "subjects", 2, "F1")
    assert warning.message == "has no hours left for 2 of 4 sections; taken by F2 (section 3), F2 (4)"
    assert found.repairs == ()


def test_a_teacher_whom_nobody_knows_is_a_warning() -> None:
    found = imported(subjects=CLEAN["subjects.csv"].replace("F1", "F9"))
    assert [(note.code, note.message) for note in found.warnings] == [
        ("teacher_unknown", "names no teacher of the faculty file; F1 takes it")
    ]


def test_a_teacher_whose_name_several_have_is_a_warning_that_names_them() -> None:
    namesake = CLEAN["faculty.csv"] + "F2,RAVI,Physics,12\n"
    found = imported(subjects=CLEAN["subjects.csv"].replace("F1", "ravi"), faculty=namesake)
    assert [(note.code, note.message) for note in found.warnings] == [
        ("teacher_unclear", "is the name of F1 and F2, which cannot be told apart; F1 takes it")
    ]


def test_a_teacher_may_be_named_by_name() -> None:
    found = imported(subjects=CLEAN["subjects.csv"].replace("F1", "ravi"))
    assert [course.faculty_ids for course in found.dataset.courses] == [("F1",)]
    assert found.warnings == () and "named_teacher" in codes(found)


# --- batches ----------------------------------------------------------------------------------------------------------

BATCHES = "batch_id,course_id,department_id,year,no_of_students\nB1,P1,D1,1,40\nB2,P1,D1,2,40\nB3,P1,D2,1,40\n"


def enrolled(*rows: tuple[int, str, int, str]) -> str:
    """`(number of students, department, year, choices)`; ids count on."""
    lines = [f'{department},B.Tech,"{choices}",{year}' for n, department, year, choices in rows for _ in range(n)]
    return "student_id,department,course,electives,year\n" + "".join(
        f"T{n:03},{line}\n" for n, line in enumerate(lines)
    )


def test_a_batch_attends_what_all_of_its_students_attend() -> None:
    found = imported(
        batches=BATCHES,
        subjects=subjects("Optics", "Waves"),
        students=enrolled((20, "Physics", 1, "Optics, Waves"), (20, "D1", 2, "Optics"), (1, "Physics", 2, "Waves")),
    )
    groups = {course.code: course.group_ids for course in found.dataset.courses}
    assert groups == {"S1": ("B1",), "S2": ("B1",)}  # one student of B2 does without Optics
    assert [found.dataset.expected_students(course) for course in found.dataset.courses] == [40, 21]
    assert "groups_known" in codes(found)


def test_batches_stay_together_where_that_takes_no_section_more() -> None:
    found = imported(
        batches=BATCHES,
        students=enrolled((40, "Physics", 1, "Optics"), (50, "Physics", 2, "Optics"), (35, "Civil", 1, "Optics")),
    )
    assert sorted(course.group_ids for course in found.dataset.courses) == [("B1",), ("B2",), ("B3",)]
    assert sorted(len(course.student_ids) for course in found.dataset.courses) == [35, 40, 50]


def test_where_batches_would_take_more_sections_students_are_cut_evenly() -> None:
    found = imported(
        batches=BATCHES,
        students=enrolled((40, "Physics", 1, "Optics"), (40, "Physics", 2, "Optics"), (40, "Civil", 1, "Optics")),
    )
    assert [len(course.student_ids) for course in found.dataset.courses] == [60, 60]


def test_where_few_students_can_be_told_to_be_in_a_batch_no_batch_is_given_anything() -> None:
    found = imported(
        batches=BATCHES,
        students=enrolled((2, "Physics", 1, "Optics"), (3, "Physics", 7, "Optics")),
    )
    assert [course.group_ids for course in found.dataset.courses] == [()]
    (said,) = [note.message for note in found.decisions if note.code == "groups_unknown"]
    assert said.startswith("the batch of 2 of 5 students is known, by programme, department and year")


def test_students_and_batches_of_unknown_programmes_do_not_belong_together() -> None:
    found = imported(
        batches="batch_id,course_id\nB1,P8\n", students="student_id,course,electives\nT1,Alchemy,Optics\nT2,,Optics\n"
    )
    assert [course.group_ids for course in found.dataset.courses] == [()]


def test_a_column_of_batches_wins() -> None:
    rows = "student_id,electives,batch_id\nT1,Optics,B2\nT2,Optics,B2\n"
    found = imported(batches=BATCHES, students=rows)
    assert [course.group_ids for course in found.dataset.courses] == [("B2",)]
