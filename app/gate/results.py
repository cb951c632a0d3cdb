"""
A stored result as clients read it: JSON, or one of the files that people download. Blocking, for a reader process.

Opening and encoding the result of a large job holds the interpreter for long, so the service itself never does it: it
hands the packed bytes on as they lie in the store, and gets the bytes of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.errors import FormatNotAvailable, NoResult
from app.jobs import effective_dataset
from app.messages import unpack
from app.views import View, account_view, result_view, variant_view
from solver.formats import EXPORTS, export, load_dataset, load_result, read_wanted
from solver.formats.exports import FIELDS
from solver.formats.meetings import part_of
from solver.model import Dataset
from solver.result import Result


class Opened(NamedTuple):
    """A result with the original dataset that it was verified against."""

    dataset: Dataset
    result: Result


FORMATS = ("json", *EXPORTS)


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


def one_variant(opened: Opened, n: int, asked: Mapping[str, Any]) -> View:
    """
    Variant `n`, counted from 1; its entries are those of the group, teacher, room or student in `asked`, if any.

    Raises
    ------
    NoResult
        There is no variant `n`.
    InputError
        The dataset does not know whom `asked` names.
    """
    _check_number(opened.result, n)
    wanted = read_wanted("json", _fields(asked))
    shown = part_of(opened.dataset, opened.result.variants[n - 1].timetable, wanted.of)
    return variant_view(opened.dataset, opened.result, n, shown)


def as_file(opened: Opened, n: int, format: str, asked: Mapping[str, Any]) -> bytes:
    """
    Variant `n` as the bytes of a file, see `solver.formats.exports` for what may be `asked`.

    `asked["stamp"]` is when the job ended, in whole seconds since 1970. Raises what `one_variant` raises.
    """
    _check_number(opened.result, n)
    wanted = read_wanted(format, _fields(asked), datetime.fromtimestamp(asked.get("stamp", 0), UTC))
    return export(opened.dataset, opened.result.variants[n - 1].timetable, format, wanted)


def _fields(asked: Mapping[str, Any]) -> dict[str, str]:
    return {name: asked[name] for name in FIELDS if name in asked}


def account(opened: Opened) -> View:
    return account_view(opened.dataset, opened.result)


def _check_number(result: Result, n: int) -> None:
    if not 1 <= n <= len(result.variants):
        raise NoResult(f"There is no variant {n}; the job has variants 1 to {len(result.variants)}.")
