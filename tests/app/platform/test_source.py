"""The platform's tables in a real PostgreSQL, read back as a dataset."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.domain.messages import unpack
from app.domain.source import Query, SourceError
from app.platform.source import PlatformSource, account_of
from app.settings import Settings
from solver.formats.native import load_dataset
from solver.formats.platform_csv import Imported
from solver.formats.platform_tables import origin_of
from solver.model import Dataset
from solver.samples import sample
from tests.builders import course, dataset
from tests.effort import PROMPT_SECONDS
from tests.platform.tables import ORG_ID, ORGANISATION, YEAR, assign, create, load, platform_database, run

STUDENTS = tuple(f"s{n:03d}" for n in range(130))


@pytest.fixture(scope="module")
def college() -> Iterator[tuple[str, Dataset]]:
    """A database with the sample, for tests that only read."""
    made = sample("college")
    with platform_database() as url:
        load(url, made)
        yield url, made


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    """A database whose tables each test makes anew."""
    with platform_database() as url:
        yield url


@pytest.fixture
def url(own: str) -> str:
    """Tables of the test's own with two courses: one large with a co-teacher, one small."""
    create(own)
    load(
        own,
        dataset(
            course("big", faculty=["f1", "f2"], students=STUDENTS, sessions=2),
            course("small", faculty=["f1", "f2"], students=STUDENTS[:10], sessions=2),
        ),
    )
    return own


def source(url: str, **given: Any) -> PlatformSource:
    return PlatformSource(Settings(data_dir=Path("unused"), platform_database_url=url, **given))


def read(url: str, organisation: str = ORGANISATION, **asked: object) -> tuple[Imported, list[str]]:
    opened = source(url)
    try:
        return opened.read(Query(organization_id=organisation, **asked))  # type: ignore[arg-type]
    finally:
        opened.close()


def conflicts(data: Dataset) -> set[frozenset[str]]:
    """Pairs of offerings with a common student, by the code of their course."""
    taken: dict[str, set[str]] = {}
    for one in data.courses:
        for student in one.student_ids:
            taken.setdefault(student, set()).add(one.code)
    return {frozenset((a, b)) for codes in taken.values() for a in codes for b in codes if a < b}


def by_code(data: Dataset) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in data.courses:
        found.setdefault(one.code, set()).update(one.student_ids)
    return found


def test_a_sample_comes_back_with_the_same_conflicts_teachers_rooms_and_grid(college: tuple[str, Dataset]) -> None:
    url, made = college
    found = read(url)[0].dataset
    assert conflicts(found) == conflicts(made)
    assert by_code(found) == by_code(made)
    assert {r.id: (r.capacity, r.type, r.features) for r in found.rooms} == {
        r.id: (r.capacity, r.type, r.features) for r in made.rooms
    }
    assert {f.id: f.max_sessions_per_week for f in found.faculty} == {
        f.id: f.max_sessions_per_week for f in made.faculty
    }
    assert found.time_grid.periods_of(0) == made.time_grid.periods_of(0)
    assert found.time_grid.num_days == made.time_grid.num_days


def test_the_organisation_is_found_by_its_id_as_well(college: tuple[str, Dataset]) -> None:
    assert read(college[0], str(ORG_ID).upper())[0].dataset == read(college[0])[0].dataset


def test_what_is_fetched_is_a_sound_native_document(college: tuple[str, Dataset]) -> None:
    opened = source(college[0])
    fetched = opened.fetch(Query(organization_id=ORGANISATION))
    opened.close()
    assert len(load_dataset(unpack(fetched.packed)).courses) == fetched.size["courses"]


def test_arrays_and_jsonb_are_read_alike(own: str) -> None:
    made = sample("tiny")
    found = []
    for lists in ("jsonb", "text[]"):
        create(own, lists)
        load(own, made, lists=lists)
        found.append(read(own)[0].dataset)
    assert found[0] == found[1]
    assert any(room.features for room in made.rooms) == any(room.features for room in found[1].rooms)


def test_an_offering_over_60_becomes_parallel_sections_whose_teachers_cycle(url: str) -> None:
    courses = [one for one in read(url)[0].dataset.courses if one.code == "big"]
    assert [one.id for one in courses] == [f"big_off_o-big_sec{n}" for n in range(3)]
    assert [len(one.student_ids) for one in courses] == [44, 43, 43]
    assert [one.faculty_ids for one in courses] == [("f1",), ("f2",), ("f1",)]
    assert courses[0].name.endswith("(Sec 1/3)")
    assert [s for one in courses for s in one.student_ids] == list(STUDENTS)


