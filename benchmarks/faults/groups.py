"""A real container, as far as memory is concerned: a control group with a limit, and a service in it."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.run import Impossible, Run
from benchmarks.faults.target import Target

LIMIT_MB = 420
NEIGHBOUR_MB = 100
"""With so much taken by somebody else the container is full before a child is at its own limit."""
END_SECONDS = 20.0
ONE, TWO = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
NEIGHBOUR = """
import os, sys
from pathlib import Path
Path("/proc/self/oom_score_adj").write_text("300")
(Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
taken = b"x" * (int(sys.argv[2]) << 20)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def limited(limit_mb: int) -> Iterator[Path]:
    """The folder of a new group that may use so much; raises Impossible where none can be made."""
    try:
        group = _made(limit_mb)
    except OSError as error:
        raise Impossible(f"no control group can be made here: {error.strerror}") from error
    try:
        yield group
    finally:
        removed(group)


def _made(limit_mb: int) -> Path:
    """Of version 1 where memory is there, else of version 2."""
    name = f"timetable-{secrets.token_hex(4)}"
    if ONE.is_dir():
        group, files = ONE / name, {"memory.limit_in_bytes": f"{limit_mb}M"}
    else:
        (TWO / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
        group, files = TWO / name, {"memory.max": f"{limit_mb}M", "memory.swap.max": "0"}
    group.mkdir()
    try:
        for file, text in files.items():
            (group / file).write_text(text, encoding="ascii")
    except OSError:
        group.rmdir()
        raise
    return group


def removed(group: Path) -> None:
    """Once the last process in it has ended; that takes a moment, of which nobody tells."""
    until = time.monotonic() + END_SECONDS
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.02)


@contextmanager
def neighbour(group: Path, megabytes: int) -> Iterator[None]:
    """
    Somebody in the same container who holds memory; children are what the kernel ends first.

    On a busy machine the memory of a child may not be free within the second that the kernel gives it, and the kernel
    ends whoever comes next. That is this neighbour and not the service, as in a container with anything else in it.
    """
    words = [sys.executable, "-c", NEIGHBOUR, str(group), str(megabytes)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            process.stdout.readline()
            yield
        finally:
            process.kill()


async def in_a_container(run: Run) -> None:
    """
    The service sees its container; children that the kernel ends there, as it is full, have not crashed.

    Every second time nobody else is in it: then a child is stopped at what the container leaves it, by us.
    """
    with limited(LIMIT_MB) as group:
        async with run.target(slots=1, memory_limit_mb=2048, group=group) as target:
            await _sees(run, target)
            for n in run.rounds():
                if n % 2:
                    await _eats(run, target, by_kernel=False)
                else:
                    with neighbour(group, NEIGHBOUR_MB):
                        await _eats(run, target, by_kernel=True)
                run.tally.done += 1


async def _sees(run: Run, target: Target) -> None:
    hardware = (await target.ask("GET", "/hardware")).json()
    seen = round(1024 * hardware["total_memory_gb"])
    run.tally.check(abs(seen - LIMIT_MB) <= 5 and hardware["in_container"], f"it sees {seen} MB")
    limit = hardware["memory_limit_mb"]
    run.tally.check(limit < LIMIT_MB, f"a child may use {limit} MB of {LIMIT_MB}")
    run.tally.notes.append(f"{seen} MB are seen, a child is stopped at {limit} MB")


async def _eats(run: Run, target: Target, *, by_kernel: bool) -> None:
    target.arm("stage.construct", "hog")
    job = await target.submit("trivial", 20.0)
    run.tally.check(await target.fired("stage.construct", 30.0), "stage construct was not reached")
    await target.ended(job)
    first = (await target.job(job))["attempts"][0]
    told = f"job {job}: its first attempt ended by {first['how']}: {first['message']}"
    run.tally.check(first["how"] == "memory", told)
    if by_kernel:
        run.tally.check("the kernel" in (first["message"] or ""), told)
    if first["peak_mb"] is not None:
        run.tally.measured("peak", first["peak_mb"])
