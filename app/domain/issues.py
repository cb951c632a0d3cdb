"""What is wrong with a request, pointer by pointer: complaints of pydantic in our words, and issues ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from app.domain.exceptions import ServiceError
from app.domain.requests import PATTERNS
from solver.errors import InputError, Issue
from solver.formats.issues import MAX_ITEMS, MAX_SHOWN_DEPTH, MAX_TEXT, kind_of, pointer, readable, shortened
from solver.formats.issues import issues_of as translated

MAX_ISSUES = 100
"""So many are shown; how many there are is said."""
ROOM_FOR_COUNT = 40
"""A text that was cut says how long it was."""

_CODES = {
    "string_pattern_mismatch": "bad_id",
    "string_too_long": "too_large",
    "string_too_short": "too_few",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
}
"""What pydantic calls a problem -> its code, where `solver.formats.issues` has no name for it."""

_SENTENCES = {
    "string_pattern_mismatch": "{pattern_in_words}",
    "string_too_long": "have at most {max_length} characters",
    "string_too_short": "not be empty",
    "too_long": "have at most {max_length} entries",
    "greater_than": "be more than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "less_than_equal": "be at most {le}",
    "finite_number": "be an ordinary number",
    "int_parsing": "be a whole number",
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "int_parsing_size": "be a whole number of less than 19 digits",
    "float_parsing": "be a number",
    "float_type": "be a number",
    "number_type": "be a number",
    "bool_parsing": "be true or false",
    "bool_type": "be true or false",
    "string_type": "be text",
    "list_type": "be a list",
    "dict_type": "be an object",
    "model_type": "be an object",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
}
"""What pydantic calls a problem -> what must be, in words; its own are written for programmers."""


REFUSALS = (ServiceError, InputError, ValidationError)
"""What a request is refused with that is at fault itself, wherever it is read."""


def detail_of(error: Exception, issues: Sequence[Issue]) -> str:
    """The refusal in one sentence, with the first of its issues if that is all it says."""
    if not issues or isinstance(error, ServiceError):
        return str(error)
    more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
    return f"{issues[0].pointer or 'body'}: {issues[0].message}{more}"


def issues_of(error: Exception) -> Sequence[Issue]:
    """Every problem that the exception points at, in document order."""
    if isinstance(error, InputError | ServiceError):
        return error.issues
    if isinstance(error, ValidationError):
        lines = error.errors(include_url=False)
        return [_recoded(issue, line) for issue, line in zip(translated(error), lines, strict=True)]
    return ()


def parameter_issue(line: Mapping[str, Any]) -> Issue:
    """A complaint about a path or query parameter; its `loc` begins with the word "path" or "query"."""
    issue = Issue(pointer=pointer(line["loc"][1:]), code="bad_value", message=str(line["msg"]), value=line.get("input"))
    return _recoded(issue, line)


def _recoded(issue: Issue, line: Mapping[str, Any]) -> Issue:
    """Requests are read leniently, datasets strictly; the complaints of lenient reading get the same codes."""
    kind, context, name = str(line["type"]), line.get("ctx") or {}, str((line["loc"] or ("the body",))[-1])
    wrong_type = kind.endswith(("_parsing", "_type", "_from_float"))
    code = _CODES.get(kind, "wrong_type" if wrong_type else issue.code)
    code = code if issue.code == "bad_value" else issue.code
    if kind not in _SENTENCES:
        return replace(issue, code=code)
    context = {**context, "pattern_in_words": PATTERNS.get(context.get("pattern", ""))}
    wanted, value = _SENTENCES[kind].format_map(context), line.get("input")
    shown = f" {shortened(value)!r}" if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return replace(issue, code=code, message=f"{name} must {wanted}, got {kind_of(value)}{shown}")


def below(prefix: str, error: InputError) -> InputError:
    """The same error for a document that stands at `prefix` of the request body."""
    return InputError(
        Issue(pointer=prefix + issue.pointer, code=issue.code, message=issue.message, value=issue.value)
        for issue in error.issues
    )


def wire_issue(issue: Issue) -> dict[str, object]:
    """One entry of `errors[]`; text and value are cut to what a person needs to recognise them."""
    short = readable(issue)
    value = issue.value if _is_short(issue.value) else short.value
    return {"pointer": short.pointer, "code": short.code, "message": short.message, "value": value}


def _is_short(value: object, depth: int = 0) -> bool:
    """Whether a value can be sent as it is. One that a reader has cut already must not be cut again."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT + ROOM_FOR_COUNT and value.isprintable()
    if isinstance(value, int):
        return value.bit_length() <= 64
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, dict):
        return _is_short(list(value), depth) and _is_short(list(value.values()), depth)
    if isinstance(value, list):
        return len(value) <= MAX_ITEMS + 1 and depth <= MAX_SHOWN_DEPTH and all(_is_short(v, depth + 1) for v in value)
    return value is None
