"""
The weekly grid: named days, their periods by the clock, and the breaks between them.

A slot is day x `num_periods` + period, `num_periods` being that of the longest day; a period that a shorter day has not
is no slot. Whatever is asked about what lies between two sessions is answered in minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

DAY_MINUTES = 24 * 60
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""What days are called where nobody names them."""
LUNCH = "Lunch"
USUAL_LUNCH = ("12:00", "13:00")


def minutes_of(clock: str) -> int | None:
    """Minutes after midnight of "HH:MM" or "HH:MM:SS" (24:00 allowed as an end), None when it is no clock time."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?", clock.strip())
    if not match:
        return None
    hours, minutes = int(match[1]), int(match[2])
    total = hours * 60 + minutes
    return total if minutes < 60 and int(match[3] or 0) < 60 and total <= DAY_MINUTES else None


def clock_of(minutes: int) -> str:
    """ "HH:MM" of minutes after midnight."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def span_of(begin: int, end: int) -> str:
    """ "08:00-08:50" of two times of a day."""
    return f"{clock_of(begin)}-{clock_of(end)}"


class Pause(NamedTuple):
    """A break as one day has it; `start` and `end` are minutes after midnight."""

    start: int
    end: int
    name: str
    run_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """
    A named interval of the days named, of all days where none is; it ends a run of sessions.

    `run_over` says whether a single session may begin before it and go on behind it.
    """

    name: str
    start: str
    end: str
    days: tuple[str, ...] = ()
    run_over: bool = False

    @property
    def minutes(self) -> tuple[int, int]:
        """Start and end in minutes after midnight."""
        return (minutes_of(self.start) or 0, minutes_of(self.end) or 0)