def test_in_one_section_all_teachers_teach_together(url: str) -> None:
    (small,) = [one for one in read(url)[0].dataset.courses if one.code == "small"]
    assert (small.id, small.faculty_ids) == ("small_off_o-small", ("f1", "f2"))


def test_a_batch_attends_what_all_of_its_students_attend_and_nothing_else(url: str) -> None:
    assign(url, {"b1": ("CSE-1", STUDENTS[:44]), "b2": ("CSE-2", STUDENTS[44:90]), "b3": ("CSE-3", STUDENTS[:5])})
    found = {one.id: one.batches for one in read(url)[0].dataset.courses}
    assert found == {
        "big_off_o-big_sec0": {"b1": "CSE-1", "b3": "CSE-3"},
        "big_off_o-big_sec1": {},
        "big_off_o-big_sec2": {},
        "small_off_o-small": {"b3": "CSE-3"},
    }
    run(url, "DROP TABLE batches")
    assert {"b1": "b1", "b3": "b3"} in [one.batches for one in read(url)[0].dataset.courses], "names are not needed"
    run(url, "ALTER TABLE students DROP COLUMN batch_id")
    assert not any(one.batches for one in read(url)[0].dataset.courses)


def test_the_ids_behind_a_course_are_found_again(url: str) -> None:
    for one in read(url)[0].dataset.courses:
        assert origin_of(one.id) == (one.code, f"o-{one.code}")
    assert origin_of("CS101") is None


def test_rooms_and_teachers_bring_their_codes(url: str) -> None:
    run(
        url,
        "UPDATE rooms SET room_code = 'N-1', room_number = '101'; UPDATE faculty SET faculty_code = 'T-' || faculty_id",
    )
    found = read(url)[0].dataset
    assert [(one.code, one.name) for one in found.rooms] == [("N-1", "101")]
    assert [one.code for one in found.faculty] == ["T-f1", "T-f2"]


def test_only_the_wanted_half_and_year_is_read(url: str) -> None:
    run(url, "UPDATE course_offerings SET semester_type = 'EVEN' WHERE offering_id = 'o-small'")
    assert {one.code for one in read(url, semester=2)[0].dataset.courses} == {"small"}
    assert {one.code for one in read(url, semester=1, academic_year=YEAR)[0].dataset.courses} == {"big"}
    with pytest.raises(SourceError, match="no usable courses for this semester: 0 active offerings"):
        read(url, academic_year="1999-2000")


def test_only_enrolled_active_students_count_and_the_others_are_told(url: str) -> None:
    run(
        url,
        """UPDATE course_enrollments SET enrollment_status = 'DROPPED' WHERE student_id = 's000';
           UPDATE course_enrollments SET is_active = false WHERE student_id = 's001';
           UPDATE students SET is_active = false WHERE student_id = 's002'""",
    )
    imported = read(url)[0]
    assert by_code(imported.dataset)["small"] == set(STUDENTS[3:10])
    assert any("1 enrolments are of students that are not active" in note.message for note in imported.repairs)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE course_offerings SET primary_faculty_id = NULL", "the offering has no primary teacher"),
        ("UPDATE course_offerings SET primary_faculty_id = 'x', co_faculty_ids = '[]'", "names no active teacher"),
        ("DELETE FROM course_enrollments", "no active student is enrolled in this offering"),
    ],
)
def test_a_row_that_cannot_be_used_is_listed_in_words(url: str, change: str, told: str) -> None:
    column = "offering_id" if "DELETE" in change else None
    run(url, f"{change} WHERE offering_id = 'o-small'")
    imported, notes = read(url)
    account = account_of(imported, notes)
    assert {one.code for one in imported.dataset.courses} == {"big"}
    assert account["unusable"] == 1
    assert told in account["unusable_rows"][0]
    assert column is None or "o-small" in account["unusable_rows"][0]


