"""
What spreadsheets write under the name of CSV, as text: which letters its bytes stand for, and what separates its cells.

UTF-8 is tried first, and UTF-16 where its mark stands in front. Everything else is a code page of Windows, which a file
does not name: charset-normalizer says which ones make sense of the bytes. Where several do, as most do of a few Latin
names, the one whose letters are those of one language is taken. All files of a set are looked at together, because they
come from one machine, and because then the same name is the same text in each of them, whatever the page.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from solver.errors import InputError, Issue
from solver.formats.spelling import word

UTF_8 = "utf-8"
PAGES: Mapping[str, str] = {
    "cp1252": "Windows-1252, Western European",
    "cp1250": "Windows-1250, Central European",
    "cp1254": "Windows-1254, Turkish",
    "cp1257": "Windows-1257, Baltic",
    "cp1251": "Windows-1251, Cyrillic",
    "cp1253": "Windows-1253, Greek",
    "cp1255": "Windows-1255, Hebrew",
    "cp1256": "Windows-1256, Arabic",
    "cp874": "Windows-874, Thai",
    "cp932": "Windows-932, Japanese",
    "gb18030": "GB 18030, Chinese",
    "cp949": "Windows-949, Korean",
    "big5hkscs": "Big5, Chinese",
}
"""The code pages that are tried, by Python's name of them. Where nothing speaks against it, the first is taken."""
_LATIN: Mapping[str, tuple[str, ...]] = {
    "cp1252": (
        "áéíóúüñªº",
        "àâæçèéêëîïôœùûüÿ",
        "äöüß",
        "áâãàçéêíóôõú",
        "àèéìíîòóùú",
        "äéëïóöüè",
        "æøåé",
        "åäöé",
        "áðéíóúýþæö",
    ),
    "cp1250": ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "ăâîşţ", "čćđšž", "ëç"),
    "cp1254": ("çğıöşüâîû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž"),
}
"""The letters beyond ASCII of the languages that a page is used for, in lower case."""
MAX_SAMPLE = 64 << 10
"""Bytes that are looked at to find a page: lines with letters beyond ASCII, of all files."""
AROUND = 4000
"""Bytes around a letter that are taken of a long line."""
MAX_DISORDER = 0.5
"""Of names and ids in cells: more than the library expects of prose."""
MAX_DOUBT = 0.1
"""How much more disorder than in the best page may be found in one that is considered too."""
SEPARATORS = (",", ";", "\t", "|")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEP_LINE = re.compile(r"\s*\"?sep=(\t|[^\w\s\"])\"?\r?\n", re.IGNORECASE)
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_HIGH = bytes(range(128, 256))
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_MIXED = re.compile(rb"[a-z][\x80-\xff]|[\x80-\xff][a-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvText:
    """A file as text; `page` is a key of `PAGES`, or the encoding of Unicode that it has."""

    text: str
    page: str = UTF_8


def decoded(files: Mapping[str, bytes]) -> dict[str, CsvText]:
    """
    The texts of the files of a set, by the names of the files.

    Raises
    ------
    InputError
        With file and line: what is neither Unicode nor any code page, or UTF-8 with damage in it.
    """
    found: dict[str, CsvText] = {}
    others: dict[str, UnicodeDecodeError] = {}
    for name, data in files.items():
        encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), UTF_8)
        try:
            found[name] = CsvText(text=data.decode(encoding), page=encoding.removesuffix("-sig"))
        except UnicodeDecodeError as error:
            if encoding != UTF_8 or _is_damaged(data):
                raise _refusal(name, data, error) from error
            others[name] = error
        else:
            if "\0" in found[name].text:
                raise _refusal(name, data, UnicodeDecodeError(UTF_8, data, data.index(0), data.index(0) + 1, "a zero"))
    page = _page_of([files[name] for name in others]) if others else None
    for name, fault in others.items():
        if page is None:
            raise _refusal(name, files[name], fault) from fault
        found[name] = CsvText(text=files[name].decode(page), page=page)
    return {name: found[name] for name in files}


