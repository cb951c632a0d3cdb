"""All counting proofs of a dataset, the plainest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from solver.diagnose.courses import course_proofs, fixed_proofs
from solver.diagnose.facts import Facts
from solver.diagnose.people import people_proofs
from solver.diagnose.supply import supply_proofs
from solver.diagnose.ties import tie_proofs
from solver.model import Dataset
from solver.result import Proof
from solver.rules import Profile, profile_of

MAX_PROOFS_PER_CODE = 50


def diagnose(dataset: Dataset, profile: Profile | None = None) -> tuple[Proof, ...]:
    """
    Counting arguments that no timetable can place every session and keep every hard rule.

    An empty answer proves nothing: the arguments are necessary conditions that are cheap to check, each about one
    course, person, set of rooms or link. Every proof returned is true under `profile`, `profile_of(dataset)` when None.
    Of one kind, at most `MAX_PROOFS_PER_CODE` are returned.
    """
    facts = Facts(dataset=dataset, profile=profile or profile_of(dataset))
    return tuple(_first_of_each(facts))


def _first_of_each(facts: Facts) -> Iterator[Proof]:
    seen: Counter[str] = Counter()
    told: set[str] = set()
    proofs = chain(
        course_proofs(facts), fixed_proofs(facts), people_proofs(facts), supply_proofs(facts), tie_proofs(facts)
    )
    for proof in proofs:
        seen[proof.code] += 1
        if seen[proof.code] <= MAX_PROOFS_PER_CODE and proof.sentence not in told:
            told.add(proof.sentence)
            yield proof
