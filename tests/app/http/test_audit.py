"""The audit log: acts and denials, with who and what became of it; and nothing else."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.domain.exceptions import JobNotFound
from app.domain.jobs import Event
from app.domain.telemetry import Moved
from app.http.audit import ACTS, AuditLog
from app.http.problems import NoKey, install, refuse
from app.operations.audit import note_job
from tests.app.operations.watching import job

pytestmark = pytest.mark.anyio


class Keyed:
    """Stands for the key guard: knows one key, and closes one door."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/jobs/closed"):
            return await refuse(NoKey(), scope, receive, send)
        scope["key_id"] = "k1"
        return await self._app(scope, receive, send)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(anyio_backend: str) -> Any:
    app = FastAPI(middleware=[Middleware(AuditLog), Middleware(Keyed)])
    install(app)

    @app.post("/generate_variants")
    async def submit() -> str:
        note_job(Moved(job=job("other"), event=Event.COMPLETE))
        note_job(Moved(job=job("fresh"), event=None))
        return "taken"

    @app.post("/cancel/{job_id}")
    async def cancel(job_id: str) -> str:
        if job_id == "none":
            raise JobNotFound(job_id)
        return "cancelled"

    @app.get("/progress/{job_id}")
    async def progress(job_id: str) -> str:
        return "running"

    @app.post("/admin/{job_id}")
    async def unlisted(job_id: str) -> Response:
        return Response(status_code=204)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as client:
        yield client


def records(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    fields = ("action", "job", "key", "result", "status", "code")
    return [
        tuple(getattr(record, name) for name in fields) for record in caplog.records if record.name == "timetable.audit"
    ]


async def test_acts_are_recorded_with_job_key_and_result(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await client.post("/generate_variants", json={"names": ["A. Person"]})
        await client.post("/cancel/a")
        await client.post("/cancel/none")
        await client.post("/admin/a")
        await client.get("/progress/a")
        await client.get("/nothing-here")
    assert records(caplog) == [
        ("submit", "fresh", "k1", "done", 200, None),
        ("cancel", "a", "k1", "done", 200, None),
        ("cancel", "none", "k1", "refused", 404, "job_not_found"),
        ("POST /admin/{job_id}", "a", "k1", "done", 204, None),
    ]
    assert "A. Person" not in caplog.text


async def test_denied_access_is_recorded_with_the_address(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.get("/jobs/closed", headers={"X-API-Key": "tt_hush"})
    assert records(caplog) == [("access", None, None, "denied", 401, "no_key")]
    assert caplog.records[-1].address == "127.0.0.1"  # type: ignore[attr-defined]
    assert "hush" not in caplog.text


async def test_a_job_noted_outside_of_requests_goes_nowhere() -> None:
    note_job(Moved(job=job("alone"), event=None))


def test_every_act_is_a_route_of_the_access_table_or_still_to_come() -> None:
    from app.http.access import ROUTES

    assert {act for act in ACTS if not act.startswith("DELETE")} <= set(ROUTES)


def test_no_module_writes_a_key_into_the_audit() -> None:
    import app.operations.audit

    assert "presented_key" not in Path(app.operations.audit.__file__).read_text(encoding="utf-8")
