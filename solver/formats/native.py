"""
The native dataset, `timetable-dataset/1`, to and from JSON.

Reading reports everything that is wrong at once. Each entry of a collection is checked on its own; one that cannot be
read is replaced by a stub that keeps its place and its id, so that the model's own checks still run on all the rest and
nobody is told that an id is unknown when only its owner was misspelt. What a stub itself gives rise to is not reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import chain
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from solver.formats.answers import dump_result, dump_timetable, load_result, load_timetable
from solver.formats.issues import MAX_COUNTED_ISSUES, issues_of, kind_of, pointer, raise_if_any
from solver.formats.json_text import read_json, value_issues
from solver.formats.shapes import (
    CourseShape,
    FacultyShape,
    GroupShape,
    LinkShape,
    RatingShape,
    RoomShape,
    RuleShape,
    Shape,
    TimeGridShape,
)
from solver.model import (
    Course,
    Dataset,
    Faculty,
    FixedSession,
    Group,
    InputError,
    Issue,
    Link,
    Rating,
    Room,
    RuleSetting,
    TimeGrid,
    dataset_issues,
)
from solver.rules import RULE_IDS, rule_issue

__all__ = ["SCHEMA", "dump_dataset", "dump_result", "dump_timetable", "load_dataset", "load_result", "load_timetable"]

SCHEMA = "timetable-dataset/1"
T = TypeVar("T")

_SLOT_KEY = re.compile(r"0|[1-9][0-9]{0,8}")
# The largest grid there can be: where the real one cannot be read, nothing is blamed for not fitting it.
_WIDEST_GRID = TimeGrid(
    working_days=7, slots_per_day=48, start_time="00:00", end_time="24:00", slot_minutes=30, lunch=None
)


@dataclass(frozen=True, slots=True)
class _Collection(Generic[T]):
    """How entries of one top-level list are read, and what stands in for one that cannot be."""

    shape: type[Shape]
    build: Callable[[Mapping[str, Any]], T]
    stub: Callable[[str], T]
    kind: str = ""
    """The word for an entry in messages about unknown ids."""


@dataclass
class _Reading:
    """A document while it is read: the parts that could be read, and what was wrong with the others."""

    document: Mapping[str, Any]
    issues: list[Issue] = field(default_factory=list)
    broken: set[tuple[object, ...]] = field(default_factory=set)
    """Paths of what was replaced by a stub or a default."""
    nameless: set[str] = field(default_factory=set)
    """Collections in which some ids could not be read."""

    def report(self, path: tuple[object, ...], code: str, message: str, value: object = None) -> None:
        self.issues.append(Issue(pointer=pointer(path), code=code, message=message, value=value))


def load_dataset(source: bytes | str | Mapping[str, Any]) -> Dataset:
    """
    A dataset from JSON text or from parsed JSON.

    Raises
    ------
    InputError
        With every problem found (at most 100), in document order.
    """
    if isinstance(source, bytes | str):
        document, found = read_json(source)
    else:
        document, found = source, list(value_issues(source))
    if not isinstance(document, Mapping):
        message = f"a dataset must be an object, got {kind_of(document)}"
        raise_if_any([*found, Issue(pointer="", code="wrong_type", message=message, value=document)])
    if any(issue.code == "too_deep" or (issue.code == "too_large" and not issue.pointer) for issue in found):
        # Such a document is not worth more of our time.
        raise_if_any(found)
    return _read_dataset(document, found)


def dump_dataset(dataset: Dataset) -> dict[str, Any]:
    """The dataset as JSON data with every field stated; `load_dataset` of it is equal to `dataset`."""
    grid = dataset.time_grid
    lunch = None if grid.lunch is None else {"start": grid.lunch[0], "end": grid.lunch[1]}
    return {
        "schema": SCHEMA,
        "name": dataset.name,
        "time_grid": {**_plain(grid), "lunch": lunch},
        **{name: _plain(getattr(dataset, name)) for name in _COLLECTIONS},
        "travel_minutes": _plain(dataset.travel_minutes),
        "rules": {
            name: {key: value for key, value in _plain(setting).items() if value is not None}
            for name, setting in dataset.rules.items()
        },
    }


def _plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, keys as text."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) if not isinstance(item, str | int) else item for item in value]
    return value


# --- reading --------------------------------------------------------------------------------------------------------


def _read_dataset(document: Mapping[str, Any], found: list[Issue]) -> Dataset:
    reading = _Reading(document, found)
    _check_head(reading)
    parts: dict[str, Any] = {"time_grid": _read_grid(reading)}
    parts |= {key: tuple(_read_collection(reading, key)) for key in _COLLECTIONS}
    parts["travel_minutes"] = _read_travel(reading)
    parts["rules"] = _read_rules(reading)
    if isinstance(document.get("name"), str):
        parts["name"] = document["name"]
    reading.issues = [*_once_each(reading.issues), *_model_issues(reading, parts)]
    raise_if_any(sorted(reading.issues, key=_place_in_document))
    # The model has just been asked for its issues and had none, so it need not check itself again.
    return _unchecked(parts)


def _check_head(reading: _Reading) -> None:
    document = reading.document
    known = {"schema", "name", "time_grid", "travel_minutes", "rules", *_COLLECTIONS}
    if "schema" not in document:
        reading.report(("schema",), "missing", f"schema is missing, it must be {SCHEMA!r}")
    elif document["schema"] != SCHEMA:
        message = f"this reader knows the schema {SCHEMA!r} only"
        reading.report(("schema",), "bad_schema", message, document["schema"])
    if not isinstance(document.get("name", ""), str):
        message = f"name must be text, got {kind_of(document['name'])}"
        reading.report(("name",), "wrong_type", message, document["name"])
    for key in document:
        if key not in known:
            reading.report((key,), "unknown_field", f"there is no field {str(key)[:80]!r} here", document[key])


def _read_grid(reading: _Reading) -> TimeGrid:
    stated = _shape(reading, TimeGridShape, ("time_grid",), reading.document.get("time_grid", {}))
    if stated is None:
        return _WIDEST_GRID
    lunch = stated.get("lunch")
    return TimeGrid(**{**stated, "lunch": (lunch.start, lunch.end)} if lunch is not None else stated)


def _read_collection(reading: _Reading, key: str) -> Iterator[Any]:
    collection = _COLLECTIONS[key]
    if key in {"rooms", "courses"} and key not in reading.document:
        reading.report((key,), "missing", f"{key} is missing")
        reading.broken.add((key,))
    entries = reading.document.get(key, [])
    if not isinstance(entries, list | tuple):
        reading.report((key,), "wrong_type", f"{key} must be a list, got {kind_of(entries)}", entries)
        reading.broken.add((key,))
        reading.nameless.add(key)
        return
    for i, entry in enumerate(entries):
        stated = _shape(reading, collection.shape, (key, i), entry)
        if stated is not None:
            yield collection.build(stated)
            continue
        id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(id, str):
            reading.nameless.add(key)
        yield collection.stub(id if isinstance(id, str) else f"(entry {i} of {key})")


def _shape(reading: _Reading, shape: type[Shape], path: tuple[object, ...], value: object) -> dict[str, Any] | None:
    """The stated fields of one object, or None after reporting what is wrong with it."""
    try:
        stated = shape.model_validate(value).stated()
    except ValidationError as error:
        reading.issues.extend(issues_of(error, path))
        reading.broken.add(path)
        if len(reading.issues) > MAX_COUNTED_ISSUES:
            # After so many nobody reads on, and looking for more could take half a minute.
            raise_if_any(_once_each(reading.issues))
        return None
    bad_keys = [key for key in stated.get("preferences", ()) if not _SLOT_KEY.fullmatch(key)]
    for key in bad_keys:
        reading.report((*path, "preferences", key), "bad_slot", f"a slot is a whole number, got {key[:80]!r}", key)
    if bad_keys:
        reading.broken.add(path)
    return None if bad_keys else stated


def _read_travel(reading: _Reading) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for path, row in _entries(reading, "travel_minutes"):
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


def _read_rules(reading: _Reading) -> dict[str, RuleSetting]:
    settings: dict[str, RuleSetting] = {}
    for path, setting in _entries(reading, "rules"):
        name = str(path[-1])
        if name not in RULE_IDS:
            reading.issues.append(replace(rule_issue(name), pointer=pointer(path)))
        stated = _shape(reading, RuleShape, path, setting)
        if stated is not None:
            settings[name] = RuleSetting(**stated)
    return settings


def _entries(reading: _Reading, key: str) -> Iterator[tuple[tuple[object, ...], Any]]:
    """The entries of an optional top-level object, each with its path."""
    table = reading.document.get(key, {})
    if not isinstance(table, dict):
        reading.report((key,), "wrong_type", f"{key} must be an object, got {kind_of(table)}", table)
        return
    yield from (((key, name), item) for name, item in table.items())


# --- what the model itself finds ------------------------------------------------------------------------------------


def _model_issues(reading: _Reading, parts: Mapping[str, Any]) -> Iterator[Issue]:
    """The model's own checks on what could be read, without what follows only from parts that could not."""
    has_grid = ("time_grid",) not in reading.broken
    unknown = tuple(f"there is no {_COLLECTIONS[key].kind} with id" for key in reading.nameless if _COLLECTIONS[key].kind)
    stream: Iterator[Issue] = dataset_issues(_unchecked(parts))
    first = next(stream, None)
    if first is not None and _is_about_grid(first):
        # A bad grid keeps the model from looking at anything else, so we ask again with one that is not to blame.
        yield first
        yield from stream
        stream, has_grid = dataset_issues(_unchecked({**parts, "time_grid": _WIDEST_GRID})), False
    elif first is not None:
        stream = chain([first], stream)
    found = 0
    for issue in stream:
        if _comes_from_stub(issue, reading.broken) or (issue.code == "bad_slot" and not has_grid):
            continue
        if issue.code == "dangling_id" and issue.message.startswith(unknown):
            continue
        yield issue
        found += 1
        if found > MAX_COUNTED_ISSUES:
            return


