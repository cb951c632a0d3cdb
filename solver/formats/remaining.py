"""
What the model itself has against a dataset of which some parts could not be read.

The model's checks run on what is left, with stubs in the places of the rest, so that a person hears of everything in
one answer. What only follows from a part that could not be read is kept back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import chain
from typing import Any

from solver.calendar import TimeGrid
from solver.checks import dataset_issues
from solver.errors import Issue
from solver.formats.entries import COLLECTIONS
from solver.formats.issues import MAX_COUNTED_ISSUES
from solver.formats.reading import Path, Reading
from solver.model import Dataset
from solver.terms import MAX_DAYS, MAX_SLOTS_PER_DAY

# The largest grid there can be: where the real one cannot be read, nothing is blamed for not fitting it.
WIDEST_GRID = TimeGrid(
    days=tuple(f"Day {n}" for n in range(1, MAX_DAYS + 1)),
    slots_per_day=MAX_SLOTS_PER_DAY,
    start_time="00:00",
    end_time="24:00",
    slot_minutes=30,
    lunch=None,
)


def model_issues(reading: Reading, parts: Mapping[str, Any]) -> Iterator[Issue]:
    """The model's own checks on what could be read, without what follows only from parts that could not."""
    has_grid = ("time_grid",) not in reading.broken
    kinds = [kind for key in reading.nameless if (kind := COLLECTIONS[key].kind)]
    unknown = tuple(f"there is no {kind} with id" for kind in kinds)
    stream: Iterator[Issue] = dataset_issues(unchecked(parts))
    first = next(stream, None)
    if first is not None and _is_about_grid(first):
        # A bad grid keeps the model from looking at anything else, so we ask again with one that is not to blame.
        yield first
        yield from stream
        stream, has_grid = dataset_issues(unchecked({**parts, "time_grid": WIDEST_GRID})), False
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


def unchecked(parts: Mapping[str, Any]) -> Dataset:
    """A dataset that has not checked itself, for asking what is wrong with it."""
    dataset = object.__new__(Dataset)
    for each in fields(Dataset):
        default = each.default_factory() if callable(each.default_factory) else each.default
        object.__setattr__(dataset, each.name, parts.get(each.name, default))
    return dataset


def _is_about_grid(issue: Issue) -> bool:
    return issue.pointer.startswith("/time_grid")


def _comes_from_stub(issue: Issue, broken: set[Path]) -> bool:
    """Whether the issue lies within something that was replaced; ids of stubs are real and may be complained about."""
    tokens = issue.pointer.split("/")[1:]
    if (tokens[0],) in broken:
        return True
    if len(tokens) < 2 or not tokens[1].isdecimal() or (tokens[0], int(tokens[1])) not in broken:
        return False
    return tokens[2:] != ["id"]
