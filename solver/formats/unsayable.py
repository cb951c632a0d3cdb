"""What our datasets say and the formats of the timetabling competitions cannot: refused when such a file is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from solver.errors import Issue
from solver.model import Dataset

Fields = Mapping[str, Mapping[str, object]]
"""Collection of a dataset -> field of its entries -> the value that says nothing."""

IN_NEITHER: Fields = {
    "rooms": {"unavailable": (), "sessions_at_once": 1},
    "groups": {"part_of": (), "student_ids": ()},
    "courses": {
        "parts": (),
        "session_slots": 1,
        "room_types": (),
        "fixed": (),
        "times": None,
        "time_penalties": {},
        "rooms": None,
        "room_penalties": {},
        "rooms_needed": 1,
        "weeks": None,
    },
}
"""What neither .ctt nor .tim has a word for."""


def unsayable(suffix: str, pointer: str, value: object, message: str = "") -> Issue:
    """Something that would be lost in a file of this suffix (".ctt")."""
    said = message or f"{pointer.rsplit('/', 1)[1]} cannot be said in {suffix}"
    return Issue(pointer=pointer, code="not_expressible", message=said, value=value)


def unsayable_fields(suffix: str, dataset: Dataset, fields: Fields) -> Iterator[Issue]:
    """The entries of a dataset that say anything in these fields."""
    for collection, silent in fields.items():
        for i, entry in enumerate(getattr(dataset, collection)):
            for name, nothing in silent.items():
                value = getattr(entry, name)
                if value != nothing:
                    told = len(value) if name == "parts" else value
                    yield unsayable(suffix, f"/{collection}/{i}/{name}", told)
