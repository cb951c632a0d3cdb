"""The layer that writes the audit log: who asked for what, and what became of it, on the logger `timetable.audit`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from app.domain.callers import Scope
from app.http.access import access_of
from app.operations.audit import submitted

ACTS: Mapping[str, str] = {
    "POST /generate_variants": "submit",
    "POST /generate": "submit",
    "POST /cancel/{job_id}": "cancel",
    "POST /finish/{job_id}": "finish",
    "POST /restart/{job_id}": "restart",
    "DELETE /jobs/{job_id}": "delete",
}
DENIED = frozenset({401, 403})

_log = logging.getLogger("timetable.audit")


class AuditLog:
    """The ASGI layer that writes the audit log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, noted = 0, dict[str, str]()
        token = submitted.set(noted)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            submitted.reset(token)
            _record(scope, status, noted.get("id"))
        return None


def _record(scope: Connection, status: int, job_id: str | None) -> None:
    route = getattr(scope.get("route"), "path", None)
    method = scope["method"]
    act = ACTS.get(f"{method} {route}")
    if act is None and route is not None and access_of(method, scope["path"]).scope is Scope.ADMIN:
        act = f"{method} {route}"
    if status in DENIED:
        act = act or "access"
    if act is None:
        return
    job = job_id or scope.get("path_params", {}).get("job_id")
    result = "denied" if status in DENIED else "done" if 200 <= status < 400 else "refused"
    fields = {
        "action": act,
        "job": job,
        "key": scope.get("key_id"),
        "organisations": getattr(scope.get("caller"), "organisations", None),
        "address": (scope.get("client") or (None,))[0],
        "result": result,
        "status": status,
        "code": scope.get("error_code"),
    }
    level = logging.WARNING if result == "denied" else logging.INFO
    _log.log(level, "%s: %s (%d)", act, result, status, extra=fields)
