"""
The audit log: who asked for what, and what became of it, on the logger `timetable.audit`.

Recorded are the acts that change something (submit, cancel, finish, restart, delete), everything that takes the right
`admin`, and every access that was denied. A line has the UTC time, the act, the job, the id of the key (never the key)
or the address, and the answer. The job of a submit stands in the body, which we do not read here; the supervisor's
`Moved` names it within the same request.

Keys are changed by the command line, whether or not a service runs, so these acts have a file of their own in the data
folder, `audit.jsonl`; a running service logs them as well once it notices.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from app.domain.access import Scope, access_of
from app.domain.telemetry import Happening, Moved

ACTS: Mapping[str, str] = {
    "POST /generate_variants": "submit",
    "POST /generate": "submit",
    "POST /cancel/{job_id}": "cancel",
    "POST /finish/{job_id}": "finish",
    "POST /restart/{job_id}": "restart",
    "DELETE /jobs/{job_id}": "delete",
}
DENIED = frozenset({401, 403})
TRAIL_FILE = "audit.jsonl"

_job: ContextVar[dict[str, str] | None] = ContextVar("audited_job", default=None)
_log = logging.getLogger("timetable.audit")


def note_job(happening: Happening) -> None:
    """An observer: remembers which job the request at hand has submitted."""
    noted = _job.get()
    if noted is not None and isinstance(happening, Moved) and happening.event is None:
        noted["id"] = happening.job.id


def record_key_change(folder: Path, action: str, key: str, result: str, **fields: object) -> None:
    """
    Appends a change of keys to the trail in the data folder; `key` is the id, never the key.

    Raises
    ------
    OSError
        The trail cannot be written; then the change must not be made.
    """
    line = {"time": datetime.now(UTC).isoformat(), "logger": _log.name, "action": action, "key": key}
    text = json.dumps({**line, "user": os.getuid(), "result": result, **fields}) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / TRAIL_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as file:  # one write, so that lines of two commands cannot mix
        file.write(text.encode())
        os.fsync(file.fileno())


class Audit:
    """The ASGI layer that writes the audit log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, noted = 0, dict[str, str]()
        token = _job.set(noted)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            _job.reset(token)
            _record(scope, status, noted.get("id"))
        return None


def _record(scope: Connection, status: int, submitted: str | None) -> None:
    route = getattr(scope.get("route"), "path", None)
    method = scope["method"]
    act = ACTS.get(f"{method} {route}")
    if act is None and route is not None and access_of(method, scope["path"]).scope is Scope.ADMIN:
        act = f"{method} {route}"
    if status in DENIED:
        act = act or "access"
    if act is None:
        return
    job = submitted or scope.get("path_params", {}).get("job_id")
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
