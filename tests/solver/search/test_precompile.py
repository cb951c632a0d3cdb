"""What is compiled when the program starts."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest
from numba import config

import solver.search
from solver.search import warm_up


def kernels() -> dict[str, Any]:
    """All compiled functions that Python calls, by name."""
    modules = [
        importlib.import_module(f"solver.search.{one.name}") for one in pkgutil.iter_modules(solver.search.__path__)
    ]
    compiled = {
        name: value for module in modules for name, value in vars(module).items() if hasattr(value, "signatures")
    }
    return {name: value for name, value in compiled.items() if not value.targetoptions.get("no_cpython_wrapper")}


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_no_kernel_is_left_to_be_compiled_in_the_first_job() -> None:
    warm_up()
    assert len(kernels()) > 5
    assert [name for name, kernel in kernels().items() if not kernel.signatures] == []
