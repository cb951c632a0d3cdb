"""The application: puts settings, supervisor, routes and layers together. Nothing else imports everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
from fastapi import FastAPI
from starlette.middleware import Middleware

from app import errors
from app.api import all_routes
from app.health import service_version
from app.limits import BodyLimit, OneSpelling
from app.metrics import Measured, Metrics
from app.service import Service
from app.settings import Settings
from app.supervisor import Supervisor


def create_app(settings: Settings | None = None) -> FastAPI:
    """
    The service as an ASGI application; its lifespan starts and stops the supervisor.

    `settings` None reads the environment. The pages that FastAPI would serve as documentation load scripts from another
    host, so there is only `/openapi.json`.
    """
    settings = settings or Settings.from_environment()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        psutil.cpu_percent(interval=None)  # The first call has nothing to compare with and answers 0.
        async with Supervisor(settings) as supervisor:
            app.state.service = Service(settings, supervisor, metrics)
            yield

    app = FastAPI(
        title="Timetable service",
        version=service_version(),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        middleware=[  # the first is the outermost
            Middleware(Measured, metrics=metrics),
            Middleware(errors.LastResort),
            Middleware(OneSpelling),
            Middleware(BodyLimit, limit=settings.max_body_bytes),
        ],
    )
    errors.install(app)
    app.include_router(all_routes())
    return app
