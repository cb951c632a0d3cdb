"""
The rules that are soft by default: one `count_<rule>` each, and the sentence that names an offender.

Gaps and isolation are about plain period numbers, so a break is no gap; only `consecutive_limit` takes it for a rest.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from solver.names import counted
from solver.rules import (
    CONTEXT_POINTS,
    DEFAULT_LONGEST_RUN,
    PREFERENCE_POINTS,
    fair_share,
    peak_limit,
    preference_points,
    travel_units,
    waste_units,
)
from solver.terms import SessionKey
from solver.verify.view import (
    Attendee,
    DayPeriods,
    PlacedSession,
    Places,
    Standing,
    Told,
    View,
    by_day,
    by_slot,
    keys_of,
)

Who = TypeVar("Who", bound=Hashable)
"""How the people of a mapping are named there."""

# --- people's days ---------------------------------------------------------------------------------------------------


def _days(attendees: Mapping[Who, DayPeriods]) -> Iterator[tuple[Who, int, list[int]]]:
    for id, days in attendees.items():
        for day, periods in days.items():
            yield id, day, periods


def _gaps(attendees: Mapping[Who, DayPeriods]) -> Places:
    for id, day, periods in _days(attendees):
        yield periods[-1] - periods[0] + 1 - len(periods), (id, day)


def count_group_gap(view: View) -> Places:
    """Free slots between the first and the last session of a cohort's day."""
    return _gaps(view.cohort_days)


def tell_group_gap(view: View, cohort: str, day: int) -> Told:
    periods, keys = view.cohort_days[cohort][day], view.sessions_of_cohort(cohort, day)
    return _tell_gap(view, ("group", cohort), day, periods, keys)


def count_student_gap(view: View) -> Places:
    """Free slots between the first and the last session of a student's day."""
    return _gaps(view.student_days)


def tell_student_gap(view: View, student: str, day: int) -> Told:
    periods, keys = view.student_days[student][day], view.sessions_of_student(student, day)
    return _tell_gap(view, ("student", student), day, periods, keys)


def _tell_gap(view: View, who: Attendee, day: int, periods: Sequence[int], keys: tuple[SessionKey, ...]) -> Told:
    free = counted(periods[-1] - periods[0] + 1 - len(periods), "free slot")
    return Told(f"{view.attendee(who)} has {free} between sessions on {view.names.day(day)}", keys, view.ids_of(who))


def count_isolated_session(view: View) -> Places:
    """Occupied slots of a cohort without another one right before or after."""
    for cohort, day, periods in _days(view.cohort_days):
        occupied = set(periods)
        for period in periods:
            yield int(not occupied & {period - 1, period + 1}), (cohort, day, period)


def tell_isolated_session(view: View, cohort: str, day: int, period: int) -> Told:
    slot = day * view.dataset.time_grid.num_periods + period
    keys = keys_of(by_slot(view.by_cohort[cohort])[slot])
    names, groups = view.names, view.dataset.cohort[cohort].groups
    return Told(f"group {names.cohort(cohort)} has {names.sessions(keys)} alone on {names.slot(slot)}", keys, groups)


def count_late_start(view: View) -> Places:
    """Free slots before the first session of a cohort's day."""
    for cohort, day, periods in _days(view.cohort_days):
        yield periods[0], (cohort, day)


def tell_late_start(view: View, cohort: str, day: int) -> Told:
    free, when = counted(view.cohort_days[cohort][day][0], "free slot"), view.names.day(day)
    sentence = f"group {view.names.cohort(cohort)} has {free} before its first session on {when}"
    return Told(sentence, view.sessions_of_cohort(cohort, day), view.dataset.cohort[cohort].groups)


def _excess_in_runs(periods: Sequence[int], limit: int, rests: Container[int]) -> int:
    """Slots above the limit over the maximal runs of adjacent periods; a run ends at a break."""
    excess = run = 0
    last = -2
    for period in periods:
        run = run + 1 if period == last + 1 and period not in rests else 1
        excess += run > limit
        last = period
    return excess


def count_consecutive_limit(view: View) -> Places:
    """Slots above the limit in a row, without a break between, per attendee and day."""
    grid, value = view.dataset.time_grid, view.profile["consecutive_limit"].value
    limit = grid.num_periods if value is None else value
    for who, day, periods in _days(view.attendee_days):
        yield _excess_in_runs(periods, limit, grid.rests(day)), (who, day, limit)


def tell_consecutive_limit(view: View, who: Attendee, day: int, limit: int) -> Told:
    when = view.names.day(day)
    ours = " (the default of consecutive_limit)" if limit == DEFAULT_LONGEST_RUN else ""
    sentence = f"{view.attendee(who)} sits through more than {limit} slots in a row on {when}{ours}"
    return Told(sentence, view.sessions_of_attendee(who, day), view.ids_of(who))


def count_single_session_day(view: View) -> Places:
    """Days on which an attendee has exactly one occupied slot."""
    for who, day, periods in _days(view.attendee_days):
        yield int(len(periods) == 1), (who, day)


def tell_single_session_day(view: View, who: Attendee, day: int) -> Told:
    keys, when = view.sessions_of_attendee(who, day), view.names.day(day)
    sentence = f"{view.attendee(who)} comes on {when} only for {view.names.sessions(keys)}"
    return Told(sentence, keys, view.ids_of(who))


def count_last_slot(view: View) -> Places:
    """Days whose last period an attendee sits in."""
    grid = view.dataset.time_grid
    for who, day, periods in _days(view.attendee_days):
        yield int(periods[-1] == len(grid.periods_of(day)) - 1), (who, day)


def tell_last_slot(view: View, who: Attendee, day: int) -> Told:
    slot = view.dataset.time_grid.slots_of(day)[-1]
    keys = tuple(key for key in view.sessions_of_attendee(who, day) if slot in view.placed[key].slots)
    sentence = f"{view.attendee(who)} has to stay for the last slot of {view.names.day(day)}"
    return Told(sentence, keys, view.ids_of(who))


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
    """Sessions each teacher has in the dataset, placed or not."""
    total: dict[str, int] = {}
    for part in view.dataset.parts:
        for teacher in part.faculty_ids:
            total[teacher] = total.get(teacher, 0) + part.sessions_per_week
    return total


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
    """Sessions above the peak, per slot; the peak follows from all sessions of the dataset, placed or not."""
    for slot, here in by_slot(view.placed.values()).items():
        yield max(0, len(here) - _peak(view)), (slot, len(here))


def _peak(view: View) -> int:
    parts = view.dataset.parts
    return peak_limit(sum(c.sessions_per_week * c.session_slots for c in parts), len(view.dataset.time_grid.slots))


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
