"""Files that people have instead of those we read: known by how they begin, and named with what to do about them."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import BinaryIO

from solver.errors import Issue

MAX_BEGINNING = 2000
"""Bytes that tell the kind of a file, or that it is an archive, which tells it by what it holds."""
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_EXCEL, _CALC = "an Excel workbook", "an OpenDocument spreadsheet"
SAVE_AS_CSV = (
    "workbooks are not read yet; save each sheet as CSV UTF-8 (students.csv, subjects.csv, faculty.csv, "
    "classrooms.csv, ...) and pack these files into one zip file"
)
_MEMBERS: Mapping[str, str] = {
    "xl/workbook.xml": _EXCEL,
    "xl/workbook.bin": _EXCEL,
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint file",
    "Index/Document.iwa": "a Numbers workbook",
}
"""What an archive is that has this member."""
_MIMETYPES: Mapping[bytes, str] = {
    b"application/vnd.oasis.opendocument.spreadsheet": _CALC,
    b"application/vnd.oasis.opendocument.text": "an OpenDocument text",
}
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!|[A-Za-z])")
_ROOT = re.compile(rb"<([A-Za-z][\w.-]*)")
_ROOTS: Mapping[bytes, str] = {
    b"fet": "a dataset of FET",
    b"problem": "an ITC-2019 problem",
    b"solution": "an ITC-2019 answer",
    b"timetable": "a file of UniTime or aSc Timetables",
    b"html": "a web page",
}
"""What a file of XML is whose first element has this name."""
_OTHERS: Mapping[bytes, tuple[str, str]] = {
    _OLE: ("an old Excel workbook (.xls), or one with a password", SAVE_AS_CSV),
    b"%PDF-": ("a PDF file", "tables cannot be read from it; export them as CSV"),
    b"\x1f\x8b": ("a gzip file", "unpack it first, or pack the CSV files as zip"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "pack the CSV files as zip"),
    b"Rar!": ("a RAR archive", "pack the CSV files as zip"),
}


def foreign_issue(file: BinaryIO, name: str) -> Issue | None:
    """What a file is, where it is none of ours and people take it for one; None for everything else."""
    beginning = file.read(MAX_BEGINNING)
    kind, advice = next((told for mark, told in _OTHERS.items() if beginning.startswith(mark)), ("", ""))
    if beginning.startswith(_ZIP):
        kind, advice = _kind_of_archive(file), SAVE_AS_CSV
    elif _XML.match(beginning):
        root = _ROOT.search(beginning)
        kind = _ROOTS.get(root.group(1).lower(), "an XML file") if root else "an XML file"
        advice = "files of this kind are not read"
    if not kind:
        return None
    message = f"{name or 'this'} is {kind}: {advice}"
    return Issue(pointer="", code="workbook" if advice == SAVE_AS_CSV else "unknown_format", message=message)


def _kind_of_archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = frozenset(archive.namelist())
            mimetype = archive.open("mimetype").read(100) if "mimetype" in names else b""
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError):
        return ""  # what is wrong with the archive is said by whoever unpacks it
    found = next((kind for member, kind in _MEMBERS.items() if member in names), "")
    return found or _MIMETYPES.get(mimetype.strip(), "")
