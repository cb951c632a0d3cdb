"""
Turns a planted university into records of the model.

Closures, limits, wishes, room features and pins are drawn here, always around the planted timetable, so that it keeps
every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from solver.calendar import TimeGrid
from solver.model import Course, Faculty, FixedSession, Group, Placement, Rating, Room, Timetable
from solver.samples.campus import Campus
from solver.samples.curriculum import Batch, Curriculum, Section
from solver.samples.planting import GROUP_SESSIONS_PER_DAY, LECTURE_ROOM_TYPES, Planted, shift_mask
from solver.samples.shapes import Shape
from solver.samples.staffing import SESSIONS_PER_DAY, Teacher

CLOSED_ROOM_SHARE = 0.1
HALF_DAY_SHARE = 0.03
"""Share of lectures that may only start in the morning, or only in the afternoon."""
FEATURE_SHARE = 0.25
SINGLE_MEETING_SHARE = 0.5
"""Share of courses that meet at most once a day; the others keep the default of the model."""
HISTORY_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class University:
    """All drafts of one university, complete with its planted timetable (one entry per section)."""

    shape: Shape
    curriculum: Curriculum
    campus: Campus
    teachers: Sequence[Teacher]
    planted: Sequence[Planted]

    def student_id(self, number: int) -> str:
        """The id of a student, counted from 0: "S00001" is the first."""
        return f"S{number + 1:05d}"

    def batch_id(self, batch: Batch) -> str:
        """The id of a batch, such as "B-CSE-1-A": department, year from 1, letter."""
        code = self.curriculum.departments[batch.department].code
        return f"B-{code}-{batch.year + 1}-{chr(ord('A') + batch.letter)}"

    def timetable(self) -> Timetable:
        """The planted timetable: complete, and without a breach of any hard rule."""
        return Timetable(
            placements=tuple(
                Placement(course_id=section.id, session=n, slot=slot, room_id=self.campus.rooms[room].id)
                for section, planted in zip(self.curriculum.sections, self.planted, strict=True)
                for n, (slot, room) in enumerate(zip(planted.slots, planted.rooms, strict=True))
            )
        )


def half_days(grid: TimeGrid) -> list[tuple[int, ...]]:
    """The slots of each morning and each afternoon, in order; without lunch the day is cut in the middle."""
    noon = grid.after_lunch(0) or grid.num_periods // 2
    cuts = ((0, noon), (noon, grid.num_periods))
    return [
        tuple(range(day * grid.num_periods + first, day * grid.num_periods + last))
        for day in range(grid.num_days)
        for first, last in cuts
        if last > first
    ]


def _covered(section: Section, planted: Planted) -> Iterator[int]:
    return (slot for start in planted.slots for slot in range(start, start + section.slots))


# --- faculty --------------------------------------------------------------------------------------------------------


def faculty(university: University, rng: Random) -> tuple[Faculty, ...]:
    """Teachers with limits; some come on a few half days only, most say what they like."""
    taught: list[set[int]] = [set() for _ in university.teachers]
    for section, planted in zip(university.curriculum.sections, university.planted, strict=True):
        for f in section.teachers:
            taught[f].update(_covered(section, planted))
    return tuple(_teacher(university, f, busy, rng) for f, busy in enumerate(taught))


def _teacher(university: University, f: int, busy: set[int], rng: Random) -> Faculty:
    teacher, shape = university.teachers[f], university.shape
    away: tuple[int, ...] = ()
    if rng.random() < shape.part_time_share:
        away = _away(shape.grid, busy, rng)
    likings = _likings(shape.grid, rng) if rng.random() < shape.preference_share else {}
    return Faculty(
        id=teacher.id,
        name=teacher.name,
        department_id=university.curriculum.departments[teacher.department].id,
        max_sessions_per_week=max(teacher.limit, teacher.load),
        max_sessions_per_day=SESSIONS_PER_DAY,
        unavailable=away,
        preferences={slot: liking for slot, liking in likings.items() if slot not in away},
    )


def _away(grid: TimeGrid, busy: set[int], rng: Random) -> tuple[int, ...]:
    """Half days without planted sessions, at most half of the week and never so many that choice vanishes."""
    free = [half for half in half_days(grid) if not busy & set(half)]
    slots_left = grid.num_slots
    away: list[int] = []
    for half in rng.sample(free, min(len(free), grid.num_days)):
        if slots_left - len(half) < 2 * len(busy) + len(half):
            break
        away += half
        slots_left -= len(half)
    return tuple(sorted(away))


def _likings(grid: TimeGrid, rng: Random) -> dict[int, float]:
    """One of three tempers: a half of the day, a disliked first or last period, a day for research."""
    temper = rng.randrange(3)
    if temper == 0:
        wanted = rng.randrange(2)
        return {slot: 0.9 for i, half in enumerate(half_days(grid)) if i % 2 == wanted for slot in half}
    if temper == 1:
        period = rng.choice((0, grid.num_periods - 1))
        return {day * grid.num_periods + period: 0.1 for day in range(grid.num_days)}
    day = rng.randrange(grid.num_days)
    return {day * grid.num_periods + period: 0.2 for period in range(grid.num_periods)}


def history(university: University, rng: Random) -> tuple[Rating, ...]:
    """How earlier terms went, for some teachers and slots."""
    return tuple(
        Rating(faculty_id=teacher.id, slot=slot, rating=round(rng.betavariate(5, 2), 2))
        for teacher in university.teachers
        if rng.random() < HISTORY_SHARE
        for slot in sorted(rng.sample(range(university.shape.grid.num_slots), 3))
    )


# --- rooms and groups -----------------------------------------------------------------------------------------------


def rooms(university: University, rng: Random) -> tuple[Room, ...]:
    """The campus, a tenth of it closed for a half day in which nothing was planted."""
    used: list[set[int]] = [set() for _ in university.campus.rooms]
    for section, planted in zip(university.curriculum.sections, university.planted, strict=True):
        for start, room in zip(planted.slots, planted.rooms, strict=True):
            used[room].update(range(start, start + section.slots))
    halves = half_days(university.shape.grid)
    return tuple(_closed(room, busy, halves, rng) for room, busy in zip(university.campus.rooms, used, strict=True))


def _closed(room: Room, busy: set[int], halves: Sequence[tuple[int, ...]], rng: Random) -> Room:
    free = [half for half in halves if not busy & set(half)]
    if not free or rng.random() >= CLOSED_ROOM_SHARE:
        return room
    return replace(room, unavailable=rng.choice(free))


def groups(university: University, rng: Random) -> tuple[Group, ...]:
    """The batches; those with a shift are unavailable outside of it."""
    shape, departments = university.shape, university.curriculum.departments
    result = []
    for batch in university.curriculum.batches:
        closed = shift_mask(shape.grid, shape.years[batch.year].shift) if rng.random() < shape.shift_share else 0
        department = departments[batch.department]
        result.append(
            Group(
                id=university.batch_id(batch),
                name=f"{department.name}, year {batch.year + 1}, section {chr(ord('A') + batch.letter)}",
                size=len(batch.students),
                department_id=department.id,
                max_sessions_per_day=GROUP_SESSIONS_PER_DAY,
                unavailable=tuple(slot for slot in range(shape.grid.num_slots) if closed >> slot & 1),
            )
        )
    return tuple(result)


# --- courses --------------------------------------------------------------------------------------------------------


def courses(university: University, rng: Random) -> tuple[Course, ...]:
    """Every section as a course."""
    first_of_code: dict[str, str] = {}
    for section in university.curriculum.sections:
        first_of_code.setdefault(section.code, section.id)
    return tuple(
        _course(university, section, planted, first_of_code, rng)
        for section, planted in zip(university.curriculum.sections, university.planted, strict=True)
    )


def _course(
    university: University, section: Section, planted: Planted, first_of_code: dict[str, str], rng: Random
) -> Course:
    campus, batches = university.campus, university.curriculum.batches
    final_year = section.year == len(university.shape.years) - 1 and not section.elective
    return Course(
        id=section.id,
        code=section.code,
        name=section.name,
        department_id=university.curriculum.departments[section.department].id,
        subject_type=section.subject_type,
        credits=section.meetings if section.lab_kind is None else section.meetings * section.slots // 2,
        faculty_ids=tuple(university.teachers[f].id for f in section.teachers),
        group_ids=tuple(university.batch_id(batches[b]) for b in section.batches),
        student_ids=tuple(university.student_id(student) for student in section.students),
        sessions_per_week=section.meetings,
        session_slots=section.slots,
        room_types=LECTURE_ROOM_TYPES if section.lab_kind is None else ("lab",),
        required_features=_features(section, [campus.rooms[r] for r in planted.rooms], rng),
        min_days=min(section.meetings, 3),
        max_sessions_per_day=1 if rng.random() < SINGLE_MEETING_SHARE else 2,
        allowed_slots=_allowed(university.shape.grid, planted, rng),
        fixed=_pins(university, planted, rng),
        prerequisites=_prerequisites(section, first_of_code),
        priority=int(final_year),
    )


def _features(section: Section, used: Sequence[Room], rng: Random) -> tuple[str, ...]:
    """Labs need their kind; some lectures need what all their planted rooms happen to have."""
    if section.lab_kind is not None:
        return (section.lab_kind,)
    shared = [feature for feature in used[0].features if all(feature in room.features for room in used)]
    return tuple(shared[:1]) if rng.random() < FEATURE_SHARE else ()


def _allowed(grid: TimeGrid, planted: Planted, rng: Random) -> tuple[int, ...] | None:
    if rng.random() >= HALF_DAY_SHARE:
        return None
    noon = grid.after_lunch(0) or grid.num_periods // 2
    morning = {grid.period_of(slot) < noon for slot in planted.slots}
    if len(morning) == 2:
        return None
    return tuple(slot for slot in range(grid.num_slots) if (grid.period_of(slot) < noon) in morning)


def _pins(university: University, planted: Planted, rng: Random) -> tuple[FixedSession, ...]:
    """Sessions that were agreed elsewhere, half of them with their room."""
    return tuple(
        FixedSession(session=n, slot=slot, room_id=university.campus.rooms[room].id if rng.random() < 0.5 else None)
        for n, (slot, room) in enumerate(zip(planted.slots, planted.rooms, strict=True))
        if rng.random() < university.shape.pin_share
    )


def _prerequisites(section: Section, first_of_code: dict[str, str]) -> tuple[str, ...]:
    """The first two core subjects of a year and its lab build on those of the year before."""
    stem, _, number = section.code.partition("-")
    if section.elective or section.year == 0 or number[1:] not in ("01", "02", "01L"):
        return ()
    before = first_of_code.get(f"{stem}-{section.year}{number[1:]}")
    return (before,) if before else ()
