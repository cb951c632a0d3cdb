"""
What makes the preset `infeasible` infeasible: a handful of demands that cannot hold, each on entities of its own.

Around them stands an ordinary small college with a planted timetable, so that nothing else is in the way. All ids here
are the same for every seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from solver.calendar import TimeGrid
from solver.model import Course, Dataset, Faculty, FixedSession, Group, Link, Room

DEPARTMENT = "D-EXT"
SENATE_SEATS = 250
GATHERING = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """
    One demand that cannot hold.

    `entities` are the ids any honest explanation has to name; `rule` is what has to give way and `units` by how much at
    least, in the unit of that rule. `bendable` False means that the rule never bends: a session stays unplaced.
    """

    code: str
    sentence: str
    entities: tuple[str, ...]
    rule: str
    units: int
    bendable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extra:
    """Entities that one contradiction adds to the college."""

    courses: tuple[Course, ...]
    faculty: tuple[Faculty, ...]
    groups: tuple[Group, ...] = ()
    rooms: tuple[Room, ...] = ()
    links: tuple[Link, ...] = ()


CONTRADICTIONS: tuple[Contradiction, ...] = (
    Contradiction(
        code="teacher_overload",
        sentence="The visiting teacher F-VIS-01 owes 8 sessions but is on campus in 6 slots.",
        entities=("F-VIS-01",),
        rule="faculty_unavailable",
        units=2,
    ),
    Contradiction(
        code="group_overload",
        sentence="The bridge batch B-BRG-1-A has 15 sessions, at most 2 a day, on 6 days.",
        entities=("B-BRG-1-A",),
        rule="group_daily_limit",
        units=3,
    ),
    Contradiction(
        code="lab_supply",
        sentence="Six double sessions need telescopes; R-OBS-101, the only room with them, is open for four.",
        entities=("R-OBS-101",),
        rule="room_unsuitable",
        units=2,
    ),
    Contradiction(
        code="room_too_small",
        sentence=f"GAT-101 expects {GATHERING} students; the largest auditorium, R-SEN-101, seats {SENATE_SEATS}.",
        entities=("GAT-101",),
        rule="room_capacity",
        units=GATHERING - SENATE_SEATS,
    ),
    Contradiction(
        code="precedence_cycle",
        sentence="CYC-101 has to end before CYC-102, that before CYC-103, and that before CYC-101.",
        entities=("CYC-101", "CYC-102", "CYC-103"),
        rule="link",
        units=1,
    ),
    Contradiction(
        code="student_clash",
        sentence="STU-101 and STU-102 are fixed to the same slot and share three students.",
        entities=("STU-101", "STU-102"),
        rule="student_clash",
        units=3,
    ),
    Contradiction(
        code="fixed_room_clash",
        sentence="FIX-101 and FIX-102 are both fixed to R-SEN-101 in the same slot.",
        entities=("FIX-101", "FIX-102"),
        rule="room_clash",
        units=1,
        bendable=False,
    ),
)


def added_to(dataset: Dataset) -> Dataset:
    """The college `dataset` with every contradiction of `CONTRADICTIONS` added; its name lists their codes."""
    grid = dataset.time_grid
    extras = (
        _teacher_overload(grid),
        _group_overload(),
        _lab_supply(grid),
        _room_too_small(),
        _precedence_cycle(),
        _student_clash(),
        _fixed_room_clash(),
    )
    return replace(
        dataset,
        name=f"{dataset.name}: {', '.join(contradiction.code.replace('_', ' ') for contradiction in CONTRADICTIONS)}",
        rooms=(*dataset.rooms, *(room for extra in extras for room in extra.rooms)),
        faculty=(*dataset.faculty, *(teacher for extra in extras for teacher in extra.faculty)),
        groups=(*dataset.groups, *(group for extra in extras for group in extra.groups)),
        courses=(*dataset.courses, *(course for extra in extras for course in extra.courses)),
        links=(*dataset.links, *(link for extra in extras for link in extra.links)),
    )


def _course(code: str, name: str, teacher: str, sessions: int, **more: object) -> Course:
    plain = Course(
        id=code,
        code=code,
        name=name,
        department_id=DEPARTMENT,
        credits=sessions,
        faculty_ids=(teacher,),
        expected_students=25,
        sessions_per_week=sessions,
        room_types=("lecture_hall", "seminar_room"),
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # mypy cannot see the field types through **more


def _teacher(number: str, name: str, unavailable: Iterable[int] = ()) -> Faculty:
    return Faculty(id=f"F-{number}", name=name, department_id=DEPARTMENT, unavailable=tuple(unavailable))


def _teacher_overload(grid: TimeGrid) -> _Extra:
    on_campus = {day * grid.num_periods + 2 for day in range(grid.num_days)}
    away = (slot for slot in range(grid.num_slots) if slot not in on_campus)
    return _Extra(
        faculty=(_teacher("VIS-01", "Dr. Devika Raghavan (visiting)", away),),
        courses=tuple(
            _course(f"VIS-{number}", f"Visiting lecture {number} (teacher overload)", "F-VIS-01", 4)
            for number in (101, 102)
        ),
    )


def _group_overload() -> _Extra:
    numbers = range(1, 6)
    return _Extra(
        faculty=tuple(_teacher(f"BRG-{n:02d}", f"Bridge tutor {n}") for n in numbers),
        groups=(Group(id="B-BRG-1-A", name="Bridge batch (overload)", size=25, max_sessions_per_day=2),),
        courses=tuple(
            _course(
                f"BRG-{100 + n}", f"Bridge course {n} (group overload)", f"F-BRG-{n:02d}", 3, group_ids=("B-BRG-1-A",)
            )
            for n in numbers
        ),
    )


def _lab_supply(grid: TimeGrid) -> _Extra:
    """The observatory is open on two mornings of four periods: room for four sessions of two slots."""
    open_slots = {day * grid.num_periods + period for day in (0, 1) for period in range(4)}
    observatory = Room(
        id="R-OBS-101",
        name="Observatory",
        capacity=30,
        type="lab",
        features=("telescopes",),
        building="A",
        unavailable=tuple(slot for slot in range(grid.num_slots) if slot not in open_slots),
    )
    return _Extra(
        faculty=tuple(_teacher(f"OBS-{n:02d}", f"Observatory demonstrator {n}") for n in (1, 2, 3)),
        rooms=(observatory,),
        courses=tuple(
            _course(
                f"OBS-{100 + n}",
                f"Observation {n} (too few telescope slots)",
                f"F-OBS-{n:02d}",
                2,
                session_slots=2,
                room_types=("lab",),
                required_features=("telescopes",),
            )
            for n in (1, 2, 3)
        ),
    )


def _room_too_small() -> _Extra:
    senate = Room(id="R-SEN-101", name="Senate hall", capacity=SENATE_SEATS, type="auditorium", building="A")
    gathering = _course(
        "GAT-101",
        "Orientation of all first-years (room too small)",
        "F-GAT-01",
        1,
        expected_students=GATHERING,
        room_types=("auditorium",),
    )
    return _Extra(faculty=(_teacher("GAT-01", "Dean of students"),), rooms=(senate,), courses=(gathering,))


def _precedence_cycle() -> _Extra:
    codes = ("CYC-101", "CYC-102", "CYC-103")
    return _Extra(
        faculty=tuple(_teacher(f"CYC-{n:02d}", f"Seminar leader {n}") for n in (1, 2, 3)),
        courses=tuple(
            _course(code, f"Seminar part {n} (circle of precedence)", f"F-CYC-{n:02d}", 1)
            for n, code in enumerate(codes, 1)
        ),
        links=tuple(
            Link(type="precedence", sessions=((earlier, 0), (later, 0)))
            for earlier, later in zip(codes, (*codes[1:], codes[0]), strict=True)
        ),
    )


def _student_clash() -> _Extra:
    shared = ("S90001", "S90002", "S90003")
    own = {"STU-101": ("S90004", "S90005"), "STU-102": ("S90006", "S90007")}
    return _Extra(
        faculty=tuple(_teacher(f"STU-{n:02d}", f"Guest lecturer {n}") for n in (1, 2)),
        courses=tuple(
            _course(
                code,
                f"Guest lecture {n} (students in two places)",
                f"F-STU-{n:02d}",
                1,
                subject_type="open_elective",
                student_ids=(*shared, *own[code]),
                fixed=(FixedSession(session=0, slot=10),),
            )
            for n, code in enumerate(own, 1)
        ),
    )


def _fixed_room_clash() -> _Extra:
    return _Extra(
        faculty=tuple(_teacher(f"FIX-{n:02d}", f"Convenor {n}") for n in (1, 2)),
        courses=tuple(
            _course(
                f"FIX-{100 + n}",
                f"Public lecture {n} (two in one room)",
                f"F-FIX-{n:02d}",
                1,
                room_types=("auditorium",),
                fixed=(FixedSession(session=0, slot=16, room_id="R-SEN-101"),),
            )
            for n in (1, 2)
        ),
    )
