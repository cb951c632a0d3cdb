"""Holds real answers against the classes that describe them: nothing is missing, of another type, or untold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
from pydantic import BaseModel
from starlette.routing import compile_path

from app.http.answers import OPERATIONS
from app.http.answers.common import Answer
from app.http.answers.jobs import ProgressMetadata

_PATTERNS = {route: compile_path(route.split()[1])[0] for route in sorted(OPERATIONS, key=lambda it: it.count("{"))}
"""Paths with fewer variables first: `/variants/{job_id}/who` is no number of a variant."""


def route_of(method: str, path: str) -> str | None:
    """The documented route that a request is for; None where there is none."""
    plain = path.removeprefix("/api").rstrip("/") or "/"
    return next((route for route, it in _PATTERNS.items() if route.split()[0] == method and it.match(plain)), None)


def check_answer(answer: type[Answer], document: Any) -> None:
    """Raises where a document of JSON is not what its class says, or says more."""
    untold = sorted(set(_untold(answer.model_validate(document, strict=True), answer.__name__)))
    assert not untold, f"fields that no class tells: {untold}"


def _untold(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        if not isinstance(value, ProgressMetadata):  # whatever fields of a request a job has kept
            yield from (f"{place}.{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from _untold(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list):
        for entry in value:
            yield from _untold(entry, f"{place}[]")
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _untold(entry, f"{place}{{}}")


async def check_response(response: httpx.Response) -> None:
    """For the hooks of a client: every good JSON answer is as documented, whatever the test is about."""
    route = route_of(response.request.method, response.request.url.path)
    kind = response.headers.get("content-type", "").partition(";")[0]
    answer = OPERATIONS[route].answer if route is not None else None
    if answer is not None and response.is_success and kind == "application/json" and response.request.method != "HEAD":
        await response.aread()
        check_answer(answer, response.json())
