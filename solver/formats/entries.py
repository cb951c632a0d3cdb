"""The lists of a dataset: how an entry of each is read, and what stands in for one that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from solver.formats.issues import kind_of
from solver.formats.reading import Reading, read_shape
from solver.formats.shapes import CourseShape, FacultyShape, GroupShape, LinkShape, RatingShape, RoomShape, Shape
from solver.model import Course, Faculty, FixedSession, Group, Link, Part, Rating, Room
from solver.terms import PENALTY_WORDS

MAX_ENTRIES = 50_000
"""Entries of one list."""
REQUIRED = ("rooms", "courses")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Collection(Generic[T]):
    """How entries of one top-level list are read, and what stands in for one that cannot be."""

    shape: type[Shape]
    build: Callable[[Mapping[str, Any]], T]
    stub: Callable[[str], T]
    kind: str = ""
    """The word for an entry in messages about unknown ids."""


def _faculty(stated: Mapping[str, Any]) -> Faculty:
    preferences = {int(slot): liking for slot, liking in stated.get("preferences", {}).items()}
    return Faculty(**{**stated, "preferences": preferences})


def _course(stated: Mapping[str, Any]) -> Course:
    fixed = tuple(FixedSession(**shape.stated()) for shape in stated.get("fixed", ()))
    parts = tuple(Part(**_with_choices(shape.stated())) for shape in stated.get("parts", ()))
    return Course(**{**_with_choices(stated), "fixed": fixed, "parts": parts})


def _with_choices(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a course, or a part of one, with single rooms and starts by name and their penalties as points."""
    found = dict(stated)
    if found.get("times") is not None:
        found["times"] = {choice.at: _points(choice.penalty or 0) for choice in found["times"]}
    if found.get("time_penalties") is not None:
        found["time_penalties"] = {int(slot): _points(penalty) for slot, penalty in found["time_penalties"].items()}
    if found.get("rooms") is not None:
        found["rooms"] = {choice.room: _points(choice.penalty or 0) for choice in found["rooms"]}
    if found.get("room_penalties") is not None:
        found["room_penalties"] = {id: _points(penalty) for id, penalty in found["room_penalties"].items()}
    return found


def _points(penalty: int | str) -> int | None:
    """None for what is prohibited."""
    return PENALTY_WORDS[penalty] if isinstance(penalty, str) else penalty


# A stub must not break anything outside itself: its course has so many sessions that no link asks for one too many.
COLLECTIONS: Mapping[str, Collection[Any]] = {
    "rooms": Collection(RoomShape, lambda stated: Room(**stated), lambda id: Room(id=id, capacity=0), "room"),
    "faculty": Collection(FacultyShape, _faculty, lambda id: Faculty(id=id), "faculty"),
    "groups": Collection(GroupShape, lambda stated: Group(**stated), lambda id: Group(id=id), "group"),
    "courses": Collection(CourseShape, _course, lambda id: Course(id=id, sessions_per_week=10**9), "course"),
    "links": Collection(
        LinkShape, lambda stated: Link(**stated), lambda id: Link(type="not_overlap", sessions=((id, None),) * 2)
    ),
    "history": Collection(
        RatingShape, lambda stated: Rating(**stated), lambda id: Rating(faculty_id=id, slot=0, rating=0.5)
    ),
}


def read_collection(reading: Reading, key: str) -> Iterator[Any]:
    """One item for every entry of a list, a stub where the entry is unusable; nothing where there is no such list."""
    collection = COLLECTIONS[key]
    entries = reading.document.get(key, [])
    fault: tuple[str, str, object] | None = None
    if key in REQUIRED and key not in reading.document:
        fault = "missing", f"{key} is missing", None
    elif not isinstance(entries, list | tuple):
        fault = "wrong_type", f"{key} must be a list, got {kind_of(entries)}", entries
    elif len(entries) > MAX_ENTRIES:
        fault = "too_large", f"{key} has {len(entries)} entries, at most {MAX_ENTRIES} are accepted", len(entries)
    if fault:
        reading.report((key,), *fault)
        reading.broken.add((key,))
        reading.nameless.add(key)
        return
    for i, entry in enumerate(entries):
        stated = read_shape(reading, collection.shape, (key, i), entry)
        if stated is not None:
            yield collection.build(stated)
            continue
        id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(id, str):
            reading.nameless.add(key)
        yield collection.stub(id if isinstance(id, str) else f"(entry {i} of {key})")
