"""
Conflicts as the platform reads them: the hard breaches of a published variant, and what checked repairs there are.

Every breach is one that the verifier counts. A repair is a move of one of its sessions, perhaps with one other session,
after which the broken rule counts less and no hard rule more. Nothing is changed here: each repair was checked against
the timetable as it was published, so two of them may not go together.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import NamedTuple

from app.views.flags import hard_breaches
from solver.diagnose import Openings
from solver.model import Dataset
from solver.names import Names
from solver.result import Offence, Repair, Variant
from solver.terms import SessionKey

View = dict[str, object]

TYPES: Mapping[str, str] = {
    **dict.fromkeys(("faculty_clash", "faculty_unavailable", "faculty_daily_limit", "faculty_weekly_limit"), "faculty"),
    **dict.fromkeys(
        ("student_clash", "core_clash", "group_clash", "group_unavailable", "group_daily_limit"), "student"
    ),
    **dict.fromkeys(("room_clash", "room_capacity", "room_unsuitable"), "room"),
}
"""Rule -> type of its conflicts. The others, and rules that a dataset has made hard, are about the course alone."""
OTHER_TYPE = "course"
SEVERITIES: Mapping[str, str] = {"faculty": "critical", "student": "high", "room": "high", OTHER_TYPE: "high"}
MAX_TRIED_SESSIONS = 3
"""So many sessions of a conflict are tried for a repair, in the order in which the verifier names them."""
LOOKING_SECONDS = 8.0
"""The search for repairs ends after this time. Where nothing helps, one of a large university takes seconds."""
MAX_SHOWN = 20
"""Courses, entities and sessions of one conflict that are listed."""
ASK = "POST /conflicts/resolve/{id}?timetable_id={timetable_id} looks for a checked repair"
UNCHANGED = (
    "Nothing was changed: a published timetable is what a job has proved, and only a restart of the job makes a new "
    "one. Each repair was checked alone, against the timetable as it is."
)


class Conflict(NamedTuple):
    """One place where a hard rule is broken, and the id under which it can be asked for."""

    id: str
    type: str
    unit: str
    offence: Offence


def conflicts_of(dataset: Dataset, variant: Variant) -> list[Conflict]:
    """All of them, teachers first; a variant has the same ones under the same ids whenever it is asked."""
    found, seen = [], Counter[str]()
    for rule in hard_breaches(dataset, variant.timetable, variant.report):
        type = TYPES.get(rule.rule, OTHER_TYPE)
        for offence in rule.offences:
            text = repr((offence.rule, offence.message, offence.sessions, offence.entities))
            seen[text] += 1
            digest = hashlib.sha256(f"{text}{seen[text]}".encode()).hexdigest()
            found.append(Conflict(f"{type}_{digest[:16]}", type, rule.unit, offence))
    order = list(SEVERITIES)
    return sorted(found, key=lambda conflict: order.index(conflict.type))


def conflicts_view(dataset: Dataset, variant: Variant, limit: int, stamp: int, timetable_id: str) -> View:
    """
    The first `limit` conflicts and how many there are.

    `stamp` is when the job ended, in seconds since 1970; by `timetable_id` a repair is asked for.
    """
    found, at = conflicts_of(dataset, variant), datetime.fromtimestamp(stamp, UTC).isoformat()
    return {
        "conflicts": [{**_told(conflict, timetable_id), "timestamp": at} for conflict in found[:limit]],
        "total": len(found),
        "by_type": dict(Counter(conflict.type for conflict in found)),
        "unplaced": len(variant.report.unplaced),
    }


def resolutions_view(dataset: Dataset, variant: Variant, limit: int) -> View:
    """
    What could be done about the first `limit` conflicts, see `resolution_view`; `resolved` is always 0.

    Those for which there was no time are `not_looked_at`, as those behind the limit are.
    """
    until = time.monotonic() + LOOKING_SECONDS
    found, seeker = conflicts_of(dataset, variant), _Seeker(dataset, variant, until)
    looked_at = takewhile(lambda conflict: time.monotonic() < until, found[:limit])
    details = [seeker.detail(conflict) for conflict in looked_at]
    manual = sum(detail["method"] == "manual_review" for detail in details)
    return {
        "total": len(found),
        "resolved": 0,
        "repairable": len(details) - manual,
        "manual_review": manual,
        "not_looked_at": len(found) - len(details),
        "details": details,
        "message": UNCHANGED,
    }


def resolution_view(dataset: Dataset, variant: Variant, conflict_id: str) -> View | None:
    """What could be done about one conflict: a checked repair, or a review by people. None for an unknown id."""
    until = time.monotonic() + LOOKING_SECONDS
    found = next((conflict for conflict in conflicts_of(dataset, variant) if conflict.id == conflict_id), None)
    return None if found is None else {**_Seeker(dataset, variant, until).detail(found), "message": UNCHANGED}


def _told(conflict: Conflict, timetable_id: str) -> View:
    offence = conflict.offence
    courses = dict.fromkeys(course_id for course_id, _ in offence.sessions)
    return {
        "conflict_id": conflict.id,
        "conflict_type": conflict.type,
        "severity": SEVERITIES[conflict.type],
        "rule": offence.rule,
        "amount": offence.amount,
        "unit": conflict.unit,
        "description": offence.message,
        "affected_courses": [*islice(courses, MAX_SHOWN)],
        "affected_entities": list(offence.entities[:MAX_SHOWN]),
        "affected_sessions": [list(key) for key in offence.sessions[:MAX_SHOWN]],
        "suggested_resolution": ASK.format(id=conflict.id, timetable_id=timetable_id),
    }


class _Seeker:
    """Looks for repairs of the conflicts of one variant until a time of `time.monotonic()`."""

    def __init__(self, dataset: Dataset, variant: Variant, until: float) -> None:
        self._until = until
        self._openings = Openings(dataset, variant.timetable)
        self._placed = variant.timetable.by_session
        self._names = Names(dataset)

    def detail(self, conflict: Conflict) -> View:
        key, repair = next(self._repairs(conflict.offence), (None, None))
        told = {
            "conflict_id": conflict.id,
            "conflict_type": conflict.type,
            "rule": conflict.offence.rule,
            "description": conflict.offence.message,
            "success": False,
            "applied": False,
        }
        if key is None or repair is None:
            return {**told, "method": "manual_review", "suggested_resolution": self._by_people(conflict.offence)}
        old = self._placed[key]
        return {
            **told,
            "method": _method(repair, old.slot),
            "course_id": key[0],
            "session": key[1],
            "old_slot": old.slot,
            "old_time": self._names.slot(old.slot),
            "old_room_id": old.room_id,
            "new_slot": repair.slot,
            "new_time": self._names.slot(repair.slot),
            "new_room_id": repair.room_id,
            "new_more_rooms": list(repair.more_rooms),
            "moves": [{"session": list(moved), "slot": slot, "room_id": room} for moved, slot, room in repair.moves],
            "suggested_resolution": f"{self._names.session(key)}: {repair.sentence}",
        }

    def _repairs(self, offence: Offence) -> Iterator[tuple[SessionKey, Repair]]:
        for key in offence.sessions[:MAX_TRIED_SESSIONS]:
            for repair in self._openings.relocations(key, offence.rule, 1, until=self._until):
                yield key, repair

    def _by_people(self, offence: Offence) -> str:
        tried = [self._names.session(key) for key in offence.sessions[:MAX_TRIED_SESSIONS]]
        within = f" within {LOOKING_SECONDS:g} s" if time.monotonic() >= self._until else ""
        return (
            f"no place was found{within} for {' or '.join(tried)} that breaks less; "
            f"maybe bend the rule {offence.rule!r}"
        )


def _method(repair: Repair, old_slot: int) -> str:
    if repair.moves:
        return "exchange"
    return "move_room" if repair.slot == old_slot else "move_slot"
