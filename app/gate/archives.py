"""A zip of CSV files, as a browser sends it: unpacked in memory, never to a path that it names or beyond a bound."""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
import zlib
from pathlib import PurePosixPath

from solver.errors import InputError, Issue

MAX_FILES = 50
MAX_UNPACKED_BYTES = 64 << 20
"""All files together; a small archive may pretend to hold gigabytes, or hold them."""
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)
"""What the standard library raises for archives that are damaged, encrypted or packed in an unusual way."""


def csv_texts(content: str) -> dict[str, str]:
    """
    File name to text of every `.csv` in a base64 zip; folders and other files in it are passed over.

    Raises
    ------
    InputError
        It is no such thing, or holds too much.
    """
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("not_base64", "content of format csv must be a zip file in base64") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _texts_of(archive)
    except _BROKEN as error:
        raise _refusal("not_a_zip", f"the zip file cannot be read: {error}") from error


def _texts_of(archive: zipfile.ZipFile) -> dict[str, str]:
    members = [member for member in archive.infolist() if _is_csv(member)]
    if not members:
        raise _refusal("empty", "the zip file holds no .csv file")
    if len(members) > MAX_FILES:
        raise _refusal("too_large", f"the zip file holds {len(members)} .csv files, at most {MAX_FILES} are read")
    texts: dict[str, str] = {}
    left = MAX_UNPACKED_BYTES
    for member in members:
        with archive.open(member) as stream:
            data = stream.read(left + 1)
        left -= len(data)
        if left < 0:
            raise _refusal("too_large", f"the zip file unpacks to more than {MAX_UNPACKED_BYTES} bytes")
        name = PurePosixPath(member.filename).name
        try:
            texts[name] = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _refusal("bad_utf8", f"{name} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    return texts


def _is_csv(member: zipfile.ZipInfo) -> bool:
    # A Mac adds a shadow of every file, in a folder of this name.
    return member.filename.lower().endswith(".csv") and not member.filename.startswith("__MACOSX/")


def _refusal(code: str, message: str) -> InputError:
    return InputError([Issue(pointer="", code=code, message=message)])
