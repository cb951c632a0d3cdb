"""
What people call rooms, teachers, groups and courses: one label each, and no two alike.

Whoever looks at a timetable tells rooms and teachers apart by what is written there, and some programs do, too. So a
name that is borne once stands as it is; those of one name get what tells them apart: the building, a code, else the id.
An id that no person can read (a UUID) is never shown; where nothing else is left, those of one name are numbered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from solver.model import Cohort, Course, Dataset, Faculty, Group, Room

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
LONGEST_READABLE = 40
"""Characters of an id that a person may still compare with another one."""


NO_ROOM = "no room"
"""What stands in the place of a room where a session takes none."""


class Named(NamedTuple):
    """Something with a name, and what could tell it apart from others of that name, best first; "" is nothing."""

    id: str
    name: str
    marks: tuple[str, ...]


def readable(text: str | None) -> str:
    """The text if a person can read it, else nothing: an id made by a program says nothing to anybody."""
    return text if text and len(text) <= LONGEST_READABLE and not _UUID.search(text) else ""


def in_brackets(name: str, mark: str) -> str:
    return f"{name} ({mark})"


def labels_of(named: Iterable[Named], joined: Callable[[str, str], str] = in_brackets) -> dict[str, str]:
    """Id -> label, in the order given, all of them different; `joined` writes a name with its mark."""
    by_name: dict[str, list[Named]] = {}
    found: dict[str, str] = {}
    for one in named:
        by_name.setdefault(one.name, []).append(one)
        found[one.id] = one.name
    taken = set(by_name)
    for name, members in by_name.items():
        if len(members) > 1:
            told = next(texts for texts in _ways(name, members, joined) if taken.isdisjoint(texts))
            taken.update(told)
            found |= {one.id: text for one, text in zip(members, told, strict=True)}
    return found


def _ways(name: str, members: Sequence[Named], joined: Callable[[str, str], str]) -> Iterator[list[str]]:
    """Ways to write those of one name, each with as many different texts as there are members; the best comes first."""
    for marks in zip(*(one.marks for one in members), strict=True):
        if all(marks) and len(set(marks)) == len(marks):
            yield [joined(name, mark) for mark in marks]
    first = 1
    while True:
        yield [joined(name, str(number)) for number in range(first, first + len(members))]
        first += len(members)


def taught_name(course: Course) -> str:
    """The name of a course, with the kind of session behind it where it is one of `Dataset.parts` that has one."""
    return f"{course.name} ({course.kind})".strip() if course.kind else course.name


class Labels:
    """The labels of one dataset, each kind made when it is first asked for."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @cached_property
    def rooms(self) -> Mapping[str, str]:
        return labels_of(_room(room) for room in self._dataset.rooms)

    @cached_property
    def teachers(self) -> Mapping[str, str]:
        return labels_of(_teacher(teacher) for teacher in self._dataset.faculty)

    @cached_property
    def groups(self) -> Mapping[str, str]:
        return labels_of(_group(group) for group in self._dataset.groups)

    @cached_property
    def cohorts(self) -> Mapping[str, str]:
        """By the smallest of their groups: "1A-a and French"."""
        return labels_of(self._cohort(cohort) for cohort in self._dataset.cohorts)

    def _cohort(self, cohort: Cohort) -> Named:
        wholes = {whole for id in cohort.groups for whole in self._dataset.group[id].part_of}
        smallest = [self.groups[id] for id in cohort.groups if id not in wholes]
        alone = len(cohort.groups) == 1 and cohort.groups[0] in self._divided
        name = " and ".join(smallest) + (" outside its parts" if alone else "")
        return Named(cohort.id, name, (self.groups[cohort.groups[0]],))

    @cached_property
    def _divided(self) -> frozenset[str]:
        return frozenset(whole for group in self._dataset.groups for whole in group.part_of)

    @cached_property
    def courses(self) -> Mapping[str, str]:
        """Code, else name; sections of one code by their names."""
        return labels_of((_course(course) for course in self._dataset.courses), lambda name, mark: f"{name} {mark}")


def _room(room: Room) -> Named:
    building = readable(room.building)
    both = f"{building}, {room.code}" if building and room.code else ""
    return Named(room.id, room.name or room.code or room.id, (building, room.code, both, readable(room.id)))


def _teacher(teacher: Faculty) -> Named:
    return Named(teacher.id, teacher.name or teacher.code or teacher.id, (teacher.code, readable(teacher.id)))


def _group(group: Group) -> Named:
    return Named(group.id, group.name or group.id, (readable(group.id),))


def _course(course: Course) -> Named:
    name = course.name if course.name != course.title else ""
    id = f"({readable(course.id)})" if readable(course.id) else ""
    return Named(course.id, course.title, (name, id))
