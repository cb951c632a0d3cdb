"""The application: puts settings, supervisor, routes and layers together. Nothing else imports everything."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio.abc import TaskGroup
from fastapi import FastAPI
from starlette.middleware import Middleware

from app import service_version
from app.cluster import worker as working
from app.cluster.broker import Broker
from app.cluster.embedded import Embedded
from app.cluster.sender import Sender
from app.http import problems
from app.http.audit import AuditLog
from app.http.auth import KeyGuard
from app.http.dependencies import Queue, Service, Whole
from app.http.gzip_bodies import GzipBodies
from app.http.head import HeadAsGet
from app.http.limits import BodyLimit, OneSpelling
from app.http.measured import Measured
from app.http.openapi import Described
from app.http.rates import RateLimit
from app.http.request_id import RequestId
from app.http.routes import all_routes
from app.http.routes.events import Streams
from app.http.routes.operations import Monitoring
from app.http.server import serve
from app.http.slow_clients import SlowClients
from app.http.worker_app import WorkerServer
from app.operations.capacity import Capacity
from app.operations.logs import watch_loop
from app.operations.reports import Reports
from app.platform.link import PlatformLink, called_off, opened_source
from app.processes.children import ForkServer
from app.processes.parse_pool import ParsePool
from app.service.dispatcher import Takes
from app.service.membership import Membership
from app.service.result_cache import ResultCache
from app.service.supervisor import Supervisor
from app.service.watchdog import keep
from app.settings import Settings
from app.store.backups import keep_backups
from app.store.tokens import read_keys


def create_app(settings: Settings | None = None, forkserver: ForkServer | None = None) -> FastAPI:
    """
    The service as an ASGI application; its lifespan starts and stops the supervisor, which may be given a `forkserver`.

    `settings` None reads the environment. The pages that FastAPI would serve as documentation load scripts from another
    host; `app.http.routes.api_pages` has one that does not.
    """
    settings = settings or Settings.from_environment()
    read_keys(settings)  # a layer is only made when the first request comes, which is late for bad news
    reports = Reports(settings)
    app = Described(
        title="Timetable service",
        version=service_version(),
        lifespan=partial(_lifespan, settings, forkserver, reports),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        middleware=_layers(settings, reports),
    )
    app.state.streams = Streams()
    problems.install(app)
    app.include_router(all_routes())
    return app


def _layers(settings: Settings, reports: Reports) -> list[Middleware]:
    """What a request goes through before it comes to a route; the first is the outermost."""
    return [
        Middleware(HeadAsGet),
        Middleware(SlowClients),
        Middleware(RequestId),
        Middleware(Measured, metrics=reports.metrics, unforeseen=reports.failed_unforeseen),
        Middleware(AuditLog),
        Middleware(problems.UnforeseenErrors),
        Middleware(OneSpelling),
        Middleware(KeyGuard, settings=settings),
        Middleware(RateLimit, settings=settings),
        Middleware(BodyLimit, limit=settings.max_body_bytes),
        Middleware(GzipBodies, limit=settings.max_body_bytes),
    ]


@asynccontextmanager
async def _lifespan(
    settings: Settings, forkserver: ForkServer | None, reports: Reports, app: FastAPI
) -> AsyncIterator[None]:
    """Starts what works beside the requests, shows it to the routes, and stops it in the end."""
    # What is loaded now stays: looking through it for rubbish would hold up every request for 60 ms now and then.
    gc.collect()
    gc.freeze()
    watch_loop(reports.failed_in_background)
    metrics, alerts = reports.metrics, reports.alerts
    takes: Takes = "any" if settings.queue == "embedded" else "none"
    async with (
        opened_source(settings) as source,
        ParsePool(settings, reports.observers) as pool,
        Supervisor(
            settings,
            observe=reports.observers,
            forkserver=forkserver,
            takes=takes,
            source=source,
            called_off=partial(called_off, settings),
            pool=pool,
        ) as supervisor,
        anyio.create_task_group() as tasks,
    ):
        capacity = Capacity(settings, supervisor.signs, on_lag=metrics.loop_lag.observe, on_sample=alerts.see)
        tasks.start_soon(keep, "capacity", capacity.run)
        tasks.start_soon(keep, "alerts", alerts.run)
        tasks.start_soon(keep, "backups", lambda: keep_backups(settings, supervisor.backup, reports.backup_ended))
        results = ResultCache(supervisor, pool)
        link = PlatformLink(settings, supervisor, results, reports.told_platform, reports.platform_reachable)
        reports.observers.add(link.observe)
        tasks.start_soon(keep, "platform", link.run)
        queue = _queue(settings, supervisor.membership, reports, tasks)
        app.state.service = Service(
            settings, supervisor, results, pool, link, queue, source, Whole(supervisor, metrics)
        )
        app.state.monitoring = Monitoring(capacity, alerts)
        yield
        tasks.cancel_scope.cancel()


def _queue(settings: Settings, membership: Membership, reports: Reports, tasks: TaskGroup) -> Queue:
    """What stands between the jobs and whoever solves them; where these are workers, messages are sent from now on."""
    if settings.queue != "celery":
        return Embedded(settings.slots)
    sender = Sender(membership, Broker(settings), reports.told_workers, reports.broker_lost)
    reports.observers.add(sender.observe)
    tasks.start_soon(keep, "messages", sender.run)
    return sender


def run_service(settings: Settings, forkserver: ForkServer | None = None) -> None:
    """Serves until SIGINT or SIGTERM. Raises what `app.http.server.serve` raises."""
    serve(settings, forkserver, create_app)


def run_worker(settings: Settings, forkserver: ForkServer | None = None) -> None:
    """Solves jobs that others have taken in, until SIGINT or SIGTERM. Raises what `app.cluster.worker.run` raises."""
    working.run(settings, forkserver, open_source=opened_source, listen=WorkerServer)
