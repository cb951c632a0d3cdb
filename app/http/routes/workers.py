"""Who solves the jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.http.dependencies import Running
from app.service.membership import SILENT_SECONDS
from app.store import Member

router = APIRouter(tags=["operations"])


@router.get("/workers")
async def workers(service: Running) -> JSONResponse:
    """
    Everybody who runs jobs of this store, with the jobs each owns and those it assists; ages by the clock of the store.

    One that is `silent` may be gone: its jobs are taken over when their leases have run out. After a minute it is not
    listed any more; `queue` counts it among the silent ones for some time, and an alert tells of it.
    """
    found = [view(member) for member in await service.whole.supervisor.membership.members() if member.slots]
    heard = [one for one in found if not one["silent"]]
    content = {
        "queue": service.queue.view(),
        "slots": sum(one["slots"] for one in heard),
        "busy": sum(one["busy"] for one in heard),
        "workers": found,
    }
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


def view(member: Member) -> dict[str, Any]:
    """One service as `GET /workers` shows it."""
    return {
        "id": member.owner,
        "role": member.role,
        "host": member.host,
        "pid": member.pid,
        "version": member.version,
        "slots": member.slots,
        "busy": len(member.jobs) + len(member.assisting),
        "jobs": list(member.jobs),
        "assisting": list(member.assisting),
        "started_at": datetime.fromtimestamp(member.started_at, UTC).isoformat(),
        "last_beat_seconds": round(member.silent_seconds, 1),
        "silent": member.silent_seconds >= SILENT_SECONDS,
    }
