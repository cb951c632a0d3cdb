"""The log: one harmless line per event, with its subject, and never at the price of the service."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware

from app.http.problems import UnforeseenErrors
from app.http.request_id import RequestId
from app.operations import logs
from app.operations.logs import MAX_VALUE, logging_to, tame
from app.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def logged(*args: object, level: int = logging.WARNING, **given: Any) -> dict[str, Any]:
    """The one JSON line of one call of a logger."""
    stream = io.StringIO()
    with logging_to(Settings(log_level="debug"), stream):
        logging.getLogger("timetable.test").log(level, *args, **given)  # type: ignore[arg-type]
    (line,) = lines(stream)
    return line


def test_a_line_has_time_level_logger_and_event() -> None:
    line = logged("all is well", level=logging.INFO)
    assert (line["event"], line["level"], line["logger"]) == ("all is well", "info", "timetable.test")
    assert line["time"].endswith("Z")


@pytest.mark.parametrize(
    ("template", "values", "subject"),
    [
        ("job %s: not stored: %s", ("a", "no room"), {"job": "a"}),
        ("job %s, attempt %d: %s: %s", ("a", 2, "hang", "it hung"), {"job": "a", "attempt": 2}),
        ("job %s: the supervision of attempt %d failed", ("a", 3), {"job": "a", "attempt": 3}),
        ("killed %d of 100 %%, job %s", (4, "b"), {"job": "b"}),
        ("the text names job x", (), {}),
        ("%s took %.1f s", ("job a", 1.5), {}),
    ],
)
def test_job_and_attempt_of_a_message_become_fields(
    template: str, values: tuple[object, ...], subject: dict[str, Any]
) -> None:
    line = logged(template, *values)
    assert {name: line[name] for name in ("job", "attempt") if name in line} == subject
    assert line["event"] == template % values if values else template


def test_bound_variables_become_fields_and_only_known_extras_do() -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        line = logged("x", extra={"alert": "queue_stuck", "body": "all names"})
    assert (line["request_id"], line["alert"]) == ("r1", "queue_stuck")
    assert "all names" not in json.dumps(line)


def test_control_characters_are_escaped_and_lengths_cut() -> None:
    line = logged("name %s", 'a\r\n{"event": "forged"}\x1b[2J\u2028\u202e' + "y" * 5000)
    assert line["event"].isprintable()
    assert "\\r\\n" in line["event"] and "\\x1b" in line["event"] and "\\u2028" in line["event"]
    assert MAX_VALUE < len(line["event"]) < MAX_VALUE + 100
    assert "characters)" in line["event"]


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.none() | st.binary() | st.lists(st.text())))
def test_whatever_is_logged_is_one_printable_line(event: dict[str, Any]) -> None:
    event.pop("exception", None)
    tamed = tame(None, "info", dict(event))
    assert all(str(value).isprintable() for value in tamed.values())


def test_a_traceback_is_a_field_with_lines_and_without_local_values() -> None:
    password = "hush" * 3
    try:
        raise ValueError("bad\x1b[0m")
    except ValueError as error:
        line = logged("failed", exc_info=error)
    assert line["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert "ValueError: bad\\x1b[0m" in line["exception"]
    assert password not in json.dumps(line)


def test_a_terminal_gets_text_and_a_pipe_gets_json() -> None:
    terminal = Terminal()
    with logging_to(Settings(), terminal):
        logging.getLogger("timetable.test").warning("job %s: hello", "a")
    assert "hello" in terminal.getvalue() and "\x1b[" in terminal.getvalue()
    with pytest.raises(json.JSONDecodeError):
        lines(terminal)
    forced = Terminal()
    with logging_to(Settings(log_format="json"), forced):
        logging.getLogger("timetable.test").warning("hello")
    assert lines(forced)[0]["event"] == "hello"


def test_a_level_or_format_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match="TIMETABLE_LOG_LEVEL='loud': expected one of debug, info, warning, error"):
        Settings(log_level="loud")


def test_levels_below_the_setting_are_not_written() -> None:
    stream = io.StringIO()
    with logging_to(Settings(log_level="warning"), stream):
        logging.getLogger("timetable.test").info("no")
        logging.getLogger("httpx").info("POST https://hooks.example.org/secret")
        logging.getLogger("uvicorn.error").warning("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_the_log_file_gets_json_and_is_rotated(tmp_path: Path) -> None:
    file, stream = tmp_path / "service.log", Terminal()
    with logging_to(Settings(log_file=str(file), log_file_mb=0.01, log_files=2), stream):
        for n in range(200):
            logging.getLogger("timetable.test").warning("line %d of many, with some words to fill the file", n)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["service.log", "service.log.1", "service.log.2"]
    assert all(path.stat().st_size <= 10_000 for path in tmp_path.iterdir())
    assert json.loads(file.read_text().splitlines()[-1])["event"].startswith("line 199")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_costs_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with logging_to(Settings(log_file="/dev/full", log_files=1, log_file_mb=10_000), stream):
        for _ in range(5):
            logging.getLogger("timetable.test").warning("on")
    assert len(lines(stream)) == 5
    told = capsys.readouterr().err
    assert told.count("cannot be written") == 1 and "Traceback" not in told


def test_a_reader_that_has_stopped_reading_holds_up_neither_the_service_nor_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "QUEUE_LINES", 50)
    monkeypatch.setattr(logs, "LAST_LINES_SECONDS", 0.1)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        with logging_to(Settings(), pipe):
            for n in range(1000):
                logging.getLogger("timetable.test").warning("line %d %s", n, "x" * 500)
        drained = threading.Thread(target=drain, args=(reading, []))
        drained.start()
    drained.join(10)


def test_lines_that_nobody_took_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUE_LINES", 50)
    reading, writing = os.pipe()
    read: list[bytes] = []
    with os.fdopen(writing, "w") as pipe, logging_to(Settings(), pipe):
        for n in range(1000):
            logging.getLogger("timetable.test").warning("line %d %s", n, "x" * 500)
        drained = threading.Thread(target=drain, args=(reading, read))
        drained.start()
    drained.join(10)
    written = [json.loads(line)["event"] for line in b"".join(read).splitlines()]
    lost = sum(int(event.split()[0]) for event in written if "dropped" in event)
    assert lost > 0 and lost + sum(event.startswith("line ") for event in written) == 1000


def test_flushing_waits_for_what_was_logged_before() -> None:
    stream = io.StringIO()
    with logging_to(Settings(), stream):
        for n in range(500):
            logging.getLogger("timetable.test").warning("line %d", n)
        logs.flush()
        assert lines(stream)[-1]["event"] == "line 499"


def drain(handle: int, into: list[bytes]) -> None:
    while chunk := os.read(handle, 1 << 16):
        into.append(chunk)
    os.close(handle)


def test_errors_that_nobody_caught_are_logged_and_the_hooks_are_given_back() -> None:
    stream, hooks = io.StringIO(), (sys.excepthook, threading.excepthook)
    with logging_to(Settings(), stream):
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()
    assert (sys.excepthook, threading.excepthook) == hooks
    (line,) = lines(stream)
    assert line["event"] == "unforeseen error in a thread" and "ZeroDivisionError" in line["exception"]


async def test_errors_of_tasks_that_nobody_waits_for_are_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    import asyncio

    told: list[int] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    logs.watch_loop(lambda: told.append(1))
    try:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0.01)
    finally:
        loop.set_exception_handler(before)
    assert told == [1]
    assert "unforeseen error off requests" in caplog.text and "ZeroDivisionError" in caplog.text


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(anyio_backend: str) -> Any:
    app = FastAPI(middleware=[Middleware(RequestId), Middleware(UnforeseenErrors)])

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("inside")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s") as client:
        yield client


async def test_a_sane_request_id_is_kept_and_finds_the_error_in_the_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/fail", headers={"X-Request-ID": "edge-7.a_B"})
    assert answer.headers["x-request-id"] == "edge-7.a_B"
    assert answer.json()["correlation_id"] == "edge-7.a_B"
    assert "correlation id edge-7.a_B" in caplog.text


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", '"}{', "-rf", "ä".encode("latin-1")])
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, given: str | bytes) -> None:
    answer = await client.get(
        "/missing", headers=[(b"x-request-id", given if isinstance(given, bytes) else given.encode())]
    )
    assert len(answer.headers["x-request-id"]) == 32
