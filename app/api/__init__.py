"""All routes, one module per noun. Each path stands once; `app.gate.limits.OneSpelling` adds three spellings."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from app.api import (
    caches,
    checks,
    conflicts,
    datasets,
    events,
    insights,
    integrity,
    jobs,
    operations,
    page,
    variants,
    workers,
)
from app.service import known_parameters


def all_routes() -> APIRouter:
    """One router with every route of the service."""
    router = APIRouter(redirect_slashes=False, dependencies=[Depends(known_parameters)])
    parts = (
        jobs,
        events,
        insights,
        variants,
        conflicts,
        checks,
        datasets,
        caches,
        integrity,
        operations,
        workers,
        page,
    )
    for part in parts:
        router.include_router(part.router)
    return router
