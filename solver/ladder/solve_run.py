"""
One walk down the ladder: the state that the rungs share, and the stages they are put together from.

Each stage method starts from the best timetable so far, spends at most the seconds it is given, offers what it found to
`Incumbents`, and reports its progress on the beats of the work itself, so that a stage that hangs also stops reporting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from solver.compiled import Ints, encode
from solver.control import Control, Place, Progress, Stage
from solver.cpsat import exact, explain, lower_bound, polish, room_bound
from solver.ladder.incumbent import Incumbent, Incumbents, Instance
from solver.params import SolveParams
from solver.result import Diagnosis, RungId, RungVisit
from solver.rules import Score
from solver.search import SearchParams, search, strip
from solver.search.params import MAX_COST, Arrays
from solver.search.weights import soft_unit

REPORT_EVERY_SECONDS = 0.2
SECONDS_PER_SESSION, SECONDS_PER_SESSION_OF_STUDENTS = 0.25, 1.0
MIN_ROUND_SECONDS = 8.0
"""
A search round gets this much time, or so much per session; rounds twice as long hardly gain. Where rules look at the
days of single students, a move costs several times as much.
"""
PLACING = SearchParams(hard_only=True, start_temperature=2.0, enough=MAX_COST)
"""
Looks for any complete timetable, and ends with the first. Processor seconds from the floor to there: `college` 0.02,
`university` 0.1, four times that 0.8, `bhu` 1.4, comp-2007-2-1 1.2; a cooling round from the floor took 2.4, 3.9, 12,
14 and 21.
"""
FIRST_PLACING_SECONDS, FIRST_PLACING_RECOUNTS = 2.0, 4.0
"""
The first try gets these seconds, or as long as so many recounts take: of four times `bhu` 2 s do not even load what
there is to improve.
"""
QUICK_SECONDS, QUICK_SHARE = 1.0, 0.04
QUICK = SearchParams(start_temperature=0.5)
"""A quick round hardly goes uphill: it makes the most of a start at once, long before a cooling round has frozen."""

FROM_OTHERS = "portfolio"
"""The source of timetables that others have found who work on the same problem."""

Given = ParamSpec("Given")
Found = TypeVar("Found")
Step = Callable[Concatenate["SolveRun", Given], Found]


def working_at(place: Place) -> Callable[[Step[Given, Found]], Step[Given, Found]]:
    """For what is done on a `SolveRun`: while it is done, the solver is at `place`."""

    def mark(step: Step[Given, Found]) -> Step[Given, Found]:
        @wraps(step)
        def placed(run: SolveRun, /, *args: Given.args, **kwargs: Given.kwargs) -> Found:
            with run.control.at(place):
                return step(run, *args, **kwargs)

        return placed

    return mark


@dataclass(kw_only=True)
class SolveRun:
    """
    State of one walk.

    `control` ends with the whole solve, `walk` earlier: it leaves the time that the variants and the last recount need.
    """

    instance: Instance
    params: SolveParams
    control: Control
    walk: Control
    walk_seconds: float
    incumbents: Incumbents
    floor: Incumbent
    """Greedily placed: its soft cost is better than that of a timetable which is complete at any price."""
    diagnosis: Diagnosis
    rung: RungId = "full"
    bound: int | None = None
    room_floor: int | None = None
    """What rooms cost at least whatever the times are; None while nobody has looked."""
    variants_seconds: float = 0.0
    """What was left when the first variant was begun; 0 before."""
    stalled: bool = False
    tries: int = 0
    """Searches for any complete timetable so far."""
    core: frozenset[str] = frozenset()
    """Courses that the rung `reduced` placed first; empty when it was not entered."""
    journal: list[RungVisit] = field(default_factory=list)

    @property
    def best(self) -> Score | None:
        """The score of the best timetable so far; None while there is none to publish."""
        return self.incumbents.best.score if self.incumbents.best else None

    @property
    def complete(self) -> bool:
        """Whether the best timetable places every session and keeps every hard rule."""
        return self.best is not None and self.best.complete

    @property
    def proved_optimal(self) -> bool:
        """Whether the soft cost of a complete timetable equals its proved lower bound."""
        return self.complete and self.best is not None and self.bound is not None and self.best.soft == self.bound

    @property
    def over(self) -> bool:
        """Whether the walk has to end: its time is up, or somebody asked to stop."""
        return self.walk.should_stop

    def report(self, stage: Stage, share: float, message: str) -> None:
        """Tells who watches how far a stage is; `share` is cut to [0, 1]."""
        best = self.incumbents.best
        self.control.report(
            Progress(
                stage=stage,
                share=min(1.0, max(0.0, share)),
                message=message,
                rung=self.rung,
                score=best.score if best else None,
                bound=self.bound,
                placed=best.report.placed if best else None,
                total=len(self.instance.dataset.sessions),
            )
        )

    def timed(self, stage: Stage, seconds: float, message: str, *, of: Control | None = None) -> Control:
        """
        A control for one time-boxed stage; its beats report the share of the time that has gone.

        It ends with `of`, the walk by default. Search comes in several rounds, so its share is that of the whole walk;
        variants are made one after the other, so theirs is that of the time for all of them.
        """
        began = time.monotonic()
        if stage == "variants" and not self.variants_seconds:
            self.variants_seconds = self.control.remaining
        last = 0.0

        def on_beat() -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= REPORT_EVERY_SECONDS:
                last = now
                self.report(stage, share(now), message)

        def share(now: float) -> float:
            if stage == "search":
                return 1.0 - self.walk.remaining / max(self.walk_seconds, 1e-9)
            if stage == "variants":
                return 1.0 - self.control.remaining / max(self.variants_seconds, 1e-9)
            return (now - began) / max(seconds, 1e-9)

        self.report(stage, share(began), message)
        return (of or self.walk).until(seconds, on_beat)

    @property
    def round_seconds(self) -> float:
        """How long one round of local search should last on this problem."""
        compiled = self.instance.compiled
        each = SECONDS_PER_SESSION_OF_STUDENTS if compiled.counts_days_of_students else SECONDS_PER_SESSION
        return max(MIN_ROUND_SECONDS, each * compiled.num_sessions)

    def round_of(self, left: float) -> float:
        """
        The next round when `left` seconds remain: as many whole rounds as fit share them, because one slow cooling
        finds more than a fast one and a leftover.
        """
        return left / max(1, int(left / self.round_seconds))

    def welcome(self) -> None:
        """Takes what others have found meanwhile; like everything else it counts once it was recounted."""
        while (timetable := self.control.offered()) is not None:
            self.incumbents.offer_arrays(*encode(timetable, self.instance.dataset), FROM_OTHERS)

    def start_arrays(self) -> tuple[Ints, Ints]:
        """The best that anybody has found so far, as a stage starts from it."""
        self.welcome()
        return self.incumbents.start_arrays()

    def place_all(self, seconds: float) -> None:
        """
        The first complete timetable, whatever it costs, unless there is one.

        Tries get longer: a run that freezes notices it after a share of its time, and most need no second one.
        """
        until = self.walk.until(seconds)
        drawn = 1
        while drawn and not self.complete and not until.should_stop:
            first = max(FIRST_PLACING_SECONDS, FIRST_PLACING_RECOUNTS * self.incumbents.verify_seconds)
            budget = min(until.remaining, first * 2**self.tries)
            drawn = self.search(budget, PLACING, message="placing every session", round_number=self.tries, workers=1)
            self.tries += 1

    def quick_search(self) -> None:
        """A short descent from the best so far."""
        seconds = min(QUICK_SECONDS, QUICK_SHARE * self.walk.remaining)
        self.search(seconds, QUICK, message="first improvements")

    @working_at(Place.LOCAL_SEARCH)
    def search(
        self,
        seconds: float,
        params: SearchParams,
        *,
        message: str,
        round_number: int = 0,
        start: Arrays | None = None,
        workers: int | None = None,
    ) -> int:
        """
        One round of local search, from `start` or from the best so far.

        Unless `params` says how good is enough, it ends at once when what it found is proved to be the best. Returns
        the number of moves drawn: 0 where nothing can be moved.
        """
        if self.over or seconds <= 0:
            return 0
        seconds = min(seconds, self.walk.remaining)
        found = search(
            self.instance.dataset,
            self.instance.compiled,
            self.start_arrays() if start is None else start,
            control=self.timed("search", seconds, message),
            seconds=seconds,
            workers=workers or self.params.workers,
            seed=self.params.seed + 1000 * round_number,
            params=replace(params, enough=self.bound or 0) if params.enough is None else params,
            on_improvement=self._stream,
        )
        self.incumbents.offer_arrays(found.slots, found.rooms, "search")
        if self.best is None or not self.best.complete:
            kept = strip(self.instance.compiled, found.slots, found.rooms, keep_bent=params.bend)
            self.incumbents.offer_arrays(*kept, "search")
        return found.proposals

    def cheaper_start(self) -> Arrays:
        """
        The floor or the best so far: where an annealing run has less to do, by its own price of a session left open.

        With much time for few sessions the start hardly matters. With little it is all: what placing everything at any
        cost has mixed up at a large university could not be put right again.
        """
        found, best, floor = self.start_arrays(), self.incumbents.best, self.floor
        price = SearchParams().hard_weight * soft_unit(self.instance.compiled)

        def cost(score: Score) -> float:
            return score.soft + price * score.unplaced

        if best is None or (not best.score.bent and not floor.score.bent and cost(floor.score) < cost(best.score)):
            return encode(floor.timetable, self.instance.dataset)
        return found

    def _stream(self, slots: Ints, rooms: Ints, claim: Score) -> None:
        self.incumbents.offer_arrays(slots, rooms, "search", claim=claim, final=False)
        self.welcome()  # shown and kept from now on; the search that goes on does not look at it, see search.multistart

    @working_at(Place.MODEL_BUILD)
    def exact(self, seconds: float, *, bend: bool, message: str, partial: bool = False) -> str:
        """
        The full CP-SAT model; keeps its bound where it bounds the original problem. Returns its status.

        With `partial` sessions may be left open, those that matter least first.
        """
        if self.over or seconds <= 0:
            return "unknown"
        found = exact(
            self.instance.dataset,
            self.instance.compiled,
            self.start_arrays(),
            control=self.timed("exact", seconds, message),
            seconds=min(seconds, self.walk.remaining),
            workers=self.params.workers,
            seed=self.params.seed,
            bend=bend,
            partial=partial,
        )
        if found.slots is not None and found.rooms is not None:
            self.incumbents.offer_arrays(found.slots, found.rooms, "exact")
        if not bend and not partial:
            self.raise_bound(found.bound)
        return str(found.status)

    @working_at(Place.MODEL_BUILD)
    def polish(self, seconds: float, message: str) -> None:
        """Neighbourhoods for CP-SAT around the costly parts of the best so far."""
        if self.over or seconds <= 0:
            return
        slots, rooms = polish(
            self.instance.dataset,
            self.instance.compiled,
            self.start_arrays(),
            control=self.timed("exact", seconds, message),
            seconds=min(seconds, self.walk.remaining),
            seed=self.params.seed,
        )
        self.incumbents.offer_arrays(slots, rooms, "windows")

    @working_at(Place.MODEL_BUILD)
    def prove_bound(self, seconds: float, message: str) -> None:
        """A lower bound from the relaxation without rooms."""
        if self.over or seconds <= 0:
            return
        found = lower_bound(
            self.instance.dataset,
            self.instance.compiled,
            control=self.timed("exact", seconds, message),
            seconds=seconds,
            room_floor=self.room_floor,
            enough=self.best.soft if self.complete and self.best is not None else None,
        )
        self.raise_bound(found)

    @working_at(Place.MODEL_BUILD)
    def bound_rooms(self, seconds: float) -> None:
        """What rooms cost at least: cheap enough to be known before the search, which then may end at a proof."""
        if self.over or seconds <= 0:
            return
        control = self.timed("construct", seconds, "what rooms cost at least")
        self.room_floor = room_bound(self.instance.compiled, control=control, seconds=seconds)
        if self.room_floor > 0:
            self.raise_bound(self.room_floor)

    def raise_bound(self, bound: int | None) -> None:
        """Keeps the larger bound. That a cost is not negative needs no proof: 0 counts only where it settles things."""
        if bound is None or (bound == 0 and self.best is not None and self.best.soft > 0):
            return
        if self.complete and self.best is not None and bound > self.best.soft:
            self.incumbents.notes.append(
                f"a claimed bound of {bound} is above a verified cost of {self.best.soft}: dropped"
            )
            return
        self.bound = max(bound, self.bound or 0)

    @working_at(Place.MODEL_BUILD)
    def explain(self, seconds: float) -> None:
        """A small set of demands that cannot hold together, added to the diagnosis."""
        if self.over or seconds <= 0:
            return
        control = self.timed("exact", seconds, "looking for a small set of demands that cannot hold together")
        found = explain(self.instance.dataset, self.instance.compiled, control=control, seconds=seconds)
        self.diagnosis = Diagnosis(
            proofs=self.diagnosis.proofs,
            conflicts=found.conflicts,
            evidence=self.diagnosis.evidence or found.evidence,
        )
