"""
JSON text as data, or every reason why not. The standard parser alone is too trusting for files from strangers.

It takes NaN, repeated keys (the last one wins silently) and half surrogates, and dies of deep nesting. We refuse all of
them, and anything too large to be an honest timetable, before a single field is looked at.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from math import isfinite
from typing import Any, NamedTuple, NoReturn

from solver.errors import InputError, Issue
from solver.formats.issues import MAX_COUNTED_ISSUES, SAFE_INTEGER, pointer, raise_if_any

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 32
MAX_VALUES = 2_000_000
MAX_STRING = 64 * 1024
"""Characters of one string, keys included."""

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
# An integer of more digits is far out of range whatever they are; converting all of them would take quadratic time.
_MAX_DIGITS = 400

_CONTAINERS = (dict, list, tuple)
_MANY = 16

_Path = tuple[Any, ...]
"""Linked from the leaf to the root as (parent path, key), () at the root; a pointer is built where one is needed."""


class _Repeated(dict[str, Any]):
    """An object of the text in which keys stood more than once; the last value of each is kept."""

    keys_repeated: tuple[str, ...] = ()


class Parsed(NamedTuple):
    """What a text says, and what is wrong with it as JSON although it could be read."""

    document: Any
    issues: list[Issue]


def parse_json(source: bytes | str, *, max_bytes: int = MAX_BYTES) -> Any:
    """
    The data of a JSON text (UTF-8, a byte order mark is accepted).

    Raises
    ------
    InputError
        It is no JSON, or JSON that no honest program writes; codes `bad_json`, `bad_utf8`, `bad_unicode`, `too_deep`,
        `too_large`, `duplicate_key`, `not_finite`, `out_of_range`.
    """
    document, issues = read_json(source, max_bytes=max_bytes)
    raise_if_any(issues)
    return document


def read_json(source: bytes | str, *, max_bytes: int = MAX_BYTES) -> Parsed:
    """As `parse_json`, but raises only where nothing can be read at all, and returns the other issues."""
    text = _decoded(source, max_bytes)
    _check_amount(text)
    try:
        document = _parsed(text)
    except RecursionError:
        _fail("too_deep", f"the document is nested more than {MAX_DEPTH} levels deep")
    except json.JSONDecodeError as error:
        near = error.doc[max(0, error.pos - 10) : error.pos + 20]
        _fail("bad_json", f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", near)
    return Parsed(document, first_value_issues(document))


def _parsed(text: str) -> Any:
    """A function of ours called for every integer takes half of the time, so it is used only where Python refuses."""
    read = partial(json.loads, text, object_pairs_hook=_object, parse_constant=float)
    if sys.get_int_max_str_digits() == 0:
        return read(parse_int=_integer)
    try:
        return read()
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer has more digits than Python is ready to convert
        return read(parse_int=_integer)


def first_value_issues(document: object) -> list[Issue]:
    """The issues of `value_issues` as far as anybody counts them; more than `MAX_COUNTED_ISSUES` of them are cut."""
    if _is_faultless(document):
        return []
    return list(islice(value_issues(document), MAX_COUNTED_ISSUES + 1))


def _is_faultless(document: object) -> bool:
    """
    Whether `value_issues` would find nothing, for documents as ordinary as nearly all are; False says nothing.

    Goes down level by level and has native code look at a whole level at once, which takes half of the time of a
    walk from value to value.
    """
    level: list[Any] = [document]
    count = 1
    for _ in range(MAX_DEPTH + 1):
        texts = [value for value in level if type(value) is str]  # most of all, so they are taken out first
        others: list[Any] = [value for value in level if type(value) is not str]
        by_kind: dict[type, list[Any]] = {
            kind: [value for value in others if type(value) is kind] for kind in set(map(type, others))
        }
        objects, lists = by_kind.pop(dict, []), by_kind.pop(list, [])
        if not _are_faultless_texts(texts) or not all(
            kind in _FAULTLESS and _FAULTLESS[kind](found) for kind, found in by_kind.items()
        ):
            return False
        count += sum(map(len, objects)) + sum(map(len, lists))
        if count > MAX_VALUES or not _are_faultless_texts(set(chain.from_iterable(objects))):
            return False
        if not objects and not lists:
            return True
        level = [*chain.from_iterable(map(dict.values, objects)), *chain.from_iterable(lists)]
    return False


def _are_faultless_texts(texts: Collection[Any]) -> bool:
    try:
        whole = "".join(texts)
    except TypeError:  # a key that is no text
        return False
    return (whole.isascii() or whole.isprintable()) and max(map(len, texts), default=0) <= MAX_STRING


_FAULTLESS: Mapping[type, Callable[[list[Any]], bool]] = {
    int: lambda found: min(found) >= -SAFE_INTEGER and max(found) <= SAFE_INTEGER,
    float: lambda found: all(map(isfinite, found)),
    bool: lambda found: True,
    type(None): lambda found: True,
}


def value_issues(document: object) -> Iterator[Issue]:
    """Every value of parsed JSON that breaks a limit. Does not recurse, so no document can exhaust the stack."""
    if not isinstance(document, dict | list | tuple):
        yield from _leaf_issues(document, (), None)
        return
    stack: list[tuple[Any, int, _Path]] = [(document, 1, ())]
    count = 1
    while stack:
        value, depth, path = stack.pop()
        count += len(value)
        if count > MAX_VALUES:
            yield Issue(pointer="", code="too_large", message=f"the document has more than {MAX_VALUES} values")
            return
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            yield Issue(pointer=_pointer(path), code="too_deep", message=message, value=value)
            continue
        if isinstance(value, dict) and not _has_plain_keys(value):
            yield from _key_issues(value, path)
        if _are_plain(value.values() if isinstance(value, dict) else value):
            continue
        inner = []
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, _CONTAINERS):
                inner.append((item, depth + 1, (path, key)))
            elif not _is_plain(item):
                yield from _leaf_issues(item, path, key)
        # Reversed, because the last one in is the first one out and issues come in document order.
        stack.extend(reversed(inner))


def _has_plain_keys(value: dict[Any, Any]) -> bool:
    """Whether all keys of an object are ordinary texts and none was repeated: asked once, in native code."""
    try:
        text = "".join(value)
    except TypeError:
        return False
    return type(value) is dict and text.isascii() and len(text) <= MAX_STRING


def _is_plain(item: object) -> bool:
    """Whether a leaf is so ordinary, as nearly all are, that nothing can be wrong with it; much cheaper than asking."""
    if type(item) is str:
        # Half a surrogate pair is not printable; what else is not has a closer look taken at it.
        return len(item) <= MAX_STRING and (item.isascii() or item.isprintable())
    if type(item) is int:
        return -SAFE_INTEGER <= item <= SAFE_INTEGER
    return item is None or type(item) is bool or (type(item) is float and item - item == 0)


def _are_plain(items: Collection[Any]) -> bool:
    """Whether all of many leaves of one kind are plain; a loop that Python does not have to walk itself."""
    if len(items) < _MANY:
        return False
    kinds = set(map(type, items))
    if kinds == {str}:
        text = "".join(items)
        return max(map(len, items)) <= MAX_STRING and (text.isascii() or text.isprintable())
    if kinds == {int}:
        return bool(min(items) >= -SAFE_INTEGER and max(items) <= SAFE_INTEGER)
    return kinds == {float} and all(map(isfinite, items))


def _decoded(source: bytes | str, max_bytes: int) -> str:
    if len(source) > max_bytes:
        _fail("too_large", f"the document has {len(source)} bytes, at most {max_bytes} are accepted", len(source))
    if isinstance(source, str):
        text = source.removeprefix("\ufeff")
    else:
        try:
            text = bytes(source).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            _fail("bad_utf8", f"byte 0x{byte:02x} at offset {error.start} is not UTF-8", f"0x{byte:02x}")
    if not text.strip():
        _fail("bad_json", "the document is empty", "")
    return text


def _check_amount(text: str) -> None:
    """Refuses a text of too many values before they take memory; counts commas and brackets outside strings."""
    if len(text) <= MAX_VALUES or (text.count(",") <= MAX_VALUES and text.count("[") + text.count("{") <= MAX_VALUES):
        return
    bare = _STRING.sub("", text)
    if bare.count(",") > MAX_VALUES or bare.count("[") + bare.count("{") > MAX_VALUES:
        _fail("too_large", f"the document has more than {MAX_VALUES} values")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    repeated = _Repeated(result)
    seen: set[str] = set()
    repeated.keys_repeated = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return repeated


def _integer(digits: str) -> int:
    return int(digits[:_MAX_DIGITS])


def _key_issues(value: dict[Any, Any], path: _Path) -> Iterator[Issue]:
    for key in value:
        if not isinstance(key, str):
            message = f"a key must be text, got {type(key).__name__}"
            yield Issue(pointer=_pointer(path), code="wrong_type", message=message, value=key)
        elif len(key) > MAX_STRING or not _is_unicode(key):
            # The pointer is the parent's: a pointer with such a key in it could not be sent back.
            yield from (Issue(pointer=_pointer(path), **found) for found in _text_faults(key, "a key"))
    if isinstance(value, _Repeated):
        for key in value.keys_repeated:
            message = f"the key {key[:80]!r} stands more than once in one object"
            yield Issue(pointer=_pointer((path, key)), code="duplicate_key", message=message, value=key)


def _leaf_issues(value: Any, path: _Path, key: object) -> Iterator[Issue]:
    if isinstance(value, str):
        if len(value) <= MAX_STRING and value.isascii():
            return
        faults = list(_text_faults(value, "a text"))
    elif isinstance(value, int) and not -SAFE_INTEGER <= value <= SAFE_INTEGER:
        message = "an integer must lie between -2^53 and 2^53"
        faults = [{"code": "out_of_range", "message": message, "value": value}]
    elif isinstance(value, float) and value - value != 0:
        faults = [{"code": "not_finite", "message": f"a number must be finite, got {value}", "value": value}]
    else:
        return
    here = "" if key is None else _pointer((path, key))
    yield from (Issue(pointer=here, **fault) for fault in faults)


def _text_faults(text: str, what: str) -> Iterator[dict[str, Any]]:
    if len(text) > MAX_STRING:
        message = f"{what} has {len(text)} characters, at most {MAX_STRING} are accepted"
        yield {"code": "too_large", "message": message, "value": text}
    if not _is_unicode(text):
        yield {"code": "bad_unicode", "message": f"{what} holds half a surrogate pair", "value": text}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pointer(path: _Path) -> str:
    steps = []
    while path:
        path, key = path
        steps.append(key)
    return pointer(reversed(steps))


def _fail(code: str, message: str, value: object = None) -> NoReturn:
    raise InputError([Issue(pointer="", code=code, message=message, value=value)])
