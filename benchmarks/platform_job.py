"""
A whole job of the platform: a real service, from the POST without data to the row with the variants.

The delivered entries are recounted against what the platform's tables hold.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg

from app.domain.source import Query
from app.platform.source import PlatformSource
from app.settings import Settings
from solver.model import Placement, Timetable
from solver.samples import sample
from solver.verify import verify
from tests.app.platform.conftest import CREATE
from tests.deploy.rig import free_port
from tests.platform.rig import service
from tests.platform.tables import ORGANISATION, load, platform_database, run


def run_job(name: str, seconds: int, workers: int) -> int:
    """One job of the sample through a service, with its figures; 1 when a hard rule is broken or a session is open."""
    with platform_database() as url, tempfile.TemporaryDirectory() as folder:
        load(url, sample(name))
        run(url, CREATE)
        found = _one_job(url, Path(folder), {"solve_seconds": str(seconds), "workers_per_job": str(workers)})
        found["hard_breaches"] = [_hard_breaches(url, variant) for variant in found.pop("variants")]
    print(json.dumps(found, indent=2))
    return 1 if any(found["hard_breaches"]) or found["open_sessions"] else 0


def _one_job(url: str, folder: Path, given: dict[str, str]) -> dict[str, Any]:
    job_id = str(uuid.uuid4())
    with service(url, free_port(), folder, platform_update="yes", **given) as client, psycopg.connect(url) as database:
        database.autocommit = True
        database.execute("INSERT INTO generation_jobs (id, status) VALUES (%s, 'running')", (job_id,))
        began = time.monotonic()
        body = {"job_id": job_id, "organization_id": ORGANISATION, "semester": 1}
        client.post("/api/generate_variants", json=body).raise_for_status()
        answered = time.monotonic() - began
        row: tuple[Any, ...] | None = None
        while row is None or row[0] == "running":
            time.sleep(0.2)
            question = "SELECT status, error_message FROM generation_jobs WHERE id = %s"
            row = database.execute(question, (job_id,)).fetchone()
        delivered = time.monotonic() - began
        whole = database.execute("SELECT timetable_data FROM generation_jobs WHERE id = %s", (job_id,)).fetchone()
        data = (whole and whole[0]) or {}
    return {
        "status": row[0],
        "error": row[1],
        "answered_seconds": round(answered, 3),
        "delivered_seconds": round(delivered, 1),
        "rung": data.get("rung"),
        "sessions": data.get("total_sessions_scheduled"),
        "open_sessions": len(data.get("unplaced", ())),
        "variants": data.get("variants", []),
    }


def _hard_breaches(url: str, variant: dict[str, Any]) -> int:
    """Counted anew, from the delivered entries and the tables."""
    source = PlatformSource(Settings(data_dir=Path("unused"), platform_database_url=url))
    dataset = source.read(Query(organization_id=ORGANISATION))[0].dataset
    source.close()
    placed = (
        Placement(
            course_id=entry["course_id"],
            session=entry["session_number"],
            slot=int(entry["time_slot_id"]),
            room_id=entry["room_id"],
        )
        for entry in variant["timetable_entries"]
    )
    report = verify(dataset, Timetable(placements=tuple(placed)))
    return sum(rule.count for rule in report.breaches)
