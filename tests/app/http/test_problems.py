from __future__ import annotations

import json
import logging

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from app.domain.exceptions import DatasetNotFound, ServiceError
from app.domain.issues import below, wire_issue
from app.domain.jobs import JobConflict, QueueFull
from app.http.problems import PROBLEMS, UnforeseenErrors, install, issues_of, problem_response
from app.store import StoreUnavailable
from solver.errors import InputError, Issue

pytestmark = pytest.mark.anyio


class Wanted(BaseModel):
    count: int


def small_app() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    app.add_middleware(UnforeseenErrors)
    install(app)

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("secret /var/lib/path")

    @app.get("/locked")
    async def locked() -> None:
        raise StoreUnavailable("database is locked: /var/lib/jobs.db")

    @app.get("/full")
    async def full() -> None:
        raise QueueFull(7)

    @app.get("/number/{n}")
    async def number(n: int) -> int:
        return n

    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


async def test_an_unforeseen_error_gives_a_correlation_id_and_no_internals(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(small_app()) as client:
        with caplog.at_level(logging.ERROR, logger="timetable.errors"):
            answer = await client.get("/bug")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["code"] == "internal_error"
        assert "secret" not in answer.text
        assert body["correlation_id"] in caplog.text
        assert len(caplog.records) == 1
        assert (await client.get("/number/3")).json() == 3, "the service lives on"


async def test_a_locked_store_is_a_503_with_a_time_to_come_back_and_without_its_path() -> None:
    async with client_of(small_app()) as client:
        answer = await client.get("/locked")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "30"
    assert "/var" not in answer.text


async def test_a_full_queue_says_when_to_come_back() -> None:
    async with client_of(small_app()) as client:
        answer = await client.get("/full")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "queue_full", "30")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/bug", 405, "method_not_allowed"),
        ("GET", "/number/x", 422, "invalid_parameter"),
    ],
)
async def test_the_frameworks_own_errors_are_problem_documents_too(
    method: str, path: str, status: int, code: str
) -> None:
    async with client_of(small_app()) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert isinstance(answer.json()["detail"], str)


async def test_a_bad_parameter_is_named_with_its_value() -> None:
    async with client_of(small_app()) as client:
        answer = await client.get("/number/x")
    assert answer.json()["errors"][0]["pointer"] == "/n"
    assert answer.json()["errors"][0]["value"] == "x"


def test_every_row_of_the_table_is_a_client_or_availability_error() -> None:
    for kind, row in PROBLEMS.items():
        assert 400 <= row.status <= 503 or row.code == "disk_full", kind
        assert row.status != 500, kind
        assert row.code.replace("_", "").isalpha()
        assert (row.retry_after is not None) >= (row.status in (429, 503)), f"{kind} must say when to come back"


def test_more_than_a_hundred_errors_are_cut_and_counted() -> None:
    issues = [Issue(pointer=f"/rooms/{i}", code="duplicate", message="twice") for i in range(250)]
    body = json.loads(bytes(problem_response(InputError(issues)).body))
    assert (len(body["errors"]), body["errors_total"]) == (100, 250)
    assert body["detail"] == "/rooms/0: twice (and 249 more)"


def test_issues_of_a_part_get_the_pointer_of_the_whole() -> None:
    moved = below("/dataset", InputError([Issue(pointer="/rooms/0/id", code="x", message="m", value=3)]))
    assert moved.issues == (Issue(pointer="/dataset/rooms/0/id", code="x", message="m", value=3),)


def test_pydantic_complaints_have_our_codes() -> None:
    found = []
    for document in ({"count": "x"}, {}, {"count": [1]}):
        try:
            Wanted.model_validate(document)
        except ValueError as error:
            found += [(issue.pointer, issue.code) for issue in issues_of(error)]
    assert found == [("/count", "wrong_type"), ("/count", "missing"), ("/count", "wrong_type")]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        10**400,
        2**60,
        "x" * 10_000,
        "\ud800",
        list(range(10_000)),
        [[[[[[[[1]]]]]]]],
        {"a" * 5000: {"b": object()}},
        b"\xff",
        {1, 2},
    ],
)
def test_any_offending_value_can_be_sent_back_small_and_as_json(value: object) -> None:
    text = json.dumps(wire_issue(Issue(pointer="/x", code="bad_value", message="no", value=value)), allow_nan=False)
    assert len(text.encode()) < 5000


def test_own_errors_carry_their_members_and_others_do_not_leak_them() -> None:
    body = json.loads(bytes(problem_response(ServiceError("no", members={"formats": ["json"]})).body))
    assert body["formats"] == ["json"]
    body = json.loads(bytes(problem_response(JobConflict("j1")).body))
    assert (body["status"], body["code"], body["errors"]) == (409, "job_conflict", [])
    assert "j1" in body["detail"]
    assert json.loads(bytes(problem_response(DatasetNotFound("none")).body))["title"] == "Unknown dataset"
