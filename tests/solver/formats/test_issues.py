"""What is shown of a bad value is short, and safe to send back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import Issue
from solver.formats.issues import MAX_ISSUES, capped, pointer, shortened

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=300)
    | st.binary(),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(st.characters()), inner, max_size=30),
    max_leaves=60,
)


@given(ANYTHING)
def test_whatever_is_wrong_can_be_shown_as_strict_json(value: Any) -> None:
    text = json.dumps(shortened(value), allow_nan=False, ensure_ascii=False).encode()
    assert len(text) < 100_000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**5000, "a number of 5001 bits"),
        (float("nan"), "nan"),
        ("x" * 300, "x" * 200 + "... (300 characters)"),
        (list(range(25)), [*range(20), "... 5 more"]),
        ([[[["deep"]]]], [[["..."]]]),
        ({str(i): i for i in range(22)}, {**{str(i): i for i in range(20)}, "...": "2 more"}),
        ("\ud800", "\\ud800"),
        ({1}, "{1}"),
    ],
)
def test_a_large_or_odd_value_is_cut_to_what_a_person_recognises(value: Any, shown: Any) -> None:
    assert shortened(value) == shown


def test_a_pointer_escapes_what_rfc_6901_says() -> None:
    assert pointer(["a/b", "m~n", 0, ""]) == "/a~1b/m~0n/0/"


def test_exactly_as_many_issues_as_fit_need_no_last_line() -> None:
    issues = [Issue(pointer=f"/{i}", code="x", message="m") for i in range(MAX_ISSUES)]
    assert capped(issues) == issues
    more = capped([*issues, *issues])
    assert len(more) == MAX_ISSUES and more[-1].value == MAX_ISSUES + 1
