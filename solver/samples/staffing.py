"""Who teaches what: teachers by department and rank, sections to the least loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from solver.samples.curriculum import Curriculum, Section, shares
from solver.samples.names import person
from solver.samples.shapes import Shape

RANKS = (("Prof.", 12, 0.2), ("Dr.", 14, 0.3), ("Dr.", 16, 0.5))
"""(title, sessions a week at most, share of the staff)."""
SESSIONS_PER_DAY = 4
CO_TEACHING_SHARE = 0.3
"""Share of labs with a second teacher."""


@dataclass(slots=True, kw_only=True)
class Teacher:
    """`department` is an index; `load` counts assigned sessions a week."""

    id: str
    name: str
    department: int
    limit: int
    load: int = 0

    def loaded_with(self, sessions: int) -> float:
        """Share of the weekly limit in use after taking `sessions` more."""
        return (self.load + sessions) / self.limit


def hire(shape: Shape, curriculum: Curriculum, rng: Random) -> list[Teacher]:
    """Hires `shape.teachers` teachers in proportion to the departments' sessions and gives out all sections."""
    demand: Counter[int] = Counter()
    for section in curriculum.sections:
        demand[section.department] += section.meetings
    counts = shares(shape.teachers, [demand[d] for d in range(len(curriculum.departments))])
    staff = [[_teacher(curriculum, d, number, rng) for number in range(max(1, n))] for d, n in enumerate(counts)]
    teachers = [teacher for members in staff for teacher in members]
    first = [sum(len(members) for members in staff[:d]) for d in range(len(staff))]
    for section in sorted(curriculum.sections, key=lambda s: (not s.elective, -s.meetings)):
        members = range(first[section.department], first[section.department] + len(staff[section.department]))
        _give(section, members, teachers, rng)
    return teachers


def _teacher(curriculum: Curriculum, department: int, number: int, rng: Random) -> Teacher:
    ((title, limit, _),) = rng.choices(RANKS, [share for *_, share in RANKS])
    return Teacher(
        id=f"F-{curriculum.departments[department].code}-{number + 1:02d}",
        name=f"{title} {person(rng)}",
        department=department,
        limit=limit,
    )


def _give(section: Section, members: range, teachers: list[Teacher], rng: Random) -> None:
    """The least loaded teacher takes the section; some labs get a second one who stays below three quarters."""
    ranked = sorted(members, key=lambda f: (teachers[f].loaded_with(section.meetings), f))
    section.teachers = ranked[:1]
    if section.lab_kind and len(ranked) > 1 and rng.random() < CO_TEACHING_SHARE:
        section.teachers += [f for f in ranked[1:2] if teachers[f].loaded_with(section.meetings) <= 0.75]
    for f in section.teachers:
        teachers[f].load += section.meetings
