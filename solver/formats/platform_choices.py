"""
What the students of the CSV set chose: names of subjects in one cell, or one row per enrolment.

A name may contain what separates choices, so known names are looked for before anything is split. A name that several
subjects have is never given to one of them by chance: the subject of the student's own programme is meant where there
is exactly one, otherwise both rows are reported, and so is everybody who chose that name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from solver.formats.platform_rows import Repairs, Row
from solver.formats.safe import shortened
from solver.formats.spelling import Spellings, near, same
from solver.names import counted, listed

SEPARATORS = ",;|\n\uff0c\uff1b\u3001\u060c\u061b"
"""What stands between choices: the comma, the semicolon, the bar, line breaks, and the commas of Chinese and Arabic."""
MAX_CHOICES = 200
MAX_PARTS = 20
"""So many separators may stand in one name."""
MAX_NAMED = 20
MAX_SHOWN = 60
_SPLIT = re.compile(f"([{SEPARATORS}])")
_OF_THE_PERSON = ("name",)
_OF_THE_ENROLMENT = frozenset({"electives", "faculty_id"})


@dataclass
class _Found:
    """What one cell says: subjects, names of none, and names of several."""

    ids: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    shared: dict[str, list[str]] = field(default_factory=dict)


class Choices:
    """Reads cells of choices, knowing which subjects there are. A subject is chosen by its name, or by its id."""

    def __init__(self, work: Repairs, subjects: Sequence[Row], programme_of: Mapping[str, str]) -> None:
        """`programme_of` maps a subject to the id of its programme, where it has one."""
        self._work, self._programme_of = work, programme_of
        self._name = {row["subject_id"]: row["subject_name"] or row["subject_id"] for row in subjects}
        self.labels = Spellings([*((name, id) for id, name in self._name.items()), *((id, id) for id in self._name)])
        self._parts: dict[str, int] = {}
        for name in self._name.values():
            first, *others = _SPLIT.split(name)
            if others:
                parts = min(len(others) // 2, MAX_PARTS) + 1
                self._parts[near(first)] = max(parts, self._parts.get(near(first), 1))

    def read(self, row: Row, programme: str | None) -> _Found:
        """The choices of a row of a student of this programme."""
        cells, found = _SPLIT.split(row["electives"]), _Found()
        at = 0
        while at < len(cells):
            text, ids, taken = self._longest(cells, at)
            if len(ids) > 1:
                ids = [id for id in ids if programme and self._programme_of.get(id) == programme] or ids
            if len(ids) == 1:
                self._tell_reading(row, text, ids[0], taken)
                found.ids.append(ids[0])
            elif ids:
                found.shared[text] = ids
            elif text:
                found.unknown.append(text)
            at += 2 * taken
        found.ids = list(dict.fromkeys(found.ids))
        return found

    def _longest(self, cells: Sequence[str], at: int) -> tuple[str, list[str], int]:
        """The longest known name that begins at a cell, the subjects of that name, and how many cells it takes."""
        most = self._parts.get(near(cells[at]), 1)
        for taken in range(most, 1, -1):
            text = "".join(cells[at : at + 2 * taken - 1]).strip()
            if len(cells) >= at + 2 * taken - 1 and (ids := self.labels.find(text)):
                return text, ids, taken
        text = cells[at].strip()
        return text, self.labels.find(text), 1

    def _tell_reading(self, row: Row, text: str, id: str, taken: int) -> None:
        """What was guessed about a choice: a name spelt otherwise, of several subjects, or of separators."""
        exact = self.labels.exactly(text)
        if not exact:
            self._tell(row, "near_name", text, f"is read as {self._name[id]!r} ({id})")
        elif len(exact) > 1:
            told = f"is the name of {listed(exact)}; students get that of their own programme"
            self._tell(row, "same_name", text, told)
        if taken > 1 and all(self.labels.exactly(part) for part in _SPLIT.split(text)[::2]):
            self._tell(row, "separator_in_name", text, f"is read as the one subject {id}, not as {taken} subjects")

    def _tell(self, row: Row, code: str, text: str, told: str) -> None:
        self._work.decided(row.file, code, f"{shortened(text, MAX_SHOWN)!r} {told}", at=row, column="electives")


def choosers(
    work: Repairs, choices: Choices, rows: Iterable[Sequence[Row]], programme_of: Mapping[str, str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """
    Subject -> students who chose it, and subject -> students who chose a name that it shares; both in id order.

    `rows` are the rows of one student each; `programme_of` maps a student to a programme, where it is known.
    """
    chosen: dict[str, set[str]] = defaultdict(set)
    doubtful: dict[str, set[str]] = defaultdict(set)
    for own in rows:
        student = own[0]["student_id"]
        for row in own:
            if row["electives"].count("\n") + len(_SPLIT.findall(row["electives"])) >= MAX_CHOICES:
                work.refused(row, "electives", f"has more than {MAX_CHOICES} choices")
                continue
            found = choices.read(row, programme_of.get(student))
            _tell(work, row, found)
            for id in found.ids:
                chosen[id].add(student)
            for id in (id for ids in found.shared.values() for id in ids):
                doubtful[id].add(student)
    return {id: sorted(who) for id, who in chosen.items()}, {id: sorted(who) for id, who in doubtful.items()}


def _tell(work: Repairs, row: Row, found: _Found) -> None:
    """What of a cell cannot be used; without anything usable the row cannot be either."""
    told = [
        f"{shortened(name, MAX_SHOWN)!r} is the name of {listed(ids)}, which cannot be told apart"
        for name, ids in found.shared.items()
    ]
    if found.unknown:
        names = listed([shortened(name, MAX_SHOWN) for name in found.unknown])
        told.append(f"names no subject by {names}" if found.ids or told else "chooses no subject of subjects.csv")
    if not found.ids:
        work.refused(row, "electives", "; ".join(told) or "chooses no subject of subjects.csv")
    elif told:
        work.repaired(row, "electives", f"{'; '.join(told)}; the other choices are used")


def tell_shared(
    work: Repairs,
    subjects: Sequence[Row],
    labels: Spellings,
    chosen: Mapping[str, object],
    doubtful: Mapping[str, list[str]],
) -> set[str]:
    """
    Reports both rows of a name that several subjects have, with everybody who chose it.

    Returns the subjects that cannot be used because of it.
    """
    row_of = {row["subject_id"]: row for row in subjects}
    lost: set[str] = set()
    for ids in labels.shared.values():
        for id in ids:
            others = listed([f"{other} (line {row_of[other].line})" for other in ids if other != id])
            who = doubtful.get(id, [])
            by = f"; chosen by {listed(who, MAX_NAMED)}" if who else ""
            message = (
                f"the name is that of {others} as well{by}; give each a name of its own, or write the id in electives"
            )
            if id in chosen:
                work.repaired(row_of[id], "subject_name", message)
            else:
                work.refused(row_of[id], "subject_name", message)
                lost.add(id)
    return lost


def students_of(work: Repairs, rows: Sequence[Row]) -> list[list[Row]]:
    """
    The rows of each student, in the order of first rows: several where a file has one row per enrolment.

    A later row of an id belongs to the same student unless its name is another one, or it says nothing new.
    """
    found: dict[str, list[Row]] = {}
    for row in work.with_id(rows, "student_id"):
        own = found.setdefault(row["student_id"], [])
        fault = _fault_of_later(own, row) if own else ""
        if fault:
            work.refused(row, "student_id", f"the id stands on an earlier line already, {fault}")
            continue
        for column, value in _contradictions(own, row) if own else ():
            work.repaired(row, column, f"line {own[0].line} says {value!r} of this student, which is used")
        own.append(row)
    joined = [own for own in found.values() if len(own) > 1]
    if joined:
        first = joined[0][1]
        message = f"{counted(len(joined), 'student')} with several rows each, one per choice; the rows were joined"
        work.decided(first.file, "joined_rows", message, line=first.line)
    return list(found.values())


def _fault_of_later(own: Sequence[Row], row: Row) -> str:
    for column in _OF_THE_PERSON:
        if row[column] and own[0][column] and same(row[column]) != same(own[0][column]):
            return f"as that of {own[0][column]!r} (line {own[0].line})"
    if any(same(row["electives"]) == same(earlier["electives"]) for earlier in own):
        return "with the same choices"
    return ""


def _contradictions(own: Sequence[Row], row: Row) -> Iterator[tuple[str, str]]:
    for column, value in row.cells.items():
        first = own[0][column]
        if column not in _OF_THE_ENROLMENT and value and first and same(value) != same(first):
            yield column, first
