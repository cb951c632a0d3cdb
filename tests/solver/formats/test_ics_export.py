"""The calendar opened again by icalendar, and compared with the timetable it was made from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings

from solver.calendar import WEEKDAYS, TimeGrid, clock_of
from solver.dates import Holiday, Term
from solver.errors import InputError
from solver.formats.meetings import Week
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, grid, group, timetable
from tests.calendars import SUNDAY_WEEK
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


def test_uids_of_two_terms_differ_and_other_holidays_or_another_end_change_none() -> None:
    def uids(**term: str) -> set[str]:
        return {str(event["uid"]) for event in events(made(*named("x"), "ics", **{**TERM, **term}))}

    assert uids() == uids(skip="2026-10-06", term_end="2026-11-30") == uids(time_zone="Asia/Kolkata")
    assert uids().isdisjoint(uids(term_start="2027-01-11", term_end="2027-04-30"))


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", "America/Sao_Paulo", None])
def test_a_weekly_rule_ends_with_its_last_day_so_that_no_reader_whose_clock_changes_drops_the_last_meeting(
    zone: str | None,
) -> None:
    asked = {**TERM, "skip": "2026-12-15", **({"time_zone": zone} if zone else {})}  # the last Tuesday of the term
    (event,) = events(made(dataset(course("a")), timetable(a=4), "ics", **asked))
    (until,) = event["rrule"]["UNTIL"]
    if zone is None:
        assert until.tzinfo is None
    else:
        assert until.utcoffset() == timedelta()
        until = until.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert until == datetime(2026, 12, 8, 23, 59, 59)
    assert occurrences(event)[-1].replace(tzinfo=None) == datetime(2026, 12, 8, 8)


def test_a_calendar_without_any_event_is_refused_and_says_why() -> None:
    data, table = dataset(course("a", groups="g"), group("g"), group("h")), timetable(a=0)
    two_days = {"term_start": "2026-09-01", "term_end": "2026-09-02"}  # a Tuesday and a Wednesday
    for data_of, asked, pointer, said in (
        (table, two_days, "/term_start", "no session takes place from 2026-09-01 to 2026-09-02"),
        (table, {**TERM, "group": "h"}, "/group", "group 'h' has no session"),
        (timetable(), TERM, "", "no session has a place"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            made(data, data_of, "ics", **asked)
        assert [(issue.pointer, issue.code) for issue in refused.value.issues] == [(pointer, "empty")]


def test_a_session_that_never_meets_in_the_term_has_no_event() -> None:
    data, table = dataset(course("a"), course("b")), timetable(a=0, b=4)
    days = {"term_start": "2026-09-01", "term_end": "2026-09-02"}  # a Tuesday and a Wednesday
    assert [str(event["summary"]) for event in events(made(data, table, "ics", **days))] == ["b"]


AUTUMN = Term(
    first_day=date(2026, 9, 7),
    weeks=16,
    time_zone="Europe/Berlin",
    holidays=(Holiday(date(2026, 10, 5), date(2026, 10, 5)), Holiday(date(2026, 12, 7), date(2026, 12, 9), "Fair")),
    moved={date(2026, 10, 6): "Monday", date(2026, 12, 12): "Tuesday"},
)
"""Two Mondays are lost, one of them is held on the Tuesday behind it; the clocks change in the eighth week."""


def told(data: Dataset, table: Timetable, **asked: str) -> list[tuple[str, str, str]]:
    """Title, date and time of all that a calendar says takes place."""
    return sorted(
        (str(event["summary"]), when.date().isoformat(), when.strftime("%H:%M"))
        for event in events(made(data, table, "ics", **asked))
        for when in occurrences(event)
    )


@pytest.mark.parametrize(
    "time_grid",
    [
        grid(5, 4),
        replace(SUNDAY_WEEK, days=("Monday", "Tuesday", "Wednesday", "Friday", "Sunday"), bells={}, breaks=()),
        TimeGrid(days=tuple(f"{day} {week}" for week in "AB" for day in WEEKDAYS[:5]), slots_per_day=4),
        TimeGrid(days=("Monday", "Red", "Tuesday", "Blue"), slots_per_day=4),
    ],
    ids=["weeks", "other days", "two weeks", "rotating"],
)
def test_each_session_takes_place_on_the_dates_of_the_term_of_its_dataset(time_grid: TimeGrid) -> None:
    day_names = time_grid.day_names
    moved = {day: next(name for name in day_names if name.startswith(plan)) for day, plan in AUTUMN.moved.items()}
    term = replace(AUTUMN, moved=moved)
    data = replace(dataset(course("a"), course("b"), grid=time_grid), term=term)
    table = timetable(a=0, b=time_grid.num_periods + 1)
    expected = [(id, each.date.isoformat(), clock) for id, day, clock in (("a", 0, "08:00"), ("b", 1, "09:00"))
                for each in term.dates(day_names) if each.day == day]  # fmt: skip
    assert told(data, table) == sorted(expected)
    assert all(str(event["dtstart"].dt.tzinfo) == "Europe/Berlin" for event in events(made(data, table, "ics")))


def test_more_days_without_sessions_and_another_zone_may_be_asked_for_and_dates_that_are_asked_for_win() -> None:
    data, table = replace(dataset(course("a")), term=AUTUMN), timetable(a=0)
    fewer = told(data, table, skip="2026-09-14,2026-10-06")
    assert set(told(data, table)) - set(fewer) == {("a", "2026-09-14", "08:00"), ("a", "2026-10-06", "08:00")}
    (event, *_) = events(made(data, table, "ics", time_zone="Asia/Kolkata"))
    assert str(event["dtstart"].dt.tzinfo) == "Asia/Kolkata"
    assert told(data, table, term_start="2027-01-04", term_end="2027-01-12") == [
        ("a", "2027-01-04", "08:00"), ("a", "2027-01-11", "08:00"),
    ]  # fmt: skip


def test_events_of_moved_days_have_uids_of_their_own_that_other_versions_keep() -> None:
    def uids(term: Term, slot: int = 0) -> set[str]:
        data = replace(dataset(course("a")), term=term)
        return {str(event["uid"]) for event in events(made(data, timetable(a=slot), "ics"))}

    assert len(uids(AUTUMN)) == 2
    assert uids(AUTUMN) == uids(replace(AUTUMN, weeks=15, holidays=AUTUMN.holidays[:1]), slot=1)
    assert uids(AUTUMN).isdisjoint(uids(replace(AUTUMN, first_day=date(2026, 9, 14))))


@given(names)
@settings(max_examples=60, deadline=None)
def test_no_name_adds_anything_to_a_calendar(name: str) -> None:
    data = made(*named(name), "ics", **TERM)
    (event,) = events(data)
    assert set(event) == {"UID", "DTSTAMP", "SUMMARY", "LOCATION", "DESCRIPTION", "DTSTART", "DTEND", "RRULE"}
    lines = data.replace(b"\r\n ", b"").split(b"\r\n")
    assert [line for line in lines if line.startswith(b"BEGIN:")] == [b"BEGIN:VCALENDAR", b"BEGIN:VEVENT"]
    assert len(lines) == 17 and not set(data) & {0, 7, 8, 11, 12, 27, 127}
