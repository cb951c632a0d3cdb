"""A timetable whose weeks the exports show."""

from __future__ import annotations

import pytest

from solver.formats.meetings import KINDS, Week, Weeks
from solver.model import Dataset, Timetable
from solver.samples import planted, sample


@pytest.fixture(scope="module")
def college() -> tuple[Dataset, Timetable]:
    return sample("college"), planted("college")


@pytest.fixture(params=KINDS)
def week(request: pytest.FixtureRequest, college: tuple[Dataset, Timetable]) -> Week:
    """A week with meetings, of each kind."""
    weeks, kind = Weeks(*college), request.param
    found = next(week for week in weeks.weeks([kind]) if week.meetings)
    assert found == weeks.week(found.of)
    return found
