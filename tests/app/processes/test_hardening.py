"""What a process of ours has lost once it is hardened, asked of a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from app.processes.hardening import environment_of

PROGRAM = """
import json, os, resource
from pathlib import Path
from app.processes import hardening
hardening.end_with_parent()
hardening.gain_nothing()
hardening.leave_no_core()
hardening.limit(resource.RLIMIT_NOFILE, 64)
hardening.limit(resource.RLIMIT_NOFILE, 128)
hardening.be_killed_first(600)
spare = os.open("/dev/null", os.O_RDONLY)
kept = os.open("/dev/null", os.O_RDONLY)
out = os.dup(1)
hardening.print_to_stderr()
print("on a descriptor that nobody reads", flush=True)
hardening.close_all_but({0, 1, 2, out, kept})
told = {
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "score": int(Path("/proc/self/oom_score_adj").read_text()),
    "privileges": "NoNewPrivs:\\t1" in Path("/proc/self/status").read_text(),
    "open": [os.path.exists(f"/proc/self/fd/{number}") for number in (spare, kept)],
}
os.write(out, json.dumps(told).encode())
"""


def test_a_hardened_process_has_lowered_limits_and_prints_to_its_standard_error() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert json.loads(run.stdout) == {
        "core": [0, 0],
        "files": [64, 64],
        "score": 600,
        "privileges": True,
        "open": [False, True],
    }
    assert run.stderr == b"on a descriptor that nobody reads\n"


def test_a_process_learns_of_our_environment_what_it_needs_and_no_secret() -> None:
    ours = {"PATH": "/bin", "LC_ALL": "C", "TIMETABLE_API_KEYS": "secret", "DATABASE_URL": "secret"}
    theirs = environment_of(ours, {"ADDED": "yes"})
    assert {"PATH", "LC_ALL", "ADDED", "OMP_NUM_THREADS"} <= theirs.keys()
    assert "secret" not in theirs.values()
    assert theirs["PYTHONPATH"].split(os.pathsep) == [path for path in sys.path if path]
