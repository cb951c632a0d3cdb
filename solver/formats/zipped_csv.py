"""
The platform's CSV set as one zip file.

An archive says what it likes about itself, so nothing of it is believed: what comes out is counted while it comes out,
names lead nowhere (folders in them are ignored, nothing is written), and what is no CSV file is not opened.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import NoReturn

from solver.errors import InputError, Issue
from solver.formats.foreign import SAVE_AS_CSV, foreign_issue
from solver.formats.platform_csv import UNNAMED, Imported, load_platform_csv
from solver.formats.platform_rows import NAMES, SUFFIXES, set_members

MAX_MEMBERS = 100
MAX_UNPACKED = 32 << 20
"""Bytes of all files together."""
MAX_RATIO = 100
"""A file may be so many times as large as it is packed; tables of names are packed to a tenth."""
SMALL = 64 << 10
"""Bytes that a file may have whatever its ratio: a column of equal cells packs well."""
ENCRYPTED = 0x1
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers")
BEGINNING = b"PK"


def load_zipped_csv(data: bytes, name: str = UNNAMED) -> Imported:
    """
    Reads a CSV set from the bytes of a zip file; `name` is that of its dataset.

    Raises
    ------
    InputError
        The file is no zip file, more than we are ready to unpack, a workbook, or its CSV set cannot be used.
    """
    other = foreign_issue(io.BytesIO(data), "")
    if other is not None:
        raise InputError([other])
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _files(archive)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise InputError(
            [Issue(pointer="", code="bad_zip", message="this is not a zip file, or a damaged one")]
        ) from error
    return load_platform_csv(files, name)


def _files(archive: zipfile.ZipFile) -> dict[str, bytes]:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        _refuse("too_large", f"the zip file has {len(members)} entries, at most {MAX_MEMBERS} are accepted")
    tables: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        path = PurePosixPath(member.filename)
        # Some systems put a shadow `._name` of each file into an archive.
        is_table = path.suffix.lower() in SUFFIXES and path.stem.lower() in NAMES and not path.name.startswith(".")
        if member.is_dir() or not is_table:
            continue
        if path.name.lower() in tables:
            _refuse("duplicate", f"the zip file has {path.name!r} twice, maybe in two folders", path.name)
        tables[path.name.lower()] = member
    if not tables:
        _refuse_without_tables(archive)
    left = MAX_UNPACKED
    files: dict[str, bytes] = {}
    for name in set_members(list(tables)):
        files[name] = _unpacked(archive, tables[name], PurePosixPath(tables[name].filename).name, left)
        left -= len(files[name])
    return files


def _refuse_without_tables(archive: zipfile.ZipFile) -> None:
    """Raises `InputError` where workbooks or other zip files were packed instead of CSV files."""
    for member in archive.infolist():
        suffix = PurePosixPath(member.filename).suffix.lower()
        if suffix in WORKBOOKS:
            name = PurePosixPath(member.filename).name
            _refuse("workbook", f"the zip file holds {name!r}, {SAVE_AS_CSV}", name)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, left: int) -> bytes:
    if member.flag_bits & ENCRYPTED:
        _refuse("bad_zip", f"{name!r} is encrypted", name)
    most = min(left, max(SMALL, MAX_RATIO * member.compress_size))
    with archive.open(member) as file:
        content = file.read(most + 1)
    if len(content) > most:
        _refuse("too_large", f"{name!r} unpacks to more than {most} bytes, which are accepted at most", name)
    return content


def _refuse(code: str, message: str, value: object = None) -> NoReturn:
    raise InputError([Issue(pointer="", code=code, message=message, value=value)])
