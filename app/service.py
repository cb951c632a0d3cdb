"""What a route needs: settings, supervisor, metrics, and the results it has already unpacked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple, TypeVar

import anyio.to_thread
from fastapi import Depends, Request

from app.errors import BodyTooSlow
from app.metrics import Metrics
from app.settings import Settings
from app.supervisor import Supervisor

T = TypeVar("T")


class Service(NamedTuple):
    """The running parts of one application."""

    settings: Settings
    supervisor: Supervisor
    metrics: Metrics


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Running = Annotated[Service, Depends(_service)]
"""Parameter type of a route that needs the running service."""


async def off_loop(work: Callable[..., T], *args: object) -> T:
    """Runs blocking work in a thread; every parse, check and encoding of a whole dataset goes through here."""
    return await anyio.to_thread.run_sync(work, *args)


async def read_body(request: Request, settings: Settings) -> bytes:
    """
    The bytes of the request body.

    Raises
    ------
    BodyTooSlow
        They did not arrive in time. That they are not too many is the business of `app.limits.BodyLimit`.
    """
    try:
        with anyio.fail_after(settings.body_seconds):
            return await request.body()
    except TimeoutError:
        raise BodyTooSlow(f"The request body did not arrive within {settings.body_seconds:g} s.") from None
