"""
What there is for us on this machine: processors, memory, and how often the kernel has killed for want of memory.

A container is a control group (cgroup) with limits, which nothing but its own files tells of: `/proc/meminfo` and the
number of processors are those of the host. Both versions of these files are read, each controller where it is mounted
(a host may have memory in version 1 and nothing in version 2). Limits are nested, and every one of them holds: ours is
the narrowest on the way from our group up to the root that is mounted here. What cannot be read limits nothing.

Everything is read anew when it is asked for, which takes some tenths of a millisecond at most: limits may be changed
while we run. Roots are parameters, so that tests show file trees of their own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import psutil

from app import MEBIBYTE

NO_LIMIT = 1 << 60
"""Version 1 has no word for "none" but a number as large as this."""
OWN_MB = 300
"""
What the service needs itself, in MiB: 73 for the service, 40 for each of two parse workers, 90 to 140 for the
forkserver; measured as their shares of the pages that they have in common.
"""
SHARED_MB = 128
"""Of the resident memory of a child so much is the forkserver's, and counted once."""
CHILD_MB, LEAST_CHILD_MB, USEFUL_CHILD_MB = 2048, 256, 512
"""The most and the least that a child is given by itself, and what it should have before there is a second one."""


class Names(NamedTuple):
    """The files of one version. `high` throttles where `limit` kills; a group is as good as full there."""

    limit: str
    high: str
    usage: str
    cache: str
    kills: str


