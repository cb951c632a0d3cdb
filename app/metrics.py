"""
Prometheus metrics: the guide's three names and a minimal set of our own, one registry per application.

Labels come from closed sets (route templates, codes, states); a label never holds an id, so series cannot pile up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.health import SERVICE

UNMATCHED = "unmatched"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.errors = Counter(
            "app_errors_total", "Requests answered with an error", ["service", "error_type"], registry=self.registry
        )
        self.response_time = Histogram(
            "app_response_time_seconds", "Time until the answer was sent", ["endpoint"], registry=self.registry
        )
        self.connections = Gauge("app_active_connections", "Requests and streams being served", registry=self.registry)
        self.requests = Counter(
            "timetable_requests_total", "Requests served", ["endpoint", "method", "status"], registry=self.registry
        )
        self.jobs = Gauge("timetable_jobs", "Jobs by status", ["status"], registry=self.registry)
        self.children = Gauge("timetable_children", "Solving child processes", registry=self.registry)

    def render(self, jobs: Mapping[str, int], children: int) -> bytes:
        """The text of `/metrics`; `jobs` counts the jobs of each status, `children` the processes at work."""
        for status, count in jobs.items():
            self.jobs.labels(status).set(count)
        self.children.set(children)
        return generate_latest(self.registry)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Counts one served request."""
        endpoint = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.requests.labels(endpoint, method, str(status)).inc()
        self.response_time.labels(endpoint).observe(seconds)
        if "error_code" in scope:
            self.errors.labels(SERVICE, scope["error_code"]).inc()


class Measured:
    """The ASGI layer that feeds `Metrics`. An event stream counts as a connection for as long as it lives."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.connections.track_inprogress():
            try:
                await self._app(scope, receive, watched)
            finally:
                self._metrics.observe(scope, status, time.monotonic() - started)
        return None
