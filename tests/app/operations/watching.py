"""Signs, samples and happenings for the tests of those who watch; each call states only what matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.domain.jobs import Job, Status
from app.domain.outcomes import How, Outcome
from app.domain.telemetry import AttemptEnded, ChildSigns, Signs
from app.operations.capacity import CapacitySample, Resources
from tests.options import with_options


def child(**given: Any) -> ChildSigns:
    fields: dict[str, Any] = {
        "job_id": "j",
        "attempt": 1,
        "pid": 1,
        "stage": "search",
        "place": "local search",
        "health": "ok",
        "beat_age_seconds": 0.1,
        "resident_bytes": 100,
        "cost": None,
    }
    return ChildSigns(**{**fields, **given})


def signs(*children: ChildSigns, **given: Any) -> Signs:
    fields: dict[str, Any] = {
        "ready": True,
        "not_ready_because": None,
        "slots": 4,
        "quarantined_slots": 0,
        "queued": 0,
        "oldest_queued_seconds": 0.0,
        "supervisor_beat_age_seconds": 0.1,
        "store_available": True,
        "children": children,
    }
    return Signs(**{**fields, **given})


CALM = Resources(cpu_percent=5.0, memory_percent=10.0, disk_percent=20.0, disk_free_bytes=10**12)


def sample(at: float = 0.0, *, lag: float = 0.0, signs: Signs = signs(), **resources: Any) -> CapacitySample:  # noqa: B008
    return CapacitySample(at=at, resources=replace(CALM, **resources), loop_lag_seconds=lag, signs=signs)


def job(job_id: str = "j", **given: Any) -> Job:
    fields: dict[str, Any] = {"body_hash": "h", "created_at": 0.0, "status": Status.RUNNING, "attempt": 1}
    return Job(id=job_id, **with_options({**fields, **given}))


def ended(how: How, **given: Any) -> AttemptEnded:
    before = job(time_limit_seconds=given.pop("time_limit_seconds", 30.0))
    return AttemptEnded(job=before, after=before, outcome=Outcome(how=how, at=0.0, **given))
