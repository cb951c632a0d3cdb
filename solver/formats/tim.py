"""
Post-enrolment course timetabling, ITC-2007 track 2: problems (`.tim`). Their answers (`.sln`) are in `sln.py`. Files of
the competition of 2002 are read as well: the same rules, without closed slots and without an order of events.

A problem becomes a rule profile of the one model: an event is a course with one session and known students, precedences
are links, and three soft rules count students. Our soft cost of a timetable is then the competition's (Lewis, Paechter,
McCollum 2007, "Post enrolment based course timetabling: a description of the problem model used for track two of the
second International Timetabling Competition"). Its hard rules are rigid here: an event may be left out, at the price
of the *distance to feasibility*, but never placed in breach of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from solver.calendar import TimeGrid
from solver.errors import Issue
from solver.formats.entries import MAX_ENTRIES
from solver.formats.issues import raise_if_any
from solver.formats.tim_numbers import BLOCKS, DAYS, HEADER, PERIODS, Numbers, tables
from solver.formats.unsayable import IN_NEITHER, Fields, unsayable, unsayable_fields
from solver.model import Course, Dataset, Link, Room, RuleSetting
from solver.rules import ON_WHERE, RULES, profile_of

__all__ = ["POST_ENROLMENT_RULES", "dump_tim", "load_tim"]

ROW_OF_TWO = 2
"""So many events in a row are no nuisance yet."""
POST_ENROLMENT_RULES: Mapping[str, RuleSetting] = {
    **{rule.id: RuleSetting(tier="off") for rule in RULES if rule.tier == "soft" or rule.id in ON_WHERE},
    **{rule.id: RuleSetting(bendable=False) for rule in RULES if rule.price is not None},
    "last_slot": RuleSetting(tier="soft", weight=1),
    "consecutive_limit": RuleSetting(tier="soft", weight=1, value=ROW_OF_TWO),
    "single_session_day": RuleSetting(tier="soft", weight=1),
}
GRID = TimeGrid(
    working_days=DAYS, slots_per_day=PERIODS, start_time="09:00", end_time="18:00", slot_minutes=60, lunch=None
)


def load_tim(text: str, name: str = "") -> Dataset:
    """
    The dataset of a `.tim` text. Ids count from 0, as the columns of an answer do: event E0, room R0, student S0.

    Students who attend nothing, and features that nobody needs or has, leave no trace.

    Raises
    ------
    InputError
        With every problem; pointers are `/line/<n>`, counted from 1.
    """
    found = tables(text)
    raise_if_any(_too_many_links(found["order"]))
    return Dataset(
        name=name,
        time_grid=GRID,
        rooms=tuple(
            Room(id=f"R{r}", capacity=int(found["capacity"][r, 0]), features=_ids("F", row))
            for r, row in enumerate(found["offers"])
        ),
        courses=tuple(
            Course(
                id=f"E{e}",
                code=f"E{e}",
                student_ids=_ids("S", found["attends"][:, e]),
                required_features=_ids("F", found["wants"][e]),
                allowed_slots=None if found["open"][e].all() else tuple(np.flatnonzero(found["open"][e]).tolist()),
                max_sessions_per_day=None,
            )
            for e in range(len(found["wants"]))
        ),
        links=tuple(
            Link(type="precedence", sessions=((f"E{i}", 0), (f"E{j}", 0)))
            for i, j in np.argwhere(found["order"] == 1).tolist()
        ),
        rules=dict(POST_ENROLMENT_RULES),
    )


def _ids(letter: str, row: Numbers) -> tuple[str, ...]:
    return tuple(f"{letter}{k}" for k in np.flatnonzero(row).tolist())


def _too_many_links(order: Numbers) -> Iterator[Issue]:
    count = int((order == 1).sum())
    if count > MAX_ENTRIES:
        message = f"there are {count} pairs of events in a given order, at most {MAX_ENTRIES} are accepted"
        yield Issue(pointer="/line/1", code="too_large", message=message, value=count)


# --- writing a problem ----------------------------------------------------------------------------------------------


def dump_tim(dataset: Dataset) -> str:
    """
    The dataset as `.tim` text, one number a line. Ids and other labels are not part of the format and are left out.

    Events and rooms keep their order; students and features are numbered by length of id, then by id, so that S2 is
    before S10.

    Raises
    ------
    InputError
        The dataset demands something that the format cannot say; every such field has a JSON pointer.
    """
    raise_if_any(_obstacles(dataset))
    events, rooms = dataset.courses, dataset.rooms
    features = _numbered({f for owner in rooms for f in owner.features} | _wanted(dataset))
    students = _numbered(dataset.student_ids)
    found = {
        "capacity": np.array([[room.capacity] for room in rooms], dtype=np.int64),
        "attends": _marks([event.student_ids for event in events], students).T,
        "offers": _marks([room.features for room in rooms], features),
        "wants": _marks([event.required_features for event in events], features),
        "open": _open(dataset),
        "order": _order(dataset),
    }
    header = dict(zip(HEADER, (len(events), len(rooms), len(features), len(students)), strict=True))
    numbers = np.concatenate([found[key].ravel() for key in BLOCKS])
    return " ".join(map(str, header.values())) + "\n" + "\n".join(map(str, numbers.tolist())) + "\n"


def _wanted(dataset: Dataset) -> set[str]:
    return {feature for course in dataset.courses for feature in course.required_features}


def _numbered(ids: set[str] | tuple[str, ...]) -> Mapping[str, int]:
    return {id: k for k, id in enumerate(sorted(ids, key=lambda id: (len(id), id)))}


def _marks(owned: list[tuple[str, ...]], number: Mapping[str, int]) -> Numbers:
    table = np.zeros((len(owned), len(number)), dtype=np.int64)
    for i, ids in enumerate(owned):
        table[i, [number[id] for id in ids]] = 1
    return table


def _open(dataset: Dataset) -> Numbers:
    table = np.zeros((len(dataset.courses), DAYS * PERIODS), dtype=np.int64)
    for e, event in enumerate(dataset.courses):
        table[e, slice(None) if event.allowed_slots is None else list(event.allowed_slots)] = 1
    return table


def _order(dataset: Dataset) -> Numbers:
    number = {event.id: e for e, event in enumerate(dataset.courses)}
    order = np.zeros((len(number), len(number)), dtype=np.int64)
    for link in dataset.links:
        for (a, _), (b, _) in dataset.expand(link):
            order[number[a], number[b]], order[number[b], number[a]] = 1, -1
    return order


# Fields that limit what a timetable may be and that the format has no words for, with the values that limit nothing.
_UNLIMITED: Fields = {"courses": {"sessions_per_week": 1, "faculty_ids": (), "group_ids": ()}}
"""What only .tim has no word for."""


def _obstacles(dataset: Dataset) -> Iterator[Issue]:
    """Everything in a dataset that would be lost in the format."""
    grid = dataset.time_grid
    if (grid.num_days, grid.num_periods) != (DAYS, PERIODS) or any(grid.rests(day) for day in range(grid.num_days)):
        shape = [grid.num_days, grid.num_periods]
        yield _unsayable("/time_grid", shape, f"in .tim there are {DAYS} days of {PERIODS} slots without a break")
    for fields in (IN_NEITHER, _UNLIMITED):
        yield from unsayable_fields(".tim", dataset, fields)
    for i, event in enumerate(dataset.courses):
        if dataset.expected_students(event) != len(event.student_ids):
            message = "in .tim an event needs a seat for each of its students"
            yield _unsayable(f"/courses/{i}/expected_students", event.expected_students, message)
    yield from _link_obstacles(dataset)
    ours = profile_of(dataset)
    for id, rule in profile_of(dataset, POST_ENROLMENT_RULES).rules.items():
        if rule != ours[id]:
            yield _unsayable(f"/rules/{id}", ours[id].tier, f"in .tim the rule {id} is as the competition has it")


def _link_obstacles(dataset: Dataset) -> Iterator[Issue]:
    pairs: set[tuple[str, str]] = set()
    for i, link in enumerate(dataset.links):
        if (link.type, link.tier) != ("precedence", "hard"):
            yield _unsayable(f"/links/{i}", link.type, "the only links in .tim are hard precedences")
            continue
        for (a, _), (b, _) in dataset.expand(link):
            if (b, a) in pairs:
                yield _unsayable(f"/links/{i}", [a, b], f"{a!r} cannot be both before and after {b!r} in .tim")
            pairs.add((a, b))


def _unsayable(pointer: str, value: object, message: str = "") -> Issue:
    return unsayable(".tim", pointer, value, message)