def _unchecked(parts: Mapping[str, Any]) -> Dataset:
    """A dataset that has not checked itself, for asking what is wrong with it."""
    dataset = object.__new__(Dataset)
    for each in fields(Dataset):
        default = each.default_factory() if callable(each.default_factory) else each.default
        object.__setattr__(dataset, each.name, parts.get(each.name, default))
    return dataset


def _is_about_grid(issue: Issue) -> bool:
    return issue.pointer.startswith("/time_grid")


def _comes_from_stub(issue: Issue, broken: set[tuple[object, ...]]) -> bool:
    """Whether the issue lies within something that was replaced; ids of stubs are real and may be complained about."""
    tokens = issue.pointer.split("/")[1:]
    if (tokens[0],) in broken:
        return True
    if len(tokens) < 2 or not tokens[1].isdigit() or (tokens[0], int(tokens[1])) not in broken:
        return False
    return tokens[2:] != ["id"]


def _once_each(issues: Sequence[Issue]) -> list[Issue]:
    """The first issue at each pointer: a number that is too large for JSON need not be called out of range as well."""
    first: dict[str, Issue] = {}
    for issue in issues:
        first.setdefault(issue.pointer, issue)
    return list(first.values())


def _place_in_document(issue: Issue) -> tuple[int, int]:
    tokens = issue.pointer.split("/")[1:] or [""]
    order = ["", "schema", "name", "time_grid", *_COLLECTIONS, "travel_minutes", "rules"]
    place = order.index(tokens[0]) if tokens[0] in order else len(order)
    return (place, int(tokens[1]) if len(tokens) > 1 and tokens[1].isdigit() else 0)


