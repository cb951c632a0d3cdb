"""Compiled kernels are loaded only when their files are exactly what was written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def run(tmp_path: Path) -> Callable[[], list[str]]:
    """Uses a little kernel in a new process, with a cache of the test's own."""
    (tmp_path / "little.py").write_text(MODULE)

    def once() -> list[str]:
        environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PATH": ""}
        paths = [str(tmp_path), str(Path(__file__).parents[3])]
        code = f"import sys; sys.path[:0] = {paths!r}; {SCRIPT}"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return once


def one(folder: Path, suffix: str) -> Path:
    (path,) = folder.rglob(f"*{suffix}")
    return path


def test_a_second_process_finds_what_the_first_compiled(run: Callable[[], list[str]]) -> None:
    assert [run(), run()] == [["42", "0"], ["42", "1"]]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped", "removed"])
def test_a_damaged_file_is_compiled_anew_and_written_again(
    run: Callable[[], list[str]], tmp_path: Path, suffix: str, damage: str
) -> None:
    run()
    path = one(tmp_path / "cache", suffix)
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    assert not is_whole(path)
    assert run() == ["42", "0"], "not loaded from the damaged file"
    assert is_whole(path)
    assert run() == ["42", "1"]
