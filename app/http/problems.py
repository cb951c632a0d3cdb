"""
Every error a client can see, as one table from exception to HTTP status and code. No other file names a status code.

The body is `application/problem+json`: `type`, `title`, `status`, `code`, `detail` (a string, as the platform reads it)
and `errors[]` of `{pointer, code, message, value}`, where the pointer is a JSON pointer into the request body. What we
did not foresee ends in `UnforeseenErrors`: a correlation id for the client, the traceback for the log, and no more.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.exceptions import (
    ConflictNotFound,
    DatasetNotFound,
    FormatNotAvailable,
    JobNotFound,
    NoBundle,
    NoResult,
    NotAllowed,
    NotReady,
    ParsePoolAway,
    ParsePoolBusy,
    ParsePoolStarved,
    Refused,
    ResultNotReady,
    ResultTooHeavy,
    ServiceError,
    SourceNotConfigured,
    TooHeavy,
)
from app.domain.issues import MAX_ISSUES, detail_of, issues_of, parameter_issue, wire_issue
from app.domain.jobs import DiskFull, JobConflict, JobStateError, QueueFull, TooManyCancels
from app.domain.source import SourceError, UnknownOrganisation
from app.http.access import methods_of
from app.store import StoreDamaged, StoreError, StoreFull, StoreUnavailable
from app.store.manifests import NoTools
from solver.errors import InputError, Issue
from solver.formats.issues import shortened

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("timetable.errors")


# --- what only HTTP can be wrong about ---


class FileNotFound(ServiceError):
    """The page has no such file."""


class BodyTooLarge(ServiceError):
    """The request body has more bytes than `max_body_mb` allows."""


class BodyTooSlow(ServiceError):
    """The request body did not arrive within `body_seconds`."""


class BadHeader(ServiceError):
    """A header of the request cannot be used."""


class UnknownEncoding(ServiceError):
    """The body is packed in a way that is not unpacked here."""

    def __init__(self, named: str) -> None:
        shown = shortened(named if named.isprintable() else "unknown", 40)
        super().__init__(f"The body is encoded as {shown!r}. Send it as plain JSON, or with `Content-Encoding: gzip`.")


class NotUnpacked(ServiceError):
    """The body is no gzip data, or not all of it, although its header says so."""


class BadFraming(ServiceError):
    """The request says in two ways where its body ends. The connection is of no more use."""


class IdempotencyMismatch(ServiceError):
    """The same Idempotency-Key came with another body."""


class NoKey(ServiceError):
    """The request has no API key or token, or none that is valid."""

    def __init__(self) -> None:
        super().__init__(
            "A valid API key or token is needed: `Authorization: Bearer <key>`, `X-API-Key: <key>`, "
            "or the key as the password of the address, `http://platform:<key>@host`."
        )


class RateLimited(ServiceError):
    """The client has asked too often. `seconds` is when the next request of this kind is welcome."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.seconds = seconds


class TooManyStreams(ServiceError):
    """As many event streams are open as are served."""


# --- how each is answered ---


class ProblemType(NamedTuple):
    """How one kind of exception is answered. `retry_after` is in seconds."""

    status: int
    code: str
    title: str
    retry_after: int | None = None
    headers: Mapping[str, str] = {}


PROBLEMS: Mapping[type[Exception], ProblemType] = {
    InputError: ProblemType(422, "invalid_input", "The input cannot be used"),
    ValidationError: ProblemType(422, "invalid_input", "The input cannot be used"),
    RequestValidationError: ProblemType(422, "invalid_parameter", "A parameter cannot be used"),
    UnknownOrganisation: ProblemType(404, "organisation_not_found", "Unknown organisation"),
    SourceError: ProblemType(502, "platform_data", "The platform's data cannot be had"),
    SourceNotConfigured: ProblemType(422, "source_not_configured", "No data source"),
    BodyTooLarge: ProblemType(413, "body_too_large", "The request body is too large"),
    TooHeavy: ProblemType(422, "too_large", "The request is too large to be read"),
    UnknownEncoding: ProblemType(
        415,
        "unknown_encoding",
        "The request body is encoded in a way that is not known",
        headers={"Accept-Encoding": "gzip"},
    ),
    NotUnpacked: ProblemType(400, "bad_gzip", "The request body cannot be unpacked"),
    BadFraming: ProblemType(400, "bad_framing", "The request is framed in two ways", headers={"Connection": "close"}),
    BadHeader: ProblemType(400, "bad_header", "A header cannot be used"),
    IdempotencyMismatch: ProblemType(422, "idempotency_key_reused", "This Idempotency-Key belongs to another request"),
    NoKey: ProblemType(401, "no_key", "No valid key", headers={"WWW-Authenticate": 'Bearer realm="timetable"'}),
    NotAllowed: ProblemType(403, "not_allowed", "The key has not this right"),
    RateLimited: ProblemType(429, "rate_limited", "Too many requests", retry_after=1),
    BodyTooSlow: ProblemType(408, "body_too_slow", "The request body took too long"),
    JobNotFound: ProblemType(404, "job_not_found", "Unknown job"),
    DatasetNotFound: ProblemType(404, "dataset_not_found", "Unknown dataset"),
    NoResult: ProblemType(404, "no_result", "No such result"),
    ConflictNotFound: ProblemType(404, "conflict_not_found", "Unknown conflict"),
    FileNotFound: ProblemType(404, "file_not_found", "No such file"),
    NoBundle: ProblemType(404, "no_diagnosis", "No diagnosis"),
    FormatNotAvailable: ProblemType(406, "not_available", "Format not available"),
    ResultNotReady: ProblemType(409, "result_not_ready", "The job is still at work", retry_after=2),
    JobConflict: ProblemType(409, "job_conflict", "Another job has this id"),
    JobStateError: ProblemType(409, "job_state", "Not possible in this state of the job"),
    # The platform repeats a 429 or 503 after 30 s, so these two stand only where that helps.
    TooManyCancels: ProblemType(429, "too_many_cancels", "Too many unknown jobs were cancelled", retry_after=60),
    QueueFull: ProblemType(429, "queue_full", "Too many jobs are waiting", retry_after=30),
    NotReady: ProblemType(503, "not_ready", "Not ready", retry_after=5),
    ResultTooHeavy: ProblemType(503, "result_too_heavy", "The result is too large to be made now", retry_after=60),
    ParsePoolBusy: ProblemType(503, "readers_busy", "Too many large requests at once", retry_after=5),
    ParsePoolAway: ProblemType(503, "readers_away", "Large requests cannot be read at the moment", retry_after=5),
    ParsePoolStarved: ProblemType(503, "out_of_memory", "The service has run out of memory", retry_after=30),
    TooManyStreams: ProblemType(503, "too_many_streams", "Too many event streams", retry_after=5),
    StoreUnavailable: ProblemType(503, "store_unavailable", "The job store does not answer", retry_after=30),
    DiskFull: ProblemType(507, "disk_full", "There is no room left for more jobs", retry_after=60),
    StoreFull: ProblemType(507, "disk_full", "There is no room left for the job store", retry_after=60),
    StoreDamaged: ProblemType(503, "store_damaged", "The job store is damaged", retry_after=300),
    NoTools: ProblemType(501, "no_backups", "No backup can be made here"),
    StoreError: ProblemType(503, "store_refused", "The job store refused", retry_after=30),
}
_UNFORESEEN = ProblemType(500, "internal_error", "Internal error")
_BY_NAME = {kind.__name__: row for kind, row in PROBLEMS.items()}
_STORE_DETAILS: Mapping[type[StoreError], str] = {
    StoreFull: "There is no room left on the disk of the job store. Nothing was stored; please try again later.",
    StoreUnavailable: "The job store does not answer at the moment. Nothing was lost; please repeat the request.",
    StoreDamaged: "What the job store holds is not what was written, so it is not shown. An operator must look at it.",
    StoreError: "The job store refused this. Nothing was stored.",
}
"""What stands in these errors names files, which is for the log. The first that fits."""
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}


