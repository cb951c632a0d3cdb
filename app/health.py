"""
How the service and its machine are. Nothing here waits: no probe of a dependency, no sampling of the processor.

A busy processor is what a solver is for, so load never makes us unhealthy; it only raises an alarm in the answer.
Liveness says that the event loop turns. Readiness says that jobs can be taken.
"""

from __future__ import annotations

import os
import platform
import shutil
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import psutil

from app.settings import Settings, usable_cores

SERVICE = "timetable"
Health = dict[str, object]


def service_version() -> str:
    """The installed version; "unknown" in a source tree that was never installed."""
    try:
        return version(SERVICE)
    except PackageNotFoundError:
        return "unknown"


def health_view(settings: Settings, *, ready: bool, children: int) -> Health:
    """
    What `/health` says: the union of what both platform versions read.

    There is no Redis behind this service, so `redis` is always "disconnected"; every child does all the work that the
    platform's `thread_pools` divide, so each pool has as many places as there are slots.
    """
    load = resources(settings)
    return {
        "service": SERVICE,
        "status": "healthy" if ready else "degraded",
        "version": service_version(),
        "timestamp": datetime.now(UTC).isoformat(),
        "redis": "disconnected",
        "thread_pools": dict.fromkeys(("clustering", "cpsat", "context"), settings.slots),
        "children": {"running": children, "slots": settings.slots},
        "resources": load,
        "alarms": alarms(load, settings),
    }


def resources(settings: Settings) -> dict[str, float]:
    """Use of processor (since the last look), memory and the disk of the job store, in percent."""
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    return {
        "cpu_percent": psutil.cpu_percent(interval=None),
        "memory_percent": psutil.virtual_memory().percent,
        "disk_percent": round(100 * disk.used / disk.total, 1) if disk.total else 0.0,
    }


def alarms(load: dict[str, float], settings: Settings) -> list[str]:
    """A sentence for each resource above its alarm threshold."""
    limits = {
        "cpu_percent": settings.alarm_cpu_percent,
        "memory_percent": settings.alarm_memory_percent,
        "disk_percent": settings.alarm_disk_percent,
    }
    return [f"{name} is {load[name]:g}, above {limit:g}" for name, limit in limits.items() if load[name] > limit]


def hardware_view(settings: Settings) -> Health:
    """What the machine offers and how much of it we use."""
    memory = psutil.virtual_memory()
    return {
        "platform": platform.system().lower(),
        "architecture": platform.machine(),
        "python_version": platform.python_version(),
        "cpu_cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "total_memory_gb": round(memory.total / 2**30, 2),
        "available_memory_gb": round(memory.available / 2**30, 2),
        "has_gpu": False,
        "tier": hardware_tier(memory.total),
        "slots": settings.slots,
        "workers_per_job": settings.workers_per_job,
        "memory_limit_mb": settings.memory_limit_mb,
    }


def hardware_tier(total_memory_bytes: float) -> str:
    """A rough word for the machine: below 2 usable cores or 4 GiB "low", from 8 and 16 GiB on "high", else "medium"."""
    cores, gib = usable_cores(), total_memory_bytes / 2**30
    if cores < 2 or gib < 4:
        return "low"
    return "high" if cores >= 8 and gib >= 16 else "medium"
