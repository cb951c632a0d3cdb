"""Results: all variants of a job, and single ones as files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel

from app.domain.documents import joined
from app.domain.exceptions import JobNotFound, NoResult, ResultNotReady
from app.domain.jobs import Job
from app.domain.requests import VariantNumber
from app.http.dependencies import JobIdInPath, Running, Service
from app.processes.questions import Work
from app.views.result import FORMATS, check_format
from solver.formats import EXPORTS, read_wanted
from solver.formats.exports import MAX_SKIPPED, Export
from solver.formats.meetings import KINDS
from solver.formats.safe import CONTENT_POLICY
from solver.terms import MAX_ID_LENGTH
from solver.zones import MAX_ZONE

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


_Id = Annotated[str | None, Query(max_length=MAX_ID_LENGTH)]
_Day = Annotated[str | None, Query(max_length=10, description="A date like 2026-09-01; for ics.")]


class Asked(BaseModel):
    """What of a variant is wanted, see `solver.formats.exports`. All of it is texts, which its writer reads."""

    format: Annotated[str, Query(description=", ".join(FORMATS))] = "json"
    group: Annotated[str | None, Query(max_length=MAX_ID_LENGTH, description="Only the week of this group.")] = None
    teacher: Annotated[str | None, Query(max_length=MAX_ID_LENGTH, description="The same; one of the four.")] = None
    room: _Id = None
    student: _Id = None
    term_start: _Day = None
    term_end: _Day = None
    time_zone: Annotated[
        str | None, Query(max_length=MAX_ZONE, description="Like Asia/Kolkata; without it times are floating. For ics.")
    ] = None
    skip: Annotated[
        list[str] | None,
        Query(max_length=MAX_SKIPPED, description="Days without sessions, also behind commas. For ics."),
    ] = None

    def fields(self) -> dict[str, str]:
        """By name of `solver.formats.exports.FIELDS`, without what is not asked for."""
        given = self.model_dump(exclude={"format"}, exclude_none=True)
        return {name: ",".join(value) if name == "skip" else value for name, value in given.items()}


@router.get("/variants/{job_id}/{n}")
async def variant(
    job_id: JobIdInPath,
    n: VariantNumber,
    service: Running,
    asked: Annotated[Asked, Query()],
) -> Response:
    """One variant, or the week of one group, teacher, room or student of it, as JSON or as a file."""
    check_format(asked.format)
    fields = asked.fields()
    read_wanted(asked.format, fields)  # what is wrong with the question is said before a job is looked for
    if asked.format == "json":
        return _as_json(*await result_of(job_id, service, "variant", n=n, **fields))
    job, data = await result_of(job_id, service, "variant_file", n=n, format=asked.format, **fields)
    file = EXPORTS[asked.format]
    headers = {"Content-Disposition": _disposition(file, job.id, n, fields), **_SAFE}
    return Response(data, media_type=file.media_type, headers=headers)


class AskedFile(Asked):
    """The same of a file to be kept."""

    format: Annotated[str, Query(description=", ".join(EXPORTS))] = "xlsx"


@router.get("/variants/{job_id}/{n}/file")
async def variant_file(
    job_id: JobIdInPath,
    n: VariantNumber,
    service: Running,
    asked: Annotated[AskedFile, Query()],
) -> Response:
    """
    The same as a file to be kept, of one media type whatever its format is.

    Programs that are made from this description have one type for each answer.
    """
    check_format(asked.format, tuple(EXPORTS))
    answer = await variant(job_id, n, service, asked)
    disposition = answer.headers["Content-Disposition"].replace("inline", "attachment", 1)
    return Response(
        answer.body, media_type="application/octet-stream", headers={"Content-Disposition": disposition, **_SAFE}
    )


_SAFE = {
    "X-Content-Type-Options": "nosniff",
    # A file that is shown stands on our origin, with names from strangers in it.
    "Content-Security-Policy": f"{CONTENT_POLICY}; sandbox allow-modals allow-popups",
}
MAX_FILE_PART = 40


def _disposition(file: Export, job_id: str, n: int, fields: Mapping[str, str]) -> str:
    """Letters, digits and `._-` only, so the name needs no quoting and leads nowhere, whatever ids are called."""
    owner = [f"{kind}-{fields[kind][:MAX_FILE_PART]}" for kind in KINDS if kind in fields]
    name = "-".join([job_id, "variant", str(n), *owner])
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    return f'{"inline" if file.shown else "attachment"}; filename="{plain}.{file.suffix}"'


STAMPED: frozenset[Work] = frozenset({"variant_file", "conflicts"})
"""What has the time in it at which its job ended."""


async def result_of(job_id: str, service: Service, work: Work, **asked: str | int | bool) -> tuple[Job, bytes]:
    """The job and what was asked of its result; says which of the two is missing, and why."""
    job = await service.jobs.job(job_id)
    if job is None:
        raise JobNotFound(job_id)
    if work in STAMPED:
        asked["stamp"] = int(job.finished_at or job.created_at)
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
        "seed": job.options.seed,
        "rules": dict(job.options.rules),
    }
