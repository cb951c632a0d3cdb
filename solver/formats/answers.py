"""
Timetables and whole results to and from JSON data.

A result is written as its dataclasses stand; reading checks every type again, because a result may come from a store or
from a child process that was killed while writing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from solver.calendar import TimeGrid
from solver.errors import InputError, Issue
from solver.formats.issues import issues_of, kind_of, pointer, raise_if_any
from solver.formats.json_text import first_value_issues, read_json
from solver.formats.shapes import PlacementShape
from solver.formats.slot_words import SlotWords, numbered
from solver.model import Placement, Timetable
from solver.result import Result

TIMETABLE_SCHEMA = "timetable/1"
RESULT_SCHEMA = "timetable-result/1"


def dump_timetable(timetable: Timetable) -> dict[str, Any]:
    """The timetable as JSON data, one entry per placed session."""
    return {
        "schema": TIMETABLE_SCHEMA,
        "placements": [_placement(placement) for placement in timetable.placements],
    }


def _placement(p: Placement) -> dict[str, Any]:
    more = {"more_rooms": list(p.more_rooms)} if p.more_rooms else {}
    return {"course_id": p.course_id, "session": p.session, "slot": p.slot, "room_id": p.room_id, **more}


def load_timetable(source: bytes | str | Mapping[str, Any], grid: TimeGrid | None = None) -> Timetable:
    """
    A timetable from JSON text or parsed JSON; a whole result gives the timetable of its best variant.

    Parameters
    ----------
    grid
        That of the dataset; with it a slot may be given in words, like "Monday 10:00".

    Raises
    ------
    InputError
        With every problem. Whether courses, rooms and slots exist is the verifier's question.
    """
    document = _document(source, "a timetable")
    _refuse_dataset(document)
    if "variants" in document:
        return load_result(document).best.timetable
    issues: list[Issue] = []
    for key in document.keys() - {"schema", "placements"}:
        issues.append(_issue(f"/{key}", "unknown_field", f"there is no field {str(key)[:80]!r} here", document[key]))
    if document.get("schema", TIMETABLE_SCHEMA) != TIMETABLE_SCHEMA:
        message = f"this reader knows the schema {TIMETABLE_SCHEMA!r} only"
        issues.append(_issue("/schema", "bad_schema", message, document["schema"]))
    rows = document.get("placements")
    if "placements" not in document:
        issues.append(_issue("/placements", "missing", "placements is missing", None))
    elif not isinstance(rows, list | tuple):
        issues.append(_issue("/placements", "wrong_type", f"placements must be a list, got {kind_of(rows)}", rows))
    placements = []
    words = None if grid is None else SlotWords(grid)

    def report(path: tuple[object, ...], code: str, message: str, value: object) -> None:
        issues.append(_issue(pointer(path), code, message, value))

    for i, row in enumerate(rows if isinstance(rows, list | tuple) else ()):
        if words is not None:
            row = numbered(words, row, ("placements", i), report)
        try:
            placements.append(Placement(**PlacementShape.model_validate(row).stated()))
        except ValidationError as error:
            issues.extend(issues_of(error, ("placements", i)))
    raise_if_any(issues)
    return Timetable(placements=tuple(placements))


def _refuse_dataset(document: Mapping[str, Any]) -> None:
    """Raises `InputError` for documents of ours that hold no timetable of this form, with what they are."""
    schema = str(document.get("schema", ""))
    what = ""
    if schema.startswith("timetable-dataset/") or {"rooms", "courses"} <= document.keys():
        what = "this is a dataset, which holds no timetable; a result of `timetable solve` is wanted here"
    elif "dataset" in document and "variants" not in document:
        what = "this is a request with a dataset in it, which holds no timetable"
    elif "variants" in document and "schema" not in document and "job_id" in document:
        what = (
            "this is an answer of the service about a job; ask it for a file instead (?format=csv, xlsx, ...), "
            "or give a result of `timetable solve`"
        )
    if what:
        raise InputError([_issue("/schema" if schema else "", "wrong_kind", what, schema or None)])


def dump_result(result: Result) -> dict[str, Any]:
    """The result as JSON data; `load_result` of it is equal to `result`."""
    document = _adapter().dump_python(result, mode="json")
    for holder in (*(variant["report"] for variant in document["variants"]), *document["journal"], *document["curve"]):
        if holder["score"] and not holder["score"][-1]:
            holder["score"].pop()  # four numbers, as ever, where it does not matter who is left open
    return {"schema": RESULT_SCHEMA, **document}


def load_result(source: bytes | str | Mapping[str, Any]) -> Result:
    """
    A result from JSON text or parsed JSON.

    Raises
    ------
    InputError
        With every problem.
    """
    document = dict(_document(source, "a result"))
    _refuse_dataset(document)
    schema = document.pop("schema", RESULT_SCHEMA)
    if schema != RESULT_SCHEMA:
        raise_if_any([_issue("/schema", "bad_schema", f"this reader knows the schema {RESULT_SCHEMA!r} only", schema)])
    try:
        result: Result = _adapter().validate_python(document)
    except ValidationError as error:
        raise_if_any(issues_of(error))
        raise
    if not result.variants:
        raise_if_any([_issue("/variants", "empty", "a result has at least one variant", [])])
    return result


@cache
def _adapter() -> TypeAdapter[Any]:
    """Made once and only when needed: it takes about a tenth of a second."""
    return TypeAdapter(Result)


def _document(source: object, what: str) -> Mapping[str, Any]:
    if isinstance(source, bytes | str):
        document, issues = read_json(source)
    else:
        document, issues = source, first_value_issues(source)
    raise_if_any(issues)
    if not isinstance(document, Mapping):
        raise InputError([_issue("", "wrong_type", f"{what} must be an object, got {kind_of(document)}", document)])
    return document


def _issue(pointer: str, code: str, message: str, value: object) -> Issue:
    return Issue(pointer=pointer, code=code, message=message, value=value)
