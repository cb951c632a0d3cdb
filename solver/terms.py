"""The closed lists of words that a dataset may use, and the limits of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Tier: TypeAlias = Literal["hard", "soft", "off"]
LinkType: TypeAlias = Literal[
    "precedence",
    "not_overlap",
    "same_start",
    "same_day",
    "different_day",
    "same_room",
    "different_room",
    "consecutive",
    "min_gap",
    "same_hour",
    "days_apart",
    "consecutive_if_same_day",
    "ordered_if_same_day",
    "grouped",
    "may_clash",
]
Pairing: TypeAlias = Literal["each", "by_number", "chain", "all"]
"""
How a link pairs the sessions that it names: each of a member with each of every other one, session k with session k,
neighbours in the list, or all with all.
"""
SessionKey: TypeAlias = tuple[str, int]
"""(course id, session number from 0)."""

LINK_TYPES: tuple[LinkType, ...] = get_args(LinkType)
SET_LINKS: frozenset[LinkType] = frozenset({"grouped"})
"""Types that look at all their sessions together; no pair of them says anything by itself."""
PERMISSIONS: frozenset[LinkType] = frozenset({"may_clash"})
"""Types that ask nothing: sessions that they tie count as one where somebody would be in several at once."""
PAIRINGS: tuple[Pairing, ...] = get_args(Pairing)
CORE_SUBJECT_TYPE = "core"

NEUTRAL_LIKING = 0.5
"""What a slot is worth to a teacher who says nothing of it."""

DEFAULT_COURSE_DAY_LIMIT = 2
"""Sessions of a course on one day where nobody sets a limit; whoever meets it is told that it is ours."""

WEEK_DAYS = 7
"""Days of a week whose days nobody names."""
MAX_DAYS = 14
"""Days of a cycle that names them."""
MAX_SLOTS_PER_DAY = 48
MAX_NUMBER = 1_000_000
"""No capacity, size, weight or limit in a dataset may exceed this; keeps every cost inside 64 bits."""
MAX_PENALTY = 1_000
"""Of a single room; so that its cost fits into the halves of a packed number of the search."""
PENALTY_WORDS: Mapping[str, int | None] = {
    "preferred": 0,
    "discouraged": 2,
    "strongly_discouraged": 5,
    "prohibited": None,
}
"""What a penalty may be called in place of its number."""
MAX_ID_LENGTH = 128
