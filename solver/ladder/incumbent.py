"""
The best timetable so far, kept by the verifier's word alone.

Every stage offers what it finds. An offer becomes the incumbent only after the independent verifier has recounted it
against the original dataset, so a wrong claim of a kernel or of CP-SAT can cost time but never a false result.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from solver.compiled import Compiled, compile_dataset, decode, encode
from solver.context import Context
from solver.control import Control, Place
from solver.model import Dataset, Timetable
from solver.result import CurvePoint, Report
from solver.rules import Profile, Score
from solver.verify import verify

VERIFY_SHARE = 0.1
"""Recounting streamed improvements may take at most this share of the time; final offers are always recounted."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One dataset in all the forms the stages need; made once, never changed."""

    dataset: Dataset
    profile: Profile
    context: Context
    compiled: Compiled

    @classmethod
    def of(cls, dataset: Dataset, profile: Profile, context: Context) -> Instance:
        """Compiles the dataset under a profile, with the points of a context of the same dataset."""
        return cls(
            dataset=dataset, profile=profile, context=context, compiled=compile_dataset(dataset, profile, context)
        )

    def verify(self, timetable: Timetable) -> Report:
        """The report of the verifier under these rules and points. Raises `InputError` for a name that nobody has."""
        return verify(self.dataset, timetable, context=self.context, profile=self.profile)


@dataclass(frozen=True, kw_only=True)
class Incumbent:
    """A timetable with the verifier's report and the stage that found it."""

    timetable: Timetable
    report: Report
    source: str

    @property
    def score(self) -> Score:
        """What the verifier counted."""
        return self.report.score


@dataclass(kw_only=True)
class Incumbents:
    """
    Keeps the best publishable timetable (no rigid rule broken) and the curve of improvements.

    `strict` is the best one that keeps every hard rule, complete or not; the rung `greedy` promises exactly that.
    """

    instance: Instance
    control: Control
    best: Incumbent | None = None
    strict: Incumbent | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verify_seconds: float = 0.0
    _quiet_until: float = 0.0

    def offer_arrays(
        self, slots: NDArray[Any], rooms: NDArray[Any], source: str, *, claim: Score | None = None, final: bool = True
    ) -> Incumbent | None:
        """
        Offers ``slot_of_session`` and ``room_of_session``; see `offer`.

        A streamed offer (`final=False`) is skipped when its claim is no improvement or when recounting would take
        more than its share of the time; the stage repeats its best as a final offer when it ends.
        """
        if not final and (time.monotonic() < self._quiet_until or not self._improves(claim)):
            return None
        found = self.offer(decode(slots, rooms, self.instance.dataset), source, claim=claim)
        if not final:
            self._quiet_until = time.monotonic() + self.verify_seconds / VERIFY_SHARE
        return found

    def offer(self, timetable: Timetable, source: str, *, claim: Score | None = None) -> Incumbent:
        """Recounts a timetable and keeps it where it is better than what we have."""
        found = self.recount(timetable, source)
        if claim is not None and claim != found.score:
            self.notes.append(f"{source} claimed {tuple(claim)} but the verifier counted {tuple(found.score)}")
        if found.score.rigid == 0:
            self._keep(found)
        self.control.beat()
        return found

    def recount(self, timetable: Timetable, source: str) -> Incumbent:
        """The verifier's word on a timetable, without keeping it."""
        began = time.monotonic()
        with self.control.at(Place.VERIFY):
            found = Incumbent(timetable=timetable, report=self.instance.verify(timetable), source=source)
        self.verify_seconds = time.monotonic() - began
        return found

    def start_arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The best so far as arrays; all unplaced when there is none."""
        return encode(self.best.timetable if self.best else Timetable(), self.instance.dataset)

    def _improves(self, claim: Score | None) -> bool:
        return claim is None or (claim.rigid == 0 and (self.best is None or claim < self.best.score))

    def _keep(self, found: Incumbent) -> None:
        if found.score.bent == 0 and (self.strict is None or found.score < self.strict.score):
            self.strict = found
        if self.best is None or found.score < self.best.score:
            self.best = found
            self.curve.append(CurvePoint(seconds=self.control.elapsed, score=found.score, source=found.source))
            # With an empty one in hand, somebody might think that there is something to publish.
            if found.report.placed:
                self.control.on_incumbent(found.timetable, found.score)
