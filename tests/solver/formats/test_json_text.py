"""JSON from strangers: the same data as any parser gives, or every reason why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats.json_text import MAX_DEPTH, MAX_STRING, _is_faultless, first_value_issues, parse_json, value_issues
from tests.effort import grows_with_its_input

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def issues(source: bytes | str, **limits: int) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        parse_json(source, **limits)
    return [(issue.pointer, issue.code) for issue in caught.value.issues]


@given(JSON)
def test_honest_json_is_read_as_the_standard_parser_reads_it(value: Any) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        assert parse_json(text) == value
        assert parse_json(text.encode()) == value
        assert parse_json(text.encode("utf-8-sig")) == value


FAULTS = st.sampled_from([float("nan"), float("inf"), 2**53 + 1, -(2**60), "\ud800", "x" * (MAX_STRING + 1)])
ODD = st.recursive(
    FAULTS | JSON, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("\udc00"), inner), max_leaves=9
)


@given(ODD | JSON)
def test_a_look_at_whole_levels_misses_no_fault(value: Any) -> None:
    found = list(value_issues(value))
    assert first_value_issues(value) == found
    assert not (_is_faultless(value) and found)


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_a_look_at_whole_levels_knows_the_deepest_that_may_be(depth: int) -> None:
    document: Any = {}
    for _ in range(depth - 1):
        document = [document]
    assert _is_faultless(document) == (depth <= MAX_DEPTH)
    assert bool(list(value_issues(document))) == (depth > MAX_DEPTH)


def test_every_fault_of_a_text_is_reported_at_once_with_its_place() -> None:
    text = '{"a": [NaN, {"b~": 1, "b~": 2}], "c/d": 9007199254740993, "e": "\\ud800", "f": [[-1e999]]}'
    assert sorted(issues(text)) == [
        ("/a/0", "not_finite"),
        ("/a/1/b~0", "duplicate_key"),
        ("/c~1d", "out_of_range"),
        ("/e", "bad_unicode"),
        ("/f/0/0", "not_finite"),
    ]


def test_a_broken_text_names_line_and_column() -> None:
    with pytest.raises(InputError, match="line 3, column 8"):
        parse_json('{\n"a": 1,\n  "b": ,\n}')


def test_the_limits_are_met_exactly() -> None:
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert issues("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == [("/0" * MAX_DEPTH, "too_deep")]
    assert parse_json(json.dumps("x" * MAX_STRING))
    assert issues(json.dumps("x" * (MAX_STRING + 1))) == [("", "too_large")]
    assert issues(json.dumps({"x" * (MAX_STRING + 1): 1})) == [("", "too_large")]
    assert parse_json(str(2**53)) == 2**53
    assert issues(str(-(2**53) - 1)) == [("", "out_of_range")]
    assert parse_json(b"[1,2]", max_bytes=5) == [1, 2]
    assert issues(b"[1,2]", max_bytes=4) == [("", "too_large")]


def test_commas_and_brackets_inside_texts_count_for_nothing() -> None:
    texts = [",[{" * 20_000] * 60
    assert parse_json(json.dumps(texts)) == texts


@pytest.mark.parametrize(
    "text_of",
    [
        lambda million: "[" + "[]," * (3 * million) + "[]]",
        lambda million: "[" + "0," * (3 * million) + "0]",
        lambda million: '{"a":' * (3 * million),
        lambda million: "[" * (10 * million),
        lambda million: '"' + '\\"' * (5 * million),
        lambda million: '["' + "\\" * (10 * million - 1),
        lambda million: "[" + '"",' * (3 * million) + '""]',
        lambda million: "9" * (10 * million),
        lambda million: "-" * (10 * million),
    ],
    ids=["lists", "numbers", "objects", "depth", "quotes", "backslashes", "texts", "digits", "minuses"],
)
def test_a_bomb_is_refused_with_work_that_grows_with_it(text_of: Callable[[int], str]) -> None:
    def work_of(million: int) -> Callable[[], None]:
        text = text_of(million)

        def refused() -> None:
            assert issues(text)

        return refused

    assert grows_with_its_input(work_of, 2_800_000)  # a quarter of which is more than is let in


def test_parsed_data_is_held_to_the_same_limits_even_where_it_contains_itself() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert [issue.code for issue in value_issues(ring)] == ["too_deep"]
    assert [issue.code for issue in value_issues({1: 2})] == ["wrong_type"]
    assert [issue.pointer for issue in value_issues({"a": (float("nan"), 10**5000)})] == ["/a/0", "/a/1"]
