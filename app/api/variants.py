"""Results: all variants of a job, and single ones as files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from app.errors import JobNotFound, NoResult, ResultNotReady
from app.gate.reader import Work
from app.gate.results import FILE_FORMATS, check_format
from app.jobs import Job
from app.results import joined
from app.service import JobIdInPath, Running, Service

router = APIRouter(tags=["results"])


@router.get("/variants/{job_id}")
async def variants(
    job_id: JobIdInPath,
    service: Running,
    entries: Annotated[bool, Query(description="False leaves the timetable rows out.")] = True,
) -> Response:
    """Every variant of a job, each verified against the original data, with what was given up."""
    job, body = await result_of(job_id, service, "variants", entries=entries)
    return _as_json(job, body)


@router.get("/variants/{job_id}/{n}")
async def variant(
    job_id: JobIdInPath,
    n: Annotated[int, Path(ge=1, le=1000, description="Counted from 1.")],
    service: Running,
    format: Annotated[str, Query(description="json, csv, ctt or tim")] = "json",
) -> Response:
    """One variant, as JSON or as a file."""
    check_format(format)
    if format == "json":
        return _as_json(*await result_of(job_id, service, "variant", n=n))
    job, text = await result_of(job_id, service, "variant_file", n=n, format=format)
    file = FILE_FORMATS[format]
    # Job ids are made of letters, digits and "._:-" only, so the name needs no quoting.
    name = f"{job.id.replace(':', '-')}-variant-{n}.{file.suffix}"
    return Response(text, media_type=file.media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def result_of(job_id: str, service: Service, work: Work, **asked: str | int | bool) -> tuple[Job, bytes]:
    """The job and what was asked of its result; says which of the two is missing, and why."""
    job = await service.supervisor.job(job_id)
    if job is None:
        raise JobNotFound(job_id)
    body = await service.results.body(job, work, **asked)
    if body is None and not job.status.terminal:
        raise ResultNotReady(f"Job {job_id!r} is {job.status.value}; its variants come when it has ended.")
    if body is None:
        reason = f": {job.error}" if job.error else ""
        raise NoResult(f"Job {job_id!r} is {job.status.value} without a timetable{reason}")
    return job, body


def _as_json(job: Job, body: bytes) -> Response:
    whole = joined({"job_id": job.id, "status": job.status.value}, body, {"metadata": _metadata(job)})
    return Response(whole, media_type="application/json")


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
