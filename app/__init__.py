"""The timetable service: jobs in, verified timetables out."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

SERVICE = "timetable"
MEGABYTE = 1_000_000
"""Of disks, files and bodies, as settings and sentences about them mean it by MB."""
MEBIBYTE = 1 << 20
"""Of memory, as the kernel counts it, and settings and sentences about memory by MB."""


def service_version() -> str:
    """The installed version; "unknown" in a source tree that was never installed."""
    try:
        return version(SERVICE)
    except PackageNotFoundError:
        return "unknown"
