"""
The API description, made to be held against the service: every status and media type that a route can answer with.

Routes read bodies and choose answers themselves, so FastAPI cannot know them; they are stated here, by simple rules
about the shape of a route and one table of the answers that are no JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.access import access_of
from app.api.examples import add_examples
from app.errors import MEDIA_TYPE
from app.schemas import JOB_ID_PATTERN
from solver.formats import EXPORTS

JSON = "application/json"
MEDIA_TYPES: Mapping[str, tuple[str, ...]] = {
    "GET /": (JSON, "text/html"),
    "GET /metrics": ("text/plain", "application/openmetrics-text"),
    "GET /progress/{job_id}/events": ("text/event-stream",),
    "GET /variants/{job_id}/{n}": (JSON, *dict.fromkeys(file.media_type for file in EXPORTS.values())),
}
"""Media types of good answers, where they are not just JSON."""

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        # The platform's poller reads the status of a job here, also where there is no such job.
        "status": {"anyOf": [{"type": "integer", "minimum": 400, "maximum": 599}, {"const": "not_found"}]},
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


class Described(FastAPI):
    """FastAPI with a description that says what its routes really answer."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    _describe(f"{method.upper()} {path}", operation)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas["Problem"] = PROBLEM
            document["components"]["securitySchemes"] = SECURITY
            self.openapi_schema = document
        return self.openapi_schema


def _describe(route: str, operation: dict[str, Any]) -> None:
    good: dict[str, Any] = {media_type: {"schema": {}} for media_type in MEDIA_TYPES.get(route, (JSON,))}
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


_REFUSALS: Mapping[int, str] = {
    400: "The request is no proper HTTP, or a header cannot be used.",
    401: "A key is needed.",
    403: "The key has not this right.",
    404: "There is no such job, variant, conflict or dataset.",
    406: "Not available in this format.",
    408: "The body did not arrive in time.",
    409: "Not possible in the state of the job, or the job id is taken.",
    413: "The body is too large.",
    422: "The body or a parameter cannot be used; every problem is listed.",
    429: "Too many requests, or the queue is full.",
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
    "DELETE /jobs",
)


def _refusals(route: str, operation: Mapping[str, Any]) -> Iterator[int]:
    """Every status but 200 that a route can answer with, apart from a bug of ours."""
    yield from (400, 401, 403, 429, 503)
    if operation.get("parameters") or "requestBody" in operation:
        yield from (404, 422)
    if "requestBody" in operation:
        yield from (408, 413)
    if route.startswith(_NOT_IN_EVERY_STATE):
        yield 409
    if route.startswith(("POST /restart", "POST /generate", "POST /admin")):
        yield 507
    if route == "GET /variants/{job_id}/{n}":
        yield 406


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route whose body is read as `model`."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    content = {JSON: {"schema": _inlined(schema, definitions)}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with every reference replaced by what it refers to; our models do not refer to themselves."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}
