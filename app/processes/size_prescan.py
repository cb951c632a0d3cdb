"""
A first look at the bytes of a request body, before anything is parsed: is there more in it than an honest body holds?

Parsing takes time and memory for every value, and describing what is wrong with a million of them takes seconds. What
stands here only counts bytes, at about a gigabyte a second, so that a hostile body is refused before it costs anything.
How deep a body is nested need not be counted: the parser gives that up by itself, within a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

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
    # Every value and every list takes a byte at least, so a short text need not be counted.
    may_be_many = len(body) > min(settings.max_json_values, settings.max_json_lists)
    if may_be_many and _exceeds(_counted(body), settings):
        counted = _counted(_STRING.sub(b'""', body))
        yield from _too_many(counted.values, settings.max_json_values, "values")
        yield from _too_many(counted.lists, settings.max_json_lists, "objects and lists")
    if body.count(b"NaN") + body.count(b"Infinity") > FEW:
        count = len(_NOT_FINITE.findall(_STRING.sub(b'""', body)))
        if count > FEW:
            yield Issue(pointer="", code="not_finite", message=f"the document has {count} numbers that are not finite")
    if b"\\" in body and body.count(b"\\ud") + body.count(b"\\uD") > FEW:
        count = len(_HALF_PAIR.findall(body))
        if count > FEW:
            yield Issue(pointer="", code="bad_unicode", message=f"the document has {count} halves of surrogate pairs")


def _too_many(count: int, limit: int, what: str) -> Iterator[Issue]:
    if count > limit:
        message = f"the document has {count} {what}, at most {limit} are accepted"
        yield Issue(pointer="", code="too_large", message=message, value=count)


class _Counted(NamedTuple):
    values: int
    lists: int


def _counted(text: bytes) -> _Counted:
    """About the number of values: each but the first of a list or object stands behind a comma."""
    lists = text.count(b"[") + text.count(b"{")
    return _Counted(text.count(b",") + lists, lists)


def _exceeds(counted: _Counted, settings: Settings) -> bool:
    return counted.values > settings.max_json_values or counted.lists > settings.max_json_lists
