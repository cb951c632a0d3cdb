"""
Malformed native datasets, written by hand: each is a valid document with one thing wrong, and says what it must report.

`CASES` is data for whoever reads datasets: the library, the HTTP service (which embeds `body` in a request), the
command line. `VALID` is the document that all of them are made from.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

UNREADABLE = frozenset({"bad_json", "bad_utf8"})
"""Codes of texts in which nothing at all can be found, so that the issue has no place in the document."""


class Case(NamedTuple):
    """A malformed document with the one issue that it has."""

    name: str
    body: bytes
    pointer: str
    code: str
    value: Any

    @property
    def has_place(self) -> bool:
        """Whether `pointer` leads into the document when that is embedded in another one."""
        return self.code not in UNREADABLE

    def pointer_below(self, prefix: str) -> str:
        """The pointer in a document that has this one at `prefix` (one level deep)."""
        if not self.has_place or self.name == "nested beyond the parser's stack":
            return ""
        # The limit of depth counts from the outside, so it is met one level earlier.
        return prefix + (self.pointer.rpartition("/")[0] if self.code == "too_deep" else self.pointer)


VALID: dict[str, Any] = {
    "schema": "timetable-dataset/1",
    "name": "Small college",
    "time_grid": {
        "working_days": 5,
        "slots_per_day": 6,
        "start_time": "08:00",
        "end_time": "15:00",
        "slot_minutes": 60,
        "lunch": {"start": "12:00", "end": "13:00"},
    },
    "rooms": [
        {
            "id": "R1",
            "name": "LH-101",
            "capacity": 80,
            "type": "lecture_hall",
            "features": ["projector"],
            "building": "A",
        },
        {"id": "R2", "capacity": 30, "type": "lab", "building": "B", "department_id": None, "unavailable": [7]},
    ],
    "faculty": [
        {"id": "F1", "name": "A. Rao", "max_sessions_per_week": 18, "unavailable": [0, 1], "preferences": {"2": 0.9}},
        {"id": "F2", "department_id": "D1", "max_sessions_per_day": 4},
        {"id": "F3"},
    ],
    "groups": [{"id": "B1", "name": "CSE-1", "size": 60, "max_sessions_per_day": 6, "unavailable": [29]}],
    "courses": [
        {
            "id": "C1",
            "code": "CS101",
            "name": "Programming",
            "subject_type": "core",
            "credits": 4,
            "faculty_ids": ["F1"],
            "group_ids": ["B1"],
            "student_ids": ["S1", "S2"],
            "expected_students": 60,
            "sessions_per_week": 3,
            "session_slots": 1,
            "room_types": ["lecture_hall"],
            "required_features": ["projector"],
            "min_days": 2,
            "max_sessions_per_day": 2,
            "allowed_slots": [5, 6, 7, 12, 13],
            "fixed": [{"session": 0, "slot": 5, "room_id": "R1"}],
            "prerequisites": [],
            "priority": 1,
        },
        {"id": "C2", "faculty_ids": ["F2"], "session_slots": 2, "prerequisites": ["C1"]},
        {"id": "C3", "faculty_ids": ["F1", "F2"], "sessions_per_week": 2},
    ],
    "links": [
        {"type": "precedence", "sessions": [["C1", 0], ["C2", None]], "tier": "hard", "weight": 1, "value": None}
    ],
    "travel_minutes": {"A": {"B": 10}},
    "history": [{"faculty_id": "F1", "slot": 2, "rating": 0.8}],
    "rules": {"student_clash": {"tier": "hard"}, "group_gap": {"tier": "soft", "weight": 2}},
}

GONE: Any = object()
"""Instead of a new value: the field is left out."""
SAME: Any = object()
"""Instead of an expectation: the pointer is the changed place, the value is the new one."""


class Change(NamedTuple):
    """One field of `VALID` set to something else, and what must be said about it."""

    path: str
    new: Any
    code: str
    pointer: Any = SAME
    value: Any = SAME


LONG_ID = "x" * 129
CHANGES = (
    # --- the head ----------------------------------------------------------------------------------------------------
    Change("/schema", GONE, "missing", value=None),
    Change("/schema", "timetable-dataset/3", "bad_schema"),
    Change("/schema", "", "bad_schema"),
    Change("/schema", None, "bad_schema"),
    Change("/schema", 1, "bad_schema"),
    Change("/name", 5, "wrong_type"),
    Change("/name", None, "wrong_type"),
    Change("/name", ["Small college"], "wrong_type"),
    Change("/colour", "red", "unknown_field"),
    Change("/Rooms", [], "unknown_field"),
    Change("/a~1b", 1, "unknown_field"),
    # --- time grid ---------------------------------------------------------------------------------------------------
    Change("/time_grid", None, "wrong_type"),
    Change("/time_grid", [], "wrong_type"),
    Change("/time_grid/working_days", 0, "out_of_range"),
    Change("/time_grid/working_days", 8, "out_of_range"),
    Change("/time_grid/working_days", -5, "out_of_range"),
    Change("/time_grid/working_days", "5", "wrong_type"),
    Change("/time_grid/working_days", 5.0, "wrong_type"),
    Change("/time_grid/working_days", True, "wrong_type"),
    Change("/time_grid/working_days", None, "wrong_type"),
    Change("/time_grid/working_days", 2**60, "out_of_range"),
    Change("/time_grid/slots_per_day", 0, "out_of_range"),
    Change("/time_grid/slots_per_day", 49, "out_of_range"),
    Change("/time_grid/slot_minutes", 0, "out_of_range"),
    Change("/time_grid/slot_minutes", 4, "out_of_range"),
    Change("/time_grid/slot_minutes", 600, "impossible_grid"),
    Change("/time_grid/start_time", "8 o'clock", "bad_time"),
    Change("/time_grid/start_time", "25:00", "bad_time"),
    Change("/time_grid/start_time", "08:60", "bad_time"),
    Change("/time_grid/start_time", "", "bad_time"),
    Change("/time_grid/start_time", 800, "wrong_type"),
    Change("/time_grid/start_time", "16:00", "impossible_grid", "/time_grid/end_time", "15:00"),
    Change("/time_grid/end_time", "08:00", "impossible_grid"),
    Change("/time_grid/end_time", "07:00:00", "impossible_grid"),
    Change("/time_grid/end_time", "24:01", "bad_time"),
    Change("/time_grid/end_time", None, "wrong_type"),
    Change("/time_grid/lunch", "12:00-13:00", "wrong_type"),
    Change("/time_grid/lunch", ["12:00", "13:00"], "wrong_type"),
    Change("/time_grid/lunch", {"start": "12:00"}, "missing", "/time_grid/lunch/end", None),
    Change("/time_grid/lunch/end", "11:00", "impossible_grid"),
    Change("/time_grid/lunch/start", "noon", "bad_time"),
    Change("/time_grid/lunch/start", None, "wrong_type"),
    Change("/time_grid/lunch/name", "break", "unknown_field"),
    Change("/time_grid/weeks", 2, "unknown_field"),
    # --- rooms -------------------------------------------------------------------------------------------------------
    Change("/rooms", GONE, "missing", value=None),
    Change("/rooms", None, "wrong_type"),
    Change("/rooms", {"R1": 80}, "wrong_type"),
    Change("/rooms/1", "R2", "wrong_type"),
    Change("/rooms/1", None, "wrong_type"),
    Change("/rooms/1", ["R2", 30], "wrong_type"),
    Change("/rooms/1/id", GONE, "missing", value=None),
    Change("/rooms/1/id", "R1", "duplicate"),
    Change("/rooms/1/id", "", "bad_id"),
    Change("/rooms/1/id", "R\n2", "bad_id"),
    Change("/rooms/1/id", "R\x00", "bad_id"),
    Change("/rooms/1/id", LONG_ID, "bad_id"),
    Change("/rooms/1/id", 2, "wrong_type"),
    Change("/rooms/1/id", None, "wrong_type"),
    Change("/rooms/1/name", 101, "wrong_type"),
    Change("/rooms/1/capacity", GONE, "missing", value=None),
    Change("/rooms/1/capacity", -1, "out_of_range"),
    Change("/rooms/1/capacity", 1_000_001, "out_of_range"),
    Change("/rooms/1/capacity", 2**60, "out_of_range"),
    Change("/rooms/1/capacity", -(2**60), "out_of_range"),
    Change("/rooms/1/capacity", "30", "wrong_type"),
    Change("/rooms/1/capacity", 30.5, "wrong_type"),
    Change("/rooms/1/capacity", 30.0, "wrong_type"),
    Change("/rooms/1/capacity", True, "wrong_type"),
    Change("/rooms/1/capacity", None, "wrong_type"),
    Change("/rooms/1/capacity", [30], "wrong_type"),
    Change("/rooms/1/type", None, "wrong_type"),
    Change("/rooms/1/features", "projector", "wrong_type"),
    Change("/rooms/1/features", [1], "wrong_type", "/rooms/1/features/0", 1),
    Change("/rooms/1/building", 3, "wrong_type"),
    Change("/rooms/1/department_id", False, "wrong_type"),
    Change("/rooms/1/unavailable", 7, "wrong_type"),
    Change("/rooms/1/unavailable", [7, 30], "bad_slot", "/rooms/1/unavailable/1", 30),
    Change("/rooms/1/unavailable", [-1], "bad_slot", "/rooms/1/unavailable/0", -1),
    Change("/rooms/1/unavailable", ["7"], "wrong_type", "/rooms/1/unavailable/0", "7"),
    Change("/rooms/1/unavailable", [None], "wrong_type", "/rooms/1/unavailable/0", None),
    Change("/rooms/1/size", 30, "unknown_field"),
    Change("/rooms/1/Capacity", 30, "unknown_field"),
    # --- faculty -----------------------------------------------------------------------------------------------------
    Change("/faculty", "F1", "wrong_type"),
    Change("/faculty", None, "wrong_type"),
    Change("/faculty/2/id", "F1", "duplicate"),
    Change("/faculty/2/id", GONE, "missing", value=None),
    Change("/faculty/2/id", "\u200b", "bad_id"),
    Change("/faculty/1/department_id", ["D1"], "wrong_type"),
    Change("/faculty/1/max_sessions_per_day", -1, "out_of_range"),
    Change("/faculty/1/max_sessions_per_day", "4", "wrong_type"),
    Change("/faculty/1/max_sessions_per_week", 1e6, "wrong_type"),
    Change("/faculty/0/max_sessions_per_week", 10**7, "out_of_range"),
    Change("/faculty/0/unavailable", [0, 99], "bad_slot", "/faculty/0/unavailable/1", 99),
    Change("/faculty/0/unavailable", list(range(673)), "too_large", value=[*range(20), "... 653 more"]),
    Change("/faculty/0/preferences", [0.9], "wrong_type"),
    Change("/faculty/0/preferences/2", 1.5, "out_of_range"),
    Change("/faculty/0/preferences/2", -0.1, "out_of_range"),
    Change("/faculty/0/preferences/2", "high", "wrong_type"),
    Change("/faculty/0/preferences/2", True, "wrong_type"),
    Change("/faculty/0/preferences/2", None, "wrong_type"),
    Change("/faculty/0/preferences/30", 0.5, "bad_slot", value=30),
    Change("/faculty/0/preferences/monday", 0.5, "bad_slot", value="monday"),
    Change("/faculty/0/preferences/-1", 0.5, "bad_slot", value="-1"),
    Change("/faculty/0/preferences/02", 0.5, "bad_slot", value="02"),
    Change("/faculty/0/preferences/2.0", 0.5, "bad_slot", value="2.0"),
    Change("/faculty/0/preferences/", 0.5, "bad_slot", value=""),
    # --- groups ------------------------------------------------------------------------------------------------------
    Change("/groups", 0, "wrong_type"),
    Change("/groups/0", 0, "wrong_type"),
    Change("/groups/0/size", -60, "out_of_range"),
    Change("/groups/0/size", None, "wrong_type"),
    Change("/groups/0/size", 59.9, "wrong_type"),
    Change("/groups/0/max_sessions_per_day", -6, "out_of_range"),
    Change("/groups/0/unavailable", [30], "bad_slot", "/groups/0/unavailable/0", 30),
    Change("/groups/0/members", [], "unknown_field"),
    # --- courses -----------------------------------------------------------------------------------------------------
    Change("/courses", GONE, "missing", value=None),
    Change("/courses", None, "wrong_type"),
    Change("/courses", "C1", "wrong_type"),
    Change("/courses/2", 3, "wrong_type"),
    Change("/courses/2/id", "C1", "duplicate"),
    Change("/courses/2/id", LONG_ID, "bad_id"),
    Change("/courses/2/id", GONE, "missing", value=None),
    Change("/courses/2/id", {"id": "C3"}, "wrong_type"),
    Change("/courses/0/code", 101, "wrong_type"),
    Change("/courses/0/name", None, "wrong_type"),
    Change("/courses/0/subject_type", None, "wrong_type"),
    Change("/courses/0/credits", "4", "wrong_type"),
    Change("/courses/0/credits", -4, "out_of_range"),
    Change("/courses/0/credits", 1e7, "out_of_range"),
    Change("/courses/0/faculty_ids", ["F1", "F9"], "dangling_id", "/courses/0/faculty_ids/1", "F9"),
    Change("/courses/0/faculty_ids", ["f1"], "dangling_id", "/courses/0/faculty_ids/0", "f1"),
    Change("/courses/0/faculty_ids", [""], "dangling_id", "/courses/0/faculty_ids/0", ""),
    Change("/courses/0/faculty_ids", ["F1", "F1"], "duplicate", "/courses/0/faculty_ids/1", "F1"),
    Change("/courses/0/faculty_ids", "F1", "wrong_type"),
    Change("/courses/0/faculty_ids", None, "wrong_type"),
    Change("/courses/0/faculty_ids", [None], "wrong_type", "/courses/0/faculty_ids/0", None),
    Change("/courses/0/faculty_ids", [["F1"]], "wrong_type", "/courses/0/faculty_ids/0", ["F1"]),
    Change("/courses/0/group_ids", ["B9"], "dangling_id", "/courses/0/group_ids/0", "B9"),
    Change("/courses/0/group_ids", ["B1", "B1"], "duplicate", "/courses/0/group_ids/1", "B1"),
    Change("/courses/0/group_ids", {"B1": 1}, "wrong_type"),
    Change("/courses/0/student_ids", ["S1", "S2", "S1"], "duplicate", "/courses/0/student_ids/2", "S1"),
    Change("/courses/0/student_ids", [1, "S2"], "wrong_type", "/courses/0/student_ids/0", 1),
    Change("/courses/0/student_ids", 60, "wrong_type"),
    Change("/courses/0/student_ids", ["S"] * 50_001, "too_large", value=50_001),
    Change("/courses/0/expected_students", -1, "out_of_range"),
    Change("/courses/0/expected_students", 60.5, "wrong_type"),
    Change("/courses/0/expected_students", 10**9, "out_of_range"),
    Change("/courses/2/sessions_per_week", 0, "out_of_range"),
    Change("/courses/2/sessions_per_week", -3, "out_of_range"),
    Change("/courses/2/sessions_per_week", 31, "out_of_range"),
    Change("/courses/2/sessions_per_week", 2**52, "out_of_range"),
    Change("/courses/2/sessions_per_week", None, "wrong_type"),
    Change("/courses/2/sessions_per_week", "2", "wrong_type"),
    Change("/courses/2/session_slots", 0, "out_of_range"),
    Change("/courses/2/session_slots", 7, "out_of_range"),
    Change("/courses/2/session_slots", 1.0, "wrong_type"),
    Change("/courses/0/room_types", "lab", "wrong_type"),
    Change("/courses/0/required_features", [None], "wrong_type", "/courses/0/required_features/0", None),
    Change("/courses/0/min_days", -1, "out_of_range"),
    Change("/courses/0/min_days", False, "wrong_type"),
    Change("/courses/0/max_sessions_per_day", 0, "out_of_range"),
    Change("/courses/0/max_sessions_per_day", "2", "wrong_type"),
    Change("/courses/0/allowed_slots", [5, 30], "bad_slot", "/courses/0/allowed_slots/1", 30),
    Change("/courses/0/allowed_slots", [-5], "bad_slot", "/courses/0/allowed_slots/0", -5),
    Change("/courses/0/allowed_slots", "all", "wrong_type"),
    Change("/courses/0/allowed_slots", [5.0], "wrong_type", "/courses/0/allowed_slots/0", 5.0),
    Change("/courses/0/priority", 2_000_000, "out_of_range"),
    Change("/courses/0/priority", None, "wrong_type"),
    Change("/courses/0/hours", 3, "unknown_field"),
    Change("/courses/0/fixed", {"session": 0, "slot": 5}, "wrong_type"),
    Change("/courses/0/fixed/0", 5, "wrong_type"),
    Change("/courses/0/fixed/0/session", 3, "out_of_range"),
    Change("/courses/0/fixed/0/session", -1, "out_of_range"),
    Change("/courses/0/fixed/0/session", GONE, "missing", value=None),
    Change("/courses/0/fixed/0/session", None, "wrong_type"),
    Change("/courses/0/fixed/0/slot", 30, "bad_slot"),
    Change("/courses/0/fixed/0/slot", -1, "bad_slot"),
    Change("/courses/0/fixed/0/slot", "5", "wrong_type"),
    Change("/courses/0/fixed/0/slot", GONE, "missing", value=None),
    Change("/courses/0/fixed/0/room_id", "R9", "dangling_id"),
    Change("/courses/0/fixed/0/room_id", 1, "wrong_type"),
    Change("/courses/0/fixed/0/day", 0, "unknown_field"),
    Change(
        "/courses/0/fixed",
        [{"session": 0, "slot": 5}, {"session": 0, "slot": 6}],
        "duplicate",
        "/courses/0/fixed/1/session",
        0,
    ),
    # A lab of two slots: across lunch, over the end of the day, over the end of the week.
    Change("/courses/1/fixed", [{"session": 0, "slot": 3}], "bad_slot", "/courses/1/fixed/0/slot", 3),
    Change("/courses/1/fixed", [{"session": 0, "slot": 5}], "bad_slot", "/courses/1/fixed/0/slot", 5),
    Change("/courses/1/fixed", [{"session": 0, "slot": 29}], "bad_slot", "/courses/1/fixed/0/slot", 29),
    Change("/courses/2/prerequisites", ["C9"], "dangling_id", "/courses/2/prerequisites/0", "C9"),
    Change("/courses/2/prerequisites", ["C1", "C1"], "duplicate", "/courses/2/prerequisites/1", "C1"),
    Change("/courses/2/prerequisites", None, "wrong_type"),
    Change("/courses/2/prerequisites", ["C3"], "cycle", value=["C3", "C3"]),
    Change("/courses/0/prerequisites", ["C2"], "cycle", value=["C1", "C2", "C1"]),
    # --- links -------------------------------------------------------------------------------------------------------
    Change("/links", {}, "wrong_type"),
    Change("/links/0", "precedence", "wrong_type"),
    Change("/links/0/type", "before", "unknown_link"),
    Change("/links/0/type", "", "unknown_link"),
    Change("/links/0/type", 1, "wrong_type"),
    Change("/links/0/type", GONE, "missing", value=None),
    Change("/links/0/type", "min_gap", "missing", "/links/0/value", None),
    Change("/links/0/sessions", GONE, "missing", value=None),
    Change("/links/0/sessions", [], "too_few"),
    Change("/links/0/sessions", [["C1", 0]], "too_few"),
    Change("/links/0/sessions", ["C1", ["C2", 0]], "wrong_type", "/links/0/sessions/0", "C1"),
    Change("/links/0/sessions", [["C9", 0], ["C2", 0]], "dangling_id", "/links/0/sessions/0/0", "C9"),
    Change("/links/0/sessions", [["C1", 3], ["C2", 0]], "out_of_range", "/links/0/sessions/0/1", 3),
    Change("/links/0/sessions", [["C1", 0], ["C2", -1]], "out_of_range", "/links/0/sessions/1/1", -1),
    Change("/links/0/sessions", [["C1", 0], ["C2"]], "missing", "/links/0/sessions/1/1", None),
    Change("/links/0/sessions", [["C1", 0], ["C2", 0, 0]], "too_large", "/links/0/sessions/1", ["C2", 0, 0]),
    Change("/links/0/sessions", [["C1", "0"], ["C2", 0]], "wrong_type", "/links/0/sessions/0/1", "0"),
    Change("/links/0/sessions", [[1, 0], ["C2", 0]], "wrong_type", "/links/0/sessions/0/0", 1),
    Change("/links/0/tier", "medium", "unknown_tier"),
    Change("/links/0/tier", "HARD", "unknown_tier"),
    Change("/links/0/tier", None, "wrong_type"),
    Change("/links/0/weight", -1, "out_of_range"),
    Change("/links/0/weight", 2**40, "out_of_range"),
    Change("/links/0/weight", 0.5, "wrong_type"),
    Change("/links/0/value", -1, "out_of_range"),
    Change("/links/0/value", "2", "wrong_type"),
    Change("/links/0/pairing", "each", "newer_field"),
    Change("/links/0/most", 3, "newer_field"),
    Change(
        "/links/0",
        {"type": "same_start", "sessions": [["C1", None], ["C3", None]]},
        "cannot_hold",
        "/links/0/sessions",
        [["C1", None], ["C3", None]],
    ),
    Change("/links/0/courses", [], "unknown_field"),
    # --- travel, history, rules --------------------------------------------------------------------------------------
    Change("/travel_minutes", [], "wrong_type"),
    Change("/travel_minutes/A", 10, "wrong_type"),
    Change("/travel_minutes/A/B", -10, "out_of_range"),
    Change("/travel_minutes/A/B", 1441, "out_of_range"),
    Change("/travel_minutes/A/B", "10", "wrong_type"),
    Change("/travel_minutes/A/B", 10.5, "wrong_type"),
    Change("/travel_minutes/A/B", True, "wrong_type"),
    Change("/travel_minutes/A~1C", {"B~D": -1}, "out_of_range", "/travel_minutes/A~1C/B~0D", -1),
    Change("/history", {}, "wrong_type"),
    Change("/history/0", None, "wrong_type"),
    Change("/history/0/faculty_id", "F9", "dangling_id"),
    Change("/history/0/faculty_id", GONE, "missing", value=None),
    Change("/history/0/slot", 30, "bad_slot"),
    Change("/history/0/slot", "2", "wrong_type"),
    Change("/history/0/rating", 1.01, "out_of_range"),
    Change("/history/0/rating", "good", "wrong_type"),
    Change("/history/0/rating", GONE, "missing", value=None),
    Change("/history/0/term", "ODD", "unknown_field"),
    Change("/rules", ["group_gap"], "wrong_type"),
    Change("/rules/group_gaps", {"tier": "soft"}, "unknown_rule", value="group_gaps"),
    Change("/rules/a~1b", {}, "unknown_rule", value="a/b"),
    Change("/rules/group_gap", "soft", "wrong_type"),
    Change("/rules/group_gap/tier", "must", "unknown_tier"),
    Change("/rules/group_gap/tier", 1, "wrong_type"),
    Change("/rules/group_gap/weight", -1, "out_of_range"),
    Change("/rules/group_gap/weight", 2_000_000, "out_of_range"),
    Change("/rules/group_gap/weight", 0.5, "wrong_type"),
    Change("/rules/group_gap/weight", "2", "wrong_type"),
    Change("/rules/group_gap/value", -1, "out_of_range"),
    Change("/rules/group_gap/price", 3, "unknown_field"),
)


def changed(path: str, new: Any, document: Any = VALID) -> Any:
    """A copy of `document` with the place that a JSON pointer names set to `new`, or left out for `GONE`."""
    document = copy.deepcopy(document)
    *parents, last = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]
    place = document
    for token in parents:
        place = place[int(token) if isinstance(place, list) else token]
    key = int(last) if isinstance(place, list) else last
    if new is GONE:
        del place[key]
    else:
        place[key] = new
    return document


def _text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _with(path: str, literal: str) -> bytes:
    """`VALID` with a literal in the place of a value: for what no JSON writer writes."""
    return json.dumps(changed(path, "@@")).replace('"@@"', literal, 1).encode()


def _cut_short(value: Any) -> Any:
    """A text as it is reported: the beginning of a long one."""
    if isinstance(value, str) and len(value) > 200:
        return f"{value[:200]}... ({len(value)} characters)"
    return value


def _from_changes() -> Iterator[Case]:
    for change in CHANGES:
        what = "left out" if change.new is GONE else json.dumps(change.new)[:40]
        value = change.value
        if value is SAME:
            value = f"a number of {change.new.bit_length()} bits" if _is_huge(change.new) else _cut_short(change.new)
        pointer = change.path if change.pointer is SAME else change.pointer
        yield Case(f"{change.path} {what}", _text(changed(change.path, change.new)), pointer, change.code, value)


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > 64


def _ring(length: int) -> bytes:
    """Courses that are each the prerequisite of the one before."""
    courses = [{"id": f"C{i}", "prerequisites": [f"C{(i + 1) % length}"]} for i in range(length)]
    return _text({"schema": VALID["schema"], "rooms": VALID["rooms"], "courses": courses})


RING = 1000
VALID_TEXT = _text(VALID)
RAW = (
    # --- no JSON -----------------------------------------------------------------------------------------------------
    Case("nothing", b"", "", "bad_json", ""),
    Case("white space", b" \r\n\t", "", "bad_json", ""),
    Case("a byte order mark alone", b"\xef\xbb\xbf", "", "bad_json", ""),
    Case("cut in the middle", VALID_TEXT[:100], "", "bad_json", VALID_TEXT[82:100].decode()),
    Case("a trailing comma", b'{"schema": 1,}', "", "bad_json", 'chema": 1,}'),
    Case("single quotes", b"{'schema': 1}", "", "bad_json", "{'schema': 1}"),
    Case("a comment", b'{} // "x"', "", "bad_json", '{} // "x"'),
    Case("two documents", b"{}{}", "", "bad_json", "{}{}"),
    Case("a raw line break in a text", b'{"a": "x\ny"}', "", "bad_json", '{"a": "x\ny"}'),
    Case("a zero before a number", b'{"a": 01}', "", "bad_json", '{"a": 01}'),
    Case("a hexadecimal number", b'{"a": 0x1F}', "", "bad_json", '{"a": 0x1F}'),
    Case("an unfinished escape", b'{"a": "\\u12"}', "", "bad_json", '{"a": "\\u12"}'),
    Case("a lone bracket", b"[", "", "bad_json", "["),
    Case("brackets of two kinds", b'{"a": [1}', "", "bad_json", '{"a": [1}'),
    Case("YAML", b"schema: timetable-dataset/1\n", "", "bad_json", "schema: timetable-da"),
    Case("XML", b"<?xml version='1.0'?><a/>", "", "bad_json", "<?xml version='1.0'?"),
    # --- no UTF-8 ----------------------------------------------------------------------------------------------------
    Case("a byte that is never UTF-8", VALID_TEXT.replace(b"Small", b"Sm\xffll"), "", "bad_utf8", "0xff"),
    Case("Latin-1", VALID_TEXT.replace(b"Small", b"Caf\xe9"), "", "bad_utf8", "0xe9"),
    Case("UTF-16", VALID_TEXT.decode().encode("utf-16"), "", "bad_utf8", "0xff"),
    Case("a surrogate in UTF-8", VALID_TEXT.replace(b"Small", b"\xed\xa0\x80"), "", "bad_utf8", "0xed"),
    Case("an overlong slash", VALID_TEXT.replace(b"Small", b"\xc0\xaf"), "", "bad_utf8", "0xc0"),
    Case("a sequence cut off", VALID_TEXT + b"\xe2\x82", "", "bad_utf8", "0xe2"),
    # --- JSON, but no object -----------------------------------------------------------------------------------------
    Case("null", b"null", "", "wrong_type", None),
    Case("a list", b"[]", "", "wrong_type", []),
    Case("a text", b'"timetable"', "", "wrong_type", "timetable"),
    Case("a number", b"42", "", "wrong_type", 42),
    Case("true", b"true", "", "wrong_type", True),
    # --- JSON that no honest program writes --------------------------------------------------------------------------
    Case("NaN", _with("/history/0/rating", "NaN"), "/history/0/rating", "not_finite", "nan"),
    Case("Infinity", _with("/courses/0/credits", "Infinity"), "/courses/0/credits", "not_finite", "inf"),
    Case("-Infinity", _with("/rooms/0/capacity", "-Infinity"), "/rooms/0/capacity", "not_finite", "-inf"),
    Case("1e999", _with("/courses/0/credits", "1e999"), "/courses/0/credits", "not_finite", "inf"),
    Case("-1e999 where an integer belongs", _with("/groups/0/size", "-1e999"), "/groups/0/size", "not_finite", "-inf"),
    Case(
        "10^400",
        _with("/rooms/0/capacity", "1" + "0" * 400),
        "/rooms/0/capacity",
        "out_of_range",
        f"a number of {(10**400).bit_length()} bits",
    ),
    Case(
        "an integer of 100,000 digits",
        _with("/courses/0/priority", "9" * 100_000),
        "/courses/0/priority",
        "out_of_range",
        f"a number of {(10**400 - 1).bit_length()} bits",
    ),
    Case("2^53 + 1", _with("/groups/0/size", str(2**53 + 1)), "/groups/0/size", "out_of_range", 2**53 + 1),
    Case("1e400 as a capacity", _with("/rooms/0/capacity", "1e400"), "/rooms/0/capacity", "not_finite", "inf"),
    Case(
        "the same key twice",
        VALID_TEXT.replace(b'"name": "Small college"', b'"name": "Small college", "name": "Large college"'),
        "/name",
        "duplicate_key",
        "name",
    ),
    Case(
        "the same key twice in a room",
        VALID_TEXT.replace(b'"id": "R2"', b'"id": "R2", "id": "R2"'),
        "/rooms/1/id",
        "duplicate_key",
        "id",
    ),
    Case(
        "the same key in two spellings",
        VALID_TEXT.replace(b'"id": "R2"', b'"id": "R2", "\\u0069d": "R3"'),
        "/rooms/1/id",
        "duplicate_key",
        "id",
    ),
    Case(
        "the same slot twice in preferences",
        VALID_TEXT.replace(b'"2": 0.9', b'"2": 0.9, "2": 0.1'),
        "/faculty/0/preferences/2",
        "duplicate_key",
        "2",
    ),
    Case("half a surrogate pair", _with("/name", '"\\ud800"'), "/name", "bad_unicode", "\\ud800"),
    Case("the other half", _with("/rooms/0/name", '"a\\udfffb"'), "/rooms/0/name", "bad_unicode", "a\\udfffb"),
    Case("a pair in the wrong order", _with("/name", '"\\udc00\\ud800"'), "/name", "bad_unicode", "\\udc00\\ud800"),
    Case(
        "a text of more than 64 kB",
        _with("/name", '"' + "x" * 65_537 + '"'),
        "/name",
        "too_large",
        "x" * 200 + "... (65537 characters)",
    ),
    Case(
        "a student id of more than 64 kB",
        _with("/courses/0/student_ids/1", '"' + "x" * 65_537 + '"'),
        "/courses/0/student_ids/1",
        "too_large",
        "x" * 200 + "... (65537 characters)",
    ),
    Case(
        "nested 33 levels deep",
        _with("/deep", "[" * 32 + "]" * 32),
        "/deep" + "/0" * 31,
        "too_deep",
        [],
    ),
    Case(
        "objects nested 40 levels deep",
        b'{"a":' * 40 + b"1" + b"}" * 40,
        "/a" * 32,
        "too_deep",
        {"a": {"a": {"a": "..."}}},
    ),
    Case("nested beyond the parser's stack", b"[" * 100_000 + b"]" * 100_000, "", "too_deep", None),
    Case("more than two million values", b"[" + b"0," * 2_000_001 + b"0]", "", "too_large", None),
    Case(
        "an entry of 101 fields",
        _text(changed("/rooms/1", {f"k{i}": i for i in range(101)})),
        "/rooms/1",
        "too_large",
        101,
    ),
    Case(
        "a thousand and one rules",
        _text(changed("/rules", {f"r{i}": {} for i in range(1001)})),
        "/rules",
        "too_large",
        1001,
    ),
    Case(
        "no rooms",
        _text({"schema": VALID["schema"], "rooms": [], "courses": [{"id": "C1"}]}),
        "/rooms",
        "empty",
        [],
    ),
    Case(
        "no courses",
        _text({"schema": VALID["schema"], "rooms": VALID["rooms"], "courses": []}),
        "/courses",
        "empty",
        [],
    ),
    # --- circles of prerequisites ------------------------------------------------------------------------------------
    Case("a circle of one", _ring(1), "/courses/0/prerequisites", "cycle", ["C0", "C0"]),
    Case("a circle of two", _ring(2), "/courses/0/prerequisites", "cycle", ["C0", "C1", "C0"]),
    Case(
        "a circle of a thousand",
        _ring(RING),
        "/courses/0/prerequisites",
        "cycle",
        [*(f"C{i}" for i in range(20)), f"... {RING - 19} more"],
    ),
)

CASES: tuple[Case, ...] = (*_from_changes(), *RAW)
