"""Names of time zones as people write them: which one is meant, and which names are not what they seem."""

from __future__ import annotations

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

MAX_ZONE = 64
"""Characters of the name of a time zone."""
_PLACES: Mapping[str, str] = {
    "EST": "America/New_York",
    "EST5EDT": "America/New_York",
    "CST6CDT": "America/Chicago",
    "MST": "America/Denver",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
    "HST": "Pacific/Honolulu",
    "GMT": "Europe/London",
    "GB": "Europe/London",
    "WET": "Europe/Lisbon",
    "CET": "Europe/Berlin",
    "MET": "Europe/Berlin",
    "EET": "Europe/Athens",
    "NZ": "Pacific/Auckland",
    "PRC": "Asia/Shanghai",
    "ROC": "Asia/Taipei",
    "ROK": "Asia/Seoul",
}
"""For abbreviations that are names of zones, a place that people may mean by them."""
_PLACE = re.compile(r"UTC|Etc/UTC|(?!Etc/)[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+|(?!Factory|Greenwich)[A-Z][a-z]{3,}")
"""
Names that mean one clock: continent and city, or a country (`Japan`, `Singapore`).

`EST` and `MST` never change their clock although the places that people mean by them do, `GMT` is not what London has
in summer, and `Etc/GMT+5` is five hours *behind* Greenwich.
"""


def zone_fault(name: str) -> str | None:
    """What is wrong with the name of a time zone, None where it is good."""
    if zone_named(name) is None:
        return "time_zone must be the name of a time zone, like Asia/Kolkata"
    if _PLACE.fullmatch(name):
        return None
    place = _PLACES.get(name, "Asia/Kolkata")
    return f"time_zone {name} may not be the clock that it seems to be: name a place, like {place}, or UTC"


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of that name, None where there is none."""
    if not re.fullmatch(r"[A-Za-z0-9_+\-/]+", name) or len(name) > MAX_ZONE:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not known; no file name of a zone; a folder of zones
        return None
