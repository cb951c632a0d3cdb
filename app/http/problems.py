"""
Every error a client can see, as one table from exception to HTTP status and code. No other file names a status code.

The body is `application/problem+json`: `type`, `title`, `status`, `code`, `detail` (a string, as the platform reads it)
and `errors[]` of `{pointer, code, message, value}`, where the pointer is a JSON pointer into the request body. What we
did not foresee ends in `LastResort`: a correlation id for the client, the traceback for the log, nothing in between.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.access import methods_of
from app.domain.jobs import DiskFull, JobConflict, JobStateError, QueueFull, TooManyCancels
from app.domain.requests import PATTERNS
from app.domain.source import SourceError, UnknownOrganisation
from app.store import StoreDamaged, StoreError, StoreFull, StoreUnavailable
from app.store.manifests import NoTools
from solver.errors import InputError, Issue
from solver.formats.issues import MAX_ITEMS, MAX_SHOWN_DEPTH, MAX_TEXT, kind_of, pointer, readable, shortened
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


class ConflictNotFound(ServiceError):
    """The timetable has no conflict of this id."""


class NoBundle(ServiceError):
    """The attempt has left no diagnosis."""


class FormatNotAvailable(ServiceError):
    """A result was asked for in a format that we do not write."""


class FileNotFound(ServiceError):
    """The page has no such file."""


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


class BadHeader(ServiceError):
    """A header of the request cannot be used."""


class UnknownEncoding(ServiceError):
    """The body is packed in a way that is not unpacked here."""

    headers: ClassVar[Mapping[str, str]] = {"Accept-Encoding": "gzip"}

    def __init__(self, named: str) -> None:
        shown = shortened(named if named.isprintable() else "unknown", 40)
        super().__init__(f"The body is encoded as {shown!r}. Send it as plain JSON, or with `Content-Encoding: gzip`.")


class NotUnpacked(ServiceError):
    """The body is no gzip data, or not all of it, although its header says so."""


class BadFraming(ServiceError):
    """The request says in two ways where its body ends. The connection is of no more use."""

    headers: ClassVar[Mapping[str, str]] = {"Connection": "close"}


class TooHeavy(ServiceError):
    """Reading the request takes more time or memory than is allowed."""


class ResultTooHeavy(ServiceError):
    """A stored result cannot be made into an answer with the time and memory that there are. Its request was sound."""


class ReadersBusy(ServiceError):
    """Too many large requests are being read at this moment."""


class ReadersAway(ServiceError):
    """The processes that read large requests do not get to work at this moment."""


class ReadersStarved(ServiceError):
    """The kernel has ended the processes that read a request, since there is no memory left; it may be a small one."""


class IdempotencyMismatch(ServiceError):
    """The same Idempotency-Key came with another body."""


class NoKey(ServiceError):
    """The request has no API key or token, or none that is valid."""

    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="timetable"'}

    def __init__(self) -> None:
        super().__init__(
            "A valid API key or token is needed: `Authorization: Bearer <key>`, `X-API-Key: <key>`, "
            "or the key as the password of the address, `http://platform:<key>@host`."
        )


class NotAllowed(ServiceError):
    """The key or token is valid, and has not the right that this takes, or is for other organisations."""


class RateLimited(ServiceError):
    """The client has asked too often. `seconds` is when the next request of this kind is welcome."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(seconds)}


class TooManyStreams(ServiceError):
    """As many event streams are open as are served."""


