"""Routes for operators: health, metrics, what the machine is, what a job would be."""

from __future__ import annotations

import math

import psutil
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.checking import size_of
from app.errors import NotReady
from app.health import SERVICE, hardware_tier, hardware_view, health_view, service_version
from app.intake import load_source
from app.schemas import Source, semester_of
from app.service import Running, off_loop
from solver.model import Dataset

router = APIRouter(tags=["operations"])
_NO_STORE = {"Cache-Control": "no-store"}
CORE_STRATEGY, WHOLE_STRATEGY = "priority_core_first", "whole_problem"


@router.get("/")
async def root() -> JSONResponse:
    """What this is and where to look next."""
    return JSONResponse(
        {
            "service": SERVICE,
            "version": service_version(),
            "status": "operational",
            "docs": "/openapi.json",
            "health": "/health",
            "datasets": "/datasets",
        }
    )


@router.get("/health")
@router.head("/health", include_in_schema=False)
async def health(service: Running) -> JSONResponse:
    """Status and resources. Always 200: who wants a verdict asks `/health/ready`."""
    supervisor = service.supervisor
    view = health_view(service.settings, ready=supervisor.ready, children=supervisor.children)
    return JSONResponse(view, headers=_NO_STORE)


@router.get("/health/live")
@router.head("/health/live", include_in_schema=False)
async def live() -> JSONResponse:
    """The event loop turns."""
    return JSONResponse({"status": "alive"}, headers=_NO_STORE)


@router.get("/health/ready")
@router.head("/health/ready", include_in_schema=False)
async def ready(service: Running) -> JSONResponse:
    """Jobs can be taken."""
    if not service.supervisor.ready:
        raise NotReady("The supervisor is not running.", members={"ready": False})
    return JSONResponse({"status": "ready", "ready": True}, headers=_NO_STORE)


@router.get("/metrics")
async def metrics(service: Running) -> Response:
    """Prometheus text."""
    text = service.metrics.render(await service.supervisor.counts(), service.supervisor.children)
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
    dataset_name: str | None = None,
) -> JSONResponse:
    """How large a job would be and how long it may take."""
    source = Source(dataset_name=dataset_name)
    loaded = await off_loop(load_source, source, service.settings)
    size = size_of(loaded.dataset)
    wanted = ("courses", "faculty", "rooms", "time_slots", "students", "sessions", "groups")
    return JSONResponse(
        {
            "organization_id": organization_id,
            "semester": semester_of(semester),
            "data": {name: size[name] for name in wanted},
            "estimation": {
                "time_minutes": math.ceil(service.settings.solve_seconds / 60),
                "strategy": _strategy(loaded.dataset, service),
                "hardware_tier": hardware_tier(psutil.virtual_memory().total),
            },
        }
    )


def _strategy(dataset: Dataset, service: Running) -> str:
    """Whether the rung `reduced`, should it come to that, would have to choose a core."""
    settings = service.settings
    small = (
        len(dataset.courses) <= settings.max_courses
        and len(dataset.faculty) <= settings.max_faculty
        and len(dataset.rooms) <= settings.max_rooms
    )
    return WHOLE_STRATEGY if small else CORE_STRATEGY
