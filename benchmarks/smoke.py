"""A load smoke: locust without its pages, ten users, against a real service with a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import anyio.to_thread

from benchmarks.faults.ledger import Ledger
from benchmarks.faults.target import ROOT, Target

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
START_SECONDS = 600.0
ENDING_SECONDS = 60.0


def run(users: int, seconds: float) -> int:
    """Runs the smoke; returns locust's exit code, which is 1 when anything failed or was slow."""
    return anyio.run(_run, users, seconds)


async def _run(users: int, seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="timetable-smoke-") as folder:
        async with Target(Path(folder), Ledger()) as target:
            await target.ended(await target.submit("trivial", 1.0), START_SECONDS)  # kernels are loaded, or compiled
            command = [
                *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"),
                *("--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds:.0f}s"),
                *("--host", str(target.http.base_url), "--stop-timeout", "5"),
            ]

            def smoke() -> int:
                return subprocess.run(command, cwd=ROOT, timeout=seconds + ENDING_SECONDS, check=False).returncode

            return await anyio.to_thread.run_sync(smoke)
