"""Progress as a stream of server-sent events: `connected`, `progress` whenever something changed, `done`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.errors import JobNotFound
from app.jobs import Status
from app.service import Running
from app.settings import Settings
from app.supervisor import Supervisor

router = APIRouter(tags=["jobs"])

MIN_PAUSE_SECONDS = 0.2
"""A fast search improves many times a second; nobody can read more than five events in that time."""
_HEADERS = {
    "Cache-Control": "no-cache, no-store, no-transform",
    "X-Accel-Buffering": "no",  # proxies must pass each event on at once
    "Content-Encoding": "identity",
}


@router.get("/progress/{job_id}/events")
async def progress_events(job_id: str, service: Running) -> StreamingResponse:
    """The progress of a job as server-sent events, until it ends."""
    if service.supervisor.snapshot(job_id) is None:
        raise JobNotFound(job_id, status="not_found", progress=0)
    events = _events(job_id, service.supervisor, service.settings)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _events(job_id: str, supervisor: Supervisor, settings: Settings) -> AsyncIterator[str]:
    """Comments keep the connection open while nothing changes; proxies cut silent ones."""
    yield _event("connected", {"job_id": job_id})
    seen = -1
    while True:
        version = await supervisor.wait_for_change(job_id, seen, settings.heartbeat_seconds)
        snapshot = supervisor.snapshot(job_id)
        if snapshot is None:
            yield _event("done", {"status": "not_found"})
            return
        if version == seen:
            yield ": heartbeat\n\n"
            continue
        seen = version
        yield _event("progress", snapshot)
        if Status(snapshot["status"]).terminal:
            yield _event("done", {"status": snapshot["status"]})
            return
        await anyio.sleep(MIN_PAUSE_SECONDS)


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
