"""
The platform's CSV set: departments, courses (programmes), subjects, batches, students, faculty, classrooms, labs.

The set is dirty in practice, so nothing is taken on trust and nothing disappears: every row ends up used, used after a
repair, or unusable, and the last two are reported with file, line, column and value.

What becomes what: classrooms and labs are rooms; batches are groups; a subject is taught to the students who chose it,
in parallel sections of at most 60 (platform contract, section 8), each section a course of `credits` weekly sessions.
The assigned teacher takes sections up to the weekly workload; further ones go to the teacher with the most workload to
spare, which is reported as a repair, since the set names one teacher for a subject that a dozen are needed for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from solver.errors import InputError, Issue
from solver.formats.platform_rows import Repairs, Row, RowNote, tables_of, texts_of
from solver.model import Course, Dataset, Faculty, Group, Room

SECTION_SIZE = 60
DEFAULT_CREDITS = 3
DEFAULT_CAPACITY = 60
MAX_CREDITS = 10
LAB, CLASSROOM = "lab", "classroom"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """
    A dataset with the account of how it was read. Only a CSV set has one; other kinds of file are used as they are.

    `rows` counts the data rows read per table; each is used, or stands in `unusable` exactly once.
    """

    dataset: Dataset
    repairs: tuple[RowNote, ...] = ()
    unusable: tuple[RowNote, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    def account(self) -> dict[str, Any]:
        """Everything but the dataset as JSON data."""
        return {
            "rows": dict(self.rows),
            "repairs": [asdict(note) for note in self.repairs],
            "unusable": [asdict(note) for note in self.unusable],
        }


def load_platform_csv(source: Path | Mapping[str, str]) -> Imported:
    """
    Reads a CSV set from a folder, or from a mapping of file name to text.

    Raises
    ------
    InputError
        A mandatory file or column is missing, or nothing usable remains.
    """
    texts = texts_of(source)
    work = Repairs()
    tables = tables_of(work, texts)
    departments = _departments(work, tables["departments"])
    rooms = _rooms(work, tables["classrooms"], tables["labs"], departments)
    faculty = _faculty(work, tables["faculty"], departments)
    programmes = {row["course_id"]: row["course_name"] for row in work.unique(tables["courses"], "course_id")}
    groups = _groups(work, tables["batches"], departments, programmes)
    courses = _courses(work, tables["subjects"], tables["students"], faculty, departments, programmes)
    if not rooms or not courses:
        what = "rooms" if not rooms else "subjects with students"
        raise InputError([Issue(pointer="", code="empty", message=f"the CSV set holds no usable {what}")])
    dataset = Dataset(name="platform CSV set", rooms=rooms, faculty=faculty, groups=groups, courses=courses)
    return Imported(
        dataset=dataset,
        repairs=tuple(work.repairs),
        unusable=tuple(work.unusable),
        rows={table: len(rows) for table, rows in tables.items()},
    )


@dataclass(frozen=True)
class _Departments:
    """Departments are named by id in some files and by name in others."""

    by_id: Mapping[str, Row]
    by_name: Mapping[str, Row]

    def resolve(self, work: Repairs, row: Row, column: str) -> str | None:
        """The id behind a cell; one that names nobody is reported and left out."""
        value = row[column]
        if not value:
            return None
        found = self.by_id.get(value) or self.by_name.get(value.lower())
        if found is None:
            work.repaired(row, column, "names no department of departments.csv; it is left open")
            return None
        return found["department_id"]

    def building(self, department_id: str | None) -> str | None:
        return (self.by_id[department_id]["building_name"] or None) if department_id else None


def _departments(work: Repairs, rows: Sequence[Row]) -> _Departments:
    kept = work.unique(rows, "department_id")
    return _Departments(
        {row["department_id"]: row for row in kept}, {row["department_name"].lower(): row for row in kept}
    )


def _rooms(
    work: Repairs, classrooms: Sequence[Row], labs: Sequence[Row], departments: _Departments
) -> tuple[Room, ...]:
    rooms: list[Room] = []
    kinds = ((classrooms, "room_id", "room_number", CLASSROOM), (labs, "lab_id", "lab_name", LAB))
    for rows, column, name, kind in kinds:
        for row in work.unique(rows, column):
            if any(room.id == row[column] for room in rooms):
                work.refused(row, column, "the id is that of a classroom already")
                continue
            department = departments.resolve(work, row, "department_id")
            rooms.append(
                Room(
                    id=row[column],
                    name=row[name] or row[column],
                    capacity=work.number(row, "capacity", 1, 10_000, DEFAULT_CAPACITY),
                    type=LAB if kind == LAB else re.sub(r"\W+", "_", row["type"].lower()) or CLASSROOM,
                    building=departments.building(department),
                    department_id=department,
                )
            )
    return tuple(rooms)


def _faculty(work: Repairs, rows: Sequence[Row], departments: _Departments) -> tuple[Faculty, ...]:
    return tuple(
        Faculty(
            id=row["faculty_id"],
            name=row["faculty_name"] or row["faculty_id"],
            department_id=departments.resolve(work, row, "department"),
            max_sessions_per_week=work.number(row, "max_workload_per_week", 1, 40, 18),
        )
        for row in work.unique(rows, "faculty_id")
    )


def _groups(
    work: Repairs, rows: Sequence[Row], departments: _Departments, programmes: Mapping[str, str]
) -> tuple[Group, ...]:
    groups: list[Group] = []
    for row in work.unique(rows, "batch_id"):
        programme = programmes.get(row["course_id"])
        if programme is None:
            work.repaired(row, "course_id", "names no programme of courses.csv; the batch is named by its id")
        groups.append(
            Group(
                id=row["batch_id"],
                name=f"{programme} year {row['year']}, semester {row['semester']}" if programme else row["batch_id"],
                size=work.number(row, "no_of_students", 0, 10_000, SECTION_SIZE),
                department_id=departments.resolve(work, row, "department_id"),
            )
        )
    return tuple(groups)


def _courses(
    work: Repairs,
    subject_rows: Sequence[Row],
    student_rows: Sequence[Row],
    faculty: Sequence[Faculty],
    departments: _Departments,
    programmes: Mapping[str, str],
) -> tuple[Course, ...]:
    subjects = work.unique(subject_rows, "subject_id")
    choosers = _choosers(work, subjects, student_rows, {teacher.id for teacher in faculty}, departments, programmes)
    load = _Workload(faculty)
    courses: list[Course] = []
    for row in subjects:
        students = choosers[row["subject_id"]]
        if not students:
            work.refused(row, "subject_id", "no usable student chose this subject")
            continue
        credits = work.number(row, "credits", 1, MAX_CREDITS, DEFAULT_CREDITS)
        department = departments.resolve(work, row, "department_id")
        sections = list(sections_of(students))
        teachers = _teachers(work, row, load, len(sections), credits)
        for number, (section, teacher) in enumerate(zip(sections, teachers, strict=True)):
            suffix = f" (Sec {number + 1}/{len(sections)})" if len(sections) > 1 else ""
            courses.append(
                Course(
                    id=row["subject_id"] + (f"_sec{number}" if suffix else ""),
                    code=row["subject_id"],
                    name=(row["subject_name"] or row["subject_id"]) + suffix,
                    department_id=department,
                    credits=credits,
                    faculty_ids=(teacher,) if teacher else (),
                    student_ids=tuple(section),
                    sessions_per_week=credits,
                    min_days=min(credits, 2),
                )
            )
    return tuple(courses)


def _choosers(
    work: Repairs,
    subjects: Sequence[Row],
    rows: Sequence[Row],
    faculty_ids: set[str],
    departments: _Departments,
    programmes: Mapping[str, str],
) -> dict[str, list[str]]:
    """Subject id -> students who chose it, in id order; choices are written as names in one cell."""
    by_name = {_plain(row["subject_name"]): row["subject_id"] for row in subjects}
    known_programmes = {name.lower() for name in programmes.values()}
    chosen: dict[str, list[str]] = defaultdict(list)
    for row in work.unique(rows, "student_id"):
        if row["faculty_id"] and row["faculty_id"] not in faculty_ids:
            work.repaired(row, "faculty_id", "names no teacher of the faculty file; it is not needed and left out")
        departments.resolve(work, row, "department")
        if row["course"] and known_programmes and row["course"].lower() not in known_programmes:
            work.repaired(row, "course", "names no programme of courses.csv; it is not needed and left out")
        wanted = list(dict.fromkeys(name for part in row["electives"].split(",") if (name := _plain(part))))
        found = [by_name[name] for name in wanted if name in by_name]
        if not found:
            work.refused(row, "electives", "chooses no subject of subjects.csv")
            continue
        if missing := [name for name in wanted if name not in by_name]:
            work.repaired(row, "electives", f"names no subject by {', '.join(missing)}; the other choices are used")
        for subject_id in found:
            chosen[subject_id].append(row["student_id"])
    return defaultdict(list, {subject_id: sorted(students) for subject_id, students in chosen.items()})


def _plain(name: str) -> str:
    """A subject's name as it is compared: "Cyber Security" and "cybersecurity" are one."""
    return re.sub(r"\W+", "", name).lower()


