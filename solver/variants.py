"""
Several timetables to choose from: each verified, each named by its emphasis, any two a guaranteed share apart.

The first variant is the best timetable of the ladder. Each further one starts from it under weights that stress other
rules and is kept away from all earlier ones; where the data leave no room for the wanted distance (many pins, one
possible timetable), fewer variants are returned and a note says so. Weights steer, they never judge: every variant is
reported and compared on the dataset's own rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from solver.climb import Climb
from solver.compiled import encode
from solver.incumbent import Incumbent
from solver.ledger import better_at, concessions_of, core_open, open_sessions, quality_of
from solver.model import Timetable
from solver.result import RungId, Variant
from solver.rules import RULE_IDS
from solver.search import SearchParams, search, strip


@dataclass(frozen=True, slots=True, kw_only=True)
class Emphasis:
    """`factors` multiply the weights of soft rules that are on while this variant is searched."""

    name: str
    label: str
    factors: Mapping[str, int] = field(default_factory=dict)


EMPHASES: tuple[Emphasis, ...] = (
    Emphasis(name="balanced", label="Balanced"),
    Emphasis(
        name="student_compact",
        label="Student-Compact",
        factors={"group_gap": 6, "student_gap": 6, "isolated_session": 6, "single_session_day": 6, "consecutive_limit": 3},
    ),
    Emphasis(
        name="faculty_preference",
        label="Faculty-Friendly",
        factors={"faculty_preference": 6, "load_balance": 6},
    ),
    Emphasis(
        name="room_economy",
        label="Room-Efficient",
        factors={"room_waste": 6, "room_stability": 6, "travel": 3},
    ),
    Emphasis(name="even_spread", label="Student-Spread", factors={"slot_peak": 8, "last_slot": 4, "min_days": 4}),
)


def distance(timetable: Timetable, other: Timetable, total: int) -> float:
    """Share of the `total` sessions that stand elsewhere, in time or room, in the two timetables."""
    same = sum(other.by_session.get(p.key) == p for p in timetable.placements)
    both_open = total - len(set(timetable.by_session) | set(other.by_session))
    return 1.0 - (same + both_open) / max(total, 1)
