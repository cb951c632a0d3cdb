"""What earlier versions counted, for what they left behind."""

from __future__ import annotations

from solver.verify import earlier_accounts, earlier_counts, verify
from tests.builders import course, dataset, grid, link, room, teacher, timetable

LUNCH = grid(days=2, periods=4, lunch_after=2)


def test_links_were_kept_by_slots_whatever_lay_between_them() -> None:
    data = dataset(
        course("a"), course("b"), course("c"), link("consecutive", "a", "b"), link("min_gap", "a", "b", value=1),
        grid=LUNCH,
    )  # fmt: skip
    over_lunch = timetable(a=1, b=2)
    assert verify(data, over_lunch).counts["link"] == 1, "they do not follow each other, and an hour lies between"
    assert earlier_counts(data, over_lunch)["link"] == 1, "it was the other way round"
    only_gap = dataset(course("a"), course("b"), link("min_gap", "a", "b", value=1, tier="soft", weight=3), grid=LUNCH)
    assert verify(only_gap, over_lunch).counts["soft_link"] == 0
    assert earlier_counts(only_gap, over_lunch)["soft_link"] == 3


def test_ways_counted_in_full_between_adjacent_slots_and_nowhere_else() -> None:
    data = dataset(
        course("a", faculty="f", sessions=3), room("r1", building="A"), room("r2", building="B"),
        travel={"A": {"B": 67}},
    )  # fmt: skip
    table = timetable(a=[0, (1, "r2"), (3, "r1")])
    assert verify(data, table).counts["travel"] == 14 + 2, "67 minutes at once, and 7 more than the hour that is free"
    assert earlier_counts(data, table)["travel"] == 14


def test_a_fair_share_was_one_of_all_days() -> None:
    data = dataset(course("a", faculty="f", sessions=4), teacher("f", unavailable=range(8, 20)))
    table = timetable(a=[0, 1, 4, 5])
    assert verify(data, table).counts["load_balance"] == 0
    assert earlier_counts(data, table)["load_balance"] == 2


def test_the_account_of_each_version_differs_in_all_that_changed_since() -> None:
    data = dataset(course("a", faculty="f"), teacher("f", preferences={0: 0.2}))
    accounts = list(earlier_accounts(data, timetable(a=1)))
    assert [sorted(account) for account in accounts] == [
        ["link", "load_balance", "soft_link", "travel"],
        ["faculty_preference", "link", "load_balance", "soft_link", "travel"],
    ]
    assert accounts[1]["faculty_preference"] == earlier_counts(data, timetable(a=1))["faculty_preference"] == 5
