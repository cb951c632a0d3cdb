"""The fault campaign adds up correctly, forgives nothing, and does real harm to a real service."""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.jobs import Status
from app.domain.outcomes import How
from app.system.failpoints import POINTS
from benchmarks.faults import campaign, hangs, kills
from benchmarks.faults.bars import BARS, BY_NAME, Bar, Limit, counts, shortfalls, wrongs
from benchmarks.faults.copies import differing_fields
from benchmarks.faults.crowd import histogram_quantile
from benchmarks.faults.ledger import TERMINAL, Ledger
from benchmarks.faults.points import DRIVES
from benchmarks.faults.run import Run, Tally
from benchmarks.faults.sources import dataset_of, recount
from benchmarks.figures import percentile, slope
from solver import Control, SolveParams, solve
from solver.control import STAGES

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


# --- arithmetic ---


@given(values, st.floats(0.01, 1.0))
def test_a_percentile_is_a_value_that_its_share_does_not_exceed(found: list[float], share: float) -> None:
    value = percentile(found, share)
    assert value in found
    assert sum(other <= value for other in found) >= share * len(found) - 1e-9
    assert percentile(found, 1.0) == max(found)


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="of 0 values"):
        percentile([], 0.5)


@given(st.floats(-100, 100), st.floats(-5, 5), st.lists(st.integers(0, 1000), min_size=2, max_size=20, unique=True))
def test_the_slope_of_a_line_is_its_rise(start: float, rise: float, steps: list[int]) -> None:
    assert slope([(x, start + rise * x) for x in steps]) == pytest.approx(rise, abs=1e-6)


def test_points_above_each_other_have_no_slope() -> None:
    assert slope([(1, 1), (1, 2)]) == 0


def test_a_quantile_of_a_histogram_is_the_edge_of_its_bucket() -> None:
    text = 'lag_bucket{le="0.01"} 90\nlag_bucket{le="0.05"} 99\nlag_bucket{le="+Inf"} 100\nlag_count 100\n'
    assert histogram_quantile(text, "lag", 0.9) == 0.01
    assert histogram_quantile(text, "lag", 0.99) == 0.05
    assert histogram_quantile(text, "lag", 1.0) == float("inf")
    assert histogram_quantile(text, "other", 0.5) is None


# --- the ledger ---


def journal(*ends: str | None) -> list[dict[str, Any]]:
    return [{"attempt": n, "how": how} for n, how in enumerate(ends, 1)]


def ledger_with(*jobs: str) -> Ledger:
    ledger = Ledger()
    for job in jobs:
        ledger.asked(job, "tiny")
        ledger.acknowledged(job)
    return ledger


def test_a_job_that_ended_as_it_should_is_no_breach() -> None:
    ledger = ledger_with("j")
    ledger.saw("j", "queued", 0)
    ledger.saw("j", "running", 1)
    ledger.compare("j", "completed", journal("crash", "result"))
    ledger.compare_list(["j"])
    assert ledger.breaches == []


@pytest.mark.parametrize(
    ("status", "attempts", "told"),
    [
        ("failed", journal("crash"), "is failed, expected completed"),
        ("running", journal(None), "is running, expected completed"),
        ("completed", journal("result", "result"), "completed 2 times in 1 run"),
        ("completed", journal("crash"), "no attempt brought a result"),
        ("completed", journal(None, "result"), "attempts [1] have not ended"),
        ("completed", [{"attempt": 2, "how": "result"}], "has attempts [2]"),
        ("completed", [*journal("result"), *journal("crash")], "has attempts [1, 1]"),
    ],
)
def test_whatever_else_a_job_ended_as_is_a_breach(status: str, attempts: list[dict[str, Any]], told: str) -> None:
    ledger = ledger_with("j")
    ledger.compare("j", status, attempts)
    assert any(told in breach for breach in ledger.breaches), ledger.breaches


def test_a_final_state_is_left_by_a_restart_only() -> None:
    ledger = ledger_with("j")
    ledger.saw("j", "completed", 1)
    ledger.restarted("j")
    ledger.saw("j", "running", 2)
    ledger.compare("j", "completed", journal("result", "result"))
    assert ledger.breaches == []
    ledger.saw("j", "running", 3)
    assert ledger.breaches == ["job j was completed and is now running"]


def test_an_attempt_number_never_falls() -> None:
    ledger = ledger_with("j")
    ledger.saw("j", "running", 2)
    ledger.saw("j", "running", 1)
    assert ledger.breaches == ["job j went back from attempt 2 to 1"]


