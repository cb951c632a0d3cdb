"""
The receiving side: a Celery worker in a thread of its own, whose tasks hand ids to the supervisor beside it.

The pool is of threads, as many as there are slots, and each of them only waits: the work is done by children of the
supervisor. A message is acknowledged when its job has ended, was given back, or was none that waits; one of a job that
others are at, when our help with it has ended. It goes back to the broker only when this worker ends before it began.
Nothing that a task does can be lost or doubled by the broker, because the store decides (`app.store.fair_queue`).
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from celery.exceptions import Reject
from celery.worker import WorkController, state
from celery.worker.consumer import Consumer
from celery.worker.control import control_command

from app.cluster.broker import DROP, IDLE_SECONDS, TASK, celery_of
from app.domain.requests import JOB_ID_PATTERN
from app.service.dispatcher import Closing
from app.settings import Settings

WAKE_SECONDS = 0.05
"""Acknowledgements are sent by the loop of the consumer, which would else look for them once a second."""
RECONNECT_SECONDS = 2.0
"""Longest pause between two tries to reach a broker that is away."""
_ID = re.compile(JOB_ID_PATTERN)

_log = logging.getLogger("timetable.queue")
for _wordy in ("celery.app.trace", "celery.worker.strategy"):  # the journal tells the same, by job and attempt
    logging.getLogger(_wordy).setLevel(logging.WARNING)


class MessageConsumer:
    """
    Takes messages until `stop`. `work` runs a job by its id and returns when its attempt is over; it raises Closing.

    `let_go` is told of an attempt (job, number) that was taken from us. `ended` is called when the thread has ended,
    with False if nobody had asked for it.
    """

    def __init__(
        self,
        settings: Settings,
        work: Callable[[str], object],
        let_go: Callable[[str, int], object],
        ended: Callable[[bool], object],
    ) -> None:
        self._work, self._let_go, self._ended = work, let_go, ended
        self._asked_to_stop = False
        app = celery_of(settings, waits=IDLE_SECONDS)
        app.steps["worker"].add(_Awake)
        app.task(self._solve, name=TASK, acks_late=True, reject_on_worker_lost=True, ignore_result=True, max_retries=0)
        app.finalize()
        app.set_default()  # threads of the pool look their application up there
        self._controller = WorkController(
            app=app,
            hostname=f"{secrets.token_hex(6)}@{socket.gethostname()}",
            pool="threads",
            concurrency=settings.slots,
            queues=[settings.broker_queue],
            consumer_cls=_Patient,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            task_events=False,
        )
        self._controller.let_go = let_go
        self._thread = threading.Thread(target=self._run, name="celery", daemon=True)

    def start(self) -> None:
        """Begins to listen, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no further messages; `join` then waits for what was taken."""
        self._asked_to_stop = True
        state.should_stop = 0

    def join(self, seconds: float) -> bool:
        """Whether all is over within that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._controller.start()
        finally:
            self._ended(self._asked_to_stop)

    def _solve(self, job_id: object = None, *others: object, **named: object) -> None:
        """The task. Anybody who reaches the broker may send anything."""
        if not isinstance(job_id, str) or not _ID.fullmatch(job_id) or others or named:
            _log.warning("a message that names no job is dropped")
            return
        try:
            done = self._work(job_id)
        except Closing:
            raise Reject("this worker ends", requeue=True) from None
        if done is None:
            _log.info("job %s: its message is dropped; it does not wait, and has no place for help", job_id)


class _Awake(bootsteps.StartStopStep):  # type: ignore[misc]
    """Keeps the loop of the consumer turning."""

    requires = ("celery.worker.components:Hub",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(WAKE_SECONDS, _nothing)


class _Patient(Consumer):  # type: ignore[misc]
    """Tries to reach a broker that is away for as long as it takes, and soon after it is back."""

    def ensure_connected(self, connection: Any) -> Any:
        connection.ensure_connection(
            self._not_there,
            None,
            interval_start=0.2,
            interval_step=0.5,
            interval_max=RECONNECT_SECONDS,
            callback=state.maybe_shutdown,
        )
        return connection

    def _not_there(self, error: Exception, interval: float) -> None:
        _log.warning("the broker does not answer (%s); trying again in %.1f s", type(error).__name__, interval)


@control_command(name=DROP, args=[("job_id", str), ("attempt", int)])  # type: ignore[untyped-decorator]
def _drop(panel: Any, job_id: object = None, attempt: object = None, **_: object) -> None:
    """An attempt that runs here was taken from us."""
    if isinstance(job_id, str) and isinstance(attempt, int):
        panel.consumer.controller.let_go(job_id, attempt)


def _nothing() -> None:
    """What the loop is woken for happens by itself."""
