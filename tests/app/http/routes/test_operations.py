"""The whole service, seen by an operator: one job leaves its traces in metrics, health, log and audit."""

from __future__ import annotations

import logging

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.operations.health import SILENT_SECONDS
from app.operations.metrics import OTHER, STORE_CALLS
from tests.app.conftest import finished

pytestmark = pytest.mark.anyio


async def samples(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("/metrics")).text
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        " ".join((sample.name, *(value for _, value in sorted(sample.labels.items())))): sample.value
        for sample in found
    }


async def test_a_job_leaves_its_traces(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    before = await samples(client)
    body = {"job_id": "traced", "dataset_name": "tiny", "num_variants": 1, "time_limit_seconds": 1}
    with caplog.at_level(logging.INFO):
        posted = await client.post("/generate_variants", json=body, headers={"X-Request-ID": "op-1"})
        assert (posted.status_code, posted.headers["x-request-id"]) == (200, "op-1")
        await finished(client, "traced")
    after = await samples(client)
    risen = {name for name in after if after[name] > before.get(name, 0.0)}
    assert {
        "timetable_job_events_total submitted",
        "timetable_job_events_total completed",
        "timetable_attempts_total result",
        "timetable_rungs_total full",
        "timetable_start_seconds_count false",
        "timetable_stage_seconds_count load",
        "timetable_deadline_overshoot_seconds_count",
        "timetable_loop_lag_seconds_count",
        "timetable_jobs completed",
        *(f"timetable_store_call_seconds_count store.{call}" for call in ("submit", "claim", "move", "note_pid")),
    } <= risen
    calls = {name for name in after if name.startswith("timetable_store_call_seconds_count")}
    assert {name.split()[1] for name in calls} <= {*STORE_CALLS, OTHER}
    assert (after["timetable_ready"], after["timetable_store_available"], after["timetable_slots free"]) == (1, 1, 1)
    audited = [record for record in caplog.records if record.name == "timetable.audit"]
    assert [(record.action, record.job, record.result) for record in audited] == [("submit", "traced", "done")]  # type: ignore[attr-defined]
    assert "job traced: submitted, now queued (attempt 0)" in caplog.messages


async def test_health_shows_the_signs_of_a_calm_service(client: httpx.AsyncClient) -> None:
    body = (await client.get("/health")).json()
    assert (body["ready"], body["reasons"], body["signs"]["store_available"]) == (True, [], True)
    assert 0 <= body["signs"]["supervisor_beat_age_seconds"] < SILENT_SECONDS
    assert body["resources"]["disk_free_bytes"] > 0