def test_bad_cells_are_mended_and_told(url: str) -> None:
    run(
        url,
        """UPDATE courses SET lecture_hours_per_week = 99, room_type_required = 'POOL' WHERE course_id = 'small';
           UPDATE faculty SET research_day = 'someday', preferred_time_slot = 'NIGHT', max_hours_per_week = 0
           WHERE faculty_id = 'f1';
           UPDATE rooms SET seating_capacity = NULL""",
    )
    imported = read(url)[0]
    (small,) = [one for one in imported.dataset.courses if one.code == "small"]
    assert (small.sessions_per_week, small.room_types) == (10, ())
    assert imported.dataset.teacher["f1"].max_sessions_per_week == 40
    assert {room.capacity for room in imported.dataset.rooms} == {60}
    mended = {"lecture_hours_per_week", "room_type_required", "research_day", "preferred_time_slot"}
    assert mended <= {note.column for note in imported.repairs}


def test_preferred_time_and_research_day_reach_the_teacher(url: str) -> None:
    run(
        url,
        """UPDATE faculty SET research_day = 'Tuesday', preferred_time_slot = 'MORNING' WHERE faculty_id = 'f1';
           UPDATE timetable_configurations SET slots_per_day = 8, end_time = '17:00'""",
    )
    found = read(url)[0].dataset
    grid, teacher = found.time_grid, found.teacher["f1"]
    assert {grid.day_of(slot) for slot in teacher.unavailable} == {1}
    assert len(teacher.unavailable) == grid.num_periods
    assert teacher.preferences[0] > 0.5 > teacher.preferences[grid.num_periods - 1]


def test_a_room_that_a_department_keeps_is_open_to_its_own_courses_only(url: str) -> None:
    run(
        url,
        f"""INSERT INTO rooms (room_id, org_id, room_type, seating_capacity, dept_id, allow_cross_department_usage)
            VALUES ('own', '{ORG_ID}', 'LECTURE_HALL', 60, 'D1', false);
            UPDATE courses SET dept_id = 'D1' WHERE course_id = 'small';
            UPDATE courses SET dept_id = 'D2' WHERE course_id = 'big'""",
    )
    found = read(url)[0].dataset
    may = {one.code: found.room["own"].type in one.room_types for one in found.courses}
    assert may == {"small": True, "big": False}
    assert all(found.room["r1"].type in one.room_types for one in found.courses)


def test_a_room_that_a_department_keeps_is_told_of_in_words(url: str) -> None:
    physics, chemistry = (f"6f1d2a34-8f0e-4b67-9c55-2f6f8c1a0b7{n}" for n in (1, 2))
    run(
        url,
        f"""INSERT INTO departments VALUES ('{physics}', '{ORG_ID}', 'PHY', 'Physics');
            INSERT INTO rooms (room_id, org_id, room_type, seating_capacity, dept_id, allow_cross_department_usage)
            VALUES ('p', '{ORG_ID}', 'LAB', 60, '{physics}', false),
                   ('c', '{ORG_ID}', 'LAB', 60, '{chemistry}', false)""",
    )
    rooms = read(url)[0].dataset.room
    assert (rooms["p"].type, rooms["c"].type) == ("lab of PHY", "lab of another department")


def test_rooms_out_of_use_are_listed(url: str) -> None:
    run(url, f"INSERT INTO rooms (room_id, org_id, is_bookable) VALUES ('shut', '{ORG_ID}', false)")
    imported = read(url)[0]
    assert "shut" not in imported.dataset.room
    assert [note.message for note in imported.unusable] == ["the room may not be booked"]


def test_the_stored_configuration_of_the_term_wins_over_a_later_one(url: str) -> None:
    run(
        url,
        f"""INSERT INTO timetable_configurations (org_id, academic_year, semester, working_days, last_used_at)
            VALUES ('{ORG_ID}', '2030-2031', 2, 3, now() + interval '1 day');
            UPDATE timetable_configurations SET working_days = 5, faculty_max_continuous = 2 WHERE semester = 1""",
    )
    found = read(url, academic_year=YEAR)[0].dataset
    assert found.time_grid.num_days == 5
    assert found.rules["consecutive_limit"].value == 2
    assert read(url, time_grid={"working_days": 4})[0].dataset.time_grid.num_days == 4


@pytest.mark.parametrize("table", ["timetable_configurations", "students"])
def test_a_missing_optional_table_is_reported(url: str, table: str) -> None:
    run(url, f"DROP TABLE {table}")
    imported, notes = read(url)
    assert len(imported.dataset.courses) == 4
    assert any(f"table {table} is missing" in note for note in notes)


