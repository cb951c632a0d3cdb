"""
One call builds what a test is about, and states only what matters to it.

    dataset(course("a", faculty="f1"), course("b", faculty="f1"))
    timetable(a=3, b=[(3, "r2")])

Teachers and groups that a course names exist without being built; there is one large room `r1` unless rooms are given.
The second half makes random datasets and timetables for property tests: `datasets()` and `planted()` are Hypothesis
strategies, `random_dataset` and `random_timetable` the plain functions behind them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from solver.calendar import TimeGrid, clock_of
from solver.model import (
    Course,
    Dataset,
    Faculty,
    FixedSession,
    Group,
    Link,
    Part,
    Placement,
    Rating,
    Room,
    RuleSetting,
    Term,
    Timetable,
)
from solver.pairing import never_kept, pairing_fault
from solver.person_rules import IN_SESSIONS, KINDS, PERSON_RULE, KindName
from solver.rules import RULES
from solver.terms import LINK_TYPES, PAIRINGS, PERMISSIONS, SET_LINKS, SessionKey

Names = str | Iterable[str]
Entry = Course | Room | Faculty | Group | Link
Place = int | tuple[Any, ...] | None

DAY_START_MINUTES = 8 * 60
SLOT_MINUTES = 60


def _names(names: Names) -> tuple[str, ...]:
    """ "f1 f2" or an iterable of ids."""
    return tuple(names.split()) if isinstance(names, str) else tuple(names)


def grid(days: int = 5, periods: int = 4, lunch_after: int | None = None) -> TimeGrid:
    """A grid of hours from 08:00 on; `lunch_after` periods there is an hour of lunch."""
    lunch = None
    if lunch_after is not None:
        start = DAY_START_MINUTES + lunch_after * SLOT_MINUTES
        lunch = (clock_of(start), clock_of(start + SLOT_MINUTES))
    hours = periods + (lunch is not None)
    return TimeGrid(
        working_days=days,
        slots_per_day=periods,
        start_time=clock_of(DAY_START_MINUTES),
        end_time=clock_of(DAY_START_MINUTES + hours * SLOT_MINUTES),
        slot_minutes=SLOT_MINUTES,
        lunch=lunch,
    )


def course(
    id: str,
    *,
    faculty: Names = (),
    groups: Names = (),
    students: Names = (),
    sessions: int = 1,
    slots: int = 1,
    size: int | None = None,
    types: Names = (),
    features: Names = (),
    limit: int | None = None,
    fixed: Sequence[tuple[Any, ...]] = (),
    **fields: Any,
) -> Course:
    """`size` is the number of seats, `limit` the sessions per day, `fixed` rows of (session, slot[, room, ...])."""
    return Course(
        id=id,
        faculty_ids=_names(faculty),
        group_ids=_names(groups),
        student_ids=_names(students),
        sessions_per_week=sessions,
        session_slots=slots,
        expected_students=size,
        room_types=_names(types),
        required_features=_names(features),
        max_sessions_per_day=limit,
        fixed=tuple(
            FixedSession(session=f[0], slot=f[1], room_id=f[2] if len(f) > 2 else None, more_rooms=tuple(f[3:]))
            for f in fixed
        ),
        **fields,
    )


def part(
    kind: str = "",
    *,
    sessions: int = 1,
    slots: int | None = None,
    faculty: Names | None = None,
    groups: Names | None = None,
    students: Names | None = None,
    size: int | None = None,
    types: Names | None = None,
    **fields: Any,
) -> Part:
    """The same words as in `course`; what is None is as the course says."""
    return Part(
        kind=kind,
        sessions=sessions,
        session_slots=slots,
        faculty_ids=None if faculty is None else _names(faculty),
        group_ids=None if groups is None else _names(groups),
        student_ids=None if students is None else _names(students),
        expected_students=size,
        room_types=None if types is None else _names(types),
        **fields,
    )


def crowded_students(**fields: Any) -> Dataset:
    """Core courses a and b with 4 common students and an elective with 5 of each, in 2 slots: somebody has to clash."""
    shared, with_a, with_b = ([f"{kind}{i}" for i in range(n)] for kind, n in (("s", 4), ("x", 5), ("y", 5)))
    return dataset(
        course("a", students=[*shared, *with_a]),
        course("b", students=[*shared, *with_b]),
        course("c", students=[*with_a, *with_b], subject_type="elective"),
        room("r1"),
        room("r2"),
        grid=grid(1, 2),
        **fields,
    )


def room(
    id: str, capacity: int = 1000, *, features: Names = (), unavailable: Iterable[int] = (), **fields: Any
) -> Room:
    return Room(id=id, capacity=capacity, features=_names(features), unavailable=tuple(unavailable), **fields)


def teacher(
    id: str, *, unavailable: Iterable[int] = (), day: int | None = None, week: int | None = None, **fields: Any
) -> Faculty:
    """`day` and `week` are the limits of sessions."""
    return Faculty(
        id=id, unavailable=tuple(unavailable), max_sessions_per_day=day, max_sessions_per_week=week, **fields
    )


def group(id: str, size: int = 0, *, unavailable: Iterable[int] = (), day: int | None = None, **fields: Any) -> Group:
    return Group(id=id, size=size, unavailable=tuple(unavailable), max_sessions_per_day=day, **fields)


def link(
    type: str,
    *sessions: str | tuple[str, int | None],
    tier: str = "hard",
    weight: int = 1,
    value: int | None = None,
    most: int | None = None,
    pairing: str | None = None,
) -> Link:
    """A course id alone means every session of the course."""
    members = tuple((member, None) if isinstance(member, str) else member for member in sessions)
    return Link(
        type=type,  # type: ignore[arg-type]
        sessions=members,
        tier=tier,  # type: ignore[arg-type]
        weight=weight,
        value=value,
        most=most,
        pairing=pairing,  # type: ignore[arg-type]
    )


def dataset(
    *entries: Entry,
    grid: TimeGrid | None = None,
    rules: Mapping[str, str | RuleSetting] | None = None,
    travel: Mapping[str, Mapping[str, int]] | None = None,
    history: Iterable[Rating] = (),
    name: str = "test",
    weeks: int | None = None,
) -> Dataset:
    """`rules` maps a rule to its tier or to a whole setting; `weeks` is how many the term has."""
    assert all(isinstance(entry, Entry) for entry in entries), "an entry that would be left out"
    courses = [entry for entry in entries if isinstance(entry, Course)]
    rooms = [entry for entry in entries if isinstance(entry, Room)]
    teachers = {entry.id: entry for entry in entries if isinstance(entry, Faculty)}
    groups = {entry.id: entry for entry in entries if isinstance(entry, Group)}
    for each in (part for whole in courses for part in (whole, *whole.apart())):
        for id in each.faculty_ids:
            teachers.setdefault(id, teacher(id))
        for id in each.group_ids:
            groups.setdefault(id, group(id))
    settings = {
        id: RuleSetting(tier=setting) if isinstance(setting, str) else setting  # type: ignore[arg-type]
        for id, setting in (rules or {}).items()
    }
    return Dataset(
        name=name,
        time_grid=grid or _default_grid(),
        rooms=tuple(rooms) or (room("r1"),),
        faculty=tuple(teachers.values()),
        groups=tuple(groups.values()),
        courses=tuple(courses),
        links=tuple(entry for entry in entries if isinstance(entry, Link)),
        travel_minutes=travel or {},
        history=tuple(history),
        rules=settings,
        term=None if weeks is None else Term(weeks=weeks),
    )


def _default_grid() -> TimeGrid:
    return grid()


def timetable(courses: Mapping[str, Any] | None = None, /, *, default_room: str = "r1", **more: Any) -> Timetable:
    """
    Maps a course to the place of its session, or to a list of places of its sessions 0, 1, ...

    A place is a slot (then the room is `default_room`), a (slot, room, ...) tuple, whose room is None where the session
    takes none, or None for an unplaced session.
    """
    placements = []
    for course_id, places in {**(courses or {}), **more}.items():
        for session, place in enumerate(places if isinstance(places, list) else [places]):
            if place is not None:
                slot, *rooms = place if isinstance(place, tuple) else (place, default_room)
                placements.append(Placement.at((course_id, session), slot, [id for id in rooms if id is not None]))
    return Timetable(placements=tuple(placements))


# --- random datasets -------------------------------------------------------------------------------------------------

ROOM_TYPES = ("lecture_hall", "lab")
FEATURES = ("projector", "piano")
BUILDINGS = (None, "A", "B", "C")


class Planted(NamedTuple):
    """A dataset and a timetable of it that places every session and keeps every hard rule."""

    dataset: Dataset
    timetable: Timetable


@st.composite
def datasets(draw: st.DrawFn, max_courses: int = 8, max_sessions: int = 3, weeks: bool = True) -> Dataset:
    """
    Small datasets that use everything a dataset can say; many of them have no feasible timetable.

    Sessions that are in some weeks only are in some of them where `weeks` are wanted.
    """
    rng = Random(draw(st.integers(0, 2**32 - 1)))
    return random_dataset(rng, draw(st.integers(1, max_courses)), max_sessions, weeks)


@st.composite
def planted(draw: st.DrawFn, max_courses: int = 8, max_sessions: int = 3, weeks: bool = True) -> Planted:
    """Small datasets with a known feasible timetable."""
    rng = Random(draw(st.integers(0, 2**32 - 1)))
    return random_planted(rng, draw(st.integers(1, max_courses)), max_sessions, weeks)


def random_dataset(rng: Random, num_courses: int = 6, max_sessions: int = 3, weeks: bool = True) -> Dataset:
    return _restricted(rng, _structure(rng, num_courses, max_sessions, weeks), None)


def random_planted(rng: Random, num_courses: int = 6, max_sessions: int = 3, weeks: bool = True) -> Planted:
    """First places sessions without a clash, then adds only such restrictions as that timetable keeps."""
    structure = _structure(rng, num_courses, max_sessions, weeks)
    places = _place_without_clash(rng, structure)
    kept = Counter(key[0] for key in places)
    courses = tuple(_first_sessions(c, kept[c.id]) for c in structure.courses if kept[c.id])
    if not courses:
        lone = replace(
            structure.courses[0], sessions_per_week=1, session_slots=1, expected_students=0, rooms_needed=1, parts=()
        )
        courses, places = (lone,), {(lone.id, 0): (0, (structure.rooms[0].id,))}
    return Planted(_restricted(rng, replace(structure, courses=courses), places), _timetable_of(places))


def _first_sessions(each: Course, number: int) -> Course:
    """The course with so many of its sessions, which are the first ones."""
    parts, left = [], number
    for one in each.parts:
        if left > 0:
            parts.append(replace(one, sessions=min(one.sessions, left)))
        left -= one.sessions
    return replace(each, sessions_per_week=number, parts=tuple(parts))


def random_timetable(dataset: Dataset, rng: Random, placed: float = 0.9) -> Timetable:
    """
    Puts about the share `placed` of the sessions anywhere on the grid, in any room.

    Half of the timetables use few slots and rooms, so that clashes are not rare.
    """
    crowded = rng.random() < 0.5
    favourites = [rng.choice(dataset.time_grid.slots) for _ in range(3)]
    rooms = [place.ids for place in dataset.places]
    few = [rng.choice(rooms) for _ in range(2)] if crowded else rooms
    placements = []
    for course_id, session in dataset.sessions:
        length = dataset.part_of((course_id, session)).session_slots
        starts = [t for t in dataset.time_grid.slots if dataset.time_grid.can_start(t, length)]
        if not starts or rng.random() > placed:
            continue
        near = [t for t in starts if t in favourites] if crowded else []
        slot, needed = rng.choice(near or starts), dataset.part_of((course_id, session)).rooms_needed
        offered = [[ids for ids in some if len(ids) == needed] for some in (few, rooms)]
        placements.append(Placement.at((course_id, session), slot, rng.choice(offered[0] or offered[1])))
    return Timetable(placements=tuple(placements))


Places = dict[SessionKey, tuple[int, tuple[str, ...]]]
"""Start and rooms of each session."""


def _timetable_of(places: Places) -> Timetable:
    return Timetable(placements=tuple(Placement.at(key, slot, ids) for key, (slot, ids) in places.items()))


def _some(rng: Random, items: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(rng.sample(items, min(len(items), rng.randint(0, most))))


def _structure(rng: Random, num_courses: int, max_sessions: int, weeks: bool) -> Dataset:
    """Who is taught what by whom, on which grid and in which rooms; no restriction yet."""
    from tests.calendars import random_grid  # which builds its plain ones with `grid` of this file

    time_grid = random_grid(rng)
    lengths = range(1, time_grid.num_periods + 1)
    longest = max(length for length in lengths if any(time_grid.can_start(t, length) for t in time_grid.slots))
    teachers = [f"f{i}" for i in range(rng.randint(1, 4))]
    students = [f"s{i}" for i in range(rng.choice([0, 4, 10]))]
    members = _groups(rng, students)
    groups = [each.id for each in members]
    courses = [
        course(
            f"c{i}",
            faculty=_some(rng, teachers, 2),
            groups=_some(rng, groups, 2),
            students=_some(rng, students, 5),
            sessions=rng.randint(1, min(max_sessions, len(time_grid.slots))),
            slots=min(longest, rng.choice([1, 1, 1, 2, 3])),
            size=rng.choice([None, None, 5, 15, 40]),
            subject_type=rng.choice(["core", "elective"]),
            credits=rng.randint(0, 4),
            department_id=rng.choice([None, "D1", "D2"]),
            priority=rng.randint(0, 2),
        )
        for i in range(num_courses)
    ]
    courses = [_divided(rng, each, longest, teachers, groups) if rng.random() < 0.3 else each for each in courses]
    in_turns = weeks and rng.random() < 0.6
    if in_turns:
        courses = [_in_turns(rng, each) for each in courses]
    rooms = [
        room(
            f"r{i}",
            rng.choice([10, 20, 35, 60]),
            type=rng.choice(ROOM_TYPES),
            features=_some(rng, FEATURES, 2),
            building=rng.choice(BUILDINGS),
            sessions_at_once=rng.choice([1, 1, 1, 2]),
        )
        for i in range(rng.randint(1, 4))
    ]
    courses = [replace(each, rooms_needed=_number_of_rooms(rng, rooms)) for each in courses]
    travel = {a: {b: rng.choice([0, 3, 10, 20, 90]) for b in "ABC" if b != a and rng.random() < 0.7} for a in "ABC"}
    people = *map(teacher, teachers), *members
    return dataset(*courses, *rooms, *people, grid=time_grid, travel=travel, weeks=4 if in_turns else None)


def _in_turns(rng: Random, each: Course) -> Course:
    """The course, or its parts, in some of four weeks."""
    patterns = (None, None, (1, 3), (2, 4), (1, 2))
    parts = tuple(replace(one, weeks=rng.choice(patterns)) for one in each.parts)
    return replace(each, weeks=rng.choice(patterns), parts=parts)


def _number_of_rooms(rng: Random, rooms: Sequence[Room]) -> int:
    return min(len(rooms), rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 2]))


def _divided(rng: Random, each: Course, longest: int, teachers: Sequence[str], groups: Sequence[str]) -> Course:
    """The course with its sessions in parts, which differ in whatever a part may say for itself."""
    parts, left = [], each.sessions_per_week
    while left:
        sessions = rng.randint(1, left)
        left -= sessions
        parts.append(
            part(
                rng.choice(["", "lab"]),
                sessions=sessions,
                slots=rng.choice([None, min(longest, rng.randint(1, 3))]),
                faculty=rng.choice([None, _some(rng, teachers, 2)]),
                groups=rng.choice([None, None, _some(rng, groups, 2)]),
                students=rng.choice([None, None, _some(rng, each.student_ids, 3)]),
                size=rng.choice([None, None, 10]),
                rooms_needed=rng.choice([None, None, None, 0, 1]),
            )
        )
    return replace(each, parts=tuple(parts))


def _groups(rng: Random, students: Sequence[str]) -> list[Group]:
    """Up to three groups; in some datasets with parts of one or two divisions, of one group or of two, and members."""
    groups = [group(f"g{i}", rng.choice([0, 10, 30])) for i in range(rng.randint(0, 3))]
    if not groups or rng.random() < 0.6:
        return groups
    whole, *others = groups
    for division in rng.choice([("half",), ("half", "language")]):
        wholes = (whole.id, *(other.id for other in others if division == "language" and rng.random() < 0.5))
        for i in range(rng.choice([1, 2, 2])):
            size = rng.choice([0, 5, 15])
            groups.append(group(f"{division}{i}", size, part_of=wholes, division=division))
    if rng.random() < 0.3:
        groups.append(group("quarter", 5, part_of=("half0",)))
    if rng.random() < 0.5:
        free: dict[str, list[str]] = {
            division: rng.sample(students, len(students)) for division in ("half", "language")
        }
        groups = [_with_members(rng, each, students, free) for each in groups]
    return groups


def _with_members(rng: Random, each: Group, students: Sequence[str], free: dict[str, list[str]]) -> Group:
    """Parts of one division get nobody twice: each takes its members off what is `free` there."""
    if each.id == "quarter":
        return each
    if not each.part_of:
        return replace(each, student_ids=_some(rng, students, 3))
    pool = free[each.division]
    return replace(each, student_ids=tuple(pool.pop() for _ in range(min(len(pool), rng.randint(0, 3)))))


def _place_without_clash(rng: Random, data: Dataset) -> Places:
    """Greedy: each session goes to a random place where nobody is busy and the room is large enough, or nowhere."""
    busy: dict[tuple[int, int], set[str]] = defaultdict(set)
    places: Places = {}
    unplaceable: set[str] = set()
    inside: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for each, sessions in zip(data.parts, data.sessions_of_part, strict=True):
        people = {each.id, *each.faculty_ids, *data.cohorts_of(each), *data.students_of(each)}
        weeks = each.weeks or range(1, 1 + (data.term.weeks if data.term else 1))
        for key in sessions if each.id not in unplaceable else ():
            options = [
                (t, place.ids)
                for t in data.time_grid.slots
                for place in data.places
                if data.time_grid.can_start(t, each.session_slots)
                and len(place.rooms) == each.rooms_needed
                and (not place.rooms or place.seats >= data.expected_students(each))
                and not any(people & busy[w, u] for w in weeks for u in range(t, t + each.session_slots))
                and all(
                    inside[w, u][r.id] < r.sessions_at_once
                    for w in weeks
                    for u in range(t, t + each.session_slots)
                    for r in place.rooms
                )
            ]
            if not options:
                unplaceable.add(each.id)
                break
            slot, ids = rng.choice(options)
            places[key] = (slot, ids)
            for w, u in product(weeks, range(slot, slot + each.session_slots)):
                busy[w, u] |= people
                inside[w, u].update(ids)
    return places


def _restricted(rng: Random, data: Dataset, places: Places | None) -> Dataset:
    """Adds everything that can make a timetable wrong; with `places`, only what they keep."""
    used: dict[str, set[int]] = defaultdict(set)
    per_day: dict[str, Counter[int]] = defaultdict(Counter)
    for key, (slot, ids) in (places or {}).items():
        each = data.part_of(key)
        for owner in (*ids, *each.faculty_ids, *data.attending_groups(each), each.id):
            used[owner] |= set(range(slot, slot + each.session_slots))
            per_day[owner][data.time_grid.day_of(slot)] += 1

    def away(owner: str) -> tuple[int, ...]:
        most = rng.choice([0, 0, 1, 4] if places is None else [0, 1, 4, len(data.time_grid.slots)])
        chosen = rng.sample(data.time_grid.slots, min(most, len(data.time_grid.slots)))
        return tuple(sorted(set(chosen) - used[owner]))

    def limit(owner: str, *, week: bool = False) -> int | None:
        taught = per_day[owner].values()
        least = (sum(taught) if week else max(taught, default=0)) if places is not None else 0
        return rng.choice([None, max(1, least), max(1, least) + 1])

    restricted = replace(
        data,
        rooms=tuple(replace(r, unavailable=away(r.id)) for r in data.rooms),
        faculty=tuple(
            replace(
                f,
                unavailable=away(f.id),
                max_sessions_per_day=limit(f.id),
                max_sessions_per_week=limit(f.id, week=True),
                preferences=_preferences(rng, data.time_grid),
            )
            for f in data.faculty
        ),
        groups=tuple(replace(g, unavailable=away(g.id), max_sessions_per_day=limit(g.id)) for g in data.groups),
        courses=tuple(_restricted_course(rng, data, c, places, limit(c.id)) for c in data.courses),
        history=tuple(
            Rating(faculty_id=f.id, slot=rng.choice(data.time_grid.slots), rating=rng.random())
            for f in data.faculty
            if rng.random() < 0.5
        ),
        rules=_rules(rng, data, keeps=places is not None) if rng.random() < 0.5 else {},
    )
    return replace(restricted, links=_links(rng, restricted, places))


MOST: Mapping[KindName, tuple[int, ...]] = {
    "gap": (0, 0, 1, 2),
    "late_start": (0, 0, 1),
    "early_end": (1, 1, 2, 9),
    "run": (1, 2, 4),
    "span": (1, 2, 4),
    "daily_limit": (1, 2, 3),
    "daily_least": (2, 3),
    "lunch": (30, 60, 90),
    "week_gap": (0, 1, 3),
    "days": (1, 2, 3),
    "weekly_limit": (1, 3, 6),
    "rest": (10 * 60, 20 * 60, 22 * 60),
}
"""Values of rules about days and weeks, so that small timetables break some of them."""


def _rules(rng: Random, data: Dataset, *, keeps: bool) -> dict[str, RuleSetting]:
    """
    Every rule that is off by default soft; those about days and weeks with values of their own, in any unit.

    With `keeps` hard limits stay what they are.
    """
    settings = {rule.id: RuleSetting(tier="soft") for rule in RULES if rule.tier == "off"}
    students = list(data.student_ids)
    people = {
        "faculty": [teacher.id for teacher in data.faculty],
        "group": [group.id for group in data.groups],
        "student": students,
        "lone": students,
    }
    for id, rule in PERSON_RULE.items():
        kind = KINDS[rule.kind]
        if id == "last_slot" or rule.kind not in MOST:
            continue
        minutes = kind.in_minutes and rng.random() < 0.4
        scale = 60 if minutes else 1
        if id in IN_SESSIONS:
            if not keeps and rng.random() < 0.3:
                settings[id] = RuleSetting(tier="soft", unit="minutes" if minutes else "slots")
            continue
        own = [each for who in rule.who for each in people[who]]
        some = rng.sample(own, min(len(own), rng.choice([0, 0, 2])))
        settings[id] = RuleSetting(
            tier="soft",
            value=rng.choice((None, *(scale * value for value in MOST[rule.kind]))),
            values={who: scale * rng.choice(MOST[rule.kind]) for who in some},
            unit="minutes" if minutes else None,
            window=("09:00", rng.choice(["10:30", "12:00"])) if rule.kind == "lunch" else None,
        )
    return settings


def _preferences(rng: Random, time_grid: TimeGrid) -> dict[int, float]:
    if rng.random() < 0.4:
        return {}
    slots = rng.sample(time_grid.slots, min(3, len(time_grid.slots)))
    return {slot: rng.choice([0.0, 0.25, 0.5, 0.9, 1.0]) for slot in slots}


def _restricted_course(rng: Random, data: Dataset, each: Course, places: Places | None, limit: int | None) -> Course:
    time_grid, own = data.time_grid, {key: place for key, place in (places or {}).items() if key[0] == each.id}
    allowed = None
    if rng.random() < 0.3:
        longest = max(part.session_slots for part in each.apart())
        starts = [t for t in time_grid.slots if time_grid.can_start(t, longest)]
        chosen = rng.sample(starts, rng.randint(1, len(starts)))
        allowed = tuple(sorted({*chosen, *(slot for slot, _ in own.values())}))
    fixed = []
    for session in range(each.sessions_per_week):
        if rng.random() < 0.15:
            length = data.part_of((each.id, session)).session_slots
            starts = [t for t in time_grid.slots if time_grid.can_start(t, length)]
            needed = data.part_of((each.id, session)).rooms_needed
            offered = [place.ids for place in data.places if len(place.rooms) == needed]
            slot, ids = own.get((each.id, session), (rng.choice(starts), rng.choice(offered)))
            room_id, *more = rng.choice([(), ids]) or (None,)
            fixed.append(FixedSession(session=session, slot=slot, room_id=room_id, more_rooms=tuple(more)))
    stood_in = [data.room[id] for _, ids in own.values() for id in ids]
    types = set(_some(rng, ROOM_TYPES, 1))
    features = set(_some(rng, FEATURES, 1))
    if places is not None:
        types = types | {r.type for r in stood_in} if types else types
        features = {feature for feature in features if all(feature in r.features for r in stood_in)}
    restricted = replace(
        each,
        allowed_slots=allowed,
        fixed=tuple(fixed),
        room_types=tuple(sorted(types)),
        required_features=tuple(sorted(features)),
        min_days=rng.randint(0, 3),
        max_sessions_per_day=limit,
        **_listed_rooms(rng, data, {room.id for room in stood_in}, places is not None),
        **_listed_times(rng, data, {slot for slot, _ in own.values()}, places is not None),
        parts=tuple(_restricted_part(rng, data, each, n, own) for n in range(len(each.parts))),
    )
    somewhere = all(
        any(part.may_start(t) and time_grid.can_start(t, part.session_slots) for t in range(time_grid.num_slots))
        for part in restricted.apart()
    )
    return restricted if somewhere else replace(restricted, times=None, time_penalties={})


def _restricted_part(rng: Random, data: Dataset, each: Course, number: int, own: Places) -> Part:
    """Starts and rooms of its own, those in which it stands among them."""
    one, first = each.parts[number], sum(part.sessions for part in each.parts[:number])
    stood = [own[each.id, n] for n in range(first, first + one.sessions) if (each.id, n) in own]
    length = one.session_slots or each.session_slots
    starts = [t for t in data.time_grid.slots if data.time_grid.can_start(t, length)]
    slots = {rng.choice(starts), *(slot for slot, _ in stood)}
    types = {*rng.sample(ROOM_TYPES, 1), *(data.room[id].type for _, ids in stood for id in ids)}
    return replace(
        one,
        allowed_slots=rng.choice([None, None, tuple(sorted(slots))]),
        room_types=rng.choice([None, (), tuple(sorted(types))]),
    )


def _listed_times(rng: Random, data: Dataset, used: set[int], planted: bool) -> dict[str, Any]:
    """Starts with penalties, and further penalties; where a timetable is planted none of its starts is banned."""
    slots = data.time_grid.slots
    listed = {slot: rng.choice([0, 0, 1, 3]) for slot in slots if slot in used or rng.random() < 0.6}
    penalties: dict[int, int | None] = {slot: rng.choice([0, 2, None]) for slot in slots if rng.random() < 0.3}
    if planted:
        penalties = {slot: penalty for slot, penalty in penalties.items() if penalty is not None or slot not in used}
    return {
        "times": listed if listed and rng.random() < 0.2 else None,
        "time_penalties": penalties if rng.random() < 0.3 else {},
    }


def _listed_rooms(rng: Random, data: Dataset, stood_in: set[str], planted: bool) -> dict[str, Any]:
    """Rooms by name with penalties, and further penalties; where a timetable is planted none of its rooms is banned."""
    ids = [room.id for room in data.rooms]
    listed = {id: rng.choice([0, 0, 1, 3]) for id in ids if id in stood_in or rng.random() < 0.6}
    penalties: dict[str, int | None] = {id: rng.choice([0, 2, None]) for id in ids if rng.random() < 0.3}
    if planted:
        penalties = {id: penalty for id, penalty in penalties.items() if penalty is not None or id not in stood_in}
    return {
        "rooms": listed if listed and rng.random() < 0.3 else None,
        "room_penalties": penalties if rng.random() < 0.5 else {},
    }


def _links(rng: Random, data: Dataset, places: Places | None) -> tuple[Link, ...]:
    """Links of every type, tier and pairing between whole courses and single sessions."""
    links = []
    for _ in range(rng.randint(0, 6)):
        type = rng.choice(LINK_TYPES)
        members: list[tuple[str, int | None]] = []
        for each in rng.sample(data.courses, min(len(data.courses), rng.choice([1, 2, 2, 3]))):
            members.append((each.id, rng.choice([None, rng.randrange(each.sessions_per_week)])))
        if len(members) == 1:
            members = [(members[0][0], None)]
        candidate = Link(
            type=type,
            sessions=tuple(members),
            tier=rng.choice(["hard", "hard", "soft", "off"]),  # type: ignore[arg-type]
            weight=rng.choice([0, 1, 2, 5]),
            value=rng.randint(0, 3) if type in ("min_gap", "days_apart") else None,
            most=rng.choice([None, 3, 4]) if type == "days_apart" else None,
            pairing=None if type in SET_LINKS else rng.choice([None, None, *PAIRINGS]),
        )
        if pairing_fault(candidate, data.sizes) or never_kept(candidate, data.sizes, apart=True):
            continue
        if places is not None and candidate.tier == "hard" and not _kept(data, candidate, places):
            continue
        links.append(candidate)
    return tuple(links)


def _kept(data: Dataset, candidate: Link, places: Places) -> bool:
    """Whether the planted places keep a link; written apart from the verifier, on purpose."""
    if candidate.type in PERMISSIONS:
        return True
    if candidate.type in SET_LINKS:
        return _in_one_block(data, {key: places[key] for key in data.sessions_of(candidate)})
    for a, b in data.expand(candidate):
        (start_a, room_a), (start_b, room_b) = places[a], places[b]
        end_a, end_b = start_a + data.part_of(a).session_slots, start_b + data.part_of(b).session_slots
        grid_, day_a, day_b = data.time_grid, data.time_grid.day_of(start_a), data.time_grid.day_of(start_b)
        between = grid_.minutes_between(end_a - 1, start_b), grid_.minutes_between(end_b - 1, start_a)
        behind = [t for end, t in ((end_a, start_b), (end_b, start_a)) if end == t and day_a == day_b]
        touching = any(not grid_.pauses_before(day_a, grid_.period_of(t)) for t in behind)
        if not {
            "precedence": between[0] >= 0,
            "not_overlap": max(between) >= 0,
            "same_start": start_a == start_b,
            "same_day": day_a == day_b,
            "different_day": day_a != day_b,
            "same_room": room_a == room_b,
            "different_room": room_a != room_b,
            "consecutive": touching,
            "min_gap": day_a != day_b or max(between) >= (candidate.value or 0) * grid_.gap_minutes,
            "same_hour": grid_.start_of(start_a) == grid_.start_of(start_b),
            "days_apart": abs(day_a - day_b) in range(candidate.value or 0, 1 + (candidate.most or 14)),
            "consecutive_if_same_day": day_a != day_b or touching,
            "ordered_if_same_day": day_a != day_b or between[0] >= 0,
        }[candidate.type]:
            return False
    return True


def _in_one_block(data: Dataset, places: Places) -> bool:
    """Whether the places cover one stretch of a day, from break to break, without a hole."""
    time_grid = data.time_grid
    slots = {
        t
        for (course_id, _), (start, _) in places.items()
        for t in range(start, start + data.course[course_id].session_slots)
    }
    whole = range(min(slots), max(slots) + 1)
    return slots == set(whole) and time_grid.can_start(whole.start, len(whole))
