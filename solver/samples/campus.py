"""Where teaching happens: buildings and the ways between them, rooms cut to the curriculum's demand."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random

from solver.model import Room
from solver.samples.curriculum import Curriculum, Section
from solver.samples.shapes import Shape

SEAT_CLASSES = (30, 40, 50, 60, 70, 90, 120, 150, 200, 250, 300, 400)
"""Rooms are built in these sizes; a class of 43 plans with a room of 50."""
LAB_LOAD = 0.6
SPARE_LAB_SHARE = 0.15
"""Share of laboratories among the rooms that nobody strictly needs."""
METRES_PER_MINUTE = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Campus:
    """`home[d]` is the building of department d."""

    buildings: tuple[str, ...]
    home: tuple[str, ...]
    rooms: tuple[Room, ...]
    travel_minutes: Mapping[str, Mapping[str, int]]


@dataclass(slots=True)
class _Demand:
    """Taught slots a week of one kind of room, and the departments that want them (one entry per section)."""

    slots: int = 0
    seats: int = 0
    departments: list[int] = field(default_factory=list)

    def add(self, section: Section) -> None:
        self.slots += section.meetings * section.slots
        self.seats = max(self.seats, len(section.students))
        self.departments.append(section.department)


def build_campus(shape: Shape, curriculum: Curriculum, rng: Random) -> Campus:
    """Draws a campus on which the curriculum fits with the planned load per room."""
    buildings = tuple(_building_names(shape.buildings))
    departments = curriculum.departments
    home = tuple(buildings[d * len(buildings) // len(departments)] for d in range(len(departments)))
    rooms = _Builder(shape, curriculum, home, rng).build()
    return Campus(buildings=buildings, home=home, rooms=rooms, travel_minutes=_ways(buildings, rng))


def _building_names(number: int) -> Iterator[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for i in range(number):
        yield letters[i] if i < 26 else letters[i // 26 - 1] + letters[i % 26]


def _ways(buildings: tuple[str, ...], rng: Random) -> dict[str, dict[str, int]]:
    """Walking minutes, each pair once: buildings stand at random on a square that grows with their number."""
    side = 250 * len(buildings) ** 0.5
    place = [(rng.uniform(0, side), rng.uniform(0, side)) for _ in buildings]
    ways: dict[str, dict[str, int]] = {}
    for i, (x, y) in enumerate(place[:-1]):
        ways[buildings[i]] = {
            buildings[j]: 1 + round((abs(x - place[j][0]) + abs(y - place[j][1])) / METRES_PER_MINUTE)
            for j in range(i + 1, len(buildings))
        }
    return ways


class _Builder:
    """Builds rooms one by one and numbers them per building."""

    def __init__(self, shape: Shape, curriculum: Curriculum, home: tuple[str, ...], rng: Random) -> None:
        self.shape, self.curriculum, self.home, self.rng = shape, curriculum, home, rng
        self.numbers: dict[str, count[int]] = defaultdict(count)

    def build(self) -> tuple[Room, ...]:
        lecture, lab = self._demand()
        rooms = [self._lab(d, demand.seats) for d, demand in lab.items() for _ in range(self._needed(demand, LAB_LOAD))]
        for seats, demand in sorted(lecture.items()):
            for _ in range(self._needed(demand, self.shape.room_load)):
                rooms.append(self._lecture_room(seats, self.rng.choice(demand.departments)))
        spare = (self.shape.rooms or len(rooms)) - len(rooms)
        if spare < 0:
            raise ValueError(f"{self.shape.title}: the curriculum needs {len(rooms)} rooms, not {self.shape.rooms}")
        rooms += [self._spare(lecture, lab) for _ in range(spare)]
        return tuple(sorted(rooms, key=lambda room: (len(room.building or ""), room.id)))

    def _demand(self) -> tuple[dict[int, _Demand], dict[int, _Demand]]:
        """Demand of lecture rooms by seat class, of laboratories by department."""
        lecture: dict[int, _Demand] = defaultdict(_Demand)
        lab: dict[int, _Demand] = defaultdict(_Demand)
        for section in self.curriculum.sections:
            if section.lab_kind is None:
                lecture[SEAT_CLASSES[bisect_left(SEAT_CLASSES, len(section.students))]].add(section)
            else:
                lab[section.department].add(section)
        return lecture, lab

    def _needed(self, demand: _Demand, load: float) -> int:
        return max(1, round(demand.slots / (load * self.shape.grid.num_slots) + 0.4))

    def _spare(self, lecture: Mapping[int, _Demand], lab: Mapping[int, _Demand]) -> Room:
        if lab and self.rng.random() < SPARE_LAB_SHARE:
            department = self.rng.choice(list(lab))
            return self._lab(department, lab[department].seats)
        seats = self.rng.choice([s for s in lecture if s <= 120])
        return self._lecture_room(seats, self.rng.choice(lecture[seats].departments))

    def _lab(self, department: int, seats: int) -> Room:
        kind = self.curriculum.departments[department].lab_kind
        assert kind is not None
        return self._room("lab", seats + self.rng.randint(0, 4), department, (kind,), f"{kind} laboratory")

    def _lecture_room(self, seats: int, department: int) -> Room:
        kind = "seminar_room" if seats <= 40 else "lecture_hall" if seats <= 150 else "auditorium"
        features = tuple(
            feature
            for feature, chance in (("projector", 0.8), ("smart_board", 0.4), ("air_conditioning", 0.3))
            if kind == "auditorium" or self.rng.random() < chance
        )
        return self._room(kind, seats, department, features, kind)

    def _room(self, kind: str, capacity: int, department: int, features: tuple[str, ...], title: str) -> Room:
        building = self.home[department]
        number = next(self.numbers[building])
        label = f"{building}-{number // 20 + 1}{number % 20 + 1:02d}"
        return Room(
            id=f"R-{label}",
            name=f"{label} {title.replace('_', ' ')}",
            capacity=capacity,
            type=kind,
            features=features,
            building=building,
            department_id=None if kind == "auditorium" else self.curriculum.departments[department].id,
        )
