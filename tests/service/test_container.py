"""A service in a real container of 420 MB: what its kernel ends is told as want of memory, and the job goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.groups import neighbour
from tests.groups import real_group

pytestmark = pytest.mark.timeout(120)

PROGRAM = """
import json, os, sys
from pathlib import Path
import anyio
(Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
from app.settings import Settings
from app.service.supervisor import Supervisor
from tests.service.conftest import SOLVE, ended, request

async def main():
    settings = Settings(data_dir=Path(sys.argv[2]), slots=1, memory_limit_mb=2048, retry_wait_seconds=0.1)
    async with Supervisor(settings, solve=SOLVE) as supervisor:
        await supervisor.submit(request("j", "gulp"))
        last = await ended(supervisor, "j")
        attempts = await supervisor.attempts("j")
        print(json.dumps({"status": last["status"], "attempts": attempts}))

anyio.run(main)
"""


def test_a_child_that_the_kernel_ends_for_want_of_memory_has_not_crashed(tmp_path: Path) -> None:
    with real_group(420) as group, neighbour(group, 120):
        command = [sys.executable, "-c", PROGRAM, str(group), str(tmp_path)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    first, second = found["attempts"]
    assert (first["how"], first["exit_code"], first["verdict"]) == ("memory", -9, "MEMORY_LEAK")
    assert "the kernel ended it because memory ran out" in first["message"]
    assert (found["status"], second["how"]) == ("completed", "result")
