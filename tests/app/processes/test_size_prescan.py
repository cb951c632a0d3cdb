from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.processes.size_prescan import FEW, check_amount
from app.settings import Settings
from solver.errors import InputError

SETTINGS = Settings(data_dir=Path("unused"), max_json_values=1_000, max_json_lists=1_000)
MANY = FEW + 1


def codes(body: bytes) -> set[str]:
    try:
        check_amount(body, SETTINGS)
    except InputError as error:
        return {issue.code for issue in error.issues}
    return set()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" + b",".join([b"1"] * 1_001) + b"]", "too_large"),
        (b"[" + b",".join([b"[]"] * 1_001) + b"]", "too_large"),
        (b"[" * 1_001, "too_large"),
        (b"[" + b",".join([b"NaN"] * MANY) + b"]", "not_finite"),
        (b"[" + b",".join([b"-Infinity"] * MANY) + b"]", "not_finite"),
        (b'"' + b"\\ud800" * MANY + b'"', "bad_unicode"),
        (b'"' + b"\\uDFFF" * MANY + b'"', "bad_unicode"),
        (b'"' + b"\\ud800\\ud800\\udc00\\udc00" * MANY + b'"', "bad_unicode"),
    ],
)
def test_more_than_an_honest_body_holds_is_refused_unread(body: bytes, code: str) -> None:
    assert codes(body) == {code}


@pytest.mark.parametrize(
    "text",
    [",[{" * 2_000, "NaN Infinity " * 500, "\U0001f600" * 500, '"' * 2_000, "\\" * 2_001, "\\ud800" * 500],
)
def test_a_text_may_hold_anything(text: str) -> None:
    assert codes(json.dumps([text]).encode()) == set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=50,
)


@settings(max_examples=50)
@given(JSON)
def test_no_ordinary_document_is_refused(document: object) -> None:
    assert codes(json.dumps(document).encode()) == codes(json.dumps(document, ensure_ascii=False).encode()) == set()