class Told(Exception):
    """A refusal that was put into words elsewhere: a reader process answers with a whole problem document."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str], document: bytes) -> None:
        super().__init__(code)
        self.status, self.code, self.headers, self.document = status, code, dict(headers), document


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
    UnknownOrganisation: Row(404, "organisation_not_found", "Unknown organisation"),
    SourceError: Row(502, "platform_data", "The platform's data cannot be had"),
    SourceNotConfigured: Row(422, "source_not_configured", "No data source"),
    BodyTooLarge: Row(413, "body_too_large", "The request body is too large"),
    TooHeavy: Row(422, "too_large", "The request is too large to be read"),
    UnknownEncoding: Row(415, "unknown_encoding", "The request body is encoded in a way that is not known"),
    NotUnpacked: Row(400, "bad_gzip", "The request body cannot be unpacked"),
    BadFraming: Row(400, "bad_framing", "The request is framed in two ways"),
    BadHeader: Row(400, "bad_header", "A header cannot be used"),
    IdempotencyMismatch: Row(422, "idempotency_key_reused", "This Idempotency-Key belongs to another request"),
    NoKey: Row(401, "no_key", "No valid key"),
    NotAllowed: Row(403, "not_allowed", "The key has not this right"),
    RateLimited: Row(429, "rate_limited", "Too many requests", retry_after=1),
    BodyTooSlow: Row(408, "body_too_slow", "The request body took too long"),
    JobNotFound: Row(404, "job_not_found", "Unknown job"),
    DatasetNotFound: Row(404, "dataset_not_found", "Unknown dataset"),
    NoResult: Row(404, "no_result", "No such result"),
    ConflictNotFound: Row(404, "conflict_not_found", "Unknown conflict"),
    FileNotFound: Row(404, "file_not_found", "No such file"),
    NoBundle: Row(404, "no_diagnosis", "No diagnosis"),
    FormatNotAvailable: Row(406, "not_available", "Format not available"),
    ResultNotReady: Row(409, "result_not_ready", "The job is still at work", retry_after=2),
    JobConflict: Row(409, "job_conflict", "Another job has this id"),
    JobStateError: Row(409, "job_state", "Not possible in this state of the job"),
    # The platform repeats a 429 or 503 after 30 s, so these two stand only where that helps.
    TooManyCancels: Row(429, "too_many_cancels", "Too many unknown jobs were cancelled", retry_after=60),
    QueueFull: Row(429, "queue_full", "Too many jobs are waiting", retry_after=30),
    NotReady: Row(503, "not_ready", "Not ready", retry_after=5),
    ResultTooHeavy: Row(503, "result_too_heavy", "The result is too large to be made now", retry_after=60),
    ReadersBusy: Row(503, "readers_busy", "Too many large requests at once", retry_after=5),
    ReadersAway: Row(503, "readers_away", "Large requests cannot be read at the moment", retry_after=5),
    ReadersStarved: Row(503, "out_of_memory", "The service has run out of memory", retry_after=30),
    TooManyStreams: Row(503, "too_many_streams", "Too many event streams", retry_after=5),
    StoreUnavailable: Row(503, "store_unavailable", "The job store does not answer", retry_after=30),
    DiskFull: Row(507, "disk_full", "There is no room left for more jobs", retry_after=60),
    StoreFull: Row(507, "disk_full", "There is no room left for the job store", retry_after=60),
    StoreDamaged: Row(503, "store_damaged", "The job store is damaged", retry_after=300),
    NoTools: Row(501, "no_backups", "No backup can be made here"),
    StoreError: Row(503, "store_refused", "The job store refused", retry_after=30),
}
_UNFORESEEN = Row(500, "internal_error", "Internal error")
_STORE_DETAILS: Mapping[type[StoreError], str] = {
    StoreFull: "There is no room left on the disk of the job store. Nothing was stored; please try again later.",
    StoreUnavailable: "The job store does not answer at the moment. Nothing was lost; please repeat the request.",
    StoreDamaged: "What the job store holds is not what was written, so it is not shown. An operator must look at it.",
    StoreError: "The job store refused this. Nothing was stored.",
}
"""What stands in these errors names files, which is for the log. The first that fits."""
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}

_CODES = {
    "string_pattern_mismatch": "bad_id",
    "string_too_long": "too_large",
    "string_too_short": "too_few",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
}
"""What pydantic calls a problem -> its code, where `solver.formats.issues` has no name for it."""

_SENTENCES = {
    "string_pattern_mismatch": "{pattern_in_words}",
    "string_too_long": "have at most {max_length} characters",
    "string_too_short": "not be empty",
    "too_long": "have at most {max_length} entries",
    "greater_than": "be more than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "less_than_equal": "be at most {le}",
    "finite_number": "be an ordinary number",
    "int_parsing": "be a whole number",
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "int_parsing_size": "be a whole number of less than 19 digits",
    "float_parsing": "be a number",
    "float_type": "be a number",
    "number_type": "be a number",
    "bool_parsing": "be true or false",
    "bool_type": "be true or false",
    "string_type": "be text",
    "list_type": "be a list",
    "dict_type": "be an object",
    "model_type": "be an object",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
}
"""What pydantic calls a problem -> what must be, in words; its own are written for programmers."""


def install(app: FastAPI) -> None:
    """Makes `app` answer every error of the table, and the framework's own, as a problem document."""
    for kind in (*PROBLEMS, HTTPException, Told):
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    """The problem document of one exception."""
    if isinstance(error, Told):
        request.scope["error_code"] = error.code
        return Response(error.document, error.status, error.headers, MEDIA_TYPE)
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
        headers.setdefault("Retry-After", str(row.retry_after))
    return JSONResponse(content, row.status, headers, MEDIA_TYPE)


def _detail(error: Exception, row: Row, issues: Sequence[Issue]) -> str:
    if row is _UNFORESEEN:
        return "Something went wrong on our side. The correlation id finds it in the log."
    if isinstance(error, NoTools):
        return str(error)
    store = next((text for kind, text in _STORE_DETAILS.items() if isinstance(error, kind)), None)
    if store is not None:
        return store
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
        lines = error.errors(include_url=False)
        return [_recoded(issue, line) for issue, line in zip(translated(error), lines, strict=True)]
    return ()


def _parameter_issue(line: Mapping[str, Any]) -> Issue:
    """A complaint about a path or query parameter; its `loc` begins with the word "path" or "query"."""
    issue = Issue(pointer=pointer(line["loc"][1:]), code="bad_value", message=str(line["msg"]), value=line.get("input"))
    return _recoded(issue, line)


def _recoded(issue: Issue, line: Mapping[str, Any]) -> Issue:
    """Requests are read leniently, datasets strictly; the complaints of lenient reading get the same codes."""
    kind, context, name = str(line["type"]), line.get("ctx") or {}, str((line["loc"] or ("the body",))[-1])
    wrong_type = kind.endswith(("_parsing", "_type", "_from_float"))
    code = _CODES.get(kind, "wrong_type" if wrong_type else issue.code)
    code = code if issue.code == "bad_value" else issue.code
    if kind not in _SENTENCES:
        return replace(issue, code=code)
    context = {**context, "pattern_in_words": PATTERNS.get(context.get("pattern", ""))}
    wanted, value = _SENTENCES[kind].format_map(context), line.get("input")
    shown = f" {shortened(value)!r}" if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return replace(issue, code=code, message=f"{name} must {wanted}, got {kind_of(value)}{shown}")


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
            correlation_id = scope.get("request_id") or uuid.uuid4().hex
            _log.error("unforeseen error, correlation id %s", correlation_id, exc_info=error)
            scope["error_code"] = _UNFORESEEN.code
            if begun:
                raise
            response = problem_response(error, {"correlation_id": correlation_id})
            await response(scope, receive, send)
        return None
