"""
The lines of a `.ctt` file, sorted into header and sections, every fault with the number of its line.

Only the form is looked at here: which columns a row has, and numbers where numbers belong. What ids mean is `ctt.py`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from solver.errors import Issue
from solver.formats.issues import MAX_COUNTED_ISSUES, MAX_TEXT, raise_if_any, refuse_long
from solver.terms import MAX_SLOTS_PER_DAY, WEEK_DAYS

MAX_DIGITS = 9
END = "END."
NAME = "Name"
SIZES = {"Days": WEEK_DAYS, "Periods_per_day": MAX_SLOTS_PER_DAY}
"""Header fields that nothing can be understood without, with the largest value that can be used."""


class Section(NamedTuple):
    """`announced_by` is the header field with the number of rows; a last column `members` takes any number of words."""

    announced_by: str
    columns: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether a row may go on with any number of words."""
        return self.columns[-1] == "members"

    @property
    def numbers(self) -> tuple[tuple[int, str], ...]:
        """The columns of numbers, each with its position."""
        return _NUMBER_COLUMNS[self.announced_by]


SECTIONS: Mapping[str, Section] = {
    "COURSES": Section("Courses", ("course", "teacher", "lectures", "min_days", "students")),
    "ROOMS": Section("Rooms", ("room", "capacity")),
    "CURRICULA": Section("Curricula", ("curriculum", "courses", "members")),
    "UNAVAILABILITY_CONSTRAINTS": Section("Constraints", ("course", "day", "period")),
}
NUMBERS = frozenset({"lectures", "min_days", "students", "capacity", "courses", "day", "period"})
_NUMBER_COLUMNS = {
    section.announced_by: tuple((k, column) for k, column in enumerate(section.columns) if column in NUMBERS)
    for section in SECTIONS.values()
}
HEADER = (NAME, *SIZES, *(section.announced_by for section in SECTIONS.values()))


class Row(NamedTuple):
    """The words of a line, counted from 1."""

    line: int
    words: tuple[str, ...]

    def number(self, column: int) -> int:
        """The whole number in a column, from 0. Raises `ValueError` when there is another word."""
        return int(self.words[column])


@dataclass
class Rows:
    """A file taken apart. Rows with a fault are counted and reported, but not kept."""

    header: dict[str, Row] = field(default_factory=dict)
    sections: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    found: Counter[str] = field(default_factory=Counter)
    issues: list[Issue] = field(default_factory=list)

    def report(self, line: int, code: str, message: str, value: object = None) -> None:
        """Raises InputError once there are more issues than anybody counts: reading on could take seconds."""
        self.issues.append(Issue(pointer=f"/line/{line}", code=code, message=message, value=value))
        if len(self.issues) > MAX_COUNTED_ISSUES:
            raise_if_any(self.issues)

    def is_whole(self, section: str) -> bool:
        """Whether every row of the section could be read."""
        return len(self.sections[section]) == self.found[section]


def lines(text: str) -> Iterator[Row]:
    """
    The words of every line that has any.

    Raises
    ------
    InputError
        The text is absurdly long.
    """
    refuse_long(text)
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        words = tuple(line.split())
        if words:
            yield Row(number, words)


def is_number(word: str) -> bool:
    """Whether a word is a whole number from 0 of a size that anybody could mean."""
    return word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS


def scan(text: str) -> Rows:
    """Takes a file apart; `issues` of the answer says what is wrong with its form."""
    rows = Rows()
    section: str | None = None
    for row in lines(text):
        first = row.words[0]
        if first == END:
            break
        if first.removesuffix(":") in SECTIONS and first.endswith(":") and len(row.words) == 1:
            section = first.removesuffix(":")
        elif section is None:
            _read_header(rows, row)
        else:
            rows.found[section] += 1
            if _is_sound(rows, section, row):
                rows.sections[section].append(row)
    _check_header(rows)
    return rows


def _read_header(rows: Rows, row: Row) -> None:
    key, _, rest = " ".join(row.words).partition(":")
    words = tuple(rest.split())
    if key not in HEADER:
        rows.report(row.line, "unknown_field", f"no header field or section is called {key[:MAX_TEXT]!r}", key)
        return
    if key in rows.header:
        rows.report(row.line, "duplicate", f"{key} stands in the header twice", key)
        return
    rows.header[key] = Row(row.line, words)


def _is_sound(rows: Rows, name: str, row: Row) -> bool:
    """Whether a row has its columns, with numbers where they belong; reports it otherwise."""
    section = SECTIONS[name]
    wanted = len(section.columns) - section.is_open
    if len(row.words) < wanted or (len(row.words) > wanted and not section.is_open):
        least = "at least " if section.is_open else ""
        message = f"a row of {name} has {least}{wanted} columns, this one has {len(row.words)}"
        rows.report(row.line, "wrong_count", message, " ".join(row.words))
        return False
    wrong = [(column, row.words[k]) for k, column in section.numbers if not is_number(row.words[k])]
    for column, word in wrong:
        rows.report(row.line, "wrong_type", f"{column} must be a whole number, got {word[:MAX_TEXT]!r}", word)
    return not wrong


def _check_header(rows: Rows) -> None:
    """Numbers are numbers, sizes are possible, and the sections have as many rows as announced."""
    last = max((row.line for row in rows.header.values()), default=1)
    for key in SIZES:
        if key not in rows.header:
            rows.report(last, "missing", f"the header has no {key}")
    for key, row in rows.header.items():
        text = " ".join(row.words)
        if key == NAME:
            continue
        if not is_number(text):
            rows.report(row.line, "wrong_type", f"{key} must be a whole number, got {text[:MAX_TEXT]!r}", text)
        elif key in SIZES and not 1 <= int(text) <= SIZES[key]:
            rows.report(row.line, "out_of_range", f"{key} must be 1 to {SIZES[key]}, got {text}", int(text))
    _check_counts(rows)


def _check_counts(rows: Rows) -> None:
    """By this a file that was cut off is noticed."""
    for name, section in SECTIONS.items():
        stated = rows.header.get(section.announced_by)
        if stated is None or len(stated.words) != 1 or not is_number(stated.words[0]):
            continue
        if stated.number(0) != rows.found[name]:
            message = f"{section.announced_by} is {stated.words[0]}, but section {name} has {rows.found[name]} rows"
            rows.report(stated.line, "wrong_count", message, stated.number(0))


def grid_size(rows: Rows) -> tuple[int, int] | None:
    """Days and periods per day, None where the header does not say them or says what cannot be."""
    sizes = []
    for key, most in SIZES.items():
        row = rows.header.get(key)
        if row is None or len(row.words) != 1 or not is_number(row.words[0]) or not 1 <= row.number(0) <= most:
            return None
        sizes.append(row.number(0))
    return sizes[0], sizes[1]
