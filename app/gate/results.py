"""
A stored result as clients read it: JSON, or one of the files that people download. Blocking, for a reader process.

Opening and encoding the result of a large job holds the interpreter for long, so the service itself never does it: it
hands the packed bytes on as they lie in the store, and gets the bytes of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from app.errors import FormatNotAvailable, NoResult
from app.jobs import effective_dataset
from app.messages import unpack
from app.views import View, account_view, result_view, variant_view
from solver.formats import dump_csv, dump_sln, dump_solution, load_dataset, load_result
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
    # The answer to a .tim problem: a line `slot room` per event.
    "tim": FileFormat(dump_sln, "text/plain", "sln"),
}
FORMATS = ("json", *FILE_FORMATS)


def open_result(dataset: bytes, result: bytes, rules: Mapping[str, Any]) -> Opened:
    """Unpacks a result and its dataset, to which the `rules` of the request are added."""
    return Opened(load_dataset(effective_dataset(unpack(dataset), rules)), load_result(unpack(result)))


def check_format(name: str) -> None:
    """Raises `FormatNotAvailable` for a format that we do not write."""
    if name not in FORMATS:
        raise FormatNotAvailable(
            f"Results are not available as {name[:40]!r}, only as {', '.join(FORMATS)}.", members={"formats": FORMATS}
        )


def all_variants(opened: Opened, entries: bool) -> View:
    return result_view(opened.dataset, opened.result, entries=entries)


def one_variant(opened: Opened, n: int) -> View:
    """Raises `NoResult` when there is no variant `n`, counted from 1."""
    _check_number(opened.result, n)
    return variant_view(opened.dataset, opened.result, n)


def as_file(opened: Opened, n: int, format: str) -> str:
    """Variant `n` as the text of a file. Raises `NoResult` when there is none."""
    _check_number(opened.result, n)
    return FILE_FORMATS[format].write(opened.dataset, opened.result.variants[n - 1].timetable)


def account(opened: Opened) -> View:
    return account_view(opened.dataset, opened.result)


def _check_number(result: Result, n: int) -> None:
    if not 1 <= n <= len(result.variants):
        raise NoResult(f"There is no variant {n}; the job has variants 1 to {len(result.variants)}.")
