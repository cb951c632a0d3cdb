"""
What is done to a process of ours so that it is easy to kill, polite to its neighbours, and poor in what it could harm.

Children that solve and workers that parse get here what both need; what only one of them needs stands with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from app.system import failpoints

ENVIRONMENT = {
    # Importing numpy starts a thread per core otherwise, and a process with threads must not be forked.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
KEPT_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "USER", "LOGNAME", "XDG_CACHE_HOME"}
    | {"LD_LIBRARY_PATH", "VIRTUAL_ENV", failpoints.VARIABLE}
)
KEPT_PREFIXES = ("LC_", "PYTHON", "NUMBA_", "LLVM", "COVERAGE_", "COV_")
"""All that our processes learn of our environment; whatever else stands there (keys, addresses) is not theirs."""
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def environment_of(ours: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that we start: what is kept of ours, what is `added`, where modules are found."""
    kept = {name: value for name, value in ours.items() if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)}
    return {**kept, **ENVIRONMENT, **added, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def end_with_parent() -> None:
    """The kernel kills this process when the thread that made it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def gain_nothing() -> None:
    """No program that this process might start gets more rights than it has."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def print_to_stderr() -> None:
    """Native code prints to descriptor 1, which is nobody's to read."""
    os.dup2(2, 1)


def be_killed_first(score: int) -> None:
    """When memory runs out, the kernel shall take this process before one with a smaller `score` (of 1000)."""
    with contextlib.suppress(OSError):  # a container may not let us; then the kernel goes by size alone
        Path("/proc/self/oom_score_adj").write_text(str(score), encoding="ascii")


def limit(what: int, wanted: int) -> None:
    """Lowers a limit of `resource`, the hard one too; one that is lower already stays."""
    _, hard = resource.getrlimit(what)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(what, (most, most))


def leave_no_core() -> None:
    """A core file of a child that was killed would fill the disk, and holds the data of an institution."""
    limit(resource.RLIMIT_CORE, 0)


def close_all_but(kept: set[int]) -> None:
    """Nothing that our parent happens to have open is ours."""
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:  # noqa: PTH208 - names are all we need
        if descriptor not in kept:
            with contextlib.suppress(OSError):  # the folder itself was open while we read it
                os.close(descriptor)
