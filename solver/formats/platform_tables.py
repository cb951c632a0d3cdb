"""
The platform's database rows (contract, section 8) as a dataset, with the account of what had to be mended in them.

It knows no database: cells arrive as text, lists as JSON text or in PostgreSQL's `{a,b}` form, so every type that the
columns have had in some version of the platform is read alike. Who takes part in what is decided by individual
enrolments; of a batch it is only said which courses all of its students attend. An offering of more than 60 students
becomes parallel sections, whose teachers cycle through the primary and the co-teachers; in one section all of them
teach together.

Row notes name the table as `file`, and the row's number in the order of ids as `line`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from solver.calendar import TimeGrid
from solver.errors import InputError, Issue
from solver.formats.platform_csv import DEFAULT_CAPACITY, DEFAULT_CREDITS, MAX_CREDITS, Imported, sections_of
from solver.formats.platform_rows import Repairs, Row
from solver.formats.platform_subjects import is_lab
from solver.formats.spelling import word
from solver.labels import Named, labels_of, readable
from solver.model import Course, Dataset, Faculty, Room, RuleSetting
from solver.terms import CORE_SUBJECT_TYPE

DEFAULT_SESSIONS = 3
DEFAULT_HOURS, UNLIMITED_HOURS = 18, 40
"""Weekly sessions of a teacher when the column is missing, and when it says 0 or nothing (contract, HC3)."""
LIKED, NOT_LIKED = 0.9, 0.3
NOON, EVENING = 12 * 60, 16 * 60
_TIMES: Mapping[str, tuple[int, int]] = {
    "MORNING": (0, NOON),
    "AFTERNOON": (NOON, EVENING),
    "EVENING": (EVENING, 24 * 60),
}
_COURSE_ID = re.compile(r"(?P<course>.+)_off_(?P<offering>.+?)(?:_sec[0-9]+)?")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TRUE, _FALSE = frozenset({"true", "t", "1"}), frozenset({"false", "f", "0"})
_UNUSABLE_ROOM = frozenset({"maintenance", "under_maintenance", "closed", "inactive", "unavailable", "out_of_service"})


@dataclass(frozen=True, kw_only=True)
class PlatformTables:
    """
    Rows of one organisation and one half of the year, each table in the order of ids.

    `enrolments` maps an offering to its students, each once and in id order; `left_out` maps an offering to the number
    of enrolments of students that are not active. `batch_of` maps an active student to the batch, where there is one.
    Offerings carry the columns of their course as well.
    """

    name: str
    rooms: Sequence[Row]
    faculty: Sequence[Row]
    offerings: Sequence[Row]
    enrolments: Mapping[str, Sequence[str]]
    left_out: Mapping[str, int] = field(default_factory=dict)
    departments: Sequence[Row] = ()
    batches: Sequence[Row] = ()
    batch_of: Mapping[str, str] = field(default_factory=dict)
    time_grid: TimeGrid = field(default_factory=TimeGrid)
    rules: Mapping[str, RuleSetting] = field(default_factory=dict)


class NothingUsable(InputError):
    """Nothing can be scheduled; how many usable courses, rooms and teachers there are all the same."""

    def __init__(self, why: str, *, courses: int, rooms: int, faculty: int) -> None:
        super().__init__([Issue(pointer="", code="empty", message=why)])
        self.courses, self.rooms, self.faculty = courses, rooms, faculty


class Origin(NamedTuple):
    """The platform's own ids of what became a course of a dataset."""

    course_id: str
    offering_id: str


def origin_of(id: str) -> Origin | None:
    """What is behind the id of a course, which `load_platform_tables` has made; None for the id of another source."""
    matched = _COURSE_ID.fullmatch(id)
    return Origin(matched["course"], matched["offering"]) if matched else None


