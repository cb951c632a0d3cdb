"""
The rows of the platform's CSV set, and the account of what had to be mended in them.

Reading is lenient about form (byte order mark, line ends, blanks, capitals in the header), silent about nothing else.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from solver.errors import InputError, Issue
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNote:
    """
    What was done with one cell, or why its row cannot be used.

    `file` has no suffix; `line` counts from 1, the header is line 1.
    """

    file: str
    line: int
    column: str
    value: str
    message: str


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
    """What one import has reported so far."""

    repairs: list[RowNote] = field(default_factory=list)
    unusable: list[RowNote] = field(default_factory=list)

    def repaired(self, row: Row, column: str, message: str) -> None:
        self.repairs.append(RowNote(file=row.file, line=row.line, column=column, value=row[column], message=message))

    def refused(self, row: Row, column: str, message: str) -> None:
        self.unusable.append(RowNote(file=row.file, line=row.line, column=column, value=row[column], message=message))

    def number(self, row: Row, column: str, low: int, high: int, default: int) -> int:
        """A whole number of a cell; anything else is repaired to the default, out of range to the nearest limit."""
        try:
            number = float(row[column])
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
        for row in rows:
            if not row[column]:
                self.refused(row, column, "the row has no id")
            elif len(row[column]) > MAX_ID_LENGTH or not row[column].isprintable():
                self.refused(row, column, f"an id has 1 to {MAX_ID_LENGTH} printable characters")
            elif row[column] in seen:
                self.refused(row, column, "the id stands on an earlier line already")
            else:
                seen.add(row[column])
                kept.append(row)
        return kept


def texts_of(source: Path | Mapping[str, str]) -> dict[str, str]:
    if isinstance(source, Mapping):
        return {Path(name).stem.lower(): text for name, text in source.items()}
    return {path.stem.lower(): text_of(path.name, path.read_bytes()) for path in sorted(source.glob("*.csv"))}


def text_of(name: str, data: bytes) -> str:
    """The text of a file. Raises `InputError` with file and line when it is no UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{name} is no UTF-8 text in line {line}: {error.reason} at byte {error.start}"
        raise InputError([Issue(pointer=f"/{Path(name).stem}", code="bad_utf8", message=message)]) from error


def tables_of(work: Repairs, texts: Mapping[str, str]) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    issues: list[Issue] = []
    for table, (names, columns) in FILES.items():
        file = next((name for name in names if name in texts), None)
        if file is None:
            if table in MANDATORY:
                wanted = " or ".join(f"{name}.csv" for name in names)
                issues.append(Issue(pointer=f"/{table}", code="missing", message=f"the set has no file {wanted}"))
            tables[table] = []
            continue
        rows, header = _rows(work, file, texts[file])
        for column in columns:
            if column not in header:
                message = f"{table} has no column {column!r}"
                issues.append(Issue(pointer=f"/{table}/{column}", code="missing", message=message, value=list(header)))
        tables[table] = rows
    if issues:
        raise InputError(issues)
    return tables


def _rows(work: Repairs, file: str, text: str) -> tuple[list[Row], tuple[str, ...]]:
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""))
    header: tuple[str, ...] = ()
    rows: list[Row] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = tuple(cell.strip().lower() for cell in cells)
                continue
            values = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            rows.append(Row(file, reader.line_num, values))
            surplus = [cell for cell in cells[len(header) :] if cell.strip()]
            if surplus:
                message = f"the row has cells beyond the last column, which are left out: {', '.join(surplus)[:80]}"
                work.repaired(rows[-1], header[-1], message)
    except csv.Error as error:
        message = f"{file}.csv, line {reader.line_num}: {error}"
        raise InputError([Issue(pointer=f"/{file}", code="bad_csv", message=message)]) from error
    return rows, header
