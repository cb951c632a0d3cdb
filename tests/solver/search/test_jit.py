"""Compiled kernels are kept where a changed source cannot meet them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from solver.search import jit


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernels' sources in a folder of the test's own."""
    solver = Path(jit.__file__).parent.parent
    shutil.copytree(solver / "search", tmp_path / "solver" / "search", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("compiled.py", "control.py"):
        shutil.copy(solver / name, tmp_path / "solver" / name)
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "solver" / "search" / "jit.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "solver"


def test_the_same_sources_share_a_folder_in_the_users_cache(copied: Path, tmp_path: Path) -> None:
    assert jit.cache_folder() == jit.cache_folder()
    assert jit.cache_folder().parent == tmp_path / "cache" / "timetable"


@pytest.mark.parametrize("name", ["search/moves.py", "search/state.py", "compiled.py", "control.py"])
def test_a_change_of_any_source_is_another_folder(copied: Path, name: str) -> None:
    before = jit.cache_folder()
    with (copied / name).open("a") as file:
        file.write("# changed\n")
    assert jit.cache_folder() != before


@jit.kernel
def bits_of(word: int, places: jit.Longs) -> int:
    found = 0
    while word != 0:
        bit = jit.first_bit(word)
        word ^= np.int64(1) << bit
        places[found] = bit
        found += 1
    return found


@pytest.mark.parametrize("bits", [[0], [63], [5, 62, 63], list(range(64))])
def test_the_bits_of_a_word_are_found_from_the_lowest_to_the_sign(bits: list[int]) -> None:
    word, places = np.int64(0), np.zeros(64, dtype=np.int64)
    for bit in bits:
        word |= np.int64(1) << np.int64(bit)
    assert places[: bits_of(word, places)].tolist() == bits
