"""
What holds for every test: warnings are errors, nothing runs for ever, Hypothesis does not judge by the clock.

The same two promises stand in `pyproject.toml`; here they also hold when pytest is started from another folder.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

DEFAULT_TIMEOUT_SECONDS = 120

# A shared machine may be slow at any moment, and the first call of a kernel compiles it: no per-example deadline.
settings.register_profile("timetable", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("timetable")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(DEFAULT_TIMEOUT_SECONDS))
