"""
Sends the messages that are due, for as long as it takes, and knows whether the broker answers.

The store says what is due (`SharedStore.due`): jobs that wait and of which no message is on its way, or none that
anybody has answered in time. Every service and every worker sends, one at a time; so as long as one of them lives and
reaches both store and broker, every job is begun. A broker that is away delays jobs and nothing else: they are taken in
all the same, and when it is back all messages are sent again, because it may have lost them.

Attempts whose worker was not heard of any more are taken from it in the store; it is told so as well, as a courtesy.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread

from app.cluster.broker import Broker, BrokerAway
from app.domain.jobs import Event, Status
from app.domain.outcomes import How
from app.domain.telemetry import AttemptEnded, Happening, Moved, Seen
from app.service.membership import MISSED_SECONDS, SILENT_SECONDS, Membership
from app.store import Message, StoreError

LOOK_SECONDS = 1.0
"""The store is asked at least this often what is due."""
PING_SECONDS = 2.0
MOST_GONE = 1000
TOLD = "the broker does not answer; jobs are taken, and begin when it is back"

_log = logging.getLogger("timetable.queue")


class Sender:
    """
    `told` hears of every message, "sent" or "failed"; `lost` when the broker begins not to answer.

    `error` says why it does not; empty while it does.
    """

    def __init__(
        self,
        membership: Membership,
        broker: Broker,
        told: Callable[[str], None] = lambda outcome: None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.error = ""
        self._membership, self._broker, self._told, self._lost_it = membership, broker, told, lost
        self._gone: list[Message] = []
        self._news = anyio.Event()
        self._heard_at = 0.0
        self._one_send = anyio.CapacityLimiter(1)

    def observe(self, happening: Happening) -> None:
        """
        An observer of `app.domain.telemetry`: a job that waits is to be sent, one that is begun makes room for another.
        """
        match happening:
            case Moved(job=job, event=event) if job.status is Status.QUEUED or event is Event.CLAIM:
                self._wake()
            case Seen(job=job) if job.status is Status.QUEUED:
                self._wake()
            case AttemptEnded(job=job, outcome=outcome) if outcome.how is How.SERVICE_LOST:
                self._gone = [*self._gone, Message(job.id, job.attempt)][-MOST_GONE:]
                self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            news = self._news
            try:
                await self._round()
            except StoreError as error:  # it is as due in a second
                _log.debug("what is to be sent is not known at the moment: %s", error)
            with anyio.move_on_after(LOOK_SECONDS):
                await news.wait()

    async def _round(self) -> None:
        messages = [] if self.error else await self._membership.due()
        if not messages and not self._gone and time.monotonic() - self._heard_at < PING_SECONDS:
            return
        gone, self._gone = self._gone, []
        try:
            await anyio.to_thread.run_sync(self._broker.send, messages, gone, limiter=self._one_send)
        except BrokerAway as away:
            self._gone = gone + self._gone
            self._lost(away, messages)
            await self._membership.not_sent(messages)
        else:
            self._heard_at = time.monotonic()
            for _ in messages:
                self._told("sent")
            if self.error:
                await self._membership.send_again()
                self.error = ""
                _log.info("the broker answers again")
                self._wake()

    def _lost(self, away: BrokerAway, messages: list[Message]) -> None:
        if not self.error:
            _log.warning("%s", away)
            self._lost_it()
        self.error = str(away)
        for _ in messages:
            self._told("failed")

    # --- what is shown ---

    @property
    def notes(self) -> list[str]:
        """What somebody who hands in jobs should know, though they are taken."""
        return [TOLD] if self.error else []

    def view(self) -> dict[str, Any]:
        """What `/health` shows."""
        workers = [member for member in self._membership.known if member.role == "worker"]
        silent = [worker for worker in workers if SILENT_SECONDS <= worker.silent_seconds < MISSED_SECONDS]
        heard = [worker for worker in workers if worker.silent_seconds < SILENT_SECONDS]
        return {
            "kind": "celery",
            "broker": {"up": not self.error if self._heard_at or self.error else None, "error": self.error or None},
            "workers": len(heard),
            "silent_workers": len(silent),
            "slots": self._membership.slots,
        }
