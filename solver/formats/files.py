"""Files by their suffix: which kinds we read and write, and who does it."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from solver.errors import InputError, Issue
from solver.formats.answers import dump_result, load_timetable
from solver.formats.ctt import load_ctt, load_solution
from solver.formats.exports import EXPORTS, check_wanted, export, read_wanted
from solver.formats.foreign import foreign_issue
from solver.formats.json_text import MAX_BYTES
from solver.formats.native import load_dataset
from solver.formats.platform_csv import Imported, load_platform_csv
from solver.formats.platform_rows import NAMES, SUFFIXES
from solver.formats.sln import load_sln
from solver.formats.tim import load_tim
from solver.formats.zipped_csv import BEGINNING, load_zipped_csv
from solver.model import Dataset, Timetable
from solver.result import Result

READABLE = (".json", ".ctt", ".tim", "a folder of .csv", ".zip of such a folder")
"""What `read_source` and `read_dataset` read."""
Writer = Callable[[Dataset, Result], None]
Account = dict[str, Any]


def read_dataset(path: Path | str) -> Dataset:
    """The dataset of `read_source`, for callers who can do nothing with the account of what was mended."""
    return read_source(path).dataset


def read_source(path: Path | str) -> Imported:
    """
    The dataset of a file, by its suffix; where that says nothing, by how its text begins. A folder is a CSV set.

    A CSV set comes with the rows that were mended or could not be used; pass them on to whoever brought the data.

    Raises
    ------
    InputError
        The content cannot be used, or the kind of file is unknown.
    OSError
        The file cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return load_platform_csv(path, path.resolve().name)
    suffix = path.suffix.lower()
    data = read_bytes(path)
    other = foreign_issue(io.BytesIO(data), path.name)
    if other is not None:
        raise InputError([other])
    kind = suffix if suffix in _READERS else _kind_by_beginning(data)
    if kind is None:
        raise _refusal("unknown_format", _unknown(path), suffix)
    return _READERS[kind](data, path.stem)


def _unknown(path: Path) -> str:
    """What a file is that cannot be read as a dataset, where its suffix tells more than that."""
    suffix = path.suffix.lower()
    if suffix in _ANSWER_READERS:
        return f"{path.name} is the answer to a problem; the problem itself is wanted here, a .ctt, .tim or .json file"
    if suffix in SUFFIXES and path.stem.lower() in NAMES:
        return f"{path.name} is one table of a CSV set; give the folder that holds all of them, or a zip file of it"
    return f"{path.name} is none of the kinds that can be read: {', '.join(READABLE)}"


_READERS: Mapping[str, Callable[[bytes, str], Imported]] = {
    ".json": lambda data, name: Imported(dataset=load_dataset(data)),
    ".ctt": lambda data, name: Imported(dataset=load_ctt(_text(data))),
    # The last two have no name in them.
    ".tim": lambda data, name: Imported(dataset=load_tim(_text(data), name)),
    ".zip": load_zipped_csv,
}
_BEGINNINGS: Mapping[str, re.Pattern[bytes]] = {
    ".json": re.compile(rb"\s*\{"),
    ".ctt": re.compile(rb"\s*Name:"),
    ".tim": re.compile(rb"\s*(?:\d+[ \t]+){3}\d+\s"),
    ".zip": re.compile(re.escape(BEGINNING)),
}


def _kind_by_beginning(data: bytes) -> str | None:
    start = data.removeprefix(b"\xef\xbb\xbf")
    return next((kind for kind, pattern in _BEGINNINGS.items() if pattern.match(start)), None)


