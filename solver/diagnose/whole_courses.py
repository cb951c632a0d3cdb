"""Proofs about links that tie more sessions pairwise than can stand so, as links over whole courses easily do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from solver.diagnose.facts import Facts
from solver.model import Link
from solver.names import counted, listed
from solver.result import Proof
from solver.terms import LinkType


def whole_course_proofs(facts: Facts) -> Iterator[Proof]:
    """Hard links `same_start` and `consecutive` that nothing can keep, with what to write instead."""
    for link in facts.dataset.links:
        prove = PROOFS.get(link.type)
        if prove is not None and link.tier == "hard" and not _overlap(link):
            yield from prove(facts, link)


def _all_at_once(facts: Facts, link: Link) -> Iterator[Proof]:
    """Each session of one member starts with each of every other one, so those of a whole course start together."""
    sizes = _sizes(facts, link)
    several = next((course_id for course_id, size in sizes if size > 1 and _keeps_apart(facts, course_id)), None)
    if several is None or len(sizes) < 2 or not facts.hard("group_clash"):
        return
    number = counted(facts.dataset.course[several].sessions_per_week, "session")
    sentence = (
        f"the link 'same start' over {_members(facts, link)} ties every session with every session, so the {number} of "
        f"{facts.names.course(several)} would all start together; give a link of its own to each pair of sessions that "
        "belong together"
    )
    yield _proof(link, sentence, ("link", "group_clash"))


def _all_in_touch(facts: Facts, link: Link) -> Iterator[Proof]:
    """
    Three sessions cannot each be right before or after each of the other two; nor have two sessions of one course two
    common neighbours of another one, or a session three of them, where sessions of a course do not overlap.
    """
    sizes = _sizes(facts, link)
    three = len(sizes) > 2 or (len(sizes) == 1 and sizes[0][1] > 2)
    crowded = len(sizes) == 2 and sum(size for _, size in sizes) > 3 and all(_keeps_apart(facts, id) for id, _ in sizes)
    if not three and not (crowded and facts.hard("group_clash")):
        return
    sentence = (
        f"the link 'consecutive' over {_members(facts, link)} wants every session right before or after every other "
        "one that it ties, which three or more cannot be; give a link of its own to each pair that follow each other"
    )
    yield _proof(link, sentence, ("link",) if three else ("link", "group_clash"))


PROOFS: Mapping[LinkType, Callable[[Facts, Link], Iterator[Proof]]] = {
    "same_start": _all_at_once,
    "consecutive": _all_in_touch,
}


def _keeps_apart(facts: Facts, course_id: str) -> bool:
    """Whether no two sessions of the course may run at once; parts of it for different groups may."""
    return not facts.dataset.course[course_id].parts


def _sizes(facts: Facts, link: Link) -> list[tuple[str, int]]:
    """Course of each member of a link, and how many sessions the member stands for."""
    return [
        (course_id, 1 if session is not None else facts.dataset.course[course_id].sessions_per_week)
        for course_id, session in dict.fromkeys(link.sessions)
    ]


def _overlap(link: Link) -> bool:
    """Whether a course stands in a link as a whole and with single sessions too, which are never tied to themselves."""
    whole = {course_id for course_id, session in link.sessions if session is None}
    return any(course_id in whole for course_id, session in link.sessions if session is not None)


def _members(facts: Facts, link: Link) -> str:
    return listed(
        [
            facts.names.course(course_id) if session is None else facts.names.session((course_id, session))
            for course_id, session in dict.fromkeys(link.sessions)
        ]
    )


def _proof(link: Link, sentence: str, rules: tuple[str, ...]) -> Proof:
    courses = tuple(dict.fromkeys(course_id for course_id, _ in link.sessions))
    return Proof(code=f"link_{link.type}_of_all", sentence=sentence, entities=courses, rules=rules)
