"""
Weeks in words: "odd", "even", "first half", "second half", "3", "1-7", several of them behind commas or in a list.

A document that may say so is brought to numbers before the shapes of its courses are checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Report = Callable[[tuple[object, ...], str, str, object], None]
"""Takes path, code, message and value of what is wrong."""

MAX_WORD = 200
_RANGE = re.compile(r"([0-9]{1,3})(?:\s*-\s*([0-9]{1,3}))?")

WORDS: Mapping[str, Callable[[int], Iterable[int]]] = {
    "odd": lambda weeks: range(1, weeks + 1, 2),
    "even": lambda weeks: range(2, weeks + 1, 2),
    "first half": lambda weeks: range(1, (weeks + 1) // 2 + 1),
    "second half": lambda weeks: range((weeks + 1) // 2 + 1, weeks + 1),
}
"""Each word, and the weeks that it means in a term of so many; of an odd number the first half is the longer one."""


class UnknownWeeks(Exception):
    """A word that names no weeks; says what does."""


def weeks_of(word: str, weeks: int) -> set[int]:
    """The weeks that a word names, in a term of so many. Raises `UnknownWeeks`."""
    found: set[int] = set()
    for text in word[: MAX_WORD + 1].split(","):
        name = " ".join(text.split()).casefold()
        span = _RANGE.fullmatch(name)
        if name in WORDS:
            found |= {*WORDS[name](weeks)}
        elif span and len(word) <= MAX_WORD:
            first, last = int(span[1]), int(span[2] or span[1])
            if not 1 <= first <= last <= weeks:
                raise UnknownWeeks(f"the term has weeks 1 to {weeks}, not {name}")
            found |= {*range(first, last + 1)}
        else:
            raise UnknownWeeks(
                f'weeks are odd, even, first half, second half, or numbers like "1-7", got {name[:40]!r}'
            )
    return found


def weeks_numbered(weeks: int | None, entry: object, path: tuple[object, ...], report: Report) -> object:
    """
    A course of a document, or a part of one, with numbers in place of words for weeks.

    Parameters
    ----------
    weeks
        How many there are; None where that cannot be read, or where nobody says: then words are left out, and the model
        asks for the term.
    report
        Told every word that names no weeks; it is left out.
    """
    if not isinstance(entry, dict):
        return entry
    changed: dict[Any, Any] = dict(entry)
    if "weeks" in entry:
        changed["weeks"] = _numbers(weeks, entry["weeks"], (*path, "weeks"), report)
    parts = entry.get("parts")
    if isinstance(parts, list | tuple):
        changed["parts"] = [weeks_numbered(weeks, part, (*path, "parts", k), report) for k, part in enumerate(parts)]
    return changed


def _numbers(weeks: int | None, value: object, path: tuple[object, ...], report: Report) -> object:
    if isinstance(value, str):
        return _read(weeks, value, path, report)
    if not isinstance(value, list | tuple) or not any(isinstance(word, str) for word in value):
        return value
    found: set[int] = set()
    for k, word in enumerate(value):
        if isinstance(word, str):
            found |= {*_read(weeks, word, (*path, k), report)}
        elif isinstance(word, int) and not isinstance(word, bool):
            found.add(word)
        else:
            return value  # the shapes say what is wrong with it
    return sorted(found)


def _read(weeks: int | None, word: str, path: tuple[object, ...], report: Report) -> list[int]:
    if weeks is None:
        return [1]  # for the model to ask for the term
    try:
        return sorted(weeks_of(word, weeks))
    except UnknownWeeks as unknown:
        report(path, "bad_weeks", str(unknown), word)
        return [1]