def read_timetable(path: Path, dataset: Dataset) -> Timetable:
    """
    The timetable of a `.json` file (native, or a whole result: its best variant), of a `.sol` or of a `.sln` file.

    Raises
    ------
    InputError
        The content cannot be used, or the kind of file is unknown.
    OSError
        The file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in _ANSWER_READERS:
        known = " or ".join(_ANSWER_READERS)
        raise _refusal("unknown_format", f"a timetable is read from {known}, not from {path.name}", suffix)
    return _ANSWER_READERS[suffix](read_bytes(path), dataset)


_ANSWER_READERS: Mapping[str, Callable[[bytes, Dataset], Timetable]] = {
    ".json": lambda data, dataset: load_timetable(data, dataset.time_grid),
    ".sol": lambda data, dataset: load_solution(_text(data), dataset),
    ".sln": lambda data, dataset: load_sln(_text(data), dataset),
}


def write_result(
    path: Path, format: str | None = None, source: Imported | None = None, asked: Mapping[str, str] | None = None
) -> Writer:
    """
    Checks at once, before hours of solving, that a result can be written to `path`, and returns what writes it.

    `format` is a suffix with or without its dot, None means that of `path`. Formats other than JSON hold the best
    variant only; JSON also holds, under `import`, what was mended in the `source`. `asked` is what an export is asked
    for, see `solver.formats.exports.FIELDS`; whom it names must be in the `source`.

    Raises
    ------
    InputError
        The format is unknown (`unknown_format`), the folder cannot be written to (`not_writable`), or `asked` is wrong.
    """
    if _suffix(path, format) != ".json":
        write_best = write_timetable(path, format, source.dataset if source else None, asked)
        return lambda dataset, result: write_best(dataset, result.best.timetable)
    _check_writable(path)
    if asked:
        name, value = next(iter(asked.items()))
        message = "a result is written to .json as a whole; parts of it are written in other formats"
        raise InputError([Issue(pointer=f"/{name}", code="not_applicable", message=message, value=value)])
    account = source.account() if source is not None and source.rows else None
    return lambda dataset, result: _write(path, _result_text(dataset, result, account).encode())


def write_timetable(
    path: Path, format: str | None = None, dataset: Dataset | None = None, asked: Mapping[str, str] | None = None
) -> Callable[[Dataset, Timetable], None]:
    """The same for one timetable, which is written in any format but JSON; whom `asked` names is in the `dataset`."""
    suffix = _suffix(path, format)
    if suffix not in _EXPORT_BY_SUFFIX:
        message = f"{suffix or path.name!r} is no format of timetables; they are written as {', '.join(WRITABLE)}"
        raise _refusal("unknown_format", message, suffix)
    _check_writable(path)
    kind = _EXPORT_BY_SUFFIX[suffix]
    wanted = read_wanted(kind, asked or {})
    check_wanted(dataset, kind, wanted)
    return lambda dataset, timetable: _write(path, export(dataset, timetable, kind, wanted))


def _suffix(path: Path, format: str | None) -> str:
    return path.suffix.lower() if format is None else f".{format.lower().removeprefix('.')}"


def _check_writable(path: Path) -> None:
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        message = f"{path} cannot be written: it is a folder, or its folder is missing or closed"
        raise _refusal("not_writable", message, str(path))


def _write(path: Path, data: bytes) -> None:
    # Bytes, because the line ends of CSV are part of its format on every system.
    path.write_bytes(data)


def _result_text(dataset: Dataset, result: Result, account: Account | None) -> str:
    imported = {} if account is None else {"import": account}
    return json.dumps({**dump_result(result), "dataset": dataset.name, **imported}, ensure_ascii=False) + "\n"


# The answers to .ctt and .tim problems are written under either name.
_EXPORT_BY_SUFFIX: Mapping[str, str] = {
    **{f".{row.suffix}": name for name, row in EXPORTS.items()},
    **{f".{name}": name for name in EXPORTS},
}
WRITABLE = (".json", *_EXPORT_BY_SUFFIX)
"""Suffixes that `write_result` writes."""


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that is not absurdly large."""
    size = path.stat().st_size

    if size > MAX_BYTES:
        raise _refusal("too_large", f"{path.name} has {size} bytes, at most {MAX_BYTES} are read", size)
    return path.read_bytes()


def _text(data: bytes) -> str:
    """UTF-8, or where that fails Latin-1: some of the competition's files have names with accents in it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _refusal(code: str, message: str, value: object) -> InputError:
    return InputError([Issue(pointer="", code=code, message=message, value=value)])
