"""
What holds for every test: warnings are errors, nothing runs for ever, Hypothesis does not judge by the clock.

The same two promises stand in `pyproject.toml`; here they also hold when pytest is started from another folder.

Whole folders are run by several workers, because half of all tests wait for processes and clocks; single files are run
in this process, where a debugger works and nothing has to be started. `-n 0` and `-n 4` ask for either. What computes
is left to two workers, so that a test which measures time finds a processor that is free.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

DEFAULT_TIMEOUT_SECONDS = 300
"""Only what hangs takes as long, also on a machine of a third of the speed with other work."""
WORKERS_PER_CORE = 2
COMPILE_SECONDS = 600
TESTS = Path(__file__).parent
COMPUTES = (TESTS / "solver" / "cpsat", TESTS / "solver")
"""Folders whose tests hardly ever wait; each test belongs to the first that it is in."""
OF_NO_COST = {"anyio_backend"}
"""What may be made once for every test as well."""
COMPILING = pytest.StashKey["subprocess.Popen[bytes]"]()

# A shared machine may be slow at any moment, and the first call of a kernel compiles it: no per-example deadline.
settings.register_profile("timetable", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("timetable")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for folders, none for single files and tests."""
    named = [Path(name.split("::")[0]) for name in config.args]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return WORKERS_PER_CORE * cores if any(path.is_dir() for path in named) else 0


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
    # A shell lets what it starts in the background ignore Ctrl-C, and so would everything that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        config.stash[COMPILING] = _compile_kernels(config.rootpath)


def _compile_kernels(root: Path) -> subprocess.Popen[bytes]:
    """Once for all workers, which would otherwise compile the same kernels at the same time; they collect meanwhile."""
    return subprocess.Popen([sys.executable, "-c", "from solver.search import warm_up; warm_up()"], cwd=root)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """No worker is given a test before kernels are compiled."""
    node.config.stash[COMPILING].wait(COMPILE_SECONDS)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The same for a single file: no test pays for it out of its timeout."""
    alone = COMPILING not in session.config.stash and not hasattr(session.config, "workerinput")
    if alone and any(TESTS / "solver" in item.path.parents for item in session.items):
        _compile_kernels(session.config.rootpath).wait()


def pytest_unconfigure(config: pytest.Config) -> None:
    if compiling := config.stash.get(COMPILING, None):
        compiling.kill()  # if nobody has waited for its end, the run was broken off
        compiling.wait()


@pytest.hookimpl(tryfirst=True)  # before the workers name the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(DEFAULT_TIMEOUT_SECONDS))
        if (group := _group_of(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(group))


def _group_of(item: pytest.Item) -> str | None:
    """The name that all tests share which one worker should run; None when any worker may run this one."""
    for folder in COMPUTES:
        if folder in item.path.parents:
            return str(folder.relative_to(TESTS))
    return str(item.path.relative_to(TESTS)) if _shares_something(item) else None


def _shares_something(item: pytest.Item) -> bool:
    """Whether the tests of its file share something that is made once, so that one worker should run them all."""
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 - pytest has no public name for it
    return any(found[-1].scope == "module" for name, found in fixtures.items() if name not in OF_NO_COST)
