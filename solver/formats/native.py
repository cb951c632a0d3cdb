"""
The native dataset to and from JSON: `timetable-dataset/2` is written, `timetable-dataset/1` is read as well.

Reading reports everything that is wrong at once. Each entry of a collection is checked on its own; one that cannot be
read is replaced by a stub that keeps its place and its id, so that the model's own checks still run on all the rest and
nobody is told that an id is unknown when only its owner was misspelt. What a stub itself gives rise to is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from solver.calendar import Break, TimeGrid, minutes_of
from solver.calendar_checks import grid_issues
from solver.errors import InputError, Issue
from solver.formats.answers import (
    RESULT_SCHEMA,
    TIMETABLE_SCHEMA,
    dump_result,
    dump_timetable,
    load_result,
    load_timetable,
)
from solver.formats.entries import COLLECTIONS, read_collection
from solver.formats.issues import MAX_COUNTED_ISSUES, kind_of, pointer, raise_if_any
from solver.formats.json_text import first_value_issues, read_json
from solver.formats.reading import FIRST_SCHEMA, MAX_FIELDS, Reading, entries_of, once_each, read_shape
from solver.formats.remaining import WIDEST_GRID, model_issues, unchecked
from solver.formats.shapes import RuleShape, TimeGridShape
from solver.formats.slot_words import SlotWords, worded
from solver.formats.term_text import plain_term, read_term
from solver.model import Course, Dataset, FixedSession, Part, Room, RuleSetting
from solver.rules import RULE_IDS, as_before, rule_issue

__all__ = ["SCHEMA", "dump_dataset", "dump_result", "dump_timetable", "load_dataset", "load_result", "load_timetable"]

SCHEMA = "timetable-dataset/2"


def load_dataset(source: bytes | str | Mapping[str, Any], *, values_checked: bool = False) -> Dataset:
    """
    A dataset from JSON text or from parsed JSON.

    `values_checked` says that `read_json` has found no fault in the document that `source` is part of.

    Raises
    ------
    InputError
        With every problem found (at most 100), in document order.
    """
    if isinstance(source, bytes | str):
        document, found = read_json(source)
    else:
        document, found = source, [] if values_checked else first_value_issues(source)
    if not isinstance(document, Mapping):
        message = f"a dataset must be an object, got {kind_of(document)}"
        raise_if_any([*found, Issue(pointer="", code="wrong_type", message=message, value=document)])
    if len(found) > MAX_COUNTED_ISSUES or any(
        issue.code == "too_deep" or (issue.code == "too_large" and not issue.pointer) for issue in found
    ):
        # Such a document is not worth more of our time.
        raise_if_any(found)
    return _read_dataset(document, found)


def dump_dataset(dataset: Dataset) -> dict[str, Any]:
    """The dataset as JSON data with every field stated, slots in words; `load_dataset` of it is equal to `dataset`."""
    words = SlotWords(dataset.time_grid)
    return {
        "schema": SCHEMA,
        "name": dataset.name,
        "time_grid": _plain_grid(dataset.time_grid),
        **({} if dataset.term is None else {"term": plain_term(dataset.term)}),
        **{name: [worded(words, _plain(entry)) for entry in getattr(dataset, name)] for name in COLLECTIONS},
        "travel_minutes": _plain(dataset.travel_minutes),
        "rules": {
            name: {key: value for key, value in _plain_setting(setting).items() if value is not None and value != {}}
            for name, setting in dataset.rules.items()
        },
    }


def _plain_grid(grid: TimeGrid) -> dict[str, Any]:
    """What is said of all days, and of named days, bells and breaks what there is."""
    lunch = None if grid.lunch is None else {"start": grid.lunch[0], "end": grid.lunch[1]}
    bells = {day: [f"{start}-{end}" for start, end in periods] for day, periods in grid.bells.items()}
    named = {"days": list(grid.days), "bells": bells, "breaks": _plain(grid.breaks)}
    plain = {name: _plain(getattr(grid, name)) for name in grid.__dataclass_fields__ if name not in named}
    return {**plain, "lunch": lunch, **{name: value for name, value in named.items() if value}}


def _plain_setting(setting: RuleSetting) -> dict[str, Any]:
    window = None if setting.window is None else {"start": setting.window[0], "end": setting.window[1]}
    return {**_plain(setting), "window": window}


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
"""Types of nearly all values; a dataset of a university has tens of thousands of them."""


def _plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, keys as text, 4.0 as 4 (reading makes floats of credits and likings)."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, tuple | list):
        return list(value) if _AS_THEY_ARE.issuperset(map(type, value)) else [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Room | FixedSession | Course | Part):
        return {name: _plain(_in_words(name, held)) for name, held in _stated(value)}
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return int(value) if isinstance(value, float) and value.is_integer() else value


_NEWER: Mapping[type[Any], Mapping[str, Any]] = {
    Room: {"sessions_at_once": 1},
    FixedSession: {"more_rooms": ()},
    Course: {
        "times": None,
        "time_penalties": {},
        "rooms": None,
        "room_penalties": {},
        "rooms_needed": 1,
        "parts": (),
        "kind": "",
        "weeks": None,
    },
    Part: {name: None for name in Part.__dataclass_fields__ if name not in ("kind", "sessions")},
}
"""Fields that the first schema has not, with what is not worth saying."""


def _stated(value: Room | FixedSession | Course | Part) -> Iterator[tuple[str, Any]]:
    """Each field worth stating; a course in parts has the sessions of its parts."""
    unsaid = _NEWER[type(value)]
    for name in value.__dataclass_fields__:
        held = getattr(value, name)
        counted_by_parts = name == "sessions_per_week" and isinstance(value, Course) and value.parts
        if not counted_by_parts and not (name in unsaid and held == unsaid[name]):
            yield name, held


def _in_words(name: str, held: Any) -> Any:
    """Single rooms and starts as documents name them."""
    if name in ("times", "rooms") and isinstance(held, Mapping):
        return [{"at" if name == "times" else "room": one, "penalty": penalty} for one, penalty in held.items()]
    if name in ("time_penalties", "room_penalties") and held is not None:
        return {one: "prohibited" if penalty is None else penalty for one, penalty in held.items()}
    return held


# --- reading --------------------------------------------------------------------------------------------------------


def _read_dataset(document: Mapping[str, Any], found: list[Issue]) -> Dataset:
    _refuse_others(document)
    reading = Reading(document, found)
    _check_head(reading)
    grid = _read_grid(reading)
    if ("time_grid",) not in reading.broken and not any(grid_issues(grid)):
        reading.words = SlotWords(grid)
    term = read_term(reading)
    reading.weeks = None if term is None else term.weeks
    parts: dict[str, Any] = {"time_grid": grid, "term": term}
    parts |= {key: tuple(read_collection(reading, key)) for key in COLLECTIONS}
    parts["travel_minutes"] = _read_travel(reading)
    parts["rules"] = _read_rules(reading)
    if isinstance(document.get("name"), str):
        parts["name"] = document["name"]
    reading.issues = [*once_each(reading.issues), *model_issues(reading, parts)]
    raise_if_any(sorted(reading.issues, key=_place_in_document), reading.unlisted)
    # The model has just been asked for its issues and had none, so it need not check itself again.
    return unchecked(parts)


_OTHERS: Mapping[str, tuple[str, frozenset[str]]] = {
    RESULT_SCHEMA: ("a result of `timetable solve`", frozenset({"variants"})),
    TIMETABLE_SCHEMA: ("a timetable", frozenset({"placements"})),
    "": ("a request with a dataset in it", frozenset({"dataset"})),
}
"""Documents of ours that are taken for a dataset: by their schema, or by a field that a dataset has not."""


def _refuse_others(document: Mapping[str, Any]) -> None:
    """Raises `InputError` for a document that is no dataset but something else of ours."""
    schema = document.get("schema", "")
    for name, (what, fields) in _OTHERS.items():
        if (name and schema == name) or ("schema" not in document and fields & document.keys()):
            message = f"this is {what}; a dataset is wanted here, with the schema {SCHEMA!r}"
            raise InputError([Issue(pointer="/schema", code="wrong_kind", message=message, value=schema or None)])


def _check_head(reading: Reading) -> None:
    document = reading.document
    known = {"schema", "name", "time_grid", "term", "travel_minutes", "rules", *COLLECTIONS}
    if "schema" not in document:
        reading.report(("schema",), "missing", f"schema is missing, it must be {SCHEMA!r}")
    elif document["schema"] not in (SCHEMA, FIRST_SCHEMA):
        message = f"this reader knows the schemas {SCHEMA!r} and {FIRST_SCHEMA!r} only"
        reading.report(("schema",), "bad_schema", message, document["schema"])
    if not isinstance(document.get("name", ""), str):
        message = f"name must be text, got {kind_of(document['name'])}"
        reading.report(("name",), "wrong_type", message, document["name"])
    if len(document) > MAX_FIELDS:
        raise InputError([Issue(pointer="", code="too_large", message=f"a dataset has at most {MAX_FIELDS} fields")])
    for key in document:
        if key not in known:
            reading.report((key,), "unknown_field", f"there is no field {str(key)[:80]!r} here", document[key])


def _read_grid(reading: Reading) -> TimeGrid:
    stated = read_shape(reading, TimeGridShape, ("time_grid",), reading.document.get("time_grid", {}))
    if stated is None:
        return WIDEST_GRID
    lunch, breaks = stated.get("lunch"), stated.get("breaks", ())
    if lunch is not None:
        stated["lunch"] = (lunch.start, lunch.end)
    stated["breaks"] = tuple(Break(**each.stated()) for each in breaks)
    stated["bells"] = {day: tuple(_read_bells(reading, day, bells)) for day, bells in stated.get("bells", {}).items()}
    if "days" in stated and stated.get("working_days", len(stated["days"])) != len(stated["days"]):
        message = f"days names {len(stated['days'])} days, so working_days can be left out"
        reading.report(("time_grid", "working_days"), "contradiction", message, stated["working_days"])
    return WIDEST_GRID if ("time_grid",) in reading.broken else TimeGrid(**stated)


def _read_bells(reading: Reading, day: str, bells: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for k, text in enumerate(bells):
        start, dash, end = text.partition("-")
        if not dash or minutes_of(start) is None or minutes_of(end) is None:
            message = f"a period is written like 08:00-08:50, got {text[:40]!r}"
            reading.report(("time_grid", "bells", day, k), "bad_time", message, text)
            reading.broken.add(("time_grid",))
        yield start.strip(), end.strip()


def _read_travel(reading: Reading) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for path, row in entries_of(reading, "travel_minutes"):
        if not isinstance(row, dict):
            reading.report(path, "wrong_type", f"{path[-1]} must be an object, got {kind_of(row)}", row)
            continue
        kept = table.setdefault(str(path[-1]), {})
        for other, minutes in row.items():
            if isinstance(minutes, int) and not isinstance(minutes, bool):
                kept[other] = minutes
            elif len(reading.issues) <= MAX_COUNTED_ISSUES:
                message = f"minutes must be a whole number, got {kind_of(minutes)}"
                reading.report((*path, other), "wrong_type", message, minutes)
    return table


def _read_rules(reading: Reading) -> dict[str, RuleSetting]:
    settings: dict[str, RuleSetting] = {}
    for path, setting in entries_of(reading, "rules"):
        name = str(path[-1])
        if name not in RULE_IDS:
            reading.issues.append(replace(rule_issue(name), pointer=pointer(path)))
        stated = read_shape(reading, RuleShape, path, setting)
        if stated is not None:
            window = stated.get("window")
            settings[name] = RuleSetting(**{**stated, "window": (window.start, window.end)} if window else stated)
    return as_before(settings) if reading.is_first else settings


def _place_in_document(issue: Issue) -> tuple[int, int]:
    tokens = issue.pointer.split("/")[1:] or [""]
    order = ["", "schema", "name", "time_grid", "term", *COLLECTIONS, "travel_minutes", "rules"]
    place = order.index(tokens[0]) if tokens[0] in order else len(order)
    return (place, int(tokens[1]) if len(tokens) > 1 and tokens[1].isdecimal() else 0)
