"""
A first look at the bytes of a request body, before anything is parsed: is there more in it than an honest body holds?

Parsing takes time and memory for every value, and describing what is wrong with a million of them takes seconds. What
stands here only counts bytes, at about a gigabyte a second, so that a hostile body is refused before it costs anything.
How deep a body is nested need not be counted: the parser gives that up by itself, within a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.settings import Settings
from solver.errors import InputError, Issue

FEW = 100
"""So many faults of one kind are worth a place each in the answer; a body with more of them is refused as a whole."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_FINITE = re.compile(rb"NaN|Infinity")
_HALF_PAIR = re.compile(
    rb"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\)(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def check_amount(body: bytes, settings: Settings) -> None:
    """
    Raises
    ------
    InputError
        The text has more values, or more faults of one kind, than we are ready to look at one by one.
    """
    found = list(_excess(body, settings))
    if found:
        raise InputError(found)


def _excess(body: bytes, settings: Settings) -> Iterator[Issue]:
    """Counts in the whole text first; only where that is too much are strings, which may hold anything, taken out."""
    if _values(body) > settings.max_json_values or _lists(body) > settings.max_json_lists:
        bare = _STRING.sub(b'""', body)
        yield from _too_many(_values(bare), settings.max_json_values, "values")
        yield from _too_many(_lists(bare), settings.max_json_lists, "objects and lists")
    if body.count(b"NaN") + body.count(b"Infinity") > FEW:
        count = len(_NOT_FINITE.findall(_STRING.sub(b'""', body)))
        if count > FEW:
            yield Issue(pointer="", code="not_finite", message=f"the document has {count} numbers that are not finite")
    if body.count(b"\\ud") + body.count(b"\\uD") > FEW:
        count = len(_HALF_PAIR.findall(body))
        if count > FEW:
            yield Issue(pointer="", code="bad_unicode", message=f"the document has {count} halves of surrogate pairs")


def _too_many(count: int, limit: int, what: str) -> Iterator[Issue]:
    if count > limit:
        message = f"the document has {count} {what}, at most {limit} are accepted"
        yield Issue(pointer="", code="too_large", message=message, value=count)


def _values(text: bytes) -> int:
    """About the number of values: each but the first of a list or object stands behind a comma."""
    return text.count(b",") + _lists(text)


def _lists(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")
