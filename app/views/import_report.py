"""
How a CSV set was read, as a caller is told: what people have to confirm first, then what was decided, then the rest.

A job is not held up by a warning: the platform posts without a person beside it. Whoever has one asks `POST /validate`
before, as the page does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.domain.issues import wire_issue
from solver.errors import Issue
from solver.formats.platform_csv import NOTES, Imported
from solver.formats.platform_rows import RowNote
from solver.formats.safe import shortened
from solver.names import counted

MAX_NOTES = 100
"""Rows of a CSV set that are named for each kind of note; all of them are counted."""
MAX_KEPT = 10
"""The same for the account that stays with a job."""
MAX_TOLD = 3
"""Warnings that stand in the sentence of an answer."""
MAX_VALUE, MAX_MESSAGE = 100, 1000
"""Characters of a cell, and of what is said about it."""


def account_of(imported: Imported, most: int = MAX_NOTES) -> dict[str, Any]:
    """The rows per table, the first `most` notes of each kind, and how many there are."""
    return {
        "rows": dict(imported.rows),
        **{kind: [_note(note) for note in getattr(imported, kind)[:most]] for kind in NOTES},
        "counts": {kind: len(getattr(imported, kind)) for kind in NOTES},
    }


def warnings_of(imported: Imported | None) -> tuple[Mapping[str, Any], ...]:
    """What people have to confirm, in the form of issues; nothing where the data were no CSV set."""
    return tuple(wire_issue(_issue(note)) for note in imported.warnings[:MAX_NOTES]) if imported else ()


def _issue(note: RowNote) -> Issue:
    message = f"{note.file}.csv, line {note.line}, {note.column} {note.value!r}: {note.message}"
    return Issue(pointer=f"/content/{note.file}", code=note.code, message=message, value=note.value)


def told(imported: Imported) -> str:
    """The same in sentences."""
    rows, repairs, unusable = sum(imported.rows.values()), len(imported.repairs), len(imported.unusable)
    parts = [f"{rows} rows were read, {repairs} cells corrected, {unusable} rows could not be used."]
    if imported.warnings:
        first = [shortened(f"{note.value} {note.message}", MAX_MESSAGE // 4) for note in imported.warnings[:MAX_TOLD]]
        more = len(imported.warnings) - len(first)
        others = f"; and {more} more" if more else ""
        parts.insert(
            0, f"Please check {counted(len(imported.warnings), 'change')} to the data: {'; '.join(first)}{others}."
        )
    return " ".join(parts)


def _note(note: RowNote) -> dict[str, Any]:
    cut = {"value": shortened(note.value, MAX_VALUE), "message": shortened(note.message, MAX_MESSAGE)}
    return {**asdict(note), **cut}
