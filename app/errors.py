"""
Every error a client can see, as one table from exception to HTTP status and code. No other file names a status code.

The body is `application/problem+json`: `type`, `title`, `status`, `code`, `detail` (a string, as the platform reads it)
and `errors[]` of `{pointer, code, message, value}`, where the pointer is a JSON pointer into the request body. What we
did not foresee ends in `LastResort`: a correlation id for the client, the traceback for the log, nothing in between.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.jobs import JobConflict, JobStateError, QueueFull
from app.store import StoreError
from solver.errors import InputError, Issue
from solver.formats.issues import MAX_ITEMS, MAX_SHOWN_DEPTH, MAX_TEXT, pointer, readable
from solver.formats.issues import issues_of as translated

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100
ROOM_FOR_COUNT = 40
"""A text that was cut says how long it was."""

_log = logging.getLogger("timetable.errors")


class ServiceError(Exception):
    """
    The service refuses a request on purpose.

    `issues` point into the request; `members` become further members of the problem document.
    """

    def __init__(
        self, detail: str, *, issues: Sequence[Issue] = (), members: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(detail)
        self.issues = tuple(issues)
        self.members = dict(members or {})


class JobNotFound(ServiceError):
    """No job has this id."""

    def __init__(self, job_id: str, **members: object) -> None:
        shown = job_id[:200]
        detail = f"There is no job {shown!r}."
        super().__init__(detail, members={"job_id": shown, "message": detail, **members})


class ResultNotReady(ServiceError):
    """The job has not ended yet."""


class NoResult(ServiceError):
    """The job ended without a timetable, or has no such variant."""


class FormatNotAvailable(ServiceError):
    """A result was asked for in a format that we do not write."""


class DatasetNotFound(ServiceError):
    """No sample has this name."""


class SourceNotConfigured(ServiceError):
    """The request names no data, and no platform database is configured to take them from."""


class NotReady(ServiceError):
    """No jobs can be taken at the moment."""


class BodyTooLarge(ServiceError):
    """The request body has more bytes than `max_body_mb` allows."""


class BodyTooSlow(ServiceError):
    """The request body did not arrive within `body_seconds`."""


class Row(NamedTuple):
    """How one kind of exception is answered. `retry_after` is in seconds."""

    status: int
    code: str
    title: str
    retry_after: int | None = None


PROBLEMS: Mapping[type[Exception], Row] = {
    InputError: Row(422, "invalid_input", "The input cannot be used"),
    ValidationError: Row(422, "invalid_input", "The input cannot be used"),
    RequestValidationError: Row(422, "invalid_parameter", "A parameter cannot be used"),
    SourceNotConfigured: Row(422, "source_not_configured", "No data source"),
    BodyTooLarge: Row(413, "body_too_large", "The request body is too large"),
    BodyTooSlow: Row(408, "body_too_slow", "The request body took too long"),
    JobNotFound: Row(404, "job_not_found", "Unknown job"),
    DatasetNotFound: Row(404, "dataset_not_found", "Unknown dataset"),
    NoResult: Row(404, "no_result", "No such result"),
    FormatNotAvailable: Row(406, "not_available", "Format not available"),
    ResultNotReady: Row(409, "result_not_ready", "The job is still at work", retry_after=2),
    JobConflict: Row(409, "job_conflict", "Another job has this id"),
    JobStateError: Row(409, "job_state", "Not possible in this state of the job"),
    # The platform repeats a 429 or 503 after 30 s, so these two stand only where that helps.
    QueueFull: Row(429, "queue_full", "Too many jobs are waiting", retry_after=30),
    NotReady: Row(503, "not_ready", "Not ready", retry_after=5),
    StoreError: Row(503, "store_damaged", "The job store is damaged", retry_after=30),
    sqlite3.OperationalError: Row(503, "store_unavailable", "The job store does not answer", retry_after=30),
}
_UNFORESEEN = Row(500, "internal_error", "Internal error")
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}

_CODES = {
    "string_pattern_mismatch": "bad_id",
    "string_too_long": "too_large",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
}
"""What pydantic calls a problem -> its code, where `solver.formats.issues` has no name for it."""


def install(app: FastAPI) -> None:
    """Makes `app` answer every error of the table, and the framework's own, as a problem document."""
    for kind in (*PROBLEMS, HTTPException):
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The problem document of one exception."""
    request.scope["error_code"] = row_of(error).code
    return problem_response(error)


def row_of(error: Exception) -> Row:
    """The row of the nearest ancestor that the table knows."""
    if isinstance(error, HTTPException):
        return Row(error.status_code, _HTTP_CODES.get(error.status_code, "http_error"), str(error.detail))
    return next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), _UNFORESEEN)


def problem_response(error: Exception, members: Mapping[str, object] | None = None) -> JSONResponse:
    """The whole answer: status, problem document, headers."""
    row, issues = row_of(error), issues_of(error)
    detail = _detail(error, row, issues)
    content = {
        "type": f"urn:timetable:problem:{row.code}",
        "title": row.title,
        "status": row.status,
        "code": row.code,
        "detail": detail,
        "errors": [wire_issue(issue) for issue in issues[:MAX_ERRORS]],
        **({"errors_total": len(issues)} if len(issues) > MAX_ERRORS else {}),
        **(error.members if isinstance(error, ServiceError) else {}),
        **(members or {}),
    }
    headers = dict(getattr(error, "headers", None) or {})
    if row.retry_after is not None:
        headers["Retry-After"] = str(row.retry_after)
    return JSONResponse(content, row.status, headers, MEDIA_TYPE)


def _detail(error: Exception, row: Row, issues: Sequence[Issue]) -> str:
    if row is _UNFORESEEN:
        return "Something went wrong on our side. The correlation id finds it in the log."
    if isinstance(error, sqlite3.Error):
        return "The job store does not answer at the moment. Nothing was lost; please repeat the request."
    if not issues or isinstance(error, ServiceError):
        return str(error.detail) if isinstance(error, HTTPException) else str(error)
    more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
    return f"{issues[0].pointer or 'body'}: {issues[0].message}{more}"


def issues_of(error: Exception) -> Sequence[Issue]:
    """Every problem that the exception points at, in document order."""
    if isinstance(error, InputError | ServiceError):
        return error.issues
    if isinstance(error, RequestValidationError):
        return [_parameter_issue(line) for line in error.errors()]
    if isinstance(error, ValidationError):
        kinds = (str(line["type"]) for line in error.errors(include_url=False))
        return [_recoded(issue, kind) for issue, kind in zip(translated(error), kinds, strict=True)]
    return ()


def _parameter_issue(line: Mapping[str, Any]) -> Issue:
    """A complaint about a path or query parameter; its `loc` begins with the word "path" or "query"."""
    issue = Issue(pointer=pointer(line["loc"][1:]), code="bad_value", message=str(line["msg"]), value=line.get("input"))
    return _recoded(issue, str(line["type"]))


def _recoded(issue: Issue, kind: str) -> Issue:
    """Requests are read leniently, datasets strictly; the complaints of lenient reading get the same codes."""
    wrong_type = kind.endswith(("_parsing", "_type", "_from_float"))
    code = _CODES.get(kind, "wrong_type" if wrong_type else issue.code)
    return replace(issue, code=code if issue.code == "bad_value" else issue.code)


def below(prefix: str, error: InputError) -> InputError:
    """The same error for a document that stands at `prefix` of the request body."""
    return InputError(
        Issue(pointer=prefix + issue.pointer, code=issue.code, message=issue.message, value=issue.value)
        for issue in error.issues
    )


def wire_issue(issue: Issue) -> dict[str, object]:
    """One entry of `errors[]`; text and value are cut to what a person needs to recognise them."""
    short = readable(issue)
    value = issue.value if _is_short(issue.value) else short.value
    return {"pointer": short.pointer, "code": short.code, "message": short.message, "value": value}


def _is_short(value: object, depth: int = 0) -> bool:
    """Whether a value can be sent as it is. One that a reader has cut already must not be cut again."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT + ROOM_FOR_COUNT and value.isprintable()
    if isinstance(value, int):
        return value.bit_length() <= 64
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return _is_short(list(value), depth) and _is_short(list(value.values()), depth)
    if isinstance(value, list):
        return len(value) <= MAX_ITEMS + 1 and depth <= MAX_SHOWN_DEPTH and all(_is_short(v, depth + 1) for v in value)
    return value is None


class LastResort:
    """
    The last layer: an exception that no handler knows becomes a 500 with a correlation id, and the service lives on.

    Neither text nor traceback reach the client. When the answer has already begun the connection is dropped, which
    is the only honest way to say that it is incomplete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            correlation_id = uuid.uuid4().hex
            _log.error("unforeseen error, correlation id %s", correlation_id, exc_info=error)
            scope["error_code"] = _UNFORESEEN.code
            if begun:
                raise
            response = problem_response(error, {"correlation_id": correlation_id})
            await response(scope, receive, send)
        return None