@dataclass(frozen=True, kw_only=True)
class TimeGrid:
    """
    The weekly grid.

    `days` names 1 to 14 days in their order, whatever the first one is; without them they are `working_days` from
    Monday on, and with them `working_days` follows. `bells` are the periods as (start, end) by the name of the day,
    those under "" for every day that has none of its own. Where there are none a day is cut into `slots_per_day` slots
    of `slot_minutes` from `start_time` on, around lunch and breaks; never into more than fit until `end_time`
    (the platform's clamp; a slot never straddles a break and never ends too late, which its own grid gets wrong).

    `lunch` is the short word for a break of that name on all days. The usual one of nobody's choice is none on a day
    whose bells ring through it.
    """

    working_days: int = 6
    slots_per_day: int = 8
    start_time: str = "08:00"
    end_time: str = "17:00"
    slot_minutes: int = 60
    lunch: tuple[str, str] | None = USUAL_LUNCH
    days: tuple[str, ...] = ()
    bells: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    breaks: tuple[Break, ...] = ()

    def __post_init__(self) -> None:
        if self.days:
            object.__setattr__(self, "working_days", len(self.days))

    # --- days ---------------------------------------------------------------------------------------------------------

    @property
    def num_days(self) -> int:
        return self.working_days

    @property
    def day_names(self) -> tuple[str, ...]:
        """In the order of the grid."""
        return self.days or WEEKDAYS[: self.working_days]

    def has_bells(self, day: int) -> bool:
        """Whether the periods of the day are stated one by one."""
        return self.day_names[day] in self.bells or "" in self.bells

    @cached_property
    def _periods(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        return tuple(
            self._stated(name) if self.has_bells(day) else self._cut(name) for day, name in enumerate(self.day_names)
        )

    def _stated(self, name: str) -> tuple[tuple[int, int], ...]:
        bells = self.bells[name] if name in self.bells else self.bells[""]
        return tuple((minutes_of(start) or 0, minutes_of(end) or 0) for start, end in bells)

    def _cut(self, name: str) -> tuple[tuple[int, int], ...]:
        start, end = minutes_of(self.start_time) or 0, minutes_of(self.end_time) or 0
        lunch_start, lunch_end = self._lunch_minutes
        pauses = [(lunch_start, lunch_end), *(each.minutes for each in self._breaks_on(name))]
        lunch_length = max(0, lunch_end - lunch_start)
        wanted = min(self.slots_per_day, max(1, (end - start - lunch_length) // self.slot_minutes))
        periods: list[tuple[int, int]] = []
        clock = start
        while len(periods) < wanted and clock + self.slot_minutes <= end:
            through = [b for a, b in pauses if a < b and clock < b and clock + self.slot_minutes > a]
            if through:
                clock = max(through)
                continue
            periods.append((clock, clock + self.slot_minutes))
            clock += self.slot_minutes
        return tuple(periods)

    @property
    def _lunch_minutes(self) -> tuple[int, int]:
        if self.lunch is None:
            return (0, 0)
        return (minutes_of(self.lunch[0]) or 0, minutes_of(self.lunch[1]) or 0)

    def _breaks_on(self, name: str) -> list[Break]:
        return [each for each in self.breaks if not each.days or name in each.days]

    def periods_of(self, day: int) -> tuple[tuple[int, int], ...]:
        """(start, end) of each period of a day, in minutes after midnight."""
        return self._periods[day]

    @property
    def num_periods(self) -> int:
        """Of the longest day."""
        return max(map(len, self._periods))

    @cached_property
    def alike(self) -> bool:
        """Whether all days have the same periods and the same breaks."""
        return len({(self.periods_of(day), self.pauses_of(day)) for day in range(self.num_days)}) == 1

    # --- slots --------------------------------------------------------------------------------------------------------

    @property
    def num_slots(self) -> int:
        """Numbers of slots, those that a shorter day has not included."""
        return self.num_days * self.num_periods

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """The slots that there are."""
        return tuple(slot for slot in range(self.num_slots) if self.exists(slot))

    def slots_of(self, day: int) -> range:
        """The slots of one day."""
        first = day * self.num_periods
        return range(first, first + len(self.periods_of(day)))

    def day_of(self, slot: int) -> int:
        return slot // self.num_periods

    def period_of(self, slot: int) -> int:
        return slot % self.num_periods

    def exists(self, slot: int) -> bool:
        """Whether the slot is on the grid, and its day long enough for it."""
        return 0 <= slot < self.num_slots and self.period_of(slot) < len(self.periods_of(self.day_of(slot)))

    def start_of(self, slot: int) -> int:
        """Minutes after midnight at which the slot begins. Raises `IndexError` where its day has no such period."""
        return self.periods_of(self.day_of(slot))[self.period_of(slot)][0]

    def end_of(self, slot: int) -> int:
        """Minutes after midnight at which the slot ends. Raises `IndexError` where its day has no such period."""
        return self.periods_of(self.day_of(slot))[self.period_of(slot)][1]

    def name_of(self, slot: int) -> str:
        """ "Monday 10:00": its day and when it begins; only its number where there is no such slot."""
        if not self.exists(slot):
            return f"slot {slot}"
        return f"{self.day_names[self.day_of(slot)]} {clock_of(self.start_of(slot))}"

    def can_start(self, slot: int, length: int) -> bool:
        """Whether a session of `length` slots that starts there stays in the day and runs over no break it may not."""
        if not self.exists(slot):
            return False
        day, first = self.day_of(slot), self.period_of(slot)
        last = first + length - 1
        return last < len(self.periods_of(day)) and not any(first < wall <= last for wall in self.walls(day))

    def minutes_between(self, last: int, slot: int) -> int:
        """Minutes from the end of slot `last` to the start of `slot`, nights included; below 0 where they overlap."""
        return (self.day_of(slot) - self.day_of(last)) * DAY_MINUTES + self.start_of(slot) - self.end_of(last)

    @property
    def gap_minutes(self) -> int:
        """What a free slot is worth where a gap is asked for in slots: the shortest period where bells ring."""
        if not self.bells:
            return self.slot_minutes
        return min(end - start for periods in self._periods for start, end in periods)

    # --- breaks -------------------------------------------------------------------------------------------------------

    @cached_property
    def _pauses(self) -> tuple[tuple[Pause, ...], ...]:
        return tuple(tuple(self._pauses_on(day, name)) for day, name in enumerate(self.day_names))

    def _pauses_on(self, day: int, name: str) -> list[Pause]:
        pauses = [Pause(*each.minutes, each.name, each.run_over) for each in self._breaks_on(name)]
        start, end = self._lunch_minutes
        if start < end and not any(a < end and b > start for a, b in self.periods_of(day)):
            pauses.append(Pause(start, end, LUNCH, False))
        return sorted(pauses)

    def pauses_of(self, day: int) -> tuple[Pause, ...]:
        """The breaks of a day by the clock, those before its first and after its last period included."""
        return self._pauses[day]

    def pauses_before(self, day: int, period: int) -> tuple[Pause, ...]:
        """The breaks between a period and the one before it; none before the first one."""
        return tuple(pause for pause in self.pauses_of(day) if period > 0 and self._period_after(day, pause) == period)

    def _period_after(self, day: int, pause: Pause) -> int:
        """The first period that begins when the break is over, 0 where it cuts the day nowhere."""
        return next((p for p, (start, _) in enumerate(self.periods_of(day)) if start >= pause.end), 0)

    @cached_property
    def _cuts(self) -> tuple[tuple[frozenset[int], frozenset[int]], ...]:
        found = []
        for day in range(self.num_days):
            at = [(self._period_after(day, pause), pause.run_over) for pause in self.pauses_of(day)]
            rests = frozenset(period for period, _ in at) - {0}
            found.append((rests, frozenset(period for period, over in at if not over) - {0}))
        return tuple(found)

    def rests(self, day: int) -> frozenset[int]:
        """The periods before which a break lies, however long; the minutes between two bells alone are none."""
        return self._cuts[day][0]

    @cached_property
    def rested(self) -> frozenset[int]:
        """The periods before which a break lies on some day."""
        return frozenset().union(*(self.rests(day) for day in range(self.num_days)))

    def walls(self, day: int) -> frozenset[int]:
        """Those before which a break lies that no session may run over."""
        return self._cuts[day][1]

    def after_lunch(self, day: int) -> int | None:
        """The first period after the break called lunch, None where that cuts the day nowhere."""
        lunches = (pause for pause in self.pauses_of(day) if pause.name.strip().casefold() == LUNCH.casefold())
        return next((period for pause in lunches if (period := self._period_after(day, pause))), None)

    # --- days that are shorter than asked for -------------------------------------------------------------------------

    @cached_property
    def shortened(self) -> str | None:
        """Why a day has fewer slots than were asked for, and how they are numbered then; None where it has them all."""
        cut = [day for day in range(self.num_days) if not self.has_bells(day)]
        longest = max((len(self.periods_of(day)) for day in cut), default=self.slots_per_day)
        if longest >= self.slots_per_day:
            return None
        second = f": slot {self.num_periods} is the first one of the second day" if self.num_days > 1 else ""
        return (
            f"{self.slots_per_day} slots a day are asked for (slots_per_day), but only {longest} slots of "
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