@pytest.mark.parametrize(
    "column",
    [
        *("course_offerings.semester_type", "course_offerings.academic_year", "course_offerings.offering_status"),
        *("course_offerings.co_faculty_ids", "rooms.features", "courses.lecture_hours_per_week"),
        *(
            "course_enrollments.enrollment_status",
            "faculty.max_hours_per_week",
            "timetable_configurations.last_used_at",
        ),
    ],
)
def test_a_missing_column_is_no_end(url: str, column: str) -> None:
    table, name = column.split(".")
    run(url, f"ALTER TABLE {table} DROP COLUMN {name}")
    imported, _ = read(url)
    assert {one.code for one in imported.dataset.courses} == {"big", "small"}


def test_a_missing_essential_table_is_an_error_that_names_it(url: str) -> None:
    run(url, "DROP TABLE course_enrollments")
    with pytest.raises(SourceError, match="lacks course_enrollments"):
        read(url)


def test_an_unknown_organisation_and_an_empty_one_are_told_apart(url: str) -> None:
    run(url, "INSERT INTO organizations VALUES (gen_random_uuid(), 'Empty College')")
    with pytest.raises(SourceError, match="no organisation 'Nobody'"):
        read(url, "Nobody")
    with pytest.raises(SourceError, match="'Empty College' has no usable rooms"):
        read(url, "Empty College")


def test_a_question_that_takes_too_long_is_ended_and_told(url: str) -> None:
    opened = source(url, platform_statement_seconds=0.2)
    with psycopg.connect(url) as blocker:
        blocker.execute("LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceError, match="statement timeout"):
            opened.fetch(Query(organization_id=ORGANISATION))
    assert opened.fetch(Query(organization_id=ORGANISATION)).size["courses"] == 4
    opened.close()


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"limit_rooms": 1}, "the dataset has 2 rooms, at most 1 are accepted"),
        ({"limit_people": 100}, "130 students, at most 100 are accepted"),
        ({"max_sessions": 7}, "8 sessions, at most 7 are accepted"),
        ({"limit_places": 1, "limit_enrolments": 1}, "140 enrolments, at most 1 are accepted"),
    ],
)
def test_what_is_fetched_keeps_the_limits_of_what_is_sent(url: str, limit: dict[str, Any], told: str) -> None:
    run(url, f"INSERT INTO rooms (room_id, org_id, seating_capacity) VALUES ('more', '{ORG_ID}', 200)")
    opened = source(url, **limit)
    try:
        with pytest.raises(SourceError, match=told):
            opened.fetch(Query(organization_id=ORGANISATION))
    finally:
        opened.close()


def test_a_model_that_would_be_too_large_is_refused_with_its_largest_causes(url: str) -> None:
    run(
        url,
        f"""INSERT INTO rooms (room_id, org_id, seating_capacity)
            SELECT 'r' || n, '{ORG_ID}', 500 FROM generate_series(2, 4000) n;
            UPDATE courses SET lecture_hours_per_week = 9""",
    )
    opened = source(url, limit_places=1)
    try:
        with pytest.raises(SourceError, match=r"million places .* most come from the courses 'big_off_o-big_sec0'"):
            opened.fetch(Query(organization_id=ORGANISATION))
    finally:
        opened.close()


def test_stored_preferences_without_effect_are_said_and_those_that_say_nothing_are_not(url: str) -> None:
    run(
        url,
        """UPDATE timetable_configurations SET optimization_priority = 'compact', number_of_variants = 5,
           max_classes_per_day = NULL, selected_departments = '["D1"]', avoid_first_last_slot = true""",
    )
    said = [note for note in read(url)[1] if note.startswith("timetable_configurations.")]
    assert said == [
        "timetable_configurations.avoid_first_last_slot: only the last slot of a day is avoided.",
        "timetable_configurations.selected_departments = ['D1'] is not applied: all departments are scheduled.",
        "timetable_configurations.optimization_priority = compact is not applied: each variant has an emphasis of its "
        "own instead.",
        "timetable_configurations.number_of_variants = 5 is not applied: the request says how many, or the settings of "
        "the service.",
    ]


def test_connecting_is_bounded_in_sum_whether_nobody_answers_or_somebody_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        ports = silent.getsockname()[1], gone.getsockname()[1]
        gone.close()
        for port in ports:
            opened = source(f"postgresql://x@127.0.0.1:{port}/x", platform_connect_seconds=1.0)
            began = time.monotonic()
            with pytest.raises(SourceError, match="no connection within 1 s"):
                opened.fetch(Query(organization_id=ORGANISATION))
            assert time.monotonic() - began < PROMPT_SECONDS
            opened.close()
