"""
Slots in words: "Monday 3" (the third period), "Monday 10:00", "Monday 12:00-14:00" (all that it touches), "Monday".

A document that may say so is brought to numbers before its shapes are checked, field by field (`FIELDS`); what is
written for people is turned the other way. The names of days are found whatever their capitals, and by a beginning that
only one of them has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from solver.calendar import TimeGrid, minutes_of, span_of

Way = Literal["one", "many", "keys", "inside"]
FIELDS: Mapping[str, Way] = {
    "slot": "one",
    "at": "one",
    "unavailable": "many",
    "allowed_slots": "many",
    "preferences": "keys",
    "time_penalties": "keys",
    "fixed": "inside",
    "parts": "inside",
    "times": "inside",
}
"""Where slots stand: one, a list of them, the keys of an object, or within the objects of a list."""

_NUMBER = re.compile(r"[0-9]+")
_SPAN = re.compile(r"([0-9:]+)\s*-\s*([0-9:]+)")
MAX_WORD = 80

Report = Callable[[tuple[object, ...], str, str, object], None]
"""Takes path, code, message and value of what is wrong."""


class UnknownSlot(Exception):
    """A word that names no slot; says what there is."""


class SlotWords:
    """The words of one grid, each looked up once."""

    def __init__(self, grid: TimeGrid) -> None:
        self._grid = grid
        self._known: dict[str, tuple[int, ...]] = {}
        self._days = {name.casefold(): day for day, name in enumerate(grid.day_names)}

    def slots(self, word: str) -> tuple[int, ...]:
        """All slots that a word names, in order. Raises `UnknownSlot`."""
        if word not in self._known:
            self._known[word] = self._read(word)
        return self._known[word]

    def slot(self, word: str) -> int:
        """The slot of a word that names one. Raises `UnknownSlot`."""
        slots = self.slots(word)
        if len(slots) > 1:
            raise UnknownSlot(f"one slot is wanted here, and {word[:MAX_WORD]!r} names {len(slots)}")
        return slots[0]

    def _read(self, word: str) -> tuple[int, ...]:
        if len(word) > MAX_WORD:
            raise UnknownSlot(f"a slot is named in at most {MAX_WORD} characters")
        text = " ".join(word.split()).casefold()
        day, rest = self._day(text)
        slots = self._grid.slots_of(day)
        if not rest:
            return tuple(slots)
        if _NUMBER.fullmatch(rest):
            return (slots[self._period(day, int(rest))],)
        span = _SPAN.fullmatch(rest)
        found = self._touched(day, *span.groups()) if span else self._starting(day, rest)
        return tuple(slots[period] for period in found)

    def _day(self, text: str) -> tuple[int, str]:
        """The day that the text begins with, the longest name of several, and what follows it."""
        whole = [name for name in self._days if text == name or text.startswith(f"{name} ")]
        if whole:
            name = max(whole, key=len)
            return self._days[name], text[len(name) :].strip()
        first, _, rest = text.partition(" ")
        meant = [name for name in self._days if first and name.startswith(first)]
        if len(meant) == 1:
            return self._days[meant[0]], rest.strip()
        days = ", ".join(self._grid.day_names)
        what = f"{first!r} may be any of several days" if meant else f"there is no day {first!r}"
        raise UnknownSlot(f"{what}; the days are {days}")

    def _period(self, day: int, number: int) -> int:
        periods = self._grid.periods_of(day)
        if not 1 <= number <= len(periods):
            raise UnknownSlot(f"{self._grid.day_names[day]} has periods 1 to {len(periods)}, not {number}")
        return number - 1

    def _starting(self, day: int, clock: str) -> list[int]:
        minutes = minutes_of(clock)
        if minutes is None:
            raise UnknownSlot(
                f"behind the day stands a period (3), a clock time (10:00) or two of them (12:00-14:00), got {clock!r}"
            )
        found = [p for p, (start, _) in enumerate(self._grid.periods_of(day)) if start == minutes]
        if not found:
            raise UnknownSlot(f"on {self._grid.day_names[day]} no period starts at {clock}; {self._told(day)}")
        return found

    def _touched(self, day: int, begin: str, end: str) -> list[int]:
        first, last = minutes_of(begin), minutes_of(end)
        if first is None or last is None or last <= first:
            raise UnknownSlot(f"from {begin} to {end} is no time of a day")
        found = [p for p, (a, b) in enumerate(self._grid.periods_of(day)) if a < last and b > first]
        if not found:
            name = self._grid.day_names[day]
            raise UnknownSlot(f"{name} has no period from {begin} to {end}; {self._told(day)}")
        return found

    def _told(self, day: int) -> str:
        return f"its periods are {', '.join(span_of(*period) for period in self._grid.periods_of(day))}"

    # --- numbers to words -------------------------------------------------------------------------------------------

    def written(self, slots: Sequence[int]) -> list[str]:
        """The words that read back as these slots in this order: days and spans where it has any."""
        return list(self._runs(slots))

    def _runs(self, slots: Sequence[int]) -> Iterator[str]:
        grid, at = self._grid, 0
        while at < len(slots):
            first, day = slots[at], grid.day_of(slots[at])
            end = at + 1
            while end < len(slots) and slots[end] == slots[end - 1] + 1 and grid.day_of(slots[end]) == day:
                end += 1
            last, at = slots[end - 1], end
            if (first, last + 1) == (grid.slots_of(day).start, grid.slots_of(day).stop):
                yield grid.day_names[day]
            elif first == last:
                yield grid.name_of(first)
            else:
                yield f"{grid.day_names[day]} {span_of(grid.start_of(first), grid.end_of(last))}"


# --- a whole entry ----------------------------------------------------------------------------------------------------


def numbered(words: SlotWords | None, entry: object, path: tuple[object, ...], report: Report) -> object:
    """
    An entry of a document with numbers in place of words; what is no word stays as it is.

    Parameters
    ----------
    words
        None where the grid itself cannot be read: then words are left out without a complaint.
    report
        Told every word that names no slot; it is left out.
    """
    if not isinstance(entry, dict):
        return entry
    changed = dict(entry)
    for name, way in FIELDS.items():
        if name in entry:
            changed[name] = _NUMBERED[way](words, entry[name], (*path, name), report)
    return changed


def _read(words: SlotWords | None, word: object, path: tuple[object, ...], report: Report) -> tuple[Any, ...]:
    """What stands for one entry of a list."""
    if not isinstance(word, str):
        return (word,)
    try:
        return () if words is None else words.slots(word)
    except UnknownSlot as unknown:
        report(path, "bad_slot", str(unknown), word)
        return ()


def _one(words: SlotWords | None, value: object, path: tuple[object, ...], report: Report) -> object:
    if not isinstance(value, str):
        return value
    try:
        return 0 if words is None else words.slot(value)
    except UnknownSlot as unknown:
        report(path, "bad_slot", str(unknown), value)
        return 0


def _many(words: SlotWords | None, value: object, path: tuple[object, ...], report: Report) -> object:
    if not isinstance(value, list | tuple):
        return value
    if not any(isinstance(word, str) for word in value):
        return value
    return [slot for k, word in enumerate(value) for slot in _read(words, word, (*path, k), report)]


def _keys(words: SlotWords | None, value: object, path: tuple[object, ...], report: Report) -> object:
    """Keys of JSON are texts, so numbers are texts of digits here."""
    if not isinstance(value, dict):
        return value
    found: dict[object, object] = {}
    for key, said in value.items():
        is_word = isinstance(key, str) and not _NUMBER.fullmatch(key)
        for slot in _read(words, key, (*path, key), report) if is_word else (key,):
            if str(slot) in found:
                report((*path, key), "duplicate", f"slot {slot} is named twice, here by {str(key)[:MAX_WORD]!r}", key)
            found[str(slot)] = said
    return found


def _inside(words: SlotWords | None, value: object, path: tuple[object, ...], report: Report) -> object:
    if not isinstance(value, list | tuple):
        return value
    return [numbered(words, entry, (*path, k), report) for k, entry in enumerate(value)]


_NUMBERED: Mapping[Way, Callable[[SlotWords | None, Any, tuple[object, ...], Report], object]] = {
    "one": _one,
    "many": _many,
    "keys": _keys,
    "inside": _inside,
}


def worded(words: SlotWords, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as it is written, with words in place of numbers: the inverse of `numbered`."""
    changed = dict(entry)
    for name, way in FIELDS.items():
        value = entry.get(name)
        if value is None:
            continue
        if way == "one":
            changed[name] = words.written([value])[0]
        elif way == "many":
            changed[name] = words.written(value)
        elif way == "keys":
            changed[name] = {words.written([int(slot)])[0]: said for slot, said in value.items()}
        else:
            changed[name] = [worded(words, each) for each in value]
    return changed