def install(app: FastAPI) -> None:
    """Makes `app` answer every error of the table, and the framework's own, as a problem document."""
    for kind in (*PROBLEMS, HTTPException, Refused):
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    """The problem document of one exception."""
    request.scope["error_code"] = row_of(error).code
    answer = problem_response(error)
    if "allow" in answer.headers:
        # The framework names the methods of one of several routes with this path only.
        allowed = {*answer.headers["allow"].split(", "), *methods_of(request.scope["path"])}
        allowed |= {"HEAD"} if "GET" in allowed else set()  # see `app.http.head`
        answer.headers["allow"] = ", ".join(sorted(allowed))
    return answer


async def refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """The same from a layer in front of the routes."""
    scope["error_code"] = row_of(error).code
    await problem_response(error)(scope, receive, send)


def row_of(error: Exception) -> ProblemType:
    """The row of the nearest ancestor that the table knows."""
    if isinstance(error, HTTPException):
        return ProblemType(error.status_code, _HTTP_CODES.get(error.status_code, "http_error"), str(error.detail))
    if isinstance(error, Refused):
        return next((_BY_NAME[kind] for kind in error.kinds if kind in _BY_NAME), _UNFORESEEN)
    return next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), _UNFORESEEN)


def problem_response(error: Exception, members: Mapping[str, object] | None = None) -> JSONResponse:
    """The whole answer: status, problem document, headers."""
    row = row_of(error)
    issues, total = _shown_issues(error)
    content = {
        "type": f"urn:timetable:problem:{row.code}",
        "title": row.title,
        "status": row.status,
        "code": row.code,
        "detail": _detail(error, row),
        "errors": issues,
        **({"errors_total": total} if total > MAX_ISSUES else {}),
        **(error.members if isinstance(error, ServiceError) else {}),
        **(members or {}),
    }
    headers = {**row.headers, **(getattr(error, "headers", None) or {})}
    seconds = error.seconds if isinstance(error, RateLimited) else row.retry_after
    if seconds is not None:
        headers.setdefault("Retry-After", str(seconds))
    return JSONResponse(content, row.status, headers, MEDIA_TYPE)


def _shown_issues(error: Exception) -> tuple[Sequence[Mapping[str, object]], int]:
    """The first issues as they are shown, and how many there are."""
    if isinstance(error, Refused):
        return error.wire_issues, error.total
    found = _issues_of(error)
    return [wire_issue(issue) for issue in found[:MAX_ISSUES]], len(found)


def _issues_of(error: Exception) -> Sequence[Issue]:
    if isinstance(error, RequestValidationError):
        return [parameter_issue(line) for line in error.errors()]
    return issues_of(error)


def _detail(error: Exception, row: ProblemType) -> str:
    if row is _UNFORESEEN:
        return "Something went wrong on our side. The correlation id finds it in the log."
    if isinstance(error, NoTools):
        return str(error)
    store = next((text for kind, text in _STORE_DETAILS.items() if isinstance(error, kind)), None)
    if store is not None:
        return store
    return str(error.detail) if isinstance(error, HTTPException) else detail_of(error, _issues_of(error))


class UnforeseenErrors:
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
            correlation_id = scope.get("request_id") or uuid.uuid4().hex
            _log.error("unforeseen error, correlation id %s", correlation_id, exc_info=error)
            scope["error_code"] = _UNFORESEEN.code
            if begun:
                raise
            response = problem_response(error, {"correlation_id": correlation_id})
            await response(scope, receive, send)
        return None
