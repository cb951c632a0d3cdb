"""Submitting, following and steering jobs."""

from __future__ import annotations

import math
import uuid
from dataclasses import asdict
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from app.domain.callers import Caller
from app.domain.documents import joined
from app.domain.exceptions import JobNotFound, NoBundle
from app.domain.fingerprint import added
from app.domain.jobs import Job, JobConflict, JobStateError, Status
from app.domain.requests import GenerateRequest
from app.http.dependencies import JobIdInPath, Running, Service, read_body
from app.http.openapi import json_body
from app.http.problems import BadHeader, IdempotencyMismatch
from app.processes.intake import Order
from app.processes.questions import Question, order_of
from app.store import PortfolioRow
from app.views.variants import job_view, score_view

router = APIRouter(tags=["jobs"])
IDEMPOTENCY_KEY = "Idempotency-Key"
MAX_IDEMPOTENCY_KEY = 255
_JOBS_BY_KEY = uuid.UUID("8f6a3b1e-0d7c-5c55-9a3e-6f1f5a0c2d41")
CANCELLING = "cancellation_requested"
NO_STORE = {"Cache-Control": "no-store"}
"""Proxies of the platform cache answers of GET for minutes; a progress that does not move looks like a hang."""


@router.post("/generate_variants", openapi_extra=json_body(GenerateRequest))
@router.post("/generate", include_in_schema=False)
async def generate_variants(request: Request, service: Running) -> JSONResponse:
    """
    Takes a job and answers at once; the timetables are made by a child process.

    The same `job_id` with the same body is the same job; with another body it is refused with 409. A body without a
    `job_id` may come with the header `Idempotency-Key`: the same key is the same job, for as long as the job is kept,
    and with another body it is refused with 422.
    """
    body = await read_body(request, service.settings)
    key = idempotency_key(request)
    options = {
        "default_job_id": None if key is None else job_id_of(key, request.scope.get("key_id")),
        "default_organization_id": own_organisation(request),
        "has_platform": service.source is not None,
    }
    order = order_of(await service.pool.ask(Question("order", body, options)))
    try:
        job, created = await service.jobs.submit(order.request)
    except JobConflict as conflict:
        if order.request.job_id != options["default_job_id"]:
            raise
        raise IdempotencyMismatch("This Idempotency-Key was sent with another body before.") from conflict
    if created or not job.status.terminal:
        await service.platform.announce(job)
    else:
        await _tell_again(job.id, service)
    return JSONResponse(_accepted(job, created, order, service))


async def _tell_again(job_id: str, service: Service) -> None:
    """
    Whoever asks for an ended job once more has not heard of its end, or forgets it now: the platform marks its row as
    running whenever a POST is taken, and as cancelling whenever a person cancels, whatever we answer.
    """
    await service.jobs.tell_again(job_id)
    service.platform.heed(job_id)


def own_organisation(request: Request) -> str | None:
    """That of a caller who is bound to one: a body that names none is for it."""
    caller: Caller | None = request.scope.get("caller")
    return None if caller is None or not caller.organisations else caller.organisations[0]