# --- entries --------------------------------------------------------------------------------------------------------


def _faculty(stated: Mapping[str, Any]) -> Faculty:
    preferences = {int(slot): liking for slot, liking in stated.get("preferences", {}).items()}
    return Faculty(**{**stated, "preferences": preferences})


def _course(stated: Mapping[str, Any]) -> Course:
    fixed = tuple(FixedSession(**shape.stated()) for shape in stated.get("fixed", ()))
    return Course(**{**stated, "fixed": fixed})


# A stub must not break anything outside itself: its course has so many sessions that no link asks for one too many.
_COLLECTIONS: Mapping[str, _Collection[Any]] = {
    "rooms": _Collection(RoomShape, lambda stated: Room(**stated), lambda id: Room(id=id, capacity=0), "room"),
    "faculty": _Collection(FacultyShape, _faculty, lambda id: Faculty(id=id), "faculty"),
    "groups": _Collection(GroupShape, lambda stated: Group(**stated), lambda id: Group(id=id), "group"),
    "courses": _Collection(CourseShape, _course, lambda id: Course(id=id, sessions_per_week=10**9), "course"),
    "links": _Collection(
        LinkShape, lambda stated: Link(**stated), lambda id: Link(type="not_overlap", sessions=((id, None),) * 2)
    ),
    "history": _Collection(
        RatingShape, lambda stated: Rating(**stated), lambda id: Rating(faculty_id=id, slot=0, rating=0.5)
    ),
}
