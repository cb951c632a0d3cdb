"""
What people ask of a finished timetable: how rooms and teachers are used, where two variants differ, and why a session
stands where it stands. Everything is recounted by the verifier, or tried on the board that proposes repairs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from app.views.entries import Entries
from app.views.variants import told_view
from app.views.weeks import View, grid_view
from solver.calendar import TimeGrid
from solver.diagnose import Openings
from solver.labels import NO_ROOM, Labels
from solver.model import Dataset, Placement, Timetable
from solver.names import Names
from solver.result import RuleCount, Variant
from solver.terms import SessionKey
from solver.verify import verify

ALL_OFFENCES = 1_000_000
MAX_TOLD = 50
"""So many broken rules of one session are told, dearest first."""


def load_view(dataset: Dataset, timetable: Timetable) -> View:
    """
    Which slots each room and teacher is used in, as text of one letter per slot: `1` used, `0` free, `x` closed.

    The fullest rooms come first, by the share of their open slots that is used, and the teachers with most slots.
    """
    rooms: dict[str, set[int]] = defaultdict(set)
    teachers: dict[str, set[int]] = defaultdict(set)
    running: Counter[int] = Counter()
    for placement in timetable.placements:
        course = dataset.part_of(placement.key)
        slots = range(placement.slot, placement.slot + course.session_slots)
        for id in placement.room_ids:
            rooms[id].update(slots)
        running.update(slots)
        for teacher in course.faculty_ids:
            teachers[teacher].update(slots)
    grid, labels = dataset.time_grid, Labels(dataset)
    return {
        "grid": grid_view(dataset),
        "sessions": [running[slot] for slot in range(grid.num_slots)],
        "rooms": sorted(
            (
                [r.id, labels.rooms[r.id], r.type, r.capacity, _use(rooms[r.id], r.unavailable, grid)]
                for r in dataset.rooms
            ),
            key=lambda row: -_share(str(row[-1])),
        ),
        "teachers": sorted(
            (
                [
                    f.id,
                    labels.teachers[f.id],
                    f.department_id or "",
                    f.max_sessions_per_week,
                    _use(teachers[f.id], f.unavailable, grid),
                ]
                for f in dataset.faculty
            ),
            key=lambda row: -str(row[-1]).count("1"),
        ),
    }


def _use(used: set[int], closed: tuple[int, ...], grid: TimeGrid) -> str:
    """A period that a shorter day has not is closed like any other."""
    shut = frozenset(closed).union(slot for slot in range(grid.num_slots) if not grid.exists(slot))
    return "".join("1" if slot in used else "x" if slot in shut else "0" for slot in range(grid.num_slots))


def _share(use: str) -> float:
    """Used slots of a room by the slots in which it is open, or used though it is closed."""
    return use.count("1") / max(1, len(use) - use.count("x"))


def difference_view(dataset: Dataset, variant: Variant, other: Variant) -> View:
    """
    Every session that stands elsewhere in `other`, by course: its name, then slot and room here and there.

    A slot or room of null means that the session has no place in that variant.
    """
    names, labels = Names(dataset), Labels(dataset)
    rows: list[list[object]] = []
    kinds: Counter[str] = Counter()
    for key in dataset.sessions:
        here, there = variant.timetable.by_session.get(key), other.timetable.by_session.get(key)
        kind = _kind_of_change(here, there)
        kinds[kind] += 1
        if kind != "same":
            rows.append([*key, names.session(key), kind, *_place(here, labels), *_place(there, labels)])
    return {
        "grid": grid_view(dataset),
        "rooms": labels.rooms,
        "counts": {kind: kinds[kind] for kind in ("same", "time", "room", "placed")},
        "rows": rows,
    }


def _kind_of_change(here: Placement | None, there: Placement | None) -> str:
    if here is None or there is None:
        return "same" if here is there else "placed"
    if here.slot != there.slot:
        return "time"
    return "same" if set(here.room_ids) == set(there.room_ids) else "room"


def _place(placement: Placement | None, labels: Labels) -> tuple[int | None, str | None]:
    """Slot and id of the room, or in place of an id the words for none or several."""
    if placement is None:
        return None, None
    ids = placement.room_ids
    return placement.slot, ids[0] if len(ids) == 1 else ", ".join(labels.rooms[id] for id in ids) or NO_ROOM


def session_view(dataset: Dataset, variant: Variant, key: SessionKey) -> View | None:
    """
    Why a session stands where it stands: the rules it takes part in breaking, and what every other start would meet.

    `starts` has a line per slot: null where the session would find a free room, else what keeps it from there. None
    when there is no such session.
    """
    course = dataset.course.get(key[0])
    if course is None or not 0 <= key[1] < course.sessions_per_week:
        return None
    placement, part = variant.timetable.by_session.get(key), dataset.part_of(key)
    report = verify(dataset, variant.timetable, max_offences=ALL_OFFENCES)
    broken = sorted(_broken_by(report.rules, key), key=lambda told: -int(str(told["cost"])))
    reasons = Openings(dataset, variant.timetable).reasons(key)
    return {
        "course_id": key[0],
        "session": key[1],
        "name": Names(dataset).session(key),
        "entry": None if placement is None else Entries(dataset).chosen([placement], {})[0],
        "grid": grid_view(dataset),
        "broken": broken[:MAX_TOLD],
        "starts": list(reasons),
        "facts": {
            "students": dataset.expected_students(part),
            "room_types": list(part.room_types),
            "required_features": list(part.required_features),
            "fixed": any(fixed.session == key[1] for fixed in course.fixed),
            "sessions_per_week": course.sessions_per_week,
        },
    }


def _broken_by(rules: Mapping[str, RuleCount], key: SessionKey) -> Iterator[View]:
    for rule in rules.values():
        if rule.tier == "off" or not rule.count:
            continue
        for offence in rule.offences:
            if key in offence.sessions:
                yield {
                    "rule": rule.rule,
                    "tier": rule.tier,
                    **told_view(rule.rule),
                    "message": offence.message,
                    "amount": offence.amount,
                    "cost": offence.amount * rule.weight,
                }
