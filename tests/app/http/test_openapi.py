"""The API description against the service: what it promises holds for real answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from app.domain.requests import JOB_ID_PATTERN, PATTERNS
from app.http.access import ROUTES
from app.http.answers import OPERATIONS
from app.http.problems import PROBLEMS
from solver.errors import InputError
from solver.formats.native import dump_dataset, load_dataset
from solver.formats.native_schema import dataset_schema
from solver.samples import sample

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


def test_every_operation_has_a_name_of_its_own_and_a_class_for_its_answer(application: FastAPI) -> None:
    known = operations(application)
    assert known.keys() == OPERATIONS.keys()
    names = [operation["operationId"] for operation in known.values()]
    assert len(set(names)) == len(names) and all(name.isidentifier() and name.islower() for name in names)
    schemas = application.openapi()["components"]["schemas"]
    for route, operation in known.items():
        (good,) = (answer for status, answer in operation["responses"].items() if status.startswith("2"))
        for media_type, content in good["content"].items():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            assert content["schema"].get("type") == "string" or schemas[name]["properties"], (route, media_type)


def test_every_kind_of_error_is_documented_where_it_can_come_from(application: FastAPI) -> None:
    told = {status for operation in operations(application).values() for status in operation["responses"]}
    assert {str(row.status) for row in PROBLEMS.values()} <= told


@pytest.mark.parametrize("name", ["tiny", "college", "infeasible"])
def test_the_schema_of_a_dataset_fits_every_sample(name: str) -> None:
    jsonschema_rs.validate(dataset_schema(), dump_dataset(sample(name)))


@pytest.mark.parametrize(
    "change",
    [{"rooms": None}, {"rooms": [{"id": "R"}]}, {"colour": "red"}, {"courses": [{"id": 1}]}, {"schema": "other/1"}],
)
def test_the_schema_of_a_dataset_refuses_what_its_reader_refuses(change: dict[str, Any]) -> None:
    document = {**dump_dataset(sample("tiny")), **change}
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(dataset_schema(), document)
    with pytest.raises(InputError):
        load_dataset(document)


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
    body = application.openapi()["components"]["schemas"]["GenerateRequest"]
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
