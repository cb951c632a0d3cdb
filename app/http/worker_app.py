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
from app.http import problems
from app.http.auth import KeyGuard
from app.http.connection_timeouts import protocol_with_timeout
from app.http.dependencies import Queue
from app.http.limits import OneSpelling
from app.http.measured import Measured
from app.operations.capacity import Capacity
from app.operations.health import not_alive_because
from app.operations.metrics import Metrics
from app.operations.sinks import Alerts
from app.service.supervisor import Supervisor
from app.settings import Settings

CONNECTIONS = 50
PATIENCE_SECONDS = 5.0
_NO_STORE = {"Cache-Control": "no-store"}


class WorkerServer:
    """Listens from when it is made; `serve` answers. Raises OSError when the address cannot be had."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.worker_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._socket = socket.create_server(address[:2], family=family)

    async def serve(
        self, supervisor: Supervisor, queue: Queue, metrics: Metrics, capacity: Capacity, alerts: Alerts
    ) -> None:
        """Until it is cancelled."""
        server = _Server(
            uvicorn.Config(
                self._app(supervisor, queue, metrics, capacity, alerts),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                http=protocol_with_timeout(PATIENCE_SECONDS),
                limit_concurrency=CONNECTIONS,
            )
        )
        await server.serve([self._socket])

    def _app(
        self, supervisor: Supervisor, queue: Queue, metrics: Metrics, capacity: Capacity, alerts: Alerts
    ) -> FastAPI:
        app = FastAPI(
            title="Timetable worker",
            version=service_version(),
            openapi_url=None,
            redirect_slashes=False,
            middleware=[
                Middleware(Measured, metrics=metrics),
                Middleware(problems.UnforeseenErrors),
                Middleware(OneSpelling),
                Middleware(KeyGuard, settings=self._settings),
            ],
        )
        problems.install(app)

        @app.get("/metrics")
        async def shown() -> Response:
            metrics.show_queue(queue.view())
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
