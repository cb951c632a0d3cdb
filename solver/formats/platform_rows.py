"""
The rows of the platform's CSV set, and the account of what had to be mended in them.

Reading is lenient about form (byte order mark, code page, separator, line ends, blanks and capitals in the header),
silent about nothing else.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from solver.errors import InputError, Issue
from solver.formats.csv_text import PAGES, UTF_8, CsvText, decoded, separator_of
from solver.formats.foreign import foreign_issue
from solver.formats.spelling import word
from solver.names import listed
from solver.terms import MAX_ID_LENGTH

FILES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "departments": (("departments",), ("department_id", "department_name")),
    "courses": (("courses",), ("course_id", "course_name")),
    "subjects": (("subjects",), ("subject_id", "subject_name", "faculty_assigned")),
    "batches": (("batches",), ("batch_id",)),
    "students": (("students",), ("student_id", "electives")),
    "faculty": (("faculty", "faculty_100"), ("faculty_id",)),
    "classrooms": (("classrooms",), ("room_id", "capacity")),
    "labs": (("labs",), ("lab_id", "capacity")),
}
"""Table -> (file names without suffix, columns it cannot do without)."""
MANDATORY = ("subjects", "students", "faculty", "classrooms")
NAMES = frozenset(name for names, _ in FILES.values() for name in names)
SUFFIXES = (".csv", ".tsv", ".txt")
"""Of files with cells; where a table has several, the first of these is read."""
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}([.,'\u00a0\u202f ][0-9]{3}){1,3}")
_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNote:
    """
    What was done with one cell, or why its row cannot be used.

    `file` has no suffix; `line` counts from 1, the header is line 1. `code` is stable and names the kind of a warning
    or of a decision; other notes have none.
    """

    file: str
    line: int
    column: str
    value: str
    message: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One data row: cells by column, blanks around them removed; a missing cell is empty."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass
class Repairs:
    """
    What one import has reported so far.

    A *warning* is to be confirmed by people before anybody solves: the timetable will be another one than the data ask
    for. A *decision* is how the importer read what the data leave open. A *repair* mends one cell.
    """

    repairs: list[RowNote] = field(default_factory=list)
    unusable: list[RowNote] = field(default_factory=list)
    warnings: list[RowNote] = field(default_factory=list)
    decisions: list[RowNote] = field(default_factory=list)
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    def warned(self, row: Row, column: str, code: str, message: str) -> None:
        """Notes what people must confirm about a cell."""
        self.warnings.append(
            RowNote(file=row.file, line=row.line, column=column, value=row[column], message=message, code=code)
        )

    def decided(
        self,
        file: str,
        code: str,
        message: str,
        *,
        at: Row | None = None,
        column: str = "",
        line: int = 1,
        value: str = "",
    ) -> None:
        """Said once, at the first row or line that it concerns."""
        if (file, code, message) in self._told:
            return
        self._told.add((file, code, message))
        if at is not None:
            line, value = at.line, at[column]
        self.decisions.append(RowNote(file=file, line=line, column=column, value=value, message=message, code=code))

    def repaired(self, row: Row, column: str, message: str) -> None:
        """Notes that a cell was mended, and how."""
        self.repairs.append(RowNote(file=row.file, line=row.line, column=column, value=row[column], message=message))

    def refused(self, row: Row, column: str, message: str) -> None:
        """Notes that a row cannot be used because of a cell."""
        self.unusable.append(RowNote(file=row.file, line=row.line, column=column, value=row[column], message=message))

    def number(self, row: Row, column: str, low: int, high: int, default: int) -> int:
        """
        A whole number of a cell; anything else is repaired to the default, out of range to the nearest limit.

        "2,5" is two and a half as in half of the world. "1.000" and "1,000" are a thousand where that can be, and that
        is said.
        """
        text = row[column]
        thousands = re.sub(r"[^0-9]", "", text) if _THOUSANDS.fullmatch(text) else ""
        if thousands and low <= int(thousands) <= high:
            self.repaired(row, column, f"is read as {thousands}")
            return int(thousands)
        if _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        try:
            number = float(text)
            value = int(number)
        except (ValueError, OverflowError):
            self.repaired(row, column, f"is no number; {default} is used")
            return default
        if not low <= value <= high:
            nearest = min(max(value, low), high)
            self.repaired(row, column, f"is outside {low} to {high}; {nearest} is used")
            return nearest
        if value != number:
            self.repaired(row, column, f"is no whole number; {value} is used")
        return value

    def unique(self, rows: Sequence[Row], column: str) -> list[Row]:
        """Rows with an id of their own; the first of equal ids wins."""
        seen: set[str] = set()
        kept: list[Row] = []
        for row in self.with_id(rows, column):
            if row[column] in seen:
                self.refused(row, column, "the id stands on an earlier line already")
            else:
                seen.add(row[column])
                kept.append(row)
        return kept

    def with_id(self, rows: Sequence[Row], column: str) -> list[Row]:
        """Rows whose id can be used; several may have the same one."""
        kept: list[Row] = []
        for row in rows:
            if not row[column]:
                self.refused(row, column, "the row has no id")
            elif len(row[column]) > MAX_ID_LENGTH or not row[column].isprintable():
                self.refused(row, column, f"an id has 1 to {MAX_ID_LENGTH} printable characters")
            else:
                kept.append(row)
        return kept


def texts_of(source: Path | Mapping[str, str | bytes]) -> dict[str, CsvText]:
    """
    The texts of a set by file name without suffix, from a folder or from a mapping of file name to content.

    Raises
    ------
    InputError
        A file cannot be read as text.
    """
    files = source if isinstance(source, Mapping) else _files_of(source)
    for name, content in files.items():
        issue = foreign_issue(io.BytesIO(content), name) if isinstance(content, bytes) else None
        if issue is not None:
            raise InputError([issue])
    texts = {name: CsvText(text=content) for name, content in files.items() if isinstance(content, str)}
    texts |= decoded({name: content for name, content in files.items() if isinstance(content, bytes)})
    return {Path(name).stem.lower(): texts[name] for name in files}


def _files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder that are tables of the set; where it has none, but workbooks, those are named."""
    paths = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.name)
    chosen = set_members([path.name for path in paths])
    for path in () if chosen else paths:
        with path.open("rb") as file:
            issue = foreign_issue(file, path.name)
        if issue is not None:
            raise InputError([issue])
    return {path.name: path.read_bytes() for path in paths if path.name in chosen}


