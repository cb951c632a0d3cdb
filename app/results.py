"""A stored result as objects, and as one of the files that people download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.errors import FormatNotAvailable, NoResult
from app.supervisor import StoredResult
from solver.formats import dump_csv, dump_solution, load_dataset, load_result
from solver.model import Dataset, Timetable
from solver.result import Result


class Opened(NamedTuple):
    """A result with the original dataset that it was verified against."""

    dataset: Dataset
    result: Result


class FileFormat(NamedTuple):
    """How a variant is written as a file."""

    write: Callable[[Dataset, Timetable], str]
    media_type: str
    suffix: str


FILE_FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat(dump_csv, "text/csv", "csv"),
    # The answer to a .ctt problem: a line `course room day period` per lecture, as the competition's validator wants.
    "ctt": FileFormat(dump_solution, "text/plain", "sol"),
}
FORMATS = ("json", *FILE_FORMATS)


def open_result(stored: StoredResult) -> Opened:
    """Unpacks a stored result. Takes up to seconds for the largest, so call it off the event loop."""
    return Opened(load_dataset(stored.dataset), load_result(stored.result))


def check_format(name: str) -> None:
    """Raises `FormatNotAvailable` for a format that we do not write."""
    if name not in FORMATS:
        raise FormatNotAvailable(
            f"Results are not available as {name[:40]!r}, only as {', '.join(FORMATS)}.", members={"formats": FORMATS}
        )


def check_number(result: Result, n: int) -> None:
    """Raises `NoResult` when there is no variant `n`, counted from 1."""
    if not 1 <= n <= len(result.variants):
        raise NoResult(f"There is no variant {n}; the job has variants 1 to {len(result.variants)}.")
