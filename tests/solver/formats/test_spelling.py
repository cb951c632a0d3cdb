"""Names are one by Unicode's canonical form and by case; every letter, mark and sign counts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.formats.spelling import Spellings, near, same, word


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C", "C++"),
        ("C++", "C#"),
        ("C", "C#"),
        ("Physics I", "Physics II"),
        ("हिन्दी", "हनद"),  # marks of vowels are letters to those who read them
        ("x²", "x2"),
        ("Año", "Ano"),
        ("Data Structures", "Data, Structures"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u062e\u0648"),
    ],
)
def test_names_that_differ_in_a_letter_a_mark_or_a_sign_are_two(one: str, other: str) -> None:
    assert same(one) != same(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Optics", "OPTICS"),
        ("Straße", "STRASSE"),
        ("Música", unicodedata.normalize("NFD", "MÚSICA")),
        ("  Data \u00a0 Structures ", "data structures"),
        ("Op\u00adtics\u200b", "\ufeffoptics"),
    ],
)
def test_names_that_differ_in_case_composition_or_what_nobody_sees_are_one(one: str, other: str) -> None:
    assert same(one) == same(other)


@given(st.text(max_size=20))
def test_a_name_is_the_same_however_it_is_composed_and_folding_twice_changes_nothing(name: str) -> None:
    assert same(unicodedata.normalize("NFD", name)) == same(unicodedata.normalize("NFC", name)) == same(same(name))


def test_near_names_differ_in_blanks_hyphens_between_letters_and_wide_forms_only() -> None:
    assert near("Cyber Security") == near("Cyber-Security") == near("cybersecurity")
    assert near("\uff23\uff0b\uff0b") == near("c++") != near("C")
    assert near("C -") != near("C")


def test_a_near_name_is_found_only_where_no_name_is_the_same() -> None:
    labels = Spellings([("Cyber Security", "a"), ("Cybersecurity", "b"), ("Web Design", "c"), ("", "d")])
    assert labels.find("cyber security") == ["a"] and labels.find("cybersecurity") == ["b"]
    assert labels.find("Cyber-Security") == ["a", "b"]
    assert labels.exactly("WebDesign") == [] and labels.find("WebDesign") == ["c"]
    assert labels.find("") == [] == labels.find("Optics")


def test_kinds_of_rooms_keep_their_signs() -> None:
    assert word(" Lecture Hall ") == word("lecture-hall") == word("LECTURE_HALL") == "lecture_hall"
    assert len({word("C lab"), word("C++ lab"), word("C# lab")}) == 3
