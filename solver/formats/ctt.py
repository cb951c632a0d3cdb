"""
Curriculum-based course timetabling, ITC-2007 track 3: problems (`.ctt`) and answers (`.sol`).

A problem becomes a rule profile, UD2, of the one model: curricula are groups, unavailability is the complement of
`allowed_slots`, and the four soft rules of the competition carry its weights. Our soft cost of a timetable is then the
official validator's (Di Gaspero, McCollum, Schaerf 2007, "The Second International Timetabling Competition (ITC-2007):
Curriculum-based course timetabling (track 3)"). Days and periods count from 0 in both kinds of file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from solver.calendar import TimeGrid, clock_of
from solver.checks import dataset_issues
from solver.errors import InputError, Issue
from solver.formats.ctt_rows import END, NAME, Row, Rows, grid_size, is_number, lines, scan
from solver.formats.issues import MAX_COUNTED_ISSUES, MAX_TEXT, raise_if_any
from solver.formats.remaining import unchecked
from solver.formats.unsayable import IN_NEITHER, Fields, unsayable, unsayable_fields
from solver.model import Course, Dataset, Faculty, Group, Placement, Room, RuleSetting, Timetable
from solver.rules import ON_TOP_OF, ON_WHERE, RULES, profile_of

__all__ = ["UD2_RULES", "UD2_WEIGHTS", "dump_ctt", "dump_solution", "load_ctt", "load_solution"]

UD2_WEIGHTS: Mapping[str, int] = {"room_capacity": 1, "min_days": 5, "isolated_session": 2, "room_stability": 1}
UD2_RULES: Mapping[str, RuleSetting] = {
    **{rule.id: RuleSetting(tier="off") for rule in RULES if rule.tier == "soft" or rule.id in ON_WHERE},
    **{name: RuleSetting(tier="soft", weight=weight) for name, weight in UD2_WEIGHTS.items()},
    **{name: RuleSetting(tier="off") for name in ON_TOP_OF},
}

_DAY_START, _HOUR = 8 * 60, 60
# Sections whose rows are entries of a collection of the model, in the same order.
_COLLECTIONS = {"rooms": "ROOMS", "groups": "CURRICULA", "courses": "COURSES"}


def load_ctt(text: str) -> Dataset:
    """
    The dataset of a `.ctt` text.

    Raises
    ------
    InputError
        With every problem; pointers are `/line/<n>`, counted from 1.
    """
    _refuse_extended(text)
    rows = scan(text)
    size = grid_size(rows)
    if size is None:
        raise_if_any(sorted(rows.issues, key=_line_of))
    days, periods = size or (1, 1)
    parts: dict[str, Any] = {
        "name": " ".join(rows.header[NAME].words) if NAME in rows.header else "",
        "time_grid": _grid(days, periods),
        "rooms": tuple(Room(id=row.words[0], capacity=row.number(1)) for row in rows.sections["ROOMS"]),
        "faculty": tuple(Faculty(id=id) for id in dict.fromkeys(row.words[1] for row in rows.sections["COURSES"])),
        "groups": tuple(Group(id=row.words[0]) for row in rows.sections["CURRICULA"]),
        "courses": _courses(rows, days, periods),
        "rules": dict(UD2_RULES),
    }
    dataset = unchecked(parts)
    stream = dataset_issues(dataset)
    first = list(islice(stream, 1))
    placed = islice(_model_issues(chain(first, stream), rows), MAX_COUNTED_ISSUES + 1)
    raise_if_any(sorted([*rows.issues, *placed], key=_line_of))
    # What has no line in the file is still wrong.
    raise_if_any(first)
    return dataset


_EXTENSIONS = ("Min_Max_Daily_Lectures", "UnavailabilityConstraints", "RoomConstraints", "ROOM_CONSTRAINTS")
"""First words of lines that only the extended format has; in it courses and rooms have a column more, too."""


def _refuse_extended(text: str) -> None:
    """Raises `InputError` for the extended format, whose rows would be a hundred faults without it."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.split(":")[0].strip() in _EXTENSIONS:
            message = (
                "this is the extended format (.ectt, formulations UD3 to UD5), which is not read: it has limits of "
                "lectures a day, rooms closed to a course, double lectures and buildings, for which .ctt has no place; "
                "give the plain .ctt file of the problem"
            )
            raise InputError([Issue(pointer=f"/line/{number}", code="extended_format", message=message)])


