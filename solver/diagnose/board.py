"""
One partial timetable as somebody with pins and a wall would hold it: take a session off, put it elsewhere, look again.

`hindrances` says what keeps a session from a start, given everything else that is pinned up; `free_rooms` which rooms
would have it. Only hard rules hinder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from solver.diagnose.facts import Bits, Facts, bits, indices, starts_touching
from solver.diagnose.ties import keeps_rooms, partner_starts
from solver.model import Course, Link, Room, Timetable
from solver.names import counted, default_note
from solver.terms import CORE_SUBJECT_TYPE, SET_LINKS, SessionKey


class Pin(NamedTuple):
    """Where a session stands."""

    start: int
    rooms: tuple[str, ...]


class Hindrance(NamedTuple):
    """
    Starts at which a session is not welcome, and why: "teacher A. Rao (F1) is busy or away".

    `rigid`: at some of them for a rule that is never bent.
    """

    starts: Bits
    why: str
    rigid: bool = False


@dataclass(kw_only=True)
class Board:
    """
    `standing` lists who stands with each ("teacher" | "group" | "course" | "part" | "own" | "room", id).

    Groups are cohorts. A "part" is named by its number in `Dataset.parts`; "own" is a course as one who is in one place
    at a time.
    """

    facts: Facts
    timetable: Timetable
    pins: dict[SessionKey, Pin] = field(default_factory=dict)
    standing: dict[tuple[str, str], dict[SessionKey, Bits]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        for placement in self.timetable.placements:
            self.put(placement.key, Pin(placement.slot, placement.room_ids))

    def put(self, key: SessionKey, pin: Pin) -> None:
        """Pins up a session that is not on the board; whether it fits there is not asked."""
        self.pins[key] = pin
        slots = ((1 << self.length(key)) - 1) << pin.start
        for owner in self._owners(key, pin.rooms):
            self.standing[owner][key] = slots

    def take(self, key: SessionKey) -> Pin:
        """Takes a session off the board and says where it was. Raises `KeyError` when it is not there."""
        pin = self.pins.pop(key)
        for owner in self._owners(key, pin.rooms):
            del self.standing[owner][key]
        return pin

    def _owners(self, key: SessionKey, rooms: Iterable[str]) -> Iterator[tuple[str, str]]:
        course = self.facts.dataset.part_of(key)
        yield from (("teacher", id) for id in course.faculty_ids)
        yield from (("group", id) for id in self.facts.dataset.cohorts_of(course))
        yield ("course", course.id)
        yield ("part", str(self.facts.dataset.part_number[key]))
        yield from self._own_owner(course)
        yield from (("room", id) for id in rooms)

    def _own_owner(self, course: Course) -> Iterator[tuple[str, str]]:
        """The course itself, which is in one place at a time; parts of one that have groups go by these."""
        if not course.group_ids or not self.facts.dataset.course[course.id].parts:
            yield ("own", course.id)

    def length(self, key: SessionKey) -> int:
        """Slots that the session takes."""
        return self.facts.dataset.part_of(key).session_slots

    def busy(self, owner: tuple[str, str], key: SessionKey | None = None) -> Bits:
        """Slots in which somebody stands with this owner, those with whom session `key` may clash left out."""
        mask = 0
        for other, slots in self.standing.get(owner, {}).items():
            if key is None or not self.facts.dataset.may_clash(key, other):
                mask |= slots
        return mask

    @cached_property
    def _parts_of_student(self) -> Mapping[str, list[int]]:
        parts: dict[str, list[int]] = defaultdict(list)
        for n, part in enumerate(self.facts.dataset.parts):
            for student in self.facts.dataset.students_of(part):
                parts[student].append(n)
        return parts

    def rivals(self, key: SessionKey) -> set[int]:
        """Other parts, by their numbers, that have a student in common with that of a session."""
        dataset, part = self.facts.dataset, self.facts.dataset.part_number[key]
        students = dataset.students_of(dataset.parts[part])
        return {other for student in students for other in self._parts_of_student[student]} - {part}

    def _apart(self, key: SessionKey) -> set[int]:
        """The rivals that a hard rule keeps away from a session."""
        if self.facts.hard("student_clash"):
            return self.rivals(key)
        if self.facts.hard("core_clash") and self._is_core(self.facts.dataset.part_number[key]):
            return {other for other in self.rivals(key) if self._is_core(other)}
        return set()

    def _is_core(self, part: int) -> bool:
        return self.facts.dataset.parts[part].subject_type == CORE_SUBJECT_TYPE

    def exclusive_owners(self, key: SessionKey) -> Iterator[tuple[str, str]]:
        """Everybody who must not be anywhere else during the session, rooms apart."""
        course = self.facts.dataset.part_of(key)
        if self.facts.hard("faculty_clash"):
            yield from (("teacher", id) for id in course.faculty_ids)
        if self.facts.hard("group_clash"):
            yield from (("group", id) for id in self.facts.dataset.cohorts_of(course))
            yield from self._own_owner(course)
        yield from (("part", str(number)) for number in self._apart(key))

    # --- time --------------------------------------------------------------------------------------------------------

    def hindrances(self, key: SessionKey) -> list[Hindrance]:
        """Everything that takes starts from a session that is not on the board, the firmest first."""
        possible = self.facts.on_grid[self.length(key)]
        found = [*self._own(key), *self._people(key), *self._limits(key), *self._links(key)]
        return [Hindrance(starts & possible, why, rigid) for starts, why, rigid in found if starts & possible]

    def _own(self, key: SessionKey) -> Iterator[Hindrance]:
        for removal in self.facts.options(key).removals:
            if removal.rule in ("fixed_moved", "slot_forbidden"):
                yield Hindrance(removal.starts, removal.why, self.facts.rigid(removal.rule))

    def _people(self, key: SessionKey) -> Iterator[Hindrance]:
        course, facts, length = self.facts.dataset.part_of(key), self.facts, self.length(key)
        for kind, ids, away, clash, name in (
            ("teacher", course.faculty_ids, "faculty_unavailable", "faculty_clash", facts.names.teacher),
            ("group", facts.dataset.cohorts_of(course), "group_unavailable", "group_clash", facts.names.cohort),
        ):
            for id in ids:
                elsewhere = self.busy((kind, id), key) if facts.hard(clash) else 0
                slots = elsewhere | facts.away[kind, id] if facts.hard(away) else elsewhere
                rigid = facts.rigid(away) or (facts.rigid(clash) and elsewhere != 0)
                yield Hindrance(starts_touching(slots, length), f"{kind} {name(id)} is busy or away", rigid)
        for own in self._own_owner(course) if facts.hard("group_clash") else ():
            taken = starts_touching(self.busy(own, key), length)
            yield Hindrance(taken, "another session of the course runs", facts.rigid("group_clash"))
        if rivals := self._apart(key):
            slots = 0
            for rival in rivals:
                slots |= self.busy(("part", str(rival)), key)
            rigid = facts.rigid("student_clash") or facts.rigid("core_clash")
            yield Hindrance(starts_touching(slots, length), "some of its students are in another course", rigid)

    def _limits(self, key: SessionKey) -> Iterator[Hindrance]:
        course, facts = self.facts.dataset.part_of(key), self.facts
        rows = [("teacher", id, facts.dataset.teacher[id].max_sessions_per_day) for id in course.faculty_ids]
        cohorts = (facts.dataset.cohort[id] for id in facts.dataset.cohorts_of(course))
        rows += [("group", cohort.id, cohort.max_sessions_per_day) for cohort in cohorts]
        rows.append(("course", course.id, course.max_sessions_per_day))
        rules = {"teacher": "faculty_daily_limit", "group": "group_daily_limit", "course": "course_daily_limit"}
        names = {"teacher": facts.names.teacher, "group": facts.names.cohort, "course": facts.names.course}
        for kind, id, limit in rows:
            if limit is not None and facts.hard(rules[kind]):
                full = self._full_days((kind, id), limit)
                words = f"{kind} {names[kind](id)} has reached the limit of {limit} on that day"
                words += default_note(limit) if kind == "course" else ""
                yield Hindrance(full, words, facts.rigid(rules[kind]))
        if facts.hard("faculty_weekly_limit"):
            for id in course.faculty_ids:
                limit = facts.dataset.teacher[id].max_sessions_per_week
                if limit is not None and len(self.standing.get(("teacher", id), ())) >= limit:
                    name = facts.names.teacher(id)
                    words = f"teacher {name} has reached the limit of {counted(limit, 'session')} a week"
                    yield Hindrance(-1, words, facts.rigid("faculty_weekly_limit"))

    def _full_days(self, owner: tuple[str, str], limit: int) -> Bits:
        starts = [self.pins[other].start for other in self.standing.get(owner, {})]
        mask = 0
        for slots in self.facts.day_slots:
            if sum(slots >> start & 1 for start in starts) >= limit:
                mask |= slots
        return mask

    # --- links -------------------------------------------------------------------------------------------------------

    @cached_property
    def _linked(self) -> Mapping[SessionKey, list[tuple[Link, SessionKey, bool]]]:
        """Hard links per session: link, other session, and whether the other one comes first in it."""
        linked: dict[SessionKey, list[tuple[Link, SessionKey, bool]]] = defaultdict(list)
        if self.facts.hard("link"):
            for link in self.facts.dataset.links:
                if link.tier == "hard":
                    for a, b in self.facts.dataset.expand(link):
                        linked[a].append((link, b, False))
                        linked[b].append((link, a, True))
        return linked

    @cached_property
    def _sets(self) -> Mapping[SessionKey, list[tuple[Link, list[SessionKey]]]]:
        """Hard links that look at all their sessions together, per session: link, and all its sessions."""
        sets: dict[SessionKey, list[tuple[Link, list[SessionKey]]]] = defaultdict(list)
        if self.facts.hard("link"):
            for link in self.facts.dataset.links:
                if link.tier == "hard" and link.type in SET_LINKS:
                    members = self.facts.dataset.sessions_of(link)
                    for key in members:
                        sets[key].append((link, members))
        return sets

    def linked_with(self, key: SessionKey) -> set[SessionKey]:
        """Sessions that a hard link ties to this one, pinned up or not."""
        mates = {other for _, members in self._sets.get(key, ()) for other in members if other != key}
        return {other for _, other, _ in self._linked.get(key, ())} | mates

    def _links(self, key: SessionKey) -> Iterator[Hindrance]:
        possible = self.facts.on_grid[self.length(key)]
        for link, other, first in self._linked.get(key, ()):
            pin = self.pins.get(other)
            if pin is not None:
                allowed = partner_starts(
                    self.facts, link, pin.start, self.length(other), self.length(key), reverse=not first
                )
                kind = link.type.replace("_", " ")
                words = f"the link '{kind}' with {self.facts.names.session(other)} breaks"
                yield Hindrance(possible & ~allowed, words, self.facts.rigid("link"))
        for link, members in self._sets.get(key, ()):
            mates = [other for other in members if other in self.pins and other != key]
            taken = 0
            for other in mates:
                taken |= ((1 << self.length(other)) - 1) << self.pins[other].start
            now, own = max(1, self.facts.stretches(taken)), (1 << self.length(key)) - 1
            apart = bits(start for start in indices(possible) if self.facts.stretches(taken | own << start) > now)
            words = f"the link '{link.type}' with {self.facts.names.sessions(mates)} breaks"
            yield Hindrance(apart, words, self.facts.rigid("link"))

    # --- rooms -------------------------------------------------------------------------------------------------------

    def suitable_rooms(self, key: SessionKey) -> Bits:
        """Rooms of the right kind that room links with pinned sessions allow."""
        rooms = self.facts.options(key).rooms
        for link, other, _ in self._linked.get(key, ()):
            pin = self.pins.get(other)
            if pin is not None:
                same, apart = keeps_rooms(link.type)
                data = self.facts.dataset
                place = data.place_number.get(data.in_order(pin.rooms))
                there = 0 if place is None else 1 << place
                rooms &= (there if same else 0) | (~there if apart else 0)
        return rooms

    def free_rooms(self, key: SessionKey) -> dict[tuple[str, ...], Bits]:
        """Starts at which each suitable place is open and free to the end of the session; smallest place first."""
        length, places = self.length(key), [self.facts.dataset.places[q] for q in indices(self.suitable_rooms(key))]
        free = {}
        for place in sorted(places, key=lambda place: place.seats):
            taken = 0
            for room in place.rooms if self.facts.hard("room_clash") else ():
                taken |= self.facts.closed[room.id] | self._full(room)
            free[place.ids] = self.facts.on_grid[length] & ~starts_touching(taken, length)
        return free

    def _full(self, room: Room) -> Bits:
        """Slots in which the room takes no further session."""
        inside = list(self.standing.get(("room", room.id), {}).values())
        if room.sessions_at_once > len(inside):
            return 0
        held = [0] * room.sessions_at_once  # slots in which there are so many sessions and one more
        for slots in inside:
            for n in reversed(range(len(held))):
                held[n] |= slots & (held[n - 1] if n else -1)
        return held[-1]

    def free_starts(self, key: SessionKey) -> Bits:
        """Starts that nothing but the rooms hinders."""
        starts = self.facts.on_grid[self.length(key)]
        for hindrance in self.hindrances(key):
            starts &= ~hindrance.starts
        return starts
