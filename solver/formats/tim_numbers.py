"""
The numbers of a `.tim` file, cut into its six tables, every fault with its line and with what the number stands for.

The file is nothing but whole numbers between white space, one to a line as a rule. Only their form is looked at here;
what they mean to the model is `tim.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError, Issue
from solver.formats.entries import MAX_ENTRIES
from solver.formats.issues import MAX_COUNTED_ISSUES, MAX_TEXT, raise_if_any, refuse_long
from solver.formats.shapes import MAX_STUDENTS
from solver.terms import MAX_NUMBER

Numbers: TypeAlias = NDArray[np.int64]

DAYS, PERIODS = 5, 9
HEADER = {"events": (1, MAX_ENTRIES), "rooms": (1, MAX_ENTRIES), "features": (0, 1000), "students": (0, MAX_STUDENTS)}
"""What the first four numbers count, with the least that makes a problem and the most that is accepted."""
_NUMBER = re.compile(r"-?[0-9]{1,9}")


class Block(NamedTuple):
    """A table of the file: what the number in row {i}, column {j} says, what the header calls its size, its range."""

    says: str
    rows: str
    columns: str
    least: int
    most: int


BLOCKS: Mapping[str, Block] = {
    "capacity": Block("the size of room {i}", "rooms", "one", 0, MAX_NUMBER),
    "attends": Block("whether student {i} attends event {j}", "students", "events", 0, 1),
    "offers": Block("whether room {i} has feature {j}", "rooms", "features", 0, 1),
    "wants": Block("whether event {i} needs feature {j}", "events", "features", 0, 1),
    "open": Block("whether event {i} may be in slot {j}", "events", "slots", 0, 1),
    "order": Block("the order of events {i} and {j}", "events", "events", -1, 1),
}
"""In the order of the file."""
ADDED_IN_2007 = ("open", "order")
"""The blocks at the end, which the competition of 2002 had not: there every slot was open and no order given."""


def tables(text: str) -> dict[str, Numbers]:
    """
    ``(rows, columns)`` per block of `BLOCKS`.

    Raises
    ------
    InputError
        With every problem; pointers are `/line/<n>`, counted from 1.
    """
    refuse_long(text)
    text = text.removeprefix("\ufeff")
    words = text.split()
    lines = _Lines(text)
    raise_if_any(_form_issues(words, lines))
    sizes = _sizes(words)
    shapes = {key: (sizes[block.rows], sizes[block.columns]) for key, block in BLOCKS.items()}
    numbers = {key: rows * columns for key, (rows, columns) in shapes.items()}
    wanted = len(HEADER) + sum(numbers.values())
    of_2002 = wanted - sum(numbers[key] for key in ADDED_IN_2007)
    if len(words) not in (wanted, of_2002):
        message = (
            f"by its first line the file has {wanted} numbers, it has {len(words)}; "
            f"in the layout of the competition of 2002 it would have {of_2002}"
        )
        raise InputError([Issue(pointer="/line/1", code="wrong_count", message=message, value=len(words))])
    present = {key: shape for key, shape in shapes.items() if len(words) == wanted or key not in ADDED_IN_2007}
    found = _cut(np.array(words, dtype=np.int64), present)
    if len(words) != wanted:
        found |= {"open": np.ones(shapes["open"], np.int64), "order": np.zeros(shapes["order"], np.int64)}
    raise_if_any(_content_issues(found, lines))
    return found


class _Lines:
    """Where the words of a text stand; worked out only for a text with a fault."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends: Numbers | None = None

    def of(self, word: int) -> int:
        """The line of a word; the last line for words behind the end."""
        if self.ends is None:
            self.ends = np.cumsum([len(line.split()) for line in self.text.split("\n")])
        return min(int(np.searchsorted(self.ends, word, side="right")) + 1, len(self.ends))

    def issue(self, word: int, code: str, message: str, value: object) -> Issue:
        return Issue(pointer=f"/line/{self.of(word)}", code=code, message=message, value=value)


def _form_issues(words: Sequence[str], lines: _Lines) -> Iterator[Issue]:
    """Words that are no numbers, and sizes that are missing or make no problem."""
    wrong = (k for k, word in enumerate(words) if not _NUMBER.fullmatch(word))
    bad = list(islice(wrong, MAX_COUNTED_ISSUES))
    for k in bad:
        yield lines.issue(k, "wrong_type", f"a whole number was expected, got {words[k][:MAX_TEXT]!r}", words[k])
    for k, (name, (least, most)) in enumerate(HEADER.items()):
        if k >= len(words):
            yield lines.issue(k, "missing", f"the file ends before the number of {name}", None)
        elif k not in bad and int(words[k]) < least:
            message = f"the number of {name} must be at least {least}, got {words[k]}"
            yield lines.issue(k, "out_of_range", message, int(words[k]))
        elif k not in bad and int(words[k]) > most:
            message = f"the number of {name} is {words[k]}, at most {most} are accepted"
            yield lines.issue(k, "too_large", message, int(words[k]))


def _sizes(words: Sequence[str]) -> dict[str, int]:
    header = {name: int(word) for name, word in zip(HEADER, words, strict=False)}
    return {**header, "one": 1, "slots": DAYS * PERIODS}


def _cut(numbers: Numbers, shapes: Mapping[str, tuple[int, int]]) -> dict[str, Numbers]:
    found, start = {}, len(HEADER)
    for key, (rows, columns) in shapes.items():
        end = start + rows * columns
        found[key] = numbers[start:end].reshape(rows, columns)
        start = end
    return found


def _content_issues(found: Mapping[str, Numbers], lines: _Lines) -> Iterator[Issue]:
    """Numbers out of the range of their table, and orders that only one of the two events knows of."""
    start = len(HEADER)
    for key, table in found.items():
        block = BLOCKS[key]
        for i, j in _places((table < block.least) | (table > block.most)):
            value = int(table[i, j])
            message = f"{block.says.format(i=i, j=j)} must be {_range(block)}, got {value}"
            yield lines.issue(start + i * table.shape[1] + j, "out_of_range", message, value)
        start += table.size
    order = found["order"]
    start -= order.size
    for i, j in _places(np.triu(order != -order.T)):
        message = (
            f"event {i} is to event {j} as {int(order[i, j])}, but event {j} to event {i} as {int(order[j, i])}: "
            "1 (before) and -1 (after) go together"
        )
        yield lines.issue(start + i * len(order) + j, "contradiction", message, int(order[i, j]))


def _places(wrong: NDArray[np.bool_]) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in np.argwhere(wrong)[:MAX_COUNTED_ISSUES]]


def _range(block: Block) -> str:
    few = block.most - block.least < 3
    return " or ".join(map(str, range(block.least, block.most + 1))) if few else f"{block.least} to {block.most}"
