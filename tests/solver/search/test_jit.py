"""Compiled kernels are kept where a changed source cannot meet them."""

from __future__ import annotations

import shutil
from pathlib import Path

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
