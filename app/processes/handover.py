"""
The last stage of an attempt, when its child is gone: what it has claimed is recounted, and then it may be stored.

The supervisor waits here as it waits for a child: the stage has a deadline, which is said before it is acted on, and a
cancel is heard. Whatever goes wrong, the best timetable of the job is kept, and nothing is published unrecounted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import anyio

from app.domain.jobs import Job
from app.domain.messages import ResultFrame
from app.domain.outcomes import How
from app.domain.progress import Track
from app.processes.claims import CannotRecount, Claim, Counted, LastRecount, NotVerified
from app.processes.watch import Watch
from solver.control import Place
from solver.rules import Score

LOOK_EVERY_SECONDS = 0.1


class Unpublished(NamedTuple):
    """Why the result of an attempt is not published, in the words of its end."""

    how: How
    message: str


class Verified(NamedTuple):
    """A packed result that was recounted, and may be stored with these fields in the row of its job."""

    body: bytes
    fields: Mapping[str, Any]


def claim_of(job: Job, frame: ResultFrame, dataset: bytes) -> Claim:
    """What a child claims that has worked on this packed dataset."""
    return Claim(
        dataset=dataset,
        result=frame.body,
        options=job.options,
        score=Score.of(frame.score),
        placed=frame.placed,
        total=frame.total,
    )


def verified(job: Job, frame: ResultFrame, counted: Counted) -> Verified:
    """The result of the attempt that `job` is at: as it was counted, not as it was claimed."""
    fields = {
        "score": counted.score,
        "bound": counted.bound,
        "placed": counted.placed,
        "total": counted.total,
        "quality": counted.quality,
        "stopped_by": counted.stopped_by,
        "rung": counted.rung,
        "result_attempt": job.attempt,
        "result_digest": hashlib.sha256(frame.body).hexdigest(),
    }
    return Verified(frame.body, fields)


class Handover:
    """
    One recount; `watch` and `track` are those of the attempt.

    `until_dropped` waits until the attempt is asked to end without an answer and says how; one that is cancelled has
    `grace_seconds` for its answer all the same.
    """

    def __init__(
        self,
        watch: Watch,
        track: Track,
        recount: LastRecount,
        until_dropped: Callable[[], Awaitable[How]],
        grace_seconds: float,
    ) -> None:
        self._watch, self._track, self._recount = watch, track, recount
        self._until_dropped, self._grace_seconds = until_dropped, grace_seconds
        self._begun = False
        self._outcome: Counted | Unpublished | None = None

    async def run(self, claim: Claim) -> Counted | Unpublished | None:
        """What was counted, or why nothing is published; None when nobody wants to know any more."""
        self._watch.health = "ok"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._drop, tasks.cancel_scope)
            tasks.start_soon(self._look, tasks.cancel_scope)
            self._outcome = await self._asked(claim)
            tasks.cancel_scope.cancel()
        return self._outcome

    async def _asked(self, claim: Claim) -> Counted | Unpublished:
        try:
            return await self._recount(claim, self._begin)
        except NotVerified as error:
            return Unpublished(How.ERROR, str(error))
        except CannotRecount as error:  # the work is done, and what is held is published by the next attempt
            return Unpublished(How.HANDOVER, f"its result could not be recounted: {error}")

    def _begin(self) -> None:
        """The time that the stage may take counts from here; whoever begins anew has the rest of it."""
        if not self._begun:
            self._begun, self._watch.stage_began = True, time.monotonic()

    async def _look(self, scope: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(LOOK_EVERY_SECONDS)
            now = time.monotonic()
            decision = self._watch.see(now, None) if self._begun else None
            self._tell(now)
            if decision is not None:
                self._outcome = Unpublished(decision.how, decision.message)
                scope.cancel()

    def _tell(self, now: float) -> None:
        deadline = self._watch.stage_deadline if self._begun else None
        self._track.look(
            self._watch.health,
            None if deadline is None else time.time() + deadline - now,
            verdict=self._watch.finding.verdict.value,
            place=Place.VERIFY.label,
            silent_seconds=0.0,
        )

    async def _drop(self, scope: anyio.CancelScope) -> None:
        if await self._until_dropped() is How.CANCEL:
            await anyio.sleep(self._grace_seconds)
        scope.cancel()
