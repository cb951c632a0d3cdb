"""
The platform's tables in a database of our own, and a loader that writes one of our datasets into them.

    with platform_database() as url:
        load(url, sample("college"))
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from solver.calendar import clock_of
from solver.model import Dataset
from tests.real import POSTGRES, listening

ORGANISATION = "Example University"
ORG_ID = uuid.UUID("6f1d2a34-8f0e-4b67-9c55-2f6f8c1a0b7d")
YEAR = "2024-2025"


@contextmanager
def platform_database(lists: str = "jsonb") -> Iterator[str]:
    """Address of a new database with the tables, dropped in the end. `lists` is the type of list columns."""
    listening(POSTGRES)
    name = f"platform_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_conninfo(POSTGRES, dbname=name)
    try:
        create(url, lists)
        yield url
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def create(url: str, lists: str = "jsonb") -> None:
    """The tables, empty, in place of whatever was there: much faster than another database."""
    text = (Path(__file__).parent / "tables.sql").read_text(encoding="utf-8")
    run(url, f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {text.replace('{lists}', lists)}")


def run(url: str, statements: str) -> None:
    """SQL of the test itself, several statements at once."""
    with psycopg.connect(url) as database:
        database.execute(statements.encode())


def load(
    url: str,
    dataset: Dataset,
    *,
    organisation: str = ORGANISATION,
    org_id: uuid.UUID = ORG_ID,
    lists: str = "jsonb",
    semester_type: str = "ODD",
) -> None:
    """Writes a dataset: a course becomes a course with one offering, its first teacher the primary one."""

    def listed(values: tuple[str, ...]) -> object:
        return Jsonb(list(values)) if lists == "jsonb" else list(values)

    with psycopg.connect(url) as database, database.cursor() as cursor:

        def copy(table: str, columns: str, rows: Iterator[tuple[object, ...]]) -> None:
            names = sql.SQL(", ").join(map(sql.Identifier, columns.split()))
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)) as stream:
                for row in rows:
                    stream.write_row(row)

        copy("organizations", "org_id org_name", iter([(org_id, organisation)]))
        copy(
            "faculty",
            "faculty_id org_id faculty_code first_name dept_id max_hours_per_week",
            ((f.id, org_id, f.code or f.id, f.name, f.department_id, f.max_sessions_per_week) for f in dataset.faculty),
        )
        copy(
            "rooms",
            "room_id org_id room_code room_number room_type seating_capacity building_id features",
            (
                (r.id, org_id, r.code or r.id, r.name, r.type.upper(), r.capacity, r.building, listed(r.features))
                for r in dataset.rooms
            ),
        )
        copy(
            "courses",
            "course_id org_id course_code course_name dept_id lecture_hours_per_week credits room_type_required "
            "room_features_required course_type",
            (
                (
                    *(c.id, org_id, c.code, c.name, c.department_id, c.sessions_per_week, max(1, int(c.credits))),
                    *((c.room_types or (None,))[0], listed(c.required_features), c.subject_type.upper()),
                )
                for c in dataset.courses
            ),
        )
        copy(
            "course_offerings",
            "offering_id course_id primary_faculty_id co_faculty_ids semester_type academic_year",
            (
                (f"o-{c.id}", c.id, c.faculty_ids[0], listed(c.faculty_ids[1:]), semester_type, YEAR)
                for c in dataset.courses
            ),
        )
        copy("students", "student_id org_id enrollment_number", ((s, org_id, s) for s in dataset.student_ids))
        copy(
            "course_enrollments",
            "student_id offering_id",
            ((s, f"o-{c.id}") for c in dataset.courses for s in c.student_ids),
        )
        grid = dataset.time_grid
        start, end = grid.lunch or (None, None)
        copy(
            "timetable_configurations",
            "org_id academic_year semester working_days slots_per_day start_time end_time slot_duration_minutes "
            "lunch_break_enabled lunch_break_start lunch_break_end",
            iter(
                [
                    (
                        *(org_id, YEAR, 1, grid.working_days, grid.slots_per_day, grid.start_time),
                        *(clock_of(grid.periods_of(0)[-1][1]), grid.slot_minutes, grid.lunch is not None, start, end),
                    )
                ]
            ),
        )
        database.commit()
        database.autocommit = True
        cursor.execute("ANALYZE")


def assign(url: str, batches: Mapping[str, tuple[str, Iterable[str]]], org_id: uuid.UUID = ORG_ID) -> None:
    """Puts students into batches: id -> name and students."""
    with psycopg.connect(url) as database, database.cursor() as cursor:
        for id, (name, students) in batches.items():
            cursor.execute(
                "INSERT INTO batches (batch_id, org_id, batch_code, batch_name) VALUES (%s, %s, %s, %s)",
                (id, org_id, name, name),
            )
            cursor.execute("UPDATE students SET batch_id = %s WHERE student_id = ANY(%s)", (id, list(students)))
