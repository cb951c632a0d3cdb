"""The real things that some tests need: databases, brokers, proxies."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skips the test because `what` is not here. `.ci/run` sets the variable, and there it fails instead."""
    if os.environ.get("TIMETABLE_TESTS_REQUIRE_SERVICES"):
        pytest.fail(f"{what} is missing, and must not be here")
    pytest.skip(f"{what} is not here")
