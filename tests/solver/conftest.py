"""Kernels are compiled once before the first test, so that no time limit inside a test pays for it."""

from __future__ import annotations

import pytest

from solver.search import warm_up


@pytest.fixture(scope="session", autouse=True)
def _compiled_kernels() -> None:
    warm_up()
