"""
The rules that are hard by default: one `count_<rule>` each, and the sentence that names an offender.

The counts are defined here for all three counters; "slot" always means a covered slot, "day" the day of the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from solver.model import FixedSession, Room
from solver.names import counted, default_note, listed, with_article
from solver.terms import SessionKey
from solver.verify.view import Mark, PlacedSession, Places, Told, View, by_day, by_slot, keys_of

# --- clashes ---------------------------------------------------------------------------------------------------------


def count_faculty_clash(view: View) -> Places:
    """Sessions above one per teacher and slot; those that may clash with each other are one."""
    for teacher, sessions in view.by_teacher.items():
        for slot, here in by_slot(sessions).items():
            yield view.apart(here) - 1, (teacher, slot)


def tell_faculty_clash(view: View, teacher: str, slot: int) -> Told:
    keys = keys_of(by_slot(view.by_teacher[teacher])[slot])
    name, when = view.names.teacher(teacher), view.names.slot(slot)
    return Told(
        f"teacher {name} has {len(keys)} sessions at once on {when}: {view.names.sessions(keys)}", keys, (teacher,)
    )


def count_room_clash(view: View) -> Places:
    """Sessions above those that may share a room, mostly one, per room and slot; above none while it is closed."""
    for id, sessions in view.by_room.items():
        room = view.dataset.room[id]
        closed = set(room.unavailable)
        for slot, here in by_slot(sessions).items():
            yield max(0, len(here) - (0 if slot in closed else room.sessions_at_once)), (id, slot)


def tell_room_clash(view: View, room: str, slot: int) -> Told:
    keys = keys_of(by_slot(view.by_room[room])[slot])
    name, when = view.names.room(room), view.names.slot(slot)
    closed = ", though it is closed" if slot in view.dataset.room[room].unavailable else ""
    holds = f"room {name} holds {counted(len(keys), 'session')} on {when}{closed}"
    return Told(f"{holds}: {view.names.sessions(keys)}", keys, (room,))


def count_group_clash(view: View) -> Places:
    """
    Sessions above one per cohort and slot; the sessions of a course that have no group are one by themselves. Those
    that may clash with each other count as one.
    """
    for cohort, sessions in view.by_cohort.items():
        for slot, here in by_slot(sessions).items():
            yield view.apart(here) - 1, ("group", cohort, slot)
    for course, sessions in view.by_course.items():
        for slot, here in by_slot(_without_group(sessions)).items():
            yield view.apart(here) - 1, ("course", course, slot)


def _without_group(sessions: Iterable[PlacedSession]) -> list[PlacedSession]:
    return [session for session in sessions if not session.course.group_ids]


def tell_group_clash(view: View, kind: str, id: str, slot: int) -> Told:
    if kind == "group":
        sessions, name, ids = view.by_cohort[id], view.names.cohort, view.dataset.cohort[id].groups
    else:
        sessions, name, ids = _without_group(view.by_course[id]), view.names.course, (id,)
    keys = keys_of(by_slot(sessions)[slot])
    when = view.names.slot(slot)
    return Told(
        f"{kind} {name(id)} has {len(keys)} sessions at once on {when}: {view.names.sessions(keys)}",
        keys,
        ids,
    )


def count_student_clash(view: View) -> Places:
    """Pairs of sessions of different courses, or different parts of one, that may not clash, per slot and student."""
    return _student_pairs(view, view.parts_of_student.values())


def count_core_clash(view: View) -> Places:
    """Pairs of sessions of different core courses in one slot, per student."""
    core = view.core_parts
    return _student_pairs(view, ([n for n in parts if n in core] for parts in view.parts_of_student.values()))


def _student_pairs(view: View, parts_of_students: Iterable[Sequence[int]]) -> Places:
    slots = view.marked_slots_of_part
    for parts in parts_of_students:
        at: dict[int, list[Mark]] = {}
        for part in parts:
            for slot, mark in slots[part]:
                at.setdefault(slot, []).append(mark)
        for slot, here in at.items():
            if len(here) == 1:
                yield 0, ()
            else:
                yield _pairs_that_clash(here), (slot, tuple(sorted({part for part, _ in here})))


def _pairs_that_clash(marks: list[Mark]) -> int:
    return sum(a[0] != b[0] and a[1] != b[1] for i, a in enumerate(marks) for b in marks[i + 1 :])


def tell_student_clash(view: View, slot: int, parts: tuple[int, ...]) -> Told:
    """All students who are wanted in exactly these courses at once are one offence; two core ones cost more."""
    told = _told_pairs(view, slot, parts)
    core = [part for part in parts if part in view.core_parts]
    if len(core) < 2 or not view.core_matters:
        return told
    note = "both are core" if len(parts) == 2 else f"{_parts_in_words(view, core)} are core"
    return told._replace(message=f"{told.message}; {note}")


def tell_core_clash(view: View, slot: int, parts: tuple[int, ...]) -> Told:
    return _told_pairs(view, slot, parts, "core courses ")


def _told_pairs(view: View, slot: int, parts: tuple[int, ...], kind: str = "") -> Told:
    sessions = [s for part in parts for s in view.by_part[part] if slot in s.slots]
    taught = [view.dataset.parts[part] for part in parts]
    common = set.intersection(*(set(view.dataset.students_of(course)) for course in taught))
    names, when = _parts_in_words(view, parts), view.names.slot(slot)
    return Told(
        f"{view.names.students(sorted(common))} should be in {kind}{names} at once on {when}",
        keys_of(sessions),
        tuple(dict.fromkeys(course.id for course in taught)),
    )


def _parts_in_words(view: View, parts: Iterable[int]) -> str:
    return listed([view.names.part(view.dataset.parts[part]) for part in parts])


# --- places in time --------------------------------------------------------------------------------------------------


def count_slot_forbidden(view: View) -> Places:
    """Sessions that start at a slot that is not allowed, or from which they cannot run."""
    grid = view.dataset.time_grid
    for key, session in view.placed.items():
        possible = grid.can_start(session.start, session.course.session_slots)
        yield int(not possible or not session.course.may_start(session.start)), (key,)


def tell_slot_forbidden(view: View, key: SessionKey) -> Told:
    session = view.placed[key]
    possible = view.dataset.time_grid.can_start(session.start, session.course.session_slots)
    barred = "from where it would run into a break or past the day"
    why = "which is not one of its permitted times" if possible else barred
    return Told(f"{view.names.session(key)} starts on {view.names.slot(session.start)}, {why}", (key,), (key[0],))


def _fixed(view: View) -> Iterator[tuple[PlacedSession, FixedSession]]:
    for course in view.dataset.courses:
        for fixed in course.fixed:
            session = view.placed.get((course.id, fixed.session))
            if session is not None:
                yield session, fixed


def count_fixed_moved(view: View) -> Places:
    """Fixed sessions at another slot or in another room."""
    for session, fixed in _fixed(view):
        rooms = view.dataset.in_order(fixed.room_ids)
        moved = session.start != fixed.slot or (rooms and rooms != session.room_ids)
        yield int(bool(moved)), (session.key,)


def tell_fixed_moved(view: View, key: SessionKey) -> Told:
    session, fixed = next(pair for pair in _fixed(view) if pair[0].key == key)
    wanted = view.names.slot(fixed.slot) + (f" in {_in_short(view, fixed.room_ids)}" if fixed.room_ids else "")
    stands = f"{view.names.slot(session.start)} in {_in_short(view, session.room_ids)}"
    return Told(f"{view.names.session(key)} is fixed to {wanted} but is on {stands}", (key,), (key[0],))


def _in_short(view: View, room_ids: Sequence[str]) -> str:
    """One room by its name alone."""
    return view.names.rooms(room_ids).removeprefix("room ")


def count_group_unavailable(view: View) -> Places:
    """Slots in which a cohort is taught outside the shift of one of its groups."""
    for cohort, sessions in view.by_cohort.items():
        away = set(view.dataset.cohort[cohort].unavailable)
        for session in sessions:
            for slot in session.slots:
                yield int(slot in away), (session.key, cohort, slot)


def tell_group_unavailable(view: View, key: SessionKey, cohort: str, slot: int) -> Told:
    who, when = view.names.cohort(cohort), view.names.slot(slot)
    groups = view.dataset.cohort[cohort].groups
    return Told(f"group {who} is not available on {when} but has {view.names.session(key)}", (key,), groups)


def count_faculty_unavailable(view: View) -> Places:
    """Slots in which a teacher is taught for while unavailable."""
    for teacher, sessions in view.by_teacher.items():
        away = set(view.dataset.teacher[teacher].unavailable)
        for session in sessions:
            for slot in session.slots:
                yield int(slot in away), (session.key, teacher, slot)


def tell_faculty_unavailable(view: View, key: SessionKey, teacher: str, slot: int) -> Told:
    who, when = view.names.teacher(teacher), view.names.slot(slot)
    return Told(f"teacher {who} is not available on {when} but has {view.names.session(key)}", (key,), (teacher,))


# --- limits ----------------------------------------------------------------------------------------------------------


def _above_daily(standing: Mapping[str, list[PlacedSession]], limit_of: Callable[[str], int | None]) -> Places:
    for owner, sessions in standing.items():
        limit = limit_of(owner)
        if limit is not None:
            for day, here in by_day(sessions).items():
                yield max(0, len(here) - limit), (owner, day)


def count_group_daily_limit(view: View) -> Places:
    """Sessions of a cohort on a day above the lowest limit of its groups."""
    return _above_daily(view.by_cohort, lambda cohort: view.dataset.cohort[cohort].max_sessions_per_day)


def tell_group_daily_limit(view: View, cohort: str, day: int) -> Told:
    limit = view.dataset.cohort[cohort].max_sessions_per_day
    told = _tell_daily(view, f"group {view.names.cohort(cohort)} has", cohort, day, view.by_cohort[cohort], limit)
    return told._replace(entities=view.dataset.cohort[cohort].groups)


def count_course_daily_limit(view: View) -> Places:
    """Sessions of a course on a day above its limit."""
    return _above_daily(view.by_course, lambda course: view.dataset.course[course].max_sessions_per_day)


def tell_course_daily_limit(view: View, course: str, day: int) -> Told:
    limit = view.dataset.course[course].max_sessions_per_day
    told = _tell_daily(view, f"course {view.names.course(course)} has", course, day, view.by_course[course], limit)
    return told._replace(message=told.message + default_note(limit))


def count_faculty_daily_limit(view: View) -> Places:
    """Sessions of a teacher on a day above the limit."""
    return _above_daily(view.by_teacher, lambda teacher: view.dataset.teacher[teacher].max_sessions_per_day)


def tell_faculty_daily_limit(view: View, teacher: str, day: int) -> Told:
    limit = view.dataset.teacher[teacher].max_sessions_per_day
    who = f"teacher {view.names.teacher(teacher)} has"
    return _tell_daily(view, who, teacher, day, view.by_teacher[teacher], limit)


def _tell_daily(view: View, who: str, id: str, day: int, sessions: Iterable[PlacedSession], limit: int | None) -> Told:
    keys = keys_of(by_day(sessions)[day])
    return Told(
        f"{who} {counted(len(keys), 'session')} on {view.names.day(day)}, but the limit is {limit}", keys, (id,)
    )


def count_faculty_weekly_limit(view: View) -> Places:
    """Placed sessions of a teacher above the weekly limit."""
    for teacher, sessions in view.by_teacher.items():
        limit = view.dataset.teacher[teacher].max_sessions_per_week
        if limit is not None:
            yield max(0, len(sessions) - limit), (teacher,)


def tell_faculty_weekly_limit(view: View, teacher: str) -> Told:
    keys = keys_of(view.by_teacher[teacher])
    limit = view.dataset.teacher[teacher].max_sessions_per_week
    who = view.names.teacher(teacher)
    return Told(
        f"teacher {who} has {counted(len(keys), 'session')} in the week, but the limit is {limit}", keys, (teacher,)
    )


# --- rooms -----------------------------------------------------------------------------------------------------------


def count_room_capacity(view: View) -> Places:
    """Expected students without a seat."""
    for key, session in view.placed.items():
        yield max(0, view.seats_wanted[session.part] - session.seats), (key,)


def tell_room_capacity(view: View, key: SessionKey) -> Told:
    session = view.placed[key]
    wanted, verb = view.dataset.expected_students(session.course), "seats" if len(session.rooms) == 1 else "seat"
    message = f"{view.where(session)} {verb} {session.seats} but {view.names.session(key)} expects {wanted} students"
    return Told(message, (key,), (*session.room_ids, key[0]))


def count_room_unsuitable(view: View) -> Places:
    """Sessions in a room of a wrong type, without a required feature, or that they may not use."""
    for key, session in view.placed.items():
        yield int(any(_is_unsuitable(session, room) for room in session.rooms)), (key,)


def _is_unsuitable(session: PlacedSession, room: Room) -> bool:
    wrong = _is_of_wrong_type(session, room) or bool(_missing(session, room))
    return wrong or not session.course.may_use(room.id)


def _is_of_wrong_type(session: PlacedSession, room: Room) -> bool:
    return bool(session.course.room_types) and room.type not in session.course.room_types


def _missing(session: PlacedSession, room: Room) -> list[str]:
    return [feature for feature in session.course.required_features if feature not in room.features]


def tell_room_unsuitable(view: View, key: SessionKey) -> Told:
    session = view.placed[key]
    wrong = next(room for room in session.rooms if _is_unsuitable(session, room))
    name, room = view.names.session(key), f"room {view.names.room(wrong.id)}"
    missing = listed([feature.replace("_", " ") for feature in _missing(session, wrong)])
    message = f"{name} needs {missing}, which {room} does not have"
    if _is_of_wrong_type(session, wrong):
        kinds = (" or ".join(session.course.room_types), wrong.type)
        wanted, is_one = (with_article(kind.replace("_", " ")) for kind in kinds)
        also, without = (f" with {missing}", f" without {missing}") if missing else ("", "")
        message = f"{name} needs {wanted}{also}, but {room} is {is_one}{without}"
    elif not missing:
        message = f"{name} may not be in {room}"
    return Told(message, (key,), (wrong.id, key[0]))
