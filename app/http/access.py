"""
What each route asks of a client: which right a key needs for it, and which share of requests it counts against.

One table, used by `app.http.auth` and `app.http.rates` before a body is read. A route that is not in it, because it
does not exist or because somebody forgot, needs the right `admin` of a caller who is bound to no organisation, and
counts as a read: what is new is closed until listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from re import Pattern
from typing import NamedTuple

from starlette.routing import compile_path

from app.domain.callers import Scope


class Rate(StrEnum):
    """Requests that are counted together. FREE ones never run into a limit, so that a job can always be steered."""

    FREE = "free"
    SUBMIT = "submit"
    CHECK = "check"
    READ = "read"
    STREAM = "stream"


class Access(NamedTuple):
    """`scope` None means that nobody needs a key; `whole` is not for callers who are bound to an organisation."""

    scope: Scope | None
    rate: Rate
    whole: bool = False


UNLISTED = Access(Scope.ADMIN, Rate.READ, whole=True)

ROUTES: Mapping[str, Access] = {
    "GET /health/live": Access(None, Rate.FREE),
    "GET /health/ready": Access(None, Rate.FREE),
    "GET /health": Access(Scope.READ, Rate.FREE, whole=True),
    "GET /metrics": Access(Scope.READ, Rate.FREE, whole=True),
    "GET /progress/{job_id}": Access(Scope.READ, Rate.FREE),
    "GET /progress/{job_id}/curve": Access(Scope.READ, Rate.READ),
    "GET /progress/{job_id}/events": Access(Scope.READ, Rate.STREAM),
    "POST /cancel/{job_id}": Access(Scope.CANCEL, Rate.FREE),
    "POST /finish/{job_id}": Access(Scope.CANCEL, Rate.FREE),
    "POST /generate_variants": Access(Scope.SUBMIT, Rate.SUBMIT),
    "POST /generate": Access(Scope.SUBMIT, Rate.SUBMIT),
    "POST /restart/{job_id}": Access(Scope.SUBMIT, Rate.SUBMIT),
    "POST /validate": Access(Scope.SUBMIT, Rate.CHECK),
    "POST /score": Access(Scope.SUBMIT, Rate.CHECK),
    "GET /datasets/{name}": Access(Scope.READ, Rate.CHECK),
    "GET /preview": Access(Scope.READ, Rate.CHECK),
    # Before single variants, whose pattern would match these as well.
    "GET /variants/{job_id}/who": Access(Scope.READ, Rate.READ),
    "GET /variants/{job_id}/students": Access(Scope.READ, Rate.READ),
    "GET /variants/{job_id}/{n}": Access(Scope.READ, Rate.CHECK),
    "GET /variants/{job_id}/{n}/file": Access(Scope.READ, Rate.CHECK),
    "GET /variants/{job_id}": Access(Scope.READ, Rate.READ),
    "GET /jobs": Access(Scope.READ, Rate.READ),
    "GET /jobs/{job_id}": Access(Scope.READ, Rate.READ),
    # Stacks of processes are for those who run the service.
    "GET /jobs/{job_id}/attempts/{n}/diagnosis": Access(Scope.ADMIN, Rate.READ),
    "POST /jobs/{job_id}/deliver": Access(Scope.SUBMIT, Rate.CHECK),
    # It names everybody's jobs.
    "GET /workers": Access(Scope.READ, Rate.READ, whole=True),
    "DELETE /jobs/{job_id}": Access(Scope.ADMIN, Rate.FREE),
    "POST /admin/backup": Access(Scope.ADMIN, Rate.CHECK, whole=True),
    "GET /datasets": Access(Scope.READ, Rate.READ),
    "GET /hardware": Access(Scope.READ, Rate.READ),
    "GET /openapi.json": Access(Scope.READ, Rate.READ),
    "GET /options": Access(Scope.READ, Rate.READ),
    "GET /variants/{job_id}/{n}/week": Access(Scope.READ, Rate.READ),
    "GET /variants/{job_id}/{n}/load": Access(Scope.READ, Rate.READ),
    "GET /variants/{job_id}/{n}/difference": Access(Scope.READ, Rate.READ),
    "GET /variants/{job_id}/{n}/session": Access(Scope.READ, Rate.CHECK),
    "GET /timetables/{job_id}/department/{dept_id}": Access(Scope.READ, Rate.READ),
    # They look, and change nothing.
    "GET /conflicts/detect": Access(Scope.READ, Rate.CHECK),
    "POST /conflicts/resolve": Access(Scope.READ, Rate.CHECK),
    "POST /conflicts/resolve/{conflict_id}": Access(Scope.READ, Rate.CHECK),
    "GET /cache/stats": Access(Scope.READ, Rate.READ),
    "POST /cache/invalidate": Access(Scope.SUBMIT, Rate.CHECK),
    "POST /cache/warm": Access(Scope.SUBMIT, Rate.CHECK),
    # The page holds nothing but itself, and asks for a key where one is needed.
    "GET /": Access(None, Rate.READ),
    "GET /docs": Access(None, Rate.READ),
    "GET /docs/{name}": Access(None, Rate.READ),
    "GET /static/{path:path}": Access(None, Rate.READ),
    "GET /help": Access(None, Rate.READ),
    "GET /help/{name}": Access(None, Rate.READ),
}
"""`METHOD /path` in the plain spelling, in the notation of the routes."""


def access_of(method: str, path: str) -> Access:
    """The access of a request whose path is in its plain spelling already."""
    return next((access for verb, pattern, access in _PATTERNS if verb == method and pattern.match(path)), UNLISTED)


def methods_of(path: str) -> set[str]:
    """The methods that the table has for a path."""
    return {method for method, pattern, _ in _PATTERNS if pattern.match(path)}


def _patterns_of_all() -> Iterator[tuple[str, Pattern[str], Access]]:
    for route, access in ROUTES.items():
        method, _, path = route.partition(" ")
        yield method, compile_path(path)[0], access


_PATTERNS = tuple(_patterns_of_all())