def load_platform_tables(tables: PlatformTables) -> Imported:
    """
    The dataset behind the rows.

    Raises
    ------
    NothingUsable
        No usable room or no usable course remains; the message says what became of the rows.
    """
    work = Repairs()
    departments = _departments(tables)
    rooms = tuple(_rooms(work, tables.rooms, departments))
    faculty = tuple(_teacher(work, row, tables.time_grid) for row in work.unique(tables.faculty, "faculty_id"))
    courses = _Courses(work, rooms, faculty, _Batches(tables), departments).of(tables)
    if not rooms or not courses:
        why = _nothing(work, tables, "courses" if rooms else "rooms")
        raise NothingUsable(why, courses=len(courses), rooms=len(rooms), faculty=len(faculty))
    return Imported(
        dataset=Dataset(
            name=tables.name,
            time_grid=tables.time_grid,
            rooms=rooms,
            faculty=faculty,
            courses=courses,
            rules=tables.rules,
        ),
        decisions=tuple(work.decisions),
        repairs=tuple(work.repairs),
        unusable=tuple(work.unusable),
        rows={
            "rooms": len(tables.rooms),
            "faculty": len(tables.faculty),
            "course_offerings": len(tables.offerings),
            "course_enrollments": sum(map(len, tables.enrolments.values())) + sum(tables.left_out.values()),
        },
    )


def _nothing(work: Repairs, tables: PlatformTables, what: str) -> str:
    read = f"{len(tables.offerings)} active offerings and {len(tables.rooms)} active rooms were read"
    first = f"; the first that cannot be used: {work.unusable[0].message}" if work.unusable else ""
    return f"{tables.name!r} has no usable {what} for this semester: {read}{first}"


def listed(cell: str) -> list[str]:
    """The entries of a list column: JSON text (also of a jsonb object's keys that are true), `{a,b}`, or `a, b`."""
    text = cell.strip()
    try:
        found = json.loads(text)
    except ValueError:
        found = [part.strip().strip('"') for part in text.strip("{}").split(",")]
    if isinstance(found, dict):
        found = [key for key, value in found.items() if value]
    entries = found if isinstance(found, list) else [found]
    return [str(entry) for entry in entries if entry not in (None, "", False)]


def _departments(tables: PlatformTables) -> Mapping[str, str]:
    """Id -> what people call it, of every department that a room or an offering names."""
    rows = {row["dept_id"]: row for row in tables.departments}
    ids = dict.fromkeys(row["dept_id"] for row in (*tables.rooms, *tables.offerings) if row["dept_id"])
    return labels_of(_department(id, rows.get(id)) for id in ids)


def _department(id: str, row: Row | None) -> Named:
    code, name = (row["dept_code"], row["dept_name"]) if row else ("", "")
    return Named(id, code or name or readable(id) or "another department", (name, readable(id)))


def _rooms(work: Repairs, rows: Sequence[Row], departments: Mapping[str, str]) -> list[Room]:
    rooms: list[Room] = []
    for row in work.unique(rows, "room_id"):
        if row["is_bookable"].lower() in _FALSE:
            work.refused(row, "is_bookable", "the room may not be booked")
        elif word(row["room_status"]) in _UNUSABLE_ROOM:
            work.refused(row, "room_status", "the room is not in use")
        else:
            rooms.append(_room(work, row, departments))
    return rooms


def _room(work: Repairs, row: Row, departments: Mapping[str, str]) -> Room:
    own = row["allow_cross_department_usage"].lower() in _FALSE
    return Room(
        id=row["room_id"],
        code=row["room_code"],
        name=row["room_number"] or row["room_code"] or row["room_id"],
        capacity=_number(work, row, "seating_capacity", 1, 10_000, DEFAULT_CAPACITY),
        type=_kind(word(row["room_type"]) or "classroom", departments.get(row["dept_id"], "") if own else ""),
        features=tuple(dict.fromkeys(word(feature) for feature in listed(row["features"]) if word(feature))),
        building=row["building_id"] or None,
        department_id=(row["dept_id"] or None) if own else None,
    )


def _kind(kind: str, department: str) -> str:
    """Type of a room; one that a department keeps to itself has a type of its own, so nobody else may use it."""
    return f"{kind} of {department}" if department else kind


def _number(work: Repairs, row: Row, column: str, low: int, high: int, default: int) -> int:
    """Like `Repairs.number`, but an empty cell is the platform's way of saying "the default" and no fault."""
    return work.number(row, column, low, high, default) if row[column] else default


