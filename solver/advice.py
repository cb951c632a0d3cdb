"""
What a sound dataset says that its author can hardly have meant: names that lead nowhere, days shorter than asked for,
settings without effect.

A dataset is refused for a name that must be there (`checks.py`). Some names need not be: a table of walking times may
list buildings of the whole town. Each such name that leads nowhere is told here, with the name that it may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import chain, islice

from solver.errors import Issue
from solver.model import Course, Dataset, Part
from solver.rules import RULES, profile_of
from solver.terms import CORE_SUBJECT_TYPE

MAX_ADVICE = 100
MAX_NOTES = 5
MAX_COMPARED = 200
"""A name is compared letter by letter with at most so many others; among more of them only spelling is folded."""


def advice_on(dataset: Dataset) -> tuple[Issue, ...]:
    """Everything worth a second look, at most `MAX_ADVICE`; nothing here keeps the dataset from being solved."""
    return tuple(islice(chain.from_iterable(check(dataset) for check in _CHECKS), MAX_ADVICE))


def notes_on(dataset: Dataset) -> tuple[str, ...]:
    """The first few of them as sentences, for the notes of a result."""
    sentences = [f"{issue.message}." for issue in advice_on(dataset)]
    more = len(sentences) - MAX_NOTES
    return (
        *sentences[:MAX_NOTES],
        *([f"The data hold {more} more such oddities; a check lists them."] if more > 0 else []),
    )


def _shorter_day(dataset: Dataset) -> Iterator[Issue]:
    grid = dataset.time_grid
    if grid.shortened is not None:
        pointer = "/time_grid/slots_per_day"
        yield Issue(pointer=pointer, code="shorter_day", message=grid.shortened, value=grid.slots_per_day)


# --- walking times ---------------------------------------------------------------------------------------------------


def _unknown_buildings(dataset: Dataset) -> Iterator[Issue]:
    """Names in the table of walking times that no room stands in: their minutes count nowhere."""
    buildings = {room.building for room in dataset.rooms if room.building is not None}
    told: set[str] = set()
    for building, row in dataset.travel_minutes.items():
        for path in ((building,), *((building, other) for other in row)):
            name = path[-1]
            if name not in buildings and name not in told:
                told.add(name)
                where = "/".join(_escape(step) for step in path)
                message = f"no room stands in the building {name[:100]!r} of travel_minutes"
                yield _dangling(f"/travel_minutes/{where}", message, name, buildings)


def _unreached_buildings(dataset: Dataset) -> Iterator[Issue]:
    """Buildings of rooms that the table of walking times leaves out: to them every way takes no time."""
    buildings = {room.building for room in dataset.rooms if room.building is not None}
    if not dataset.travel_minutes or len(buildings) < 2:
        return
    named = {*dataset.travel_minutes, *(other for row in dataset.travel_minutes.values() for other in row)}
    for i, room in enumerate(dataset.rooms):
        building = room.building
        if building is not None and building not in named:
            named.add(building)  # told once
            message = (
                f"the building {building[:100]!r} is not in travel_minutes, so walking to it is taken to need no time"
            )
            yield Issue(pointer=f"/rooms/{i}/building", code="no_travel_time", message=message, value=building)


# --- rooms -----------------------------------------------------------------------------------------------------------


def _unknown_kinds(dataset: Dataset) -> Iterator[Issue]:
    """Types and features that courses ask for and no room has, each once."""
    types = {room.type for room in dataset.rooms}
    features = {feature for room in dataset.rooms for feature in room.features}
    told: set[tuple[str, str]] = set()
    for here, course, asking in _asking_for_rooms(dataset):
        # Of several types one is enough; one that no room has is odd only where it may be another one misspelt.
        one_is_enough = not types.isdisjoint(asking.room_types or ())
        for field, kind, names, known in (
            ("room_types", "type", asking.room_types or (), types),
            ("required_features", "feature", asking.required_features or (), features),
        ):
            for k, name in enumerate(names):
                if name in known or (field, name) in told:
                    continue
                if field == "required_features" or not one_is_enough or _nearest(name, known) is not None:
                    told.add((field, name))
                    message = f"course {course.id!r} asks for the room {kind} {name[:100]!r}, which no room has"
                    yield _dangling(f"{here}/{field}/{k}", message, name, known)


def _asking_for_rooms(dataset: Dataset) -> Iterator[tuple[str, Course, Course | Part]]:
    """Where in the document a course, or a part of one, may ask for a kind of room, and who it is."""
    for i, course in enumerate(dataset.courses):
        yield f"/courses/{i}", course, course
        yield from ((f"/courses/{i}/parts/{k}", course, part) for k, part in enumerate(course.parts))


# --- words -----------------------------------------------------------------------------------------------------------


def _nearly_core(dataset: Dataset) -> Iterator[Issue]:
    """Whatever is not spelt "core" counts as an elective."""
    for i, course in enumerate(dataset.courses):
        word = course.subject_type
        if word != CORE_SUBJECT_TYPE and word.strip().casefold() == CORE_SUBJECT_TYPE:
            message = f"the subject type {word!r} counts as an elective; core subjects are spelt {CORE_SUBJECT_TYPE!r}"
            yield Issue(pointer=f"/courses/{i}/subject_type", code="no_effect", message=message, value=word)


def _settings_without_effect(dataset: Dataset) -> Iterator[Issue]:
    """Values of rules that have none, and prices for what is never bent."""
    profile = profile_of(dataset)
    for rule in RULES:
        setting = dataset.rules.get(rule.id)
        if setting is None:
            continue
        here = f"/rules/{rule.id}"
        if setting.value is not None and rule.value is None:
            message = f"the rule {rule.id!r} has no value to set; limits stand with teachers, groups and courses"
            yield Issue(pointer=f"{here}/value", code="no_effect", message=message, value=setting.value)
        if setting.bendable and profile[rule.id].rigid:
            message = f'the rule {rule.id!r} is never bent, so "bendable" changes nothing'
            yield Issue(pointer=f"{here}/bendable", code="no_effect", message=message, value=True)


def _link_values(dataset: Dataset) -> Iterator[Issue]:
    for i, link in enumerate(dataset.links):
        if link.value is not None and link.type not in ("min_gap", "days_apart"):
            message = f"a link of type {link.type!r} has no value: only min_gap counts slots and days_apart days"
            yield Issue(pointer=f"/links/{i}/value", code="no_effect", message=message, value=link.value)
        if link.most is not None and link.type != "days_apart":
            message = f"a link of type {link.type!r} has no most: only days_apart counts days"
            yield Issue(pointer=f"/links/{i}/most", code="no_effect", message=message, value=link.most)


_CHECKS = (
    _shorter_day,
    _unknown_buildings,
    _unreached_buildings,
    _unknown_kinds,
    _nearly_core,
    _settings_without_effect,
    _link_values,
)


def _dangling(pointer: str, message: str, name: str, known: Iterable[str], code: str = "dangling_name") -> Issue:
    """With the known names that this one may be meant for."""
    meant = _nearest(name, known)
    hint = f"; is {meant[:100]!r} meant?" if meant is not None else ""
    return Issue(pointer=pointer, code=code, message=f"{message}{hint}", value=name)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    folded = {each.strip().casefold(): each for each in known}
    sought = name.strip().casefold()
    if sought in folded:
        return folded[sought]
    near = get_close_matches(sought, sorted(folded), n=1, cutoff=0.8) if len(folded) <= MAX_COMPARED else []
    return folded[near[0]] if near else None


def _escape(key: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
