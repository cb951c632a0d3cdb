"""One pass over a document: what could be read of it, and everything that was wrong with the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from solver.errors import Issue
from solver.formats.issues import MAX_COUNTED_ISSUES, MAX_ISSUES, issues_of, kind_of, pointer, raise_if_any
from solver.formats.shapes import MAX_STUDENTS, Shape
from solver.formats.slot_words import SlotWords, numbered

MAX_FIELDS = 100
"""Fields of one entry, known or not."""
MAX_TABLE = 1_000
"""Entries of `rules`, buildings of `travel_minutes`."""

FIRST_SCHEMA = "timetable-dataset/1"
"""Fields that came later are refused in a document of this one: whoever reads it elsewhere would not know them."""

Path = tuple[object, ...]
_CONTAINERS = (list, tuple, dict)
_SLOT_KEY = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass
class Reading:
    """A document while it is read: the parts that could be read, and what was wrong with the others."""

    document: Mapping[str, Any]
    issues: list[Issue] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    """Paths of what was replaced by a stub or a default."""
    nameless: set[str] = field(default_factory=set)
    """Collections in which some ids could not be read."""
    words: SlotWords | None = None
    """Words for slots; None in a document that may use none, and where its grid cannot be read."""
    unlisted: int = 0
    """Issues that were counted and not described, because their entry has so many."""

    @property
    def is_first(self) -> bool:
        """Whether the document names the first schema, which has no later fields and no words for slots."""
        return bool(self.document.get("schema") == FIRST_SCHEMA)

    def report(self, path: Path, code: str, message: str, value: object = None) -> None:
        """Keeps one issue; `path` becomes its JSON pointer."""
        self.issues.append(Issue(pointer=pointer(path), code=code, message=message, value=value))


def read_shape(reading: Reading, shape: type[Shape], path: Path, value: object) -> dict[str, Any] | None:
    """The stated fields of one object, or None after reporting what is wrong with it."""
    oversized = list(_oversized(value, path))
    if oversized:
        reading.issues.extend(oversized)
        reading.broken.add(path)
        return None
    if not reading.is_first:
        known = len(reading.issues)
        value = numbered(reading.words, value, path, reading.report)
        if len(reading.issues) > known:
            reading.broken.add(path)
    try:
        read = shape.model_validate(value)
    except ValidationError as error:
        described = first_issues(shape, value, error, path)
        reading.issues.extend(described)
        reading.unlisted += max(0, error.error_count() - len(described))
        reading.broken.add(path)
        if len(reading.issues) + reading.unlisted > MAX_COUNTED_ISSUES:
            # After so many nobody reads on, and looking for more could take half a minute.
            raise_if_any(once_each(reading.issues), reading.unlisted)
        return None
    stated = read.stated()
    for below, said in read.newer_fields() if reading.is_first else ():
        message = f"timetable-dataset/2 has the field {below[-1]}; write that as the schema"
        reading.report((*path, *below), "newer_field", message, said)
        stated.pop(str(below[0]))
    if path in reading.broken:
        return None
    bad_keys = [key for key in stated.get("preferences", ()) if not _SLOT_KEY.fullmatch(key)]
    for key in bad_keys:
        reading.report((*path, "preferences", key), "bad_slot", f"a slot is a whole number, got {key[:80]!r}", key)
    if bad_keys:
        reading.broken.add(path)
        if len(reading.issues) > MAX_COUNTED_ISSUES:
            raise_if_any(once_each(reading.issues), reading.unlisted)
    return None if bad_keys else stated


def first_issues(shape: type[Shape], value: object, error: ValidationError, path: Path) -> list[Issue]:
    """
    What is wrong with one object, of very many faults about the first `MAX_ISSUES`.

    Counting faults costs pydantic little, describing them costs a thousand times as much and only goes for all of them
    at once. So we ask again with the lists cut short, twice as long each time, until there are enough.
    """
    size = MAX_ISSUES
    while error.error_count() > MAX_COUNTED_ISSUES and isinstance(value, dict):
        try:
            shape.model_validate({key: _cut(item, size) for key, item in value.items()})
        except ValidationError as fewer:
            if fewer.error_count() >= MAX_ISSUES:
                return issues_of(fewer, path)
        size *= 2
    return issues_of(error, path)


def _cut(value: object, size: int) -> object:
    return value[:size] if isinstance(value, list | tuple) else value


def _oversized(value: object, path: Path) -> Iterator[Issue]:
    """Keeps hostile entries away from the shapes, which would describe each of a million faults at length."""
    if not isinstance(value, dict):
        return
    if len(value) > MAX_FIELDS:
        message = f"an entry has at most {MAX_FIELDS} fields, got {len(value)}"
        yield Issue(pointer=pointer(path), code="too_large", message=message, value=len(value))
        return
    for key, item in value.items():
        if isinstance(item, _CONTAINERS) and len(item) > MAX_STUDENTS:
            message = f"{key[:80]} has at most {MAX_STUDENTS} entries, got {len(item)}"
            yield Issue(pointer=pointer((*path, key)), code="too_large", message=message, value=len(item))


def entries_of(reading: Reading, key: str) -> Iterator[tuple[Path, Any]]:
    """The entries of an optional top-level object, each with its path."""
    table = reading.document.get(key, {})
    if not isinstance(table, dict):
        reading.report((key,), "wrong_type", f"{key} must be an object, got {kind_of(table)}", table)
        return
    if len(table) > MAX_TABLE:
        reading.report((key,), "too_large", f"{key} has at most {MAX_TABLE} entries, got {len(table)}", len(table))
        return
    yield from (((key, name), item) for name, item in table.items())


def once_each(issues: Sequence[Issue]) -> list[Issue]:
    """The first issue at each pointer: a number that is too large for JSON need not be called out of range as well."""
    first: dict[str, Issue] = {}
    for issue in issues:
        first.setdefault(issue.pointer, issue)
    return list(first.values())
