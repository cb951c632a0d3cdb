"""
The log: one line per event, JSON for machines, text for a person at a terminal; everything goes through one pipeline.

Modules write with `logging.getLogger("timetable...")`; a message whose words are `job %s` or `attempt %d` gets these as
fields, and so does whatever a request has bound (its id). Values are made harmless: control characters escaped, lengths
cut. Bodies, keys and names of people are not logged by anybody.

Writing happens in a thread with a bounded queue, because a terminal that is halted, or a full pipe, must not hold up
the event loop. What does not fit is dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging.handlers import QueueHandler, RotatingFileHandler
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

from app import MEGABYTE
from app.settings import Settings

QUEUE_LINES = 10_000
LAST_LINES_SECONDS = 2.0
"""How long the end of the service waits for its log to be taken."""
MAX_VALUE = 2_000
MAX_TRACE = 16_000
"""Characters of a field, and of a traceback."""
EXTRA_FIELDS = (
    *("alert", "state", "severity", "count", "job", "attempt", "runbook"),
    *("action", "key", "address", "result", "status", "code"),
    "exception",
)
"""What a call of a logger may add with `extra`."""
QUIET = ("httpx", "httpcore", "asyncio", "urllib3", "alembic")
"""Libraries whose ordinary news is not ours; httpx would log the address of the webhook."""
SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
_NAMED = re.compile(r"(?:\b(job|attempt) )?%(?:[-+ #0]*\d*(?:\.\d+)?)[a-zA-Z]")

_log = logging.getLogger("timetable.service")


@contextmanager
def logging_to(settings: Settings, stream: TextIO = sys.stderr) -> Iterator[None]:
    """
    Sends every log line of this process to `stream`, and to the log file when there is one, until the block is left.

    Raises
    ------
    OSError
        The log file cannot be opened.
    """
    handlers = [_Behind(_Stream(stream), _formatter(settings.log_format, stream))]
    if settings.log_file:
        size = int(settings.log_file_mb * MEGABYTE)
        file = _File(settings.log_file, maxBytes=size, backupCount=settings.log_files, encoding="utf-8")
        handlers.append(_Behind(file, _formatter("json", stream)))
    root = logging.getLogger()
    before = root.handlers, root.level
    root.handlers, root.level = list(handlers), getattr(logging, settings.log_level.upper())
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SERVERS:  # whatever a server of this process has made of them
        server = logging.getLogger(name)
        server.handlers, server.propagate, server.level = [], True, logging.NOTSET
    hooks = sys.excepthook, threading.excepthook
    sys.excepthook, threading.excepthook = _unforeseen, _unforeseen_in_thread
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks
        logging.captureWarnings(False)
        root.handlers, root.level = before
        for handler in handlers:
            handler.close()


def flush() -> None:
    """Sees to it that what was logged is written, before something ends this process."""
    for handler in logging.getLogger().handlers:
        handler.flush()


class _Behind(QueueHandler):
    """Makes the line at once, and leaves the writing to a thread, which is given up when it does not end."""

    def __init__(self, target: logging.Handler, formatter: logging.Formatter) -> None:
        self._lines: queue.Queue[Any] = queue.Queue(QUEUE_LINES)
        super().__init__(self._lines)
        self.setFormatter(formatter)
        self._target, self._dropped = target, 0
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            if isinstance(record, threading.Event):
                record.set()
                continue
            self._target.handle(record)
            self._tell_dropped()

    def _tell_dropped(self) -> None:
        self.acquire()
        lost, self._dropped = self._dropped, 0
        self.release()
        if lost:
            told = "%d log line(s) were dropped, because nobody took them"
            record = logging.LogRecord(_log.name, logging.WARNING, __file__, 0, told, (lost,), None)
            self._target.handle(self.prepare(record))

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return logging.makeLogRecord({"levelno": record.levelno, "msg": self.format(record), "args": None})

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Waits until all that was logged before is written, but not for ever."""
        done = threading.Event()
        with contextlib.suppress(queue.Full):
            self._lines.put(done, timeout=LAST_LINES_SECONDS)
            done.wait(LAST_LINES_SECONDS)

    def close(self) -> None:
        super().close()
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=LAST_LINES_SECONDS)
        self._writer.join(LAST_LINES_SECONDS)
        if not self._writer.is_alive():
            self._target.close()


class _Stream(logging.StreamHandler[TextIO]):
    """A stream that nobody reads any more leaves nobody to tell."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        return


class _File(RotatingFileHandler):
    """A full disk costs log lines and nothing else; it is said once, on the other way out."""

    _failing = False

    def emit(self, record: logging.LogRecord) -> None:
        failing, self._failing = self._failing, False
        super().emit(record)
        if self._failing and not failing:
            print(f"the log file {self.baseFilename} cannot be written", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self._failing = True


# --- from a record to a line ---


def _formatter(wanted: str, stream: TextIO) -> logging.Formatter:
    as_text = wanted == "text" or (wanted == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.ExtraAdder(allow=EXTRA_FIELDS),
        _subject,
    ]
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        tame,
    ]
    if as_text:
        last.append(structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time"))
    else:
        last.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last, pass_foreign_args=True)


def _subject(logger: object, name: str, event: EventDict) -> EventDict:
    """Job and attempt of a message, by the words before their places in the template, which is code and not data."""
    values, template = event.pop("positional_args", None), event["_record"].msg
    if isinstance(values, tuple) and isinstance(template, str):
        for place, value in zip(_NAMED.finditer(template), values, strict=False):
            if place[1]:
                event.setdefault(place[1], value)
    return event


def tame(logger: object, name: str, event: EventDict) -> EventDict:
    """Every text without control characters and of bounded length; a traceback keeps its lines."""
    for key, value in event.items():
        if key == "exception":
            event[key] = "\n".join(_harmless(line, MAX_VALUE) for line in str(value)[-MAX_TRACE:].splitlines())
        elif not isinstance(value, int | float | bool | None):
            event[key] = _harmless(str(value), MAX_VALUE)
    return event


def _harmless(text: str, longest: int) -> str:
    cut = text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


# --- what nobody has caught ---


def _unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("an error ends the service", exc_info=(kind, error, trace))


def _unforeseen_in_thread(args: threading.ExceptHookArgs) -> None:
    error = args.exc_value
    _log.error("unforeseen error in a thread", exc_info=(type(error), error, args.exc_traceback) if error else None)


def watch_loop(unforeseen: Callable[[], None]) -> None:
    """Errors of tasks that nobody waits for are logged, and `unforeseen` is told, instead of being printed."""

    def on_error(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        _log.error("unforeseen error off requests: %s", context.get("message"), exc_info=error)
        unforeseen()

    asyncio.get_running_loop().set_exception_handler(on_error)
