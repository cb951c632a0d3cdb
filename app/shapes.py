"""
Results in the shapes in which they are delivered. Blocking, and large: for a reader process.

Names and nesting are those of the platform, also where they surprise: its callback calls rows `entries` and wants them
bare, its database calls them `timetable_entries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.entries import Entry
from app.views import View, result_view
from solver.model import Dataset
from solver.result import Result

DAY_LENGTH = 10
"""The platform's column for the name of a day."""
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
)
"""All that we ever write into `timetable_data`; whatever else stands there is the caller's, and stays."""


def timetable_data(dataset: Dataset, result: Result) -> View:
    """What belongs into the column of this name, without `generated_at`, which the job knows."""
    view = result_view(dataset, result)
    best = _variants(view)[0]
    counts: Mapping[str, Any] = view["timetable"]  # type: ignore[assignment]
    return {
        "timetable_entries": best["timetable_entries"],
        "total_sessions_scheduled": counts["total_sessions_scheduled"],
        "total_sessions": counts["total_sessions"],
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
    return {"variants": result_view(dataset, result)["variants"]}


def callback(dataset: Dataset, result: Result) -> View:
    """What the platform's callback stores as rows."""
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
    view = result_view(dataset, result, entries=False)
    return {"timetable": view["timetable"], "variants": view["variants"]}


def _variants(view: View) -> list[dict[str, Any]]:
    variants: list[dict[str, Any]] = view["variants"]  # type: ignore[assignment]
    return variants


def _bare(entry: Entry) -> Entry:
    batches: list[str] = entry["batch_ids"]  # type: ignore[assignment]
    return {
        "day": str(entry["day_name"])[:DAY_LENGTH],
        "start_time": entry["start_time"],
        "end_time": entry["end_time"],
        "subject_id": entry["course_id"],
        "faculty_id": entry["faculty_id"],
        "batch_id": batches[0] if batches else None,
        "classroom_id": entry["room_id"],
    }


SHAPES: Mapping[str, Callable[[Dataset, Result], View]] = {
    "timetable_data": timetable_data,
    "inline": inline,
    "callback": callback,
    "summary": summary,
}
