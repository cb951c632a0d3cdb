"""Several malformed sections in one document: every fault is reported, and nothing that is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats.native import load_dataset
from tests.malformed.corpus import CHANGES, GONE, VALID, changed

# Where a fault changes what other sections rightly name, or what they are measured against, it speaks for them too.
NAMED_BY_OTHERS = ("/schema", "/time_grid", "/courses", "/rooms", "/faculty", "/groups")
APART = [n for n, change in enumerate(CHANGES) if not change.path.startswith(NAMED_BY_OTHERS)]


def found(document: object) -> set[tuple[str, str]]:
    with pytest.raises(InputError) as raised:
        load_dataset(json.dumps(document))
    return {(issue.pointer, issue.code) for issue in raised.value.issues}


@given(st.lists(st.sampled_from(APART), min_size=2, max_size=5, unique=True))
def test_faults_of_different_sections_do_not_hide_each_other(chosen: list[int]) -> None:
    document, expected = dict(VALID), {}
    for change in (CHANGES[n] for n in chosen):
        section = change.path.split("/")[1].replace("~1", "/").replace("~0", "~")
        spoilt = changed(change.path, change.new)
        document.pop(section, None)
        if section in spoilt:
            document[section] = spoilt[section]
        expected[section] = found(spoilt)
    assert found(document) == set().union(*expected.values())


@pytest.mark.parametrize(
    ("path", "new", "code"),
    [
        ("/rules/²", {"tier": "hard"}, "unknown_rule"),
        ("/travel_minutes/²", 5, "wrong_type"),
        ("/faculty/0/preferences/²", 0.5, "bad_slot"),
        ("/faculty/0/preferences/02", 0.5, "bad_slot"),
    ],
)
def test_a_key_that_looks_like_a_number_but_is_none_is_only_a_key(path: str, new: object, code: str) -> None:
    assert found(changed(path, new)) == {(path, code)}


def test_a_wrong_value_taken_away_leaves_a_sound_document() -> None:
    assert load_dataset(changed("/history", GONE)).history == ()
