"""
The API description, made to be held against the service: every status, media type and field that a route can answer.

Routes read bodies and choose answers themselves, so FastAPI cannot know them; they are stated here, by simple rules
about the shape of a route, the classes of `app.http.answers`, and one table of the answers that are no JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.domain.requests import JOB_ID_PATTERN, CacheRequest, GenerateRequest, ScoreRequest, Source, ValidateRequest
from app.http.access import access_of
from app.http.answers import OPERATIONS, REFERENCE, answer_schemas
from app.http.examples import add_examples
from app.http.problems import MEDIA_TYPE
from solver.formats import EXPORTS
from solver.formats.native_schema import TimetableDataset, dataset_schema

JSON, BINARY = "application/json", "application/octet-stream"
MEDIA_TYPES: Mapping[str, tuple[str, ...]] = {
    "GET /": (JSON, "text/html"),
    "GET /metrics": ("text/plain", "application/openmetrics-text"),
    "GET /progress/{job_id}/events": ("text/event-stream",),
    "GET /variants/{job_id}/{n}": (JSON, *dict.fromkeys(file.media_type for file in EXPORTS.values())),
    "GET /variants/{job_id}/{n}/file": (BINARY,),
}
"""Media types of good answers, where they are not just JSON. Clients of one type each take the first."""

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        # The platform's poller reads the status of a job here, also where there is no such job. As a `const`, generated
        # clients take it for the only value and fail on every other refusal.
        "status": {
            "anyOf": [{"type": "integer", "minimum": 400, "maximum": 599}, {"type": "string", "enum": ["not_found"]}]
        },
        "code": {"type": "string", "description": "Stable, for programs."},
        "detail": {"type": "string", "description": "For people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message", "value"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the request body."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "value": {},
                },
            },
        },
    },
}
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "The key is the password; the user may have any name."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a repeated request without a job_id the same job.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


DATASET = {"$ref": REFERENCE.format(model=TimetableDataset.__name__)}
"""A native dataset. It is read by `solver.formats`, which tells all that is wrong with it."""


class Described(FastAPI):
    """FastAPI with a description that says what its routes really answer."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once; every operation has its description, examples and answers."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    _describe(f"{method.upper()} {path}", operation)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas |= {"Problem": PROBLEM, **_body_schemas(), **answer_schemas(), **_dataset_schemas()}
            schemas["SampleBody"]["properties"]["dataset"] = DATASET
            document["components"]["securitySchemes"] = SECURITY
            self.openapi_schema = document
        return self.openapi_schema


def _describe(route: str, operation: dict[str, Any]) -> None:
    good = {media_type: {"schema": _schema_of(route, media_type)} for media_type in MEDIA_TYPES.get(route, (JSON,))}
    operation["operationId"] = OPERATIONS[route].id
    status = next(status for status in operation["responses"] if status.startswith("2"))
    operation["responses"] = {status: {"description": "The answer.", "content": good}}
    for refusal in sorted(_refusals(route, operation)):
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"][str(refusal)] = {"description": _REFUSALS[refusal], "content": content}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "job_id":
            parameter["schema"] = {**parameter["schema"], "pattern": JOB_ID_PATTERN}
    if route == "POST /generate_variants":
        operation.setdefault("parameters", []).append(dict(IDEMPOTENCY_KEY))
    add_examples(route, operation)
    scope = access_of(*route.split()).scope
    # An empty entry stands for "no key": a service without any asks for none.
    operation["security"] = [] if scope is None else [{}, *({scheme: []} for scheme in SECURITY)]


def _schema_of(route: str, media_type: str) -> dict[str, Any]:
    """Of a good answer: a class of ours, a text, or bytes."""
    answer = OPERATIONS[route].answer
    if media_type == JSON and answer is not None:
        return {"$ref": REFERENCE.format(model=answer.__name__)}
    return {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}


def _dataset_schemas() -> dict[str, Any]:
    """A native dataset and its parts, for `components`."""
    whole = dataset_schema(REFERENCE)
    return {**whole.pop("$defs"), whole["title"]: whole}


_REFUSALS: Mapping[int, str] = {
    400: "The request is no proper HTTP, or a header cannot be used.",
    401: "A key is needed.",
    403: "The key has not this right.",
    404: "There is no such job, variant, conflict or dataset.",
    406: "Not available in this format.",
    408: "The body did not arrive in time.",
    409: "Not possible in the state of the job, or the job id is taken.",
    413: "The body is too large.",
    415: "The body is packed in a way that is not known.",
    422: "The body or a parameter cannot be used; every problem is listed.",
    429: "Too many requests, or the queue is full.",
    500: "A fault of ours; the correlation id finds it in the log.",
    501: "What this takes is not installed here.",
    502: "The platform's data cannot be had.",
    503: "Not at the moment; Retry-After says when to come back.",
    507: "There is no room to store a job.",
}


_NOT_IN_EVERY_STATE = (
    "GET /variants",
    "GET /conflicts",
    "POST /conflicts",
    "POST /generate_variants",
    "POST /cancel",
    "POST /finish",
    "POST /restart",
    "POST /jobs",
    "DELETE /jobs",
    "GET /timetables",
)


def _refusals(route: str, operation: Mapping[str, Any]) -> Iterator[int]:
    """Every status but 200 that a route can answer with."""
    yield from (400, 401, 403, 429, 500, 503)
    if operation.get("parameters") or "requestBody" in operation:
        yield from (404, 422)
    if not route.startswith("GET"):
        yield 507  # whatever is written needs room
    if "requestBody" in operation:
        yield from (408, 413, 415)
    if route.startswith(_NOT_IN_EVERY_STATE):
        yield 409
    if route.startswith("GET /variants/{job_id}/{n}"):
        yield 406
    if route == "POST /admin/backup":
        yield 501
    if route == "GET /preview":
        yield 502


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route whose body is read as `model`, one of `BODIES`."""
    content = {JSON: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


BODIES: tuple[type[BaseModel], ...] = (GenerateRequest, ValidateRequest, ScoreRequest, CacheRequest)


def _body_schemas() -> dict[str, Any]:
    """What is sent, for `components`."""
    _, document = models_json_schema([(model, "validation") for model in BODIES], ref_template=REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    for model in BODIES:
        if issubclass(model, Source):
            told = schemas[model.__name__]["properties"]
            told["dataset"] = {"anyOf": [DATASET, {"type": "null"}], "description": told["dataset"]["description"]}
    return schemas
