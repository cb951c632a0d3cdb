"""
What a plain installation leaves out: each extra with the packages that it brings, and who says that one is missing.

A plain installation has solver, service and page, with jobs in SQLite. Packages of extras are imported only where a
setting or a command asks for them, and whoever asks looks here first. `pyproject.toml` names the same extras.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("psycopg", "psycopg_pool"),
    "cluster": ("celery", "kombu", "redis", "psycopg", "psycopg_pool"),
    "platform": ("celery", "kombu", "redis", "psycopg", "psycopg_pool"),
    "notify": ("apprise",),
}
"""Extra -> what we import of it."""
OF_SETTINGS: Mapping[str, str] = {
    "database_url": "postgres",
    "broker_url": "cluster",
    "platform_database_url": "platform",
    "platform_redis_url": "platform",
    "platform_broker_url": "platform",
    "alert_urls": "notify",
}
"""Setting -> the extra that it needs where it is set."""


def is_here(extra: str) -> bool:
    """Whether everything that the extra brings can be imported."""
    return all(_can_be_imported(module) for module in EXTRAS[extra])


def _can_be_imported(module: str) -> bool:
    if module in sys.modules:  # kombu has no specification any more once it is imported, for which find_spec raises
        return sys.modules[module] is not None
    return importlib.util.find_spec(module) is not None


def line(extra: str) -> str:
    """How it is installed."""
    return f"pip install 'timetable[{extra}]'"


def problem(who: str, extra: str) -> str | None:
    """Why somebody cannot do without an extra that is not installed; None when it is."""
    return None if is_here(extra) else f"{who} needs the extra {extra}: {line(extra)}"