def _is_damaged(data: bytes) -> bool:
    """No text at all, or more bytes of whole UTF-8 characters than others: it was UTF-8 and has come to harm."""
    if _CONTROLS.search(data):
        return True
    plain = len(data.translate(None, _HIGH))
    whole = len(data.decode(UTF_8, "ignore").encode()) - plain
    return 2 * whole > len(data) - plain


def _refusal(name: str, data: bytes, error: UnicodeDecodeError) -> InputError:
    line = data.count(b"\n", 0, error.start) + 1
    message = (
        f"{name} is no UTF-8 text in line {line} ({error.reason} at byte {error.start}), and no code page of Windows "
        "fits it; save it as CSV UTF-8"
    )
    return InputError([Issue(pointer=f"/{Path(name).stem}", code="bad_utf8", message=message)])


def _page_of(contents: Collection[bytes]) -> str | None:
    """The code page of some files; None where none makes sense of all of them."""
    sample = _sample(contents)
    return next((page for page in _ranked(sample) if all(_fits(data, page) for data in contents)), None)


def _ranked(sample: bytes) -> list[str]:
    """The pages that make sense of some lines, the likeliest first."""
    from charset_normalizer import from_bytes  # takes a tenth of a second, which files in Unicode do not need

    matches = list(from_bytes(sample, cp_isolation=list(PAGES), threshold=MAX_DISORDER))
    least = min((match.chaos for match in matches), default=0.0)
    good = [page for match in matches if match.chaos <= least + MAX_DOUBT for page in match.could_be_from_charset]
    usable = [page for page in good if page in PAGES]
    latin = [page for page in _LATIN if page in usable]
    if not latin or not (usable[0] in _LATIN or _is_within_ascii(sample)):
        return usable
    latin.sort(key=lambda page: -_likeness(sample.decode(page, "ignore"), page))
    return [*latin, *(page for page in usable if page not in latin)]


def _sample(contents: Collection[bytes]) -> bytes:
    """Lines that tell something, each once, or as much of them as stands around it."""
    lines: dict[bytes, None] = {}
    size = 0
    for data in contents:
        at = 0
        while size < MAX_SAMPLE and (found := _BEYOND_ASCII.search(data, at)):
            begin = max(data.rfind(b"\n", at, found.start()) + 1, found.start() - AROUND, at)
            end = data.find(b"\n", found.start(), found.start() + AROUND)
            at = found.start() + AROUND if end < 0 else end
            size += 0 if data[begin:at] in lines else at - begin
            lines[data[begin:at]] = None
    return b"\n".join(lines)


def _fits(data: bytes, page: str) -> bool:
    try:
        data.decode(page)
    except UnicodeDecodeError:
        return False
    return True


def _is_within_ascii(sample: bytes) -> bool:
    """Whether letters beyond ASCII stand within words of ASCII, as they do in Latin script only."""
    return 2 * len(_MIXED.findall(sample)) > len(_BEYOND_ASCII.findall(sample))


def _likeness(text: str, page: str) -> float:
    """The share of the letters beyond ASCII that one language of the page has, the one that fits best."""
    letters = [letter for letter in text.lower() if letter.isalpha() and not letter.isascii()]
    return max(sum(letter in alphabet for letter in letters) for alphabet in _LATIN[page]) / max(len(letters), 1)


# --- cells ------------------------------------------------------------------------------------------------------------


def separator_of(text: str, columns: Collection[str]) -> tuple[str, int]:
    """
    What separates the cells, and how many lines stand before the header.

    The separator under which the header has most of the wanted columns, the comma where nothing speaks for another one.
    A first line `sep=;`, which Excel understands, says it outright.
    """
    lines = text[:MAX_SAMPLE].splitlines(keepends=True)
    said = _SEP_LINE.fullmatch(lines[0]) if lines else None
    if said is not None:
        return said.group(1), 1
    header = next((line for line in lines if line.strip(' \t\r\n,;|"')), "")
    return max(SEPARATORS, key=lambda separator: _recognised(header, separator, columns)), 0


def _recognised(header: str, separator: str, columns: Collection[str]) -> int:
    cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=separator), [])
    return len({word(cell) for cell in cells}.intersection(columns))
