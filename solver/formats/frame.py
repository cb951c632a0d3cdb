"""The table that a week is drawn in: a row for each period, and one for the breaks before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from solver.calendar import Pause, TimeGrid, span_of


class PeriodRow(NamedTuple):
    """`clock` is "" where the period is at another time on another day; then each meeting says its own."""

    period: int
    clock: str

    @property
    def head(self) -> str:
        """What stands at the beginning of the row."""
        return self.clock or f"Period {self.period + 1}"


class BreakRow(NamedTuple):
    """The breaks right before `period`, in words for each day, "" where it has none; `clock` as in `PeriodRow`."""

    period: int
    clock: str
    names: tuple[str, ...]

    @property
    def shared(self) -> str:
        """The one name of all days, "" where they differ."""
        return self.names[0] if len(set(self.names)) == 1 else ""


def rows_of_week(grid: TimeGrid) -> Iterator[PeriodRow | BreakRow]:
    """From the first to the last period of the longest day; the rows of breaks stand before the periods `rested`."""
    for period in range(grid.num_periods):
        if period in grid.rested:
            yield _break_row(period, [grid.pauses_before(day, period) for day in range(grid.num_days)])
        times = [grid.periods_of(day)[period] for day in range(grid.num_days) if period < len(grid.periods_of(day))]
        yield PeriodRow(period, _shared_clock(times))


def _break_row(period: int, pauses: list[tuple[Pause, ...]]) -> BreakRow:
    clock = _shared_clock([(min(p.start for p in here), max(p.end for p in here)) for here in pauses if here])
    names = (", ".join(_told(pause, alone=bool(clock) and len(here) == 1) for pause in here) for here in pauses)
    return BreakRow(period, clock, tuple(names))


def _told(pause: Pause, *, alone: bool) -> str:
    return pause.name if alone else f"{pause.name} {span_of(pause.start, pause.end)}"


def _shared_clock(times: Iterable[tuple[int, int]]) -> str:
    distinct = set(times)
    return span_of(*distinct.pop()) if len(distinct) == 1 else ""
