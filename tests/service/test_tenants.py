"""
Organisations do not see each other: every route of the application, asked by one about the jobs of another.

`ROUTES` has a line per route, and the first test holds it against the application: a new route without a line fails.
Two organisations have jobs in the same states. Whatever is asked about a foreign one must be answered as if there were
no such job, to the letter, and must leave no trace in it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import anyio
import httpx
import pytest
from fastapi import FastAPI

from app import main
from app.domain.callers import Caller, Scope
from app.domain.exceptions import NotAllowed
from app.http.dependencies import Service
from app.service.supervisor import Supervisor
from app.service.tenant import TenantJobs
from app.settings import Settings
from app.store.api_keys import KeyFile
from tests.app.store.test_api_keys import routes_of
from tests.effort import FOR_EVER, PATIENCE_SECONDS
from tests.service.conftest import SOLVE
from tests.service.solvers import campus

pytestmark = pytest.mark.anyio

BEHAVIOURS = {"done": "quick", "busy": "patient", "dead": "crash_always"}
"""State of a job -> what its child does."""
TERMINAL = ("completed", "failed", "cancelled")


class Row(NamedTuple):
    """
    How a route about a job is asked: rest of the path and query, and in which state a job of one's own is found.

    `absent`: what is asked for is not in it, and that is said in other words than that there is no such job.
    """

    path: str = ""
    own: str = "done"
    absent: bool = False


CANCEL = "POST /cancel/{job_id}"
JOB_ROUTES: Mapping[str, Row] = {
    "GET /progress/{job_id}": Row(),
    "GET /progress/{job_id}/curve": Row(),
    "GET /progress/{job_id}/events": Row(),
    CANCEL: Row(own="busy"),
    "POST /finish/{job_id}": Row(own="done"),
    "POST /restart/{job_id}": Row(own="busy"),
    "GET /variants/{job_id}": Row(),
    "GET /variants/{job_id}/who": Row(),
    "GET /variants/{job_id}/students": Row("?search=s"),
    "GET /variants/{job_id}/{n}": Row("?format=csv"),
    "GET /variants/{job_id}/{n}/file": Row("?format=csv"),
    "GET /variants/{job_id}/{n}/week": Row("?room=r0"),
    "GET /variants/{job_id}/{n}/load": Row(),
    "GET /variants/{job_id}/{n}/difference": Row("?other=1"),
    "GET /variants/{job_id}/{n}/session": Row("?course=c0"),
    "GET /timetables/{job_id}/department/{dept_id}": Row(),
    "GET /conflicts/detect": Row("?timetable_id={job_id}"),
    "POST /conflicts/resolve": Row("?timetable_id={job_id}-variant-1"),
    "POST /conflicts/resolve/{conflict_id}": Row("?timetable_id={job_id}", absent=True),
    "GET /jobs/{job_id}": Row(),
    "GET /jobs/{job_id}/attempts/{n}/diagnosis": Row(own="dead"),
    "POST /jobs/{job_id}/deliver": Row(),
    "DELETE /jobs/{job_id}": Row(own="busy"),
}
WHOLE_ROUTES = frozenset({"GET /health", "GET /metrics", "GET /workers", "POST /admin/backup"})
"""Of the whole service: refused to whoever is bound to an organisation."""
SUBMITTING = frozenset({"POST /generate_variants", "POST /generate"})
LISTING = frozenset({"GET /jobs"})
CACHES = frozenset({"GET /cache/stats", "POST /cache/invalidate", "POST /cache/warm"})
WITHOUT_JOBS: Mapping[str, str] = {
    "GET /": "/",
    "GET /static/{path:path}": "/static/main.js",
    "GET /docs": "/docs",
    "GET /docs/{name}": "/docs/swagger-ui.css",
    "GET /help": "/help",
    "GET /help/{name}": "/help/rules",
    "GET /health/live": "/health/live",
    "GET /health/ready": "/health/ready",
    "GET /hardware": "/hardware",
    "GET /openapi.json": "/openapi.json",
    "GET /options": "/options",
    "GET /preview": "/preview?dataset_name=tiny",
    "GET /datasets": "/datasets",
    "GET /datasets/{name}": "/datasets/tiny",
    "POST /validate": "/validate",
    "POST /score": "/score",
}
"""Know of no job at all."""
ROUTES = frozenset({*JOB_ROUTES, *WHOLE_ROUTES, *SUBMITTING, *LISTING, *CACHES, *WITHOUT_JOBS})


class Rig(NamedTuple):
    """A running service with jobs of two organisations and of none, and a client for each of them."""

    app: FastAPI
    north: httpx.AsyncClient
    south: httpx.AsyncClient
    operator: httpx.AsyncClient


@pytest.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Rig]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("tenants"), slots=4, retry_wait_seconds=0.05)
    keys = KeyFile(settings.keys_folder)
    bound = {name: keys.add(name, [Scope.ADMIN], organisations=[name, f"uuid-of-{name}"])[1] for name in NAMES}
    bound["operator"] = keys.add("operator", [Scope.ADMIN])[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "Supervisor", partial(Supervisor, solve=SOLVE))
        app = main.create_app(settings)
        async with app.router.lifespan_context(app):
            clients = [client_of(app, bound[name]) for name in (*NAMES, "operator")]
            made = Rig(app, *clients)
            for name, client in (*zip(NAMES, clients, strict=False), (None, clients[2])):
                for state, behaviour in BEHAVIOURS.items():
                    await submit(client, id_of(name, state), behaviour)
            for name in (*NAMES, None):
                await until(made, id_of(name, "done"), lambda status: status == "completed")
                await until(made, id_of(name, "dead"), lambda status: status == "failed")
                await until(made, id_of(name, "busy"), lambda status: status == "running")
            yield made
            for client in clients:
                await client.aclose()


NAMES = ("north", "south")


def client_of(app: FastAPI, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", timeout=30, headers=headers)


def id_of(name: str | None, state: str) -> str:
    return f"{name or 'nobody'}-{state}"


async def submit(client: httpx.AsyncClient, job_id: str | None, behaviour: str, **fields: object) -> httpx.Response:
    body = {"dataset": campus(behaviour), "num_variants": 1, **fields, **({"job_id": job_id} if job_id else {})}
    return await client.post("/generate_variants", json=body)


async def status_of(rig: Rig, job_id: str) -> str:
    return str((await rig.operator.get(f"/progress/{job_id}")).json()["status"])


async def until(rig: Rig, job_id: str, wanted: Callable[[str], bool]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not wanted((await rig.operator.get(f"/progress/{job_id}")).json()["status"]):
            await anyio.sleep(0.05)


async def ask(client: httpx.AsyncClient, route: str, job_id: str) -> httpx.Response:
    method, _, path = route.partition(" ")
    number = "3" if "/attempts/" in path else "1"
    filled = {"{job_id}": job_id, "{n}": number, "{dept_id}": "D1", "{conflict_id}": "faculty_0123456789abcdef"}
    path += JOB_ROUTES[route].path
    for name, value in filled.items():
        path = path.replace(name, value)
    return await client.request(method, path)


def told(answer: httpx.Response, job_id: str) -> tuple[int, dict[str, str], str]:
    """All of an answer but the id it was asked for and the number of the request."""
    passing = {"x-request-id", "date", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in passing}
    return answer.status_code, headers, answer.text.replace(job_id, "ID")


def test_every_route_of_the_application_has_a_line_here(rig: Rig) -> None:
    served = {f"{method} {route.path}" for route in routes_of(rig.app.router) for method in route.methods - {"HEAD"}}
    assert served == ROUTES
    assert all("{job_id}" in route + row.path for route, row in JOB_ROUTES.items())
    assert not any("{job_id}" in route for route in ROUTES - JOB_ROUTES.keys())


# --- single jobs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", JOB_ROUTES)
async def test_another_organisations_job_is_answered_like_one_that_does_not_exist(rig: Rig, route: str) -> None:
    missing = told(await ask(rig.north, route, "missing"), "missing")
    assert missing[0] == (200 if route == CANCEL else 404), "a job that is cancelled may be still to come"
    for name in ("south", None):
        for state in BEHAVIOURS:
            job_id = id_of(name, state)
            before = await seen_by_operator(rig, job_id)
            assert told(await ask(rig.north, route, job_id), job_id) == missing
            assert await seen_by_operator(rig, job_id) == before, "and it is not touched"


async def seen_by_operator(rig: Rig, job_id: str) -> dict[str, Any]:
    """What an organisation could change about a job."""
    whole = (await rig.operator.get(f"/jobs/{job_id}")).json()
    job = rig.app.state.service.whole.supervisor.known(job_id)
    assert job is not None
    names = ("status", "dead_letter", "created_at", "finished_at", "deliveries", "has_result")
    return {
        **{name: whole[name] for name in names},
        "attempts": len(whole["attempts"]),
        "asked": (job.cancel_requested, job.finish_requested, job.attempt),
    }


@pytest.mark.parametrize("route", [route for route in JOB_ROUTES if route != CANCEL])
async def test_the_same_request_about_a_job_of_ones_own_finds_it(rig: Rig, route: str) -> None:
    answer = await ask(rig.south, route, id_of("south", JOB_ROUTES[route].own))
    if JOB_ROUTES[route].absent:
        assert answer.json()["code"] == "conflict_not_found"
        return
    assert answer.status_code in (200, 409), answer.text
    assert answer.status_code == 200 or answer.json()["code"] == "job_state"


async def test_a_job_of_ones_own_can_be_cancelled(rig: Rig) -> None:
    await submit(rig.north, "north-extra", "patient")
    assert (await rig.south.post("/cancel/north-extra")).json()["job_status"] == "unknown"
    assert await status_of(rig, "north-extra") in ("queued", "running"), "it is not touched"
    assert (await rig.north.post("/cancel/north-extra")).json()["job_status"] != "unknown"
    await until(rig, "north-extra", lambda status: status == "cancelled")
    assert (await rig.south.delete("/jobs/north-extra")).status_code == 404
    assert (await rig.north.delete("/jobs/north-extra")).status_code == 200


async def test_a_cancel_that_comes_early_calls_off_a_job_of_ones_own_organisation_alone(rig: Rig) -> None:
    assert (await rig.south.post("/cancel/north-early")).json()["job_status"] == "unknown"
    assert (await submit(rig.north, "north-early", "quick")).json()["status"] == "queued"
    for number, client in enumerate((rig.south, rig.operator)):
        await client.post(f"/cancel/south-early-{number}")
        assert (await submit(rig.south, f"south-early-{number}", "quick")).json()["status"] == "cancelled"


@pytest.mark.parametrize("spelling", ["/api/jobs/{}", "/jobs/{}/", "/api/jobs/{}/"])
async def test_no_other_spelling_of_a_route_leads_around_it(rig: Rig, spelling: str) -> None:
    assert (await rig.north.get(spelling.format("north-done"))).status_code == 200
    assert (await rig.north.get(spelling.format("south-done"))).status_code == 404


async def test_a_stream_of_events_ends_as_that_of_a_deleted_job_when_its_id_goes_to_another_organisation(
    rig: Rig,
) -> None:
    jobs = TenantJobs(
        rig.app.state.service.whole.supervisor, Caller(id="k", scopes=(Scope.READ,), organisations=("north",))
    )
    with anyio.fail_after(PATIENCE_SECONDS):
        assert await jobs.wait_for_change("south-busy", 7, FOR_EVER) == 7
    assert jobs.snapshot("south-busy") is None
    assert await jobs.attempts("south-done") == [] and await jobs.bundle("south-dead", 3) is None


# --- lists, and what is about no job ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_a_list_has_the_jobs_of_the_own_organisation_and_counts_no_others(rig: Rig, name: str) -> None:
    client = rig.north if name == "north" else rig.south
    listed = [job["job_id"] for job in (await client.get("/jobs")).json()["jobs"]]
    assert {id_of(name, state) for state in BEHAVIOURS} <= set(listed)
    assert all(job_id.startswith(name) for job_id in listed)
    second = (await client.get("/jobs", params={"limit": 1, "offset": 1})).json()["jobs"]
    assert [job["job_id"] for job in second] == listed[1:2], "others do not take places either"
    dead = (await client.get("/jobs", params={"dead_letter": True})).json()["jobs"]
    assert [job["job_id"] for job in dead] == [id_of(name, "dead")]


async def test_a_caller_who_is_bound_to_none_sees_all(rig: Rig) -> None:
    listed = {job["job_id"] for job in (await rig.operator.get("/jobs")).json()["jobs"]}
    assert {id_of(name, state) for name in (*NAMES, None) for state in BEHAVIOURS} <= listed
    assert (await rig.operator.get("/metrics")).status_code == 200
    assert (await rig.operator.get("/health")).status_code == 200


@pytest.mark.parametrize("route", sorted(WHOLE_ROUTES))
async def test_what_concerns_the_whole_service_is_refused(rig: Rig, route: str) -> None:
    answer = await rig.north.request(*route.split())
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_what_is_kept_is_counted_and_dropped_for_the_own_organisation_only(rig: Rig) -> None:
    async def kept(client: httpx.AsyncClient) -> int:
        return int((await client.get("/cache/stats")).json()["answers"]["entries"])

    async def invalidated(client: httpx.AsyncClient, name: str) -> httpx.Response:
        return await client.post("/cache/invalidate", json={"organization_id": name})

    clients = {"north": rig.north, "south": rig.south}
    for name in NAMES:
        await invalidated(rig.operator, name)
    for name, client in clients.items():
        assert await kept(client) == 0
        assert (await client.get(f"/variants/{id_of(name, 'done')}")).status_code == 200
        assert await kept(client) == 1
    assert await kept(rig.operator) >= 2
    for name in ("south", "nobody"):
        answer = await invalidated(rig.north, name)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        assert (await rig.north.post("/cache/warm", json={"organization_id": name})).status_code == 403
    assert await kept(rig.south) == 1
    answer = (await invalidated(rig.north, "north")).json()
    assert answer["invalidated"]["entries"] == 1 and answer["invalidated"]["bytes"] > 100
    assert (await kept(rig.north), await kept(rig.south)) == (0, 1)


@pytest.mark.parametrize("route", [*WITHOUT_JOBS, *LISTING])
async def test_what_is_about_no_job_names_nobody_elses(rig: Rig, route: str) -> None:
    method, path = route.split()[0], WITHOUT_JOBS.get(route, "/jobs")
    body = {"dataset": campus("quick"), "timetable": {"placements": []}} if method == "POST" else None
    answer = await rig.north.request(method, path, json=body)
    assert answer.status_code == 200, answer.text
    assert "south" not in answer.text
    assert all(id_of(None, state) not in answer.text for state in BEHAVIOURS)


@pytest.mark.parametrize("path", ["/preview?dataset_name=tiny&", "/jobs?", "/api/jobs/?"])
async def test_no_query_may_name_another_organisation(rig: Rig, path: str) -> None:
    assert (await rig.north.get(f"{path}organization_id=north")).status_code == 200
    assert (await rig.north.get(f"{path}organization_id=uuid-of-north")).status_code == 200
    for names in ("organization_id=south", "organization_id=north&organization_id=south", "organization%5Fid=south"):
        answer = await rig.north.get(f"{path}{names}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


# --- submitting ------------------------------------------------------------------------------------------------------


async def test_a_job_that_names_no_organisation_is_of_the_one_that_its_caller_is_bound_to(rig: Rig) -> None:
    assert (await rig.north.get("/jobs/north-done")).json()["metadata"]["organization_id"] == "north"
    again = await submit(rig.north, "north-done", "quick", organization_id="north")
    assert (again.status_code, again.json()["created"]) == (200, False)


@pytest.mark.parametrize("named", ["south", "uuid-of-south", "North", " north", "", "*"])
async def test_nobody_can_submit_for_another_organisation(rig: Rig, named: str) -> None:
    for job_id in ("free-id", "south-done", "north-done"):
        answer = await submit(rig.north, job_id, "quick", organization_id=named)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert (await rig.operator.get("/jobs/free-id")).status_code == 404


async def test_an_id_that_another_organisation_has_taken_is_taken_like_any_other(rig: Rig) -> None:
    own = await submit(rig.north, "north-done", "quick", seed=5)
    for job_id in ("south-done", "south-busy", "nobody-done"):
        for fields in ({}, {"seed": 5}, {"organization_id": "north"}):
            foreign = await submit(rig.north, job_id, "quick", **fields)
            assert told(foreign, job_id) == told(own, "north-done")
    assert own.status_code == 409 and own.json()["code"] == "job_conflict"


async def test_the_same_idempotency_key_of_two_organisations_is_two_jobs(rig: Rig) -> None:
    ids = []
    for client in (rig.north, rig.south, rig.north):
        body = {"dataset": campus("quick"), "num_variants": 1}
        answer = await client.post("/generate", json=body, headers={"Idempotency-Key": "spring"})
        ids.append(answer.json()["job_id"])
    assert ids[0] == ids[2] != ids[1]
    assert (await rig.north.get(f"/progress/{ids[1]}")).status_code == 404


# --- routes to come --------------------------------------------------------------------------------------------------


def test_the_narrowed_supervisor_is_called_like_the_whole_one() -> None:
    for name, method in inspect.getmembers(TenantJobs, inspect.isfunction):
        if name.startswith("_"):
            continue
        narrowed = inspect.signature(method).parameters
        whole = inspect.signature(getattr(Supervisor, name)).parameters
        assert {**narrowed} == {key: one for key, one in whole.items() if key not in ("among", "organisations")}, name


def test_what_concerns_everybody_is_refused_to_a_bound_caller(rig: Rig) -> None:
    whole: Service = rig.app.state.service
    bound = whole.seen_by(Caller(id="k", scopes=(Scope.ADMIN,), organisations=("north",)))
    assert whole.seen_by(Caller(id="k", scopes=(Scope.ADMIN,))) is whole
    assert bound.jobs.children == whole.jobs.children
    assert bound.everybody is None
    with pytest.raises(NotAllowed):
        _ = bound.whole
    for name in ("view", "count", "up"):
        with pytest.raises(NotAllowed):
            getattr(bound.platform, name)


def test_a_caller_without_any_organisation_reaches_nothing() -> None:
    assert not Caller(id="k", scopes=(), organisations=()).reaches(None)
    assert not Caller(id="k", scopes=(), organisations=("north",)).reaches(None)
    assert Caller(id="k", scopes=()).reaches(None)
