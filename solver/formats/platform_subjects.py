"""
What is taught by the CSV set: subjects cut into sections, each with a teacher, a kind of room and its students.

Lectures stay out of laboratories, and what asks for a laboratory stays out of classrooms: a subject asks for one by a
column about its room or type, or by its name. The assigned teacher takes sections up to the weekly workload; further
ones go to the teacher with the most workload to spare. The set names one teacher for a subject that a dozen are needed
for, but who teaches is no decision of ours: each such subject is a warning, to be confirmed before anybody solves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from solver.formats.platform_batches import Batches
from solver.formats.platform_rows import Repairs, Row
from solver.formats.spelling import Spellings, same, word
from solver.model import Faculty, Room
from solver.names import counted, listed

SECTION_SIZE = 60
LAB = "lab"
_LAB_WORDS = "labs?|laborator(?:y|ies|io|ios)|laboratoire|practicals?|practicum|praktikum|workshops?"
_ASKS_FOR_LAB = re.compile(rf"(?<![^\W_])(?:{_LAB_WORDS})(?![^\W_])")
_ROOM_COLUMNS = ("room_type", "room_type_required")
_TYPE_COLUMNS = ("subject_type", "type", "subject_name")


def is_lab(text: str) -> bool:
    """Whether a kind of room, or the name of a subject, is that of a laboratory."""
    return _ASKS_FOR_LAB.search(same(text)) is not None


def sections_of(students: Sequence[str], most: int = SECTION_SIZE) -> Iterator[Sequence[str]]:
    """Near-equal parts of at most `most`, the remainder spread over the first ones."""
    count = -(-len(students) // most)
    size, larger = divmod(len(students), count)
    first = 0
    for number in range(count):
        last = first + size + (number < larger)
        yield students[first:last]
        first = last


class RoomTypes:
    """Which rooms a subject may use, and how large its sections may be for them."""

    def __init__(self, work: Repairs, rooms: Sequence[Room]) -> None:
        self._work, self._rooms = work, rooms
        types = dict.fromkeys(room.type for room in rooms)
        self._labs = tuple(type for type in types if is_lab(type))
        self._classrooms = tuple(type for type in types if type not in self._labs)
        self._in_labs: list[str] = []
        self._in_classrooms = 0

    def of(self, row: Row) -> tuple[str, ...]:
        """The types of room that a subject may use."""
        asked = next((word(row[column]) for column in _ROOM_COLUMNS if row[column]), "")
        if asked in (*self._labs, *self._classrooms):
            return (asked,)
        if asked and not is_lab(asked):
            message = f"no room is of the type {asked!r}; the subject is treated as its name and type say"
            self._work.repaired(row, next(column for column in _ROOM_COLUMNS if row[column]), message)
        wants_lab = is_lab(asked) or any(is_lab(row[column]) for column in _TYPE_COLUMNS)
        fitting = self._labs if wants_lab else self._classrooms
        if not fitting:
            kind = "laboratory" if wants_lab else "classroom"
            message = f"{row['subject_name']!r} asks for a {kind}, and there is none: it may be in any room"
            self._work.decided(row.file, "rooms", message, at=row, column="subject_name")
        elif wants_lab:
            self._in_labs.append(row["subject_name"] or row["subject_id"])
        else:
            self._in_classrooms += 1
        return fitting

    def section_size(self, row: Row, types: Sequence[str], students: int) -> int:
        """No section is larger than the largest room that it may use."""
        seats = max((room.capacity for room in self._rooms if not types or room.type in types), default=SECTION_SIZE)
        if seats < min(SECTION_SIZE, students):
            kind = listed([type.replace("_", " ") for type in types]) or "room"
            message = f"{row['subject_name']!r} has sections of at most {seats}: no {kind} has more seats"
            self._work.decided(row.file, "section_size", message, at=row, column="subject_name")
        return min(seats, SECTION_SIZE)

    def tell(self) -> None:
        """What was decided about laboratories, once all subjects have been asked."""
        if not self._labs or not self._classrooms:
            return
        number = sum(room.type in self._labs for room in self._rooms)
        serve = f"for {listed(self._in_labs)}" if self._in_labs else "empty, because no subject asks for one"
        message = (
            f"{counted(self._in_classrooms, 'subject')} may be in classrooms only; "
            f"{counted(number, 'laboratory is', 'laboratories are')} {serve}. "
            "A subject asks for a laboratory by its name, or by a column room_type or subject_type"
        )
        self._work.decided("subjects", "rooms", message)


class Teachers:
    """Weekly sessions that each teacher can still take."""

    def __init__(self, work: Repairs, faculty: Sequence[Faculty]) -> None:
        self._work = work
        self._labels = Spellings((teacher.name, teacher.id) for teacher in faculty)
        self._spare = {teacher.id: teacher.max_sessions_per_week or 0 for teacher in faculty}

    def of(self, row: Row, sections: int, sessions: int) -> list[str | None]:
        """A teacher for each section of a subject, None where there is nobody at all."""
        assigned = self._assigned(row)
        teachers: list[str | None] = []
        for _ in range(sections):
            teacher = assigned if self._spare.get(assigned, 0) >= sessions else self._freest()
            if teacher is not None:
                self._spare[teacher] -= sessions
            teachers.append(teacher)
        self._warn(row, assigned, teachers)
        return teachers

    def _assigned(self, row: Row) -> str:
        """The teacher that the row names, by id or by name; the cell as it is where it names nobody, or several."""
        named = row["faculty_assigned"]
        found = [] if named in self._spare else self._labels.find(named)
        if len(found) != 1:
            return named
        self._work.decided(
            row.file, "named_teacher", f"{named!r} is read as {found[0]}", at=row, column="faculty_assigned"
        )
        return found[0]

    def _freest(self) -> str | None:
        """Most workload to spare; the first one in file order in a tie."""
        return max(self._spare, key=lambda teacher: self._spare[teacher]) if self._spare else None

    def _warn(self, row: Row, assigned: str, teachers: Sequence[str | None]) -> None:
        others = [(number, teacher) for number, teacher in enumerate(teachers, 1) if teacher != assigned]
        if not others:
            return
        if assigned in self._spare:
            code, why = (
                "teacher_replaced",
                f"has no hours left for {len(others)} of {counted(len(teachers), 'section')}",
            )
        elif shared := self._labels.find(assigned):
            code, why = "teacher_unclear", f"is the name of {listed(shared)}, which cannot be told apart"
        else:
            code, why = "teacher_unknown", "names no teacher of the faculty file"
        if len(teachers) == 1:
            given = f"{teachers[0]} takes it" if teachers[0] else "nobody teaches it"
        else:
            (first, its_teacher), *more = others
            takers = [f"{its_teacher or 'nobody'} (section {first})"]
            takers += [f"{teacher or 'nobody'} ({number})" for number, teacher in more]
            given = f"taken by {', '.join(takers)}"
        self._work.warned(row, "faculty_assigned", code, f"{why}; {given}")


def cut(students: Sequence[str], most: int, batches: Batches) -> list[Sequence[str]]:
    """The sections of a subject: batches stay together where that takes no section more."""
    together = batches.together(students, most) if batches.members else None
    return list(together or sections_of(students, most))
