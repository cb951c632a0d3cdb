"""
Who shares people with whom, as sparse matrices over courses, and chains of prerequisites.

The conflict graph is one sparse product of the enrolment matrix with its transpose. Comparing students pair by pair is
what made earlier systems stand still: 20,000 students are 200 million pairs, but only some 100,000 enrolments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solver.model import Dataset

Matrix: TypeAlias = "sparse.csr_array[Any, tuple[int, int]]"


def membership(rows: Sequence[Sequence[str]], people: Iterable[str]) -> Matrix:
    """
    Turns lists of ids into a matrix of ones.

    Parameters
    ----------
    rows
        The ids that each row holds, no id twice in one row; every id is one of `people`.
    people
        Every id once; the order of the columns.

    Returns
    -------
    csr_array
        ``(rows, people) int32``, 1 where the row holds the person; columns stand in the order of the lists.
    """
    index = {person: i for i, person in enumerate(people)}
    columns = np.fromiter((index[person] for row in rows for person in row), dtype=np.int32)
    pointers = np.zeros(len(rows) + 1, dtype=np.int32)
    np.cumsum([len(row) for row in rows], out=pointers[1:])
    ones = np.ones(len(columns), dtype=np.int32)
    return sparse.csr_array((ones, columns, pointers), shape=(len(rows), len(index)))


def enrolment_matrix(dataset: Dataset) -> Matrix:
    """``(courses, students) int32``, 1 for each enrolment; students in the order of `Dataset.student_ids`."""
    return membership([dataset.students_of(course) for course in dataset.parts], dataset.student_ids)


def teaching_matrix(dataset: Dataset) -> Matrix:
    """``(courses, faculty) int32``, 1 for each teacher of a course."""
    return membership([course.faculty_ids for course in dataset.parts], [f.id for f in dataset.faculty])


def cohort_matrix(dataset: Dataset) -> Matrix:
    """``(courses, cohorts) int32``, 1 for each cohort that a course is taught to."""
    return membership([dataset.cohorts_of(course) for course in dataset.parts], dataset.cohort)


def row_means(matrix: Matrix) -> Matrix:
    """The matrix with each row divided by its sum; rows without entries stay empty."""
    sums = np.asarray(matrix.sum(axis=1), dtype=np.float64)
    per_entry = np.repeat(np.where(sums > 0, sums, 1.0), np.diff(matrix.indptr))
    return sparse.csr_array((matrix.data / per_entry, matrix.indices, matrix.indptr), shape=matrix.shape)


def conflict_graph(enrolments: Matrix) -> Matrix:
    """
    Counts the common students of every two courses that have any.

    Parameters
    ----------
    enrolments
        ``(courses, students)`` zeros and ones.

    Returns
    -------
    csr_array
        ``(courses, courses) int32``, symmetric, no diagonal, no stored zeros, column indices ascending in each row.
    """
    graph = sparse.csr_array(enrolments @ enrolments.T, dtype=np.int32)
    # In place: where every course meets every other one, a second copy would be the largest object of the whole solve.
    row = np.repeat(np.arange(graph.shape[0], dtype=np.int32), np.diff(graph.indptr))
    graph.data[row == graph.indices] = 0
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph


def chain_depths(prerequisites: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """
    The longest chain of prerequisites below each course, 0 for a course without any.

    Parameters
    ----------
    prerequisites
        What each course requires. Required courses that are no key themselves are ignored.

    Raises
    ------
    graphlib.CycleError
        The prerequisites run in a circle; `prerequisite_cycles` names it.
    """
    known = {course: [p for p in required if p in prerequisites] for course, required in prerequisites.items()}
    depths: dict[str, int] = {}
    # `static_order` keeps its own stack: a chain of thousands of courses meets no recursion limit.
    for course in TopologicalSorter(known).static_order():
        depths[course] = max((depths[p] + 1 for p in known[course]), default=0)
    return depths


def prerequisite_cycles(prerequisites: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """
    Names a circle for every knot of courses that require each other; empty when there is none.

    Parameters
    ----------
    prerequisites
        What each course requires. Required courses that are no key themselves are ignored.

    Returns
    -------
    tuple of tuples
        Each starts and ends with the same course, and every course requires the one after it: ``("a", "b", "a")``.
        Knots that share no course get one circle each, in the order of their first course.
    """
    courses = list(prerequisites)
    if not courses:
        return ()
    known = [[p for p in dict.fromkeys(prerequisites[course]) if p in prerequisites] for course in courses]
    _, knots = connected_components(membership(known, courses), directed=True, connection="strong")
    knot = dict(zip(courses, knots.tolist(), strict=True))
    following = {
        course: inside[0]
        for course, required in zip(courses, known, strict=True)
        if (inside := [p for p in required if knot[p] == knot[course]])
    }
    cycles: dict[int, tuple[str, ...]] = {}
    for course in following:
        if knot[course] not in cycles:
            cycles[knot[course]] = _walk(course, following)
    return tuple(cycles.values())


def _walk(start: str, following: Mapping[str, str]) -> tuple[str, ...]:
    """Follows one arrow from each course until a course comes again; cuts off the way into the circle."""
    position: dict[str, int] = {}
    course = start
    while course not in position:
        position[course] = len(position)
        course = following[course]
    way = list(position)[position[course] :]
    return (*way, course)
