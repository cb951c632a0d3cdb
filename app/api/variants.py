"""Results: all variants of a job, and single ones as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response

from app.errors import JobNotFound, NoResult, ResultNotReady
from app.jobs import Job
from app.results import FILE_FORMATS, check_format, check_number, open_result
from app.service import JobIdInPath, Running, Service, off_loop
from app.supervisor import StoredResult
from app.views import result_view, variant_view

router = APIRouter(tags=["results"])


@router.get("/variants/{job_id}")
async def variants(
    job_id: JobIdInPath,
    service: Running,
    entries: Annotated[bool, Query(description="False leaves the timetable rows out.")] = True,
) -> Response:
    """Every variant of a job, each verified against the original data, with what was given up."""
    job, stored = await _result_of(job_id, service)
    return await off_loop(_all_variants, job, stored, entries)


@router.get("/variants/{job_id}/{n}")
async def variant(
    job_id: JobIdInPath,
    n: Annotated[int, Path(ge=1, le=1000, description="Counted from 1.")],
    service: Running,
    format: Annotated[str, Query(description="json, csv or ctt")] = "json",
) -> Response:
    """One variant, as JSON or as a file."""
    check_format(format)
    job, stored = await _result_of(job_id, service)
    return await off_loop(_one_variant, job, stored, n, format)


async def _result_of(job_id: str, service: Service) -> tuple[Job, StoredResult]:
    """The job and its result; says which of the two is missing, and why."""
    job = await service.supervisor.job(job_id)
    if job is None:
        raise JobNotFound(job_id)
    stored = await service.supervisor.result(job_id)
    if stored is None and not job.status.terminal:
        raise ResultNotReady(f"Job {job_id!r} is {job.status.value}; its variants come when it has ended.")
    if stored is None:
        reason = f": {job.error}" if job.error else ""
        raise NoResult(f"Job {job_id!r} is {job.status.value} without a timetable{reason}")
    return job, stored


def _all_variants(job: Job, stored: StoredResult, entries: bool) -> Response:
    opened = open_result(stored)
    content = {
        "job_id": job.id,
        "status": job.status.value,
        **result_view(opened.dataset, opened.result, entries=entries),
        "metadata": _metadata(job),
    }
    return JSONResponse(content)


def _one_variant(job: Job, stored: StoredResult, n: int, format: str) -> Response:
    opened = open_result(stored)
    check_number(opened.result, n)
    if format == "json":
        view = variant_view(opened.dataset, opened.result, n)
        return JSONResponse({"job_id": job.id, "status": job.status.value, **view, "metadata": _metadata(job)})
    file = FILE_FORMATS[format]
    text = file.write(opened.dataset, opened.result.variants[n - 1].timetable)
    # Job ids are made of letters, digits and "._:-" only, so the name needs no quoting.
    name = f"{job.id.replace(':', '-')}-variant-{n}.{file.suffix}"
    return Response(text, media_type=file.media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _metadata(job: Job) -> dict[str, object]:
    return {
        **job.meta,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "attempts": job.attempt,
        "seed": job.seed,
        "rules": dict(job.rules),
    }
