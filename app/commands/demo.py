"""
What a newcomer sees first: the real service on a free port, a real job over HTTP, and what comes out of it.

The server is a process of its own with a data folder of its own, so that the demonstration leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from rich.console import Console

from app.commands import console as draw

SAMPLE = "college"
READY_SECONDS = 60.0
POLL_SECONDS = 0.25
STARTING_SECONDS = 240.0
"""How long the job may wait; on a slow machine the very first one waits for the kernels, which takes minutes."""
EXTRA_SECONDS = 60.0
"""How long the job may run beyond its time limit."""
TERMINAL = {"completed", "failed", "cancelled"}
ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the demonstration as Ctrl-C does: in good order, the service first."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class DemoError(RuntimeError):
    """The demonstration could not be carried out; the message says at which step."""


def run(console: Console, seconds: float) -> int:
    """Runs the demonstration; 0 when a timetable came out, 3 when it made concessions, 1 when something broke."""
    try:
        with (
            _interrupted_by(*ENDINGS),
            tempfile.TemporaryDirectory(prefix="timetable-demo-") as folder,
            _served(console, Path(folder)) as url,
            httpx.Client(base_url=url, timeout=30.0) as client,
        ):
            return _play(console, client, seconds)
    except (DemoError, httpx.HTTPError) as error:
        console.print(f"the demonstration failed: {error}", style="red", markup=False)
        return 1


def _play(console: Console, client: httpx.Client, seconds: float) -> int:
    body = {
        "dataset_name": SAMPLE,
        "num_variants": 3,
        "time_limit_seconds": seconds,
        "semester": 1,
        "academic_year": "2026-2027",
    }
    posted = client.post("/generate_variants", json=body)
    if posted.status_code != 200:
        raise DemoError(f"POST /generate_variants answered {posted.status_code}: {posted.text[:300]}")
    job_id = posted.json()["job_id"]
    console.print(f"POST /generate_variants [dim]{SAMPLE}, {seconds:g} s[/dim] -> job {job_id}")
    last = _follow(console, client, job_id, seconds)
    if last["status"] != "completed":
        raise DemoError(f"the job ended as {last['status']}: {last['metadata'].get('error') or last['message']}")
    result = client.get(f"/variants/{job_id}").raise_for_status().json()
    entries = result["variants"][0].get("timetable_entries")
    if entries is None:
        entries = client.get(f"/variants/{job_id}/1").raise_for_status().json()["timetable_entries"]
    console.print(draw.verdict(result), draw.ledger(result), draw.variants(result))
    console.print(draw.week(entries, draw.busiest_group(entries)))
    console.print(
        "Next: [bold]timetable serve[/bold] keeps the service running, with a page at http://127.0.0.1:8001/ and "
        "its API described at http://127.0.0.1:8001/openapi.json"
    )
    return 0 if result["variants"][0]["rung"] == "full" else 3


def _follow(console: Console, client: httpx.Client, job_id: str, seconds: float) -> dict[str, Any]:
    """Polls the progress of the job until it ends, and draws it; says why it waits as long as it does."""
    give_up, running, said = time.monotonic() + STARTING_SECONDS, False, ""
    bar = draw.progress_bar(console)
    task = bar.add_task("job", total=100.0, **draw.bar_fields(stage="queued"))
    with bar:
        while time.monotonic() < give_up:
            seen: dict[str, Any] = client.get(f"/progress/{job_id}").raise_for_status().json()
            names = ("rung", "placed", "total", "cost", "bound")
            stage = str(seen["metadata"].get("stage") or seen["status"])
            fields = draw.bar_fields(stage=stage, **{name: seen.get(name) for name in names})
            bar.update(task, completed=float(seen["overall_progress"]), **fields)
            if seen["status"] in TERMINAL:
                return seen
            if seen["status"] == "running" and not running:
                give_up, running = time.monotonic() + seconds + EXTRA_SECONDS, True
            if seen["status"] == "queued" and seen["message"] != said:
                said = seen["message"]
                console.print(f"the job is {said}", style="dim", markup=False)
            time.sleep(POLL_SECONDS)
    if running:
        raise DemoError(f"the job did not end within {EXTRA_SECONDS:g} s of its time limit")
    raise DemoError(f"the job did not start within {STARTING_SECONDS:g} s; the service says: {said}")


@contextmanager
def _interrupted_by(*signals: signal.Signals) -> Iterator[None]:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with(parent: int) -> None:
    """In the process that becomes the service: when the demonstration is killed, it is told to end as well."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)  # it ended before we asked to be told


@contextmanager
def _served(console: Console, folder: Path) -> Iterator[str]:
    """A service on a free port in a process of its own; its log goes to a file and is shown only when it fails."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--host", "127.0.0.1"]
    with log.open("wb") as sink:
        environment = {**os.environ, "TIMETABLE_DATA_DIR": str(folder / "data")}
        # A session of its own: Ctrl-C at the terminal is ours to hear, and the service then hears it from us, once.
        server = subprocess.Popen(
            command,
            stdout=sink,
            stderr=sink,
            env=environment,
            start_new_session=True,
            preexec_fn=partial(_end_with, os.getpid()),  # we have no other thread yet
        )
    try:
        with console.status("starting the service"):
            url = _wait_until_ready(server, log)
        console.print(f"service is up at {url}")
        yield url
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up:
        if server.poll() is not None:
            raise DemoError(f"the service ended at once (exit code {server.returncode}): {_tail(log)}")
        found = re.search(r"running on (http://[\d.]+:\d+)", log.read_text(errors="replace"))
        if found and _ready(found[1]):
            return found[1]
        time.sleep(0.1)
    raise DemoError(f"the service was not ready after {READY_SECONDS:g} s: {_tail(log)}")


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5.0).status_code == 200
    except httpx.TransportError:
        return False


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "no output"
