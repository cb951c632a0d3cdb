"""The platform's routes for caches: what is told is kept, and what is dropped is gone and comes back the same."""

from __future__ import annotations

import json

import httpx
import pytest

from app.service.result_cache import CacheSize, Remembered
from tests.app.conftest import finished

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]
ORGANISATION = "Cached College"


def test_what_is_remembered_is_measured_and_dropped_by_job() -> None:
    remembered = Remembered(1000)
    for job, answer in (("a", b"12345"), ("a", b"678"), ("b", b"90")):
        remembered.keep((job, answer), answer)
    of_a = remembered.about(lambda job_id: job_id == "a")
    assert remembered.measured(of_a) == CacheSize(2, 8)
    remembered.drop(of_a)
    assert remembered.get(("a", b"678")) is None and remembered.get(("b", b"90")) == b"90"
    remembered.keep(("c", 1), b"x" * 998)
    assert remembered.get(("b", b"90")) == b"90", "the room of what was dropped is free again"


async def entries(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/cache/stats")).json()["answers"]["entries"])


async def test_invalidate_drops_what_is_kept_for_an_organisation_and_nothing_else(client: httpx.AsyncClient) -> None:
    for job, organisation, semester in (("c1", ORGANISATION, 1), ("c2", ORGANISATION, 2), ("c3", "Another", 1)):
        body = {"job_id": job, "organization_id": organisation, "semester": semester, "dataset_name": "tiny"}
        await client.post("/generate_variants", json={**body, "num_variants": 1, "time_limit_seconds": 2})
    for job in ("c1", "c2", "c3"):
        assert (await finished(client, job))[-1]["status"] == "completed"
    before = {job: (await client.get(f"/variants/{job}/1")).content for job in ("c1", "c2", "c3")}
    kept = await entries(client)
    assert kept >= 3
    for asked, dropped in (
        ({"resource_type": "courses"}, 0),
        ({"semester": "even"}, 1),
        ({}, 1),
        ({}, 0),
        ({"organization_id": "Nobody"}, 0),
    ):
        answer = (await client.post("/cache/invalidate", json={"organization_id": ORGANISATION, **asked})).json()
        assert answer["invalidated"]["entries"] == dropped, asked
        assert ("were dropped;" in answer["message"]) == (dropped > 0), asked
        assert answer["kept"]["answers"]["entries"] == await entries(client)
    assert await entries(client) == kept - 2
    assert {job: (await client.get(f"/variants/{job}/1")).content for job in before} == before


async def test_warm_says_that_nothing_has_to_be_warmed_and_what_is_ready(client: httpx.AsyncClient) -> None:
    await client.get("/datasets/tiny")  # a parse worker has answered, so one is loaded
    answer = (await client.post("/api/cache/warm/", json={"organization_id": ORGANISATION, "semester": None})).json()
    assert answer["warmed"] == 0 and "Nothing has to be warmed" in answer["message"]
    assert answer["kept"]["readers"]["ready"] >= 1
    assert set(answer["kept"]["platform_data"]) == {"courses", "faculty", "rooms", "students", "time_slots", "config"}


@pytest.mark.parametrize("route", ["/cache/invalidate", "/cache/warm"])
@pytest.mark.parametrize(
    ("raw", "status", "pointer"),
    [
        (b"{}", 422, "/organization_id"),
        (b"[]", 422, ""),
        (b"{", 422, ""),
        (b'{"organization_id": "x", "organization_id": "y"}', 422, "/organization_id"),
        (json.dumps({"organization_id": "x", "resource_type": "rubbish"}).encode(), 422, "/resource_type"),
        (json.dumps({"organization_id": "x" * 301}).encode(), 422, "/organization_id"),
        (json.dumps({"organization_id": ""}).encode(), 422, "/organization_id"),
        (json.dumps({"organization_id": "x", "resource_types": "courses"}).encode(), 422, "/resource_types"),
        (json.dumps({"organization_id": "x", "semester": [1, 2, {"a": 1}]}).encode(), 422, "/semester"),
        (json.dumps({"organization_id": "x", "semester": True}).encode(), 422, "/semester"),
        (b'{"semester": ' + b"[" * 4000, 422, ""),
        (b" " * 8193, 413, None),
    ],
)
async def test_a_body_that_says_nothing_sensible_is_refused(
    client: httpx.AsyncClient, route: str, raw: bytes, status: int, pointer: str | None
) -> None:
    answer = await client.post(route, content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer
