"""What is odd about a dataset is told although it can be solved: names that lead nowhere, short days, idle settings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from solver.advice import MAX_ADVICE, MAX_NOTES, advice_on, notes_on
from solver.calendar import TimeGrid
from solver.errors import InputError
from solver.formats.native import dump_dataset, load_dataset
from solver.model import Dataset, RuleSetting
from solver.samples import PRESETS, sample
from tests.builders import course, dataset, group, link, room, teacher

SHORT = TimeGrid(slots_per_day=8, start_time="09:00")
"""Eight slots asked for; with the usual hour of lunch seven fit."""
CAMPUS = (room("r1", building="North Campus"), room("r2", building="South campus"))


def told(data: Dataset) -> list[tuple[str, str]]:
    return [(issue.pointer, issue.code) for issue in advice_on(data)]


def travelling(minutes: dict[str, dict[str, int]], *rooms: object) -> Dataset:
    return replace(dataset(course("a"), *(rooms or CAMPUS)), travel_minutes=minutes)  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset not in ("bhu", "infeasible")])
def test_there_is_nothing_odd_about_the_samples(preset: str) -> None:
    assert told(sample(preset)) == []


# --- short days ------------------------------------------------------------------------------------------------------


def test_a_day_shorter_than_asked_for_is_told_with_what_it_means_for_slot_numbers() -> None:
    (issue,) = advice_on(dataset(course("a"), grid=SHORT))
    assert (issue.pointer, issue.code, issue.value) == ("/time_grid/slots_per_day", "shorter_day", 8)
    assert "only 7 slots of 60 minutes fit between 09:00 and 17:00 with lunch from 12:00 to 13:00" in issue.message
    assert "slots are numbered 7 a day: slot 7 is the first one of the second day" in issue.message
    assert '"lunch": null' in issue.message
    assert told(dataset(course("a"), grid=replace(SHORT, lunch=None))) == []


def test_a_lunch_outside_the_day_that_shortens_it_is_named() -> None:
    afternoon = TimeGrid(slots_per_day=4, start_time="13:00", lunch=("11:00", "12:00"))
    (issue,) = advice_on(dataset(course("a"), grid=afternoon))
    assert "only 3 slots" in issue.message
    assert "although it lies outside" in issue.message
    assert "default" not in issue.message


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        (course("a", fixed=[(0, 38)]), "/courses/0/fixed/0/slot"),
        (course("a", allowed_slots=(47, 0)), "/courses/0/allowed_slots/0"),
        (course("a", slots=2, fixed=[(0, 6)]), "/courses/0/fixed/0/slot"),
    ],
)
def test_a_slot_that_only_longer_days_have_is_refused_and_says_so(part: object, pointer: str) -> None:
    with pytest.raises(InputError) as refused:
        dataset(part, grid=replace(SHORT, working_days=5 if pointer.endswith("0/slot") else 6))  # type: ignore[arg-type]
    first, second = refused.value.issues
    assert (first.pointer, first.code) == (pointer, "bad_slot")
    assert (second.pointer, second.code) == ("/time_grid/slots_per_day", "shorter_day")
    assert f"There is a slot {first.value} only with 8 slots a day" in second.message


def test_a_reader_tells_of_the_shorter_day_once_however_many_slots_do_not_fit() -> None:
    document = dump_dataset(dataset(course("a"), teacher("f"), group("g")))
    document["time_grid"] = {"slots_per_day": 8, "start_time": "09:00", "working_days": 5}
    document["faculty"][0]["unavailable"] = [36, 37, 38, 99]
    with pytest.raises(InputError) as refused:
        load_dataset(json.dumps(document))
    codes = [issue.code for issue in refused.value.issues]
    assert codes == ["shorter_day", "bad_slot", "bad_slot", "bad_slot", "bad_slot"]


def test_a_slot_that_no_day_of_either_length_has_proves_nothing_about_the_length() -> None:
    with pytest.raises(InputError) as refused:
        dataset(course("a", allowed_slots=(99,)), grid=SHORT)
    assert [issue.code for issue in refused.value.issues] == ["bad_slot"]


# --- names that lead nowhere -----------------------------------------------------------------------------------------


def test_a_building_of_a_walking_time_in_which_no_room_stands_is_told_with_the_one_it_may_be() -> None:
    data = travelling({"North Campus": {"South Campus": 90, "Station": 5}, "Station": {"North Campus": 5}})
    found = advice_on(data)
    assert [(issue.pointer, issue.code) for issue in found] == [
        ("/travel_minutes/North Campus/South Campus", "dangling_name"),
        ("/travel_minutes/North Campus/Station", "dangling_name"),
        ("/rooms/1/building", "no_travel_time"),
    ]
    assert found[0].message == (
        "no room stands in the building 'South Campus' of travel_minutes; is 'South campus' meant?"
    )
    assert "meant" not in found[1].message
    assert told(travelling({"North Campus": {"South campus": 90}})) == []


def test_where_all_rooms_stand_in_one_building_or_nothing_is_said_of_walking_nothing_is_missing() -> None:
    assert told(travelling({})) == []
    assert told(travelling({"B": {"C": 5}}, room("r1", building="B"), room("r2"))) == [
        ("/travel_minutes/B/C", "dangling_name")
    ]


def test_a_kind_of_room_or_a_feature_that_no_room_has_is_told_once() -> None:
    lab = room("r1", type="lab", features=("beamer",))
    asks = {"types": "labb lab", "features": "beamer sink"}
    data = dataset(course("a", **asks), course("b", **asks), lab)  # type: ignore[arg-type]
    assert told(data) == [
        ("/courses/0/room_types/0", "dangling_name"),
        ("/courses/0/required_features/1", "dangling_name"),
    ]
    assert "is 'lab' meant?" in advice_on(data)[0].message


def test_one_of_several_kinds_of_room_may_be_missing_where_it_is_no_slip_of_the_pen() -> None:
    assert told(dataset(course("a", types="auditorium lab"), room("r1", type="lab"))) == []
    assert told(dataset(course("a", types="auditorium"), room("r1", type="lab"))) == [
        ("/courses/0/room_types/0", "dangling_name")
    ]


def test_a_subject_type_that_is_core_but_for_its_spelling_is_told_because_it_counts_as_an_elective() -> None:
    assert told(dataset(course("a", subject_type=" Core"), course("b", subject_type="elective"))) == [
        ("/courses/0/subject_type", "no_effect")
    ]


def test_settings_and_values_that_change_nothing_are_told() -> None:
    data = dataset(
        course("a"), course("b"), link("same_day", ("a", 0), ("b", 0), value=2), link("min_gap", "a", "b", value=1)
    )
    rules = {
        "group_daily_limit": RuleSetting(value=4),
        "room_clash": RuleSetting(bendable=True),
        "consecutive_limit": RuleSetting(value=3),
        "room_capacity": RuleSetting(bendable=True),
    }
    assert told(replace(data, rules=rules)) == [
        ("/rules/room_clash/bendable", "no_effect"),
        ("/rules/group_daily_limit/value", "no_effect"),
        ("/links/0/value", "no_effect"),
    ]


def test_advice_and_notes_end_somewhere_and_notes_say_how_many_there_are() -> None:
    data = travelling({"North Campus": {f"hut {n}": 1 for n in range(150)}, "South campus": {}})
    assert len(advice_on(data)) == MAX_ADVICE
    notes = notes_on(data)
    assert len(notes) == MAX_NOTES + 1
    assert "95 more" in notes[-1]
