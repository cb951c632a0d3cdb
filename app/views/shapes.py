"""
Results in the shapes in which they are delivered. Blocking, and large: for a parse worker.

Names and nesting are those of the platform, also where they surprise: its callback calls rows `entries` and wants them
bare, its database calls them `timetable_entries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from app.views.entries import Entries, Entry
from app.views.flags import Conflicts
from app.views.variants import View, result_view, written_view
from solver.formats.platform_tables import origin_of
from solver.model import Dataset
from solver.result import Result, Variant

DAY_LENGTH = 10
"""The platform's column for the name of a day."""
STUDENT_BYTES: Mapping[str, int] = {"timetable_data": 16 << 20, "inline": 4 << 20}
"""
Shape -> bytes of student ids that it may hold: a list in every row is as much again as all the rest.

Variants have them in their order, the best one first, which is the one that students are shown. In a variant without
them the platform finds a student by the offerings that the student is enrolled in, all parallel sections of each.
"""
RESULT_KEYS = (
    "timetable_entries",
    "total_sessions_scheduled",
    "total_courses",
    "variants_count",
    "variants",
    "generated_at",
    "total_sessions",
    "quality",
    "rung",
    "verified",
    "unplaced",
    "open_sessions",
)
"""All that we ever write into `timetable_data`; whatever else stands there is the caller's, and stays."""


def timetable_data(dataset: Dataset, result: Result) -> View:
    """What belongs into the column of this name, without `generated_at`, which the job knows."""
    view = _delivered(dataset, result, "timetable_data")
    best = _variants(view)[0]
    counts: Mapping[str, Any] = view["timetable"]  # type: ignore[assignment]
    return {
        "timetable_entries": [_without_students(row) for row in best["timetable_entries"]],
        "total_sessions_scheduled": counts["total_sessions_scheduled"],
        "total_sessions": counts["total_sessions"],
        "open_sessions": len(best["unplaced"]),
        "total_courses": counts["total_courses"],
        "variants_count": counts["variants_count"],
        "variants": view["variants"],
        "quality": view["quality"],
        "rung": view["rung"],
        "verified": view["verified"],
        "unplaced": best["unplaced"],
    }


def inline(dataset: Dataset, result: Result) -> View:
    """The variants as the older platform's task takes them."""
    return {"variants": _delivered(dataset, result, "inline")["variants"]}


def callback(dataset: Dataset, result: Result) -> View:
    """What the platform's callback stores as rows: a row books a room, so each session has one, whoever teaches it."""
    view = result_view(dataset, result)
    return {
        "variants": [
            {"name": variant["name"], "entries": [_bare(entry) for entry in variant["timetable_entries"]]}
            for variant in _variants(view)
        ],
        "generation_time": view["seconds"],
    }


def summary(dataset: Dataset, result: Result) -> View:
    """The result without its rows, which some hosts of Redis find too large."""
    view = _labelled(result_view(dataset, result, entries=False))
    return {"timetable": view["timetable"], "variants": view["variants"]}


def _delivered(dataset: Dataset, result: Result, shape: str) -> View:
    entries, with_students = Entries(dataset), _variants_with_students(dataset, result, STUDENT_BYTES[shape])

    def write(n: int, variant: Variant, conflicts: Conflicts) -> list[Entry]:
        return entries.rows(variant.timetable.placements, conflicts, students=n <= with_students)

    return _labelled(written_view(dataset, result, write))


def _variants_with_students(dataset: Dataset, result: Result, most: int) -> int:
    """How many variants, from the first on, may have the ids of their students, so that these are `most` bytes."""
    size = [sum(len(id.encode()) + len('"",') for id in dataset.students_of(part)) for part in dataset.parts]
    sums = accumulate(sum(size[dataset.part_number[p.key]] for p in v.timetable.placements) for v in result.variants)
    return sum(total <= most for total in sums)


def _without_students(row: Entry) -> Entry:
    return {name: value for name, value in row.items() if name != "student_ids"}


def _labelled(view: View) -> View:
    """The platform's pages show a label where others show a name; both say what is open."""
    for variant in _variants(view):
        variant["label"] = variant["name"]
    return view


def _variants(view: View) -> list[dict[str, Any]]:
    variants: list[dict[str, Any]] = view["variants"]  # type: ignore[assignment]
    return variants


def _bare(entry: Entry) -> Entry:
    course_id = str(entry["course_id"])
    origin = origin_of(course_id)
    return {
        "day": str(entry["day_name"])[:DAY_LENGTH],
        "start_time": entry["start_time"],
        "end_time": entry["end_time"],
        "subject_id": origin.course_id if origin else course_id,
        "faculty_id": entry["faculty_id"],
        "batch_id": entry["batch_id"],
        "classroom_id": entry["room_id"],
    }


SHAPES: Mapping[str, Callable[[Dataset, Result], View]] = {
    "timetable_data": timetable_data,
    "inline": inline,
    "callback": callback,
    "summary": summary,
}