def sections_of(students: Sequence[str]) -> Iterator[Sequence[str]]:
    """Near-equal parts of at most `SECTION_SIZE`, the remainder spread over the first ones."""
    count = -(-len(students) // SECTION_SIZE)
    size, larger = divmod(len(students), count)
    first = 0
    for number in range(count):
        last = first + size + (number < larger)
        yield students[first:last]
        first = last


class _Workload:
    """Weekly sessions that each teacher can still take."""

    def __init__(self, faculty: Sequence[Faculty]) -> None:
        self.spare = {teacher.id: teacher.max_sessions_per_week or 0 for teacher in faculty}

    def take(self, teacher: str, sessions: int) -> None:
        self.spare[teacher] -= sessions

    def freest(self) -> str | None:
        """Most workload to spare; the first one in file order in a tie."""
        return max(self.spare, key=lambda teacher: self.spare[teacher]) if self.spare else None


def _teachers(work: Repairs, row: Row, load: _Workload, sections: int, sessions: int) -> list[str | None]:
    assigned = row["faculty_assigned"]
    teachers: list[str | None] = []
    if assigned not in load.spare:
        message = "names no teacher of the faculty file; the teacher with most time takes over"
        work.repaired(row, "faculty_assigned", message)
    for number in range(sections):
        teacher: str | None = assigned
        if load.spare.get(assigned, 0) < sessions:
            teacher = load.freest()
            if assigned in load.spare and teacher != assigned:
                message = f"has no workload left for section {number + 1} of {sections}; {teacher} takes it"
                work.repaired(row, "faculty_assigned", message)
        if teacher is not None:
            load.take(teacher, sessions)
        teachers.append(teacher)
    return teachers
