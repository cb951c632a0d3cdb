"""The timetable service: jobs in, verified timetables out."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

SERVICE = "timetable"


def service_version() -> str:
    """The installed version; "unknown" in a source tree that was never installed."""
    try:
        return version(SERVICE)
    except PackageNotFoundError:
        return "unknown"
