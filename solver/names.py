"""How people, places and times are called in sentences: by labels that tell them apart, and by day and clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from solver.grid import clock_of
from solver.labels import Labels, readable
from solver.model import Dataset, Link
from solver.terms import DEFAULT_COURSE_DAY_LIMIT, SessionKey

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LISTED = 4
"""So many names stand in one sentence; the others are only counted."""
LISTED_STUDENTS = 3


class Names:
    """Words for the entities of one dataset."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._labels = Labels(dataset)

    def teacher(self, id: str) -> str:
        return self._labels.teachers[id]

    def group(self, id: str) -> str:
        return self._labels.groups[id]

    def cohort(self, id: str) -> str:
        return self._labels.cohorts[id]

    def room(self, id: str) -> str:
        return self._labels.rooms[id]

    def course(self, id: str) -> str:
        return self._labels.courses[id]

    def student(self, id: str) -> str:
        return f"student {id}" if readable(id) else "a student"

    def students(self, ids: Sequence[str]) -> str:
        """How many there are, and who the first are where their ids say something to people."""
        told = counted(len(ids), "student")
        return f"{told} ({listed(ids, LISTED_STUDENTS)})" if all(map(readable, ids[:LISTED_STUDENTS])) else told

    def session(self, key: SessionKey) -> str:
        """People count sessions from 1; a course with one session needs no number."""
        course_id, number = key
        name = self.course(course_id)
        return name if self._dataset.course[course_id].sessions_per_week == 1 else f"{name} session {number + 1}"

    def sessions(self, keys: Iterable[SessionKey]) -> str:
        return listed([self.session(key) for key in keys])

    def day(self, day: int) -> str:
        return DAY_NAMES[day]

    def period(self, period: int) -> str:
        """The clock time at which a period starts."""
        return clock_of(self._dataset.time_grid.periods[period][0])

    def slot(self, slot: int) -> str:
        grid = self._dataset.time_grid
        return f"{self.day(grid.day_of(slot))} {self.period(grid.period_of(slot))}"


def listed(words: Sequence[str], most: int = LISTED) -> str:
    """ "a, b and c", or "a, b, c, d and 5 more"."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 slot", "2 slots"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def days_in_words(link: Link) -> str:
    """ "at least 2 days", "at most 3 days", "2 to 3 days": how far apart a link wants its sessions."""
    if link.most is None:
        return f"at least {counted(link.value or 0, 'day')}"
    if not link.value:
        return f"at most {counted(link.most, 'day')}"
    return counted(link.most, "day") if link.value == link.most else f"{link.value} to {counted(link.most, 'day')}"


def default_note(limit: int | None) -> str:
    """What to add to the daily limit of a course that is the one nobody has to set."""
    return " (the default of max_sessions_per_day)" if limit == DEFAULT_COURSE_DAY_LIMIT else ""


def open_note(placed: int, total: int) -> str:
    """What has to be said wherever a timetable is shown that is not complete; nothing of one that is."""
    missing = total - placed
    return f"{missing} of {counted(total, 'session')} {'has' if missing == 1 else 'have'} no place" if missing else ""


def with_article(noun: str) -> str:
    """ "a lab", "an auditorium"."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
