"""
The platform's routes for conflicts: what is broken in a published timetable, and what could be done about it.

They change nothing, whatever `auto_resolve` says; see `app.views.conflicts`.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from app.domain.documents import joined
from app.domain.requests import CONFLICT_ID_PATTERN, TIMETABLE_ID_PATTERN, VariantNumber
from app.http.dependencies import Running, Service
from app.http.routes.variants import result_of
from app.processes.questions import Work

router = APIRouter(tags=["conflicts"])

MAX_LISTED, MAX_LOOKED_AT = 1000, 50
_VARIANT = re.compile(r"(?P<job_id>.+)-variant-(?P<n>[1-9]\d{0,2})")

TimetableId = Annotated[
    str,
    Query(
        pattern=TIMETABLE_ID_PATTERN,
        description="Id of a job, which means its first variant, or `<job id>-variant-<n>` with n from 1.",
    ),
]
VariantId = Annotated[
    VariantNumber | None, Query(description="Number of the variant, from 1, where `timetable_id` names only the job.")
]


@router.get("/conflicts/detect")
async def detect(
    timetable_id: TimetableId,
    service: Running,
    variant_id: VariantId = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED, description="So many are listed; all are counted.")] = 100,
) -> Response:
    """Every hard breach of a variant as the verifier counts it: who, what and when."""
    return await _answered((timetable_id, variant_id), service, {}, "conflicts", limit=limit, timetable_id=timetable_id)


@router.post("/conflicts/resolve")
async def resolve(
    timetable_id: TimetableId,
    service: Running,
    variant_id: VariantId = None,
    auto_resolve: Annotated[bool, Query(description="Taken, and told back: nothing is changed either way.")] = True,
    limit: Annotated[int, Query(ge=1, le=MAX_LOOKED_AT, description="So many conflicts are looked at.")] = 20,
) -> Response:
    """A checked repair for each conflict, or that people must look at it. The published timetable stays as it is."""
    return await _answered(
        (timetable_id, variant_id), service, {"auto_resolve": auto_resolve}, "resolutions", limit=limit
    )


@router.post("/conflicts/resolve/{conflict_id}")
async def resolve_one(
    conflict_id: Annotated[str, Path(pattern=CONFLICT_ID_PATTERN, description="From /conflicts/detect.")],
    timetable_id: TimetableId,
    service: Running,
    variant_id: VariantId = None,
) -> Response:
    """The same for one conflict."""
    return await _answered((timetable_id, variant_id), service, {}, "resolution", conflict_id=conflict_id)


async def _answered(
    named: tuple[str, int | None], service: Service, told: dict[str, object], work: Work, /, **asked: str | int
) -> Response:
    timetable_id, variant_id = named
    job_id, n = await _named(timetable_id, variant_id, service)
    _, body = await result_of(job_id, service, work, n=n, **asked)
    whole = joined({"timetable_id": timetable_id, "job_id": job_id, "variant": n, **told}, body)
    return Response(whole, media_type="application/json")


async def _named(timetable_id: str, variant_id: int | None, service: Service) -> tuple[str, int]:
    """The job and the variant that are meant. A job may be called like a variant; then it is the job."""
    matched = _VARIANT.fullmatch(timetable_id)
    if matched is None or await service.jobs.job(timetable_id) is not None:
        return timetable_id, variant_id or 1
    return matched["job_id"], int(matched["n"])
