"""
Curriculum-based course timetabling, ITC-2007 track 3: problems (`.ctt`) and answers (`.sol`).

A problem becomes a rule profile, UD2, of the one model: curricula are groups, unavailability is the complement of
`allowed_slots`, and the four soft rules of the competition carry its weights, so that our soft cost of a timetable is the
official validator's (Di Gaspero, McCollum, Schaerf 2007, "The Second International Timetabling Competition (ITC-2007):
Curriculum-based course timetabling (track 3)"). Days and periods count from 0 in both kinds of file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from solver.formats.issues import MAX_TEXT, raise_if_any
from solver.model import (
    MAX_DAYS,
    MAX_SLOTS_PER_DAY,
    Course,
    Dataset,
    Faculty,
    Group,
    InputError,
    Issue,
    Placement,
    Room,
    RuleSetting,
    TimeGrid,
    Timetable,
    clock_of,
)
from solver.rules import RULES, profile_of

UD2_WEIGHTS: Mapping[str, int] = {"room_capacity": 1, "min_days": 5, "isolated_session": 2, "room_stability": 1}
UD2_RULES: Mapping[str, RuleSetting] = {
    **{rule.id: RuleSetting(tier="off") for rule in RULES if rule.tier == "soft"},
    **{name: RuleSetting(tier="soft", weight=weight) for name, weight in UD2_WEIGHTS.items()},
}

MAX_CHARACTERS = 16 * 2**20
_DAY_START, _HOUR = 8 * 60, 60
_HEADER = {"Name", "Courses", "Rooms", "Days", "Periods_per_day", "Curricula", "Constraints"}
_SECTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "COURSES": ("Courses", ("course", "teacher", "lectures", "min_days", "students")),
    "ROOMS": ("Rooms", ("room", "capacity")),
    "CURRICULA": ("Curricula", ("curriculum", "courses", "members")),
    "UNAVAILABILITY_CONSTRAINTS": ("Constraints", ("course", "day", "period")),
}
"""Section -> (header field that says how many rows it has, columns)."""
_NUMBERS = {"lectures", "min_days", "students", "capacity", "courses", "day", "period"}
_END = "END."


class _Row(NamedTuple):
    line: int
    words: tuple[str, ...]

    def number(self, column: int) -> int:
        return int(self.words[column])


@dataclass
class _Problem:
    """A file while it is read: its rows by section, and what was wrong with the others."""

    header: dict[str, _Row] = field(default_factory=dict)
    rows: dict[str, list[_Row]] = field(default_factory=lambda: {section: [] for section in _SECTIONS})
    began: dict[str, int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def report(self, line: int, code: str, message: str, value: object = None) -> None:
        self.issues.append(Issue(pointer=f"/line/{line}", code=code, message=message, value=value))


def load_ctt(text: str) -> Dataset:
    """
    The dataset of a `.ctt` text.

    Raises
    ------
    InputError
        With every problem; pointers are `/line/<n>`, counted from 1.
    """
    problem = _scan(text)
    _check_header(problem)
    _check_counts(problem)
    if not {"Days", "Periods_per_day"} <= problem.header.keys():
        raise_if_any(_by_line(problem.issues))
    days, periods = (problem.header[key].number(0) for key in ("Days", "Periods_per_day"))
    courses = _courses(problem, days, periods)
    try:
        dataset = Dataset(
            name=" ".join(problem.header["Name"].words) if "Name" in problem.header else "",
            time_grid=_grid(days, periods),
            rooms=tuple(Room(id=row.words[0], capacity=row.number(1)) for row in problem.rows["ROOMS"]),
            faculty=tuple(Faculty(id=id) for id in dict.fromkeys(row.words[1] for row in problem.rows["COURSES"])),
            groups=tuple(Group(id=row.words[0]) for row in problem.rows["CURRICULA"]),
            courses=courses,
            rules=dict(UD2_RULES),
        )
    except InputError as error:
        problem.issues.extend(_at_line(issue, problem) for issue in error.issues)
    raise_if_any(_by_line(problem.issues))
    return dataset


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
    closed = [
        f"{course.id} {grid.day_of(slot)} {grid.period_of(slot)}"
        for course in dataset.courses
        for slot in range(grid.num_slots)
        if course.allowed_slots is not None and slot not in course.allowed_slots
    ]
    members: dict[str, list[str]] = {group.id: [] for group in dataset.groups}
    for course in dataset.courses:
        for group_id in course.group_ids:
            members[group_id].append(course.id)
    courses = [
        f"{c.id} {c.faculty_ids[0]} {c.sessions_per_week} {c.min_days} {dataset.expected_students(c)}"
        for c in dataset.courses
    ]
    header = {
        "Name": " ".join(dataset.name.split()) or "timetable",
        "Courses": len(courses),
        "Rooms": len(dataset.rooms),
        "Days": grid.num_days,
        "Periods_per_day": grid.num_periods,
        "Curricula": len(members),
        "Constraints": len(closed),
    }
    sections: Mapping[str, Iterable[str]] = {
        "COURSES": courses,
        "ROOMS": [f"{room.id} {room.capacity}" for room in dataset.rooms],
        "CURRICULA": [" ".join([id, str(len(of)), *of]) for id, of in members.items()],
        "UNAVAILABILITY_CONSTRAINTS": closed,
    }
    lines = [f"{key}: {value}" for key, value in header.items()]
    for section, rows in sections.items():
        lines += ["", f"{section}:", *rows]
    return "\n".join([*lines, "", _END, ""])


def dump_solution(dataset: Dataset, timetable: Timetable) -> str:
    """
    The timetable as the competition's validator reads it: a line `course room day period` per placed session.

    Courses stand in the order of the dataset, their sessions by number; of a longer session the first slot is written.

    Raises
    ------
    InputError
        An id contains white space, which the format cannot say, or a placement names an unknown course.
    """
    raise_if_any(_spaced("rooms", (room.id for room in dataset.rooms)))
    raise_if_any(_spaced("courses", (course.id for course in dataset.courses)))
    order = {key: n for n, key in enumerate(dataset.sessions)}
    raise_if_any(
        Issue(pointer=f"/placements/{i}", code="dangling_id", message=f"there is no session {p.key}", value=list(p.key))
        for i, p in enumerate(timetable.placements)
        if p.key not in order
    )
    grid = dataset.time_grid
    placed = sorted(timetable.placements, key=lambda p: order[p.key])
    return "".join(f"{p.course_id} {p.room_id} {grid.day_of(p.slot)} {grid.period_of(p.slot)}\n" for p in placed)


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
    for row in _lines(text):
        fault = _solution_fault(row, dataset, lectures)
        if fault is not None:
            code, message, value = fault
            issues.append(Issue(pointer=f"/line/{row.line}", code=code, message=message, value=value))
            continue
        course_id, room_id = row.words[:2]
        slot = row.number(2) * dataset.time_grid.num_periods + row.number(3)
        placements.append(Placement(course_id=course_id, session=lectures[course_id], slot=slot, room_id=room_id))
        lectures[course_id] += 1
    raise_if_any(issues)
    return Timetable(placements=tuple(placements))


_Fault = tuple[str, str, object]


def _solution_fault(row: _Row, dataset: Dataset, lectures: Counter[str]) -> _Fault | None:
    """What is wrong with one line of an answer: code, message, value."""
    if len(row.words) != 4:
        return "wrong_count", "a line has four columns: course room day period", " ".join(row.words)
    course_id, room_id, *place = row.words
    if course_id not in dataset.course:
        return "dangling_id", f"there is no course {course_id!r}", course_id
    if room_id not in dataset.room:
        return "dangling_id", f"there is no room {room_id!r}", room_id
    sizes = {"day": dataset.time_grid.num_days, "period": dataset.time_grid.num_periods}
    for word, (what, size) in zip(place, sizes.items(), strict=True):
        if not _is_number(word):
            return "wrong_type", f"{what} must be a whole number, got {word!r}", word
        if int(word) >= size:
            return "bad_slot", f"{what} must be 0 to {size - 1}, got {word}", int(word)
    wanted = dataset.course[course_id].sessions_per_week
    if lectures[course_id] == wanted:
        return "too_many", f"course {course_id!r} has {wanted} lectures, this is one more", course_id
    return None


# --- reading a problem ----------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[_Row]:
    """The words of every line that has any. Raises InputError for a text of absurd length."""
    if len(text) > MAX_CHARACTERS:
        message = f"the text has {len(text)} characters, at most {MAX_CHARACTERS} are accepted"
        raise InputError([Issue(pointer="", code="too_large", message=message, value=len(text))])
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        words = tuple(line.split())
        if words:
            yield _Row(number, words)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 9


def _scan(text: str) -> _Problem:
    """Sorts the lines into header and sections; a row with a fault of its own is reported and left out."""
    problem = _Problem()
    section: str | None = None
    for row in _lines(text):
        first = row.words[0]
        if first == _END:
            break
        if len(row.words) == 1 and first.removesuffix(":") in _SECTIONS and first.endswith(":"):
            section = first.removesuffix(":")
            problem.began.setdefault(section, row.line)
        elif section is None:
            _scan_header(problem, row)
        elif _is_sound(problem, section, row):
            problem.rows[section].append(row)
    return problem


def _scan_header(problem: _Problem, row: _Row) -> None:
    key, _, rest = " ".join(row.words).partition(":")
    words = tuple(rest.split())
    if key not in _HEADER:
        problem.report(row.line, "unknown_field", f"no header field or section is called {key[:MAX_TEXT]!r}", key)
    elif key in problem.header:
        problem.report(row.line, "duplicate", f"{key} stands in the header twice", key)
    elif key != "Name" and (len(words) != 1 or not _is_number(words[0])):
        problem.report(row.line, "wrong_type", f"{key} must be a whole number, got {rest.strip()!r}", rest.strip())
    else:
        problem.header[key] = _Row(row.line, words)


def _is_sound(problem: _Problem, section: str, row: _Row) -> bool:
    """Whether a row has its columns, with numbers where they belong; reports it otherwise."""
    columns = _SECTIONS[section][1]
    is_list = columns[-1] == "members"
    wanted = len(columns) - is_list
    if len(row.words) < wanted or (len(row.words) > wanted and not is_list):
        message = f"a row of {section} has {'at least ' * is_list}{wanted} columns, this one has {len(row.words)}"
        problem.report(row.line, "wrong_count", message, " ".join(row.words))
        return False
    wrong = [
        (name, word)
        for name, word in zip(columns, row.words, strict=False)
        if name in _NUMBERS and not _is_number(word)
    ]
    for name, word in wrong:
        problem.report(row.line, "wrong_type", f"{name} must be a whole number, got {word[:MAX_TEXT]!r}", word)
    return not wrong


def _check_header(problem: _Problem) -> None:
    last = max((row.line for row in problem.header.values()), default=1)
    said_wrong = {issue.message.split(" ", 1)[0] for issue in problem.issues if issue.code == "wrong_type"}
    for key in sorted(_HEADER - problem.header.keys() - said_wrong):
        if key in {"Days", "Periods_per_day"}:
            problem.report(last, "missing", f"the header has no {key}")
    for key, most in (("Days", MAX_DAYS), ("Periods_per_day", MAX_SLOTS_PER_DAY)):
        row = problem.header.get(key)
        if row is not None and not 1 <= row.number(0) <= most:
            problem.report(row.line, "out_of_range", f"{key} must be 1 to {most}, got {row.words[0]}", row.number(0))
            del problem.header[key]


def _check_counts(problem: _Problem) -> None:
    """The header says how many rows each section has: a file that was cut off is noticed by that."""
    faulty = {issue.pointer for issue in problem.issues}
    for section, (key, _) in _SECTIONS.items():
        stated = problem.header.get(key)
        began = problem.began.get(section)
        following = [line for line in problem.began.values() if began is not None and line > began]
        within = range(began or 0, min(following, default=10**9))
        found = len(problem.rows[section]) + sum(int(pointer.rsplit("/", 1)[1]) in within for pointer in faulty)
        if stated is not None and found != stated.number(0):
            message = f"{key} is {stated.words[0]}, but section {section} has {found} rows"
            problem.report(stated.line, "wrong_count", message, stated.number(0))


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


def _courses(problem: _Problem, days: int, periods: int) -> tuple[Course, ...]:
    closed = _closed_slots(problem, days, periods)
    curricula = _curricula_of(problem)
    return tuple(
        Course(
            id=row.words[0],
            code=row.words[0],
            faculty_ids=(row.words[1],),
            group_ids=tuple(curricula.get(row.words[0], ())),
            sessions_per_week=row.number(2),
            min_days=row.number(3),
            expected_students=row.number(4),
            max_sessions_per_day=None,
            allowed_slots=tuple(t for t in range(days * periods) if t not in closed[row.words[0]])
            if row.words[0] in closed
            else None,
        )
        for row in problem.rows["COURSES"]
    )


def _is_course(problem: _Problem, row: _Row, word: str) -> bool:
    """Whether a course of this id was read; reported only when no course row was unreadable itself."""
    if any(other.words[0] == word for other in problem.rows["COURSES"]):
        return True
    problem.report(row.line, "dangling_id", f"there is no course {word[:MAX_TEXT]!r}", word)
    return False


def _curricula_of(problem: _Problem) -> dict[str, list[str]]:
    """Course id -> its curricula."""
    curricula: dict[str, list[str]] = {}
    for row in problem.rows["CURRICULA"]:
        id, members = row.words[0], row.words[2:]
        if len(members) != row.number(1):
            message = f"curriculum {id!r} says {row.words[1]} courses and names {len(members)}"
            problem.report(row.line, "wrong_count", message, row.number(1))
        for course_id, times in Counter(members).items():
            if times > 1:
                problem.report(row.line, "duplicate", f"curriculum {id!r} names {course_id!r} twice", course_id)
            if _is_course(problem, row, course_id):
                curricula.setdefault(course_id, []).append(id)
    return curricula


def _closed_slots(problem: _Problem, days: int, periods: int) -> dict[str, set[int]]:
    """Course id -> slots at which it cannot be held."""
    closed: dict[str, set[int]] = {}
    for row in problem.rows["UNAVAILABILITY_CONSTRAINTS"]:
        course_id, day, period = row.words[0], row.number(1), row.number(2)
        is_known = _is_course(problem, row, course_id)
        if day >= days or period >= periods:
            message = f"there is no day {day}, period {period}; days are 0 to {days - 1}, periods 0 to {periods - 1}"
            problem.report(row.line, "bad_slot", message, [day, period])
        elif is_known:
            closed.setdefault(course_id, set()).add(day * periods + period)
    return closed
