"""What happens is counted once, under labels of closed sets; what is, is told at the moment of the scrape."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.middleware import Middleware

from app.domain.jobs import Event, Job, Status
from app.domain.outcomes import How
from app.domain.telemetry import (
    Assisted,
    Moved,
    QueueStuck,
    Recovered,
    Shared,
    Slow,
    StageLeft,
    Stalled,
    Started,
    StoreCalled,
    StoreTrouble,
)
from app.http.measured import Measured
from app.operations.metrics import FAST, Metrics
from tests.app.operations.watching import child, ended, job, sample, signs

GUIDE = {"app_errors_total", "app_response_time_seconds", "app_active_connections"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_move_of_a_job_is_counted_so_that_the_totals_are_a_ledger(metrics: Metrics) -> None:
    done, failed = job(status=Status.COMPLETED, rung="full"), job(status=Status.FAILED, dead_letter=True)
    moves: list[tuple[Job, Event | None]] = [
        (job(), None),
        (job(), None),
        (job(), Event.CLAIM),
        (done, Event.COMPLETE),
        (failed, Event.FAIL),
        (job(), Event.RESTART),
        (job(), Event.LOSE),
        (job(), Event.RELEASE),
        (job(), Event.CANCEL),
    ]
    for moved, event in moves:
        metrics.observe_happening(Moved(job=moved, event=event))
    counted = {
        event: value(metrics, "timetable_job_events_total", event=event)
        for event in ("submitted", "completed", "failed", "dead_lettered", "restarted", "requeued", "cancelled")
    }
    assert list(counted.values()) == [2, 1, 1, 1, 1, 2, 1]
    assert value(metrics, "timetable_rungs_total", rung="full") == 1


def test_only_what_the_service_has_killed_is_a_kill(metrics: Metrics) -> None:
    metrics.observe_happening(ended(How.HANG, exit_code=-9, verdict="INFINITE_LOOP"))
    metrics.observe_happening(ended(How.CANCEL, exit_code=0))
    metrics.observe_happening(ended(How.CRASH, exit_code=-9, verdict="PROCESS_DIED"))
    metrics.observe_happening(ended(How.MEMORY, exit_code=-9, by_kernel=True))
    assert value(metrics, "timetable_kills_total", how="memory") == 0, "it was not the service that killed"
    assert value(metrics, "timetable_kills_total", how="hang") == 1
    assert value(metrics, "timetable_kills_total", how="cancel") == 0
    assert value(metrics, "timetable_kills_total", how="crash") is None
    assert value(metrics, "timetable_attempts_total", how="crash") == 1
    assert value(metrics, "timetable_verdicts_total", verdict="INFINITE_LOOP") == 1


def test_a_deadline_is_missed_beyond_what_is_allowed_and_no_sooner(metrics: Metrics) -> None:
    metrics.observe_happening(ended(How.RESULT, overshoot_seconds=0.9, time_limit_seconds=30.0))
    assert value(metrics, "timetable_deadlines_missed_total") == 0
    metrics.observe_happening(ended(How.DEADLINE, overshoot_seconds=1.2, time_limit_seconds=30.0))
    assert value(metrics, "timetable_deadlines_missed_total") == 1
    assert value(metrics, "timetable_deadline_overshoot_seconds_count") == 2


def test_the_other_happenings_are_counted_too(metrics: Metrics) -> None:
    for happening in (
        Started(job=job(), waited_seconds=0.02, after_loss=True),
        StageLeft(job=job(), stage="search", rung="full", seconds=12.0),
        Stalled(job=job(), stalled=True, verdict="STOPPED", place="search"),
        Stalled(job=job(), stalled=False, verdict="NORMAL_PROCESSING", place="search"),
        Slow(what="store.move", seconds=11.0),
        StoreCalled(what="store.move", seconds=0.05),
        StoreCalled(what="store.secret-id-7", seconds=0.2),
        StoreTrouble(reason="locked"),
        StoreTrouble(reason=None),
        Recovered(jobs=3, orphans=1, seconds=0.5),
        QueueStuck(waiting=2, seconds=11.0),
        Assisted(job=job(), number=1, how="yielded"),
        Assisted(job=job(), number=1, how="something new"),
        Shared(job=job(), found_by=0),
        Shared(job=job(), found_by=3),
    ):
        metrics.observe_happening(happening)
    assert value(metrics, "timetable_start_seconds_count", after_loss="true") == 1
    assert value(metrics, "timetable_assistants_total", how="yielded") == 1
    assert value(metrics, "timetable_assistants_total", how="other") == 1
    assert value(metrics, "timetable_portfolio_results_total", finder="owner") == 1
    assert value(metrics, "timetable_portfolio_results_total", finder="assistant") == 1
    assert value(metrics, "timetable_stage_seconds_sum", stage="search") == 12.0
    assert value(metrics, "timetable_stalls_total", verdict="STOPPED") == 1
    assert value(metrics, "timetable_slow_operations_total", operation="store.move") == 1
    assert value(metrics, "timetable_store_call_seconds_sum", operation="store.move") == 0.05
    assert value(metrics, "timetable_store_call_seconds_bucket", operation="store.move", le="0.03") == 0
    assert value(metrics, "timetable_store_call_seconds_bucket", operation="store.move", le="0.1") == 1
    assert value(metrics, "timetable_store_call_seconds_count", operation="store.claim") == 0
    assert value(metrics, "timetable_store_call_seconds_count", operation="other") == 1
    assert value(metrics, "timetable_store_troubles_total") == 1
    assert value(metrics, "timetable_recovered", what="jobs") == 3
    assert value(metrics, "timetable_queue_stuck_total") == 1


def test_words_from_elsewhere_never_become_labels(metrics: Metrics) -> None:
    metrics.observe_happening(StageLeft(job=job(), stage="<script>", rung=None, seconds=1.0))
    metrics.observe_happening(Slow(what="store.secret-id-7", seconds=11.0))
    metrics.observe_happening(ended(How.CRASH, verdict="a lie"))
    text = metrics.render({}, sample(), {}).decode()
    assert "<script>" not in text and "secret" not in text and "a lie" not in text
    assert value(metrics, "timetable_stage_seconds_count", stage="other") == 1


def test_a_scrape_shows_the_state_of_this_moment(metrics: Metrics) -> None:
    busy = signs(
        child(job_id="secret-a", cost=70, beat_age_seconds=0.2, resident_bytes=300),
        child(job_id="secret-b", cost=None, beat_age_seconds=None, resident_bytes=500),
        quarantined_slots=1,
        queued=5,
        oldest_queued_seconds=42.0,
        store_available=False,
    )
    text = metrics.render({"queued": 5}, sample(signs=busy, lag=0.25, disk_percent=55.0), {"high": 2}).decode()
    for line in (
        'timetable_jobs{status="queued"} 5.0',
        "timetable_children 2.0",
        "timetable_children_resident_bytes 800.0",
        "timetable_child_resident_bytes_max 500.0",
        "timetable_beat_age_seconds 0.2",
        "timetable_incumbent_cost 70.0",
        "timetable_incumbents 1.0",
        'timetable_slots{state="in_use"} 2.0',
        'timetable_slots{state="quarantined"} 1.0',
        'timetable_slots{state="free"} 1.0',
        "timetable_queue_length 5.0",
        "timetable_queue_oldest_seconds 42.0",
        "timetable_store_available 0.0",
        "timetable_loop_lag_max_seconds 0.25",
        'timetable_machine_percent{resource="disk"} 55.0',
        'timetable_alerts_active{severity="high"} 2.0',
    ):
        assert line in text.splitlines()
    assert "secret" not in text
    assert re.search(r'timetable_build_info\{python="3\..*sqlite="3\.', text)


def test_there_is_room_for_every_name_of_the_guide_and_buckets_rise(metrics: Metrics) -> None:
    names = {name for family in metrics.registry.collect() for name in (family.name, f"{family.name}_total")}
    assert names >= GUIDE
    assert list(FAST) == sorted(FAST)


@pytest.mark.anyio
async def test_slow_requests_are_warned_of_and_streams_are_not(caplog: pytest.LogCaptureFixture) -> None:
    metrics, told = Metrics(slow_seconds=0.0), []
    app = FastAPI(middleware=[Middleware(Measured, metrics=metrics, unforeseen=lambda: told.append(1))])

    @app.get("/thing/{thing_id}")
    async def thing(thing_id: str) -> str:
        return thing_id

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(["data: 1\n\n"]), media_type="text/event-stream")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as client:
        await client.get("/thing/secret")
        await client.get("/stream")
    assert value(metrics, "timetable_slow_operations_total", operation="request") == 1
    (message,) = [record.message for record in caplog.records if record.name == "timetable.slow"]
    assert re.fullmatch(r"GET /thing/\{thing_id\} took \d+\.\d s", message)
    assert not told


def test_reading_the_state_costs_no_growth_of_series(metrics: Metrics) -> None:
    many = replace(sample(), signs=signs(*(child(job_id=f"job-{n}") for n in range(50))))
    size = len(metrics.render({}, many, {}).splitlines())
    few = replace(sample(), signs=signs(child(job_id="another")))
    assert len(metrics.render({}, few, {}).splitlines()) == size
