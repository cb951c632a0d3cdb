"""Which names of time zones are taken, and which are refused because they are not the clock that they seem to be."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest

from solver.zones import zone_fault, zone_named


@pytest.mark.parametrize("name", ["Asia/Kolkata", "America/Argentina/Buenos_Aires", "US/Eastern", "Japan", "UTC"])
def test_a_place_or_utc_is_a_time_zone(name: str) -> None:
    assert zone_fault(name) is None
    assert zone_named(name) is not None


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("EST", "America/New_York"),
        ("EST5EDT", "America/New_York"),
        ("MST", "America/Denver"),
        ("CET", "Europe/Berlin"),
        ("GMT", "Europe/London"),
        ("Etc/GMT+5", "name a place"),
        ("Factory", "name a place"),
    ],
)
def test_a_name_that_is_not_the_clock_it_seems_to_be_is_refused_with_a_place_to_name(name: str, advice: str) -> None:
    fault = zone_fault(name)
    assert fault is not None
    assert advice in fault


@pytest.mark.parametrize("name", ["Mars", "../../etc/passwd", "America", "", "a" * 65, "IST"])
def test_what_is_no_time_zone_is_said_to_be_none(name: str) -> None:
    assert zone_fault(name) == "time_zone must be the name of a time zone, like Asia/Kolkata"


def test_every_city_of_every_continent_is_taken() -> None:
    cities = {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")}
    assert len(cities) > 300
    assert not [name for name in cities if zone_fault(name)]
