"""What the campaign posts, and the recount of what it gets back: in this process, from the names up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from solver import Timetable, verify
from solver.context import build_context
from solver.formats.native import dump_dataset, load_dataset
from solver.model import Dataset, Placement
from solver.samples import sample
from solver.samples.overfull import Listing, overfull

SMALL = ("mini", "tiny", "college")
"""Sources whose jobs are worth a second or two."""


def campus(name: str, courses: int, sessions: int, *, wishes: bool) -> dict[str, Any]:
    """A native dataset. Without `wishes` its best timetable costs nothing, so that a solver is done at once."""
    return {
        "schema": "timetable-dataset/1",
        "name": name,
        "time_grid": {"working_days": 5, "slots_per_day": 4, "start_time": "08:00", "end_time": "12:00", "lunch": None},
        "rooms": [{"id": f"r{i}", "capacity": 30} for i in range(3)],
        "faculty": [{"id": f"f{i}", "preferences": {str(i): 1.0} if wishes else {}} for i in range(courses)],
        "courses": [
            {"id": f"c{i}", "faculty_ids": [f"f{i}"], "expected_students": 30, "sessions_per_week": sessions}
            for i in range(courses)
        ],
        **({} if wishes else {"rules": {rule: {"tier": "off"} for rule in ("context", "single_session_day")}}),
    }


INLINE: Mapping[str, Mapping[str, Any]] = {
    "trivial": campus("trivial", 3, 1, wishes=False),
    "mini": campus("mini", 6, 2, wishes=True),
}
"""Sent whole. Every other source is a sample, asked for by its name."""


OVERFULL, SHORT_HANDED = "overfull", "-short-handed"


def overfull_source(seed: int, listing: Listing, *, short_handed: bool) -> str:
    """The source of a college with more teaching than its week holds."""
    return f"{OVERFULL}-{seed}-{listing.replace(' ', '-')}{SHORT_HANDED if short_handed else ''}"


def body_of(source: str) -> dict[str, Any]:
    """The part of a request body that says what to solve."""
    if source.startswith(OVERFULL):
        return {"dataset": dump_dataset(dataset_of(source))}
    return {"dataset": INLINE[source]} if source in INLINE else {"dataset_name": source}


@cache
def dataset_of(source: str) -> Dataset:
    if source.startswith(OVERFULL):
        _, seed, listing = source.split("-", 2)
        order = cast(Listing, listing.removesuffix(SHORT_HANDED).replace("-", " "))
        return overfull(int(seed), order, short_handed=listing.endswith(SHORT_HANDED))[0]
    return load_dataset(INLINE[source]) if source in INLINE else sample(source)


def recount(source: str, variant: Mapping[str, Any]) -> list[str]:
    """
    Counts a variant with the independent verifier; returns what is wrong with it, in sentences.

    The soft cost depends on the context, which an attempt after a hang may have simplified; either is honest.
    """
    dataset = dataset_of(source)
    timetable = Timetable(
        placements=tuple(
            Placement(
                course_id=row["course_id"],
                session=row["session_number"],
                slot=int(row["time_slot_id"]),
                room_id=row["room_id"],
            )
            for row in variant["timetable_entries"]
        )
    )
    claimed = variant["levels"]
    counted = [verify(dataset, timetable, context=context).score.levels for context in _contexts(source)]
    if counted[0]["rigid"]:
        return [f"a published timetable breaks {counted[0]['rigid']} rigid rule(s)"]
    return [] if claimed in counted else [f"{claimed} was claimed, {counted[0]} counted"]


@cache
def _contexts(source: str) -> tuple[Any, ...]:
    dataset = dataset_of(source)
    return tuple(build_context(dataset, simplified=simplified) for simplified in (False, True))