def set_members(names: Sequence[str]) -> list[str]:
    """Of file names those that are tables of the set, by name and suffix, whatever the capitals."""
    by_suffix = [[name for name in names if Path(name).suffix.lower() == suffix] for suffix in SUFFIXES]
    chosen: dict[str, str] = {}
    for same_suffix in by_suffix:
        taken = set(chosen)
        for name in same_suffix:
            if Path(name).stem.lower() in NAMES - taken:
                chosen.setdefault(Path(name).stem.lower(), name)
    return list(chosen.values())


def tables_of(work: Repairs, texts: Mapping[str, CsvText]) -> dict[str, list[Row]]:
    """Raises `InputError` with every mandatory file and column that is missing."""
    tables: dict[str, list[Row]] = {}
    issues: list[Issue] = []
    separators: dict[str, str] = {}
    for table, (names, columns) in FILES.items():
        file = next((name for name in names if name in texts), None)
        if file is None:
            if table in MANDATORY:
                issues.append(Issue(pointer=f"/{table}", code="missing", message=_missing(names)))
            tables[table] = []
            continue
        text = texts[file].text.lstrip("\ufeff")
        separator, skipped = separator_of(text, columns)
        separators[file] = separator
        rows, header = _rows(work, file, text, separator, skipped)
        issues += _column_issues(table, columns, header)
        tables[table] = rows
    if issues:
        raise InputError(issues)
    _tell_form(work, {file: texts[file] for file in separators}, separators)
    return tables


def _column_issues(table: str, columns: Sequence[str], header: Sequence[str]) -> Iterator[Issue]:
    """Columns that must be there once: of two of one name nobody knows which is meant."""
    for column in columns:
        if header.count(column) != 1:
            code, number = ("missing", "no") if column not in header else ("duplicate", "more than one")
            message = f"{table} has {number} column {column!r}"
            yield Issue(pointer=f"/{table}/{column}", code=code, message=message, value=list(header))


def _missing(names: Sequence[str]) -> str:
    return f"the set has no file {' or '.join(f'{name}.csv' for name in names)}"


def _tell_form(work: Repairs, texts: Mapping[str, CsvText], separators: Mapping[str, str]) -> None:
    """What had to be found out about the files: nothing for UTF-8 with commas."""
    for page in dict.fromkeys(text.page for text in texts.values() if text.page != UTF_8):
        files = [file for file, text in texts.items() if text.page == page]
        told = f"{listed(files, len(files))}: no UTF-8, read as {PAGES.get(page, page.upper())}"
        line, example = _example(texts[files[0]].text)
        advice = "; if names look wrong, save the files as CSV UTF-8" if page in PAGES else ""
        work.decided(files[0], "code_page", told + advice, line=line, value=example)
    for separator in dict.fromkeys(separators.values()):
        files = [file for file, own in separators.items() if own == separator]
        if separator != ",":
            name = _SEPARATOR_NAMES.get(separator, repr(separator))
            work.decided(files[0], "separator", f"{listed(files, len(files))}: cells are separated by {name}")


def _example(text: str) -> tuple[int, str]:
    """A line with letters beyond ASCII, so that people see whether they were read rightly."""
    lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if not line.isascii())
    return next(lines, (1, ""))


def _rows(work: Repairs, file: str, text: str, separator: str, skipped: int) -> tuple[list[Row], tuple[str, ...]]:
    body = text.split("\n", skipped)[skipped]
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    header: tuple[str, ...] = ()
    rows: list[Row] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = tuple(map(word, cells))
                continue
            values = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            rows.append(Row(file, reader.line_num + skipped, values))
            surplus = [cell for cell in cells[len(header) :] if cell.strip()]
            if surplus:
                message = f"the row has cells beyond the last column, which are left out: {', '.join(surplus)[:80]}"
                work.repaired(rows[-1], header[-1], message)
    except csv.Error as error:
        message = f"{file}.csv, line {reader.line_num + skipped}: {error}"
        raise InputError([Issue(pointer=f"/{file}", code="bad_csv", message=message)]) from error
    return rows, header
