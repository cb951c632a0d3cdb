"""A result in pieces: weeks, loads, differences, and why a session stands where it stands."""

from __future__ import annotations

import pytest

from app.views.entries import Entries
from app.views.flags import conflicts_of
from app.views.insights import difference_view, load_view, session_view
from app.views.weeks import WEEKS_OF, WeekOf, students_view, week_view, who_view
from solver.model import Dataset, Placement, Timetable
from solver.result import Quality, Variant
from solver.samples import planted, sample
from solver.verify import verify
from tests.builders import course, dataset, group, room, teacher


def variant(data: Dataset, timetable: Timetable) -> Variant:
    report = verify(data, timetable)
    return Variant(
        name="balanced",
        label="Balanced",
        timetable=timetable,
        report=report,
        rung="full",
        quality=Quality.FEASIBLE,
    )


@pytest.fixture(scope="module")
def college() -> tuple[Dataset, Variant]:
    data = sample("tiny")
    return data, variant(data, planted("tiny"))


def owners(data: Dataset, of: WeekOf) -> list[str]:
    lists = {"group": data.groups, "teacher": data.faculty, "room": data.rooms}
    return list(data.student_ids) if of == "student" else [one.id for one in lists[of]]


@pytest.mark.parametrize("of", WEEKS_OF)
def test_a_week_has_the_sessions_of_its_owner_and_no_others(college: tuple[Dataset, Variant], of: WeekOf) -> None:
    data, found = college
    everything = Entries(data).of(found.timetable, found.report)
    theirs = {
        "group": lambda entry, id: id in entry["batch_ids"],
        "teacher": lambda entry, id: id in entry["faculty_ids"],
        "room": lambda entry, id: entry["room_id"] == id,
        "student": lambda entry, id: id in data.course[entry["course_id"]].student_ids,
    }[of]
    shown = 0
    for id in owners(data, of)[:20]:
        week = week_view(data, found, of, id)
        assert week is not None
        assert week["entries"] == [entry for entry in everything if theirs(entry, id)]
        shown += len(week["entries"])  # type: ignore[arg-type]
    assert shown


def test_departments_part_the_entries_and_show_their_breaches_with_other_departments() -> None:
    shared = dataset(
        course("a", faculty="f1", department_id="D1"),
        course("b", faculty="f1", department_id="D2"),
        course("c", faculty="f2", department_id="D2"),
    )
    room_id = shared.rooms[0].id
    at = Timetable(placements=tuple(Placement(course_id=c, session=0, slot=s, room_id=room_id) for c, s in AT))
    report, entries = verify(shared, at), Entries(shared)
    conflicts = conflicts_of(shared, at, report)
    parts = {
        id: entries.rows(entries.of_department(id, at.placements), conflicts, students=False)
        for id in ("D1", "D2", "D3")
    }
    assert [entry["course_id"] for entry in parts["D1"]] == ["a"] and parts["D3"] == []
    assert {entry["course_id"]: entry["has_conflict"] for entry in parts["D2"]} == {"b": True, "c": False}
    assert parts["D1"][0] in entries.of(at, report)


AT = (("a", 0), ("b", 0), ("c", 5))


@pytest.mark.parametrize("of", WEEKS_OF)
def test_nobody_has_the_week_of_an_unknown_id(college: tuple[Dataset, Variant], of: WeekOf) -> None:
    assert week_view(*college, of, "nobody") is None


def test_a_week_names_the_sessions_that_have_no_place(college: tuple[Dataset, Variant]) -> None:
    data, found = college
    gone = found.timetable.placements[0]
    partly = variant(data, Timetable(placements=found.timetable.placements[1:]))
    week = week_view(data, partly, "teacher", data.course[gone.course_id].faculty_ids[0])
    assert week is not None
    assert [(one["course_id"], one["session"]) for one in week["open"]] == [gone.key]  # type: ignore[attr-defined]


def test_everybody_can_be_chosen_and_students_are_searched(college: tuple[Dataset, Variant]) -> None:
    data, _ = college
    who = who_view(data)
    for of in ("group", "teacher", "room"):
        assert [row[0] for row in who[of]] == owners(data, of)  # type: ignore[attr-defined, arg-type]
    some = data.student_ids[7]
    found = students_view(data, some.lower(), 5)
    assert found["students"][0][0] == some and found["total"] == len(data.student_ids)  # type: ignore[index]
    assert len(students_view(data, "", 5)["students"]) == 5  # type: ignore[arg-type]


