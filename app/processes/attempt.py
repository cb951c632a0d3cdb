"""
One attempt: one child from its first frame to its reaping, and the recount of what it has handed in.

Four tasks run side by side: one speaks, one listens, one watches from outside, one keeps the incumbent safe. The stop
ladder is always the same: the stop word and a stop frame; `stop_grace_seconds` later SIGKILL to the process group,
after a stack dump where the cause is a hang or a deadline; then the reaping. Only after that does `run` return, and
only then may anybody start the job again. A child that cannot be reaped (it waits for a disk that is gone) is left to
the caller as `unreaped`; it keeps its slot, and the attempt number keeps its hands off the store.
How it ended is told by `app.processes.post_mortem`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import anyio

from app import MEBIBYTE
from app.domain.diagnosis import CLOSE_LOOK_SECONDS, Assessment, ProcessSample, unkillable
from app.domain.framing import FrameError
from app.domain.jobs import Job
from app.domain.messages import (
    TIME_WAS_UP,
    ErrorFrame,
    Frame,
    IncumbentFrame,
    OfferFrame,
    ProgressFrame,
    ResultFrame,
    SetAsideFrame,
    StopFrame,
    encode,
)
from app.domain.outcomes import How, Outcome
from app.domain.progress import LAST_STAGES, Track
from app.domain.telemetry import ChildSigns, Happening, StageLeft, Stalled, nobody
from app.processes.children import Child, ForkServer
from app.processes.claims import Counted, LastRecount
from app.processes.handover import LOOK_EVERY_SECONDS, Handover, Unpublished, Verified, claim_of, verified
from app.processes.incumbents import Incumbents
from app.processes.post_mortem import PostMortem
from app.processes.start import start_frame, workers_of
from app.processes.watch import Decision, Watch
from app.settings import Settings
from app.store import StoredIncumbent
from app.system.failpoints import failpoint
from app.system.machine import this_machine
from solver.control import Place, Stop
from solver.result import RungId, missed_quality

FINISH_SECONDS = 2.0
"""A child that was asked to finish and holds an incumbent has this long; then the incumbent is published without it."""
KILLS_LOOKS = 50
"""
So many looks back, some five seconds, somebody may have been killed by the kernel for it to have been our child: a
large process takes its time to end.
"""
DRAIN_SECONDS = 2.0
"""What a dead child has said before is still in the socket; reading it takes no longer than this."""
UNREAPABLE_SECONDS = 5.0
SLOW_REAPING_SECONDS = 1.0
"""A dead child is reaped within milliseconds; what takes longer than this is said."""
STACKS_SECONDS: Mapping[How, float] = {How.HANG: 1.0, How.DEADLINE: 0.2, How.MEMORY: 0.2}
"""
How long we wait for the stacks of a child that is killed for this; the overshoot of a deadline is short, and what eats
memory goes on eating.
"""

_log = logging.getLogger("timetable.supervisor")


class Attempt:
    """
    `best` has the best timetables of the attempt; `save` is what keeps them.

    News from the child, and what the watch sees, go to `track`; `observe` hears when the child leaves a stage, and when
    it stalls or lives again.

    `recount` counts what the child hands in; then `verified` is that result, packed, and may be stored. Without it
    nothing that is handed in ever is.
    """

    def __init__(
        self,
        job: Job,
        settings: Settings,
        forkserver: ForkServer,
        track: Track,
        save: Callable[[StoredIncumbent], Awaitable[bool]],
        observe: Callable[[Happening], None] = nobody,
        recount: LastRecount | None = None,
    ) -> None:
        self.job, self.settings = job, settings
        self.best = Incumbents(save)
        self._damage: str | None = None
        self.result: ResultFrame | None = None
        self.error: ErrorFrame | None = None
        self.rung: RungId | None = None
        self.unreaped: Child | None = None
        self.watch = Watch(settings=settings, time_limit_seconds=job.remaining_seconds, began=time.monotonic())
        self._forkserver = forkserver
        self._child: Child | None = None
        self._track, self._observe = track, observe
        self._recount = recount
        self._verified: Verified | None = None
        self._refused: Unpublished | None = None
        self._told_of_handing_over: ProgressFrame | None = None
        self._verify_began: float | None = None
        self._recounting = False
        self._stop: Stop | None = None
        self._stopping_as: How | None = None
        self._stop_at = self._killed_at = self._last_word_at = 0.0
        self._decision: Decision | None = None
        self._certain: Assessment | None = None
        self._threads: ProcessSample | None = None
        self._stacks = ""
        self._lost_at: Place | None = None
        self._offer: OfferFrame | None = None
        self._to_say, self._drained, self._over = anyio.Event(), anyio.Event(), anyio.Event()
        self._dropped = anyio.Event()
        self._kernel_kills: deque[int] = deque(maxlen=KILLS_LOOKS)

    @property
    def verified(self) -> bytes | None:
        """The packed result, once it is recounted; until then there is none."""
        return None if self._verified is None else self._verified.body

    @property
    def at_work(self) -> bool:
        """Whether its child lives, or is gone and its result is being recounted."""
        return self._child is not None or self._recounting

    @property
    def silent_seconds(self) -> float:
        """Since when the child has given no sign of life; whoever recounts is looked after elsewhere."""
        return 0.0 if self._recounting else self.watch.diagnosis.silence(time.monotonic())

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._child.pid if self._child else None

    def signs(self) -> ChildSigns | None:
        """How the child is at this moment, from memory; None while there is none."""
        child, watch = self._child, self.watch
        if child is None:
            return None
        last = watch.diagnosis.last
        return ChildSigns(
            job_id=self.job.id,
            attempt=self.job.attempt,
            pid=child.pid,
            stage=watch.stage,
            place=watch.place.label,
            health=watch.health,
            beat_age_seconds=watch.diagnosis.beat_age(time.monotonic()),
            resident_bytes=last.resident_bytes if last else 0,
            cost=None if self.best.score is None else self.best.score.soft,
        )

    def stop(self, how: How) -> None:
        """Asks the child to end, as CANCEL, FINISH, FENCED or SHUTDOWN; the watch sees to it that it does."""
        stop = Stop.FINISH if how is How.FINISH else Stop.CANCEL
        if self._stop is Stop.CANCEL or self._stop is stop or (how is How.FINISH and self.job.publish is not None):
            return
        self._stop, self._stopping_as, self._stop_at = stop, how, time.monotonic()
        if self._child is not None:
            self._child.request_stop(stop)
        self._to_say.set()
        if how is not How.FINISH:
            self._dropped.set()

    def offer(self, number: int, held: StoredIncumbent) -> None:
        """Shows the child what assistant `number` has found; it looks at it when it has a moment, and recounts it."""
        self._offer = OfferFrame(found_by=number, body=held.timetable)
        self._to_say.set()

    async def until_dropped(self) -> How:
        """Waits until the attempt is asked to end without any answer: CANCEL, SHUTDOWN or FENCED."""
        await self._dropped.wait()
        return self._stopping_as or How.CANCEL

    def begin_with(self, held: StoredIncumbent | None, *, saved: bool, damage: str | None = None) -> None:
        """The best timetable of the attempts before, and whether the store has it; or why it has to be set aside."""
        self.best.begin_with(held, saved=saved)
        self.watch.has_incumbent = held is not None
        if damage is not None:
            self._begin_anew(damage)

    def _begin_anew(self, damage: str) -> None:
        """There is a timetable that cannot be used: the attempt goes on as if there were none, and so does the job."""
        self._damage = damage
        self._track.forget_best()
        self.job = replace(self.job, score=None, publish=None)
        self.watch.time_limit_seconds = self.job.remaining_seconds
        if self._track.job.finish_requested:
            self.stop(How.FINISH)

    async def run(self, dataset: bytes, on_start: Callable[[int], Awaitable[object]]) -> Outcome:
        """
        Sees the attempt through; returns how it ended. `on_start` is given the child's process id.

        Raises
        ------
        ForkServerLost
            No child could be started.
        """
        child = self._child = await self._forkserver.fork()
        self.watch.start(time.monotonic(), len(dataset) / MEBIBYTE)
        self._kernel_kills.append(this_machine().memory_kills() or 0)
        if self._stop is not None:
            child.request_stop(self._stop)
        code: int | None = None
        try:
            failpoint("child.started")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._speak, child, dataset)
                tasks.start_soon(self._listen, child)
                tasks.start_soon(self._look, child)
                tasks.start_soon(self.best.keep)
                tasks.start_soon(self._wait, child)
                await on_start(child.pid)
                await self._over.wait()
                with anyio.move_on_after(DRAIN_SECONDS):
                    await self._drained.wait()
                tasks.cancel_scope.cancel()
        finally:
            child.kill()
            with anyio.CancelScope(shield=True):
                code = await self._reap_and_tell(child)
        await self.best.save()
        await self._have_recounted(dataset)
        return self._outcome(code)

    async def _have_recounted(self, dataset: bytes) -> None:
        """What the child has handed in stays a claim, and is dropped, unless a process that has not searched agrees."""
        frame, recount = self.result, self._recount
        if frame is None or recount is None or self._stopping_as in (How.SHUTDOWN, How.FENCED):
            return
        self._recounting = True
        self.watch.enter("verify", time.monotonic())
        handover = Handover(self.watch, self._track, recount, self.until_dropped, self.settings.stop_grace_seconds)
        try:
            found = await handover.run(claim_of(self.job, frame, dataset))
        finally:
            self._recounting = False
        if isinstance(found, Counted):
            self._verified = verified(self.job, frame, found)
            self._stored_next(found)
            return
        self.result, self._refused = None, found
        if found is not None:
            self._lost_at = Place.VERIFY

    def _stored_next(self, found: Counted) -> None:
        """Tells that the stage of the recount is over."""
        now = time.monotonic()
        self.watch.enter("store", now)
        self._stage_left(("verify", now - (self._verify_began or now)))
        self._track.quality_missed = missed_quality(found.quality_index, self.settings.quality_threshold)
        if self._told_of_handing_over is not None:
            self._track.hear(self._told_of_handing_over)

    async def _reap_and_tell(self, child: Child) -> int | None:
        """Whoever asks meanwhile is told what the job waits for."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_of_reaping)
            code = await self._reap(child)
            tasks.cancel_scope.cancel()
        return code

    async def _tell_of_reaping(self) -> None:
        while True:
            await anyio.sleep(SLOW_REAPING_SECONDS)
            self._track.wait_for("the end of its process, which takes longer than it should")

    async def _reap(self, child: Child) -> int | None:
        with anyio.move_on_after(UNREAPABLE_SECONDS):
            await child.ended()
        if not child.dead:
            self.unreaped = child
            state = self.watch.diagnosis.last.state if self.watch.diagnosis.last else "?"
            self._certain = unkillable(state, UNREAPABLE_SECONDS)
            return None
        self._stacks = child.stacks()
        self._lost_at = self._lost_at or child.place
        code = await self._forkserver.reap(child)
        self._child = None  # a stop that comes now has nobody to reach
        child.close()
        return code

    async def reap_late(self) -> None:
        """Waits for a child that could not be killed; also where the wait is cut short, nothing of it stays open."""
        child = self.unreaped
        if child is None:
            return
        try:
            await child.ended()
            await self._reap(child)
            self.unreaped = None
        finally:
            if self.unreaped is not None:
                child.close()

    # --- the four tasks ---

    async def _speak(self, child: Child, dataset: bytes) -> None:
        held = self.best.held
        if held is not None:
            await child.send(encode(IncumbentFrame(score=held.score.numbers, body=held.timetable)))
        rung = None if held is None else held.rung
        await child.send(encode(start_frame(self.job, self.settings, dataset, rung)))
        said: Stop | None = None
        while True:
            await self._to_say.wait()
            self._to_say = anyio.Event()
            offer, self._offer = self._offer, None
            if offer is not None:
                await child.send(encode(offer))
            if self._stop is not said:  # a finish may be followed by a cancel
                said = self._stop
                await child.send(encode(StopFrame(stop=2 if said is Stop.FINISH else 1)))

    async def _listen(self, child: Child) -> None:
        try:
            async for frame in child.frames():
                self._hear(frame)
        except FrameError as error:
            self._kill(child, Decision(How.CRASH, False, f"it sent something unreadable: {error}"))
        self._drained.set()

    async def _look(self, child: Child) -> None:
        while True:
            await anyio.sleep(LOOK_EVERY_SECONDS)
            now = time.monotonic()
            closely = self.watch.diagnosis.silence(now) >= CLOSE_LOOK_SECONDS
            sample, before = child.look(now, closely=closely), self.watch.health
            self._kernel_kills.append(this_machine().memory_kills() or 0)
            self._threads = sample if sample is not None and sample.threads else self._threads
            decision = self.watch.see(now, sample)
            self._tell(before, now)
            self._enforce_stop(child, now)
            if decision is None:
                continue
            if decision.polite:
                self._ask_to_finish(child, decision, now)
            else:
                await self._give_up(child, decision, now)

    def _tell(self, before: str, now: float) -> None:
        """Says how the child is, to those who poll and to those who observe."""
        watch, deadline = self.watch, self.watch.stage_deadline
        verdict, place = watch.finding.verdict.value, watch.place.label
        self._track.look(
            watch.health,
            None if deadline is None else time.time() + deadline - now,
            verdict=verdict,
            place=place,
            silent_seconds=watch.diagnosis.silence(now),
        )
        stalled = watch.health == "stalled"
        if stalled != (before == "stalled"):
            self._observe(Stalled(job=self.job, stalled=stalled, verdict=verdict, place=place))

    async def _give_up(self, child: Child, decision: Decision, now: float) -> None:
        if self._killed_at:  # what a dying process looks like is no finding
            return
        self._certain = self.watch.finding if self.watch.finding.certain else None
        self._lost_at = self._lost_at or self.watch.place
        if decision.how in STACKS_SECONDS and not self._killed_at:
            self._threads = child.look(now, closely=True) or self._threads
            await child.dump_stacks(STACKS_SECONDS[decision.how])
        self._kill(child, decision)

    async def _wait(self, child: Child) -> None:
        await child.ended()
        self._over.set()

    # --- what they share ---

    def _hear(self, frame: Frame) -> None:
        if isinstance(frame, ProgressFrame):
            if self._stopping_as in (How.SHUTDOWN, How.FENCED):
                return  # it is winding up, and the work goes on in a later attempt: nothing of that is progress
            self._enter(frame)
            self.rung = frame.rung or self.rung
        elif isinstance(frame, IncumbentFrame):
            self.rung = frame.rung or self.rung
            if self.best.hear(frame):
                self.watch.has_incumbent = True
                self._track.hear(frame)
        elif isinstance(frame, SetAsideFrame):
            _log.error("job %s: the best timetable it had is set aside: %s", self.job.id, frame.message)
            self.begin_with(None, saved=True, damage=frame.message)
        elif isinstance(frame, ResultFrame):
            self.result, self._last_word_at = frame, time.monotonic()
        elif isinstance(frame, ErrorFrame):
            self.error, self._last_word_at = frame, time.monotonic()
            if frame.trace:
                line = "job %s, attempt %d: its child failed: %s"
                _log.error(line, self.job.id, self.job.attempt, frame.message, extra={"exception": frame.trace})

    def _enter(self, frame: ProgressFrame) -> None:
        """Of a child that hands a result over, the stage of the recount is shown as long as that lasts."""
        now = time.monotonic()
        left = self.watch.enter(frame.stage, now)
        if self._recount is None or frame.stage != "store":
            self._stage_left(left)
            self._track.hear(frame)
            return
        self._told_of_handing_over, self._verify_began = frame, now
        if left is not None and left[0] == "verify":
            self._verify_began -= left[1]
        else:  # news are sent at a measured pace, and that of its own stage `verify` was passed over
            self._stage_left(left)

    def _stage_left(self, left: tuple[str, float] | None) -> None:
        if left is not None:
            self._observe(StageLeft(job=self.job, stage=left[0], rung=self.rung, seconds=left[1]))

    def _ask_to_finish(self, child: Child, decision: Decision, now: float) -> None:
        """Time is up: the child is asked once; the watch decides when it has had its time for that."""
        if self._decision is None:
            self._decision, self._stop_at = decision, now
            child.request_stop(Stop.FINISH, TIME_WAS_UP)
            self._stop = self._stop or Stop.FINISH
            self._to_say.set()

    def _enforce_stop(self, child: Child, now: float) -> None:
        if self._last_word_at and now - self._last_word_at >= self.settings.stop_grace_seconds:
            self._kill(child, Decision(How.HANG, False, "it has said its last word and did not end"))
        if self._stopping_as is None or (self.watch.stage in LAST_STAGES and self._stopping_as is How.FINISH):
            return
        grace = self.settings.stop_grace_seconds
        if self._stopping_as is How.FINISH:
            if self.best.held is None and not self.watch.diagnosis.gets_nowhere(FINISH_SECONDS):
                return  # its first timetable is worth more than two seconds, while one may still come
            grace = max(grace, FINISH_SECONDS)
        if now - self._stop_at >= grace:
            self._kill(child, Decision(self._stopping_as, False, f"it did not end within {grace:g} s of being asked"))

    def _kill(self, child: Child, decision: Decision) -> None:
        if not self._killed_at:
            self._decision, self._killed_at = decision, time.monotonic()
            child.kill()
            self._over.set()

    # --- how it ended ---

    def _outcome(self, code: int | None) -> Outcome:
        now = time.monotonic()
        self._stage_left((self.watch.stage, now - self.watch.stage_began))
        known = PostMortem(
            job=self.job,
            settings=self.settings,
            watch=self.watch,
            rung=self.rung,
            code=code,
            stopping_as=self._stopping_as,
            killed=self._decision if self._killed_at else None,
            certain=self._certain,
            place=self.watch.place if self._lost_at is None else self._lost_at,
            has_result=self.result is not None,
            refused=self._refused,
            error=self.error,
            memory_ran_out=self._memory_ran_out,
            threads=(self._threads.threads if self._threads else None) or (),
            stacks=self._stacks,
        )
        how, message = known.how()
        result = None if self._verified is None else self._verified.fields
        return replace(self.ended_by(how, message), result=result, **known.facts(how, message, now))

    def ended_by(self, how: How, message: str | None) -> Outcome:
        """The end of an attempt of which nothing else is known."""
        if self._damage is not None:
            aside = f"the best timetable of the attempts before was set aside: {self._damage}"
            message = "; ".join(filter(None, (aside, message)))
        return Outcome(
            how=how,
            at=time.time(),
            rung=self.rung,
            message=message,
            held=self.best.score,
            workers=workers_of(self.job, self.settings),
        )

    @property
    def _memory_ran_out(self) -> bool:
        """Whether the kernel has killed somebody for want of memory since a few seconds before the child was gone."""
        kills = this_machine().memory_kills()
        return kills is not None and bool(self._kernel_kills) and kills > self._kernel_kills[0]
