"""
Plants a timetable that keeps every hard rule, before any wish or closure is drawn around it.

Everything busy is a bit mask over the slots of the week, so that "is anybody of this section busy" is one `and`.
Electives come first because they tie many batches together; the options of one basket are drawn into the same slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from solver.calendar import TimeGrid
from solver.model import Room
from solver.samples.campus import Campus
from solver.samples.curriculum import Curriculum, Section
from solver.samples.shapes import Shape, Shift
from solver.samples.staffing import SESSIONS_PER_DAY, Teacher

GROUP_SESSIONS_PER_DAY = 6
ATTEMPTS = 200
SHIFT_PERIODS = 2
"""Periods at the far end of the day that a morning or afternoon shift keeps free."""
LECTURE_ROOM_TYPES = ("lecture_hall", "seminar_room", "auditorium")


class PlantingError(RuntimeError):
    """No feasible timetable was found for a preset and seed: the shape is too tight. Our bug, never the caller's."""


@dataclass(frozen=True, slots=True)
class Planted:
    """Start slot and room (an index) of each session of one section, in the order of their slots."""

    slots: tuple[int, ...]
    rooms: tuple[int, ...]


def shift_mask(grid: TimeGrid, shift: Shift) -> int:
    """The slots that a shift keeps free, as a bit mask."""
    if shift == "day":
        return 0
    periods = range(grid.num_periods)
    closed = periods[-SHIFT_PERIODS:] if shift == "morning" else periods[:SHIFT_PERIODS]
    return sum(1 << (day * grid.num_periods + p) for day in range(grid.num_days) for p in closed)


def plant(
    shape: Shape, curriculum: Curriculum, campus: Campus, teachers: Sequence[Teacher], rng: Random
) -> list[Planted]:
    """
    Places every session of every section; a section that finds no place goes to the front and all starts again.

    Raises
    ------
    PlantingError
        The curriculum did not fit within `ATTEMPTS` tries.
    """
    sections = curriculum.sections
    order = sorted(range(len(sections)), key=lambda i: _urgency(sections[i]))
    for _ in range(ATTEMPTS):
        board = _Board(shape, curriculum, campus, teachers, rng)
        stuck = next((i for i in order if not board.place(i)), None)
        if stuck is None:
            return [board.planted[i] for i in range(len(sections))]
        order.remove(stuck)
        order.insert(0, stuck)
    raise PlantingError(f"{shape.title}: {sections[stuck or 0].id} found no place in {ATTEMPTS} attempts")


def _urgency(section: Section) -> tuple[int, ...]:
    return (0 if section.elective else 1, section.basket, -len(section.batches), -section.slots, -section.meetings)


