"""What a route needs: the running parts, and the types of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Protocol

import anyio
from fastapi import Depends, Path, Request

from app.errors import BodyTooSlow
from app.gate.readers import Readers
from app.jobs import Job
from app.operations.metrics import Metrics
from app.results import Results
from app.schemas import JOB_ID_PATTERN
from app.settings import Settings
from app.source import DataSource
from app.supervisor import Supervisor


class Platform(Protocol):
    """What the routes need of the link to the platform (`app.platform.link`), which they must not know."""

    async def announce(self, job: Job) -> None: ...

    def wake(self) -> None: ...

    def up(self) -> Mapping[str, bool]: ...

    def count(self, state: str) -> Mapping[str, int]: ...

    def view(self) -> dict[str, Any]: ...


class Service(NamedTuple):
    """The running parts of one application."""

    settings: Settings
    supervisor: Supervisor
    metrics: Metrics
    readers: Readers
    results: Results
    platform: Platform
    source: DataSource | None


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Running = Annotated[Service, Depends(_service)]
"""Parameter type of a route that needs the running service."""


JobIdInPath = Annotated[str, Path(pattern=JOB_ID_PATTERN, description="Id of a job.")]
"""Parameter type of a route with `{job_id}` in its path."""


async def read_body(request: Request, settings: Settings) -> bytes:
    """
    The bytes of the request body.

    Raises
    ------
    BodyTooSlow
        They did not arrive in time. That they are not too many is the business of `app.gate.limits.BodyLimit`.
    """
    try:
        with anyio.fail_after(settings.body_seconds):
            return await request.body()
    except TimeoutError:
        raise BodyTooSlow(f"The request body did not arrive within {settings.body_seconds:g} s.") from None