def test_a_job_that_is_gone_counts_as_lost_unless_nobody_was_told_of_it_or_it_was_deleted() -> None:
    ledger = ledger_with("kept", "deleted", "lost")
    ledger.asked("unanswered", "tiny")
    ledger.deleted("deleted")
    ledger.compare_list(["kept"])
    assert ledger.breaches == ["job lost was acknowledged and is lost"]


def test_a_job_that_nobody_asked_for_is_a_breach() -> None:
    ledger = ledger_with("j")
    ledger.compare_list(["j", "ghost"])
    assert len(ledger.breaches) == 1 and "ghost" in ledger.breaches[0]


# --- the recount ---


def published(source: str) -> dict[str, Any]:
    best = solve(dataset_of(source), SolveParams(time_limit_seconds=1.0, num_variants=1), Control()).best
    return {
        "levels": best.report.score.levels,
        "timetable_entries": [
            {"course_id": p.course_id, "session_number": p.session, "time_slot_id": str(p.slot), "room_id": p.room_id}
            for p in best.timetable.placements
        ],
    }


def test_a_timetable_that_is_not_what_it_claims_is_found_out() -> None:
    variant = published("mini")
    assert recount("mini", variant) == []
    variant["levels"]["soft"] += 1
    assert len(recount("mini", variant)) == 1
    rows = variant["timetable_entries"]
    rows[0].update(time_slot_id=rows[1]["time_slot_id"], room_id=rows[1]["room_id"])
    assert "rigid" in recount("mini", variant)[0]


# --- restored stores ---


def test_a_restored_job_differs_in_whatever_is_not_told_from_memory() -> None:
    job = {"status": "completed", "progress": {"version": 7, "metadata": {"phase": "a", "cost": 1}}}
    restored = {"status": "completed", "progress": {"version": 1, "metadata": {"phase": "b", "cost": 1}}}
    assert differing_fields(job, restored) == []
    restored["progress"]["metadata"] = {"cost": 2}
    assert differing_fields({**job, "version": 1}, {**restored, "version": 2}) == [
        "/progress/metadata/cost",
        "/version",
    ]


# --- bars and options ---


def bar(*limits: Limit) -> Bar:
    return Bar(name="b", text="", recipe=kills.child_kills, count=10, quick=1, seconds=1, limits=limits)


def test_a_row_passes_when_it_was_done_and_nothing_is_wrong() -> None:
    limit = Limit("time", 0.5, 2.0)
    assert shortfalls(bar(limit), Tally(done=1, figures={"time": [1.0, 2.0, 9.0]})) == []
    late = Tally(done=1, figures={"time": [1.0, 3.0, 9.0]})
    assert shortfalls(bar(limit), late) == ["time: 3 s at p50 of 3, at most 2"]
    assert shortfalls(bar(limit), late, slack=2.0) == wrongs(late) == []


def test_a_row_in_which_nothing_happened_fails() -> None:
    assert shortfalls(bar(), Tally()) == ["it was not done once"]
    assert shortfalls(bar(Limit("time", 1, 1)), Tally(done=1)) == ["time: nothing was measured"]
    assert shortfalls(bar(), Tally(done=1, undone=["cut off", "cut off"])) == ["cut off"]


def test_a_row_of_which_less_than_half_was_done_fails() -> None:
    assert shortfalls(bar(), Tally(done=4), 9) == ["less than half of it was done: 4 of 9"]
    assert shortfalls(bar(), Tally(done=5), 9) == []


def test_what_is_lost_is_counted_and_what_is_late_is_said_in_the_verdict() -> None:
    tally = Tally(done=1, breaches=["lost", "lost"], undone=["cut off"])
    assert wrongs(tally) == ["lost"]
    late = campaign.Row(
        name="b", text="t", wanted=1, done=1, wrong=[], short=["late"], figures={}, notes=[], seconds=1.0
    )
    assert late.line == "| b | t | 1 | 0 |  | FAIL; late |" and not late.passed
    lost = replace(late, wrong=["lost"], short=[])
    assert lost.line == "| b | t | 1 | 1 |  | FAIL |" and lost.faults == ["lost"]


def test_what_this_machine_does_not_let_us_do_is_left_out_with_the_reason() -> None:
    row = campaign.Row(
        name="b", text="t", wanted=1, done=0, wrong=[], short=[], figures={}, notes=[], seconds=1.0, left_out="no root"
    )
    assert row.passed and row.verdict == "left out: no root"


def test_every_bar_has_a_name_of_its_own_and_can_be_run() -> None:
    assert len(BY_NAME) == len(BARS)
    for row in BARS:
        assert 0 <= row.quick <= row.count and row.least <= row.count, row.name
        assert not (row.beside and row.background), row.name
        assert all(0 < limit.share <= 1 for limit in row.limits), row.name


