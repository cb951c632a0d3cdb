"""Made-up `.tim` problems with a known timetable, and a count of answers that knows nothing of our model."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

SLOTS, PERIODS = 45, 9


class TimCase(NamedTuple):
    """A problem and an answer to it that leaves nothing out and breaks nothing hard."""

    problem: str
    answer: str


def tim_case(rng: Random, events: int = 12, rooms: int = 4, features: int = 3, students: int = 10) -> TimCase:
    """Places every event somewhere first, then adds only what that timetable keeps. Every student attends something."""
    cells = rng.sample([(t, r) for t in range(SLOTS) for r in range(rooms)], events)
    slot, room = zip(*cells, strict=True)
    offers = [[rng.randint(0, 1) for _ in range(features)] for _ in range(rooms)]
    wants = [[offers[r][f] * rng.randint(0, 1) for f in range(features)] for r in room]
    attends = []
    for _ in range(students):
        chosen: list[int] = []
        for e in rng.sample(range(events), events):
            if len(chosen) < 6 and slot[e] not in {slot[other] for other in chosen}:
                chosen.append(e)
        attends.append([int(e in chosen[: rng.randint(1, 6)]) for e in range(events)])
    seats = [
        max([sum(row[e] for row in attends) for e in range(events) if room[e] == r], default=1) for r in range(rooms)
    ]
    available = [[int(t == slot[e] or rng.random() < 0.6) for t in range(SLOTS)] for e in range(events)]
    order = [[0] * events for _ in range(events)]
    for _ in range(events // 3):
        a, b = sorted(rng.sample(range(events), 2), key=lambda e: slot[e])
        if slot[a] < slot[b]:
            order[a][b], order[b][a] = 1, -1
    tables = [[seats], attends, offers, wants, available, order]
    numbers = [str(number) for table in tables for row in table for number in row]
    problem = f"{events} {rooms} {features} {students}\n" + "\n".join(numbers) + "\n"
    return TimCase(problem, "".join(f"{t} {r}\n" for t, r in cells))


class Verdict(NamedTuple):
    """What the competition's problem statement counts."""

    clashes: int
    unsuitable: int
    too_small: int
    shared_rooms: int
    unavailable: int
    disorder: int
    distance: int
    last_slots: int
    more_than_two: int
    single_events: int

    @property
    def breaches(self) -> int:
        return sum(self[:6])

    @property
    def cost(self) -> int:
        return self.last_slots + self.more_than_two + self.single_events


def count(problem: str, answer: str) -> Verdict:
    """
    Counts an answer straight from the two texts, in plain loops.

    `clashes` are pairs of events of one student in one slot, `disorder` pairs of placed events in the wrong order.
    """
    words = iter(int(word) for word in problem.split())
    events, rooms, features, students = (next(words) for _ in range(4))

    def table(rows: int, columns: int) -> list[list[int]]:
        return [[next(words) for _ in range(columns)] for _ in range(rows)]

    (seats,) = table(1, rooms)
    attends, offers, wants = table(students, events), table(rooms, features), table(events, features)
    available, order = table(events, SLOTS), table(events, events)
    placed = [tuple(map(int, line.split())) for line in answer.splitlines()]
    there = [e for e in range(events) if placed[e] != (-1, -1)]
    slot, room = [p[0] for p in placed], [p[1] for p in placed]
    size = [sum(row[e] for row in attends) for e in range(events)]
    clashes = last = runs = singles = 0
    for row in attends:
        mine = [slot[e] for e in there if row[e]]
        clashes += sum(mine[i] == mine[j] for i in range(len(mine)) for j in range(i))
        for day in range(SLOTS // PERIODS):
            busy = [any(t == day * PERIODS + period for t in mine) for period in range(PERIODS)]
            last += busy[-1]
            runs += sum(busy[p] and busy[p - 1] and busy[p - 2] for p in range(2, PERIODS))
            singles += sum(busy) == 1
    return Verdict(
        clashes=clashes,
        unsuitable=sum(any(w > o for w, o in zip(wants[e], offers[room[e]], strict=True)) for e in there),
        too_small=sum(size[e] > seats[room[e]] for e in there),
        shared_rooms=sum(placed[a] == placed[b] for a in there for b in there if a < b),
        unavailable=sum(not available[e][slot[e]] for e in there),
        disorder=sum(order[a][b] == 1 and slot[a] >= slot[b] for a in there for b in there),
        distance=sum(size[e] for e in range(events) if e not in there),
        last_slots=last,
        more_than_two=runs,
        single_events=singles,
    )
