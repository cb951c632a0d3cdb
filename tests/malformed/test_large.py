"""
Large bodies with very many faults: refused after a bounded amount of work, the first faults named and the rest counted.

The work is counted in calls of Python functions, which is the same on every machine and under every load.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from app.processes.intake import read_order
from app.settings import Settings
from solver.errors import InputError
from solver.formats.issues import MAX_ISSUES
from tests.effort import calls_of
from tests.malformed.corpus import VALID

SETTINGS = Settings(data_dir=Path("unused"))
MANY = 50_000
CALLS = 200_000
"""Parsing takes a few calls per object; describing all faults of these bodies took from 250,000 to 1.7 million."""


def course(**fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(VALID["courses"][0]), **fields}


def inline(**parts: Any) -> dict[str, Any]:
    return {"dataset": {**copy.deepcopy(VALID), **parts}}


def ctt(row: str) -> dict[str, Any]:
    head = (
        f"Name: x\nCourses: {MANY}\nRooms: 1\nDays: 5\nPeriods_per_day: 5\nCurricula: 0\nConstraints: 0\n\nCOURSES:\n"
    )
    return {"content": head + row * MANY, "format": "ctt"}


BODIES: dict[str, dict[str, Any]] = {
    "numbers as students": inline(courses=[course(student_ids=[1] * MANY)]),
    "objects as students": inline(courses=[course(student_ids=[{}] * MANY)]),
    "students of many courses": inline(courses=[course(id=f"C{k}", student_ids=[1] * MANY) for k in range(8)]),
    "one student again and again": inline(courses=[course(student_ids=["S"] * MANY)]),
    "texts as fixed sessions": inline(courses=[course(fixed=[{"session": "a", "slot": "b"}] * 5_000)]),
    "members of links": inline(links=[{"type": "not_overlap", "sessions": [[1, "x"]] * 5_000}] * 12),
    "preferences": inline(
        faculty=[{"id": f"f{i}", "preferences": {f"x{j}": 1 for j in range(99)}} for i in range(999)]
    ),
    "rows of a ctt file": ctt("a b c d e\n"),
}


@pytest.mark.parametrize("name", BODIES)
def test_many_faults_cost_no_more_than_those_that_are_listed(name: str) -> None:
    body = json.dumps(BODIES[name], separators=(",", ":")).encode()
    caught: list[InputError] = []

    def refused() -> None:
        with pytest.raises(InputError) as raised:
            read_order(body, SETTINGS)
        caught.append(raised.value)

    assert calls_of(refused) < CALLS
    issues = caught[0].issues
    assert len(issues) == MAX_ISSUES
    assert all(issue.pointer for issue in issues[:-1])
    assert issues[-1].code == "more_issues"
    assert isinstance(issues[-1].value, int) and issues[-1].value > 100


def test_faults_beyond_the_listed_ones_are_counted() -> None:
    body = json.dumps(inline(courses=[course(student_ids=[1] * MANY)])).encode()
    with pytest.raises(InputError) as raised:
        read_order(body, SETTINGS)
    last = raised.value.issues[-1]
    assert last.value == MANY - MAX_ISSUES + 1
    assert last.message == f"and at least {last.value} more problems"


def test_a_few_faults_at_the_end_of_a_long_list_are_all_named() -> None:
    students: list[Any] = [f"S{n}" for n in range(MANY)]
    students[7], students[-1] = 7, None
    with pytest.raises(InputError) as raised:
        read_order(json.dumps(inline(courses=[course(student_ids=students), *VALID["courses"][1:]])).encode(), SETTINGS)
    assert [issue.pointer for issue in raised.value.issues] == [
        "/dataset/courses/0/student_ids/7",
        f"/dataset/courses/0/student_ids/{MANY - 1}",
    ]
