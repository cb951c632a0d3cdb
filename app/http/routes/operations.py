"""Routes for operators: health, metrics, what the machine is, what a job would be."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.domain.exceptions import NotReady
from app.domain.requests import MAX_NAME, semester_of
from app.domain.source import DataSource, NothingThere
from app.domain.source import Query as Asked
from app.http.dependencies import Running
from app.operations.capacity import Capacity
from app.operations.health import (
    hardware_tier,
    hardware_view,
    health_view,
    not_alive_because,
    not_ready_because,
)
from app.operations.sinks import Alerts
from app.processes.questions import Question, content_of
from app.system.machine import this_machine

router = APIRouter(tags=["operations"])
_NO_STORE = {"Cache-Control": "no-store"}
CORE_STRATEGY, WHOLE_STRATEGY = "priority_core_first", "whole_problem"
SECOND_LOOK_SECONDS = 0.05


class Monitoring(NamedTuple):
    """Who watches the service while it runs."""

    capacity: Capacity
    alerts: Alerts


def _monitoring(request: Request) -> Monitoring:
    monitoring: Monitoring = request.app.state.monitoring
    return monitoring


Monitored = Annotated[Monitoring, Depends(_monitoring)]
"""Parameter type of a route that tells what is watched."""


@router.get("/health")
async def health(service: Running, monitoring: Monitored) -> JSONResponse:
    """Status, resources, signs and standing alerts. Always 200: who wants a verdict asks `/health/ready`."""
    view = health_view(
        service.settings,
        monitoring.capacity.now(),
        monitoring.alerts.book.view(),
        service.platform.view(),
        service.queue.view(),
    )
    return JSONResponse(view, headers=_NO_STORE)


@router.get("/health/live")
async def live(service: Running) -> JSONResponse:
    """The event loop turns, and the supervisor beats. 503 means that a restart would help."""
    if not_alive_because(service.whole.supervisor.signs()):
        await anyio.sleep(SECOND_LOOK_SECONDS)  # a service that slept answers this before its supervisor is awake
        reasons = not_alive_because(service.whole.supervisor.signs())
        if reasons:
            return JSONResponse({"status": "stuck", "reasons": reasons}, 503, headers=_NO_STORE)
    return JSONResponse({"status": "alive"}, headers=_NO_STORE)


@router.get("/health/ready")
async def ready(service: Running) -> JSONResponse:
    """Jobs can be taken. `notes` say what keeps them from being begun at the moment, though they are safe."""
    reasons = not_ready_because(service.whole.supervisor.signs())
    if reasons:
        raise NotReady(f"No jobs can be taken: {'; '.join(reasons)}.", members={"ready": False, "reasons": reasons})
    notes = {"notes": list(service.queue.notes)} if service.queue.notes else {}
    return JSONResponse({"status": "ready", "ready": True, **notes}, headers=_NO_STORE)


@router.get("/metrics")
async def metrics(service: Running, monitoring: Monitored) -> Response:
    """Prometheus text."""
    counts, platform = await service.whole.supervisor.counts(), service.platform
    service.whole.metrics.show_platform(platform.up(), platform.count("pending"), platform.count("dead"))
    service.whole.metrics.show_queue(service.queue.view())
    text = service.whole.metrics.render(counts, monitoring.capacity.now(), monitoring.alerts.book.by_severity())
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers=_NO_STORE)


@router.get("/hardware")
async def hardware(service: Running) -> JSONResponse:
    """What the machine offers and how much of it we use."""
    return JSONResponse(hardware_view(service.settings))


@router.get("/preview")
async def preview(
    service: Running,
    organization_id: str | None = None,
    semester: str | None = None,
    dataset_name: Annotated[str | None, Query(max_length=MAX_NAME)] = None,
) -> JSONResponse:
    """How large a job would be and how long it may take."""
    message = None
    if dataset_name is None and organization_id and service.source is not None:
        size, message = await _size_at_source(
            service.source, Asked(organization_id=organization_id, semester=semester_of(semester))
        )
    else:
        size = json.loads(
            content_of(await service.pool.ask(Question("preview", options={"dataset_name": dataset_name})))
        )
    wanted = ("courses", "faculty", "rooms", "time_slots", "students", "sessions", "groups")
    return JSONResponse(
        {
            "organization_id": organization_id,
            "semester": semester_of(semester),
            "data": {name: size[name] for name in wanted},
            "message": message,
            "estimation": {
                "time_minutes": math.ceil(service.settings.solve_seconds / 60),
                "strategy": _strategy(size, service),
                "hardware_tier": hardware_tier(this_machine().memory().total),
            },
        }
    )


async def _size_at_source(source: DataSource, query: Asked) -> tuple[Mapping[str, Any], str | None]:
    """What a job with this query would get, counted by the code that fetches it; and why it would fail, if it would."""
    try:
        fetched = await anyio.to_thread.run_sync(source.fetch, query, abandon_on_cancel=True, limiter=_PREVIEWS)
    except NothingThere as nothing:
        return nothing.size, str(nothing)
    return fetched.size, None


_PREVIEWS = anyio.CapacityLimiter(1)
"""One at a time: each is all the work of a fetch, and jobs use the same few connections."""


def _strategy(size: Mapping[str, int], service: Running) -> str:
    """Whether the rung `reduced`, should it come to that, would have to choose a core."""
    settings = service.settings
    small = (
        size["courses"] <= settings.max_courses
        and size["faculty"] <= settings.max_faculty
        and size["rooms"] <= settings.max_rooms
    )
    return WHOLE_STRATEGY if small else CORE_STRATEGY
