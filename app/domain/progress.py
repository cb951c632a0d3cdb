"""
What is known of the progress of a job, in memory; `app.domain.snapshot` makes one document of it.

The document carries the field names of both platform versions at once (`progress` and `overall_progress`, `message` and
`stage`, `eta` and `eta_seconds` ...). Three promises: the percentage never goes back within a run, whoever is killed
meanwhile; `eta_seconds` is a number while the job is alive (a null is shown as "Almost done"); and `stage` is always
one of the platform's nine names, which follow from the percentage, so they never go back either. Our own stage stands
in `metadata.stage`.

Life is told apart from improvement: `health`, `last_beat_at` and `metadata.verdict` say how the child is,
`last_improvement_at` when its timetable became better. A child that looks dead is called stalled before it is killed.

The bar survives the service. What is shown never exceeds what the store has been given by `reserve()` and `kept()`:
a little more than is shown is stored ahead, and a service that starts anew starts from there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, get_args

import anyio

from app.domain.eta import Estimate, RunTimes
from app.domain.history import CostHistory
from app.domain.jobs import Job, Status
from app.domain.liveness import Life
from app.domain.messages import IncumbentFrame, ProgressFrame
from app.domain.telemetry import Health
from solver.control import Stage
from solver.result import StoppedBy
from solver.rules import Score


class Span(NamedTuple):
    """The platform's name of a stage, and the part of the bar that the stage takes, in percent."""

    platform: str
    low: float
    high: float


SPANS: Mapping[Stage, Span] = {
    "load": Span("loading", 0, 3),
    "validate": Span("loading", 3, 5),
    "context": Span("clustering", 5, 15),
    "construct": Span("cpsat_solving", 15, 20),
    "search": Span("cpsat_solving", 20, 65),
    "exact": Span("cpsat_solving", 65, 75),
    "variants": Span("ga_optimization", 75, 90),
    "verify": Span("rl_refinement", 90, 98),
    "store": Span("rl_refinement", 98, 99),
}
PLATFORM_STAGES = ("initializing", *dict.fromkeys(span.platform for span in SPANS.values()))
TIME_SHARE = 74.0
"""Walking down the ladder repeats stages; meanwhile the bar follows the clock, at most to here."""
WALK: frozenset[Stage] = frozenset({"construct", "search", "exact"})
"""
Stages that a walk down the ladder repeats in any order. How much of an exact solve is done says nothing about how much
of the walk is: a bar that followed it would stand still for as long as the search after it takes to get there.
"""
HELD_SHARE = 0.9
"""Of the rest of a stage only half is shown before it is over: that is room for what takes longer than it thought."""
LEAST_SECONDS = 8.0
"""However soon a part should end, the bar leaves at least so long for it, and never gets quite there."""
NEWS_SECONDS, NEWS_PERCENT = 1.0, 0.01
"""A bar that moves is news so often at most, and from so much on."""
LEAD = 2.0
"""Percent that are stored ahead of what is shown."""
FIRST_RESERVE = 20.0
"""Nothing is stored before the bar passes this; a run that is found begun begins here again."""
LAST = 99.0
NORMAL = "NORMAL_PROCESSING"
"""The verdict on a healthy child."""
SERVICE_SILENT = "SERVICE_SILENT"
"""The verdict on a job whose service, another one than ours, has not been heard of."""
IMPROVED_AT = "last_improvement_at"
"""In the metadata of a job: when its timetable became better last, as of the last attempt that ended."""
QUALITY_MISSED = "quality_missed"
"""In the metadata of a job: that its timetable keeps less of the soft rules than is wanted, in words."""
STOP_SECONDS = 1.0
"""Time a child needs at most to hear that it shall end."""
LIMIT_FREE: frozenset[Stage] = frozenset({"load", "validate"})
LAST_STAGES: frozenset[Stage] = frozenset({"verify", "store"})
_TOLD = ("stage", "stage_share", "message", "rung", "bound", "placed", "total")
"""What the last words of a child say."""
_RAN_ITS_COURSE = frozenset({StoppedBy.PROVED, StoppedBy.STALLED, StoppedBy.DEADLINE})


