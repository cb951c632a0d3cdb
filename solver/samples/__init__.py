"""
Made-up universities of realistic structure whose feasibility is known: a timetable is planted first.

The same preset and seed give the same bytes, whatever the machine and the hash seed of the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from solver.model import Dataset, Timetable
from solver.samples.contradictions import CONTRADICTIONS, Contradiction
from solver.samples.university import Sample, build

__all__ = ["CONTRADICTIONS", "PRESETS", "Contradiction", "Sample", "build", "planted", "sample"]

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "tiny": "10 courses, 31 sessions, 70 students, 6 teachers, 5 days of 6 slots: solved in a blink",
        "college": "120 courses, 372 sessions, 1,500 students, 42 teachers, 6 days of 8 slots",
        "university": "500 courses, 1,600 sessions, 6,000 students, 165 teachers, 6 days of 8 slots",
        "bhu": "2,494 courses, 8,270 sessions, 19,072 students, 2,320 teachers, 6 days of 8 slots: as large as BHU",
        "infeasible": (
            "52 courses, 141 sessions, 337 students, 31 teachers, 6 days of 8 slots; "
            f"{len(CONTRADICTIONS)} demands in it cannot be met"
        ),
    }
)


def sample(preset: str, seed: int = 0, scale: int = 1) -> Dataset:
    """
    Builds the dataset of a preset, or one `scale` times as large and of the same make.

    Raises
    ------
    KeyError
        There is no such preset; `PRESETS` lists them.
    """
    return build(preset, seed, scale).dataset


def planted(preset: str, seed: int = 0) -> Timetable:
    """
    The timetable hidden in `sample(preset, seed)`: complete and without a breach of any hard rule.

    For `infeasible` it is partial: the sessions of the contradictions are open, everything else is placed.
    """
    return build(preset, seed).planted
