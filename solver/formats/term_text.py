"""The term of a dataset to and from JSON: dates are written like 2026-09-07."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from solver.dates import Holiday, Term
from solver.formats.reading import Path, Reading, read_shape
from solver.formats.shapes import HolidayShape, TermShape

KEY = "term"


def read_term(reading: Reading) -> Term | None:
    """The term of the document; None where it has none, and after reporting what is wrong with it."""
    value = reading.document.get(KEY)
    if value is None:
        return None
    if reading.is_first:
        message = f"timetable-dataset/2 has the field {KEY}; write that as the schema"
        reading.report((KEY,), "newer_field", message, value)
        return None
    stated = read_shape(reading, TermShape, (KEY,), value)
    if stated is None:
        return None
    known = len(reading.issues)
    first = stated.get("first_day")
    fields = {
        "weeks": stated["weeks"],
        "first_day": None if first is None else _date(reading, (KEY, "first_day"), first),
        "time_zone": stated.get("time_zone"),
        "holidays": tuple(
            _holiday(reading, (KEY, "holidays", k), each) for k, each in enumerate(stated.get("holidays", ()))
        ),
        "moved": {
            _date(reading, (KEY, "moved_days", day), day): name for day, name in stated.get("moved_days", {}).items()
        },
    }
    return None if len(reading.issues) > known else Term(**fields)


def _holiday(reading: Reading, path: Path, said: HolidayShape) -> Holiday:
    first = _date(reading, (*path, "first"), said.first)
    last = first if said.last == said.first else _date(reading, (*path, "last"), said.last)
    return Holiday(first, last, said.stated().get("name", ""))


def _date(reading: Reading, path: Path, text: str) -> date:
    """A date that is none is reported, and read as one that comes before all others."""
    day = date_of(text)
    if day is None:
        reading.report(path, "bad_date", f"a date is written like 2026-09-07, got {text[:40]!r}", text)
    return day or date.min


def date_of(text: str) -> date | None:
    """The date that a text like 2026-09-07 is, None where it is none."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def plain_term(term: Term) -> dict[str, Any]:
    """What there is of a term, as JSON data."""
    stated = {
        "first_day": term.first_day and term.first_day.isoformat(),
        "time_zone": term.time_zone,
        "holidays": [_plain_holiday(holiday) for holiday in term.holidays],
        "moved_days": {day.isoformat(): name for day, name in term.moved.items()},
    }
    return {"weeks": term.weeks, **{name: value for name, value in stated.items() if value}}


def _plain_holiday(holiday: Holiday) -> str | dict[str, str]:
    if holiday.first == holiday.last and not holiday.name:
        return holiday.first.isoformat()
    return {"first": holiday.first.isoformat(), "last": holiday.last.isoformat(), "name": holiday.name}
