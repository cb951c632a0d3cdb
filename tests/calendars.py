"""Grids for tests: named days, bell times that differ from day to day, breaks of both kinds."""

from __future__ import annotations

from random import Random

from solver.calendar import WEEKDAYS, Break, TimeGrid, clock_of
from tests.builders import grid

Bells = tuple[tuple[str, str], ...]


def ring(*spans: str) -> Bells:
    """`ring("08:00-08:50", "09:00-09:50")` as `TimeGrid.bells` has them."""
    return tuple((start, end) for start, _, end in (span.partition("-") for span in spans))


def pause(name: str, span: str, *days: str, run_over: bool = False) -> Break:
    """A break of these days, of all where none is named; `span` is like "12:00-13:00"."""
    start, _, end = span.partition("-")
    return Break(name=name, start=start, end=end, days=days, run_over=run_over)


SUNDAY_WEEK = TimeGrid(
    days=("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday"),
    bells={
        "": ring("08:00-08:50", "09:00-09:50", "10:20-11:10", "11:20-12:10"),
        "Thursday": ring("08:00-08:40", "08:45-09:25", "09:45-10:25"),
    },
    breaks=(
        pause("Breakfast", "09:50-10:20", "Sunday", "Monday", "Tuesday", "Wednesday"),
        pause("Breakfast", "09:25-09:45", "Thursday", run_over=True),
    ),
    lunch=None,
)
"""Five days from Sunday on, of which the last one is short and has its break at another time."""


def random_grid(rng: Random) -> TimeGrid:
    """Half of them days of equal hours with or without lunch, the others with names, bells and breaks."""
    periods = rng.randint(2, 6)
    if rng.random() < 0.5:
        return grid(rng.randint(1, 5), periods, rng.choice([None, *range(1, periods)]))
    first, num_days = rng.randrange(7), rng.randint(1, 4)
    days = tuple(WEEKDAYS[(first + n) % 7] for n in range(num_days))
    if rng.random() < 0.3:
        middle = pause("Prayer", "10:10-10:30", rng.choice(days), run_over=rng.random() < 0.5)
        return TimeGrid(
            days=days, slots_per_day=periods, breaks=(middle,), lunch=rng.choice([None, ("12:00", "13:00")])
        )
    own = rng.choice(days)
    bells, breaks = {}, []
    for name, there in (("", tuple(day for day in days if day != own)), (own, (own,))):
        length = periods if name == "" else rng.randint(1, periods)
        bells[name], gaps = _random_bells(rng, length)
        breaks += [pause("Break", gap, *there, run_over=rng.random() < 0.5) for gap in gaps if there]
    return TimeGrid(days=days, bells=bells, breaks=tuple(breaks), lunch=None)


def _random_bells(rng: Random, periods: int) -> tuple[Bells, list[str]]:
    """The periods of a day, and those of the intervals between them that are breaks."""
    clock, spans, gaps = 8 * 60, [], []
    for n in range(periods):
        between = rng.choice([0, 0, 5, 30, 60]) if n else 0
        if between and rng.random() < 0.7:
            gaps.append(f"{clock_of(clock)}-{clock_of(clock + between)}")
        start = clock + between
        clock = start + rng.choice([45, 60])
        spans.append((clock_of(start), clock_of(clock)))
    return tuple(spans), gaps
