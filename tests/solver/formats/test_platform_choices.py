"""What students of the CSV set chose: names are kept apart, found before splitting, and joined over rows."""

from __future__ import annotations

import pytest

from tests.solver.formats.test_platform_csv import CLEAN, imported

SUBJECTS = "subject_id,subject_name,course_id,department_id,faculty_assigned,credits\n"
STUDENTS = "student_id,name,department,course,electives\n"


def subjects(*names: str, programme: str = "P1") -> str:
    return SUBJECTS + "".join(f'S{n},"{name}",{programme},D1,F1,1\n' for n, name in enumerate(names, 1))


def students(*choices: str) -> str:
    return STUDENTS + "".join(f'T{n},N{n},Physics,B.Tech,"{cell}"\n' for n, cell in enumerate(choices, 1))


def chosen(**tables: str) -> dict[str, tuple[str, ...]]:
    return {course.code: course.student_ids for course in imported(**tables).dataset.courses}


def test_c_and_its_kin_are_three_subjects() -> None:
    found = chosen(subjects=subjects("C", "C++", "C#"), students=students("C", "c++", "C#,C", "C++"))
    assert found == {"S1": ("T1", "T3"), "S2": ("T2", "T4"), "S3": ("T3",)}


def test_marks_of_letters_are_kept() -> None:
    found = chosen(subjects=subjects("हिन्दी", "हन्दा"), students=students("हिन्दी", "हन्दा"))
    assert found == {"S1": ("T1",), "S2": ("T2",)}


def test_two_rows_of_one_name_are_both_reported_with_everybody_who_chose_it() -> None:
    found = imported(
        subjects=subjects("Optics", "OPTICS", "Waves"), students=students("optics", "Waves, Optics", "Waves")
    )
    assert [course.student_ids for course in found.dataset.courses] == [("T2", "T3")]
    rows = {note.line: note.message for note in found.unusable if note.file == "subjects"}
    assert rows.keys() == {2, 3}
    assert all("chosen by T1 and T2" in message for message in rows.values())
    assert "S2 (line 3)" in rows[2] and "S1 (line 2)" in rows[3]
    assert [(note.file, note.line) for note in found.unusable if note.file == "students"] == [("students", 2)]
    (repair,) = found.repairs
    assert repair.line == 3 and "S1 and S2, which cannot be told apart; the other choices" in repair.message


def test_a_subject_that_shares_its_name_is_chosen_by_its_id() -> None:
    found = imported(subjects=subjects("Optics", "Optics"), students=students("S1", "S2", "S2"))
    assert {course.code: course.student_ids for course in found.dataset.courses} == {"S1": ("T1",), "S2": ("T2", "T3")}
    assert len([note for note in found.repairs if note.file == "subjects"]) == 2


def test_of_two_subjects_of_one_name_that_of_the_own_programme_is_meant() -> None:
    programmes = CLEAN["courses.csv"] + "P2,M.Tech\n"
    two = subjects("Optics") + 'S2,"Optics",P2,D1,F1,1\n'
    rows = students("Optics") + 'T2,Ben,Physics,M.Tech,"Optics"\n'
    found = imported(courses=programmes, subjects=two, students=rows)
    assert {course.code: course.student_ids for course in found.dataset.courses} == {"S1": ("T1",), "S2": ("T2",)}
    assert [note.code for note in found.decisions].count("same_name") == 1


def test_a_name_spelt_otherwise_is_found_and_said_once() -> None:
    found = imported(subjects=subjects("Cyber Security"), students=students("Cybersecurity", "cybersecurity"))
    assert [course.student_ids for course in found.dataset.courses] == [("T1", "T2")]
    near = [note for note in found.decisions if note.code == "near_name"]
    assert [note.message for note in near] == [
        "'Cybersecurity' is read as 'Cyber Security' (S1)",
        "'cybersecurity' is read as 'Cyber Security' (S1)",
    ]


@pytest.mark.parametrize("separator", [",", ";", "|", "\n", "、"])
def test_choices_are_split_at_any_usual_separator(separator: str) -> None:
    found = chosen(subjects=subjects("Optics", "Waves"), students=students(f"Optics{separator} Waves"))
    assert found == {"S1": ("T1",), "S2": ("T1",)}


def test_a_name_that_contains_a_separator_is_found_before_splitting() -> None:
    found = chosen(
        subjects=subjects("Heat, Mass and Momentum", "Statics", "Law; an Introduction"),
        students=students(
            "Heat, Mass and Momentum",
            "Statics,Heat,  mass and momentum, Law; an Introduction",
            "Heat,Mass and Momentum",
            "Law; an introduction|Statics",
        ),
    )
    assert found == {"S1": ("T1", "T2", "T3"), "S2": ("T2", "T4"), "S3": ("T2", "T4")}


def test_a_name_made_of_two_other_names_is_taken_as_one_and_that_is_said() -> None:
    found = imported(subjects=subjects("A", "B", "A, B"), students=students("A, B", "A", "B"))
    assert {course.code: course.student_ids for course in found.dataset.courses} == {
        "S1": ("T2",),
        "S2": ("T3",),
        "S3": ("T1",),
    }
    (said,) = [note for note in found.decisions if note.code == "separator_in_name"]
    assert said.line == 2 and "read as the one subject S3, not as 2 subjects" in said.message


def test_one_row_per_enrolment_is_joined() -> None:
    rows = STUDENTS + "".join(
        f"{who},{name},Physics,B.Tech,{subject}\n"
        for who, name, subject in (("T1", "Asha", "Optics"), ("T2", "Ben", "Waves"), ("T1", "ASHA", "Waves"))
    )
    found = imported(subjects=subjects("Optics", "Waves"), students=rows)
    assert {course.code: course.student_ids for course in found.dataset.courses} == {"S1": ("T1",), "S2": ("T1", "T2")}
    assert found.unusable == () == found.repairs
    (said,) = [note for note in found.decisions if note.code == "joined_rows"]
    assert "1 student with several rows" in said.message


def test_one_id_of_two_people_is_not_joined_and_other_contradictions_are_told() -> None:
    rows = STUDENTS + "T1,Asha,Physics,B.Tech,Optics\nT1,Ben,Physics,B.Tech,Waves\nT1,Asha,Civil,B.Tech,Waves\n"
    found = imported(subjects=subjects("Optics", "Waves"), students=rows)
    assert [(note.line, note.column) for note in found.unusable] == [(3, "student_id")]
    assert "that of 'Asha' (line 2)" in found.unusable[0].message
    assert [(note.line, note.column) for note in found.repairs] == [(4, "department")]
    assert {course.code: course.student_ids for course in found.dataset.courses} == {"S1": ("T1",), "S2": ("T1",)}


def test_a_cell_of_thousands_of_choices_is_refused() -> None:
    found = imported(subjects=subjects("Optics"), students=students("Optics", ", ".join(["Optics"] * 5000)))
    assert [(note.line, note.message) for note in found.unusable] == [(3, "has more than 200 choices")]
