"""
A stored result as clients read it: JSON, or one of the files that people download. Blocking, for a parse worker.

Opening and encoding the result of a large job holds the interpreter for long, so the service itself never does it: it
hands the packed bytes on as they lie in the store, and gets the bytes of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.domain.exceptions import ConflictNotFound, FormatNotAvailable, NoResult
from app.domain.jobs import effective_dataset
from app.domain.messages import unpack
from app.views.conflicts import conflicts_view, resolution_view, resolutions_view
from app.views.entries import Entries
from app.views.flags import conflicts_of
from app.views.insights import difference_view, load_view, session_view
from app.views.shapes import SHAPES
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
    timetable = _variant(opened, n).timetable
    wanted = read_wanted("json", _fields(asked))
    shown = part_of(opened.dataset, timetable, wanted.of)
    return variant_view(opened.dataset, opened.result, n, shown)


def as_file(opened: Opened, n: int, format: str, asked: Mapping[str, Any]) -> bytes:
    """
    Variant `n` as the bytes of a file, see `solver.formats.exports` for what may be `asked`.

    `asked["stamp"]` is when the job ended, in whole seconds since 1970. Raises what `one_variant` raises.
    """
    timetable = _variant(opened, n).timetable
    wanted = read_wanted(format, _fields(asked), datetime.fromtimestamp(asked.get("stamp", 0), UTC))
    return export(opened.dataset, timetable, format, wanted)


def _fields(asked: Mapping[str, Any]) -> dict[str, str]:
    return {name: asked[name] for name in FIELDS if name in asked}


# --- pieces of a result, for the page ---


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


def session(opened: Opened, n: int, course_id: str, number: int) -> View:
    """Raises `NoResult` when there is no variant `n`, or no such session."""
    found = session_view(opened.dataset, _variant(opened, n), (course_id, number))
    if found is None:
        raise NoResult(f"There is no session {number} of a course {course_id!r}.")
    return found


def resolution(opened: Opened, n: int, conflict_id: str) -> View:
    """Raises `NoResult` when there is no variant `n`, `ConflictNotFound` when it has no such conflict."""
    found = resolution_view(opened.dataset, _variant(opened, n), conflict_id)
    if found is None:
        raise ConflictNotFound(f"There is no conflict {conflict_id!r} in this timetable.")
    return found


def _variant(opened: Opened, n: int) -> Variant:
    variants = opened.result.variants
    if not 1 <= n <= len(variants):
        raise NoResult(f"There is no variant {n}; the job has variants 1 to {len(variants)}.")
    return variants[n - 1]


PIECES: Mapping[str, Callable[..., View]] = {
    "variants": lambda o, entries: result_view(o.dataset, o.result, entries=entries),
    "account": lambda o: account_view(o.dataset, o.result),
    "shape": lambda o, shape: SHAPES[shape](*o),
    "who": lambda o: who_view(o.dataset),
    "students": lambda o, search, limit: students_view(o.dataset, search, limit),
    "week": week,
    "department": department,
    "load": lambda o, n: load_view(o.dataset, _variant(o, n).timetable),
    "difference": lambda o, n, other: difference_view(o.dataset, _variant(o, n), _variant(o, other)),
    "session": session,
    "conflicts": lambda o, n, limit, stamp, timetable_id: conflicts_view(
        o.dataset, _variant(o, n), limit, stamp, timetable_id
    ),
    "resolutions": lambda o, n, limit: resolutions_view(o.dataset, _variant(o, n), limit),
    "resolution": resolution,
}
"""What can be asked of an opened result, and how it is answered: by the names of what is asked for."""
