"""Jobs whose request brings no data: the real service, the real solver, a real PostgreSQL behind a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.main import create_app
from app.settings import Settings
from solver.samples import sample
from tests.app.conftest import finished
from tests.platform.tables import ORG_ID, ORGANISATION, load, platform_database, run
from tests.proxy import Proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with platform_database() as url:
        load(url, sample("tiny"))
        run(
            url,
            f"""INSERT INTO organizations VALUES (gen_random_uuid(), 'Empty College');
                INSERT INTO courses (course_id, org_id) VALUES ('lost', '{ORG_ID}');
                INSERT INTO course_offerings (offering_id, course_id, semester_type) VALUES ('lost', 'lost', 'ODD')""",
        )
        yield url


@asynccontextmanager
async def service(url: str, folder: Path, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    given: dict[str, Any] = {"platform_source": "yes", "platform_connect_seconds": 1.0, **more}
    running = create_app(Settings(data_dir=folder, slots=1, platform_database_url=url, **given))
    transport = httpx.ASGITransport(running)
    async with (
        running.router.lifespan_context(running),
        httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60) as client,
    ):
        yield client


async def post(client: httpx.AsyncClient, job_id: str, organisation: str = ORGANISATION) -> httpx.Response:
    body = {
        "job_id": job_id,
        "organization_id": organisation,
        "semester": "odd",
        "num_variants": 1,
        "time_limit_seconds": 2,
    }
    return await client.post("/api/generate_variants", json=body)


async def ended(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    return (await finished(client, job_id))[-1]


async def test_a_request_without_data_is_solved_from_the_platform(url: str, tmp_path: Path) -> None:
    async with service(url, tmp_path) as client:
        assert (await post(client, "whole")).status_code == 200
        assert (await ended(client, "whole"))["status"] == "completed"
        found = (await client.get("/variants/whole")).json()
        (variant,) = found["variants"]
        assert (variant["conflicts"], variant["unplaced"]) == (0, [])
        assert {entry["course_code"] for entry in variant["timetable_entries"]} == {
            course.code or course.id for course in sample("tiny").courses
        }
        for document in (found, (await client.get("/jobs/whole")).json()):
            account = document["metadata"]["platform_rows"]
            assert account["unusable"] == 1
            assert "the offering has no primary teacher" in account["unusable_rows"][0]
        entries = variant["timetable_entries"]
        for department in {entry["department_id"] for entry in entries}:
            shown = (await client.get(f"/api/timetables/whole/department/{department}/")).json()
            rows = [{name: row[name] for name in row if name != "student_ids"} for row in shown["entries"]]
            assert rows == [entry for entry in entries if entry["department_id"] == department]
            assert (shown["total"], shown["conflicts"]) == (len(shown["entries"]), 0)
        again = await post(client, "whole")
        assert (again.status_code, again.json()["created"]) == (200, False)


async def test_an_organisation_without_courses_is_a_failed_job_with_its_reason(url: str, tmp_path: Path) -> None:
    async with service(url, tmp_path) as client:
        for job_id, organisation, reason in (
            ("empty", "Empty College", "no usable rooms"),
            ("nobody", "Nobody", "no organisation 'Nobody'"),
        ):
            assert (await post(client, job_id, organisation)).status_code == 200
            last = await ended(client, job_id)
            assert last["status"] == "failed"
            assert reason in last["metadata"]["error"]
        nameless = await client.post("/generate_variants", json={"job_id": "nameless"})
        assert nameless.status_code == 422
        assert nameless.json()["errors"][0]["pointer"] == "/organization_id"


async def test_the_answer_to_a_post_does_not_wait_for_the_platform_and_a_cancel_does_not_either(
    url: str, tmp_path: Path
) -> None:
    async with service(url, tmp_path) as client:
        with psycopg.connect(url) as blocker:
            blocker.execute("LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE")
            assert (await post(client, "held")).status_code == 200
            assert (await client.post("/cancel/held")).status_code == 200
            assert (await ended(client, "held"))["status"] == "cancelled"
            assert not blocker.closed, "and the platform still answers nobody"


async def test_a_database_that_is_down_fails_the_job_and_one_that_is_back_serves_it(url: str, tmp_path: Path) -> None:
    parts = conninfo_to_dict(url)
    direct = f"postgresql://{parts['user']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    async with Proxy(direct) as proxy:
        proxy.cut()
        async with service(proxy.url, tmp_path) as client:
            await post(client, "down")
            last = await ended(client, "down")
            assert last["status"] == "failed"
            assert "cannot be reached" in last["metadata"]["error"]
            assert "127.0.0.1" not in last["metadata"]["error"]
            proxy.restore()
            assert (await client.post("/restart/down")).status_code == 200
            assert (await ended(client, "down"))["status"] == "completed"


async def test_a_preview_counts_what_a_job_would_get(url: str, tmp_path: Path) -> None:
    async with service(url, tmp_path) as client:
        found = (await client.get("/preview", params={"organization_id": ORGANISATION, "semester": "1"})).json()
        made = sample("tiny")
        assert found["data"]["rooms"] == len(made.rooms)
        assert found["data"]["time_slots"] == made.time_grid.num_slots
        unknown = await client.get("/preview", params={"organization_id": "Nobody"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "organisation_not_found")


async def test_a_preview_of_an_organisation_without_courses_counts_nothing_and_says_why(
    url: str, tmp_path: Path
) -> None:
    async with service(url, tmp_path) as client:
        answer = await client.get("/preview", params={"organization_id": "Empty College"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["data"]["courses"], found["data"]["sessions"], found["data"]["rooms"]) == (0, 0, 0)
        assert "no usable rooms" in found["message"]


async def test_without_the_switch_a_request_without_data_is_told_what_to_send(url: str, tmp_path: Path) -> None:
    async with service(url, tmp_path, platform_source="no") as client:
        for body in ({"job_id": "bare"}, {"job_id": "bare", "organization_id": ORGANISATION}):
            answer = await client.post("/generate_variants", json=body)
            assert answer.json()["code"] == "source_not_configured", answer.text