def _teacher(work: Repairs, row: Row, grid: TimeGrid) -> Faculty:
    name = " ".join(part for part in (row["first_name"], row["last_name"]) if part)
    hours = DEFAULT_HOURS if "max_hours_per_week" not in row.cells else UNLIMITED_HOURS
    stated = row["max_hours_per_week"] not in ("", "0")
    return Faculty(
        id=row["faculty_id"],
        code=row["faculty_code"],
        name=name or row["faculty_code"] or row["faculty_id"],
        department_id=row["dept_id"] or None,
        max_sessions_per_week=_number(work, row, "max_hours_per_week", 1, 168, hours) if stated else hours,
        unavailable=_research_slots(work, row, grid),
        preferences=_preferences(work, row, grid),
    )


def _preferences(work: Repairs, row: Row, grid: TimeGrid) -> dict[int, float]:
    wanted = row["preferred_time_slot"].upper()
    if wanted in ("", "ANY"):
        return {}
    if wanted not in _TIMES:
        work.repaired(row, "preferred_time_slot", "is none of MORNING, AFTERNOON, EVENING, ANY; any time will do")
        return {}
    begin, end = _TIMES[wanted]
    return {slot: LIKED if begin <= grid.start_of(slot) < end else NOT_LIKED for slot in grid.slots}


def _research_slots(work: Repairs, row: Row, grid: TimeGrid) -> tuple[int, ...]:
    said = row["research_day"].lower()
    if said in ("", "none", "any"):
        return ()
    day = int(said) if said.isdecimal() else next((n for n, name in enumerate(_DAYS) if said.startswith(name)), -1)
    if not 0 <= day < grid.num_days:
        work.repaired(row, "research_day", "is no working day; it is left out")
        return ()
    return tuple(grid.slots_of(day))


class _Batches:
    """
    Who belongs to which batch.

    A batch attends a course when every active student of it does: whoever looks for a course by batch finds it for all
    of them. Of a batch that is spread over parallel sections, each student has to be found one by one.
    """

    def __init__(self, tables: PlatformTables) -> None:
        self._of = tables.batch_of
        self._sizes = Counter(tables.batch_of.values())
        self._names = {row["batch_id"]: row["batch_name"] or row["batch_code"] for row in tables.batches}

    def attending(self, students: Sequence[str]) -> dict[str, str]:
        """Id -> name of those whose students are all among these."""
        present = Counter(self._of[student] for student in students if student in self._of)
        return {id: self._names.get(id) or readable(id) for id in sorted(present) if present[id] == self._sizes[id]}


