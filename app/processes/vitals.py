"""
What the kernel says about processes: how a child is, and which processes an earlier service has left behind.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.domain.diagnosis import ThreadLook

TAG = "SUPERVISED_BY_TIMETABLE"
"""Environment variable that marks the forkserver and all its children with the data folder they work for."""
ORPHAN_SECONDS = 5.0
MOST_THREADS = 64
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the kernel says about a child and whatever it started: bytes in memory, seconds of processor time, state."""

    resident_bytes: int
    cpu_seconds: float
    state: str


STOPPED_STATES = frozenset("Tt")
"""Letters of a process that a signal, or a debugger, has stopped."""


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped at this moment; one that is gone is not."""
    try:
        return _fields_of(pid)[0] in STOPPED_STATES
    except (OSError, IndexError):
        return False


def cpu_seconds_of(pid: int) -> float | None:
    """Processor time that a process has used; None when it is gone."""
    try:
        fields = _fields_of(pid)
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, IndexError):
        return None


def _fields_of(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on. Its name may contain anything, so we begin behind that."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def vitals_of(pid: int) -> Vitals | None:
    """None when the process is gone, or a zombie."""
    try:
        fields = _fields_of(pid)
        if fields[0] in "ZX":
            return None
        resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
        below = [vitals for child in _children_of(pid) if (vitals := vitals_of(child)) is not None]
    except (OSError, IndexError):
        return None
    return Vitals(
        resident_bytes=resident + sum(vitals.resident_bytes for vitals in below),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS + sum(vitals.cpu_seconds for vitals in below),
        state=fields[0],
    )


def threads_of(pid: int) -> tuple[ThreadLook, ...]:
    """The threads of a process, at most `MOST_THREADS`; those that end while we look are left out."""
    found: list[ThreadLook] = []
    with contextlib.suppress(OSError):
        for thread in sorted(Path(f"/proc/{pid}/task").iterdir())[:MOST_THREADS]:
            with contextlib.suppress(OSError, IndexError):
                head, _, tail = (thread / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
                name, state = head.partition("(")[2], tail.split()[0]
                found.append(ThreadLook(name, state, _wait_channel(thread)))
    return tuple(found)


def _wait_channel(thread: Path) -> str:
    """Empty for a thread that does not wait, and where the kernel does not tell."""
    try:
        name = (thread / "wchan").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return "" if name == "0" else name


def _children_of(pid: int) -> list[int]:
    """Threads come and go while we look, and a kernel may be built without this file; both mean no child here."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (thread / "children").read_text(encoding="ascii").split())
    return found


def kill_orphans(tag: str) -> list[int]:
    """
    Kills what an earlier service for the same folder has left running, and waits until it is gone.

    The caller holds the folder's lock, so whatever carries the tag and does not descend from us is an orphan. Blocks.
    """
    ours = {os.getpid(), *(process.pid for process in psutil.Process().children(recursive=True))}
    orphans = [process for process in psutil.process_iter() if process.pid not in ours and _tag_of(process) == tag]
    for process in orphans:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(orphans, timeout=ORPHAN_SECONDS)
    return [process.pid for process in orphans]


def _tag_of(process: psutil.Process) -> str | None:
    try:
        tag: str | None = process.environ().get(TAG)
    except (psutil.Error, OSError):
        return None
    return tag
