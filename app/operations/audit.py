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
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from app.domain.telemetry import Happening, Moved

TRAIL_FILE = "audit.jsonl"

submitted: ContextVar[dict[str, str] | None] = ContextVar("audited_job", default=None)
_log = logging.getLogger("timetable.audit")


def note_job(happening: Happening) -> None:
    """An observer: remembers which job the request at hand has submitted."""
    noted = submitted.get()
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
