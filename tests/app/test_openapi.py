"""The API description against the service: what it promises holds for real answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.access import ROUTES
from app.schemas import JOB_ID_PATTERN, PATTERNS

pytestmark = pytest.mark.anyio


def operations(application: FastAPI) -> dict[str, Any]:
    paths = application.openapi()["paths"]
    return {f"{method.upper()} {path}": what for path, verbs in paths.items() for method, what in verbs.items()}


def test_every_operation_says_how_it_refuses_and_whether_it_takes_a_key(application: FastAPI) -> None:
    for route, operation in operations(application).items():
        statuses = set(operation["responses"])
        assert {"400", "401", "403", "429", "503"} < statuses, route
        assert ("413" in statuses) == ("requestBody" in operation), route
        assert (operation["security"] == []) == (ROUTES[route].scope is None), route
        for status, response in operation["responses"].items():
            assert ("application/problem+json" in response["content"]) == (status[0] != "2"), (route, status)


def test_every_job_id_of_a_path_has_the_pattern_of_job_ids(application: FastAPI) -> None:
    found = [
        parameter["schema"]["pattern"]
        for operation in operations(application).values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "job_id"
    ]
    assert len(found) >= 9 and set(found) == {JOB_ID_PATTERN}


def test_every_pattern_of_a_parameter_is_told_in_words_too(application: FastAPI) -> None:
    found = {
        parameter["schema"]["pattern"]
        for operation in operations(application).values()
        for parameter in operation.get("parameters", ())
        if "pattern" in parameter["schema"] and parameter["in"] != "header"
    }
    assert found and found <= PATTERNS.keys()


@pytest.mark.parametrize("job_id", ["", "  ", "a", "a.b-c:d_e", "x" * 128, "x" * 129, "a b", "../a", "-a"])
async def test_the_pattern_of_the_job_id_in_a_body_is_what_is_taken(
    application: FastAPI, client: httpx.AsyncClient, job_id: str
) -> None:
    body = operations(application)["POST /generate_variants"]["requestBody"]["content"]["application/json"]["schema"]
    pattern = next(choice["pattern"] for choice in body["properties"]["job_id"]["anyOf"] if "pattern" in choice)
    errors = (await client.post("/generate_variants", json={"job_id": job_id, "dataset": {}})).json()["errors"]
    refused = any(error["pointer"] == "/job_id" for error in errors)
    assert (re.search(pattern, job_id) is None) == refused


@pytest.mark.parametrize(
    "route", ["GET /metrics", "GET /health", "GET /jobs/nobody", "GET /nowhere", "GET /progress/nobody"]
)
async def test_an_answer_has_a_media_type_that_was_promised(
    application: FastAPI, client: httpx.AsyncClient, route: str
) -> None:
    answer = await client.get(route.split()[1])
    kind = answer.headers["content-type"].partition(";")[0]
    if answer.status_code == 404:
        assert kind == "application/problem+json"
    else:
        assert kind in operations(application)[route]["responses"]["200"]["content"]