def idempotency_key(request: Request) -> str | None:
    """The key that makes a repeated POST harmless, None when there is none. Raises BadHeader."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not (1 <= len(key) <= MAX_IDEMPOTENCY_KEY and key.isascii() and key.isprintable()):
        raise BadHeader(f"{IDEMPOTENCY_KEY} must have 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters.")
    return key


def job_id_of(key: str, key_id: str | None) -> str:
    """
    The job that an Idempotency-Key of one API key stands for.

    Computed and not remembered, so the store that makes jobs durable makes these keys durable as well.
    """
    return str(uuid.uuid5(_JOBS_BY_KEY, f"{key_id or ''}/{key}"))


def _accepted(job: Job, created: bool, order: Order, service: Service) -> dict[str, object]:
    """The union of what both platform versions answer, and what was changed about the request."""
    settings, progress = service.settings, service.jobs.snapshot(job.id) or {}
    ahead = max(0, (progress.get("queue_position") or 1) - 1) + service.jobs.children
    slots = max(1, service.queue.view()["slots"])
    seconds = math.ceil(job.options.time_limit_seconds * (1 + ahead // slots))
    first = "Timetable generation is queued." if created else _exists_already(job, order)
    unwanted = created and job.status is Status.CANCELLED
    if unwanted:
        first = "This job was cancelled before its request came, so it is not run; a restart runs it after all."
    return {
        "job_id": job.id,
        "status": "queued" if created and not unwanted else job.status.value,
        "message": " ".join([first, *order.notes]),
        "estimated_time_seconds": seconds,
        "estimated_time_minutes": math.ceil(seconds / 60),
        "created": created,
        "adjusted": order.adjusted,
        "warnings": list(order.warnings),
        "num_variants": job.options.num_variants,
        "time_limit_seconds": job.options.time_limit_seconds,
        "poll_seconds": settings.poll_seconds,
        "progress_url": f"/progress/{quote(job.id)}",
        "variants_url": f"/variants/{quote(job.id)}",
    }


def _exists_already(job: Job, order: Order) -> str:
    told = f"This job exists already; it is {job.status.value}."
    late = added(job.body_hash, order.request.body_hash)
    return f"{told} It was taken without {' and '.join(late)}, which does not change it any more." if late else told


@router.get("/progress/{job_id}")
async def progress(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """How far a job is. Answered from memory, whatever the solver does."""
    await service.jobs.look_up(job_id)
    snapshot = service.jobs.snapshot(job_id)
    if snapshot is None:
        raise JobNotFound(job_id, status="not_found", progress=0)
    return JSONResponse(snapshot, headers=NO_STORE)


@router.get("/progress/{job_id}/curve")
async def curve(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """How cost and bound went so far, for whoever comes back to a running job."""
    points = service.jobs.curve(job_id)
    if points is None:
        raise JobNotFound(job_id)
    return JSONResponse({"job_id": job_id, "points": points}, headers=NO_STORE)


@router.post("/cancel/{job_id}")
async def cancel(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """
    Stops a job. The best timetable found so far is kept and marked as cancelled.

    A job that has not come yet is cancelled when it comes, if that is within a day.
    """
    try:
        job = await service.jobs.cancel(job_id)
    except JobStateError:
        await _tell_again(job_id, service)
        raise
    if job is None:
        service.platform.heed(job_id)
        told = "There is no such job yet; if it comes within a day, it is cancelled at once."
        return JSONResponse({"job_id": job_id, "status": CANCELLING, "message": told, "job_status": "unknown"})
    if job.status.terminal:
        await _tell_again(job_id, service)
    told = "The job is cancelled." if job.status.terminal else "Cancellation is on its way."
    return JSONResponse(_steered(job_id, job, CANCELLING, told))


@router.post("/finish/{job_id}")
async def finish(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """Stops a job now and publishes the best timetable found so far."""
    job = await service.jobs.finish(job_id)
    return JSONResponse(_steered(job_id, job, "finish_requested", "The best timetable so far will be published."))


@router.post("/restart/{job_id}")
async def restart(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """Runs an ended job again, from its best timetable."""
    job = await service.jobs.restart(job_id)
    return JSONResponse(_steered(job_id, job, "queued", "The job runs again from its best timetable."))


def _steered(job_id: str, job: Job | None, status: str, message: str) -> dict[str, object]:
    if job is None:
        raise JobNotFound(job_id)
    return {"job_id": job.id, "status": status, "message": message, "job_status": job.status.value}


@router.get("/jobs")
async def jobs(
    service: Running,
    status: Status | None = None,
    dead_letter: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> JSONResponse:
    """Jobs, newest first. `dead_letter=true` names those whose attempts failed too often and that wait for a person."""
    found = await service.jobs.jobs(status=status, dead_letter=dead_letter, limit=limit, offset=offset)
    content = {"jobs": [job_view(job) for job in found], "limit": limit, "offset": offset}
    return JSONResponse(content, headers=NO_STORE)


@router.get("/jobs/{job_id}")
async def job(job_id: JobIdInPath, service: Running) -> Response:
    """
    One job with its child processes and, once there is a result, its journal, ledger and diagnosis.

    `portfolio` lists who has worked on attempts that several workers solved together, and whose timetable is published.
    """
    found = await service.jobs.job(job_id)
    if found is None:
        raise JobNotFound(job_id)
    attempts = await service.jobs.attempts(job_id)
    account = await service.results.body(found, "account")
    content: dict[str, object] = {
        **job_view(found),
        "progress": service.jobs.snapshot(job_id),
        "attempts": attempts,
        "portfolio": [portfolio_view(row) for row in await service.jobs.portfolio(job_id)],
        "deliveries": [asdict(row) for row in await service.jobs.deliveries(job_id)],
        "has_result": account is not None,
    }
    if account is not None:
        del content["seed"]  # the account tells that of the attempt which found the result
    whole = joined(content, account or {"journal": [], "ledger": [], "work_list": [], "diagnosis": None})
    return Response(whole, media_type="application/json", headers=NO_STORE)


def portfolio_view(row: PortfolioRow) -> dict[str, object]:
    """One of those that worked on an attempt together; number 0 is its owner. Times are seconds since 1970."""
    return {
        "attempt": row.attempt,
        "number": row.number,
        "role": "assistant" if row.number else "owner",
        "worker": row.worker,
        "seed": row.seed,
        "began_at": row.began_at,
        "ended_at": row.ended_at,
        "how": row.how,
        "rung": row.rung,
        **({"cost": None, "levels": None} if row.score is None else score_view(row.score)),
        "found_at": row.found_at,
        "published": row.published,
    }


@router.post("/jobs/{job_id}/deliver")
async def deliver(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """Tries once more what could not be delivered and was put aside."""
    told = await service.jobs.deliver_again(job_id)
    service.platform.wake()
    found = await service.jobs.job(job_id)
    return JSONResponse(_steered(job_id, found, "queued", f"{told} deliveries are tried again."))


@router.delete("/jobs/{job_id}")
async def delete(job_id: JobIdInPath, service: Running) -> JSONResponse:
    """Deletes an ended job with its data, timetables and journal; one that waits or runs must be cancelled first."""
    deleted = await service.jobs.delete(job_id)
    return JSONResponse(_steered(job_id, deleted, "deleted", "The job is deleted."))


@router.get("/jobs/{job_id}/attempts/{n}/diagnosis")
async def diagnosis(job_id: JobIdInPath, n: Annotated[int, Path(ge=1, le=2**31)], service: Running) -> JSONResponse:
    """What is known about attempt `n` that ended uncleanly: how its process was, its threads and stacks, its limits."""
    if await service.jobs.job(job_id) is None:
        raise JobNotFound(job_id)
    bundle = await service.jobs.bundle(job_id, n)
    if bundle is None:
        raise NoBundle(f"Attempt {n} of job {job_id!r} has left no diagnosis; only unclean ends do.")
    return JSONResponse(dict(bundle), headers=NO_STORE)
