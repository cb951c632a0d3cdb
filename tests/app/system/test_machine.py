"""What a container leaves us, read from real file trees, and from a real control group where one can be made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app import MEBIBYTE
from app.system.machine import (
    LEAST_CHILD_MB,
    NO_LIMIT,
    OWN_MB,
    SHARED_MB,
    Machine,
    child_mb,
    fitting_slots,
)
from tests.groups import V1_MOUNTS, Shown, real_group, tree, version_1, version_2

HOST = psutil.virtual_memory().total
AFFINE = len(os.sched_getaffinity(0))
# --- memory ---


def test_the_narrowest_of_nested_limits_counts_in_version_2(tmp_path: Path) -> None:
    here = version_2(
        tmp_path,
        {
            "pod/memory.max": 400 * MEBIBYTE,
            "pod/memory.current": 300 * MEBIBYTE,
            "pod/memory.stat": f"anon 1\ninactive_file {50 * MEBIBYTE}",
            "pod/app/memory.max": "max",
            "pod/app/memory.current": 100 * MEBIBYTE,
        },
    )
    memory = here.memory()
    assert (memory.total, memory.available) == (400 * MEBIBYTE, 150 * MEBIBYTE), "files in memory can be let go"
    assert memory.in_container and memory.percent == 62.5


def test_what_throttles_is_a_limit_as_well(tmp_path: Path) -> None:
    here = version_2(tmp_path, {"pod/app/memory.max": 800 * MEBIBYTE, "pod/app/memory.high": 600 * MEBIBYTE})
    assert here.memory().total == 600 * MEBIBYTE


def test_the_limits_of_version_1_count_and_its_largest_number_is_none(tmp_path: Path) -> None:
    here = version_1(
        tmp_path,
        {
            "memory/docker/memory.limit_in_bytes": 9223372036854771712,
            "memory/docker/x/memory.limit_in_bytes": 420 * MEBIBYTE,
            "memory/docker/x/memory.usage_in_bytes": 120 * MEBIBYTE,
            "memory/docker/x/memory.stat": f"total_inactive_file {20 * MEBIBYTE}",
        },
    )
    assert here.memory()[:2] == (420 * MEBIBYTE, 320 * MEBIBYTE) and here.memory().in_container
    free = version_1(tmp_path / "free", {"memory/docker/x/memory.limit_in_bytes": NO_LIMIT})
    assert free.memory().total == HOST and not free.memory().in_container


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/docker/x", "/docker/x"),  # the container has its own group mounted as the root of all
        ("/docker/x", "/docker/y"),  # and the kernel may name it as the host does
        ("/../../x", "/"),  # or from a place that cannot be seen
        ("/gone", "/"),
    ],
)
def test_a_group_that_is_mounted_as_the_root_is_found_there(tmp_path: Path, path: str, inside: str) -> None:
    here = version_1(tmp_path, {"memory/memory.limit_in_bytes": 420 * MEBIBYTE}, path, inside)
    assert here.memory().total == 420 * MEBIBYTE


def test_a_controller_of_version_1_is_read_there_although_version_2_is_mounted_too(tmp_path: Path) -> None:
    mounts = V1_MOUNTS.format(inside="/") + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    files = {"memory/x/memory.limit_in_bytes": 420 * MEBIBYTE, "unified/cpu.max": "50000 100000"}
    here = Shown(tmp_path, files, own="4:memory:/x\n0::/", mounts=mounts)
    assert (here.memory().total, here.quota()) == (420 * MEBIBYTE, 0.5)


def test_without_any_group_and_with_nonsense_in_its_files_the_machine_is_what_there_is(tmp_path: Path) -> None:
    assert Machine(tmp_path / "proc", tmp_path).memory().total == HOST
    assert Machine(tmp_path / "proc", tmp_path).cores() == AFFINE
    here = version_2(
        tmp_path / "odd",
        {"pod/memory.max": "much", "pod/app/cpu.max": "1 2 3", "pod/cpu.max": "5 0", "memory.max": 4 * HOST},
    )
    assert (here.memory().total, here.quota()) == (HOST, None) and not here.memory().in_container


def test_kills_are_those_of_our_group_or_of_the_machine_where_groups_do_not_count(tmp_path: Path) -> None:
    assert version_2(tmp_path / "2", {"pod/app/memory.events": "max 7\noom 3\noom_kill 2"}).memory_kills() == 2
    one = version_1(tmp_path / "1", {"memory/docker/x/memory.oom_control": "under_oom 0\noom_kill 3"})
    assert one.memory_kills() == 3
    assert version_2(tmp_path / "0", {}).memory_kills() == 5
    assert Machine(tmp_path / "nothing", tmp_path).memory_kills() is None


# --- processors ---


def test_a_quota_is_worth_whole_processors_and_one_at_least(tmp_path: Path) -> None:
    two = version_2(tmp_path / "2", {"pod/cpu.max": "150000 100000", "pod/app/cpu.max": "max 100000"})
    assert (two.quota(), two.cores()) == (1.5, 1)
    one = version_1(
        tmp_path / "1",
        {"cpu,cpuacct/docker/x/cpu.cfs_quota_us": 20000, "cpu,cpuacct/docker/x/cpu.cfs_period_us": 100000},
    )
    assert (one.quota(), one.cores()) == (0.2, 1)
    none = version_1(
        tmp_path / "0",
        {"cpu,cpuacct/docker/x/cpu.cfs_quota_us": -1, "cpu,cpuacct/docker/x/cpu.cfs_period_us": 100000},
    )
    assert (none.quota(), none.cores()) == (None, AFFINE)


@pytest.mark.parametrize("version", [1, 2])
def test_how_much_of_a_quota_is_used_is_told_from_what_our_group_has_computed(tmp_path: Path, version: int) -> None:
    group = tmp_path / "sys/fs/cgroup"
    if version == 2:
        here = version_2(tmp_path, {"pod/app/cpu.max": "50000 100000", "pod/app/cpu.stat": "usage_usec 0"})
        used = {"pod/app/cpu.stat": "usage_usec 9000000000"}
    else:
        quota = {"cpu,cpuacct/docker/x/cpu.cfs_quota_us": 50000, "cpu,cpuacct/docker/x/cpu.cfs_period_us": 100000}
        here = version_1(tmp_path, {**quota, "cpu,cpuacct/docker/x/cpuacct.usage": 0})
        used = {"cpu,cpuacct/docker/x/cpuacct.usage": "9000000000000"}
    assert here.quota_percent() is None, "nothing to compare with yet"
    assert here.quota_percent() == 0.0
    tree(group, used)
    assert here.quota_percent() == 100.0


# --- what fits ---


def test_slots_and_the_memory_of_children_are_what_a_container_has_room_for() -> None:
    assert [fitting_slots(8, mb * MEBIBYTE) for mb in (420, 1024, 2048, 65536)] == [1, 1, 4, 8]
    assert child_mb(420 * MEBIBYTE) == LEAST_CHILD_MB
    for total, slots in ((1024, 1), (2048, 4), (8192, 8)):
        assert slots * (child_mb(total * MEBIBYTE, slots) - SHARED_MB) + OWN_MB <= total


# --- a real one ---


INSIDE = """
import os, pathlib, sys
(pathlib.Path(sys.argv[1]) / "cgroup.procs").write_text(str(os.getpid()))
from app import MEBIBYTE
from app.system.machine import Machine
from app.settings import Settings
before = Machine().memory_kills()
child = os.fork()
if not child:
    bytearray(600_000_000)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
settings = Settings()
print(Machine().memory().total >> 20, settings.slots, settings.memory_limit_mb, code, Machine().memory_kills() - before)
"""


def test_in_a_real_container_its_limit_and_its_kills_are_seen() -> None:
    with real_group(420) as group:
        told = subprocess.run([sys.executable, "-c", INSIDE, str(group)], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["420", "1", str(LEAST_CHILD_MB), "-9", "1"]
