"""
Ends of attempts that wait in files for a store that refuses them, so that not even a kill meanwhile loses a result.

A file is written under another name, flushed and renamed: it is there as a whole or not at all. Its first line is the
digest of the rest, so a file that was damaged is known as such. It names job and attempt, and is used only for a job
that the store finds running in that very attempt; every other file is a leftover and is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from app.domain.jobs import Job
from app.domain.outcomes import How, Outcome
from app.store.folder import SPOOL_NAME, write_whole
from solver.result import Quality, StoppedBy
from solver.rules import Score

_log = logging.getLogger("timetable.spool")


class Spooled(NamedTuple):
    """
    The end of an attempt, and the body of the result that it handed in, if it did.

    `used_seconds` is the solving time spent before this attempt: the row has a checkpoint that counts part of it.
    """

    outcome: Outcome
    body: bytes | None
    used_seconds: float


class Spool:
    """The files of one data folder. All methods block; they are few and rare."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / SPOOL_NAME

    def write(self, job: Job, outcome: Outcome, body: bytes | None) -> None:
        """Raises OSError when the disk refuses as well."""
        header = {"job_id": job.id, "attempt": job.attempt, "used_seconds": job.used_seconds}
        header["ending"] = asdict(outcome)
        rest = json.dumps(header, separators=(",", ":")).encode() + b"\n" + (body or b"")
        self._folder.mkdir(exist_ok=True)
        write_whole(self._path(job), hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)

    def read(self, job: Job) -> Spooled | None:
        """How the attempt of `job` has ended, None when nothing tells, or nothing that is whole."""
        try:
            raw = self._path(job).read_bytes()
        except OSError:
            return None
        digest, _, rest = raw.partition(b"\n")
        header, _, body = rest.partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            _log.error("job %s: its spooled end is damaged and not used", job.id)
            return None
        try:
            said = json.loads(header)
            if (said["job_id"], said["attempt"]) != (job.id, job.attempt):
                return None
            return Spooled(_outcome(said["ending"]), body or None, said["used_seconds"])
        except (ValueError, KeyError, TypeError) as error:
            _log.error("job %s: its spooled end is of another version and not used: %r", job.id, error)
            return None

    def remove(self, job: Job) -> None:
        """Removes what is spooled of the attempt that the job is at, if anything is."""
        with contextlib.suppress(OSError):
            self._path(job).unlink()

    def clear(self) -> None:
        """Removes whatever is left once every running job was looked for."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    path.unlink()

    def _path(self, job: Job) -> Path:
        """Ids come from clients and are no file names."""
        return self._folder / f"{hashlib.sha256(job.id.encode()).hexdigest()[:32]}-{job.attempt}.end"


def _outcome(said: Mapping[str, Any]) -> Outcome:
    held, result = said["held"], said["result"]
    if result is not None:
        result = {
            **result,
            "score": Score.of(result["score"]),
            "quality": Quality(result["quality"]),
            "stopped_by": StoppedBy(result["stopped_by"]),
        }
    return Outcome(**{**said, "how": How(said["how"]), "held": held and Score.of(held), "result": result})
