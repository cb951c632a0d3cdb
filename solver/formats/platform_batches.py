"""
Who is in which batch of the CSV set.

No column says it as a rule, so students and batches are compared by programme, department, year and semester. Where
that finds a batch for few of the students only, nothing is known about batches, and none is given anything to attend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from solver.formats.platform_rows import Repairs, Row
from solver.names import counted, listed

COLUMNS: Mapping[str, tuple[str, str]] = {
    "programme": ("course_id", "course"),
    "department": ("department_id", "department"),
    "year": ("year", "year"),
    "semester": ("semester", "semester"),
}
"""What is compared: the column of batches.csv, and that of students.csv."""
Meaning = Callable[[str, str], str | None]
"""What a cell of one of `COLUMNS` means, so that ids and names can be compared; None where it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """The students of each batch, in the order of batches; empty where nothing is known."""

    members: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def wholly_in(self, students: Sequence[str]) -> tuple[str, ...]:
        """The batches all of whose students are among these."""
        present = set(students)
        return tuple(id for id, members in self.members.items() if present.issuperset(members))

    def together(self, students: Sequence[str], most: int) -> list[list[str]] | None:
        """
        The students in as few sections of at most `most` as there can be, no batch torn apart; None where that fails.

        The largest batch comes first, each into the emptiest section.
        """
        present = set(students)
        units = [[id for id in members if id in present] for members in self.members.values()]
        placed = {id for unit in units for id in unit}
        units += [[id] for id in students if id not in placed]
        sections: list[list[str]] = [[] for _ in range(-(-len(students) // most))]
        for unit in sorted(units, key=len, reverse=True):
            emptiest = min(sections, key=len)
            if len(emptiest) + len(unit) > most:
                return None
            emptiest.extend(unit)
        return [sorted(section) for section in sections]


def batches_of(work: Repairs, batches: Sequence[Row], students: Sequence[Row], meaning: Meaning) -> Batches:
    """The students of each batch: by a column `batch_id`, else by `COLUMNS`. `students` has each of them once."""
    if not batches or not students:
        return Batches()
    used = [name for name in COLUMNS if _is_told(batches, name, 0) and _is_told(students, name, 1)]
    by_key: dict[tuple[str, ...], list[str]] = {}
    for row in batches:
        if key := _key(row, used, 0, meaning):
            by_key.setdefault(key, []).append(row["batch_id"])
    members: dict[str, list[str]] = {row["batch_id"]: [] for row in batches}
    for row in students:
        found = [row["batch_id"]] if row["batch_id"] in members else by_key.get(_key(row, used, 1, meaning), [])
        if len(found) == 1:
            members[found[0]].append(row["student_id"])
    matched = sum(map(len, members.values()))
    by = listed(used) if used else "any column"
    told = f"the batch of {matched} of {counted(len(students), 'student')} is known, by {by}"
    if 2 * matched <= len(students):
        advice = "nothing is known about who is in the batches, so none of them has a week; see the weeks of students"
        work.decided("batches", "groups_unknown", f"{told}: {advice}")
        return Batches()
    work.decided("batches", "groups_known", f"{told}: a batch attends what all of its students attend")
    return Batches(members={id: sorted(found) for id, found in members.items() if found})


def _is_told(rows: Sequence[Row], name: str, side: int) -> bool:
    return any(row[COLUMNS[name][side]] for row in rows)


def _key(row: Row, used: Sequence[str], side: int, meaning: Meaning) -> tuple[str, ...]:
    """What is compared; nothing where a cell says nothing, because two unknowns are not the same."""
    found = [meaning(name, row[COLUMNS[name][side]]) for name in used]
    return tuple(each for each in found if each is not None) if None not in found else ()
