"""The platform's time form: its clamp where that is right, a repair or a report where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.formats.platform_time import time_grid_from_platform
from solver.model import InputError, TimeGrid, clock_of


def periods(**config: object) -> list[tuple[str, str]]:
    return [(clock_of(start), clock_of(end)) for start, end in time_grid_from_platform(config).periods]


def test_an_empty_form_is_the_platforms_default_week() -> None:
    grid = time_grid_from_platform({})
    assert grid == TimeGrid()
    assert (grid.num_slots, grid.lunch_period) == (48, 4)
    assert clock_of(grid.periods[4][0]) == "13:00"


def test_null_means_not_set_but_a_null_lunch_means_no_lunch() -> None:
    assert (
        time_grid_from_platform(dict.fromkeys(("working_days", "slots_per_day", "start_time", "end_time")))
        == TimeGrid()
    )
    for off in ({"lunch_break_start": None}, {"lunch_break_end": None}, {"lunch_break_enabled": False}):
        assert time_grid_from_platform(off).lunch is None


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert time_grid_from_platform({"max_classes_per_day": 6, "optimization_priority": "balanced"}) == TimeGrid()


@pytest.mark.parametrize("minutes", [30, 45, 50, 60, 90])
@pytest.mark.parametrize("slots", [1, 6, 8, 12, 20])
@pytest.mark.parametrize("lunch", [("12:00", "13:00"), ("13:00", "14:00"), ("18:00", "19:00"), None])
def test_no_more_slots_than_the_platforms_clamp_allows(minutes: int, slots: int, lunch: tuple[str, str] | None) -> None:
    config = {"slots_per_day": slots, "slot_duration_minutes": minutes, "lunch_break_enabled": lunch is not None}
    if lunch:
        config |= {"lunch_break_start": lunch[0], "lunch_break_end": lunch[1]}
    clamp = min(slots, max(1, (540 - (60 if lunch else 0)) // minutes))
    found = len(periods(**config))
    # Fewer only where the platform's own grid would run a slot into lunch or past the end of the day.
    assert found == clamp if minutes in {30, 60} else found <= clamp


def test_seconds_in_a_time_are_read() -> None:
    assert periods(start_time="08:00:00", end_time="17:00:00") == periods()


def test_all_seven_days_work() -> None:
    assert time_grid_from_platform({"working_days": 7}).num_slots == 56


def test_a_slot_never_straddles_lunch() -> None:
    found = periods(slot_duration_minutes=50, slots_per_day=9)
    assert ("10:30", "11:20") in found and ("11:20", "12:10") not in found and ("13:00", "13:50") in found


def test_the_last_slot_ends_within_the_day() -> None:
    assert periods(slot_duration_minutes=50, slots_per_day=12)[-1][1] <= "17:00"


def test_more_slots_than_a_day_can_have_are_cut_and_not_refused() -> None:
    assert len(periods(slots_per_day=100)) == 8


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"start_time": "17:00", "end_time": "08:00"}, [("/end_time", "impossible_grid")]),
        ({"slot_duration_minutes": 0}, [("/slot_duration_minutes", "out_of_range")]),
        ({"slot_duration_minutes": "60"}, [("/slot_duration_minutes", "wrong_type")]),
        (
            {"slots_per_day": 0, "working_days": 8},
            [("/working_days", "out_of_range"), ("/slots_per_day", "out_of_range")],
        ),
        ({"lunch_break_start": "14:00"}, [("/lunch_break_end", "impossible_grid")]),
        ({"lunch_break_start": "noon", "start_time": 8}, [("/start_time", "wrong_type")]),
        ({"lunch_break_start": "noon"}, [("/lunch_break_start", "bad_time")]),
        ({"lunch_break_end": 13}, [("/lunch_break_end", "wrong_type")]),
    ],
)
def test_what_cannot_be_meant_is_reported_under_the_names_of_the_form(
    config: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    with pytest.raises(InputError) as caught:
        time_grid_from_platform(config)
    assert [(issue.pointer, issue.code) for issue in caught.value.issues] == expected


@given(
    st.dictionaries(
        st.sampled_from(["working_days", "slots_per_day", "start_time", "slot_duration_minutes", "lunch_break_end"]),
        st.none() | st.booleans() | st.integers(-3, 100) | st.text(max_size=5) | st.floats() | st.lists(st.integers()),
    )
)
def test_any_form_is_read_or_refused_but_never_crashes(config: dict[str, object]) -> None:
    try:
        assert time_grid_from_platform(config).num_slots > 0
    except InputError as error:
        assert error.issues
