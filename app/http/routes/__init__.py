"""All routes, one module per noun. Each path stands once; `app.http.limits.OneSpelling` adds three spellings."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from app.http.dependencies import known_parameters
from app.http.routes import (
    api_pages,
    backups,
    caches,
    checks,
    conflicts,
    datasets,
    events,
    help,
    insights,
    jobs,
    operations,
    page,
    variants,
    workers,
)


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
        backups,
        operations,
        workers,
        page,
        help,
        api_pages,
    )
    for part in parts:
        router.include_router(part.router)
    return router
