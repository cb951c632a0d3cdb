"""Requests that are wrong in every way one can think of, and in many more that a machine can."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module

import anyio
import anyio.to_thread
import httpx

from benchmarks.faults.run import NotAvailable, Run
from benchmarks.faults.target import Target

CONNECTIONS = 4
PROBLEM = "application/problem+json"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
STREAMS = "events$"
"""A stream never ends, and a generator of requests waits for its end."""


async def malformed(run: Run) -> None:
    """Generated bodies: each is answered with a 4xx problem document, none slowly, and the service lives on."""
    try:
        bodies: Iterator[bytes] = import_module("tests.malformed.fuzz").bodies(run.rng.randrange(2**31))
    except ImportError as error:
        raise NotAvailable(f"the generator of bodies: {error}") from error
    waiting = itertools.islice(bodies, run.count)
    async with run.target() as target, anyio.create_task_group() as lanes:
        # Its readers are loaded by now, and its first answers are not what is measured.
        await target.ended(await target.submit("tiny", 1.0))

        async def lane() -> None:
            for body in waiting:
                if run.time_left <= 0:
                    return
                await _refused(run, target, body)

        for _ in range(CONNECTIONS):
            lanes.start_soon(lane)


async def _refused(run: Run, target: Target, body: bytes) -> None:
    began = time.monotonic()
    try:
        answer = await target.http.post(
            "/generate_variants", content=body, headers={"content-type": "application/json"}
        )
    except httpx.TransportError as error:
        run.tally.breaches.append(f"no answer ({error!r}) to {body[:80]!r}")
        return
    milliseconds = 1000 * (time.monotonic() - began)
    run.tally.measured("answered", milliseconds)
    run.tally.done += 1
    good = 400 <= answer.status_code < 500 and answer.headers.get("content-type", "").startswith(PROBLEM)
    if not good:
        run.tally.breaches.append(f"{answer.status_code} for {body[:120]!r}")
    if milliseconds > 200:
        run.tally.notes.append(f"{milliseconds:.0f} ms for {len(body)} bytes {body[:40]!r}")
        del run.tally.notes[3:]


async def described(run: Run) -> None:
    """schemathesis against the service's own description: valid, invalid and chained requests."""
    async with run.target(settle=False, solve_seconds=1, max_solve_seconds=1) as target:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{target.http.base_url}/openapi.json"),
            *("--max-examples", str(run.count), "--seed", str(run.rng.randrange(2**31))),
            *("--checks", ",".join(CHECKS), "--exclude-path-regex", STREAMS, "--continue-on-failure", "--no-color"),
            *("--max-time", str(round(max(30.0, run.seconds / 2)))),
        ]
        done = await anyio.to_thread.run_sync(lambda: _run_for(command, run))
        (run.folder / "schemathesis.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
        cases = re.search(r"(\d+) generated", done.stdout)
        run.tally.done = int(cases.group(1)) if cases else 0
        run.tally.check(done.returncode == 0, f"schemathesis ended with {done.returncode}: {_told(done.stdout)}")
        run.tally.check(target.alive, "the service did not live through it")
        live = await target.ask("GET", "/health/live")
        run.tally.check(live.is_success, f"afterwards /health/live answers {live.status_code}")


def _run_for(command: list[str], run: Run) -> subprocess.CompletedProcess[str]:
    seconds = max(30.0, run.time_left)
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command, cwd=run.folder, env=env, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(command, -9, _text(late.stdout), f"cut off after {seconds:.0f} s")


def _text(output: bytes | str | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""


def _told(output: str) -> str:
    """The failed checks of a schemathesis report, in one line."""
    failed = re.findall(r"^- (.+)$", output, re.MULTILINE)
    return "; ".join(dict.fromkeys(failed)) or "see schemathesis.txt"