class _Courses:
    """Makes courses of offerings, knowing which rooms, teachers and batches there are."""

    def __init__(
        self,
        work: Repairs,
        rooms: Sequence[Room],
        faculty: Sequence[Faculty],
        batches: _Batches,
        departments: Mapping[str, str],
    ) -> None:
        self._work, self._batches, self._departments = work, batches, departments
        self._open = dict.fromkeys(room.type for room in rooms if room.department_id is None)
        self._reserved: dict[str, list[str]] = {}
        for room in rooms:
            if room.department_id is not None and room.type not in self._reserved.setdefault(room.department_id, []):
                self._reserved[room.department_id].append(room.type)
        self._features = {feature for room in rooms for feature in room.features}
        self._largest = max((room.capacity for room in rooms), default=0)
        self._teachers = {teacher.id for teacher in faculty}

    def of(self, tables: PlatformTables) -> tuple[Course, ...]:
        courses: list[Course] = []
        for row in self._work.unique(tables.offerings, "offering_id"):
            students = tables.enrolments.get(row["offering_id"], ())
            if absent := tables.left_out.get(row["offering_id"], 0):
                message = f"{absent} enrolments are of students that are not active; they are left out"
                self._work.repaired(row, "offering_id", message)
            if teachers := self._taught_by(row):
                courses += self._attended(row, students, teachers)
        return tuple(courses)

    def _attended(self, row: Row, students: Sequence[str], teachers: Sequence[str]) -> list[Course]:
        if not students:
            self._work.refused(row, "offering_id", "no active student is enrolled in this offering")
            return []
        return self._sections(row, students, teachers)

    def _taught_by(self, row: Row) -> list[str]:
        """Primary teacher and co-teachers, each once; none when the row cannot be used, which is noted."""
        if not row["primary_faculty_id"]:
            self._work.refused(row, "primary_faculty_id", "the offering has no primary teacher")
            return []
        named = list(dict.fromkeys([row["primary_faculty_id"], *listed(row["co_faculty_ids"])]))
        known = [teacher for teacher in named if teacher in self._teachers]
        if not known:
            self._work.refused(row, "primary_faculty_id", "names no active teacher")
        elif missing := [teacher for teacher in named if teacher not in self._teachers]:
            column = "primary_faculty_id" if named[0] in missing else "co_faculty_ids"
            self._work.repaired(row, column, f"{', '.join(missing)} is no active teacher; the others teach it")
        return known

    def _sections(self, row: Row, students: Sequence[str], teachers: Sequence[str]) -> list[Course]:
        work, id = self._work, f"{row['course_id']}_off_{row['offering_id']}"
        sections = list(sections_of(students))
        hours = _number(work, row, "lecture_hours_per_week", 1, 10, DEFAULT_SESSIONS)
        credits = _number(work, row, "credits", 1, MAX_CREDITS, DEFAULT_CREDITS)
        types, features = self._room_types(row), self._required_features(row)
        parallel = len(sections) > 1
        return [
            Course(
                id=f"{id}_sec{number}" if parallel else id,
                code=row["course_code"] or row["course_id"],
                name=(row["course_name"] or row["course_id"])
                + (f" (Sec {number + 1}/{len(sections)})" if parallel else ""),
                department_id=row["dept_id"] or None,
                subject_type=word(row["course_type"]) or CORE_SUBJECT_TYPE,
                credits=credits,
                faculty_ids=(teachers[number % len(teachers)],) if parallel else tuple(teachers),
                student_ids=tuple(section),
                batches=self._batches.attending(section),
                expected_students=None if parallel else self._seats(row, len(section)),
                sessions_per_week=hours,
                room_types=types,
                required_features=features,
                min_days=min(hours, 2),
            )
            for number, section in enumerate(sections)
        ]

    def _room_types(self, row: Row) -> tuple[str, ...]:
        """The types a course may use: the wanted one, where there is one, open to all or kept for its department."""
        wanted, department = word(row["room_type_required"]), row["dept_id"]
        own = self._reserved.get(department, [])
        if wanted:
            kept = _kind(wanted, self._departments.get(department, ""))
            found = [kind for kind in (wanted, kept) if kind in self._open or kind in own]
            if found:
                return tuple(dict.fromkeys(found))
            self._work.repaired(row, "room_type_required", "no room open to this course has this type; any will do")
        else:
            fitting = self._without_labs(row, (*self._open, *own))
            if fitting:
                return fitting
        if not self._reserved:
            return ()
        allowed = (*self._open, *own)
        if not allowed:
            self._work.repaired(row, "dept_id", "every room is kept for another department; any will do")
        return allowed

    def _without_labs(self, row: Row, types: Sequence[str]) -> tuple[str, ...]:
        """Lectures stay out of laboratories, laboratory courses out of the rest; nothing where there is no choice."""
        labs = tuple(kind for kind in types if is_lab(kind))
        others = tuple(kind for kind in types if kind not in labs)
        if not labs or not others:
            return ()
        message = (
            "a course that names no type of room is kept out of laboratories, unless its name or type asks for one"
        )
        self._work.decided("rooms", "rooms", message)
        return labs if is_lab(row["course_name"]) or is_lab(row["course_type"]) else others

    def _required_features(self, row: Row) -> tuple[str, ...]:
        wanted = dict.fromkeys(word(feature) for feature in listed(row["room_features_required"]))
        if missing := [feature for feature in wanted if feature not in self._features]:
            message = f"no usable room has {', '.join(missing)}; done without"
            self._work.repaired(row, "room_features_required", message)
        return tuple(feature for feature in wanted if feature in self._features)

    def _seats(self, row: Row, students: int) -> int | None:
        least = _number(self._work, row, "min_room_capacity", 0, 10_000, 0)
        if least > max(self._largest, students):
            self._work.repaired(row, "min_room_capacity", "no usable room is that large; its students count")
            return None
        return least if least > students else None
