"""
Where alerts go: the log, a webhook, a command, and people by chat, e-mail or telephone (`app.operations.notify`).

Each sink has a bounded queue and a task of its own, so a webhook that hangs holds up neither the command nor the
service; what does not fit is dropped and counted. Addresses and programs come from the settings alone. Data never
becomes part of a command line, and an address (it may hold a token) is never logged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import anyio
import httpx

from app.domain.telemetry import Happening
from app.operations import notify
from app.operations.alerts import BY_NAME, AlertBook, Message, Severity
from app.operations.capacity import CapacitySample
from app.settings import Settings
from app.system.addresses import is_loopback

if TYPE_CHECKING:
    from apprise import Apprise

QUEUE = 100
WEBHOOK_SECONDS = 5.0
COMMAND_SECONDS = 10.0
RETRY_WAITS = (0.0, 2.0, 10.0, 60.0)
LAST_WORDS_SECONDS = 2.0
"""Time that messages under way have when the service ends."""
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TZ", "USER")
"""What a command learns of our environment, which may hold secrets."""
LEVELS: Mapping[str, int] = {
    Severity.CRITICAL: logging.CRITICAL,
    Severity.HIGH: logging.ERROR,
    Severity.MEDIUM: logging.WARNING,
    Severity.LOW: logging.INFO,
}
COUNT = Callable[[str, str], None]

_log = logging.getLogger("timetable.alerts")


class SinkError(Exception):
    """A sink did not take a message; the text says why. `final` means that trying again will not help."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Sink(NamedTuple):
    """`deliver` raises SinkError. The name is a label of `timetable_alert_messages_total`."""

    name: str
    deliver: Callable[[Message], Awaitable[None]]


class Alerts:
    """
    The alerts of one application. `run` delivers; the other methods are quick and never wait.

    Those in `left_out` are not raised. `count` is told of every message and sink what became of it: "sent", "failed" or
    "dropped".
    """

    def __init__(self, settings: Settings, count: COUNT, left_out: frozenset[str] = frozenset()) -> None:
        self.book = AlertBook(settings=settings, left_out=left_out)
        self._count = count
        self._outlets = [_Outlet(sink, count) for sink in sinks_of(settings)]

    def observe(self, happening: Happening) -> None:
        """An observer of `app.domain.telemetry`."""
        self._tell(self.book.hear(happening, time.monotonic()))

    def see(self, sample: CapacitySample) -> None:
        """Hears of each look at the machine."""
        self._tell(self.book.see(sample))

    def occurred(self, name: str) -> None:
        """Raises an alert that has neither happening nor sample."""
        self._tell(self.book.occurred(BY_NAME[name], time.monotonic()))

    def _tell(self, messages: Iterable[Message]) -> None:
        for message in messages:
            level = logging.INFO if message["state"] == "resolved" else LEVELS[message["severity"]]
            _log.log(
                level, "alert %s is %s: %s", message["alert"], message["state"], message["sentence"], extra=message
            )
            self._count("log", "sent")
            for outlet in self._outlets:
                outlet.put(message)

    async def run(self) -> None:
        """Delivers until it is cancelled; what is under way then has a moment more."""
        async with anyio.create_task_group() as tasks:
            for outlet in self._outlets:
                tasks.start_soon(outlet.run)


class _Outlet:
    """One sink with its queue. A message leaves the queue when nothing more can be done about it."""

    def __init__(self, sink: Sink, count: COUNT) -> None:
        self._sink, self._count = sink, count
        self._waiting: deque[Message] = deque()
        self._wake = anyio.Event()
        self._failing = False

    def put(self, message: Message) -> None:
        if len(self._waiting) >= QUEUE:
            return self._count(self._sink.name, "dropped")
        self._waiting.append(message)
        self._wake.set()
        return None

    async def run(self) -> None:
        try:
            while True:
                await self._empty(RETRY_WAITS)
                self._wake = anyio.Event()
                await self._wake.wait()
        finally:
            with anyio.move_on_after(LAST_WORDS_SECONDS, shield=True):
                await self._empty((0.0,))

    async def _empty(self, waits: Iterable[float]) -> None:
        while self._waiting:
            await self._deliver(self._waiting[0], waits)
            self._waiting.popleft()

    async def _deliver(self, message: Message, waits: Iterable[float]) -> None:
        """Tries until it works or there is no sense in it; the log hears of the first failure of a series."""
        for wait in waits:
            await anyio.sleep(wait)
            try:
                await self._sink.deliver(message)
            except SinkError as error:
                if not self._failing:
                    _log.warning("alerts do not get through to the %s: %s", self._sink.name, error)
                self._failing = True
                if error.final:
                    break
            else:
                self._failing = False
                return self._count(self._sink.name, "sent")
        return self._count(self._sink.name, "failed")


def sinks_of(settings: Settings) -> Iterable[Sink]:
    """The sinks that are configured, besides the log, which always is. What cannot be used is none: see `problems`."""
    if settings.alert_webhook_url and url_problem(settings.alert_webhook_url) is None:
        yield Sink("webhook", lambda message: post(settings.alert_webhook_url, message))
    if settings.alert_command and command_problem(settings.alert_command) is None:
        yield Sink("command", lambda message: run_command(shlex.split(settings.alert_command), message))
    for url in settings.alert_addresses:
        with contextlib.suppress(notify.CannotNotify):
            yield Sink(notify.service_of(url), partial(_tell, notify.opened(url)))


async def _tell(people: Apprise, message: Message) -> None:
    """Raises SinkError; whether it will ever be taken, nobody knows."""
    if (why := await notify.tell(people, message)) is not None:
        raise SinkError(why)


def url_problem(url: str) -> str | None:
    """Why alerts must not be sent to an address, None when they may."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "it is no address"
    if parts.scheme not in ("http", "https") or not host:
        return "it is no https address"
    if parts.scheme == "http" and not is_loopback(host):
        return "http is for loopback addresses only; use https"
    return None


def command_problem(command: str) -> str | None:
    """Why a command cannot be run, None when it can."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"it cannot be read: {error}"
    if not words or shutil.which(words[0]) is None:
        return "there is no such program, or it may not be run"
    return None


async def post(url: str, message: Message) -> None:
    """One POST; redirects are not followed, and nobody reads the answer. Raises SinkError."""
    try:
        async with (
            httpx.AsyncClient(timeout=WEBHOOK_SECONDS, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", url, json=message) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SinkError(type(error).__name__) from None
    if not 200 <= status < 300:
        raise SinkError(f"it answered {status}", final=300 <= status < 500 and status not in (408, 429))


async def run_command(words: list[str], message: Message) -> None:
    """Runs a program without a shell; the message is its standard input. Raises SinkError."""
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    try:
        process = await anyio.open_process(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise SinkError(error.strerror or type(error).__name__) from None
    async with process:
        try:
            with anyio.fail_after(COMMAND_SECONDS):
                await _feed(process, json.dumps(message).encode() + b"\n")
                code = await process.wait()
        except TimeoutError:
            raise SinkError(f"it took longer than {COMMAND_SECONDS:g} s") from None
        finally:
            if process.returncode is None:  # not reaped, so its id is still its own
                _kill_group(process.pid)
    if code != 0:
        raise SinkError(f"it ended with code {code}")


async def _feed(process: anyio.abc.Process, data: bytes) -> None:
    """A program that does not read its input may still have understood."""
    if process.stdin is None:
        return
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
        await process.stdin.send(data)
    with contextlib.suppress(ConnectionError):
        await process.stdin.aclose()


def _kill_group(leader: int) -> None:
    """Whatever the program has started goes with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