def test_full_counts_are_those_that_the_project_promises() -> None:
    promised = {
        "child-kills": 300,
        "service-kills": 100,
        "forkserver-kills": 50,
        "recovery-kills": 50,
        "crash-points": 10,
        "healthy": 30,
        "many-jobs": 500,
        "malformed": 20_000,
        "backups": 100,
        "damaged-stores": 200,
        "state-machine": 20_000,
    }
    assert {name: count for name, count in counts(BARS, None).items() if name in promised} == promised


@given(st.floats(0.1, 300))
def test_less_time_means_fewer_repetitions_and_never_none(minutes: float) -> None:
    wanted, full = counts(BARS, minutes), counts(BARS, None)
    assert wanted.keys() == full.keys()
    assert all(BY_NAME[name].least <= count <= full[name] for name, count in wanted.items())


def test_enough_time_means_all_repetitions() -> None:
    assert counts(BARS, 10_000) == counts(BARS, None)


def test_the_quick_part_is_a_part_and_is_quick() -> None:
    wanted = counts(BARS, None, quick=True)
    assert 0 < len(wanted) < len(BARS) and all(wanted.values())
    assert campaign.expected_seconds(BARS, wanted) <= 240


def test_the_background_takes_no_time_of_its_own() -> None:
    behind, beside = BY_NAME["healthy"], BY_NAME["crash-points"]
    wanted = {behind.name: 1, beside.name: 10}
    assert campaign.expected_seconds((behind, beside), wanted) == beside.cost(10)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    campaign.add_options(parser)
    return parser.parse_args(words)


def test_options_are_read() -> None:
    given = options("--minutes", "2.5", "--seed", "7", "--only", "poison", "stale", "--json", "rows.json")
    assert (given.minutes, given.seed, given.only, given.quick) == (2.5, 7, ["poison", "stale"], False)
    assert given.json == Path("rows.json")


def test_an_unknown_row_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--only", "moon")
    assert "moon" in capsys.readouterr().err


# --- recipes ---


def test_every_crash_point_has_a_way_to_be_passed() -> None:
    assert DRIVES.keys() == POINTS.keys()


def test_every_stage_has_places_that_may_be_named() -> None:
    assert hangs.PLACES.keys() == set(STAGES)
    assert hangs.ENDINGS.keys() | hangs.STOPPED_ENDINGS.keys() <= hangs.PLACES.keys()
    by_result = {hang for hang in hangs.all_hangs() if "result" in hangs.endings(hang)}
    assert by_result == {hangs.Hang("stop", "store")}
    assert {how for hang in hangs.all_hangs() for how in hangs.endings(hang)} <= {how.value for how in How}
    assert len(hangs.all_hangs()) == len(hangs.VERDICTS) * len(STAGES)


def test_the_same_seed_plans_the_same_kills() -> None:
    plans = kills.plans(random.Random("1/child-kills"), 20)
    assert plans == kills.plans(random.Random("1/child-kills"), 20)
    assert sum(len(plan.instants) for plan in plans) >= 20
    assert all(0 <= instant <= plan.limit for plan in plans for instant in plan.instants)


def test_a_real_service_loses_nothing_when_its_parts_are_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"child-kills": 2, "service-kills": 1}
    monkeypatch.setattr(campaign, "counts", lambda *given, **options: wanted)
    rows_file = tmp_path / "rows.json"
    given = options("--seed", "3", "--only", *wanted, "--json", str(rows_file))
    campaign.run(given)
    rows = json.loads(rows_file.read_text(encoding="utf-8"))["rows"]
    assert {row["name"]: row["done"] for row in rows} == wanted
    # How fast it recovers is a matter of the machine that runs the tests; that nothing is lost is not.
    assert [breach for row in rows for breach in row["wrong"]] == []
    assert "| child-kills |" in capsys.readouterr().out


@pytest.mark.anyio
async def test_what_a_recipe_raises_fails_its_row_and_no_other(tmp_path: Path) -> None:
    async def broken(run: Run) -> None:
        raise RuntimeError("no such thing")

    row = Bar(name="b", text="", recipe=broken, count=1, quick=1, seconds=1)
    found = await campaign.run_bar(row, 1, 1, tmp_path / "b")
    assert not found.passed and found.faults[0] == "RuntimeError: no such thing"
    assert "FAIL" in found.line


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_final_states_are_those_of_the_service() -> None:
    assert {status.value for status in Status if status.terminal} == TERMINAL
