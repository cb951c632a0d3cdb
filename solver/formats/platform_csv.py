"""
The platform's CSV set: departments, courses (programmes), subjects, batches, students, faculty, classrooms, labs.

The set is dirty in practice, so nothing is taken on trust and nothing disappears: every row ends up used, used after a
repair, or unusable, and the last two are reported with file, line, column and value. What is more than the mending of a
cell is told apart: *warnings* are to be confirmed by people, *decisions* are how we read what the data leave open.

What becomes what: classrooms and labs are rooms; batches are groups; a subject is taught to the students who chose it,
in parallel sections of at most 60, each section a course of `credits` weekly sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from solver.errors import InputError, Issue
from solver.formats.platform_batches import Batches, Meaning, batches_of
from solver.formats.platform_choices import Choices, choosers, students_of, tell_shared
from solver.formats.platform_rows import Repairs, Row, RowNote, tables_of, texts_of
from solver.formats.platform_subjects import LAB, SECTION_SIZE, RoomTypes, Teachers, cut, sections_of
from solver.formats.spelling import Spellings, same, word
from solver.model import Course, Dataset, Faculty, Group, Room
from solver.names import listed

__all__ = [
    "DEFAULT_CAPACITY",
    "DEFAULT_CREDITS",
    "MAX_CREDITS",
    "SECTION_SIZE",
    "Imported",
    "load_platform_csv",
    "sections_of",
]

DEFAULT_CREDITS = 3
DEFAULT_CAPACITY = 60
MAX_CREDITS = 10
MAX_REASONS = 10
"""Rows that are named where nothing of a set can be used."""
CLASSROOM = "classroom"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """
    A dataset with the account of how it was read. Only a CSV set has one; other kinds of file are used as they are.

    `rows` counts the data rows read per table; each is used, or stands in `unusable` exactly once. What `warnings` and
    `decisions` are, `Repairs` says.
    """

    dataset: Dataset
    warnings: tuple[RowNote, ...] = ()
    decisions: tuple[RowNote, ...] = ()
    repairs: tuple[RowNote, ...] = ()
    unusable: tuple[RowNote, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    def account(self) -> dict[str, Any]:
        """Everything but the dataset as JSON data: what matters most first."""
        return {"rows": dict(self.rows), **{kind: [asdict(note) for note in getattr(self, kind)] for kind in NOTES}}


UNNAMED = "CSV set"
NOTES = ("warnings", "decisions", "unusable", "repairs")
"""The kinds of notes of an account, those first that people should read first."""


def load_platform_csv(source: Path | Mapping[str, str | bytes], name: str = UNNAMED) -> Imported:
    """
    Reads a CSV set from a folder, or from a mapping of file name to content.

    No file of a set says whose it is. Where `name` does, calendars of two institutions cannot be taken for one another.

    Raises
    ------
    InputError
        A mandatory file or column is missing, or nothing usable remains.
    """
    work = Repairs()
    tables = tables_of(work, texts_of(source))
    departments = _departments(work, tables["departments"])
    rooms = _rooms(work, tables["classrooms"], tables["labs"], departments)
    faculty = _faculty(work, tables["faculty"], departments)
    programmes = _Programmes(work.unique(tables["courses"], "course_id"))
    batches = work.unique(tables["batches"], "batch_id")
    groups = _groups(work, batches, departments, programmes)
    students = students_of(work, tables["students"])
    _check_students(work, students, {teacher.id for teacher in faculty}, departments, programmes)
    known = batches_of(work, batches, [own[0] for own in students], _meaning(departments, programmes))
    subjects = _Subjects(work, rooms, faculty, departments, programmes, known)
    courses = tuple(subjects.courses(work.unique(tables["subjects"], "subject_id"), students))
    if not rooms or not courses:
        raise InputError(_nothing(work, "rooms" if not rooms else "subjects with students"))
    dataset = Dataset(name=name, rooms=rooms, faculty=faculty, groups=groups, courses=courses)
    notes = {kind: tuple(getattr(work, kind)) for kind in NOTES}
    return Imported(dataset=dataset, rows={table: len(rows) for table, rows in tables.items()}, **notes)


def _nothing(work: Repairs, what: str) -> Iterator[Issue]:
    """Why nothing is left to be scheduled: the first rows that could not be used say it."""
    yield Issue(pointer="", code="empty", message=f"the CSV set holds no usable {what}")
    for note in work.unusable[:MAX_REASONS]:
        message = f"{note.file}.csv, line {note.line}, {note.column}: {note.message}"
        yield Issue(pointer=f"/{note.file}", code="unusable_row", message=message, value=note.value)


class _Departments:
    """Departments are named by id in some files and by name in others."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._by_id = {row["department_id"]: row for row in rows}
        self._labels = Spellings((row["department_name"], row["department_id"]) for row in rows)

    def find(self, value: str) -> list[str]:
        """The ids that a cell may mean."""
        return [value] if value in self._by_id else self._labels.find(value)

    def resolve(self, work: Repairs, row: Row, column: str) -> str | None:
        """The id behind a cell; one that names nobody, or several, is reported and left out."""
        value = row[column]
        if not value:
            return None
        found = self.find(value)
        if len(found) == 1:
            if value != found[0] and not self._labels.exactly(value):
                work.decided(row.file, "near_name", f"{value!r} is read as {found[0]}", at=row, column=column)
            return found[0]
        said = f"is the name of {listed(found)}" if found else "names no department of departments.csv"
        work.repaired(row, column, f"{said}; it is left open")
        return None

    def building(self, department_id: str | None) -> str | None:
        return (self._by_id[department_id]["building_name"] or None) if department_id else None


