"""Sinks: a real server and a real program get the alerts; whatever they do, the service does not wait for them."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import anyio
import psutil
import pytest

from app.domain.telemetry import QueueStuck
from app.operations import sinks
from app.operations.sinks import QUEUE, Alerts, SinkError, command_problem, post, run_command, sinks_of, url_problem
from app.settings import Settings
from tests.effort import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio
STUCK = QueueStuck(waiting=1, seconds=11.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Hook(BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what it was sent."""

    got: ClassVar[list[tuple[str, Any]]] = []
    hold = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, json.loads(body)))
        word = self.path.strip("/").split("?")[0]
        if word == "hang":
            self.hold.wait(10)
        flaky = word == "flaky" and sum(path == self.path for path, _ in self.got) < 3
        self.send_response(302 if word == "moved" else 503 if flaky else int(word) if word.isdigit() else 200)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
        self.end_headers()
        self.wfile.write(b"ok" * 10_000)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.got, Hook.hold = [], threading.Event()
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Hook.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@asynccontextmanager
async def running(settings: Settings) -> Any:
    counts: dict[tuple[str, str], int] = {}

    def count(sink: str, result: str) -> None:
        counts[sink, result] = counts.get((sink, result), 0) + 1

    alerts = Alerts(settings, count)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(alerts.run)
        await anyio.sleep(0)
        yield alerts, counts
        tasks.cancel_scope.cancel()


async def until(condition: Any) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.01)


# --- the webhook -----------------------------------------------------------------------------------------------------


async def test_a_webhook_gets_the_message_as_json(hook: str) -> None:
    async with running(Settings(alert_webhook_url=f"{hook}/ok")) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: counts.get(("webhook", "sent")))
    ((path, message),) = Hook.got
    assert path == "/ok"
    assert (message["alert"], message["state"], message["severity"]) == ("queue_stuck", "firing", "high")


async def test_what_a_webhook_refuses_for_the_moment_is_sent_again(
    hook: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sinks, "RETRY_WAITS", (0.0, 0.01, 0.01))
    async with running(Settings(alert_webhook_url=f"{hook}/flaky?token=hush")) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: counts.get(("webhook", "sent")))
    assert len(Hook.got) == 3
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["alerts do not get through to the webhook: it answered 503"]
    assert "hush" not in caplog.text


@pytest.mark.parametrize(("answer", "why"), [("moved", "302"), ("404", "404")])
async def test_redirects_are_not_followed_and_refusals_are_final(hook: str, answer: str, why: str) -> None:
    with pytest.raises(SinkError, match=why) as refused:
        await post(f"{hook}/{answer}", {"alert": "x"})
    assert refused.value.final
    assert [path for path, _ in Hook.got] == [f"/{answer}"]


async def test_a_webhook_that_hangs_holds_up_nobody_and_its_queue_is_bounded(
    hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "LAST_WORDS_SECONDS", 0.05)
    async with running(Settings(alert_webhook_url=f"{hook}/hang")) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: Hook.got)
        with anyio.fail_after(PATIENCE_SECONDS):
            for outlet in alerts._outlets:
                for _ in range(QUEUE + 5):
                    outlet.put({"alert": "x"})
        assert counts["webhook", "dropped"] == 6
        assert counts["log", "sent"] == 1


async def test_nobody_there_is_a_failure_that_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "RETRY_WAITS", (0.0, 0.0))
    async with running(Settings(alert_webhook_url="http://127.0.0.1:9/x")) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: counts.get(("webhook", "failed")))


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://hooks.example.org/T0/secret", True),
        ("http://127.0.0.1:9093/x", True),
        ("http://[::1]/x", True),
        ("http://localhost/x", True),
        ("http://hooks.example.org/x", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://10.0.0.1/x", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://host:port/", False),
        ("hooks.example.org", False),
    ],
)
async def test_addresses_are_https_or_loopback(url: str, fine: bool) -> None:
    assert (url_problem(url) is None) == fine
    assert len(list(sinks_of(Settings(alert_webhook_url=url)))) == fine


# --- the command -----------------------------------------------------------------------------------------------------


def program(folder: Path, text: str) -> str:
    path = folder / "tell.py"
    path.write_text(text, encoding="utf-8")
    return f"{sys.executable} {path}"


async def test_a_command_gets_the_message_on_its_input_and_nothing_in_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard.json"
    text = (
        "import json, os, sys\n"
        f"json.dump([sys.argv[1:], json.load(sys.stdin), dict(os.environ)], open({str(heard)!r}, 'w'))"
    )
    monkeypatch.setenv("TIMETABLE_SECRET_OF_TEST", "hush")
    settings = Settings(alert_command=program(tmp_path, text) + " --to 'the team; rm x'")
    async with running(settings) as (alerts, counts):
        alerts.observe(STUCK)
        await until(lambda: counts.get(("command", "sent")))
    arguments, message, environment = json.loads(heard.read_text(encoding="utf-8"))
    assert arguments == ["--to", "the team; rm x"]
    assert message["alert"] == "queue_stuck"
    assert "hush" not in environment.values()


async def test_a_command_that_hangs_is_ended_with_all_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "COMMAND_SECONDS", 0.7)
    pids = tmp_path / "pids"
    text = (
        "import os, subprocess, sys, time\n"
        "below = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{below.pid}}')\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(SinkError, match="longer than"):
        await run_command(program(tmp_path, text).split(), {"alert": "x"})
    for pid in map(int, pids.read_text().split()):
        await until(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("text", ["import sys; sys.exit(3)", "raise SystemExit('no')"])
async def test_a_command_that_fails_has_not_delivered(tmp_path: Path, text: str) -> None:
    with pytest.raises(SinkError, match="ended with code"):
        await run_command(program(tmp_path, text).split(), {"alert": "x" * 200_000})


async def test_a_command_that_is_no_program_is_told_at_the_start(tmp_path: Path) -> None:
    assert command_problem("true --now") is None
    assert "no such program" in (command_problem("no-such-program-here") or "")
    assert "cannot be read" in (command_problem("tell 'me") or "")
    with pytest.raises(SinkError):
        await run_command([str(tmp_path / "gone")], {})


async def test_without_settings_there_is_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with running(Settings()) as (alerts, counts):
            alerts.occurred("backup_failed")
    assert counts == {("log", "sent"): 1}
    (record,) = [record for record in caplog.records if record.name == "timetable.alerts"]
    assert (record.levelno, record.alert, record.severity) == (logging.ERROR, "backup_failed", "high")  # type: ignore[attr-defined]
