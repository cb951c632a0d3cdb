"""
How the service and its machine are. Nothing here waits: no probe of a dependency, no sampling of the processor.

A busy processor is what a solver is for, so load never makes us unhealthy; it only raises an alarm in the answer.
Liveness says that the event loop turns and the supervisor beats. Readiness says that jobs can be taken.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from app import SERVICE, service_version
from app.domain.telemetry import Signs
from app.operations.capacity import CapacitySample, alarms
from app.settings import Settings
from app.system.machine import most_child_mb, this_machine

SILENT_SECONDS = 15.0
"""A supervisor that has not beaten for so long is stuck; it beats every half second."""
Health = dict[str, object]


def health_view(
    settings: Settings,
    sample: CapacitySample,
    alerts: Sequence[Mapping[str, object]],
    platform: Mapping[str, Any],
    queue: Mapping[str, Any],
) -> Health:
    """
    What `/health` says: the union of what both platform versions read, and our own signs.

    `platform` is how those answer whom we tell of our jobs. None of them makes us unhealthy: jobs go on without them,
    and what they were not told they are told later. `queue` is what stands between the jobs and who solves them.
    `redis` is the platform's, if we know it; every child does all the work that the platform's `thread_pools` divide,
    so each pool has as many places as there are slots.
    """
    signs = sample.signs
    reasons = not_ready_because(signs)
    return {
        "service": SERVICE,
        "status": "degraded" if reasons else "healthy",
        "version": service_version(),
        "timestamp": datetime.now(UTC).isoformat(),
        "redis": "connected" if platform["dependencies"].get("redis", {}).get("up") else "disconnected",
        "thread_pools": dict.fromkeys(("clustering", "cpsat", "context"), queue["slots"]),
        "children": {"running": len(signs.children), "slots": signs.slots, "quarantined": signs.quarantined_slots},
        "resources": asdict(sample.resources),
        "alarms": alarms(sample.resources, settings),
        "ready": not reasons,
        "reasons": reasons,
        "signs": {
            "queued": signs.queued,
            "oldest_queued_seconds": round(signs.oldest_queued_seconds, 1),
            "supervisor_beat_age_seconds": round(signs.supervisor_beat_age_seconds, 2),
            "beat_age_seconds": max(
                (round(child.beat_age_seconds or 0.0, 2) for child in signs.children), default=None
            ),
            "loop_lag_seconds": round(sample.loop_lag_seconds, 3),
            "store_available": signs.store_available,
            "rows_set_aside": signs.rows_set_aside,
        },
        "queue": queue,
        "platform": platform,
        "alerts": alerts,
    }


def not_alive_because(signs: Signs) -> list[str]:
    """Why the service should be started anew; empty while it lives. Asks nobody but the supervisor's own beat."""
    age = signs.supervisor_beat_age_seconds
    return [f"the supervisor has shown no sign of life for {age:.0f} s"] if age > SILENT_SECONDS else []


def not_ready_because(signs: Signs) -> list[str]:
    """
    Why no jobs are taken; empty while they are.

    Anybody may read this, so what the store says, which names files, is put in our own words.
    """
    reasons = not_alive_because(signs)
    if not signs.store_available:
        reasons.append("the job store does not answer")
    elif signs.not_ready_because is not None:
        reasons.append(signs.not_ready_because)
    return reasons


def hardware_view(settings: Settings) -> Health:
    """What the machine, or the container we are in, offers and how much of it we use."""
    here = this_machine()
    memory, quota = here.memory(), here.quota()
    return {
        "platform": platform.system().lower(),
        "architecture": platform.machine(),
        "python_version": platform.python_version(),
        "cpu_cores": os.cpu_count(),
        "usable_cores": this_machine().cores(),
        "processor_quota": None if quota is None else round(quota, 2),
        "in_container": memory.in_container,
        "total_memory_gb": round(memory.total / 2**30, 2),
        "available_memory_gb": round(memory.available / 2**30, 2),
        "has_gpu": False,
        "tier": hardware_tier(memory.total),
        "slots": settings.slots,
        "workers_per_job": settings.workers_per_job,
        "memory_limit_mb": most_child_mb(settings.memory_limit_mb),
    }


def hardware_tier(total_memory_bytes: float) -> str:
    """A rough word for the machine: below 2 usable cores or 4 GiB "low", from 8 and 16 GiB on "high", else "medium"."""
    cores, gib = this_machine().cores(), total_memory_bytes / 2**30
    if cores < 2 or gib < 4:
        return "low"
    return "high" if cores >= 8 and gib >= 16 else "medium"