class _Board:
    """One attempt: what is taken so far."""

    def __init__(
        self, shape: Shape, curriculum: Curriculum, campus: Campus, teachers: Sequence[Teacher], rng: Random
    ) -> None:
        self.grid, self.curriculum, self.rng = shape.grid, curriculum, rng
        self.rooms, self.teachers = campus.rooms, teachers
        self.planted: dict[int, Planted] = {}
        shifts = [shift_mask(shape.grid, plan.shift) for plan in shape.years]
        self.student_busy = [shifts[batch.year] for batch in curriculum.batches for _ in batch.students]
        self.teacher_busy = [0] * len(teachers)
        self.room_busy = [0] * len(campus.rooms)
        self.basket_starts: dict[int, set[int]] = {}
        self.batch_day = [[0] * self.grid.num_days for _ in curriculum.batches]
        self.teacher_day = [[0] * self.grid.num_days for _ in teachers]
        self.slot_load = [0.0] * self.grid.num_slots
        self.load_unit = self.grid.num_slots / sum(s.meetings * s.slots for s in curriculum.sections)
        self.rooms_from = {
            building: sorted(range(len(self.rooms)), key=lambda r: self._nearness(self.rooms[r], building))
            for building in campus.buildings
        }
        self.home = campus.home

    def _nearness(self, room: Room, building: str) -> tuple[bool, int]:
        return (room.building != building, room.capacity)

    def place(self, i: int) -> bool:
        """Places all sessions of section `i`; False (and a board to throw away) when one finds no place."""
        section = self.curriculum.sections[i]
        busy = 0
        for student in section.students:
            busy |= self.student_busy[student]
        for f in section.teachers:
            busy |= self.teacher_busy[f]
        rooms = self._suitable_rooms(section)
        starts: list[tuple[int, int]] = []
        while len(starts) < section.meetings:
            found = next(self._places(section, busy, rooms, starts), None)
            if found is None:
                return False
            starts.append(found)
            busy |= self._take(section, *found)
        starts.sort()
        self.planted[i] = Planted(tuple(t for t, _ in starts), tuple(r for _, r in starts))
        return True

    def _suitable_rooms(self, section: Section) -> list[int]:
        """Room indices, nearest and smallest first."""
        near = self.rooms_from[self.home[section.department]]
        seats = len(section.students)
        if section.lab_kind is not None:
            fitting = [r for r in near if section.lab_kind in self.rooms[r].features]
        else:
            fitting = [r for r in near if self.rooms[r].type in LECTURE_ROOM_TYPES]
        return [r for r in fitting if self.rooms[r].capacity >= seats]

    def _places(
        self, section: Section, busy: int, rooms: Sequence[int], taken: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int]]:
        """(slot, room) that break nothing, most wanted slot first; the section's last room is tried first."""
        preferred = [taken[-1][1], *rooms] if taken else rooms
        for t in self._starts(section, busy, {self.grid.day_of(t) for t, _ in taken}):
            mask = self._mask(t, section.slots)
            room = next((r for r in preferred if not self.room_busy[r] & mask), None)
            if room is not None:
                yield t, room

    def _starts(self, section: Section, busy: int, days: set[int]) -> list[int]:
        """Possible starts on days the section does not meet yet, most wanted first."""
        ranked = []
        together = self.basket_starts.get(section.basket, set())
        for t in range(self.grid.num_slots):
            day, period = self.grid.day_of(t), self.grid.period_of(t)
            if day in days or busy & self._mask(t, section.slots) or not self.grid.can_start(t, section.slots):
                continue
            if any(self.teacher_day[f][day] >= SESSIONS_PER_DAY for f in section.teachers):
                continue
            if any(self.batch_day[b][day] >= GROUP_SESSIONS_PER_DAY for b in section.batches):
                continue
            wish = 2 * self.slot_load[t] + self.rng.random()
            wish += 0.5 * max((self.batch_day[b][day] for b in section.batches), default=0)
            wish += 2.0 * (section.slots > 1 and period % section.slots)
            wish -= 1.0 * self._touches(t, section.slots, busy) + 50.0 * (t in together)
            ranked.append((wish, t))
        return [t for _, t in sorted(ranked)]

    def _touches(self, t: int, slots: int, busy: int) -> bool:
        """Whether somebody of the section is busy right before or after, so that the day stays compact."""
        before = self.grid.period_of(t) > 0 and busy >> (t - 1) & 1
        after = self.grid.period_of(t) + slots < self.grid.num_periods and busy >> (t + slots) & 1
        return bool(before or after)

    def _mask(self, t: int, slots: int) -> int:
        return ((1 << slots) - 1) << t

    def _take(self, section: Section, t: int, room: int) -> int:
        mask, day = self._mask(t, section.slots), self.grid.day_of(t)
        for student in section.students:
            self.student_busy[student] |= mask
        for f in section.teachers:
            self.teacher_busy[f] |= mask
            self.teacher_day[f][day] += 1
        for b in section.batches:
            self.batch_day[b][day] += 1
        self.room_busy[room] |= mask
        for slot in range(t, t + section.slots):
            self.slot_load[slot] += self.load_unit
        if section.elective:
            self.basket_starts.setdefault(section.basket, set()).add(t)
        return mask
