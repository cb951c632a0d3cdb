"""The weekly grid: days, periods, lunch, and the clock times behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


def minutes_of(clock: str) -> int | None:
    """Minutes after midnight of "HH:MM" or "HH:MM:SS" (24:00 allowed as an end), None when it is no clock time."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?", clock.strip())
    if not match:
        return None
    hours, minutes = int(match[1]), int(match[2])
    total = hours * 60 + minutes
    return total if minutes < 60 and int(match[3] or 0) < 60 and total <= 24 * 60 else None


def clock_of(minutes: int) -> str:
    """ "HH:MM" of minutes after midnight."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


USUAL_LUNCH = ("12:00", "13:00")


@dataclass(frozen=True, kw_only=True)
class TimeGrid:
    """
    The weekly grid. `num_periods` follows the platform's clamp: never more periods than fit between start and end.

    A period never straddles lunch and never ends after `end_time`; the platform's own grid gets both wrong.
    """

    working_days: int = 6
    slots_per_day: int = 8
    start_time: str = "08:00"
    end_time: str = "17:00"
    slot_minutes: int = 60
    lunch: tuple[str, str] | None = USUAL_LUNCH

    @cached_property
    def periods(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of each period of a day, in minutes after midnight."""
        start, end = minutes_of(self.start_time) or 0, minutes_of(self.end_time) or 0
        lunch_start, lunch_end = self._lunch_minutes
        lunch_length = max(0, lunch_end - lunch_start)
        wanted = min(self.slots_per_day, max(1, (end - start - lunch_length) // self.slot_minutes))
        periods: list[tuple[int, int]] = []
        clock = start
        while len(periods) < wanted and clock + self.slot_minutes <= end:
            if clock < lunch_end and clock + self.slot_minutes > lunch_start and lunch_length:
                clock = lunch_end
                continue
            periods.append((clock, clock + self.slot_minutes))
            clock += self.slot_minutes
        return tuple(periods)

    @property
    def _lunch_minutes(self) -> tuple[int, int]:
        if self.lunch is None:
            return (0, 0)
        return (minutes_of(self.lunch[0]) or 0, minutes_of(self.lunch[1]) or 0)

    @cached_property
    def lunch_period(self) -> int | None:
        """The first period after lunch, None when lunch cuts no day in two."""
        if self.lunch is None:
            return None
        lunch_end = self._lunch_minutes[1]
        after = [p for p, (start, _) in enumerate(self.periods) if start >= lunch_end]
        return after[0] if after and after[0] > 0 and lunch_end > self._lunch_minutes[0] else None

    @property
    def num_days(self) -> int:
        return self.working_days

    @property
    def num_periods(self) -> int:
        return len(self.periods)

    @cached_property
    def shortened(self) -> str | None:
        """Why a day has fewer slots than were asked for, and how they are numbered then; None where it has them all."""
        if self.num_periods >= self.slots_per_day:
            return None
        second = f": slot {self.num_periods} is the first one of the second day" if self.num_days > 1 else ""
        return (
            f"{self.slots_per_day} slots a day are asked for (slots_per_day), but only {self.num_periods} slots of "
            f"{self.slot_minutes} minutes fit between {self.start_time} and {self.end_time}{self._lunch_in_words}, "
            f"so slots are numbered {self.num_periods} a day{second}"
        )

    @property
    def _lunch_in_words(self) -> str:
        start, end = self._lunch_minutes
        if self.lunch is None or start >= end:
            return ""
        words = f" with lunch from {self.lunch[0]} to {self.lunch[1]}"
        if end <= (minutes_of(self.start_time) or 0) or start >= (minutes_of(self.end_time) or 0):
            words += ", which is taken off the day although it lies outside"
        if self.lunch == USUAL_LUNCH:
            words += ' (the default; "lunch": null means no break)'
        return words

    @property
    def num_slots(self) -> int:
        return self.num_days * self.num_periods

    def day_of(self, slot: int) -> int:
        return slot // self.num_periods

    def period_of(self, slot: int) -> int:
        return slot % self.num_periods

    def can_start(self, slot: int, length: int) -> bool:
        """Whether a session of `length` slots that starts at `slot` stays inside the day and clear of lunch."""
        if not 0 <= slot < self.num_slots:
            return False
        first = self.period_of(slot)
        last = first + length - 1
        lunch = self.lunch_period
        return last < self.num_periods and not (lunch is not None and first < lunch <= last)
