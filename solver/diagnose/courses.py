"""Proofs about one course or one fixed session: no room suits, no start is left, two fixed sessions collide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from solver.diagnose.facts import Facts, Removal, indices
from solver.model import Course
from solver.names import counted, listed, with_article
from solver.places import suits
from solver.result import Proof
from solver.terms import SessionKey


def course_proofs(facts: Facts) -> Iterator[Proof]:
    """
    No suitable room or no possible start, once per course, and once per session for those that are fixed.

    Whoever mends one of them should not be told of the next one then: all are told, what is never bent first.
    """
    for course, keys in zip(facts.dataset.parts, facts.dataset.sessions_of_part, strict=True):
        found = [*_start_proofs(facts, course, keys), *_room_proofs(facts, course, keys)]
        yield from sorted(found, key=lambda proof: sum(not facts.rigid(rule) for rule in proof.rules[:2]))


def _start_proofs(facts: Facts, course: Course, keys: Sequence[SessionKey]) -> Iterator[Proof]:
    told = set()
    for key in keys:
        fixed, options = facts.fixed.get(key), facts.options(key)
        # That no room suits has a proof of its own and would hide every other reason.
        removals = [removal for removal in options.removals if options.rooms or removal.rule != "room_clash"]
        left = facts.on_grid[course.session_slots]
        for removal in removals:
            left &= ~removal.starts
        if not left and fixed not in told:
            told.add(fixed)
            yield _no_start(facts, key, removals)


def _room_proofs(facts: Facts, course: Course, keys: Sequence[SessionKey]) -> Iterator[Proof]:
    if not facts.suitable(course):
        yield _no_room(facts, course)
        return
    for key in keys:
        if not facts.options(key).rooms:
            yield _fixed_room(facts, key)


def kind_in_words(facts: Facts, course: Course) -> str:
    """ "a lab with projector and 60 seats": the room a course asks for."""
    kinds = course.room_types if facts.hard("room_unsuitable") else ()
    kind = " or ".join(kind.replace("_", " ") for kind in kinds) or "room"
    extras = list(course.required_features) if facts.hard("room_unsuitable") else []
    if facts.hard("room_capacity") and facts.seats_wanted(course):
        extras.append(counted(facts.seats_wanted(course), "seat"))
    return with_article(kind) + (f" with {listed(extras)}" if extras else "")


def _no_room(facts: Facts, course: Course) -> Proof:
    wanted = facts.seats_wanted(course)
    right = [r for r in facts.dataset.rooms if suits(course, r) or not facts.hard("room_unsuitable")]
    needs = f"course {facts.names.part(course)} needs {kind_in_words(facts, course)}"
    if not right:
        return Proof(
            code="no_room",
            sentence=f"{needs}, but none of the {counted(len(facts.dataset.rooms), 'room')} is of that kind",
            entities=(course.id,),
            rules=("room_unsuitable",),
            needed=1,
            available=0,
        )
    if course.rooms_needed > 1:
        number = counted(course.rooms_needed, "room")
        return Proof(
            code="no_room",
            sentence=f"{needs}, in {number} at once, but no {number} of that kind have so many seats",
            entities=(course.id,),
            rules=("room_capacity", "room_unsuitable"),
        )
    largest = max(right, key=lambda room: room.capacity)
    name = facts.names.room(largest.id)
    return Proof(
        code="no_room",
        sentence=f"{needs}, but the largest room of that kind, {name}, seats {largest.capacity}",
        entities=(course.id, largest.id),
        rules=("room_capacity", "room_unsuitable") if facts.hard("room_unsuitable") else ("room_capacity",),
        needed=wanted,
        available=largest.capacity,
    )


def _fixed_room(facts: Facts, key: SessionKey) -> Proof:
    course, ids = facts.dataset.part_of(key), facts.fixed[key].room_ids
    rooms = [facts.dataset.room[id] for id in ids]
    seats, types = sum(room.capacity for room in rooms), listed(list(dict.fromkeys(room.type for room in rooms)))
    offers = f"which is of type {types} and seats {seats}"
    is_fixed = f"{facts.names.session(key)} is fixed in {facts.names.rooms(ids)}, {offers}"
    small = facts.hard("room_capacity") and seats < facts.seats_wanted(course)
    wrong = facts.hard("room_unsuitable") and not all(suits(course, room) for room in rooms)
    return Proof(
        code="fixed_room_unsuitable",
        sentence=f"{is_fixed}, but the course needs {kind_in_words(facts, course)}",
        entities=(course.id, *ids),
        rules=("fixed_moved", *(["room_unsuitable"] if wrong else []), *(["room_capacity"] if small else [])),
        needed=facts.seats_wanted(course) if small else None,
        available=seats if small else None,
    )


def _no_start(facts: Facts, key: SessionKey, removals: Sequence[Removal]) -> Proof:
    course = facts.dataset.part_of(key)
    possible = facts.on_grid[course.session_slots]
    fixed = facts.fixed.get(key)
    if not possible:
        sentence = f"a session of {facts.names.part(course)} takes {course.session_slots} slots in a row, more than "
        sentence += "any part of the day has between its ends and its breaks"
    elif fixed is not None:
        removals = [r for r in removals if r.rule == "fixed_moved" or r.starts >> fixed.slot & 1]
        removals.sort(key=lambda removal: not facts.rigid(removal.rule))
        reasons = [r.why for r in removals if r.rule != "fixed_moved"]
        sentence = f"{facts.names.session(key)} is fixed to {facts.names.slot(fixed.slot)}, but then {listed(reasons)}"
    else:
        reasons = [f"for {(r.starts & possible).bit_count()} of them {r.why}" for r in removals]
        sentence = f"course {facts.names.part(course)} can start nowhere: of {possible.bit_count()} starts on the grid "
        sentence += f"none is left, {listed(reasons)}"
    return Proof(
        code="no_start" if fixed is None else "fixed_impossible",
        sentence=sentence,
        entities=(course.id,),
        rules=tuple(dict.fromkeys(removal.rule for removal in removals)) or ("slot_forbidden",),
        needed=1,
        available=0,
    )


def fixed_proofs(facts: Facts) -> Iterator[Proof]:
    """Fixed sessions that need one teacher, group, student or room in the same slot."""
    students: dict[tuple[SessionKey, ...], list[str]] = defaultdict(list)
    told = set()
    for (rule, kind, id, slot), keys in _fixed_demands(facts).items():
        together = tuple(keys)
        if _fit(facts, kind, id, keys) or (kind, id, together) in told:
            continue
        told.add((kind, id, together))
        if kind == "student":
            students[together].append(id)
            continue
        name = {"teacher": facts.names.teacher, "group": facts.names.cohort, "room": facts.names.room}.get(
            kind, facts.names.course
        )(id)
        found = facts.dataset.cohort[id].groups if kind == "group" else (id,)
        yield _fixed_clash(facts, rule, f"{kind} {name} has", found, slot, together)
    for together, ids in students.items():
        slot = max(facts.fixed[key].slot for key in together)
        who = f"{facts.names.student(ids[0])} has" if len(ids) == 1 else f"{facts.names.students(ids)} have"
        yield _fixed_clash(facts, "student_clash", who, tuple(ids), slot, together)


def _fit(facts: Facts, kind: str, id: str, keys: Sequence[SessionKey]) -> bool:
    """Whether those who need one thing in one slot can have it."""
    if kind == "room":
        return len(keys) <= facts.dataset.room[id].sessions_at_once
    apart = {facts.dataset.together.get(key, key) for key in keys}
    return len(apart) < 2 or (kind == "student" and len({facts.dataset.part_number[key] for key in keys}) < 2)


def _fixed_demands(facts: Facts) -> dict[tuple[str, str, str, int], list[SessionKey]]:
    """Fixed sessions by (rule, kind, id, slot) of what they need to themselves."""
    demands: dict[tuple[str, str, str, int], list[SessionKey]] = defaultdict(list)
    for key, fixed in facts.fixed.items():
        course = facts.dataset.part_of(key)
        needs = [("faculty_clash", "teacher", id) for id in course.faculty_ids]
        cohorts = facts.dataset.cohorts_of(course)
        needs += [("group_clash", "group", id) for id in cohorts] or [("group_clash", "course", course.id)]
        needs += [("student_clash", "student", id) for id in facts.dataset.students_of(course)]
        needs += [("room_clash", "room", id) for id in fixed.room_ids]
        for rule, kind, id in needs:
            if facts.hard(rule):
                for slot in indices(((1 << course.session_slots) - 1) << fixed.slot):
                    demands[rule, kind, id, slot].append(key)
    return demands


def _fixed_clash(
    facts: Facts, rule: str, who: str, ids: tuple[str, ...], slot: int, keys: tuple[SessionKey, ...]
) -> Proof:
    names = facts.names
    return Proof(
        code="fixed_clash",
        sentence=f"{who} {len(keys)} sessions fixed on {names.slot(slot)}: {names.sessions(keys)}",
        entities=(*ids, *dict.fromkeys(key[0] for key in keys)),
        rules=("fixed_moved", rule),
        needed=len(keys),
        available=1,
    )
