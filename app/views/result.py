"""
A stored result as clients read it: JSON, or one of the files that people download. Blocking, for a parse worker.

Opening and encoding the result of a large job holds the interpreter for long, so the service itself never does it: it
hands the packed bytes on as they lie in the store, and gets the bytes of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.domain.exceptions import ConflictNotFound, FormatNotAvailable, NoResult
from app.domain.jobs import effective_dataset
from app.domain.messages import unpack
from app.views.conflicts import conflicts_view, resolution_view, resolutions_view
from app.views.entries import Entries
from app.views.flags import conflicts_of
from app.views.insights import difference_view, load_view, session_view
from app.views.variants import View, account_view, result_view, variant_view
from app.views.weeks import WEEKS_OF, students_view, week_view, who_view
from solver.formats import EXPORTS, export, load_dataset, load_result, read_wanted
from solver.formats.exports import FIELDS
from solver.formats.meetings import part_of
from solver.model import Dataset
from solver.result import Result, Variant


class Opened(NamedTuple):
    """A result with the original dataset that it was verified against."""

    dataset: Dataset
    result: Result


FORMATS = ("json", *EXPORTS)


def open_result(dataset: bytes, result: bytes, rules: Mapping[str, Any]) -> Opened:
    """Unpacks a result and its dataset, to which the `rules` of the request are added."""
    return Opened(load_dataset(effective_dataset(unpack(dataset), rules)), load_result(unpack(result)))


def check_format(name: str, formats: Sequence[str] = FORMATS) -> None:
    """Raises `FormatNotAvailable` for a format that is none of `formats`."""
    if name not in formats:
        raise FormatNotAvailable(
            f"Results are not available as {name[:40]!r}, only as {', '.join(formats)}.", members={"formats": formats}
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


# --- pieces of a result, for the page ---


def who(opened: Opened) -> View:
    return who_view(opened.dataset)


def students(opened: Opened, search: str, limit: int) -> View:
    return students_view(opened.dataset, search, limit)


def week(opened: Opened, n: int, of: str, id: str) -> View:
    """Raises `NoResult` when there is no variant `n`, or nobody of this id."""
    kind = next(kind for kind in WEEKS_OF if kind == of)
    found = week_view(opened.dataset, _variant(opened, n), kind, id)
    if found is None:
        raise NoResult(f"There is no {of} {id!r} in this timetable.")
    return found


def department(opened: Opened, n: int, id: str) -> View:
    """A department that the dataset does not name has no entries. Raises `NoResult` when there is no variant `n`."""
    variant = _variant(opened, n)
    writer, conflicts = Entries(opened.dataset), conflicts_of(opened.dataset, variant.timetable, variant.report)
    entries = writer.rows(writer.of_department(id, variant.timetable.placements), conflicts, students=True)
    return {
        "dept_id": id,
        "variant": n,
        "entries": entries,
        "total": len(entries),
        "conflicts": sum(bool(entry["has_conflict"]) for entry in entries),
    }


def load(opened: Opened, n: int) -> View:
    return load_view(opened.dataset, _variant(opened, n).timetable)


def difference(opened: Opened, n: int, other: int) -> View:
    return difference_view(opened.dataset, _variant(opened, n), _variant(opened, other))


def session(opened: Opened, n: int, course_id: str, number: int) -> View:
    """Raises `NoResult` when there is no variant `n`, or no such session."""
    found = session_view(opened.dataset, _variant(opened, n), (course_id, number))
    if found is None:
        raise NoResult(f"There is no session {number} of a course {course_id!r}.")
    return found


def conflicts(opened: Opened, n: int, limit: int, stamp: int, timetable_id: str) -> View:
    return conflicts_view(opened.dataset, _variant(opened, n), limit, stamp, timetable_id)


def resolutions(opened: Opened, n: int, limit: int) -> View:
    return resolutions_view(opened.dataset, _variant(opened, n), limit)


def resolution(opened: Opened, n: int, conflict_id: str) -> View:
    """Raises `NoResult` when there is no variant `n`, `ConflictNotFound` when it has no such conflict."""
    found = resolution_view(opened.dataset, _variant(opened, n), conflict_id)
    if found is None:
        raise ConflictNotFound(f"There is no conflict {conflict_id!r} in this timetable.")
    return found


def _variant(opened: Opened, n: int) -> Variant:
    _check_number(opened.result, n)
    return opened.result.variants[n - 1]


def _check_number(result: Result, n: int) -> None:
    if not 1 <= n <= len(result.variants):
        raise NoResult(f"There is no variant {n}; the job has variants 1 to {len(result.variants)}.")