def _line_of(issue: Issue) -> int:
    return int(issue.pointer.removeprefix("/line/") or 0)


def _model_issues(issues: Iterable[Issue], rows: Rows) -> Iterator[Issue]:
    """What the model found wrong, at the line that says so; nothing that follows only from rows that were left out."""
    for issue in issues:
        collection, index = [*issue.pointer.split("/")[1:], ""][:2]
        section = rows.sections[_COLLECTIONS[collection]] if collection in _COLLECTIONS else []
        if index.isdigit() and int(index) < len(section):
            line = section[int(index)].line
        elif issue.code == "empty" and rows.is_whole(_COLLECTIONS[collection]):
            line = 1
        else:
            continue
        yield Issue(pointer=f"/line/{line}", code=issue.code, message=issue.message, value=issue.value)


def _grid(days: int, periods: int) -> TimeGrid:
    """Hours from 08:00 on; where the day is too short for that, equal periods from midnight on. There is no lunch."""
    fits = _DAY_START + periods * _HOUR <= 24 * 60
    start, length = (_DAY_START, _HOUR) if fits else (0, 24 * 60 // periods)
    return TimeGrid(
        working_days=days,
        slots_per_day=periods,
        start_time=clock_of(start),
        end_time=clock_of(start + periods * length),
        slot_minutes=length,
        lunch=None,
    )


def _courses(rows: Rows, days: int, periods: int) -> tuple[Course, ...]:
    known = {row.words[0] for row in rows.sections["COURSES"]}
    curricula = _curricula_by_course(rows, known)
    closed = _closed_slots(rows, known, days, periods)
    return tuple(
        Course(
            id=row.words[0],
            code=row.words[0],
            faculty_ids=(row.words[1],),
            group_ids=tuple(curricula[row.words[0]]),
            sessions_per_week=row.number(2),
            min_days=row.number(3),
            expected_students=row.number(4),
            max_sessions_per_day=None,
            allowed_slots=tuple(t for t in range(days * periods) if t not in closed[row.words[0]])
            if row.words[0] in closed
            else None,
        )
        for row in rows.sections["COURSES"]
    )


def _curricula_by_course(rows: Rows, known: set[str]) -> Mapping[str, Iterable[str]]:
    curricula: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows.sections["CURRICULA"]:
        id, members = row.words[0], row.words[2:]
        if len(members) != row.number(1):
            message = f"curriculum {id!r} announces {row.words[1]} courses and names {len(members)}"
            rows.report(row.line, "wrong_count", message, row.number(1))
        for course_id, times in Counter(members).items():
            if times > 1:
                rows.report(row.line, "duplicate", f"curriculum {id!r} names {course_id!r} twice", course_id)
            _check_course(rows, row, course_id, known)
            curricula[course_id][id] = None
    return curricula


def _closed_slots(rows: Rows, known: set[str], days: int, periods: int) -> Mapping[str, set[int]]:
    """Slots at which a course cannot be held, for every course that has any."""
    closed: dict[str, set[int]] = {}
    for row in rows.sections["UNAVAILABILITY_CONSTRAINTS"]:
        course_id, day, period = row.words[0], row.number(1), row.number(2)
        _check_course(rows, row, course_id, known)
        if day < days and period < periods:
            closed.setdefault(course_id, set()).add(day * periods + period)
        else:
            message = (
                f"no slot is at day {day}, period {period}; there are days 0 to {days - 1}, periods 0 to {periods - 1}"
            )
            rows.report(row.line, "bad_slot", message, [day, period])
    return closed


def _check_course(rows: Rows, row: Row, course_id: str, known: set[str]) -> None:
    """Where the row of a course could not be read, nobody is told that its id is unknown."""
    if course_id not in known and rows.is_whole("COURSES"):
        rows.report(row.line, "dangling_id", f"there is no course {course_id[:MAX_TEXT]!r}", course_id)


# --- writing a problem ----------------------------------------------------------------------------------------------


def dump_ctt(dataset: Dataset) -> str:
    """
    The dataset as `.ctt` text. Labels (names, codes, departments) are not part of the format and are left out.

    Raises
    ------
    InputError
        The dataset demands something that the format cannot say; every such field has a JSON pointer.
    """
    raise_if_any(_obstacles(dataset))
    grid = dataset.time_grid
    members: dict[str, list[str]] = {group.id: [] for group in dataset.groups}
    for course in dataset.courses:
        for group_id in course.group_ids:
            members[group_id].append(course.id)
    sections: Mapping[str, list[str]] = {
        "COURSES": [
            f"{c.id} {c.faculty_ids[0]} {c.sessions_per_week} {c.min_days} {dataset.expected_students(c)}"
            for c in dataset.courses
        ],
        "ROOMS": [f"{room.id} {room.capacity}" for room in dataset.rooms],
        "CURRICULA": [" ".join([id, str(len(of)), *of]) for id, of in members.items()],
        "UNAVAILABILITY_CONSTRAINTS": [
            f"{course.id} {grid.day_of(slot)} {grid.period_of(slot)}"
            for course in dataset.courses
            if course.allowed_slots is not None
            for slot in range(grid.num_slots)
            if slot not in course.allowed_slots
        ],
    }
    courses, rooms, curricula, closed = map(len, sections.values())
    text = [
        f"{NAME}: {' '.join(dataset.name.split())}",
        f"Courses: {courses}",
        f"Rooms: {rooms}",
        f"Days: {grid.num_days}",
        f"Periods_per_day: {grid.num_periods}",
        f"Curricula: {curricula}",
        f"Constraints: {closed}",
    ]
    for section, entries in sections.items():
        text += ["", f"{section}:", *entries]
    return "\n".join([*text, "", END, ""])


# Fields that limit what a timetable may be and that the format has no words for, with the values that limit nothing.
_UNLIMITED: Fields = {
    "faculty": {"unavailable": (), "max_sessions_per_week": None, "max_sessions_per_day": None},
    "groups": {"unavailable": (), "max_sessions_per_day": None},
    "courses": {"student_ids": (), "required_features": (), "max_sessions_per_day": None},
}
"""What only .ctt has no word for."""


def _obstacles(dataset: Dataset) -> Iterator[Issue]:
    """Everything in a dataset that would be lost in the format."""
    for collection in ("rooms", *_UNLIMITED):
        yield from _spaced(collection, [entry.id for entry in getattr(dataset, collection)])
    for fields in (IN_NEITHER, _UNLIMITED):
        yield from unsayable_fields(".ctt", dataset, fields)
    for i, course in enumerate(dataset.courses):
        if len(course.faculty_ids) != 1:
            yield _unsayable(
                f"/courses/{i}/faculty_ids", course.faculty_ids, "a course has exactly one teacher in .ctt"
            )
    if dataset.links:
        yield _unsayable("/links", len(dataset.links))
    ours = profile_of(dataset)
    for id, rule in profile_of(dataset, UD2_RULES).rules.items():
        # Without students nothing comes on top of a clash, and datasets of before that rule do not turn it off.
        if rule != ours[id] and id not in ON_TOP_OF:
            yield _unsayable(f"/rules/{id}", ours[id].tier, f"in .ctt the rule {id} has the tier and weight of UD2")


def _unsayable(pointer: str, value: object, message: str = "") -> Issue:
    return unsayable(".ctt", pointer, value, message)


def _spaced(collection: str, ids: Iterable[str]) -> Iterator[Issue]:
    for i, id in enumerate(ids):
        if len(id.split()) != 1:
            yield _unsayable(
                f"/{collection}/{i}/id", id, f"an id with white space cannot be written: {id[:MAX_TEXT]!r}"
            )


# --- answers --------------------------------------------------------------------------------------------------------


def dump_solution(dataset: Dataset, timetable: Timetable) -> str:
    """
    The timetable as the competition's validator reads it: a line `course room day period` per placed session.

    Courses stand in the order of the dataset, their sessions by number; of a longer session the first slot is written.

    Raises
    ------
    InputError
        An id contains white space, or a placement names a session that the dataset does not have.
    """
    order = {key: n for n, key in enumerate(dataset.sessions)}
    raise_if_any(
        Issue(pointer=f"/placements/{i}", code="dangling_id", message=_no_session(p), value=list(p.key))
        for i, p in enumerate(timetable.placements)
        if p.key not in order
    )
    raise_if_any(
        _unsayable(f"/placements/{i}/room_id", list(p.room_ids), "in .ctt a lecture has exactly one room")
        for i, p in enumerate(timetable.placements)
        if len(p.room_ids) != 1
    )
    raise_if_any(_spaced("rooms", [room.id for room in dataset.rooms]))
    raise_if_any(_spaced("courses", [course.id for course in dataset.courses]))
    grid = dataset.time_grid
    placed = sorted(timetable.placements, key=lambda p: order[p.key])
    return "".join(f"{p.course_id} {p.room_id} {grid.day_of(p.slot)} {grid.period_of(p.slot)}\n" for p in placed)


def _no_session(placement: Placement) -> str:
    return f"course {placement.course_id!r} has no session {placement.session + 1}"


def load_solution(text: str, dataset: Dataset) -> Timetable:
    """
    The timetable of a `.sol` text. Lines of a course are its sessions 0, 1, ... as they come; lectures may be missing.

    Raises
    ------
    InputError
        With every problem; pointers are `/line/<n>`, counted from 1.
    """
    issues: list[Issue] = []
    placements: list[Placement] = []
    lectures: Counter[str] = Counter()
    for row in lines(text):
        found = list(_answer_issues(row, dataset, lectures))
        issues += found
        if not found:
            course_id, room_id = row.words[:2]
            slot = row.number(2) * dataset.time_grid.num_periods + row.number(3)
            placements.append(Placement(course_id=course_id, session=lectures[course_id], slot=slot, room_id=room_id))
        lectures[row.words[0]] += 1
    raise_if_any(issues)
    return Timetable(placements=tuple(placements))


def _answer_issues(row: Row, dataset: Dataset, lectures: Mapping[str, int]) -> Iterator[Issue]:
    """What is wrong with one line of an answer; `lectures` counts the lines of each course so far."""

    def issue(code: str, message: str, value: object) -> Issue:
        return Issue(pointer=f"/line/{row.line}", code=code, message=message, value=value)

    if len(row.words) != 4:
        yield issue("wrong_count", "a line has four columns: course room day period", " ".join(row.words))
        return
    course_id, room_id, *place = row.words
    course, grid = dataset.course.get(course_id), dataset.time_grid
    if course is None:
        yield issue("dangling_id", f"there is no course {course_id!r}", course_id)
    elif lectures.get(course_id, 0) >= course.sessions_per_week:
        message = f"course {course_id!r} has {course.sessions_per_week} lectures, this is one more"
        yield issue("too_many", message, course_id)
    if room_id not in dataset.room:
        yield issue("dangling_id", f"there is no room {room_id!r}", room_id)
    for word, what, size in zip(place, ("day", "period"), (grid.num_days, grid.num_periods), strict=True):
        if not is_number(word):
            yield issue("wrong_type", f"{what} must be a whole number, got {word!r}", word)
        elif int(word) >= size:
            yield issue("bad_slot", f"{what} must be 0 to {size - 1}, got {word}", int(word))
