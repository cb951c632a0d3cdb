"""Control groups: file trees that look like them, and real ones where they can be made."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from app.system.machine import Machine
from benchmarks.faults.groups import limited, removed
from benchmarks.faults.run import Impossible

V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 {inside} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 {inside} /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
"""
V2_MOUNTS = "31 23 0:28 {inside} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def tree(folder: Path, files: Mapping[str, object]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="ascii")


class Shown(Machine):
    """A machine with these groups. `own` is what the kernel says of our group, `inside` the part that is mounted."""

    def __init__(self, folder: Path, files: Mapping[str, object], *, own: str, mounts: str, inside: str = "/") -> None:
        tree(folder / "sys" / "fs" / "cgroup", files)
        tree(folder / "proc", {"self/cgroup": own, "self/mountinfo": mounts.format(inside=inside)})
        tree(folder / "proc", {"vmstat": "nr_free_pages 1\noom_kill 5"})
        super().__init__(folder / "proc", folder)


def version_2(folder: Path, files: Mapping[str, object], own: str = "0::/pod/app", inside: str = "/") -> Shown:
    (folder / "sys" / "fs" / "cgroup" / "pod" / "app").mkdir(parents=True)
    return Shown(folder, files, own=own, mounts=V2_MOUNTS, inside=inside)


def version_1(folder: Path, files: Mapping[str, object], path: str = "/docker/x", inside: str = "/") -> Shown:
    own = f"7:cpu,cpuacct:{path}\n4:memory:{path}\n0::/"
    return Shown(folder, files, own=own, mounts=V1_MOUNTS, inside=inside)


@contextmanager
def real_group(limit_mb: int) -> Iterator[Path]:
    """A group with a limit, below that of the machine; skips where none can be made."""
    with ExitStack() as stack:
        try:
            group = stack.enter_context(limited(limit_mb))
        except Impossible as why:
            pytest.skip(str(why))
        yield group


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that neither runs nor can be killed until the block ends, by a freezer of version 1; else skips."""
    freezer = Path("/sys/fs/cgroup/freezer") / f"timetable-test-{secrets.token_hex(4)}"
    try:
        freezer.mkdir()
        (freezer / "cgroup.procs").write_text(str(pid), encoding="ascii")
        (freezer / "freezer.state").write_text("FROZEN", encoding="ascii")
    except OSError as error:
        pytest.skip(f"no process can be frozen here: {error}")
    try:
        yield
    finally:
        (freezer / "freezer.state").write_text("THAWED", encoding="ascii")
        with suppress(ProcessLookupError):  # it was killed while it was frozen, and ends now
            (freezer.parent / "cgroup.procs").write_text(str(pid), encoding="ascii")
        removed(freezer)
