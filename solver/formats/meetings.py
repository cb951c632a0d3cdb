"""
Who meets when and where: the placed sessions of a timetable, and the week of one group, teacher, room or student.

All exports that people read are drawn from here, so that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from solver.calendar import span_of
from solver.errors import InputError, Issue
from solver.labels import NO_ROOM, Labels, in_brackets, readable, taught_name
from solver.model import Course, Dataset, Placement, Timetable
from solver.names import counted

Kind = Literal["group", "teacher", "room", "student"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LISTED_KINDS: tuple[Kind, ...] = ("group", "teacher", "room")
"""Whose weeks are in an export of everything; students are too many, and each is asked for alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Of:
    """The one group, teacher, room or student whose week is wanted."""

    kind: Kind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """
    A placed session in words. `day` and `period` count from 0, `begin` and `end` are minutes after midnight.

    `groups` says who is taught: where that is no group, how many students.
    """

    course_id: str
    session: int
    day: int
    day_name: str
    period: int
    length: int
    begin: int
    end: int
    code: str
    name: str
    teachers: tuple[str, ...]
    groups: tuple[str, ...]
    room: str
    building: str

    @property
    def clock(self) -> str:
        """ "09:00-10:00", from the begin to the end."""
        return span_of(self.begin, self.end)

    @property
    def place(self) -> str:
        """Room or rooms, and the building where it is known."""
        told = not self.building or self.room.endswith(in_brackets("", self.building))
        return self.room if told else f"{self.room}, {self.building}"

    @property
    def title(self) -> str:
        """Code and name, once where they are the same."""
        return self.code if self.name in ("", self.code) else f"{self.code} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The meetings of one owner, by time."""

    of: Of
    name: str
    meetings: tuple[Meeting, ...]

    @property
    def title(self) -> str:
        """The name, with the id behind it where that says more."""
        return self.name if self.name == self.of.id or not readable(self.of.id) else f"{self.name} ({self.of.id})"

    def lines(self, meeting: Meeting) -> list[str]:
        """Place, teachers and groups of a meeting, without what the heading of the week has said already."""
        told: dict[Kind, tuple[str, ...]] = {
            "room": (meeting.place,),
            "teacher": meeting.teachers,
            "group": meeting.groups,
        }
        if self.of.kind == "room" or told.get(self.of.kind) == (self.name,):
            del told[self.of.kind]
        return [together(words) for words in told.values() if words]

    def cells(self) -> dict[tuple[int, int], list[Meeting]]:
        """(day, period) -> the meetings that run then; one of several periods stands in each of them."""
        found: dict[tuple[int, int], list[Meeting]] = {}
        for meeting in self.meetings:
            for period in range(meeting.period, meeting.period + meeting.length):
                found.setdefault((meeting.day, period), []).append(meeting)
        return found


def together(names: Sequence[str]) -> str:
    """Names on one line; by semicolons where one of them has a comma of its own."""
    return ("; " if any("," in name for name in names) else ", ").join(names)


class Weeks:
    """All weeks of a timetable, which names only courses, rooms and slots of the dataset."""

    def __init__(self, dataset: Dataset, timetable: Timetable) -> None:
        self.dataset, self._timetable, self._labels = dataset, timetable, Labels(dataset)

    def whose(self, kind: Kind) -> Mapping[str, str]:
        """Id -> name of everybody of a kind, in the order of the dataset."""
        if kind == "student":
            return {id: id for id in self.dataset.student_ids}
        labels = self._labels
        return {"group": labels.groups, "teacher": labels.teachers, "room": labels.rooms}[kind]

    def week(self, of: Of) -> Week:
        """Raises `InputError` when the dataset has no such group, teacher, room or student."""
        check_known(self.dataset, of)
        return self._week(of, self.whose(of.kind)[of.id])

    def weeks(self, kinds: Iterable[Kind] = LISTED_KINDS) -> Iterator[Week]:
        """The week of everybody of these kinds, but of no group of which nothing is known."""
        for kind in kinds:
            for id, name in self.whose(kind).items():
                if kind != "group" or id in self._taught_groups:
                    yield self._week(Of(kind=kind, id=id), name)

    @cached_property
    def meetings(self) -> tuple[Meeting, ...]:
        """Every placed session by time, then in course order."""
        return tuple(meeting for meeting, _ in self._placed)

    def _week(self, of: Of, name: str) -> Week:
        return Week(of=of, name=name, meetings=tuple(self._by_owner[of.kind].get(of.id, ())))

    @cached_property
    def _taught_groups(self) -> frozenset[str]:
        return taught_groups(self.dataset)

    @cached_property
    def _placed(self) -> list[tuple[Meeting, Placement]]:
        order = {key: n for n, key in enumerate(self.dataset.sessions)}
        placements = sorted(self._timetable.placements, key=lambda p: (p.slot, order[p.key]))
        return [(_meeting(self.dataset, self._labels, placement), placement) for placement in placements]

    @cached_property
    def _by_owner(self) -> Mapping[Kind, Mapping[str, list[Meeting]]]:
        found: dict[Kind, dict[str, list[Meeting]]] = {kind: {} for kind in KINDS}
        for meeting, placement in self._placed:
            for kind in KINDS:
                course = self.dataset.part_of(placement.key)
                for id in dict.fromkeys(_owners(self.dataset, course, placement.room_ids, kind)):
                    found[kind].setdefault(id, []).append(meeting)
        return found


