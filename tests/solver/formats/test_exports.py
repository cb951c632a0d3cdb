"""What can be asked of an export, whoever writes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from solver.dates import Term
from solver.errors import InputError
from solver.formats.exports import EXPORTS, check_wanted, export, read_wanted
from solver.formats.meetings import KINDS, Kind, Of, Week, Weeks
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, group, timetable
from tests.solver.formats.exported import TERM, made


def test_a_week_holds_the_sessions_of_its_owner_and_no_others(college: tuple[Dataset, Timetable], week: Week) -> None:
    data, table = college
    owners = {"group": "group_ids", "teacher": "faculty_ids", "student": "student_ids"}
    expected = {
        p.key
        for p in table.placements
        if (
            p.room_id == week.of.id
            if week.of.kind == "room"
            else week.of.id in getattr(data.course[p.course_id], owners[week.of.kind])
        )
    }
    assert {(m.course_id, m.session) for m in week.meetings} == expected != set()


@pytest.mark.parametrize("format", [name for name, row in EXPORTS.items() if not row.whole])
@pytest.mark.parametrize("kind", KINDS)
def test_an_owner_that_the_dataset_does_not_have_is_named(format: str, kind: Kind) -> None:
    with pytest.raises(InputError) as raised:
        made(dataset(course("a")), timetable(a=0), format, **TERM, **{kind: "nobody"})
    (issue,) = raised.value.issues
    assert (issue.pointer, issue.code, issue.value) == (f"/{kind}", "unknown_id", "nobody")


@pytest.mark.parametrize(
    ("format", "asked", "found"),
    [
        ("csv", {"group": "a", "room": "b"}, {("/room", "too_many")}),
        ("ctt", {"group": "a"}, {("/group", "not_applicable")}),
        ("svg", {}, {("/group", "missing")}),
        ("ics", {"term_start": "2026-09-01"}, {("/term_end", "missing")}),
        ("ics", {"term_end": "2026-09-01"}, {("/term_start", "missing")}),
        ("ics", {**TERM, "term_end": "2026-08-01"}, {("/term_end", "out_of_range")}),
        ("ics", {**TERM, "term_end": "2028-08-01"}, {("/term_end", "out_of_range")}),
        ("ics", {**TERM, "term_start": "today"}, {("/term_start", "bad_value")}),
        ("ics", {**TERM, "term_start": "0001-01-01"}, {("/term_start", "bad_value")}),
        ("ics", {**TERM, "time_zone": "Mars/Olympus"}, {("/time_zone", "bad_value")}),
        ("ics", {**TERM, "time_zone": "../../etc/passwd"}, {("/time_zone", "bad_value")}),
        ("ics", {**TERM, "time_zone": "America"}, {("/time_zone", "bad_value")}),
        ("ics", {**TERM, "skip": "2026-10-02,2026-02-30"}, {("/skip", "bad_value")}),
        ("ics", {**TERM, "skip": "2026-10-02," * 401}, {("/skip", "too_large")}),
    ],
)
def test_what_cannot_be_asked_is_refused_under_its_name(
    format: str, asked: dict[str, str], found: set[tuple[str, str]]
) -> None:
    with pytest.raises(InputError) as raised:
        read_wanted(format, asked)
    assert {(issue.pointer, issue.code) for issue in raised.value.issues} == found


@pytest.mark.parametrize("term", [None, Term(weeks=4)])
def test_a_calendar_needs_dates_where_the_dataset_has_none(term: Term | None) -> None:
    data = replace(dataset(course("a")), term=term)
    undated, dated = read_wanted("ics", {}), read_wanted("ics", TERM)
    for known in (data, None):
        with pytest.raises(InputError) as raised:
            check_wanted(known, "ics", undated)
        assert {issue.pointer for issue in raised.value.issues} == {"/term_start", "/term_end"}
        check_wanted(known, "ics", dated)
        check_wanted(known, "csv", undated)
    with pytest.raises(InputError, match="because its term has no dates"):
        export(data, timetable(a=0), "ics", undated)


def test_a_week_is_known_by_its_owner() -> None:
    data = dataset(course("a", groups="g", faculty="f"), group("g", name="CSE"))
    assert Weeks(data, timetable(a=0)).week(Of(kind="group", id="g")).title == "CSE (g)"


def test_no_week_is_written_of_a_group_of_which_nothing_is_known_and_who_is_taught_is_told_without_one() -> None:
    data = dataset(course("a", groups="g"), course("b", students=["s1", "s2"], faculty="f"), group("idle", name="Idle"))
    weeks = {week.of.id: week for week in Weeks(data, timetable(a=0, b=1)).weeks()}
    assert "g" in weeks and "idle" not in weeks
    assert weeks["f"].meetings[0].groups == ("2 students",)
    page = made(data, timetable(a=0, b=1), "html").decode()
    assert "Idle" not in page and "2 students" in page
