"""
What can be seen of a worker from outside: `/metrics` and `/health/live`, and nothing else.

A worker takes its work from the broker and needs no address. Where operators give it a port, it listens as a service
does: on loopback, or with a key. Nobody can ask it for anything of a job.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware

from app import service_version
from app.cluster.sender import Sender
from app.http import problems as errors
from app.http.auth import KeyGuard
from app.http.connection_timeouts import patient_for
from app.http.limits import OneSpelling
from app.operations.capacity import Capacity
from app.operations.health import not_alive_because
from app.operations.metrics import Measured, Metrics
from app.operations.sinks import Alerts
from app.service.supervisor import Supervisor
from app.settings import Settings

CONNECTIONS = 50
PATIENCE_SECONDS = 5.0
_NO_STORE = {"Cache-Control": "no-store"}


def as_listener(settings: Settings) -> Settings:
    """The settings of a service that would listen where this worker does, and has it as a worker."""
    return settings.changed(port=settings.worker_port, queue="celery")


class Window:
    """Listens from when it is made; `serve` answers. Raises OSError when the address cannot be had."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.worker_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._socket = socket.create_server(address[:2], family=family)

    async def serve(
        self, supervisor: Supervisor, sender: Sender, metrics: Metrics, capacity: Capacity, alerts: Alerts
    ) -> None:
        """Until it is cancelled."""
        server = _Server(
            uvicorn.Config(
                self._app(supervisor, sender, metrics, capacity, alerts),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                http=patient_for(PATIENCE_SECONDS),
                limit_concurrency=CONNECTIONS,
            )
        )
        await server.serve([self._socket])

    def _app(
        self, supervisor: Supervisor, sender: Sender, metrics: Metrics, capacity: Capacity, alerts: Alerts
    ) -> FastAPI:
        app = FastAPI(
            title="Timetable worker",
            version=service_version(),
            openapi_url=None,
            redirect_slashes=False,
            middleware=[
                Middleware(Measured, metrics=metrics),
                Middleware(errors.LastResort),
                Middleware(OneSpelling),
                Middleware(KeyGuard, settings=self._settings),
            ],
        )
        errors.install(app)

        @app.get("/metrics")
        async def shown() -> Response:
            metrics.show_queue(sender.view())
            text = metrics.render(await supervisor.counts(), capacity.now(), alerts.book.by_severity())
            return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_NO_STORE)

        @app.get("/health/live")
        async def live() -> JSONResponse:
            reasons = not_alive_because(supervisor.signs())
            if reasons:
                return JSONResponse({"status": "stuck", "reasons": reasons}, 503, headers=_NO_STORE)
            return JSONResponse({"status": "alive"}, headers=_NO_STORE)

        return app


class _Server(uvicorn.Server):
    """Signals are the worker's business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
