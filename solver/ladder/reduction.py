"""
The priority core first, then the rest in growing batches; nobody is dropped.

The limits (`max_courses`, `max_faculty`, `max_rooms`) only choose which courses form the core. Every other course is
reinserted later around what stands already, and courses that could not be placed are accounted for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from solver.model import Course, Dataset, Timetable
from solver.ranks import rank_of

BATCH_GROWTH = 1.5


def core_first(dataset: Dataset) -> tuple[Course, ...]:
    """Courses in the order in which they deserve a place: by rank, then pins, then the larger audience."""

    def claim(course: Course) -> tuple[int, ...]:
        rank = rank_of(course)
        audience = max(dataset.expected_students(part) for part in course.apart())
        return (-rank.core, -rank.priority, -len(course.fixed), -audience)

    return tuple(sorted(dataset.courses, key=claim))


def batches(dataset: Dataset, max_courses: int, max_faculty: int, max_rooms: int) -> Iterator[tuple[str, ...]]:
    """
    Course ids of the core, then of each following batch; together they are all courses, each exactly once.

    The core is the longest run of `core_first` within all three limits (rooms: as many as its sessions keep busy all
    week), but at most half of the courses, for a core that is everything would be no reduction. No batch holds both
    core subjects and others: these come when all of those have been placed.
    """
    courses = core_first(dataset)
    size = _core_size(courses, dataset, max_courses, max_faculty, max_rooms)
    subjects = sum(rank_of(course).core for course in courses)
    first = 0
    while first < len(courses):
        end = first + size
        if first < subjects < end:
            end = subjects
        yield tuple(course.id for course in courses[first:end])
        first = end
        size = max(size + 1, int(size * BATCH_GROWTH))


def _core_size(courses: Sequence[Course], dataset: Dataset, max_courses: int, max_faculty: int, max_rooms: int) -> int:
    teachers: set[str] = set()
    taught_slots = 0
    limit = min(max_courses, max(1, len(courses) // 2))
    for size, course in enumerate(courses[:limit]):
        for part in course.apart():
            teachers.update(part.faculty_ids)
            taught_slots += part.sessions_per_week * part.session_slots
        if len(teachers) > max_faculty or taught_slots > max_rooms * len(dataset.time_grid.slots):
            return max(1, size)
    return limit


def restrict(dataset: Dataset, course_ids: set[str]) -> Dataset:
    """The dataset with these courses only; links and prerequisites that reach outside are left out for the moment."""
    return replace(
        dataset,
        courses=tuple(
            replace(course, prerequisites=tuple(p for p in course.prerequisites if p in course_ids))
            for course in dataset.courses
            if course.id in course_ids
        ),
        links=tuple(link for link in dataset.links if all(c in course_ids for c, _ in link.sessions)),
    )


def only(timetable: Timetable, course_ids: set[str]) -> Timetable:
    """The placements of these courses."""
    return Timetable(placements=tuple(p for p in timetable.placements if p.course_id in course_ids))
