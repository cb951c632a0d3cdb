"""
The owner's side of a job that several workers solve: it offers places, and shows its child what assistants have found.

When a child has said how large its job is, the owner says once how many assistants it wants; the rest is between the
store and whoever has an idle slot. A timetable that is better than what the child holds is offered to it, and counts
when the child has recounted it. So nothing here decides anything about a job, and without all this it ends the same.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import anyio

from app.domain.jobs import StaleAttempt
from app.domain.portfolio import places, seconds_for_search
from app.domain.telemetry import Shared
from app.processes.attempt import Attempt
from app.service.dispatcher import Dispatcher
from app.service.job_registry import JobRegistry
from app.service.side_channel import SideChannel
from app.store import SharedStore, StoreError
from solver.rules import Score

LOOK_SECONDS = 0.5

_log = logging.getLogger("timetable.portfolio")


@dataclass
class _Shared:
    """What is known of an attempt that has places. `offered` is the score of the last offer."""

    places: int
    offered: Score | None = None
    told: bool = False


class Portfolio:
    """Looks after the jobs that run here, where several workers may share one."""

    def __init__(self, registry: JobRegistry, dispatcher: Dispatcher) -> None:
        self._registry, self._dispatcher = registry, dispatcher
        self._shared: dict[Attempt, _Shared] = {}
        self._ask = SideChannel(registry)
        dispatcher.before_end = self._note_end

    async def watch(self) -> None:
        """Looks at the attempts of this service until it is cancelled; ends at once where no workers are shared."""
        while isinstance(self._registry.store, SharedStore) and self._registry.settings.portfolio_workers > 1:
            await anyio.sleep(LOOK_SECONDS)
            at_work = list(self._dispatcher.attempts.values())
            self._shared = {attempt: shared for attempt, shared in self._shared.items() if attempt in at_work}
            for attempt in at_work:
                try:
                    await self._look(attempt)
                except (StaleAttempt, StoreError) as error:  # the job goes on without
                    _log.debug("job %s: its assistants are not looked at: %s", attempt.job.id, error)

    async def _look(self, attempt: Attempt) -> None:
        if attempt not in self._shared and not await self._invite(attempt):
            return
        shared = self._shared[attempt]
        if not shared.places:
            return
        known = min((score for score in (attempt.best.score, shared.offered) if score is not None), default=None)
        found = await self._ask(lambda store: store.found(attempt.job, known))
        if found is not None:
            number, incumbent = found
            shared.offered = incumbent.score
            attempt.offer(number, incumbent)
            _log.info(
                "job %s: assistant %d has found a timetable of cost %d", attempt.job.id, number, incumbent.score.soft
            )

    async def _invite(self, attempt: Attempt) -> bool:
        """Whether it is known how many places there are."""
        track = self._registry.tracks.get(attempt.job.id)
        if attempt.pid is None or track is None or track.total is None:
            return False
        wanted = places(attempt.job, track.total, self._registry.settings)
        if wanted:
            seconds = seconds_for_search(attempt.job) - attempt.watch.solving_seconds(time.monotonic())
            await self._ask(lambda store: store.invite(attempt.job, wanted, seconds))
        self._shared[attempt] = _Shared(wanted)
        return True

    async def _note_end(self, attempt: Attempt, published: bool) -> None:
        """The attempt is about to end; while the store refuses that, more than once."""
        shared, result = self._shared.get(attempt), attempt.result if published else None
        if shared is None or not shared.places:
            return
        winner = None if result is None else result.found_by
        try:
            await self._ask(lambda store: store.note_end(attempt.job, winner, attempt.best.found))
        except (StaleAttempt, StoreError) as error:
            _log.warning("job %s: it is not kept who has found its timetable: %s", attempt.job.id, error)
        except Exception:  # noqa: BLE001 - a job ends whether or not anybody knows who has found what
            _log.exception("job %s: it is not kept who has found its timetable", attempt.job.id)
        if winner is not None and not shared.told:
            self._registry.tell(Shared(job=attempt.job, found_by=winner))
            shared.told = True
