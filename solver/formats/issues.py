"""
Issues in plain words: JSON pointers, short values, and what pydantic's error types mean to the author of a file.

Nothing here decides what is wrong; it only says it well, and never says more than a person wants to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from pydantic import ValidationError

from solver.errors import InputError, Issue

MAX_ISSUES = 100
MAX_COUNTED_ISSUES = 1_000
"""Where we stop looking for more than we show: describing all of a million problems would take seconds."""
MAX_TEXT = 200
MAX_ITEMS = 20
MAX_MESSAGE = 500
MAX_SHOWN_DEPTH = 3
MAX_CHARACTERS = 16 * 2**20
SAFE_INTEGER = 2**53
"""JSON readers that use doubles cannot tell larger integers apart."""

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "dataclass_type": "an object",
    "mapping_type": "an object",
    "none_required": "null",
}


def escape(key: object) -> str:
    """A key or index as one token of a JSON pointer (RFC 6901); half surrogates, which UTF-8 cannot hold, escaped."""
    token = str(key).encode("utf-8", "backslashreplace").decode("utf-8")
    return token.replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[object]) -> str:
    """The JSON pointer of a path of keys and indices."""
    return "".join(f"/{escape(step)}" for step in path)


def kind_of(value: object) -> str:
    """What a JSON value is, for people."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (str, "text"),
        (int, "the whole number"),
        (float, "the number"),
        (dict, "an object"),
        ((list, tuple), "a list"),
    )
    return next((name for type_, name in names if isinstance(value, type_)), f"a Python {type(value).__name__}")


def shortened(value: object, depth: int = 0) -> object:
    """`value` as JSON of a size that fits a message: long texts and lists are cut, broken Unicode is escaped."""
    if isinstance(value, str):
        return _short_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, list | tuple | dict) and depth >= MAX_SHOWN_DEPTH:
        return "..."
    if isinstance(value, list | tuple):
        cut = [f"... {len(value) - MAX_ITEMS} more"] if len(value) > MAX_ITEMS else []
        return [shortened(item, depth + 1) for item in value[:MAX_ITEMS]] + cut
    if isinstance(value, dict):
        shown: dict[str, object] = {
            str(_short_text(str(key))): shortened(item, depth + 1) for key, item in islice(value.items(), MAX_ITEMS)
        }
        return {**shown, "...": f"{len(value) - MAX_ITEMS} more"} if len(value) > MAX_ITEMS else shown
    return _short_text(repr(value)[:MAX_TEXT])


def _short_text(text: str) -> str:
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)"
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


def readable(issue: Issue) -> Issue:
    """The issue with its message and value cut to a readable length."""
    message = issue.message if len(issue.message) <= MAX_MESSAGE else issue.message[:MAX_MESSAGE] + "..."
    return replace(issue, message=message, value=shortened(issue.value))


def capped(issues: Iterable[Issue], unlisted: int = 0) -> list[Issue]:
    """
    At most `MAX_ISSUES` readable issues; where there are more, the last one says how many.

    `unlisted` counts further issues that nobody has described.
    """
    stream = iter(issues)
    kept = [readable(issue) for issue in islice(stream, MAX_ISSUES)]
    more = sum(1 for _ in islice(stream, MAX_COUNTED_ISSUES)) + unlisted
    if not more:
        return kept
    found, shown = len(kept) + more, kept[: MAX_ISSUES - 1]
    at_least, hidden = "at least " if found > MAX_COUNTED_ISSUES else "", found - len(shown)
    last = Issue(pointer="", code="more_issues", message=f"and {at_least}{hidden} more problems", value=hidden)
    return [*shown, last]


def raise_if_any(issues: Iterable[Issue], unlisted: int = 0) -> None:
    """
    Raises
    ------
    InputError
        There is an issue; of `unlisted` others it is only said how many they are.
    """
    found = capped(issues, unlisted)
    if found:
        raise InputError(found)


def issues_of(error: ValidationError, base: Sequence[object] = ()) -> list[Issue]:
    """What pydantic found, with pointers below `base`."""
    return [_translated(line, base) for line in error.errors(include_url=False, include_context=True)]


def _translated(line: Any, base: Sequence[object]) -> Issue:
    kind, path, value = line["type"], (*base, *line["loc"]), line["input"]
    name = _name(path)
    context = line.get("ctx", {})
    code, message = "bad_value", f"{name}: {line['msg']}"
    if kind == "missing":
        code, message, value = "missing", f"{name} is missing", None
    elif kind == "extra_forbidden":
        code, message = "unknown_field", f"there is no field {_short_text(name)!r} here"
    elif kind == "finite_number":
        code, message = "not_finite", f"{name} must be an ordinary number, got {value}"
    elif kind in {"greater_than_equal", "less_than_equal"}:
        bound = f">= {context['ge']}" if kind == "greater_than_equal" else f"<= {context['le']}"
        code, message = "out_of_range", f"{name} must be {bound}, got {shortened(value)}"
    elif kind in {"too_short", "too_long"}:
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        code = "too_few" if kind == "too_short" else "too_large"
        message = f"{name} must have {bound} entries"
    elif kind in {"literal_error", "enum"} and isinstance(value, str):
        code = "unknown_tier" if name == "tier" else "bad_value"
        message = f"{name} must be {context.get('expected')}, got {shortened(value)!r}"
    elif kind in _WANTED or kind in {"literal_error", "enum"}:
        wanted = _WANTED.get(kind, "text")
        code, message = "wrong_type", f"{name} must be {wanted}, got {_described(value)}"
    return Issue(pointer=pointer(path), code=code, message=message, value=value)


def _name(path: Sequence[object]) -> str:
    """What a message calls the place: the field, or the entry of a list."""
    if not path:
        return "the document"
    return f"entry {path[-1]} of {path[-2]}" if isinstance(path[-1], int) and len(path) > 1 else str(path[-1])


def _described(value: object) -> str:
    kind = kind_of(value)
    if isinstance(value, str):
        return f"{kind} {_short_text(value)!r}"
    return f"{kind} {shortened(value)}" if isinstance(value, int | float) and not isinstance(value, bool) else kind


def refuse_long(text: str) -> None:
    """Raises `InputError` for the text of a file that is absurdly long."""
    if len(text) > MAX_CHARACTERS:
        message = f"the text has {len(text)} characters, at most {MAX_CHARACTERS} are accepted"
        raise InputError([Issue(pointer="", code="too_large", message=message, value=len(text))])
