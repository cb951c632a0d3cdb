"""
The platform's routes for caches, told what is so here: data of the platform are read anew for every job and not kept.

What is kept are answers that were made of results lately, in this process, under the digest of the result. They are
never out of date; dropping them frees memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from app.domain.callers import Caller
from app.domain.exceptions import NotAllowed
from app.domain.jobs import Job
from app.domain.requests import PLATFORM_DATA, CacheRequest, semester_of
from app.http.dependencies import Running, Service, read_body
from app.http.openapi import json_body
from app.http.problems import BodyTooLarge
from app.processes.intake import read_object
from app.processes.parse_worker import RESULTS_KEPT, SAMPLES_KEPT
from app.service.result_cache import REMEMBERED_BYTES, CacheSize
from app.service.tenant import ORGANISATION

router = APIRouter(tags=["caches"])

MAX_BODY_BYTES = 8 * 1024
"""Such a body is read here, on the event loop."""
NOT_KEPT = "Data of the platform are read anew for every job, so nothing of this kind is kept."
DROPPED = "Answers made of results of this organisation were dropped; they are made again when they are asked for."
NOTHING_DROPPED = "No answers made of such results were kept, so nothing was dropped."
NOTHING_TO_WARM = (
    "Nothing has to be warmed: data of the platform are read when a job begins, and the processes that read and solve "
    "are kept ready without being asked."
)


@router.get("/cache/stats")
async def stats(service: Running) -> JSONResponse:
    """What is kept between requests, and how much of it."""
    return JSONResponse(_kept(service))


@router.post("/cache/invalidate", openapi_extra=json_body(CacheRequest))
async def invalidate(request: Request, service: Running) -> JSONResponse:
    """Drops what is kept for an organisation, as jobs name it. No job, result or timetable is touched."""
    asked = await _asked(request, service)
    if asked.resource_type == "all":
        dropped = service.results.forget(_of(asked))
        message = DROPPED if dropped.entries else NOTHING_DROPPED
    else:
        dropped, message = CacheSize(0, 0), NOT_KEPT
    told = {"invalidated": dropped._asdict(), "message": message}
    return JSONResponse({**_named(asked), **told, "kept": _kept(service)})


@router.post("/cache/warm", openapi_extra=json_body(CacheRequest))
async def warm(request: Request, service: Running) -> JSONResponse:
    """Says that nothing has to be warmed, and what is ready."""
    asked = await _asked(request, service)
    return JSONResponse({**_named(asked), "warmed": 0, "kept": _kept(service), "message": NOTHING_TO_WARM})


def _kept(service: Service) -> dict[str, Any]:
    pool = service.pool
    return {
        "answers": {**service.results.kept()._asdict(), "most_bytes": REMEMBERED_BYTES},
        "readers": {
            "processes": len(pool.pids),
            "ready": pool.ready,
            "results_kept_by_each": RESULTS_KEPT,
            "samples_kept_by_each": SAMPLES_KEPT,
        },
        "platform_data": {name: {"entries": 0, "bytes": 0} for name in PLATFORM_DATA},
    }


async def _asked(request: Request, service: Service) -> CacheRequest:
    body = await read_body(request, service.settings)
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(f"This body has {len(body)} bytes; {MAX_BODY_BYTES} are more than it needs.")
    asked = CacheRequest.model_validate(read_object(body, service.settings))
    caller: Caller | None = request.scope.get("caller")
    if caller is not None and not caller.reaches(asked.organization_id):
        raise NotAllowed("The key is for another organisation than the one that is named.")
    return asked


def _named(asked: CacheRequest) -> dict[str, object]:
    semester = None if asked.semester is None else semester_of(asked.semester)
    return {"organization_id": asked.organization_id, "resource_type": asked.resource_type, "semester": semester}


def _of(asked: CacheRequest) -> Callable[[Job | None], bool]:
    """Whether a job is one of those that are meant; of a deleted one nobody knows."""
    wanted: dict[str, object] = {ORGANISATION: asked.organization_id}
    if asked.semester is not None:
        wanted["semester"] = semester_of(asked.semester)
    return lambda job: job is not None and all(job.meta.get(name) == value for name, value in wanted.items())