MEMORY_FILES: Mapping[int, Names] = {
    1: Names("memory.limit_in_bytes", "", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control"),
    2: Names("memory.max", "memory.high", "memory.current", "inactive_file", "memory.events"),
}


class Memory(NamedTuple):
    """
    Bytes there are and bytes left, and how full the fullest is of the machine and all limits, from 0 to 100.

    `in_container` says that a limit of a container is what counts, and not the machine itself.
    """

    total: int
    available: int
    percent: float
    in_container: bool


class _Place(NamedTuple):
    """Where a controller is: its version, our group, and the highest group that can be seen from here."""

    version: int
    group: Path
    root: Path

    def levels(self) -> Iterator[Path]:
        """Our group and all above it."""
        yield self.group
        for above in self.group.parents:
            if not above.is_relative_to(self.root):
                return
            yield above


class Machine:
    """`proc` is where the kernel tells of processes, and `root` what the paths of its mounts begin at."""

    def __init__(self, proc: Path = Path("/proc"), root: Path = Path("/")) -> None:
        self._proc, self._root = proc, root
        self._places: dict[str, _Place | None] = {}
        self._spent: tuple[float, float] | None = None

    # --- memory ---

    def memory(self) -> Memory:
        """The narrowest of the machine and of all limits above us. Pages of files that can be let go are free."""
        host = psutil.virtual_memory()
        limits = [(total, left) for total, left in self._memory_limits() if total < host.total]
        every = [(host.total, host.available), *limits]
        return Memory(
            total=min(total for total, _ in every),
            available=min(left for _, left in every),
            percent=round(max(100 * (1 - left / max(total, 1)) for total, left in every), 1),
            in_container=bool(limits),
        )

    def _memory_limits(self) -> Iterator[tuple[int, int]]:
        """Limit and what is left of it, for every group that has one."""
        place = self._place("memory")
        if place is None:
            return
        names = MEMORY_FILES[place.version]
        for group in place.levels():
            found = (_number(group / name) for name in (names.limit, names.high) if name)
            limits = [value for value in found if value is not None and value < NO_LIMIT]
            if limits:
                used = (_number(group / names.usage) or 0) - (_word(group / "memory.stat", names.cache) or 0)
                yield min(limits), max(0, min(limits) - used)

    def memory_kills(self) -> int | None:
        """
        How many processes of our group the kernel has killed for want of memory; None where it does not tell.

        Outside of any group that counts, these are the kills of the whole machine.
        """
        place = self._place("memory")
        if place is not None:
            found = _word(place.group / MEMORY_FILES[place.version].kills, "oom_kill")
            if found is not None:
                return found
        return _word(self._proc / "vmstat", "oom_kill")

    # --- processors ---

    def cores(self) -> int:
        """Processors that we may keep busy: a mask leaves some out, and a quota may be worth fewer than there are."""
        quota = self.quota()
        affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return affine if quota is None else max(1, min(affine, int(quota + 0.05)))

    def quota(self) -> float | None:
        """The time of so many processors is ours at most, whichever they are; None where there is no such limit."""
        place = self._place("cpu")
        if place is None:
            return None
        read = _quota_1 if place.version == 1 else _quota_2
        found = [quota for group in place.levels() if (quota := read(group)) is not None]
        return min(found, default=None)

    def quota_percent(self) -> float | None:
        """How much of the quota was used since the last call; None without a quota, and at the first call."""
        quota, spent = self.quota(), self._seconds_spent()
        if quota is None or spent is None:
            return None
        now, before = (time.monotonic(), spent), self._spent
        self._spent = now
        if before is None or now[0] <= before[0]:
            return None
        return round(min(100.0, 100 * (now[1] - before[1]) / (quota * (now[0] - before[0]))), 1)

    def _seconds_spent(self) -> float | None:
        """Processor time of our group so far."""
        place = self._place("cpu")
        if place is not None and place.version == 2:
            micro = _word(place.group / "cpu.stat", "usage_usec")
            return None if micro is None else micro / 1e6
        place = self._place("cpuacct")
        nano = None if place is None else _number(place.group / "cpuacct.usage")
        return None if nano is None else nano / 1e9

    # --- where they are ---

    def _place(self, controller: str) -> _Place | None:
        if controller not in self._places:
            self._places[controller] = self._find(controller)
        return self._places[controller]

    def _find(self, controller: str) -> _Place | None:
        """Version 1 has a controller where it is mounted; version 2 has all the others."""
        groups = self._groups()
        mounts = list(self._mounts())
        for version, name in ((1, controller), (2, "")):
            for kind, inside, mounted, controllers in mounts:
                fits = kind == "cgroup" and controller in controllers if version == 1 else kind == "cgroup2"
                if fits and name in groups:
                    at = self._root / mounted.lstrip("/")
                    return _Place(version, _below(at, groups[name], inside), at)
        return None

    def _groups(self) -> dict[str, str]:
        """The path of our group by controller; that of version 2 by an empty word."""
        found: dict[str, str] = {}
        for line in _lines(self._proc / "self" / "cgroup"):
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if number == "0":
                found[""] = path
            else:
                found |= dict.fromkeys(controllers.split(","), path)
        return found

    def _mounts(self) -> Iterator[tuple[str, str, str, list[str]]]:
        """Kind, the part of it that is mounted, where, and its options, of every mount."""
        for line in _lines(self._proc / "self" / "mountinfo"):
            before, _, after = line.partition(" - ")
            first, last = before.split(" "), after.split(" ")
            if len(first) > 4 and len(last) > 2:
                yield last[0], first[3], first[4], last[2].split(",")


def _below(mounted: Path, path: str, inside: str) -> Path:
    """The folder of the group `path`, where the part `inside` of all groups is mounted; the mount if hidden."""
    try:
        relative = PurePosixPath(path).relative_to(inside)
    except ValueError:  # a container that sees its own group only, and the host's name for it
        return mounted
    group = mounted / relative
    return group if ".." not in relative.parts and group.is_dir() else mounted


def _quota_1(group: Path) -> float | None:
    quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def _quota_2(group: Path) -> float | None:
    words = " ".join(_lines(group / "cpu.max")).split()
    numbers = len(words) == 2 and all(word.isdigit() for word in words)
    return int(words[0]) / int(words[1]) if numbers and int(words[1]) else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, or the word "max"."""
    try:
        return int(" ".join(_lines(path)))
    except ValueError:
        return None


def _word(path: Path, name: str) -> int | None:
    """The number behind a name, in a file that has one to each line."""
    for line in _lines(path):
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return None


@cache
def this_machine() -> Machine:
    """The one we run on."""
    return Machine()


# --- what fits ---


def fitting_slots(cores: int, total_bytes: int) -> int:
    """Children at the same time: one to a core, as far as memory reaches for them; one at least."""
    useful = (total_bytes // MEBIBYTE - OWN_MB) // (USEFUL_CHILD_MB - SHARED_MB)
    return max(1, min(cores, useful))


def child_mb(total_bytes: int, slots: int = 1) -> int:
    """Resident memory that each child can have when all slots are in use, in MiB; the least even if it cannot."""
    share = (total_bytes // MEBIBYTE - OWN_MB) // slots + SHARED_MB
    return max(LEAST_CHILD_MB, share)


def default_slots() -> int:
    """Jobs at once that fit the cores and the memory of this machine."""
    here = this_machine()
    return fitting_slots(here.cores(), here.memory().total)


def default_child_mb() -> int:
    """Memory of a child in MiB: what it needs at most, or less on a small machine."""
    return min(CHILD_MB, child_mb(this_machine().memory().total, default_slots()))


def default_parse_worker_mb() -> int:
    """Two of them may be at work at the same time."""
    return min(CHILD_MB, max(LEAST_CHILD_MB, (this_machine().memory().total // MEBIBYTE - OWN_MB) // 2))


def most_child_mb(wanted: int) -> int:
    """What a child may really have of what the settings allow it: never more than would fill its container."""
    memory = this_machine().memory()
    return min(wanted, child_mb(memory.total)) if memory.in_container else wanted
