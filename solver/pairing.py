"""
Which sessions a link ties to which, and links of which it is plain that no timetable can keep them.

A member of a link is one session, or all of a course. A link says how they are paired; where it says nothing, its type
does, in the way in which people mean it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations, pairwise

from solver.records import Link
from solver.terms import PERMISSIONS, SET_LINKS, Pairing, SessionKey

Sizes = Mapping[str, int]
"""Number of sessions of each course, by id."""


def members_of(link: Link, sizes: Sizes) -> list[list[SessionKey]]:
    """The sessions that each member of a link stands for, in its order."""
    return [
        [(course_id, n) for n in ([session] if session is not None else range(sizes[course_id]))]
        for course_id, session in link.sessions
    ]


def sessions_of(link: Link, sizes: Sizes) -> list[SessionKey]:
    """Every session that a link names, once, in its order."""
    return list(dict.fromkeys(chain.from_iterable(members_of(link, sizes))))


def pairing_of(link: Link, sizes: Sizes) -> Pairing:
    """
    How a link pairs its sessions: as it says, or else as its type is usually meant.

    `same_start` ties session k of a course to session k of another one, and so does `consecutive` between courses of
    several sessions each; within one course, or in a list of sessions, `consecutive` ties neighbours. All other types
    tie each session of a member to each of every other member.
    """
    if link.pairing is not None:
        return link.pairing
    if link.type == "same_start" and len(link.sessions) > 1:
        return "by_number"
    if link.type == "consecutive":
        counts = {1 if session is not None else sizes[course_id] for course_id, session in link.sessions}
        if len(link.sessions) == 1 or counts == {1}:
            return "chain"
        if len(counts) == 1:
            return "by_number"
    return "each"


def pairs_of(link: Link, sizes: Sizes) -> Iterator[tuple[SessionKey, SessionKey]]:
    """
    The ordered pairs of sessions that a link ties together; a session is never paired with itself.

    None where the link looks at all its sessions together.
    """
    if link.type in SET_LINKS:
        return iter(())
    members = members_of(link, sizes)
    pairing = pairing_of(link, sizes)
    pairs: Iterable[tuple[SessionKey, SessionKey]]
    if pairing == "by_number":
        pairs = chain.from_iterable(zip(a, b, strict=False) for a, b in combinations(members, 2))
    elif pairing == "chain":
        pairs = pairwise(chain.from_iterable(members))
    elif pairing == "all":
        pairs = combinations(sessions_of(link, sizes), 2)
    else:
        lists = [[key] for key in members[0]] if len(members) == 1 else members
        pairs = ((a, b) for one, other in combinations(lists, 2) for a in one for b in other)
    return ((a, b) for a, b in pairs if a != b)


def together(links: Iterable[Link], sizes: Sizes) -> dict[SessionKey, int]:
    """
    Sessions that may clash with others, by the number of their class, from 0.

    Those of one class are tied by permissions, directly or by way of others.
    """
    leader: dict[SessionKey, SessionKey] = {}

    def leads(key: SessionKey) -> SessionKey:
        while leader.setdefault(key, key) != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    for link in links:
        if link.type in PERMISSIONS and link.tier != "off":
            for a, b in pairs_of(link, sizes):
                leader[leads(b)] = leads(a)
    numbers: dict[SessionKey, int] = {}
    return {key: numbers.setdefault(leads(key), len(numbers)) for key in list(leader)}


def pairing_fault(link: Link, sizes: Sizes) -> str | None:
    """Why the sessions of a link cannot be paired as they should be, as a sentence; None when they can."""
    if link.type in SET_LINKS and link.pairing not in (None, "all"):
        return f"{link.type} looks at all its sessions together and pairs none of them; leave the pairing out"
    if pairing_of(link, sizes) != "by_number":
        return None
    if len(link.sessions) == 1:
        return f"{link.type} by_number ties session k of one course to session k of another one, but only one is named"
    counts = {member: _count(member, sizes) for member in link.sessions}
    few, many = (pick(counts, key=lambda member: counts[member]) for pick in (min, max))
    if counts[few] == counts[many]:
        return None
    told = (
        f"{_name(member)} stands for {counts[member]} session{'s' if counts[member] > 1 else ''}"
        for member in (few, many)
    )
    return (
        f"{link.type} ties session k of one course to session k of the other, but {' and '.join(told)}; name the "
        "sessions that belong together one by one, or choose another pairing"
    )


def never_kept(link: Link, sizes: Sizes, *, apart: bool) -> str | None:
    """
    Why no timetable can keep a link whose sessions can be paired, as a sentence; None when nothing speaks against it.

    `apart` says that sessions of one course do not overlap.
    """
    if link.type == "same_start" and apart:
        return _one_course_at_once(link, sizes)
    if link.type == "consecutive":
        return _too_many_in_touch(link, sizes, apart=apart)
    if link.type == "days_apart" and link.value is not None and link.most is not None and link.most < link.value:
        return f"days_apart asks for {link.value} days or more, and for {link.most} or fewer"
    return None


def _one_course_at_once(link: Link, sizes: Sizes) -> str | None:
    """What starts together with the same session starts together; two sessions of one course never do."""
    members = _distinct(link, sizes)
    if any(_count(member, sizes) > 1 for member in members):
        # By number, each session of a course starts with those of its number in other courses only.
        at_once = pairing_of(link, sizes) != "by_number"
    else:
        at_once = len({course_id for course_id, _ in members}) < len(members)
    if not at_once:
        return None
    return (
        "same_start would have several sessions of one course start at once, and a course has one session at a time; "
        "same_hour asks for the same hour of the day, the pairing by_number ties session k of one course to session k "
        "of another one"
    )


def _too_many_in_touch(link: Link, sizes: Sizes, *, apart: bool) -> str | None:
    """
    Three sessions cannot each be right before or after each of the other two. Nor have two sessions of one course two
    common neighbours of another one, or a session three of them, where sessions of a course do not overlap.
    """
    pairing, members = pairing_of(link, sizes), _distinct(link, sizes)
    counts = [_count(member, sizes) for member in members]
    whole = {course_id for course_id, session in members if session is None}
    twice = any(session is not None and course_id in whole for course_id, session in members)
    if pairing == "chain" or (twice and pairing != "all"):
        return None  # a session that stands there twice is not tied to itself
    three = len(members) > 2 or (pairing != "by_number" and len(members) == 1 and counts[0] > 2)
    crowded = apart and pairing == "each" and len(members) == 2 and sum(counts) > 3
    if pairing == "all":
        three = sum(counts) > 2 if not twice else max(counts) > 2
    if not three and not crowded:
        return None
    return (
        "consecutive wants every session right before or after every other one that it ties, which three or more "
        "cannot be; the pairing chain asks for one after the other"
    )


def _distinct(link: Link, sizes: Sizes) -> list[tuple[str, int | None]]:
    """The members of a link, each once; the only session of a course is the whole course."""
    return list(
        dict.fromkeys((course_id, None if sizes[course_id] == 1 else session) for course_id, session in link.sessions)
    )


def _count(member: tuple[str, int | None], sizes: Sizes) -> int:
    return sizes[member[0]] if member[1] is None else 1


def _name(member: tuple[str, int | None]) -> str:
    return f"{member[0]!r}" if member[1] is None else f"session {member[1]} of {member[0]!r}"
