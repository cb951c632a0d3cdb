"""
Links: what each type asks of two sessions, or of all its sessions together, and how a breach is told.

Counted are the placed sessions only; those of hard links under the rule `link`, of soft ones under `soft_link`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from solver.calendar import DAY_MINUTES
from solver.model import Link
from solver.names import days_in_words, listed
from solver.terms import PERMISSIONS, SET_LINKS, SessionKey
from solver.verify.view import PlacedSession, Places, Told, View, keys_of


def holds(view: View, link: Link, a: PlacedSession, b: PlacedSession) -> bool:
    """Whether an ordered pair of placed sessions keeps a link: the table of pair predicates."""
    touching = _follows(view, a, b) or _follows(view, b, a)
    wanted = (link.value or 0) * view.dataset.time_grid.gap_minutes
    return {
        "precedence": a.until <= b.since,
        "not_overlap": a.until <= b.since or b.until <= a.since,
        "same_start": a.start == b.start,
        "same_day": a.day == b.day,
        "different_day": a.day != b.day,
        "same_room": a.room_ids == b.room_ids,
        "different_room": a.room_ids != b.room_ids,
        "consecutive": touching,
        "min_gap": a.day != b.day or max(b.since - a.until, a.since - b.until) >= wanted,
        "same_hour": a.since % DAY_MINUTES == b.since % DAY_MINUTES,
        "days_apart": (link.value or 0) <= abs(a.day - b.day) <= (inf if link.most is None else link.most),
        "consecutive_if_same_day": a.day != b.day or touching,
        "ordered_if_same_day": a.day != b.day or a.until <= b.since,
    }[link.type]


def _follows(view: View, a: PlacedSession, b: PlacedSession) -> bool:
    """Whether b starts in the slot behind the last one of a, on the same day and with no break between."""
    grid = view.dataset.time_grid
    return a.day == b.day and a.end == b.start and grid.period_of(b.start) not in grid.rests(b.day)


def _pairs(view: View, tier: str) -> Iterator[tuple[int, Link, PlacedSession, PlacedSession]]:
    for number, link in enumerate(view.dataset.links):
        if link.tier == tier and link.type not in PERMISSIONS:
            for a, b in view.dataset.expand(link):
                if a in view.placed and b in view.placed:
                    yield number, link, view.placed[a], view.placed[b]


def _together(view: View, number: int) -> list[PlacedSession]:
    """The placed sessions of a link that looks at all of them together."""
    return [view.placed[key] for key in view.dataset.sessions_of(view.dataset.links[number]) if key in view.placed]


def blocks(view: View, sessions: Iterable[PlacedSession]) -> list[int]:
    """
    The first slot of each stretch without a free slot that sessions make together; a day ends one, and a break that no
    session runs over.
    """
    grid = view.dataset.time_grid
    slots = {slot for session in sessions for slot in session.slots}
    cut = {slot for slot in slots if grid.period_of(slot) in {0, *grid.walls(grid.day_of(slot))}}
    return [slot for slot in sorted(slots) if slot - 1 not in slots or slot in cut]


def _sets(view: View, tier: str) -> Iterator[tuple[int, Link, int]]:
    """Links that look at all their sessions together, and the blocks above one that these make."""
    for number, link in enumerate(view.dataset.links):
        if link.tier == tier and link.type in SET_LINKS:
            yield number, link, max(0, len(blocks(view, _together(view, number))) - 1)


def count_link(view: View) -> Places:
    """Ordered pairs of sessions that break a hard link; blocks above one of sessions that should make one."""
    for number, link, a, b in _pairs(view, "hard"):
        yield int(not holds(view, link, a, b)), (number, a.key, b.key)
    for number, _, units in _sets(view, "hard"):
        yield units, (number,)


def count_soft_link(view: View) -> Places:
    """The same of soft links, times the weight of each."""
    for number, link, a, b in _pairs(view, "soft"):
        yield link.weight * (not holds(view, link, a, b)), (number, a.key, b.key)
    for number, link, units in _sets(view, "soft"):
        yield link.weight * units, (number,)


LINK_WORDS = {
    "precedence": "should end before {b} starts",
    "not_overlap": "should not overlap {b}",
    "same_start": "should start together with {b}",
    "same_day": "should be on the day of {b}",
    "different_day": "should not be on the day of {b}",
    "same_room": "should be in the room of {b}",
    "different_room": "should not be in the room of {b}",
    "consecutive": "should be right before or after {b}",
    "min_gap": "should be {minutes} minutes or more away from {b}",
    "same_hour": "should start at the same hour of the day as {b}",
    "days_apart": "should be {days} away from {b}",
    "consecutive_if_same_day": "should be right before or after {b} where both are on one day",
    "ordered_if_same_day": "should end before {b} starts where both are on one day",
}


def tell_link(view: View, number: int, *pair: SessionKey) -> Told:
    link, names = view.dataset.links[number], view.names
    if not pair:
        return _tell_blocks(view, number)
    a, b = pair
    first, second = (
        f"{names.session(key)} ({names.slot(view.placed[key].start)}, {view.where(view.placed[key])})" for key in (a, b)
    )
    minutes = (link.value or 0) * view.dataset.time_grid.gap_minutes
    words = LINK_WORDS[link.type].format(b=second, minutes=minutes, days=days_in_words(link))
    return Told(f"{first} {words}", (a, b), tuple(dict.fromkeys((a[0], b[0]))))


def _tell_blocks(view: View, number: int) -> Told:
    sessions = _together(view, number)
    begins = blocks(view, sessions)
    keys, where = keys_of(sessions), listed([view.names.slot(slot) for slot in begins])
    return Told(
        f"{view.names.sessions(keys)} should be in one block, without a free slot between them, but are in "
        f"{len(begins)}, from {where} on",
        keys,
        tuple(dict.fromkeys(course_id for course_id, _ in keys)),
    )


tell_soft_link = tell_link
