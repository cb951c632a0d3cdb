"""How people, places and times are called in sentences: by labels that tell them apart, and by day and clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from solver.labels import NO_ROOM, Labels, in_brackets, readable
from solver.model import Course, Dataset, Link
from solver.terms import DEFAULT_COURSE_DAY_LIMIT, SessionKey

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

    def rooms(self, ids: Sequence[str]) -> str:
        """ "room A", "rooms A and B" or "no room"."""
        if not ids:
            return NO_ROOM
        return f"{'room' if len(ids) == 1 else 'rooms'} {listed([self.room(id) for id in ids])}"

    def course(self, id: str) -> str:
        return self._labels.courses[id]

    def student(self, id: str) -> str:
        return f"student {id}" if readable(id) else "a student"

    def students(self, ids: Sequence[str]) -> str:
        """How many there are, and who the first are where their ids say something to people."""
        told = counted(len(ids), "student")
        return f"{told} ({listed(ids, LISTED_STUDENTS)})" if all(map(readable, ids[:LISTED_STUDENTS])) else told

    def session(self, key: SessionKey) -> str:
        """People count sessions from 1; a course with one session needs no number, and a part says its kind."""
        course_id, number = key
        name, course = self.course(course_id), self._dataset.course[course_id]
        if course.sessions_per_week > 1:
            name = f"{name} session {number + 1}"
        kind = self._dataset.part_of(key).kind if course.parts else ""
        return in_brackets(name, kind) if kind else name

    def part(self, part: Course) -> str:
        """A course, or one of the parts of a dataset: with its kind, where there is one to tell it by."""
        name = self.course(part.id)
        return in_brackets(name, part.kind) if part.kind and self._dataset.course[part.id].parts else name

    def sessions(self, keys: Iterable[SessionKey]) -> str:
        return listed([self.session(key) for key in keys])

    def day(self, day: int) -> str:
        return self._dataset.time_grid.day_names[day]

    def slot(self, slot: int) -> str:
        """Its day and the clock time at which it starts."""
        return self._dataset.time_grid.name_of(slot)


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
