"""
A timetable as iCalendar (RFC 5545): one event per session that repeats, from the first to the last day of a term.

Days of the week repeat, holidays are exceptions (EXDATE), and what is held on a moved day, or on days that rotate, is
an event of its own: readers agree on no other way to write them. A UID depends on the dataset, the first day of the
term, the course and the session alone, and on the date where the event is one of a single day: a new version of the
timetable, another end of the term or a holiday more moves the events of the one before, and the next term adds events
of its own. Without a time zone the times are "floating": they hold wherever the calendar is read.

A calendar without any event is refused: who takes it for the new state of a subscription loses everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

from solver.dates import Term, weekdays_of, weeks_of_cycle
from solver.errors import InputError, Issue
from solver.formats.meetings import Meeting, Of, Weeks, together
from solver.formats.safe import printable
from solver.model import Dataset, Timetable

PRODUCT = "-//timetable//timetable//EN"
_LAST_SECOND = time(23, 59, 59)
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
"""A name is one line, whatever it says; what begins a line is a property of the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The dates of a `term` that has some, none of them after `end`; `zone` None: floating times."""

    term: Term
    end: date
    zone: ZoneInfo | None = None

    @property
    def start(self) -> date:
        return self.term.first_day or date.min


@dataclass(frozen=True, slots=True)
class _Days:
    """When the sessions of one day of the grid are held: `series`, without `skipped`, every `weeks`, and `single`."""

    weeks: int
    series: tuple[date, ...]
    skipped: tuple[date, ...]
    single: tuple[date, ...]


def dump_ics(dataset: Dataset, timetable: Timetable, period: Period, stamp: datetime, of: Of | None = None) -> bytes:
    """
    The calendar of everything, or of one owner. `stamp` is when the timetable was made, as `DTSTAMP`.

    A session whose day does not come in the period has no event.

    Raises
    ------
    InputError
        The dataset has no such owner, or the calendar would be empty.
    """
    weeks = Weeks(dataset, timetable)
    week = weeks.week(of) if of else None
    meetings = week.meetings if week else weeks.meetings
    days = _days_of(period, dataset.time_grid.day_names)
    events = [event for meeting in meetings for event in _events(dataset.name, meeting, days[meeting.day], period)]
    if not events:
        raise InputError([_empty(of, period, meetings)])
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", _text(week.title if week else dataset.name or "Timetable"))
    if period.zone is not None:
        calendar.add("x-wr-timezone", period.zone.key)
    for event in events:
        event.add("dtstamp", stamp.astimezone(UTC))
        calendar.add_component(event)
    if period.zone is not None:
        calendar.add_missing_timezones(period.start, period.end + timedelta(days=1))
    data: bytes = calendar.to_ical()
    return data


def _days_of(period: Period, day_names: Sequence[str]) -> list[_Days]:
    """By day of the grid."""
    weekdays = weekdays_of(day_names)
    held = [each for each in period.term.dates(day_names) if each.date <= period.end]
    undisturbed = replace(period.term, holidays=(), moved={}).dates(day_names) if weekdays else ()
    found = []
    for day in range(len(day_names)):
        single = tuple(each.date for each in held if each.day == day and (each.moved or weekdays is None))
        series = tuple(each.date for each in held if each.day == day and each.date not in single)
        # An event whose very first day is an exception is drawn wrongly by some calendars; so it begins with the next.
        skipped = tuple(
            each.date
            for each in undisturbed
            if each.day == day and series and series[0] < each.date < series[-1] and each.date not in series
        )
        found.append(_Days(max(weeks_of_cycle(weekdays)) + 1 if weekdays else 1, series, skipped, single))
    return found


def _empty(of: Of | None, period: Period, meetings: Sequence[Meeting]) -> Issue:
    if not meetings:
        whose = f"{of.kind} {of.id[:100]!r} has no session in this timetable" if of else "no session has a place"
        pointer = f"/{of.kind}" if of else ""
        return Issue(pointer=pointer, code="empty", message=f"{whose}, so there is no calendar to write")
    message = f"no session takes place from {period.start} to {period.end}, so there is no calendar to write"
    return Issue(pointer="/term_start", code="empty", message=message, value=period.start.isoformat())


def _events(name: str, meeting: Meeting, days: _Days, period: Period) -> Iterator[Event]:
    """The event of a meeting that repeats, and one for each single day; nothing where it never takes place."""
    if days.series:
        event = _event(uid(name, period, meeting), meeting, days.series[0], period)
        if len(days.series) > 1:
            every = {"INTERVAL": [days.weeks]} if days.weeks > 1 else {}
            until = {"UNTIL": [_until(days.series[-1], period)]}
            event.add("rrule", vRecur({"FREQ": ["WEEKLY"], **every, **until}))
        for day in days.skipped:
            event.add("exdate", _instant(day, meeting.begin, period))
        yield event
    for day in days.single:
        yield _event(uid(name, period, meeting, day), meeting, day, period)


def _event(uid: str, meeting: Meeting, day: date, period: Period) -> Event:
    people = (together(meeting.teachers), together(meeting.groups))
    event = Event()
    event.add("uid", uid)
    event.add("summary", _text(meeting.title))
    event.add("location", _text(meeting.place))
    event.add("description", "\n".join(map(_text, filter(None, people))))
    event.add("dtstart", _instant(day, meeting.begin, period))
    event.add("dtend", _instant(day, meeting.end, period))
    return event


def _until(last: date, period: Period) -> datetime:
    """
    The end of the last day, in UTC where the start has a zone (RFC 5545, 3.3.10).

    Not the start of the last meeting, which would do by the letter: readers that turn everything into their own clock
    (calcurse) take the last meeting for an hour later where that clock has changed since the first, and drop it.
    """
    end = datetime.combine(last, _LAST_SECOND).replace(tzinfo=period.zone)
    return end.astimezone(UTC) if period.zone else end


def uid(name: str, period: Period, meeting: Meeting, day: date | None = None) -> str:
    """The same for the same session of the same dataset and term, in whatever timetable; `day` of a single day."""
    told = "\0".join((name, period.start.isoformat(), meeting.course_id, str(meeting.session)))
    told += "" if day is None else f"\0{day.isoformat()}"
    return f"{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()[:32]}@timetable"


def _instant(day: date, minutes: int, period: Period) -> datetime:
    """24:00 is midnight of the next day."""
    return datetime.combine(day, time()).replace(tzinfo=period.zone) + timedelta(minutes=minutes)


def _text(text: str) -> str:
    return printable(text).translate(_CONTROLS)
