"""Runs the service under uvicorn until it is told to stop, and says in a sentence why it could not start."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.connection_timeouts import protocol_with_timeout
from app.http.routes.events import Streams
from app.operations.logs import logging_to
from app.operations.startup import address_problem, examine, log_warnings, refusal
from app.processes.children import ForkServer
from app.settings import Settings, SettingsError
from app.store import StoreError
from app.store.tokens import TokensUnusable

GRACEFUL_SECONDS = 3
CONNECTIONS = 1500
"""Connections beside event streams that are served at a time; requests on further ones are answered 503."""

_log = logging.getLogger("timetable.startup")


class CannotServe(Exception):
    """The service did not start, or died; the message says why and what helps."""


CreateApp: TypeAlias = Callable[[Settings, ForkServer | None], FastAPI]


def serve(settings: Settings, forkserver: ForkServer | None, create_app: CreateApp) -> None:
    """
    Serves what `create_app` makes until SIGINT or SIGTERM; `forkserver` as for the supervisor.

    Raises
    ------
    CannotServe
        A start-up check refuses: the address, the data folder, missing API keys and so on. Or the service died while it
        ran, and must be started again.
    """
    problem = address_problem(settings.host, settings.port)
    if problem is not None:  # found before stores are opened
        advice = "stop what listens there, or choose another --port (0 for a free one) or --host"
        raise CannotServe(f"cannot listen on {settings.host}:{settings.port}: {problem}; {advice}")
    findings = list(examine(settings, at_start=True))
    refused = refusal(findings)
    if refused is not None:
        raise CannotServe(refused)
    with logging_to(settings):
        log_warnings(findings)
        _serve(settings, forkserver, create_app)


def _serve(settings: Settings, forkserver: ForkServer | None, create_app: CreateApp) -> None:
    try:
        inner = create_app(settings, forkserver)
    except (SettingsError, TokensUnusable) as error:
        raise CannotServe(str(error)) from error
    app = _PlainStart(inner)
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,  # ours is in place
            access_log=False,  # requests are counted, slow ones and changes are logged; pollers would drown the rest
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            # By default any client on this machine may name another address for itself, and so escape its rate limit
            # and the audit.
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            http=protocol_with_timeout(settings.body_seconds),
            limit_concurrency=settings.max_streams + CONNECTIONS,
            lifespan="on",  # "auto" takes an application that died for one without a lifespan
        ),
        inner.state.streams,
    )
    app.on_death = server.end
    try:
        server.run()
    except SystemExit as ended:
        if not server.started:
            raise CannotServe(app.reason or "the service did not start; the log above says why") from ended
        raise
    if app.died:
        raise CannotServe("the service has died while it ran; the log above says why")


class _Server(uvicorn.Server):
    """
    The first signal stops in good order, the second one at once.

    At once is safe: children end with us, and what was running is found in the store and run again at the next start.
    """

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Without uvicorn's repetition of the signal after the end, so that an orderly end exits with 0."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    def end(self) -> None:
        """Stops in good order."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Event streams would go on for as long as their jobs do; their readers are told to come back."""
        self._streams.close()
        await super().shutdown(sockets)


class _PlainStart:
    """
    Keeps the reason why the application could not start, and its traceback out of the log.

    Calls `on_death` when the application ends by an error while it should run: uvicorn would go on serving without it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.reason = ""
        self.died = False
        self.on_death: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self._app(scope, receive, send)

        failed: list[Message] = []
        running = False

        async def received() -> Message:
            nonlocal running
            message = await receive()
            running = running and message["type"] != "lifespan.shutdown"
            return message

        async def held_back(message: Message) -> None:
            nonlocal running
            running = running or message["type"] == "lifespan.startup.complete"
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, received, held_back)
        except BaseException as error:
            if failed and isinstance(error, StoreError):
                self.reason, failed = str(error), [{"type": failed[0]["type"]}]
            for message in failed:
                await send(message)
            if running:
                _log.critical("the service has died and ends: %r", error)
                self.died = True
                self.on_death()
            raise
        return None
