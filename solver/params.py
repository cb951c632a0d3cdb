"""What a caller may ask of `solve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from solver.errors import InputError, Issue
from solver.result import RungId

_RANGES: tuple[tuple[str, float, float], ...] = (
    ("time_limit_seconds", 0.1, 7 * 24 * 3600),
    ("workers", 1, 64),
    ("seed", 0, 2**31 - 1),
    ("num_variants", 1, 10),
    ("min_distance", 0, 1),
    ("quality_threshold", 0, 1),
    ("max_courses", 1, 10**6),
    ("max_faculty", 1, 10**6),
    ("max_rooms", 1, 10**6),
)


VARIANTS_SHARE = 0.2


def search_share(num_variants: int) -> float:
    """The share of the time limit in which the best timetable is looked for; the rest is for the variants of it."""
    return 1.0 if num_variants <= 1 else 1.0 - VARIANTS_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveParams:
    """
    Raises `InputError` with every parameter that is out of range.

    `time_limit_seconds` covers everything from context to the verified variants; `min_distance` is the share of
    placements in which any two variants differ; below `quality_threshold` an early end for lack of improvement is
    accepted only after some more rounds without any; the three `max_` limits choose the core of the rung `reduced` and
    nothing else.
    """

    time_limit_seconds: float = 300.0
    workers: int = 1
    seed: int = 0
    num_variants: int = 3
    min_distance: float = 0.1
    start_at: RungId = "full"
    simplified_context: bool = False
    max_courses: int = 500
    max_faculty: int = 300
    max_rooms: int = 200
    quality_threshold: float = 0.8

    def __post_init__(self) -> None:
        issues = [
            Issue(
                pointer=f"/{name}",
                code="out_of_range",
                message=f"{name} must be {low:g} to {high:g}, got {getattr(self, name)}",
                value=getattr(self, name),
            )
            for name, low, high in _RANGES
            if not low <= getattr(self, name) <= high
        ]
        if self.start_at not in get_args(RungId):
            message = f"there is no rung {self.start_at!r}; the rungs are {', '.join(get_args(RungId))}"
            issues.append(Issue(pointer="/start_at", code="unknown_rung", message=message, value=self.start_at))
        if issues:
            raise InputError(issues)