@dataclass
class Track:
    """
    Everything that is shown about one job. `job` is the row as the store has it; `run_times` is shared by all jobs.

    `checkpointed` says that somebody calls `reserve()` and `kept()`; without it the bar ends with the service.
    """

    job: Job
    run_times: RunTimes = field(default_factory=RunTimes)
    checkpointed: bool = False
    version: int = 0
    stage: Stage | None = None
    stage_share: float = 0.0
    message: str = ""
    rung: str | None = None
    score: Score | None = None
    bound: int | None = None
    placed: int | None = None
    total: int | None = None
    percent: float = 0.0
    health: Health = "ok"
    verdict: str = NORMAL
    place: str | None = None
    stage_deadline_at: float | None = None
    beat_at: float | None = None
    attempt_began_at: float | None = None
    updated_at: float = field(default_factory=time.time)
    improved_at: float | None = None
    recounted_attempt: int | None = None
    quality_missed: str | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)
    history: CostHistory = field(default_factory=CostHistory)
    _reserved: float = LAST
    _estimate: Estimate = field(default_factory=Estimate)
    _seconds: float = 0.0
    _began: float | None = None
    _solving_began: float | None = None
    _last_stage_began: float | None = None
    _moved_at: float = 0.0
    _told_percent: float = 0.0

    def __post_init__(self) -> None:
        """A row from the store. Of a run that had begun, the store may not know yet how far it came at first."""
        self.percent = self.job.percent
        if self.job.started_at is not None and not self.job.status.terminal:
            self.percent = max(self.percent, FIRST_RESERVE)
        if self.job.status is Status.RUNNING:
            self.message = self._beginning
        self._reserve_anew()
        self._remember_best()

    # --- what happens to the job ---

    def set_job(self, job: Job) -> None:
        """The row has changed; a run that starts anew starts its bar anew."""
        again = self.job.status.terminal and not job.status.terminal
        self._learn_from(job)
        begins = job.status is Status.RUNNING and job.attempt != self.job.attempt
        self.job = job
        if begins:
            self.message = self._beginning
        if again:
            self.percent, self.improved_at, self.quality_missed = 0.0, None, None
            self.history.clear()
            self._reserve_anew()
        self.percent = max(self.percent, job.percent)
        self._reserved = max(self._reserved, job.percent)  # a row is what the store has
        if job.status is not Status.RUNNING:
            self._rest()
        self._remember_best()
        self._aim(at_once=job.cancel_requested or job.finish_requested)
        self.bump()

    def _rest(self) -> None:
        """No child works for the job."""
        self.stage, self.stage_share, self.health = None, 0.0, "ok"
        self.verdict, self.place = NORMAL, None
        self.stage_deadline_at = self.beat_at = self.attempt_began_at = None
        self._began = self._solving_began = self._last_stage_began = None
        self._estimate = Estimate()

    def _remember_best(self) -> None:
        job = self.job
        if job.score is not None:
            self.score = job.score
        if job.placed is not None:
            self.bound, self.placed, self.total = job.bound, job.placed, job.total
        self.rung = job.rung or self.rung
        if job.status.terminal:
            self.improved_at = job.meta.get(IMPROVED_AT, self.improved_at)

    @property
    def noted_job(self) -> Job:
        """The row with what only we know of it, for whoever writes down the end of an attempt."""
        told = {IMPROVED_AT: self.improved_at, QUALITY_MISSED: self.quality_missed}
        kept = {name: value for name, value in self.job.meta.items() if name != QUALITY_MISSED}
        meta = {**kept, **{name: value for name, value in told.items() if value is not None}}
        return replace(self.job, percent=self.percent, meta=meta)

    def forget_best(self) -> None:
        """The timetable that the attempts before have left cannot be used: what is found next is the best."""
        self.job = replace(self.job, score=None, publish=None)
        self.score = self.improved_at = None
        self.bump()

    def begin_attempt(self, now: float, seconds: float) -> None:
        """A child starts, at the wall time `now`, that may solve for `seconds`."""
        self.attempt_began_at = self.beat_at = now
        self._seconds, self._began = seconds, time.monotonic()
        self._moved_at = self._began
        self._solving_began = self._last_stage_began = None
        self.message = self._beginning
        self._aim(at_once=True)
        self.bump()

    @property
    def _beginning(self) -> str:
        """What there is to say before the child has said anything."""
        return "starting" if self.job.attempt == 1 else f"starting attempt {self.job.attempt}"

    def hear(self, frame: ProgressFrame | IncumbentFrame) -> None:
        """News from the child. Only a timetable that we hold changes the score; one that is told of may be lost."""
        self.rung = frame.rung or self.rung
        if isinstance(frame, IncumbentFrame):
            score = Score.of(frame.score)
            if self.score is None or score < self.score:
                self.score, self.improved_at = score, time.time()
        else:
            self._enter(frame.stage)
            self.stage_share, self.message = frame.share, frame.message
            self.bound = frame.bound if frame.bound is not None else self.bound
            self.placed = frame.placed if frame.placed is not None else self.placed
            self.total = frame.total if frame.total is not None else self.total
            self._advance(frame.stage)
        self.bump()

    def look(
        self,
        health: Health,
        stage_deadline_at: float | None,
        verdict: str = NORMAL,
        place: str | None = None,
        silent_seconds: float | None = None,
    ) -> None:
        """
        What the watch sees. A change of health or of the verdict is news, and so is every second of a stall.

        `silent_seconds` have gone since the last beat; None where that is not told, and then a healthy child beats.
        """
        self.stage_deadline_at, self.place = stage_deadline_at, place
        before, now = self.beat_at, time.time()
        if silent_seconds is not None:
            self.beat_at = now - silent_seconds
        elif health == "ok" or before is None:
            self.beat_at = now
        self._aim()
        works = health != "stalled" or verdict == NORMAL  # a child may be silent because it computes
        moved = self._move(works=works)
        told = now - self.updated_at >= NEWS_SECONDS and (moved >= NEWS_PERCENT or health == "stalled")
        if (health, verdict) != (self.health, self.verdict) or told:
            self.health, self.verdict = health, verdict
            self.bump()

    def wait_for(self, what: str) -> None:
        """The child is done, or gone, and something else keeps its job from going on."""
        self.message = f"waiting for {what}"
        if self.health == "ok":
            self.health = "slow"
        self.bump()

    def life(self, silent_seconds: float) -> Life:
        """How the child is, for those who run it not."""
        deadline = self.stage_deadline_at
        return Life(
            attempt=self.job.attempt,
            health=self.health,
            verdict=self.verdict,
            place=self.place,
            stage=self.stage,
            stage_share=round(self.stage_share, 4),
            message=self.message,
            rung=self.rung,
            bound=self.bound,
            placed=self.placed,
            total=self.total,
            silent_seconds=round(silent_seconds, 2),
            deadline_seconds=None if deadline is None else round(deadline - time.time(), 2),
        )

    def follow(self, life: Life, age_seconds: float) -> None:
        """How a child is that runs elsewhere, as was told so long ago; of an attempt that is over it says nothing."""
        if life.attempt != self.job.attempt or self.job.status is not Status.RUNNING:
            return
        told = {name: getattr(life, name) for name in _TOLD if getattr(life, name) is not None}
        news = any(getattr(self, name) != value for name, value in told.items())
        for name, value in told.items():
            setattr(self, name, value)
        health: Health = life.health if life.health in get_args(Health) else "ok"  # type: ignore[assignment]
        deadline = None if life.deadline_seconds is None else time.time() + life.deadline_seconds - age_seconds
        silent = None if life.silent_seconds is None else life.silent_seconds + age_seconds
        version = self.version
        self.look(health, deadline, life.verdict or NORMAL, life.place, silent)
        if news and self.version == version:
            self.bump()

    def bump(self) -> None:
        """Wakes everybody who waits for a change."""
        self.version += 1
        self.updated_at = time.time()
        self.history.note(self.updated_at, self.score, self.bound)
        self._told_percent = self.percent
        changed, self.changed = self.changed, anyio.Event()
        changed.set()

    # --- the bar ---

    def _enter(self, stage: Stage) -> None:
        now = time.monotonic()
        first = stage in LAST_STAGES and self._last_stage_began is None
        if self._solving_began is None and stage not in LIMIT_FREE:
            self._solving_began = now
            if self._began is not None:
                self.run_times.learn("before", now - self._began, self.total)
        if first:
            self._last_stage_began = now
        self.stage = stage
        self._aim(at_once=first)

    def _advance(self, stage: Stage) -> None:
        span = SPANS["search"] if stage == "exact" else SPANS[stage]
        share = 0.0 if stage == "exact" else self.stage_share
        share = min(share, (HELD_SHARE + share) / 2)
        reached = span.low + share * (span.high - span.low)
        self.percent = max(self.percent, reached, self._by_clock(stage))

    def _by_clock(self, stage: Stage) -> float:
        if self._solving_began is None or stage == "context":
            return 0.0
        used = self.job.used_seconds + time.monotonic() - self._solving_began
        return TIME_SHARE * min(1.0, used / max(self.job.options.time_limit_seconds, 1e-9))

    def _move(self, *, works: bool) -> float:
        """
        Lets the bar go on while somebody works, whether or not there is news; how far it is beyond what was told last.

        Towards the end of the part at hand, in the time that this should still take, and never quite to it.
        """
        now, before = time.monotonic(), self._moved_at
        self._moved_at = now
        if works and self._began is not None and self.job.status is Status.RUNNING:
            stage = self.stage or "load"
            gone = 1.0 - math.exp(-max(0.0, now - before) / self._part_seconds(stage, now))
            self.percent = max(
                self.percent + gone * max(0.0, self._ceiling(stage) - self.percent), self._by_clock(stage)
            )
        return self.percent - self._told_percent

    def _ceiling(self, stage: Stage) -> float:
        """Where the part at hand ends; who has been farther in an earlier attempt goes on from there."""
        own = TIME_SHARE if stage in WALK else SPANS[stage].high
        if self.percent < own:
            return own
        ends = (TIME_SHARE, *(span.high for span in SPANS.values()))
        return min((end for end in ends if end > self.percent), default=LAST)

    def _part_seconds(self, stage: Stage, now: float) -> float:
        if stage in LAST_STAGES:
            expected = self.run_times.outside("after", self.total)
        elif stage in LIMIT_FREE or stage == "context":
            expected = self.run_times.outside("before", self.total)
        else:
            expected = float(self._estimate.seconds(now))
        return max(LEAST_SECONDS, expected)

    @property
    def shown_percent(self) -> float:
        """The bar, never beyond what the store would tell a later service."""
        return 100.0 if self.job.status is Status.COMPLETED else min(self.percent, self._reserved)

    @property
    def platform_stage(self) -> str:
        """The platform's name of the stage; the end of a job is a stage as well."""
        if self.job.status.terminal:
            return self.job.status.value
        reached = self.shown_percent
        passed = [span.platform for span in SPANS.values() if reached >= span.low]
        return passed[-1] if reached > 0 else PLATFORM_STAGES[0]

    def reserve(self) -> float:
        """The percentage to store now: how far the bar may go, once it is `kept`, until the next time."""
        return min(LAST, max(self._reserved, self.percent + LEAD)) if self.checkpointed else self.percent

    def kept(self, percent: float) -> None:
        """The store has this percentage; a bar that waited for that goes on."""
        waited = self.percent > self._reserved
        self._reserved = max(self._reserved, percent)
        if waited:
            self.bump()

    def _reserve_anew(self) -> None:
        self._reserved = max(FIRST_RESERVE, self.percent) if self.checkpointed else LAST

    # --- how long it will take ---

    def _aim(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._began is not None and self.job.status is Status.RUNNING:
            self._estimate.aim(self._rest_seconds(now), now, at_once=at_once)

    def _rest_seconds(self, now: float) -> float:
        """What is left of this attempt, by its budget and by what others of its size took."""
        job, run_times, size = self.job, self.run_times, self.total
        after = run_times.outside("after", size)
        if job.cancel_requested:
            return STOP_SECONDS
        if self._last_stage_began is not None:
            return max(0.0, after - (now - self._last_stage_began))
        if job.finish_requested or job.publish is not None:
            return STOP_SECONDS + after
        if self._solving_began is None:
            assert self._began is not None
            before = max(0.0, run_times.outside("before", size) - (now - self._began))
            return before + run_times.solving(0.0, self._seconds, size) + after
        return run_times.solving(now - self._solving_began, self._seconds, size) + after

    def _learn_from(self, after: Job) -> None:
        """What a run that came to its end by itself took."""
        began, last, now = self._solving_began, self._last_stage_began, time.monotonic()
        if self.job.status is not Status.RUNNING or after.status is not Status.COMPLETED or began is None:
            return
        if last is not None:
            self.run_times.learn("after", now - last, self.total)
        if after.stopped_by in _RAN_ITS_COURSE and self._seconds > 0:
            self.run_times.learn_run(((last or now) - began) / self._seconds, self.total)

    def seconds_left(self) -> float:
        """
        Seconds until the job ends, if it runs or could start at once; 0 when it has ended.

        For a job that waits, who runs before it is the business of `app.service.job_tracks`.
        """
        job = self.job
        if job.status.terminal:
            return 0.0
        if job.status is Status.RUNNING and self._began is not None:
            return float(self._estimate.seconds(time.monotonic()))
        if job.publish is not None:
            return STOP_SECONDS + self.run_times.outside("after", job.total)
        return self.run_times.whole(job.remaining_seconds, job.total)