def test_a_group_of_which_nothing_is_known_is_not_offered() -> None:
    data = dataset(course("a", groups="taught", students="s"), course("b", students="s"), group("idle"))
    assert [row[0] for row in who_view(data)["group"]] == ["taught"]  # type: ignore[attr-defined]


def small() -> Dataset:
    """Two courses of one teacher, who is away in slot 3; one room is closed in slot 0."""
    return dataset(
        course("a", faculty="f", groups="g", sessions=1),
        course("b", faculty="f", groups="g", sessions=1),
        teacher("f", unavailable=(3,)),
        room("r", unavailable=(0,)),
        room("q"),
    )


def placed(*places: tuple[str, int, str]) -> Timetable:
    return Timetable(placements=tuple(Placement(course_id=c, session=0, slot=s, room_id=r) for c, s, r in places))


def test_the_load_says_for_each_slot_whether_it_is_used_free_or_closed() -> None:
    data = small()
    load = load_view(data, placed(("a", 1, "r"), ("b", 2, "r")))
    rooms = {row[0]: row[-1] for row in load["rooms"]}  # type: ignore[attr-defined]
    (teacher_row,) = load["teachers"]  # type: ignore[misc]
    assert rooms["r"].startswith("x110") and set(rooms["q"]) == {"0"}
    assert teacher_row[-1].startswith("011x")
    assert load["sessions"][:3] == [0, 1, 1]  # type: ignore[index]


def test_the_fullest_room_comes_first_by_the_share_of_its_open_slots_that_is_shown() -> None:
    data = dataset(*(course(id, sessions=1) for id in "abc"), room("wide"), room("narrow", unavailable=range(1, 20)))
    load = load_view(data, placed(("a", 0, "narrow"), ("b", 0, "wide"), ("c", 1, "wide")))
    assert [row[0] for row in load["rooms"]] == ["narrow", "wide"]  # type: ignore[attr-defined]


def test_a_difference_names_what_moved_and_how() -> None:
    data = small()
    here = variant(data, placed(("a", 1, "r"), ("b", 2, "r")))
    moved = variant(data, placed(("a", 4, "r"), ("b", 2, "q")))
    view = difference_view(data, here, moved)
    assert view["counts"] == {"same": 0, "time": 1, "room": 1, "placed": 0}
    assert [(row[0], row[3:]) for row in view["rows"]] == [  # type: ignore[attr-defined]
        ("a", ["time", 1, "r", 4, "r"]),
        ("b", ["room", 2, "r", 2, "q"]),
    ]
    assert difference_view(data, here, here)["rows"] == []
    partial = difference_view(data, here, variant(data, placed(("a", 1, "r"))))
    assert [row[3:] for row in partial["rows"]] == [["placed", 2, "r", None, None]]  # type: ignore[attr-defined]


def test_a_session_is_told_what_it_breaks_and_what_keeps_it_from_elsewhere() -> None:
    data = small()
    told = session_view(data, variant(data, placed(("a", 3, "r"), ("b", 2, "r"))), ("a", 0))
    assert told is not None
    broken = told["broken"]
    assert [one["rule"] for one in broken if one["tier"] == "hard"] == ["faculty_unavailable"]  # type: ignore[attr-defined]
    starts = told["starts"]
    assert "teacher f is busy or away" in starts[2] and "teacher f is busy or away" in starts[3]  # type: ignore[index]
    assert starts[0] is None, "room q is open there"  # type: ignore[index]
    assert len(starts) == data.time_grid.num_slots  # type: ignore[arg-type]


def test_there_is_nothing_to_tell_of_a_session_that_does_not_exist() -> None:
    data = small()
    found = variant(data, placed(("a", 1, "r")))
    assert session_view(data, found, ("a", 1)) is None and session_view(data, found, ("z", 0)) is None
    open_one = session_view(data, found, ("b", 0))
    assert open_one is not None and open_one["entry"] is None
