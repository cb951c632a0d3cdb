"""Alive, ready, healthy: three answers, each true by itself, none of them by asking anything but memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.cluster.embedded import Embedded
from app.domain.telemetry import Signs
from app.http import problems
from app.http.routes import operations
from app.operations.alerts import AlertBook
from app.operations.capacity import CapacitySample
from app.operations.health import SILENT_SECONDS, health_view, not_alive_because, not_ready_because
from app.operations.metrics import Metrics
from app.settings import Settings
from tests.app.operations.watching import child, sample, signs

pytestmark = pytest.mark.anyio
SETTINGS = Settings(slots=2)
ALONE: dict[str, Any] = {"dependencies": {}, "deliveries": {}}
"""What is told of the platform when none is known."""
EMBEDDED = Embedded(2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service:
    """Stands for the running parts, with the signs that a test wants."""

    def __init__(self) -> None:
        self.settings, self.readers = SETTINGS, None
        self.now: list[Signs] = [signs()]
        supervisor = SimpleNamespace(signs=self.signs, counts=self.counts)
        self.whole = SimpleNamespace(supervisor=supervisor, metrics=Metrics())
        self.capacity = SimpleNamespace(now=self.sample)
        self.alerts = SimpleNamespace(book=AlertBook(settings=SETTINGS))
        self.queue = EMBEDDED
        self.platform = SimpleNamespace(view=lambda: ALONE, up=dict, count=lambda state: {})

    def seen_by(self, caller: object) -> Service:
        return self

    def signs(self) -> Signs:
        return self.now.pop(0) if len(self.now) > 1 else self.now[0]

    def sample(self) -> CapacitySample:
        return sample(signs=self.signs())

    async def counts(self) -> dict[str, int]:
        return {"queued": 0}


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(operations.router)
    app.state.service, app.state.monitoring = service, service
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as client:
        yield client


def test_only_the_supervisors_own_beat_decides_about_life() -> None:
    ill = signs(
        child(beat_age_seconds=999.0), ready=False, not_ready_because="x", store_available=False, quarantined_slots=4
    )
    assert not_alive_because(ill) == []
    assert not_alive_because(signs(supervisor_beat_age_seconds=SILENT_SECONDS + 1)) != []


def test_every_reason_is_named_and_none_tells_a_path() -> None:
    refused = signs(
        ready=False,
        not_ready_because="/var/lib/timetable/jobs.sqlite3: database is locked",
        store_available=False,
        supervisor_beat_age_seconds=20.0,
    )
    reasons = not_ready_because(refused)
    assert reasons == ["the supervisor has shown no sign of life for 20 s", "the job store does not answer"]
    assert not_ready_because(signs(ready=False, not_ready_because="the service is ending")) == ["the service is ending"]
    assert not_ready_because(signs()) == []


def test_load_alone_is_no_illness() -> None:
    view = health_view(
        SETTINGS, sample(cpu_percent=100.0, memory_percent=99.0, disk_percent=99.0, lag=3.0), [], ALONE, EMBEDDED.view()
    )
    assert (view["status"], view["ready"], view["reasons"]) == ("healthy", True, [])
    assert len(view["alarms"]) == 3  # type: ignore[arg-type]


def test_the_view_has_the_platforms_fields_and_no_ids_of_jobs() -> None:
    view = health_view(
        SETTINGS, sample(signs=signs(child(job_id="secret"), child(beat_age_seconds=None))), [], ALONE, EMBEDDED.view()
    )
    assert {"service", "status", "version", "timestamp", "redis", "thread_pools", "resources", "alarms"} <= view.keys()
    assert view["thread_pools"] == {"clustering": 2, "cpsat": 2, "context": 2}
    assert "secret" not in str(view)


async def test_a_dead_store_makes_the_service_unready_and_leaves_it_alive(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.now = [signs(ready=False, not_ready_because="/x: locked", store_available=False)]
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
    assert (ready.json()["ready"], ready.json()["reasons"]) == (False, ["the job store does not answer"])
    assert (await client.get("/health/live")).status_code == 200
    health = await client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")


async def test_a_supervisor_that_is_stuck_is_told_by_both_probes(client: httpx.AsyncClient, service: Service) -> None:
    service.now = [signs(supervisor_beat_age_seconds=60.0)]
    live = await client.get("/health/live")
    assert (live.status_code, live.json()["status"]) == (503, "stuck")
    assert (await client.get("/health/ready")).status_code == 503


async def test_a_service_that_has_slept_is_looked_at_twice(client: httpx.AsyncClient, service: Service) -> None:
    service.now = [signs(supervisor_beat_age_seconds=60.0), signs()]
    assert (await client.get("/health/live")).status_code == 200


async def test_standing_alerts_are_shown_and_counted(client: httpx.AsyncClient, service: Service) -> None:
    service.alerts.book.see(sample(signs=signs(quarantined_slots=1)))
    (alert,) = (await client.get("/health")).json()["alerts"]
    assert (alert["alert"], alert["severity"]) == ("slot_quarantined", "high")
    assert 'timetable_alerts_active{severity="high"} 1.0' in (await client.get("/metrics")).text
