"""
A timetable as iCalendar (RFC 5545): one weekly event per session, from the first to the last day of a term.

A UID depends on the dataset, the first day of the term, the course and the session alone: a new version of the
timetable, another end of the term or a holiday more moves the events of the one before, and the next term adds events
of its own. Without a time zone the times are "floating": they hold wherever the calendar is read.

A calendar without any event is refused: who takes it for the new state of a subscription loses everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

from solver.errors import InputError, Issue
from solver.formats.meetings import Meeting, Of, Weeks, together
from solver.formats.safe import printable
from solver.model import Dataset, Timetable

PRODUCT = "-//timetable//timetable//EN"
_LAST_SECOND = time(23, 59, 59)
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
"""A name is one line, whatever it says; what begins a line is a property of the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """From `start` to `end`, both inclusive; nothing happens on the days of `skip`. `zone` None: floating times."""

    start: date
    end: date
    zone: ZoneInfo | None = None
    skip: frozenset[date] = frozenset()


def dump_ics(dataset: Dataset, timetable: Timetable, term: Term, stamp: datetime, of: Of | None = None) -> bytes:
    """
    The calendar of everything, or of one owner. `stamp` is when the timetable was made, as `DTSTAMP`.

    A session whose day does not come between the first and the last day of the term has no event.

    Raises
    ------
    InputError
        The dataset has no such owner, or the calendar would be empty.
    """
    weeks = Weeks(dataset, timetable)
    week = weeks.week(of) if of else None
    meetings = week.meetings if week else weeks.meetings
    events = [event for meeting in meetings for event in _events(dataset.name, meeting, term, stamp)]
    if not events:
        raise InputError([_empty(of, term, meetings)])
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", _text(week.title if week else dataset.name or "Timetable"))
    if term.zone is not None:
        calendar.add("x-wr-timezone", term.zone.key)
    for event in events:
        calendar.add_component(event)
    if term.zone is not None:
        calendar.add_missing_timezones(term.start, term.end + timedelta(days=1))
    data: bytes = calendar.to_ical()
    return data


def _empty(of: Of | None, term: Term, meetings: Sequence[Meeting]) -> Issue:
    if not meetings:
        whose = f"{of.kind} {of.id[:100]!r} has no session in this timetable" if of else "no session has a place"
        pointer = f"/{of.kind}" if of else ""
        return Issue(pointer=pointer, code="empty", message=f"{whose}, so there is no calendar to write")
    message = f"no session takes place from {term.start} to {term.end}, so there is no calendar to write"
    return Issue(pointer="/term_start", code="empty", message=message, value=term.start.isoformat())


def _events(name: str, meeting: Meeting, term: Term, stamp: datetime) -> Iterator[Event]:
    """The weekly event of a meeting; nothing where it never takes place."""
    days = _days(meeting.day, term)
    kept = [day for day in days if day not in term.skip]
    if not kept:
        return
    # An event whose very first day is an exception is drawn wrongly by some calendars; so it begins with the next.
    skipped = [day for day in days if kept[0] < day < kept[-1] and day in term.skip]
    people = (together(meeting.teachers), together(meeting.groups))
    event = Event()
    event.add("uid", uid(name, term, meeting))
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("summary", _text(meeting.title))
    event.add("location", _text(meeting.place))
    event.add("description", "\n".join(map(_text, filter(None, people))))
    event.add("dtstart", _instant(kept[0], meeting.begin, term))
    event.add("dtend", _instant(kept[0], meeting.end, term))
    if len(kept) > 1:
        event.add("rrule", vRecur({"FREQ": ["WEEKLY"], "UNTIL": [_until(kept[-1], term)]}))
    for day in skipped:
        event.add("exdate", _instant(day, meeting.begin, term))
    yield event


def _until(last: date, term: Term) -> datetime:
    """
    The end of the last day, in UTC where the start has a zone (RFC 5545, 3.3.10).

    Not the start of the last meeting, which would do by the letter: readers that turn everything into their own clock
    (calcurse) take the last meeting for an hour later where that clock has changed since the first, and drop it.
    """
    end = datetime.combine(last, _LAST_SECOND).replace(tzinfo=term.zone)
    return end.astimezone(UTC) if term.zone else end


def uid(name: str, term: Term, meeting: Meeting) -> str:
    """The same for the same session of the same dataset and term, in whatever timetable."""
    told = "\0".join((name, term.start.isoformat(), meeting.course_id, str(meeting.session)))
    return f"{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()[:32]}@timetable"


def _days(weekday: int, term: Term) -> list[date]:
    first = term.start + timedelta(days=(weekday - term.start.weekday()) % 7)
    return [first + timedelta(weeks=n) for n in range((term.end - first).days // 7 + 1)]


def _instant(day: date, minutes: int, term: Term) -> datetime:
    """24:00 is midnight of the next day."""
    return datetime.combine(day, time()).replace(tzinfo=term.zone) + timedelta(minutes=minutes)


def _text(text: str) -> str:
    return printable(text).translate(_CONTROLS)
