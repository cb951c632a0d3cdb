"""Every malformed dataset of the corpus is refused with exactly the issue that it has."""

from __future__ import annotations

import json

import pytest

from solver.errors import InputError, Issue
from solver.formats.native import load_dataset
from tests.malformed.corpus import CASES, VALID, VALID_TEXT, Case


def issues_of(body: bytes) -> tuple[Issue, ...]:
    with pytest.raises(InputError) as caught:
        load_dataset(body)
    return caught.value.issues


def test_the_document_that_the_corpus_is_made_from_is_valid() -> None:
    assert load_dataset(VALID_TEXT) == load_dataset(VALID)


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len(CASES) >= 300
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:80])
def test_a_malformed_dataset_is_refused_with_pointer_code_and_value(case: Case) -> None:
    issues = issues_of(case.body)
    assert [(issue.pointer, issue.code) for issue in issues] == [(case.pointer, case.code)]
    value = issues[0].value
    assert value == case.value and isinstance(value, bool) == isinstance(case.value, bool)
    assert issues[0].message and len(issues[0].message) <= 600
    # What is reported can be sent back as strict JSON in UTF-8.
    json.dumps([issues[0].pointer, issues[0].message, value], allow_nan=False, ensure_ascii=False).encode("utf-8")
