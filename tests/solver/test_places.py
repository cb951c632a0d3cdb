"""Sessions in no room, in several, in a shared hall, in rooms by name: from documents to timetables and their files."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from app.views.entries import Entries
from app.views.insights import load_view
from app.views.weeks import week_view
from solver import SolveParams, solve
from solver.compiled import NO_LIMIT, compile_dataset, decode, encode
from solver.diagnose import blockers, diagnose, repairs
from solver.errors import InputError
from solver.formats.csv_export import dump_csv
from solver.formats.meetings import Weeks
from solver.formats.native import dump_dataset, dump_timetable, load_dataset, load_timetable
from solver.model import Dataset, Placement, Timetable
from solver.places import MOST_IN_ALL, places_of
from solver.result import Result
from solver.verify import verify
from tests.builders import course, dataset, grid, link, part, room, timetable
from tests.cases import case

ONE_SLOT = grid(days=1, periods=1)
GYM = room("GYM", 60, type="gym", sessions_at_once=2)
ONLINE = course("o", rooms_needed=0, size=500)
EXAM = course("x", rooms_needed=2, size=70)


def solved(data: Dataset, seconds: float = 3) -> Result:
    return solve(data, SolveParams(time_limit_seconds=seconds, num_variants=1))


def refused(document: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as error:
        load_dataset(document)
    return [(issue.pointer, issue.code) for issue in error.value.issues]


# --- where sessions may stand ----------------------------------------------------------------------------------------


def test_places_are_the_rooms_then_none_then_sets_where_somebody_asks_for_such() -> None:
    rooms = (room("r1", 30), room("r2", 40), room("r3", 20))
    assert [place.ids for place in dataset(course("a"), *rooms).places] == [("r1",), ("r2",), ("r3",)]
    data = dataset(course("a"), EXAM, ONLINE, *rooms)
    found = [place.ids for place in data.places]
    assert found == [("r1",), ("r2",), ("r3",), (), ("r1", "r2"), ("r2", "r3"), ("r1", "r3")], "enough seats come first"
    assert [place.seats for place in data.places[3:5]] == [0, 70]


def test_sets_of_rooms_are_of_one_building_and_no_larger_than_they_have_to_be() -> None:
    rooms = [room(f"{b}{n}", seats, building=b) for b in "AB" for n, seats in enumerate((40, 40, 200))]
    first = dataset(course("a", rooms_needed=2, size=80), *rooms).places[len(rooms)]
    assert first.seats == 80 and len({each.building for each in first.rooms}) == 1


def test_sets_of_rooms_stay_few_however_many_ask_for_them() -> None:
    rooms = [room(f"r{n}", 20 + n) for n in range(60)]
    data = dataset(*(course(f"c{n}", rooms_needed=3, size=60 + n) for n in range(40)), *rooms)
    assert len(data.places) <= len(rooms) + MOST_IN_ALL
    fixed = course("f", rooms_needed=2, size=9, fixed=[(0, 0, "r59", "r3")])
    assert ("r3", "r59") in dataset(fixed, *rooms).place_number, "whatever somebody has fixed is offered"


def test_a_place_has_the_limit_the_seats_and_the_building_of_its_rooms() -> None:
    data = dataset(
        ONLINE, EXAM, room("r1", 30, building="A", unavailable=[1]), replace(GYM, building="B"), grid=grid(1, 2)
    )
    compiled = compile_dataset(data)
    assert (compiled.num_rooms, compiled.num_places) == (3, 4)
    assert compiled.room_limit.tolist() == [[1, 0], [2, 2], [NO_LIMIT, NO_LIMIT]]
    assert compiled.room_seats.tolist() == [30, 60, 0, 90]
    assert compiled.room_building.tolist() == [1, 2, 3, 1]
    assert compiled.place_room.tolist() == [0, 1, 2, 0, 1]
    assert compiled.place_offered.tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert compiled.seats.tolist() == [0, 70]


def test_arrays_hold_sessions_of_any_number_of_rooms() -> None:
    data = dataset(ONLINE, EXAM, course("a"), room("r1"), room("r2"))
    table = timetable(o=(0, None), x=(1, "r2", "r1"), a=(2, "r2"))
    there_and_back = decode(*encode(table, data), data)
    assert {p.key: (p.slot, p.room_ids) for p in there_and_back.placements} == {
        ("o", 0): (0, ()),
        ("x", 0): (1, ("r1", "r2")),
        ("a", 0): (2, ("r2",)),
    }
    wrong = timetable(o=(0, "r1"), x=(1, "r1"), a=(2, None))
    assert encode(wrong, data)[0].tolist() == [-1, -1, -1], "what has too many or too few rooms stays unplaced"


def test_a_session_in_too_many_or_too_few_rooms_is_told() -> None:
    data = dataset(ONLINE, EXAM, course("a"), room("r1"), room("r2"))
    with pytest.raises(InputError) as error:
        verify(data, timetable(o=(0, "r1"), x=(1, "r1"), a=(2, None)))
    assert [(issue.pointer, issue.code) for issue in error.value.issues] == [
        (f"/placements/{n}/room_id", "wrong_rooms") for n in range(3)
    ]
    assert "takes no room" in error.value.issues[0].message and "takes 2 rooms" in error.value.issues[1].message


# --- documents -------------------------------------------------------------------------------------------------------


def test_what_is_said_of_rooms_is_read_and_written() -> None:
    data = dataset(
        course("a", rooms={"r1": 0, "r2": 5}, room_penalties={"r1": 2, "h": None}),
        replace(EXAM, fixed=course("x", fixed=[(0, 0, "r1", "r2")]).fixed),
        ONLINE,
        room("r1"),
        room("r2"),
        room("h", sessions_at_once=3),
    )
    document = dump_dataset(data)
    assert document["schema"] == "timetable-dataset/2"
    assert document["courses"][0]["rooms"] == [{"room": "r1", "penalty": 0}, {"room": "r2", "penalty": 5}]
    assert document["courses"][0]["room_penalties"] == {"r1": 2, "h": "prohibited"}
    assert document["rooms"][2]["sessions_at_once"] == 3
    assert load_dataset(json.loads(json.dumps(document))) == data


def test_penalties_may_be_words() -> None:
    document = dump_dataset(dataset(course("a", rooms={"r1": 0}), room("r1"), room("r2")))
    document["courses"][0] |= {
        "rooms": [{"room": "r1", "penalty": "strongly_discouraged"}, {"room": "r2"}],
        "room_penalties": {"r1": "discouraged", "r2": "preferred"},
    }
    (read,) = load_dataset(document).courses
    assert (read.rooms, read.room_penalties) == ({"r1": 5, "r2": 0}, {"r1": 2, "r2": 0})


def test_starts_by_name_are_read_and_written() -> None:
    data = dataset(
        course("a", times={0: 0, 5: 3}, time_penalties={0: 2, 7: None}, parts=(part(), part("lab", times={1: 0})))
    )
    document = dump_dataset(data)
    assert document["courses"][0]["times"] == [
        {"at": "Monday 08:00", "penalty": 0},
        {"at": "Tuesday 09:00", "penalty": 3},
    ]
    assert document["courses"][0]["time_penalties"] == {"Monday 08:00": 2, "Tuesday 11:00": "prohibited"}
    assert document["courses"][0]["parts"][1]["times"] == [{"at": "Monday 09:00", "penalty": 0}]
    assert load_dataset(json.loads(json.dumps(document))) == data
    document["courses"][0]["times"] = [{"at": 0, "penalty": "discouraged"}, {"at": 99}]
    document["courses"][0]["time_penalties"] = {"1": 10**6}
    assert refused(document) == [
        ("/courses/0/times/99", "bad_slot"),
        ("/courses/0/time_penalties/1", "out_of_range"),
    ]
    document["courses"][0]["time_penalties"] = {"Noonday 3": 1}
    assert any(pointer.startswith("/courses/0/time_penalties") for pointer, _ in refused(document))


def test_preferred_times_are_taken_and_prohibited_ones_never() -> None:
    wishes = {"times": {0: 5, 1: 0, 2: 0, 3: 0}, "time_penalties": {2: 3, 3: None}}
    data = dataset(course("a", **wishes), rules={"context": "off"}, grid=grid(1, 4))
    best = solved(data).best
    assert [p.slot for p in best.timetable.placements] == [1]
    assert best.report.counts["time_penalty"] == 0
    nowhere = dataset(course("a", times={1: 0}, time_penalties={1: None}), grid=grid(1, 4))
    assert [proof.code for proof in diagnose(nowhere)] == ["no_start"]


def test_every_word_about_rooms_belongs_to_the_second_schema() -> None:
    for data in (
        dataset(ONLINE, room("r1")),
        dataset(course("a"), GYM),
        dataset(course("a", rooms={"r1": 0}), room("r1")),
        dataset(course("a", room_penalties={"r1": 1}), room("r1")),
    ):
        document = dump_dataset(data)
        assert document["schema"] == "timetable-dataset/2"
        ((_, code),) = refused({**document, "schema": "timetable-dataset/1"})
        assert code == "newer_field"


def test_what_is_wrong_with_rooms_is_told_where_it_stands() -> None:
    document = dump_dataset(dataset(course("a"), course("b"), room("r1"), room("r2"))) | {
        "schema": "timetable-dataset/2"
    }
    document["rooms"][0]["sessions_at_once"] = 0
    document["courses"][0] |= {"rooms": [{"room": "r9"}], "room_penalties": {"r1": 10**9}, "rooms_needed": 3}
    document["courses"][1] |= {"rooms_needed": 2, "fixed": [{"session": 0, "slot": 0, "room_id": "r1"}]}
    assert refused(document) == [
        ("/rooms/0/sessions_at_once", "out_of_range"),
        ("/courses/0/rooms/r9", "dangling_id"),
        ("/courses/0/room_penalties/r1", "out_of_range"),
        ("/courses/0/rooms_needed", "out_of_range"),
        ("/courses/1/fixed/0/room_id", "wrong_rooms"),
    ]
    document["courses"][0]["rooms"] = [{"room": "r1"}, {"room": "r1"}]
    assert ("/courses/0/rooms", "bad_value") in refused(document) or any(
        pointer.startswith("/courses/0/rooms") for pointer, _ in refused(document)
    )


def test_rooms_may_be_left_out_where_nobody_needs_one_and_only_there() -> None:
    document = dump_dataset(dataset(ONLINE, room("r1"))) | {"rooms": []}
    assert load_dataset(document).rooms == ()
    document["courses"][0]["rooms_needed"] = 1
    assert refused(document) == [("/rooms", "empty")]


def test_timetables_name_every_room_or_none() -> None:
    table = timetable(o=(0, None), x=(1, "r2", "r1"))
    document = dump_timetable(table)
    assert [(row["room_id"], row.get("more_rooms")) for row in document["placements"]] == [(None, None), ("r2", ["r1"])]
    assert load_timetable(json.loads(json.dumps(document))) == table


# --- solving ---------------------------------------------------------------------------------------------------------


def test_two_classes_share_a_hall_and_a_third_one_does_not() -> None:
    classes = [course(f"c{n}", groups=f"g{n}", size=25, types="gym") for n in range(3)]
    assert solved(dataset(*classes[:2], GYM, grid=ONE_SLOT)).best.rung == "full"
    (proof,) = diagnose(dataset(*classes, GYM, grid=ONE_SLOT))
    assert proof.code == "room_supply" and (proof.needed, proof.available) == (3, 2)
    assert solved(dataset(*classes, GYM, grid=grid(1, 2))).best.rung == "full"


def test_without_any_room_courses_that_need_none_are_solved() -> None:
    data = Dataset(rooms=(), courses=(replace(ONLINE, sessions_per_week=3),), time_grid=grid(1, 3))
    best = solved(data).best
    assert best.rung == "full"
    assert {p.room_ids for p in best.timetable.placements} == {()}


def test_an_examination_takes_two_rooms_and_nobody_else_is_in_them() -> None:
    others = [course(f"c{n}", size=30) for n in range(4)]
    data = dataset(replace(EXAM, session_slots=2), *others, room("r1", 40), room("r2", 30), grid=grid(1, 4))
    best = solved(data).best
    assert best.rung == "full"
    exam = best.timetable.by_session["x", 0]
    assert set(exam.room_ids) == {"r1", "r2"}
    during = range(exam.slot, exam.slot + 2)
    assert not [p for p in best.timetable.placements if p.course_id != "x" and p.slot in during]


def test_preferred_rooms_are_taken_where_they_are_free() -> None:
    choosy = [course(f"c{n}", faculty="f", room_penalties={"r1": 3, "r2": None}) for n in range(3)]
    data = dataset(
        *choosy, room("r1"), room("r2"), room("r3"), grid=grid(1, 4), rules={"context": "off", "room_waste": "off"}
    )
    best = solved(data).best
    assert {p.room_id for p in best.timetable.placements} == {"r3"}
    assert best.report.counts["room_penalty"] == 0


def test_the_work_list_finds_places_of_every_kind() -> None:
    data = dataset(ONLINE, EXAM, course("a"), course("b"), room("r1", 40), room("r2", 30), grid=grid(1, 2))
    table = timetable(a=(0, "r1"), b=(1, "r2"))
    (found, *_) = repairs(data, table, ("o", 0))
    assert found.room_ids == () and "in no room" in found.sentence
    assert "no suitable room is free" in " ".join(blockers(data, table, ("x", 0)))
    found = repairs(data, timetable(a=(0, "r1")), ("x", 0))[0]
    assert set(found.room_ids) == {"r1", "r2"} and "rooms r1 and r2" in found.sentence
    shared = dataset(course("a"), course("b"), course("c"), GYM, grid=ONE_SLOT)
    assert repairs(shared, timetable(a=(0, "GYM")), ("b", 0))[0].room_id == "GYM"
    assert not repairs(shared, timetable(a=(0, "GYM"), b=(0, "GYM")), ("c", 0))


def test_proofs_know_rooms_by_name_and_in_number() -> None:
    banned = dataset(course("a", room_penalties={"r1": None}), room("r1"))
    assert [proof.code for proof in diagnose(banned)] == ["no_room"]
    small = dataset(replace(EXAM, expected_students=90), room("r1", 40), room("r2", 30))
    (proof,) = diagnose(small)
    assert "in 2 rooms at once, but no 2 rooms of that kind have so many seats" in proof.sentence
    together = dataset(course("a"), course("b"), GYM, link("same_start", "a", "b"), grid=ONE_SLOT)
    assert diagnose(together) == ()


# --- files and the page ----------------------------------------------------------------------------------------------


def test_files_and_entries_tell_no_room_and_several() -> None:
    data = dataset(replace(ONLINE, code="ON1"), EXAM, room("r1", 30, name="LH 1"), room("r2", 40, name="LH 2"))
    table = timetable(o=(0, None), x=(1, "r2", "r1"))
    rows = list(csv.DictReader(io.StringIO(dump_csv(data, table), newline="")))
    assert [row["room"] for row in rows] == ["no room", "LH 1; LH 2"]
    assert [meeting.place for meeting in Weeks(data, table).meetings] == ["no room", "LH 1, LH 2"]
    online, exam = Entries(data).of(table, verify(data, table))
    assert (online["room_id"], online["room_number"], online["room_capacity"]) == (None, "no room", 0)
    assert (exam["room_id"], exam["room_number"], exam["room_capacity"]) == ("r1", "LH 1, LH 2", 70)
    (row, _) = Entries(data).rows(table.placements, {}, students=False)
    assert row["room_number"] == "no room (ON1)", "the platform takes equal ones at one time for a double booking"
    used = {each[0]: each[-1] for each in load_view(data, table)["rooms"]}  # type: ignore[attr-defined]
    assert used["r1"][:3] == used["r2"][:3] == "010"


def test_the_week_of_a_room_has_the_sessions_that_take_it_among_others() -> None:
    data = dataset(EXAM, room("r1", 40), room("r2", 30))
    variant = solved(data, 2).best
    for id in ("r1", "r2"):
        view = week_view(data, variant, "room", id)
        assert view is not None and len(view["entries"]) == 1  # type: ignore[arg-type]


# --- what people have asked for --------------------------------------------------------------------------------------


def wish(name: str) -> dict[str, Any]:
    """A report of something that could not be said, to be said in the second schema."""
    return {**json.loads(case(f"cannot_express/{name}.json")), "schema": "timetable-dataset/2"}


def test_a_course_without_any_room_can_be_said() -> None:
    document = wish("no_rooms_online_only")
    document["courses"][0]["rooms_needed"] = 0
    best = solved(load_dataset(document)).best
    assert best.rung == "full" and best.timetable.placements[0].room_id is None


def test_a_lecture_never_meets_online_by_chance() -> None:
    document = wish("online_place_given_to_lecture")
    document["rooms"] = [each for each in document["rooms"] if each["id"] != "ONLINE"]
    lecture, online = document["courses"]
    online["rooms_needed"] = 0
    placed = solved(load_dataset(document)).best.timetable.placements
    assert sorted((p.course_id, p.room_id) for p in placed) == [(lecture["id"], "R1")] * 2 + [(online["id"], None)] * 2


def test_two_classes_in_one_gym_can_be_said() -> None:
    document = wish("two_classes_one_gym")
    document["rooms"][0]["sessions_at_once"] = 2
    assert solved(load_dataset(document)).best.rung == "full"


def test_places_of_nothing_are_none() -> None:
    assert places_of((), (), lambda part: 0) == ()
    assert (
        Timetable(placements=(Placement(course_id="o", session=0, slot=0, room_id=None),)).placements[0].room_ids == ()
    )
