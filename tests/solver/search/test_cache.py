"""Compiled kernels are loaded only when their files are exactly what was written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from solver.search.cache import is_whole

MODULE = """
from solver.search.jit import kernel

@kernel
def double(x):
    return 2 * x
"""
SCRIPT = "import little; print(little.double(21), sum(little.double.stats.cache_hits.values()))"
"""Prints the answer and how many compiled functions came from the cache."""


Run = Callable[[], list[str]]


def runs(folder: Path) -> Run:
    """Uses a little kernel in a new process, with a cache of its own in `folder`."""
    (folder / "little.py").write_text(MODULE)

    def once() -> list[str]:
        environment = {"NUMBA_CACHE_DIR": str(folder / "cache"), "PATH": ""}
        paths = [str(folder), str(Path(__file__).parents[3])]
        code = f"import sys; sys.path[:0] = {paths!r}; {SCRIPT}"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return once


class Compiled(NamedTuple):
    """A cache with the compiled kernel in it, and what uses it."""

    cache: Path
    run: Run


@pytest.fixture(scope="module")
def once_compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    folder = tmp_path_factory.mktemp("compiled")
    run = runs(folder)
    run()
    shutil.copytree(folder / "cache", folder / "whole")
    return Compiled(folder / "cache", run)


@pytest.fixture
def compiled(once_compiled: Compiled) -> Compiled:
    """As it was when it had just been compiled, whatever the test before has done to it."""
    shutil.rmtree(once_compiled.cache)
    shutil.copytree(once_compiled.cache.parent / "whole", once_compiled.cache)
    return once_compiled


def one(folder: Path, suffix: str) -> Path:
    (path,) = folder.rglob(f"*{suffix}")
    return path


def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    run = runs(tmp_path)
    assert [run(), run()] == [["42", "0"], ["42", "1"]]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped", "removed"])
def test_a_damaged_file_is_compiled_anew_and_written_again(compiled: Compiled, suffix: str, damage: str) -> None:
    path = one(compiled.cache, suffix)
    assert is_whole(path)
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    assert not is_whole(path)
    assert compiled.run() == ["42", "0"], "not loaded from the damaged file"
    assert is_whole(path)
    assert compiled.run() == ["42", "1"]
