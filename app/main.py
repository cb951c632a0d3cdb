"""The application: puts settings, supervisor, routes and layers together. Nothing else imports everything."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI
from starlette.middleware import Middleware

from app import errors, service_version
from app.api import all_routes
from app.api.events import Streams
from app.api.openapi import Described
from app.api.operations import Lookout
from app.child.children import ForkServer
from app.gate.guard import KeyGuard
from app.gate.limits import BodyLimit, OneSpelling
from app.gate.pacing import Paced
from app.gate.rates import RateLimit
from app.gate.readers import Readers
from app.gate.tokens import read_keys
from app.operations.audit import Audit, note_job
from app.operations.capacity import Capacity
from app.operations.logs import RequestId, watch_loop
from app.operations.metrics import Measured, Metrics
from app.operations.observers import Observers, journal
from app.operations.sinks import Alerts
from app.platform.link import Link, check, opened_source
from app.queue import working
from app.queue.broker import Broker
from app.queue.embedded import Embedded
from app.queue.sender import Sender
from app.results import Results
from app.service import Queue, Service
from app.settings import Settings
from app.store import StoreError
from app.store.backups import Manifest, keep_backups
from app.supervision.watchdog import keep
from app.supervisor import Supervisor

_log = logging.getLogger("timetable.service")


def create_app(settings: Settings | None = None, forkserver: ForkServer | None = None) -> FastAPI:
    """
    The service as an ASGI application; its lifespan starts and stops the supervisor, which may be given a `forkserver`.

    `settings` None reads the environment. The pages that FastAPI would serve as documentation load scripts from another
    host, so there is only `/openapi.json`.
    """
    settings = settings or Settings.from_environment()
    check(settings)
    read_keys(settings)  # a layer is only made when the first request comes, which is late for bad news
    metrics = Metrics(settings.slow_seconds)
    alerts = Alerts(settings, lambda sink, result: metrics.alerts_sent.labels(sink, result).inc())
    observers = Observers(
        metrics.observe_happening, journal, note_job, alerts.observe, slow_seconds=settings.slow_seconds
    )

    def failed_unforeseen() -> None:
        alerts.occurred("internal_error")

    def failed_in_background() -> None:
        metrics.background_errors.inc()
        failed_unforeseen()

    def told_platform(channel: str, outcome: str) -> None:
        metrics.deliveries_tried.labels(channel, outcome).inc()
        if outcome == "dead":
            alerts.occurred("delivery_dead_letter")

    def platform_reachable(dependency: str, up: bool) -> None:
        if not up:
            alerts.occurred("platform_unreachable")

    def told_workers(outcome: str) -> None:
        metrics.messages.labels(outcome).inc()

    def broker_lost() -> None:
        alerts.occurred("broker_unreachable")

    def report_backup(outcome: Manifest | StoreError) -> None:
        metrics.backups.labels("ok" if isinstance(outcome, Manifest) else "failed").inc()
        if isinstance(outcome, Manifest):
            _log.info("backup %s is made and verified", outcome.file)
        else:
            _log.error("the scheduled backup failed: %s", outcome)
            alerts.occurred("backup_failed")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # What is loaded now stays: looking through it for rubbish would hold up every request for 60 ms now and then.
        gc.collect()
        gc.freeze()
        watch_loop(failed_in_background)
        async with (
            opened_source(settings) as source,
            Supervisor(
                settings,
                observe=observers,
                forkserver=forkserver,
                takes="any" if settings.queue == "embedded" else "none",
                source=source,
            ) as supervisor,
            Readers(settings) as readers,
            anyio.create_task_group() as tasks,
        ):
            capacity = Capacity(settings, supervisor.signs, on_lag=metrics.loop_lag.observe, on_sample=alerts.see)
            tasks.start_soon(keep, "capacity", capacity.run)
            tasks.start_soon(keep, "alerts", alerts.run)
            tasks.start_soon(keep, "backups", lambda: keep_backups(settings, supervisor.backup, report_backup))
            results = Results(supervisor, readers)
            link = Link(settings, supervisor, results, told_platform, platform_reachable)
            observers.add(link.observe)
            tasks.start_soon(keep, "platform", link.run)
            queue: Queue = Embedded(settings.slots)
            if settings.queue == "celery":
                queue = sender = Sender(supervisor.fleet, Broker(settings), told_workers, broker_lost)
                observers.add(sender.observe)
                tasks.start_soon(keep, "messages", sender.run)
            app.state.service = Service(settings, supervisor, metrics, readers, results, link, queue, source)
            app.state.lookout = Lookout(capacity, alerts)
            yield
            tasks.cancel_scope.cancel()

    app = Described(
        title="Timetable service",
        version=service_version(),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        middleware=[  # the first is the outermost
            Middleware(Paced),
            Middleware(RequestId),
            Middleware(Measured, metrics=metrics, unforeseen=failed_unforeseen),
            Middleware(Audit),
            Middleware(errors.LastResort),
            Middleware(OneSpelling),
            Middleware(KeyGuard, settings=settings),
            Middleware(RateLimit, settings=settings),
            Middleware(BodyLimit, limit=settings.max_body_bytes),
        ],
    )
    app.state.streams = Streams()
    errors.install(app)
    app.include_router(all_routes())
    return app


def run_worker(settings: Settings, forkserver: ForkServer | None = None) -> None:
    """Solves jobs that others have taken in, until SIGINT or SIGTERM. Raises what `app.queue.working.run` raises."""
    working.run(settings, forkserver, open_source=opened_source)
