"""
`timetable worker`: a supervisor that runs the jobs it is told of by messages, until it is told to end.

The main thread has the event loop with the supervisor; Celery has a thread beside it (`app.cluster.consumer`). The
order of an end is: no more messages, all jobs given back, all messages answered, then the rest. Whoever is killed
instead loses its leases, and others take over from its best timetables.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

import anyio
import anyio.from_thread
import anyio.to_thread

from app.cluster.broker import Broker
from app.cluster.sender import Sender
from app.domain.source import DataSource
from app.operations import startup
from app.operations.alerts import OF_THE_WHOLE
from app.operations.capacity import Capacity
from app.operations.logs import logging_to, watch_loop
from app.operations.metrics import Metrics
from app.operations.observers import Observers, journal
from app.operations.sinks import Alerts
from app.processes.children import SOLVE, ForkServer
from app.service.supervisor import Supervisor
from app.service.watchdog import keep
from app.settings import Settings, variable
from app.store import StoreError
from app.system import extras

if TYPE_CHECKING:
    from app.cluster.consumer import MessageConsumer

JOIN_SECONDS = 5.0
"""Celery has this long to answer its messages when all jobs are given back; else the broker gives them to others."""

_log = logging.getLogger("timetable.startup")


class CannotWork(Exception):
    """The worker did not start, or died; the message says why and what helps."""


def refusal(settings: Settings) -> str | None:
    """Why no worker can run on these settings, None when one can."""
    if problem := extras.problem("a worker", "cluster"):
        return problem
    missing = [variable(name) for name in ("database_url", "broker_url") if not getattr(settings, name)]
    return f"a worker needs {' and '.join(missing)}" if missing else None


def as_listener(settings: Settings) -> Settings:
    """The settings of a service that would listen where this worker does, and has it as a worker."""
    return settings.changed(port=settings.worker_port, queue="celery")


class Server(Protocol):
    """Shows the worker to whoever asks over HTTP; it listens from when it is made, and answers in `serve`."""

    async def serve(
        self, supervisor: Supervisor, queue: Sender, metrics: Metrics, capacity: Capacity, alerts: Alerts
    ) -> None:
        """Serves until it is cancelled."""


Listen: TypeAlias = Callable[[Settings], Server]
"""Raises OSError when the address cannot be had."""
OpenSource: TypeAlias = Callable[[Settings], AbstractAsyncContextManager[DataSource | None]]


@asynccontextmanager
async def no_source(settings: Settings) -> AsyncIterator[None]:
    """What a worker works with that knows no platform."""
    yield None


def run(
    settings: Settings,
    forkserver: ForkServer | None = None,
    *,
    solve: str = SOLVE,
    open_source: OpenSource = no_source,
    listen: Listen,
) -> None:
    """
    Works until SIGINT or SIGTERM; `forkserver`, `solve` and the source that is opened as for the supervisor. Where the
    settings give the worker a port, what `listen` makes shows it there.

    Raises
    ------
    CannotWork
        A start-up check refuses, the store cannot be used, or the worker has died and must be started again.
    """
    problem = refusal(settings)
    if problem is not None:
        raise CannotWork(problem)
    findings = [
        finding
        for finding in startup.examine(as_listener(settings), at_start=True)
        if settings.worker_port or finding.check not in OF_LISTENERS
    ]
    refused = startup.refusal(findings)
    if refused is not None:
        raise CannotWork(f"the worker cannot start: {refused}")
    with logging_to(settings):
        startup.log_warnings(findings)
        try:
            anyio.run(_work, settings, forkserver, solve, open_source, listen)
        except StoreError as error:
            raise CannotWork(str(error)) from error


OF_LISTENERS = frozenset({"API keys", "address"})
"""Checks that do not concern whoever listens nowhere."""


def _server(settings: Settings, listen: Listen) -> Server | None:
    if not settings.worker_port:
        return None
    try:
        return listen(settings)
    except OSError as error:
        where = f"{settings.host}:{settings.worker_port}"
        raise CannotWork(
            f"cannot listen on {where}: {startup.reason_of(error)}; choose another --metrics-port, or 0 for none"
        ) from error


async def _work(
    settings: Settings, forkserver: ForkServer | None, solve: str, open_source: OpenSource, listen: Listen
) -> None:
    from app.cluster.consumer import MessageConsumer  # loads Celery

    server, metrics = _server(settings, listen), Metrics(settings.slow_seconds)
    watch_loop(metrics.background_errors.inc)
    alerts = Alerts(settings, lambda sink, result: metrics.alerts_sent.labels(sink, result).inc(), OF_THE_WHOLE)
    observers = Observers(metrics.observe_happening, journal, alerts.observe, slow_seconds=settings.slow_seconds)
    end = _End()
    async with (
        open_source(settings) as source,
        Supervisor(
            settings, solve=solve, observe=observers, forkserver=forkserver, takes="named", source=source
        ) as supervisor,
        anyio.from_thread.BlockingPortal() as portal,
        anyio.create_task_group() as tasks,
    ):
        sender = Sender(supervisor.membership, Broker(settings), lambda outcome: metrics.messages.labels(outcome).inc())
        observers.add(sender.observe)
        consumer = MessageConsumer(
            settings,
            partial(portal.call, supervisor.run_named),
            partial(portal.start_task_soon, supervisor.let_go),
            partial(portal.start_task_soon, end.of_consumer),
        )
        tasks.start_soon(keep, "messages", sender.run)
        tasks.start_soon(_signals, end.came)
        capacity = Capacity(settings, supervisor.signs, on_lag=metrics.loop_lag.observe, on_sample=alerts.see)
        tasks.start_soon(keep, "capacity", capacity.run)
        tasks.start_soon(keep, "alerts", alerts.run)
        if server is not None:
            tasks.start_soon(keep, "metrics", partial(server.serve, supervisor, sender, metrics, capacity, alerts))
            _log.info("metrics are shown on http://%s:%d/metrics", settings.host, settings.worker_port)
        consumer.start()
        _log.info("working: %d slots, queue %s", settings.slots, settings.broker_queue)
        await end.came.wait()
        await _give_back(consumer, supervisor)
        tasks.cancel_scope.cancel()
    if end.lost:
        raise CannotWork("the consumer of messages has died; the log above says why")


class _End:
    """The end of a worker. `came` says that it is to end, `lost` that nobody has asked it to: its consumer is gone."""

    def __init__(self) -> None:
        self.came, self.lost = anyio.Event(), False

    def of_consumer(self, asked: bool) -> None:
        self.lost = not asked
        self.came.set()


async def _give_back(consumer: MessageConsumer, supervisor: Supervisor) -> None:
    """In the order that is told above."""
    _log.info("ending: jobs are given back")
    consumer.stop()
    await supervisor.release()
    if not await anyio.to_thread.run_sync(consumer.join, JOIN_SECONDS):
        _log.warning("messages are left unanswered; the broker gives them to others")


async def _signals(ends: anyio.Event) -> None:
    """The first signal ends in good order, the second one at once."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            if ends.is_set():
                os._exit(128 + number)
            ends.set()
