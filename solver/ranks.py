"""
Who is left open, weighed: the only place that says which courses come before which.

The *rank* of a course is (core subject, priority): core subjects before all others, and among either the higher
priority first. Where not every session finds a place, one session left open of a higher rank outweighs any number of
lower ones. Verifier, second counter, kernels, CP-SAT, reduction, comparison and work list all read it here, as pairs
or, compiled, as small numbers from 0 for the lowest. Where all courses are of one rank, only their number counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from solver.model import Course, Dataset
from solver.terms import CORE_SUBJECT_TYPE, SessionKey

MAX_TOLD = 16
"""So many ranks are told apart among what is left open, highest first; whatever is below is counted as one."""


class Rank(NamedTuple):
    """Compares lowest first by plain tuple order; `core` is 1 for core subjects, 0 for all others."""

    core: int
    priority: int


class LeftOpen(NamedTuple):
    """So many sessions of one rank found no place. Rows, highest rank first, compare like their worth."""

    core: int
    priority: int
    sessions: int


def rank_of(course: Course) -> Rank:
    return Rank(int(course.subject_type == CORE_SUBJECT_TYPE), course.priority)


def rank_numbers(courses: Sequence[Course]) -> list[int]:
    """The rank of each course as a number: 0 for the lowest there is, then one by one."""
    ranks = [rank_of(course) for course in courses]
    number = {rank: n for n, rank in enumerate(sorted(set(ranks)))}
    return [number[rank] for rank in ranks]


def left_open(dataset: Dataset, unplaced: Iterable[SessionKey]) -> tuple[LeftOpen, ...]:
    """What a timetable without these sessions leaves open; nothing where every course is of one rank."""
    ranks = Counter(rank_of(dataset.course[course_id]) for course_id, _ in unplaced)
    if not ranks or len({rank_of(course) for course in dataset.courses}) == 1:
        return ()
    return by_rank(ranks)


def by_rank(sessions: Mapping[Rank, int]) -> tuple[LeftOpen, ...]:
    """Sessions per rank as they are compared; ranks without any are left out."""
    rows = sorted((LeftOpen(*rank, count) for rank, count in sessions.items() if count), reverse=True)
    if len(rows) > MAX_TOLD:
        last = rows[MAX_TOLD - 1]
        rows = [*rows[: MAX_TOLD - 1], last._replace(sessions=sum(row.sessions for row in rows[MAX_TOLD - 1 :]))]
    return tuple(rows)


def highest_first(dataset: Dataset, unplaced: Iterable[SessionKey]) -> tuple[SessionKey, ...]:
    """The same sessions, those that are worth most first, otherwise in the order they come in."""
    return tuple(sorted(unplaced, key=lambda key: rank_of(dataset.course[key[0]]), reverse=True))