def taught_groups(dataset: Dataset) -> frozenset[str]:
    """The groups with any course. Of the others nothing is known, so nobody is offered an empty week of them."""
    return frozenset(id for part in dataset.parts for id in dataset.attending_groups(part))


def check_known(dataset: Dataset, of: Of) -> None:
    """Raises `InputError` when the dataset has no such group, teacher, room or student."""
    known = {
        "group": dataset.group,
        "teacher": dataset.teacher,
        "room": dataset.room,
        "student": set(dataset.student_ids) if of.kind == "student" else (),
    }[of.kind]
    if of.id not in known:
        message = f"the dataset has no {of.kind} {of.id[:100]!r}; name one by its id"
        raise InputError([Issue(pointer=f"/{of.kind}", code="unknown_id", message=message, value=of.id)])


def part_of(dataset: Dataset, timetable: Timetable, of: Of | None) -> Timetable:
    """The placements that belong to one owner's week; all of them where no owner is named."""
    if of is None:
        return timetable
    check_known(dataset, of)
    return Timetable(
        placements=tuple(p for p in timetable.placements if is_of(dataset, dataset.part_of(p.key), p.room_ids, of))
    )


def is_of(dataset: Dataset, course: Course, room_ids: tuple[str, ...], of: Of) -> bool:
    """
    Whether a session of the course belongs to the owner's week; one without rooms belongs to no room's.

    To the week of a group belongs whatever some of its people attend, also with one of its parts or as part of a whole.
    """
    return of.id in _owners(dataset, course, room_ids, of.kind)


def _owners(dataset: Dataset, course: Course, room_ids: tuple[str, ...], kind: Kind) -> tuple[str, ...]:
    match kind:
        case "group":
            return dataset.attending_groups(course)
        case "teacher":
            return course.faculty_ids
        case "student":
            return dataset.students_of(course)
        case "room":
            return room_ids


def _taught(labels: Labels, course: Course) -> tuple[str, ...]:
    if course.group_ids or not course.student_ids:
        return tuple(labels.groups[id] for id in course.group_ids)
    return (counted(len(course.student_ids), "student"),)


def _meeting(dataset: Dataset, labels: Labels, placement: Placement) -> Meeting:
    grid, course = dataset.time_grid, dataset.part_of(placement.key)
    rooms = [dataset.room[id] for id in dataset.in_order(placement.room_ids)]
    first = grid.period_of(placement.slot)
    # A session that runs past the end of the day is a mistake of the timetable; it is shown ending with the day.
    day = grid.day_of(placement.slot)
    length = min(course.session_slots, len(grid.periods_of(day)) - first)
    return Meeting(
        course_id=course.id,
        session=placement.session,
        day=day,
        day_name=grid.day_names[day],
        period=first,
        length=length,
        begin=grid.start_of(placement.slot),
        end=grid.end_of(placement.slot + length - 1),
        code=course.code or course.id,
        name=taught_name(course),
        teachers=tuple(labels.teachers[id] for id in course.faculty_ids),
        groups=_taught(labels, course),
        room=together([labels.rooms[room.id] for room in rooms]) or NO_ROOM,
        building=readable(rooms[0].building) if rooms else "",
    )
