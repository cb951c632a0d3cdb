"""What `timetable export` and `timetable solve` can be asked for: whose week, which term; and stored variants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solver.errors import InputError, Issue
from solver.formats.answers import load_result, load_timetable
from solver.formats.exports import FIELDS
from solver.formats.files import read_bytes, read_dataset, read_timetable
from solver.model import Dataset, Timetable
from solver.verify import verify

Group = Annotated[str | None, typer.Option(help="only the week of this group, by id")]
Teacher = Annotated[str | None, typer.Option(help="only the week of this teacher, by id")]
Room = Annotated[str | None, typer.Option(help="only the week of this room, by id")]
Student = Annotated[str | None, typer.Option(help="only the week of this student, by id")]
TermStart = Annotated[str | None, typer.Option(help="first day of the term for .ics, like 2026-09-01")]
TermEnd = Annotated[str | None, typer.Option(help="last day of the term for .ics")]
TimeZone = Annotated[str | None, typer.Option(help="time zone for .ics, like Asia/Kolkata; default: floating times")]
Skip = Annotated[list[str] | None, typer.Option(help="day without sessions for .ics; may be repeated")]


def asked_for(
    group: str | None,
    teacher: str | None,
    room: str | None,
    student: str | None,
    term_start: str | None,
    term_end: str | None,
    time_zone: str | None,
    skip: list[str] | None,
) -> dict[str, str]:
    """The options by name of `FIELDS`, without those that were not given."""
    values = (group, teacher, room, student, term_start, term_end, time_zone, ",".join(skip) if skip else None)
    return {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}


def dataset_of(result: Path, file: Path | None) -> Dataset:
    """
    The dataset that a result is shown with.

    Raises
    ------
    InputError
        It cannot be used, or was not named; where the result is something else, that is told first.
    OSError
        A file cannot be read.
    """
    if file is not None:
        return read_dataset(file)
    if result.suffix.lower() == ".json":
        load_timetable(read_bytes(result))
    message = f"{result.name} names courses and rooms by id only; name its dataset with --dataset"
    raise InputError([Issue(pointer="/dataset", code="missing", message=message)])


def read_variant(path: Path, n: int, dataset: Dataset) -> Timetable:
    """
    Variant `n` of a stored result, counted from 1, or a timetable from elsewhere as variant 1; fit for its dataset.

    Raises
    ------
    InputError
        The file holds no such thing, or names courses, rooms or slots that the dataset has not.
    OSError
        The file cannot be read.
    """
    timetable = read_timetable(path, dataset) if n == 1 else _variant(path, n)
    verify(dataset, timetable)
    return timetable


def _variant(path: Path, n: int) -> Timetable:
    variants = load_result(read_bytes(path)).variants
    if not 1 <= n <= len(variants):
        message = f"{path.name} has variants 1 to {len(variants)}"
        raise InputError([Issue(pointer="/variant", code="out_of_range", message=message, value=n)])
    return variants[n - 1].timetable