class _Programmes:
    """The programmes of courses.csv, named by id in some files and by name in others."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.names = {row["course_id"]: row["course_name"] for row in rows}
        self._labels = Spellings((row["course_name"], row["course_id"]) for row in rows)

    def find(self, value: str) -> list[str]:
        """The ids that a cell may mean."""
        return [value] if value in self.names else self._labels.find(value)

    def one(self, value: str) -> str | None:
        """The one programme that a cell means."""
        found = self.find(value) if value else []
        return found[0] if len(found) == 1 else None


def _meaning(departments: _Departments, programmes: _Programmes) -> Meaning:
    def meaning(what: str, value: str) -> str | None:
        match what:
            case "programme":
                return programmes.one(value)
            case "department":
                found = departments.find(value)
                return found[0] if len(found) == 1 else None
            case _:
                return same(value) or None

    return meaning


def _departments(work: Repairs, rows: Sequence[Row]) -> _Departments:
    return _Departments(work.unique(rows, "department_id"))


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
                    type=LAB if kind == LAB else word(row["type"]) or CLASSROOM,
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
    work: Repairs, rows: Sequence[Row], departments: _Departments, programmes: _Programmes
) -> tuple[Group, ...]:
    groups: list[Group] = []
    for row in rows:
        programme = programmes.names.get(row["course_id"])
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


def _check_students(
    work: Repairs,
    students: Sequence[Sequence[Row]],
    faculty_ids: set[str],
    departments: _Departments,
    programmes: _Programmes,
) -> None:
    """Reports what is wrong about students and is not needed."""
    for row in (row for own in students for row in own):
        if row["faculty_id"] and row["faculty_id"] not in faculty_ids:
            work.repaired(row, "faculty_id", "names no teacher of the faculty file; it is not needed and left out")
        departments.resolve(work, row, "department")
        if row["course"] and programmes.names and not programmes.find(row["course"]):
            work.repaired(row, "course", "names no programme of courses.csv; it is not needed and left out")


class _Subjects:
    """Makes courses of subjects and of those who chose them."""

    def __init__(
        self,
        work: Repairs,
        rooms: Sequence[Room],
        faculty: Sequence[Faculty],
        departments: _Departments,
        programmes: _Programmes,
        batches: Batches,
    ) -> None:
        self._work, self._departments, self._programmes, self._batches = work, departments, programmes, batches
        self._room_types, self._teachers = RoomTypes(work, rooms), Teachers(work, faculty)

    def courses(self, subjects: Sequence[Row], students: Sequence[Sequence[Row]]) -> Iterator[Course]:
        """The sections of every subject that somebody chose; of every other one it is said why it has none."""
        programme_of = {row["subject_id"]: row["course_id"] for row in subjects}
        choices = Choices(self._work, subjects, programme_of)
        programme_of_student = {own[0]["student_id"]: self._programmes.one(own[0]["course"]) or "" for own in students}
        chosen, doubtful = choosers(self._work, choices, students, programme_of_student)
        lost = tell_shared(self._work, subjects, choices.labels, chosen, doubtful)
        for row in subjects:
            if row["subject_id"] in chosen:
                yield from self._sections(row, chosen[row["subject_id"]])
            elif row["subject_id"] not in lost:
                self._work.refused(row, "subject_id", "no usable student chose this subject")
        self._room_types.tell()

    def _sections(self, row: Row, students: Sequence[str]) -> Iterator[Course]:
        credits = self._work.number(row, "credits", 1, MAX_CREDITS, DEFAULT_CREDITS)
        department = self._departments.resolve(self._work, row, "department_id")
        types = self._room_types.of(row)
        sections = cut(students, self._room_types.section_size(row, types, len(students)), self._batches)
        teachers = self._teachers.of(row, len(sections), credits)
        for number, (section, teacher) in enumerate(zip(sections, teachers, strict=True)):
            suffix = f" (Sec {number + 1}/{len(sections)})" if len(sections) > 1 else ""
            groups = self._batches.wholly_in(section)
            yield Course(
                id=row["subject_id"] + (f"_sec{number}" if suffix else ""),
                code=row["subject_id"],
                name=(row["subject_name"] or row["subject_id"]) + suffix,
                department_id=department,
                credits=credits,
                faculty_ids=(teacher,) if teacher else (),
                group_ids=groups,
                student_ids=tuple(section),
                # How many students a batch should have is another figure than how many are here.
                expected_students=len(section) if groups else None,
                sessions_per_week=credits,
                room_types=types,
                min_days=min(credits, 2),
            )
