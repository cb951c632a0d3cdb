"""What a route needs: the running parts, and the types of its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, NoReturn, Protocol

import anyio
from fastapi import Depends, Path, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.domain.callers import Caller
from app.domain.exceptions import NotAllowed
from app.domain.jobs import Job
from app.domain.requests import JOB_ID_PATTERN
from app.domain.source import DataSource, Fetched, Query, UnknownOrganisation
from app.domain.unknown_fields import refuse_near_misses
from app.http.problems import BodyTooSlow
from app.operations.metrics import Metrics
from app.processes.parse_pool import ParsePool
from app.service.supervisor import Supervisor
from app.service.tenant import Jobs, Results, TenantJobs, TenantResults
from app.settings import Settings

NOT_WHOLE = "This concerns all organisations, and the key is for single ones."


class Platform(Protocol):
    """What the routes need of the link to the platform (`app.platform.link`), which they must not know."""

    async def announce(self, job: Job) -> None:
        """Tells the platform that the job is taken, as soon as it is; never raises for an outage."""

    def wake(self) -> None:
        """Has waiting deliveries tried now."""

    def heed(self, job_id: str) -> None:
        """The platform has spoken of a job that has ended or is not here: what it makes of our answer is looked at."""

    def up(self) -> Mapping[str, bool]:
        """Channel -> whether it is reachable as far as is known."""

    def count(self, state: str) -> Mapping[str, int]:
        """Channel -> number of deliveries in this state."""

    def view(self) -> dict[str, Any]:
        """The channels for `GET /health`."""


class Queue(Protocol):
    """What stands between the jobs and whoever solves them (`app.cluster`)."""

    @property
    def notes(self) -> Sequence[str]:
        """What somebody who hands in jobs should know, though they are taken."""

    def view(self) -> dict[str, Any]:
        """Kind, slots and state of the queue, for `GET /workers`."""


class Whole(NamedTuple):
    """What concerns all organisations."""

    supervisor: Supervisor
    metrics: Metrics


class Service(NamedTuple):
    """
    The running parts of one application, or what is there of them for one caller.

    A caller who is bound to organisations has their jobs only, and nothing of `everybody`.
    """

    settings: Settings
    jobs: Jobs
    results: Results
    pool: ParsePool
    platform: Platform
    queue: Queue
    source: DataSource | None
    everybody: Whole | None

    @property
    def whole(self) -> Whole:
        """Raises NotAllowed for a bound caller."""
        if self.everybody is None:
            raise NotAllowed(NOT_WHOLE)
        return self.everybody

    def seen_by(self, caller: Caller) -> Service:
        """The same with the jobs of the caller's organisations only; whole for callers who are bound to none."""
        if caller.organisations is None:
            return self
        jobs = TenantJobs(self.whole.supervisor, caller)
        return Service(
            settings=self.settings,
            jobs=jobs,
            results=TenantResults(self.results, jobs),
            pool=self.pool,
            platform=TenantPlatform(self.platform),
            queue=TenantQueue(self.queue),
            source=TenantSource(self.source, caller) if self.source is not None else None,
            everybody=None,
        )


class _Withheld:
    """Has what its subclass defines; everything else takes a caller who is bound to no organisation."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotAllowed(NOT_WHOLE)


class TenantPlatform(_Withheld):
    """The link to the platform, for a bound caller: it hears of jobs, and tells nothing."""

    def __init__(self, platform: Platform) -> None:
        self.announce, self.wake, self.heed = platform.announce, platform.wake, platform.heed


class TenantQueue(_Withheld):
    """The queue, for a bound caller: how many solve, which says how long a job may wait, and no names of jobs."""

    def __init__(self, queue: Queue) -> None:
        self.view, self.notes = queue.view, queue.notes


class TenantSource(_Withheld):
    """The source of data, for a bound caller: it has nothing of other organisations."""

    def __init__(self, source: DataSource, caller: Caller) -> None:
        self._source, self._caller = source, caller

    def fetch(self, query: Query) -> Fetched:
        """The data of an organisation that the key is for. Raises UnknownOrganisation for all others."""
        if not self._caller.reaches(query.organization_id):
            raise UnknownOrganisation(f"There is no organisation {query.organization_id[:80]!r}.")
        return self._source.fetch(query)

    def close(self) -> None:
        """Not the caller's to do."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    caller: Caller | None = request.scope.get("caller")  # none where nobody needs a key
    return service if caller is None else service.seen_by(caller)


Running = Annotated[Service, Depends(_service)]
"""Parameter type of a route that needs the running service; of jobs it has those that the caller may see."""


JobIdInPath = Annotated[str, Path(pattern=JOB_ID_PATTERN, description="Id of a job.")]
"""Parameter type of a route with `{job_id}` in its path."""


async def read_body(request: Request, settings: Settings) -> bytes:
    """
    The bytes of the request body.

    Raises
    ------
    BodyTooSlow
        They did not arrive in time. That they are not too many is the business of `app.http.limits.BodyLimit`.
    """
    try:
        with anyio.fail_after(settings.body_seconds):
            return await request.body()
    except TimeoutError:
        raise BodyTooSlow(f"The request body did not arrive within {settings.body_seconds:g} s.") from None


def known_parameters(request: Request) -> None:
    """
    Raises InputError for a query parameter that is close to one of the route's: what it asks for would not be done.

    Others are let through: proxies and pages add some against caches.
    """
    if request.query_params:
        route = request.scope.get("route")
        known = frozenset(_queried(route.dependant)) if isinstance(route, APIRoute) else frozenset()
        refuse_near_misses(request.query_params, known, "parameter")


def _queried(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for below in dependant.dependencies:
        yield from _queried(below)
