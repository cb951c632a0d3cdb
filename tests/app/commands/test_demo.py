"""The demonstration waits for a slow machine, counts the time of the job only then, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console

from app.commands import demo

LOADING = "waiting at position 1; the solver is being made ready"


def service(*statuses: str) -> httpx.Client:
    """A service whose only job goes through these states, one per question, and stays in the last one."""
    left = list(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        status = left.pop(0) if len(left) > 1 else left[0]
        message = LOADING if status == "queued" else status
        snapshot: dict[str, Any] = {"status": status, "message": message, "overall_progress": 0.0, "metadata": {}}
        return httpx.Response(200, json=snapshot)

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(demo, "EXTRA_SECONDS", 0.4)


def follow(client: httpx.Client) -> tuple[dict[str, Any], str]:
    console = Console(file=io.StringIO(), width=200)
    last = demo._follow(console, client, "job", 0.0)
    assert isinstance(console.file, io.StringIO)
    return last, console.file.getvalue()


def test_time_in_the_queue_does_not_count_and_its_reason_is_said_once() -> None:
    last, text = follow(service(*["queued"] * 12, "running", "completed"))
    assert last["status"] == "completed"
    assert text.count(f"the job is {LOADING}") == 1


def test_a_job_that_never_starts_is_given_up_with_the_services_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "STARTING_SECONDS", 0.2)
    with pytest.raises(demo.DemoError, match=r"did not start within 0\.2 s.*being made ready"):
        follow(service("queued"))


def test_a_job_that_runs_beyond_its_limit_is_given_up() -> None:
    with pytest.raises(demo.DemoError, match=r"did not end within 0\.4 s of its time limit"):
        follow(service("running"))


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """One whose service is up; its temporary files are in `tmp_path`."""
    command = [sys.executable, "-m", "app.cli", "demo", "--time-limit", "60"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as running:
        try:
            assert running.stdout is not None
            for line in running.stdout:
                if "POST /generate_variants" in line:
                    break
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_the_demonstration_ends_its_service_ends_with_it(
    demonstration: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    started = psutil.Process(demonstration.pid).children(recursive=True)
    assert len(started) >= 3, "the service, its forkserver, a parse worker"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("timetable-demo-")]
    demonstration.send_signal(number)
    _, left = psutil.wait_procs(started, timeout=60)
    for process in left:
        process.kill()
    assert not left
    assert demonstration.wait(30) == (-number if number == signal.SIGKILL else 130)
    if number != signal.SIGKILL:
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("timetable-demo-")]
