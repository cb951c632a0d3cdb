"""Proofs about sessions that a hard link wants in one block, without a free slot between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from solver.diagnose.facts import Facts
from solver.model import Course, Faculty, Group, Link
from solver.names import counted, default_note
from solver.result import Proof
from solver.terms import SET_LINKS, SessionKey


def block_proofs(facts: Facts, link: Link) -> Iterator[Proof]:
    """What one teacher, group or course has in the block is longer than any part of a day, or above a daily limit."""
    if link.type not in SET_LINKS:
        return
    keys = [key for key in facts.dataset.sessions_of(link) if facts.options(key).starts]
    for (kind, id), own in _owners(facts, keys).items():
        if len(own) > 1:
            yield from _too_long(facts, kind, id, own)
            yield from _above_limit(facts, kind, id, own)


def _owners(facts: Facts, keys: list[SessionKey]) -> Mapping[tuple[str, str], list[SessionKey]]:
    """The sessions of the block that each ("teacher" | "group" | "course", id) has."""
    owners: dict[tuple[str, str], list[SessionKey]] = defaultdict(list)
    for key in keys:
        course = facts.dataset.part_of(key)
        for kind, ids in (("course", (course.id,)), ("teacher", course.faculty_ids), ("group", course.group_ids)):
            for id in ids:
                owners[kind, id].append(key)
    return owners


CLASHES: Mapping[str, str] = {"teacher": "faculty_clash", "group": "group_clash", "course": "group_clash"}
LIMITS: Mapping[str, str] = {
    "teacher": "faculty_daily_limit",
    "group": "group_daily_limit",
    "course": "course_daily_limit",
}


def _named(facts: Facts, kind: str, id: str) -> str:
    name: Mapping[str, Callable[[str], str]] = {
        "teacher": facts.names.teacher,
        "group": facts.names.group,
        "course": facts.names.course,
    }
    return f"{kind} {name[kind](id)}"


def _too_long(facts: Facts, kind: str, id: str, keys: list[SessionKey]) -> Iterator[Proof]:
    if kind == "course" and facts.dataset.course[id].parts:
        # Parts for different groups may run at once; those without any may not.
        keys = [key for key in keys if not facts.dataset.part_of(key).group_ids]
    longest: dict[object, int] = {}
    for key in keys:  # of those that may clash with each other the longest
        which = facts.dataset.together.get(key, key)
        longest[which] = max(longest.get(which, 0), facts.dataset.part_of(key).session_slots)
    needed = sum(longest.values())
    available = max(part.bit_count() for part in facts.parts_of_days)
    if needed > available and facts.hard(CLASHES[kind]):
        yield _proof(
            facts,
            keys,
            f"they take {counted(needed, 'slot')} one after the other, for {_named(facts, kind, id)} has all of them, "
            f"and no part of a day has more than {available}",
            (id, ("link", CLASHES[kind])),
            (needed, available),
        )


def _above_limit(facts: Facts, kind: str, id: str, keys: list[SessionKey]) -> Iterator[Proof]:
    data = facts.dataset
    owners: Mapping[str, Mapping[str, Faculty | Group | Course]] = {
        "teacher": data.teacher,
        "group": data.group,
        "course": data.course,
    }
    limit = owners[kind][id].max_sessions_per_day
    if limit is not None and len(keys) > limit and facts.hard(LIMITS[kind]):
        note = default_note(limit) if kind == "course" else ""
        yield _proof(
            facts,
            keys,
            f"all on one day, but {_named(facts, kind, id)} has at most {counted(limit, 'session')} a day{note}",
            (id, ("link", LIMITS[kind])),
            (len(keys), limit),
        )


def _proof(
    facts: Facts, keys: list[SessionKey], why: str, about: tuple[str, tuple[str, ...]], numbers: tuple[int, int]
) -> Proof:
    id, rules = about
    return Proof(
        code="link_grouped",
        sentence=f"{facts.names.sessions(keys)} should be in one block: {why}",
        entities=tuple(dict.fromkeys((id, *(key[0] for key in keys)))),
        rules=rules,
        needed=numbers[0],
        available=numbers[1],
    )
