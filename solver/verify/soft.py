"""
The rules that are soft by default: one `count_<rule>` each, and the sentence that names an offender.

Those about the days and weeks of people stand in `days`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from solver.names import counted
from solver.rules import (
    CONTEXT_POINTS,
    PREFERENCE_POINTS,
    fair_share,
    peak_limit,
    preference_points,
    travel_units,
    waste_units,
)
from solver.terms import SessionKey
from solver.verify.view import (
    PlacedSession,
    Places,
    Standing,
    Told,
    View,
    by_day,
    by_slot,
    keys_of,
)

# --- teachers --------------------------------------------------------------------------------------------------------


def count_faculty_preference(view: View) -> Places:
    """Preference points lost in covered slots, over teachers who state any preference."""
    for id, sessions in view.by_teacher.items():
        teacher = view.dataset.teacher[id]
        if teacher.preferences:
            contented = teacher.contented_at(len(view.dataset.time_grid.slots))
            for session in sessions:
                for slot in session.slots:
                    yield preference_points(teacher.liking(slot), contented), (session.key, id, slot)


def tell_faculty_preference(view: View, key: SessionKey, teacher: str, slot: int) -> Told:
    who, when, what = view.names.teacher(teacher), view.names.slot(slot), view.names.session(key)
    liking = view.dataset.teacher[teacher].preferences.get(slot)
    wish = "outside the times asked for" if liking is None else f"a time rated {liking:g} out of 1"
    return Told(f"teacher {who} has {what} on {when}, {wish}", (key,), (teacher,))


def count_time_penalty(view: View) -> Places:
    """What the start of a session costs it by its own list."""
    for key, session in view.placed.items():
        priced = session.course.times or session.course.time_penalties
        yield session.course.penalty_at(session.start) if priced else 0, (key,)


def tell_time_penalty(view: View, key: SessionKey) -> Told:
    session = view.placed[key]
    lost = counted(session.course.penalty_at(session.start), "point")
    return Told(
        f"{view.names.session(key)} starts on {view.names.slot(session.start)}, which costs it {lost}",
        (key,),
        (key[0],),
    )


def _sessions_of_teachers(view: View) -> Mapping[str, int]:
    """Sessions each teacher has in the dataset, placed or not; in the busiest of the week classes."""
    most: dict[str, int] = {}
    for k in range(len(view.dataset.week_classes)):
        total: dict[str, int] = {}
        for part, classes in zip(view.dataset.parts, view.dataset.classes_of_part, strict=True):
            for teacher in part.faculty_ids if k in classes else ():
                total[teacher] = total.get(teacher, 0) + part.sessions_per_week
        most |= {teacher: max(sessions, most.get(teacher, 0)) for teacher, sessions in total.items()}
    return most


def count_load_balance(view: View) -> Places:
    """Sessions of a teacher on a day above an even spread over the days on which the teacher is there."""
    total, grid = _sessions_of_teachers(view), view.dataset.time_grid
    for teacher, sessions in view.by_teacher.items():
        away = set(view.dataset.teacher[teacher].unavailable)
        days = sum(not away.issuperset(grid.slots_of(day)) for day in range(grid.num_days))
        share = fair_share(total[teacher], days)
        for day, here in by_day(sessions).items():
            yield max(0, len(here) - share), (teacher, day, share)


def tell_load_balance(view: View, teacher: str, day: int, share: int) -> Told:
    keys = keys_of(by_day(view.by_teacher[teacher])[day])
    who, when = view.names.teacher(teacher), view.names.day(day)
    return Told(
        f"teacher {who} has {len(keys)} sessions on {when}; spread evenly it would be {share}", keys, (teacher,)
    )


# --- courses and rooms -----------------------------------------------------------------------------------------------


def _days_used(view: View, course: str) -> int:
    return len({session.day for session in view.by_course[course]})


def count_min_days(view: View) -> Places:
    """Days missing to the minimum of a course, over courses with a placed session."""
    for course in view.by_course:
        yield max(0, view.dataset.course[course].min_days - _days_used(view, course)), (course,)


def tell_min_days(view: View, course: str) -> Told:
    wanted, used = view.dataset.course[course].min_days, counted(_days_used(view, course), "day")
    keys = keys_of(view.by_course[course])
    return Told(f"course {view.names.course(course)} meets on {used}, not on {wanted} or more", keys, (course,))


def count_room_stability(view: View) -> Places:
    """Rooms, or sets of them, beyond the first, of a course, or of its parts of one kind where they have kinds."""
    for course, sessions in view.by_course.items():
        for kind in dict.fromkeys(session.course.kind for session in sessions):
            yield len({session.room_ids for session in _of_kind(sessions, kind)}) - 1, (course, kind)


def _of_kind(sessions: Iterable[PlacedSession], kind: str) -> list[PlacedSession]:
    return [session for session in sessions if session.course.kind == kind]


def tell_room_stability(view: View, course: str, kind: str) -> Told:
    sessions = _of_kind(view.by_course[course], kind)
    rooms = tuple(dict.fromkeys(id for session in sessions for id in session.room_ids))
    message = f"course {view.names.part(sessions[0].course)} uses {counted(len(rooms), 'room')}"
    return Told(message, keys_of(sessions), (course, *rooms))


def count_room_waste(view: View) -> Places:
    """Full units of empty seats."""
    for key, session in view.placed.items():
        yield waste_units(session.seats, view.seats_wanted[session.part]), (key,)


def tell_room_waste(view: View, key: SessionKey) -> Told:
    session = view.placed[key]
    students, has = view.dataset.expected_students(session.course), "has" if len(session.rooms) == 1 else "have"
    seats = f"{view.where(session)}, which {has} {session.seats} seats"
    message = f"{view.names.session(key)} has {counted(students, 'student')} in {seats}"
    return Told(message, (key,), (key[0], *session.room_ids))


def count_room_penalty(view: View) -> Places:
    """What the rooms of a session cost it by its own list."""
    for key, session in view.placed.items():
        priced = session.course.rooms or session.course.room_penalties
        yield sum(session.course.penalty_of(id) for id in session.room_ids) if priced else 0, (key,)


def tell_room_penalty(view: View, key: SessionKey) -> Told:
    session = view.placed[key]
    lost = sum(session.course.penalty_of(room.id) for room in session.rooms)
    message = f"{view.names.session(key)} is in {view.where(session)}, which costs it {counted(lost, 'point')}"
    return Told(message, (key,), (key[0], *session.room_ids))


def count_slot_peak(view: View) -> Places:
    """
    Sessions above the peak, per slot; the peak follows from all sessions of the dataset in the busiest week class,
    placed or not.
    """
    for slot, here in by_slot(view.placed.values()).items():
        yield max(0, len(here) - _peak(view)), (slot, len(here))


def _peak(view: View) -> int:
    data = view.dataset
    slots = [part.sessions_per_week * part.session_slots for part in data.parts]
    return peak_limit(data.busiest(slots), len(data.time_grid.slots))


def tell_slot_peak(view: View, slot: int, running: int) -> Told:
    return Told(f"{running} sessions run on {view.names.slot(slot)}, but {_peak(view)} is the most there should be")


# --- ways and places -------------------------------------------------------------------------------------------------


def _ways(view: View, standing: Standing, kind: str) -> Places:
    """
    Walks from a session to a later one of the same day, per person, as far as they do not fit in between.

    A place to break the rule is each two sessions of which one follows the other at once, and each two that break it.
    """
    grid = view.dataset.time_grid
    for id, sessions in standing.items():
        for day, here in by_day(sessions).items():
            for a in here:
                for b in here:
                    if a.until > b.since:
                        continue
                    units = travel_units(_minutes(view, a, b), b.since - a.until)
                    at_once = a.end == b.start and grid.period_of(b.start) not in grid.rests(day)
                    if units or at_once:
                        yield units, (kind, id, a.key, b.key)


def _minutes(view: View, a: PlacedSession, b: PlacedSession) -> int:
    return view.dataset.travel(a.building, b.building)


def count_travel(view: View) -> Places:
    """Started units of walking of teachers and cohorts that do not fit between two sessions of a day."""
    yield from _ways(view, view.by_teacher, "teacher")
    yield from _ways(view, view.by_cohort, "group")


def tell_travel(view: View, kind: str, id: str, a: SessionKey, b: SessionKey) -> Told:
    name = view.names.teacher(id) if kind == "teacher" else view.names.cohort(id)
    ids = (id,) if kind == "teacher" else view.dataset.cohort[id].groups
    here, there = view.placed[a], view.placed[b]
    way = f"{_minutes(view, here, there)} minutes from building {here.building} to {there.building}"
    between = there.since - here.until
    time = f"{counted(between, 'minute')} for it" if between else "no break"
    when = view.names.slot(there.start)
    return Told(f"{kind} {name} walks {way} with {time} before {view.names.session(b)} on {when}", (a, b), ids)


def count_context(view: View) -> Places:
    """Context points of the time and of the place of each session."""
    column = {building: b for b, building in enumerate(view.context.buildings)}
    for key, session in view.placed.items():
        time = int(view.context.slot_points[session.part, session.start])
        points = view.context.building_points[session.part]
        place = int(points[column[session.building]]) if session.rooms else 0
        yield time + place, (key, time, place)


def tell_context(view: View, key: SessionKey, time: int, place: int) -> Told:
    session = view.placed[key]
    where = f"{view.names.slot(session.start)} in {view.where(session)}"
    lost = f"{counted(time, 'point')} for the time and {place} for the place"
    return Told(f"{view.names.session(key)} is on {where}: {lost}", (key,), (key[0],))


MOST_POINTS: Mapping[str, int] = {"faculty_preference": PREFERENCE_POINTS, "context": 2 * CONTEXT_POINTS}
"""Graded rules, and the points that a place can lose at most."""
