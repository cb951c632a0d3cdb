"""
Free space on the disk of the job store: a watermark below which no new job is taken, and a reserve for the worst case.

A full disk refuses everything, even a delete. So while there is room we hold some of it in a file that is good for
nothing else; when the store finds the disk full, the file goes, and what must be written (ends, cancellations, deletes)
can be. It is taken back as soon as there is room for it again, and until then no new job is taken.

Looking blocks: call it off the event loop. What the last look has found is remembered in `full_because`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time

from app import MEGABYTE
from app.settings import Settings

RESERVE_NAME = "reserve"
TAKE_BACK_SECONDS = 2.0
"""A reserve that was just used is not taken back sooner; what it was released for needs the room."""

_log = logging.getLogger("timetable.disk_reserve")


class DiskReserve:
    """Watermark and reserve of `settings.data_dir`, which must exist when we look."""

    def __init__(self, settings: Settings) -> None:
        self.full_because: str | None = None
        self._folder = settings.data_dir
        self._path = settings.data_dir / RESERVE_NAME
        self._least_bytes = settings.min_free_mb * MEGABYTE
        self._least_inodes = settings.min_free_inodes
        self._reserve_bytes = settings.reserve_mb * MEGABYTE
        self._released_at: float | None = None

    @property
    def reserve_used(self) -> bool:
        """Whether the reserve was released and is not back: what can be done without is better not written."""
        return self._released_at is not None

    def look(self) -> None:
        """Measures what is free, and takes the reserve when it is missing and there is room for it."""
        try:
            found = self._shortage(0) or self._take_reserve()
        except OSError as error:
            found = f"the data folder cannot be used: {error.strerror}"
        if (found is None) != (self.full_because is None):
            _log.warning(
                "the disk has room again" if found is None else "no new jobs are taken: %s", *filter(None, [found])
            )
        self.full_because = found

    def release(self) -> bool:
        """Gives the reserve to the store; False when there is none left to give. Blocks no longer than an unlink."""
        try:
            self._path.unlink()
        except OSError:
            return False
        self._released_at = time.monotonic()
        self.full_because = "the disk is full and the reserve is in use"
        _log.error("the disk is full: released %d MB of reserve", self._reserve_bytes // MEGABYTE)
        return True

    def close(self) -> None:
        """A service that does not run holds no reserve."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _shortage(self, extra_bytes: int) -> str | None:
        disk = os.statvfs(self._folder)
        free, least = disk.f_bavail * disk.f_frsize, self._least_bytes + extra_bytes
        if free < least:
            return f"{free // MEGABYTE} MB are free on the disk of the job store, {least // MEGABYTE} MB are needed"
        if disk.f_files and disk.f_favail < self._least_inodes:  # some file systems do not count them
            return f"{disk.f_favail} files can be made on the disk of the job store, {self._least_inodes} are needed"
        return None

    def _take_reserve(self) -> str | None:
        if not self._reserve_bytes or self._reserved() == self._reserve_bytes:
            return None
        if self._released_at is not None and time.monotonic() - self._released_at < TAKE_BACK_SECONDS:
            return self.full_because
        shortage = self._shortage(self._reserve_bytes)
        if shortage is None:
            self._make_reserve()
            self._released_at = None
        return shortage

    def _reserved(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _make_reserve(self) -> None:
        """Room that is really taken, not a hole; half a reserve is none."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._reserve_bytes)
        except OSError:
            self.close()
            raise
        finally:
            os.close(handle)
