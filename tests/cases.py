"""Reports of users, as files that stand beside the checkout; tests that read one are skipped where there are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CASES = Path(os.environ.get("TIMETABLE_CASES", Path(__file__).resolve().parents[2] / "shared" / "cases"))


def case(name: str) -> bytes:
    """The file of one report."""
    path = CASES / name
    if not path.is_file():
        pytest.skip(f"{name} is not among the reports here")
    return path.read_bytes()
