"""
How much work a dataset would be, told before the work is begun: counts of what is in it, and the size of its model.

`check_document` looks at the raw JSON, before entries are read one by one, so that a dataset that is too large is
refused at once. `check_model` estimates what the solver would have to hold in memory, from a dataset that was read.
Both name everything that is too much, and the largest causes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import nlargest
from itertools import chain
from typing import Any, NamedTuple

from app.settings import Settings, variable
from solver.errors import InputError, Issue
from solver.model import Course, Dataset, Room
from solver.terms import MAX_NUMBER

MILLION = 1_000_000
NAMED = 5
"""Largest causes that are named."""


class CountLimit(NamedTuple):
    """Something that can be counted in the JSON of a dataset. `setting` limits it; `pointer` is where it stands."""

    what: str
    setting: str
    pointer: str
    count: Callable[[Mapping[str, Any]], int]


def check_document(document: Mapping[str, Any], settings: Settings, prefix: str) -> None:
    """
    Raises
    ------
    InputError
        With an issue `too_large` for every amount above its limit. Whatever has a wrong type counts as nothing here.
    """
    issues = []
    for amount in AMOUNTS:
        count, limit = amount.count(document), getattr(settings, amount.setting)
        if count > limit:
            message = (
                f"the dataset has {count} {amount.what}, at most {limit} are accepted ({variable(amount.setting)})"
            )
            issues.append(Issue(pointer=prefix + amount.pointer, code="too_large", message=message, value=count))
    if issues:
        raise InputError(issues)


def _entries(document: Mapping[str, Any], key: str) -> list[Any]:
    entries = document.get(key)
    return entries if isinstance(entries, list) else []


def _courses(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (course for course in _entries(document, "courses") if isinstance(course, Mapping))


def _sessions(document: Mapping[str, Any]) -> int:
    stated: list[object] = []
    for course in _courses(document):
        parts = list(_parts(course))
        stated += [part.get("sessions", 1) for part in parts] or [course.get("sessions_per_week", 1)]
    return sum(number for number in stated if isinstance(number, int) and 0 < number <= MAX_NUMBER)


def _parts(course: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (part for part in _entries(course, "parts") if isinstance(part, Mapping))


def _lists(document: Mapping[str, Any], key: str) -> Iterator[list[Any]]:
    """One list of ids for each course without parts and for each part, which may leave it to its course."""
    for course in _courses(document):
        whole, parts = _entries(course, key), list(_parts(course))
        yield from ([_entries(part, key) if key in part else whole for part in parts] if parts else [whole])


def _enrolments(document: Mapping[str, Any]) -> int:
    """Students that courses, or parts of them, name, and members that come into them through groups."""
    members = _members(document)
    through = sum(members.get(id, 0) for ids in _lists(document, "group_ids") for id in _only_texts(ids))
    return through + sum(map(len, _lists(document, "student_ids")))


def _only_texts(entries: Iterable[object]) -> list[str]:
    return [text for text in entries if type(text) is str]


def _texts(entry: Mapping[str, Any], key: str) -> list[str]:
    return _only_texts(_entries(entry, key))


def _groups(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (group for group in _entries(document, "groups") if isinstance(group, Mapping))


def _members(document: Mapping[str, Any]) -> dict[str, int]:
    """Group -> how many members it and the groups that are part of it name."""
    own = {id: len(_entries(group, "student_ids")) for group in _groups(document) if type(id := group.get("id")) is str}
    total = dict(own)
    for group in _groups(document):
        for whole in set(_texts(group, "part_of")) & total.keys():
            total[whole] += own.get(str(group.get("id")), 0)
    return total


def _students(document: Mapping[str, Any]) -> int:
    ids: set[str] = set()
    for listed in _lists(document, "student_ids"):
        ids.update(_only_texts(listed))
    for group in _groups(document):
        ids.update(_texts(group, "student_ids"))
    return len(ids)


AMOUNTS = (
    CountLimit("sessions", "max_sessions", "/courses", _sessions),
    CountLimit("rooms", "limit_rooms", "/rooms", lambda document: len(_entries(document, "rooms"))),
    CountLimit("teachers", "limit_people", "/faculty", lambda document: len(_entries(document, "faculty"))),
    CountLimit("groups", "limit_people", "/groups", lambda document: len(_entries(document, "groups"))),
    CountLimit("students", "limit_people", "/courses", _students),
    CountLimit("enrolments", "limit_enrolments", "/courses", _enrolments),
    CountLimit("links", "limit_links", "/links", lambda document: len(_entries(document, "links"))),
)


def size_of(dataset: Dataset) -> dict[str, str | int]:
    """How much there is of everything in a dataset."""
    return {
        "name": dataset.name,
        "courses": len(dataset.courses),
        "sessions": len(dataset.sessions),
        "faculty": len(dataset.faculty),
        "rooms": len(dataset.rooms),
        "groups": len(dataset.groups),
        "students": dataset.num_people,
        "enrolments": sum(len(dataset.students_of(part)) for part in dataset.parts),
        "links": len(dataset.links),
        "time_slots": len(dataset.time_grid.slots),
    }


class ModelSize(NamedTuple):
    """
    What a solver would have to hold.

    `places` counts (session, slot, room) triples that are possible as far as grid, room type, features and seats go;
    `pairs` is an upper bound of the pairs of courses with a common student. `causes` are the courses with most places,
    largest first.
    """

    places: int
    pairs: int
    causes: tuple[tuple[str, int], ...]


def model_size(dataset: Dataset) -> ModelSize:
    """An estimate in one pass over courses and enrolments; builds nothing."""
    rooms_of: dict[object, int] = {}
    places: dict[str, int] = {}
    features = [frozenset(room.features) for room in dataset.rooms]
    for course in dataset.parts:
        seats = dataset.expected_students(course)
        wants = (course.room_types, course.required_features, seats, course.rooms_needed)
        if wants not in rooms_of:
            several = sum(len(place.rooms) == course.rooms_needed for place in dataset.places)
            one = course.rooms_needed == 1
            rooms_of[wants] = _suitable(dataset.rooms, features, course, seats) if one else several
        every = dataset.time_grid.slots
        slots = sum(map(course.may_start, every)) if course.chooses_starts else len(every)
        found = course.sessions_per_week * slots * rooms_of[wants]
        places[course.id] = places.get(course.id, 0) + found
    causes = nlargest(NAMED, places.items(), key=lambda item: item[1])
    return ModelSize(sum(places.values()), _pairs(dataset), tuple(causes))


def _suitable(rooms: Iterable[Room], features: Iterable[frozenset[str]], course: Course, seats: int) -> int:
    """How many rooms would do for a course. `features` are those of each room, as sets that are made only once."""
    types, wanted = frozenset(course.room_types), frozenset(course.required_features)
    return sum(
        room.capacity >= seats and (not types or room.type in types) and wanted <= offered
        for room, offered in zip(rooms, features, strict=True)
    )


def _pairs(dataset: Dataset) -> int:
    """Each student with n courses makes n (n - 1) / 2 pairs, common ones counted again; never more than there are."""
    taken = Counter(chain.from_iterable(dataset.students_of(course) for course in dataset.parts))
    most = len(dataset.parts) * (len(dataset.parts) - 1) // 2
    return min(most, sum(n * (n - 1) // 2 for n in taken.values()))


def check_model(dataset: Dataset, settings: Settings, prefix: str) -> None:
    """
    Raises
    ------
    InputError
        The estimated model is larger than is let in; the message names the largest causes and what would help.
    """
    size, issues = model_size(dataset), []
    if size.places > settings.limit_places * MILLION:
        largest = ", ".join(f"{id[:40]!r} {count / MILLION:.1f}" for id, count in size.causes)
        message = (
            f"the model would have about {size.places / MILLION:.0f} million places (session, slot, room), at most "
            f"{settings.limit_places} million are accepted; most come from the courses {largest} (million). "
            "Maybe name room types, features or allowed slots."
        )
        issues.append(Issue(pointer=f"{prefix}/courses", code="too_large", message=message, value=size.places))
    if size.pairs > settings.limit_pairs * MILLION:
        message = (
            f"about {size.pairs / MILLION:.0f} million pairs of courses have a common student, at most "
            f"{settings.limit_pairs} million are accepted. Maybe send groups instead of single students."
        )
        issues.append(Issue(pointer=f"{prefix}/courses", code="too_large", message=message, value=size.pairs))
    if issues:
        raise InputError(issues)
