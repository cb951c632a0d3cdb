"""The calendar opened again by icalendar, and compared with the timetable it was made from."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import icalendar
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings

from solver.formats.meetings import Week
from solver.grid import clock_of
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, timetable
from tests.solver.formats.exported import TERM, made, named, names


def events(data: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(data).walk("VEVENT"))


def occurrences(event: Any) -> list[datetime]:
    start = event["dtstart"].dt
    if "rrule" not in event:
        return [start]
    left_out = event.get("exdate", [])
    skipped = {stamp.dt for each in (left_out if isinstance(left_out, list) else [left_out]) for stamp in each.dts}
    return [found for found in rrulestr(event["rrule"].to_ical().decode(), dtstart=start) if found not in skipped]


def calendar_days(weekday: int, skip: str) -> list[date]:
    day, end = date.fromisoformat(TERM["term_start"]), date.fromisoformat(TERM["term_end"])
    days = [day + timedelta(days=n) for n in range((end - day).days + 1)]
    return [day for day in days if day.weekday() == weekday and day.isoformat() not in skip.split(",")]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", None])
def test_each_session_takes_place_on_each_of_its_days_of_the_term_and_on_no_holiday(
    college: tuple[Dataset, Timetable], week: Week, zone: str | None
) -> None:
    # The first and the last week of the term, and two days within.
    skip = "2026-09-01,2026-09-02,2026-10-02,2026-10-05,2026-12-17,2027-01-01"
    asked = {**TERM, "skip": skip, week.of.kind: week.of.id} | ({"time_zone": zone} if zone else {})
    found = {str(event["uid"]): event for event in events(made(*college, "ics", **asked))}
    assert len(found) == len(week.meetings)
    summaries = sorted(str(event["summary"]) for event in found.values())
    assert summaries == sorted(meeting.title for meeting in week.meetings)
    expected = sorted(
        (day.isoformat(), clock_of(m.begin), m.title, m.place)
        for m in week.meetings
        for day in calendar_days(m.day, skip)
    )
    told = sorted(
        (when.date().isoformat(), when.strftime("%H:%M"), str(event["summary"]), str(event["location"]))
        for event in found.values()
        for when in occurrences(event)
    )
    assert told == expected
    for event in found.values():
        assert str(event["dtstart"].dt.tzinfo) == str(zone)
        assert (event["dtend"].dt - event["dtstart"].dt).seconds % 60 == 0


def test_a_calendar_is_written_as_rfc_5545_wants() -> None:
    data = made(*named("ü" * 200), "ics", **TERM, time_zone="Asia/Kolkata")
    assert data.endswith(b"\r\n") and b"\n" not in data.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"BEGIN:VTIMEZONE" in data and b"DTSTAMP:20260801T120000Z" in data


def test_a_moved_session_keeps_its_uid_and_no_two_sessions_share_one() -> None:
    data = dataset(course("a", sessions=2), course("b"))
    first, second = (
        {str(event["summary"]) + str(event["uid"]) for event in events(made(data, table, "ics", **TERM))}
        for table in (timetable(a=[0, 4], b=1), timetable(a=[9, 5], b=2))
    )
    assert first == second and len(first) == 3


def test_a_session_that_never_meets_in_the_term_has_no_event() -> None:
    data, table = dataset(course("a"), course("b")), timetable(a=0, b=4)
    days = {"term_start": "2026-09-01", "term_end": "2026-09-02"}  # a Tuesday and a Wednesday
    assert [str(event["summary"]) for event in events(made(data, table, "ics", **days))] == ["b"]
    assert events(made(data, table, "ics", **days, skip="2026-09-01")) == []


@given(names)
@settings(max_examples=60, deadline=None)
def test_no_name_adds_anything_to_a_calendar(name: str) -> None:
    data = made(*named(name), "ics", **TERM)
    (event,) = events(data)
    assert set(event) == {"UID", "DTSTAMP", "SUMMARY", "LOCATION", "DESCRIPTION", "DTSTART", "DTEND", "RRULE"}
    lines = data.replace(b"\r\n ", b"").split(b"\r\n")
    assert [line for line in lines if line.startswith(b"BEGIN:")] == [b"BEGIN:VCALENDAR", b"BEGIN:VEVENT"]
    assert len(lines) == 17 and not set(data) & {0, 7, 8, 11, 12, 27, 127}
