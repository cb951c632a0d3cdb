"""The platform's CSV set is dirty: whatever is wrong with a row is said, and no row disappears."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from solver.diagnose import diagnose
from solver.errors import InputError
from solver.formats.platform_csv import SECTION_SIZE, Imported, load_platform_csv

REAL = Path(__file__).resolve().parents[4] / "shared" / "datasets" / "sih28"

CLEAN = {
    "departments.csv": "department_id,department_name,building_name\nD1,Physics,Block-A\nD2,Civil,Block-B\n",
    "courses.csv": "course_id,course_name\nP1,B.Tech\n",
    "subjects.csv": "subject_id,subject_name,course_id,department_id,faculty_assigned,credits\nS1,Optics,P1,D1,F1,3\n",
    "batches.csv": "batch_id,course_id,department_id,year,semester,no_of_students\nB1,P1,D1,1,1,40\n",
    "students.csv": "student_id,name,department,course,electives,faculty_id\nT1,Asha,Physics,B.Tech,Optics,F1\n",
    "faculty.csv": "faculty_id,faculty_name,department,max_workload_per_week\nF1,Ravi,Physics,12\n",
    "classrooms.csv": "room_id,department_id,room_number,capacity,type\nR1,D1,101,60,lecture hall\n",
    "labs.csv": "lab_id,department_id,lab_name,capacity\nL1,D2,Lab-1,30\n",
}


def imported(**changed: str) -> Imported:
    """The clean set with whole files replaced, or lines added where the text begins with a line break."""
    texts = dict(CLEAN)
    for name, text in changed.items():
        file = f"{name}.csv"
        texts[file] = texts[file] + text.removeprefix("\n") if text.startswith("\n") else text
    return load_platform_csv(texts)


def test_a_clean_set_is_taken_as_it_is() -> None:
    found = imported()
    assert found.repairs == () and found.unusable == () and found.warnings == ()
    (course,) = found.dataset.courses
    assert (course.id, course.faculty_ids, course.student_ids, course.sessions_per_week) == ("S1", ("F1",), ("T1",), 3)
    assert [(room.id, room.type, room.building) for room in found.dataset.rooms] == [
        ("R1", "lecture_hall", "Block-A"),
        ("L1", "lab", "Block-B"),
    ]
    assert found.dataset.groups[0].name == "B.Tech year 1, semester 1"


@pytest.mark.parametrize(
    ("table", "line", "column", "value", "said"),
    [
        ("subjects", "\nS2,Waves,P1,D9,F1,3\n", "department_id", "D9", "names no department"),
        ("subjects", "\nS2,Waves,P1,D1,F1,many\n", "credits", "many", "is no number; 3"),
        ("subjects", "\nS2,Waves,P1,D1,F1,-4\n", "credits", "-4", "1 is used"),
        ("students", "\nT2,Ben,Alchemy,B.Tech,Optics,F1\n", "department", "Alchemy", "names no department"),
        ("students", "\nT2,Ben,Physics,B.Mag,Optics,F1\n", "course", "B.Mag", "names no programme"),
        ("students", "\nT2,Ben,Physics,B.Tech,Optics,F9\n", "faculty_id", "F9", "names no teacher"),
        ("students", '\nT2,Ben,Physics,B.Tech,"Optics,Magic",F1\n', "electives", "Optics,Magic", "no subject by Magic"),
        ("faculty", "\nF2,Mira,Physics,\n", "max_workload_per_week", "", "18 is used"),
        ("classrooms", "\nR2,D1,102,1e9,hall\n", "capacity", "1e9", "10000 is used"),
        ("batches", "\nB2,P9,D1,1,1,40\n", "course_id", "P9", "names no programme"),
        ("batches", "\nB2,P1,D1,1,1,39.5\n", "no_of_students", "39.5", "39 is used"),
        ("labs", "\nL2,D1,Lab-2,30,wet,dry\n", "capacity", "30", "left out: wet, dry"),
        ("classrooms", '\nR2,D1,102,"1,200",hall\n', "capacity", "1,200", "is read as 1200"),
        ("classrooms", "\nR2,D1,102,1.200,hall\n", "capacity", "1.200", "is read as 1200"),
        ("classrooms", "\nR2,D1,102,60.000,hall\nR3,D1,103,x,hall\n", "capacity", "x", "60 is used"),
        ("batches", '\nB2,P1,D1,1,1,"39,5"\n', "no_of_students", "39,5", "39 is used"),
    ],
)
def test_a_cell_that_can_be_mended_is_mended_and_reported(
    table: str, line: str, column: str, value: str, said: str
) -> None:
    waves = "\nT3,Cal,Physics,B.Tech,Waves,F1\n" if table == "subjects" else "\n"
    found = imported(**{"students": waves, table: line})
    (note,) = [note for note in found.repairs if said in note.message]
    assert (note.file, note.line, note.column, note.value) == (table, 2 + line.count("\n", 1), column, value)
    assert found.unusable == ()


@pytest.mark.parametrize(
    ("table", "line", "column", "said"),
    [
        ("students", "\nT1,Twin,Physics,B.Tech,Optics,F1\n", "student_id", "earlier line"),
        ("students", "\n,Nobody,Physics,B.Tech,Optics,F1\n", "student_id", "no id"),
        ("students", "\nT2,Ben,Physics,B.Tech,Magic,F1\n", "electives", "chooses no subject"),
        ("students", "\nT2\n", "electives", "chooses no subject"),
        ("subjects", "\nS2,Waves,P1,D1,F1,3\n", "subject_id", "no usable student"),
        ("faculty", "\nF1,Twin,Physics,9\n", "faculty_id", "earlier line"),
        ("labs", "\n,D1,Lab-2,30\n", "lab_id", "no id"),
        ("labs", "\nR1,D1,Lab-2,30\n", "lab_id", "that of a classroom"),
        ("labs", "\n" + "L" * 129 + ",D1,Lab-2,30\n", "lab_id", "printable"),
    ],
)
def test_a_row_that_cannot_be_used_is_reported_with_its_reason(table: str, line: str, column: str, said: str) -> None:
    (note,) = imported(**{table: line}).unusable
    assert (note.file, note.line, note.column) == (table, 3, column)
    assert said in note.message


def test_a_crowd_is_cut_into_near_equal_sections_and_its_teacher_gets_help() -> None:
    crowd = "".join(f"T{n:03},N,Physics,B.Tech,Optics,F1\n" for n in range(130))
    found = imported(
        students="\n" + crowd,
        faculty="\nF2,Mira,Physics,12\nF3,Noor,Physics,3\n",
        subjects=CLEAN["subjects.csv"].replace("F1,3", "F1,5"),
    )
    sizes = [len(course.student_ids) for course in found.dataset.courses]
    assert sum(sizes) == 131 and max(sizes) - min(sizes) <= 1 and max(sizes) <= SECTION_SIZE
    assert [course.faculty_ids for course in found.dataset.courses] == [("F1",), ("F1",), ("F2",)]
    assert [note.message for note in found.warnings] == [
        "has no hours left for 1 of 3 sections; taken by F2 (section 3)"
    ]


def test_a_missing_file_or_column_is_named_and_all_of_them_at_once() -> None:
    texts = {name: text for name, text in CLEAN.items() if name != "students.csv"}
    texts["classrooms.csv"] = "room_id,size\nR1,60\n"
    with pytest.raises(InputError) as raised:
        load_platform_csv(texts)
    assert {(issue.pointer, issue.code) for issue in raised.value.issues} == {
        ("/students", "missing"),
        ("/classrooms/capacity", "missing"),
    }


def test_a_column_that_is_there_twice_is_named() -> None:
    with pytest.raises(InputError) as raised:
        imported(students="student_id,electives,Electives\nT1,Optics,Waves\n")
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == [("/students/electives", "duplicate")]


def test_a_header_is_read_whatever_its_capitals_and_blanks() -> None:
    found = imported(students="Student ID, ELECTIVES \nT1,Optics\n")
    assert [course.student_ids for course in found.dataset.courses] == [("T1",)]


def test_a_byte_order_mark_windows_lines_and_empty_lines_are_no_harm() -> None:
    found = imported(faculty="\ufeff" + CLEAN["faculty.csv"].replace("\n", "\r\n") + "\r\n,,,\r\n")
    assert [teacher.id for teacher in found.dataset.faculty] == ["F1"]
    assert found.unusable == ()


def test_a_set_from_a_spreadsheet_of_windows_is_read_and_the_account_says_how(tmp_path: Path) -> None:
    tables = {**CLEAN, "subjects.csv": CLEAN["subjects.csv"].replace("Optics", "Óptica Física")}
    tables["students.csv"] = CLEAN["students.csv"].replace("Optics", "óptica física").replace("Asha", "José Peña")
    for name, text in tables.items():
        (tmp_path / name).write_bytes(text.replace(",", ";").encode("cp1252"))
    found = load_platform_csv(tmp_path)
    assert [course.student_ids for course in found.dataset.courses] == [("T1",)]
    assert found.repairs == () == found.unusable
    told = {note.code: note for note in found.decisions}
    assert "students: no UTF-8, read as Windows-1252, Western European" in told["code_page"].message
    assert "Óptica" in told["code_page"].value and told["code_page"].line == 2
    assert "students, faculty, classrooms and labs: cells are separated by semicolons" in told["separator"].message


def test_a_line_that_names_the_separator_is_none_of_the_table() -> None:
    found = imported(labs="sep=;\r\nlab_id;lab_name;capacity\r\nL1;Lab;30\r\nL2;Lab;many\r\n")
    assert [room.id for room in found.dataset.rooms] == ["R1", "L1", "L2"]
    assert [(note.file, note.line) for note in found.repairs] == [("labs", 4)]


@pytest.mark.parametrize("text", ["sep=;", "sep=", 'sep="\n', "sep=;\n", "\ufeffsep=;\n", '"', '"\n;', "\r"])
def test_a_table_without_a_header_is_missing_its_columns(text: str) -> None:
    with pytest.raises(InputError) as raised:
        imported(classrooms=text)
    assert {issue.code for issue in raised.value.issues} == {"missing"}


def test_a_set_of_which_nothing_can_be_used_says_why() -> None:
    with pytest.raises(InputError) as raised:
        imported(subjects="\nS2,OPTICS,P1,D1,F1,3\n")
    first, *rows = raised.value.issues
    assert first.code == "empty" and {issue.code for issue in rows} == {"unusable_row"}
    assert any("subjects.csv, line 3, subject_name: the name is that of S1 (line 2)" in row.message for row in rows)


def test_a_department_named_by_two_rows_is_left_open() -> None:
    found = imported(departments=CLEAN["departments.csv"] + "D3,PHYSICS,Block-C\n")
    assert [(note.file, note.column) for note in found.repairs] == [
        ("students", "department"),
        ("faculty", "department"),
    ][::-1]
    assert "is the name of D1 and D3" in found.repairs[0].message


def test_a_file_that_is_no_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    for name, text in CLEAN.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "faculty.csv").write_bytes("faculty_id,faculty_name\nF1,Jürgen Müller\nF2".encode() + b"\xff\n")
    with pytest.raises(InputError, match=r"faculty\.csv is no UTF-8"):
        load_platform_csv(tmp_path)


def test_a_cell_of_megabytes_is_refused_with_its_file() -> None:
    with pytest.raises(InputError) as raised:
        imported(labs="\nL2,D1," + "x" * 2**20 + ",30\n")
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == [("/labs", "bad_csv")]


def test_a_note_names_the_file_that_was_really_read() -> None:
    texts = {name: text for name, text in CLEAN.items() if name != "faculty.csv"}
    found = load_platform_csv({**texts, "faculty_100.csv": CLEAN["faculty.csv"] + "F2,Mira,Physics,lots\n"})
    (note,) = found.repairs
    assert (note.file, note.line, note.value) == ("faculty_100", 3, "lots")


@pytest.mark.skipif(not REAL.is_dir(), reason="the platform's CSV set is not on this machine")
def test_every_row_of_the_real_set_is_used_or_reported() -> None:
    found = load_platform_csv(REAL)
    refused = Counter(note.file for note in found.unusable)
    dataset = found.dataset
    assert found.rows["students"] - refused["students"] == len(dataset.student_ids)
    assert found.rows["faculty"] - refused["faculty"] - refused["faculty_100"] == len(dataset.faculty)
    assert found.rows["batches"] - refused["batches"] == len(dataset.groups)
    assert found.rows["classrooms"] + found.rows["labs"] - refused["classrooms"] - refused["labs"] == len(dataset.rooms)
    assert found.rows["subjects"] - refused["subjects"] == len({course.code for course in dataset.courses})
    assert diagnose(dataset) == ()
    assert {note.code for note in found.warnings} == {"teacher_replaced"} and len(found.warnings) == 10
    assert {note.code for note in found.decisions} == {"groups_unknown", "rooms"}
    assert not any("lab" in course.room_types for course in dataset.courses)
