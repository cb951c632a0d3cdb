"""The benchmarks measure real runs and report them truthfully."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.bounds import measure_bounds
from benchmarks.compare import ROOT, line, unpacked
from benchmarks.micro import RULE_SETS, measure_parts
from benchmarks.plots import draw, growth_exponent, steps
from benchmarks.profile import profiled
from benchmarks.report import known_values, print_report
from benchmarks.runner import COLUMNS, curves_of, run_suite
from benchmarks.suites import instances, load, short_name
from solver.control import Place


def test_a_run_becomes_a_row_and_the_row_a_line_of_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "runs.csv"
    assert run_suite("tiny", 2.0, 1, 1, set(), results) == 0
    with results.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert set(row) == set(COLUMNS)
    assert (row["instance"], row["rung"], row["unplaced"]) == ("tiny", "full", "0")
    assert float(row["seconds_first_complete"]) <= float(row["seconds"])
    assert int(row["peak_mb"]) > 0 and "ortools=" in row["versions"]
    capsys.readouterr()
    assert print_report(results, None) == 0
    assert f"| tiny | 2 | 1 | 1 | 1 | {row['cost']} |" in capsys.readouterr().out


def test_a_run_that_fails_is_a_row_with_its_error_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.ctt"
    broken.write_text("Name: nothing\n", encoding="utf-8")
    results = tmp_path / "runs.csv"
    assert run_suite(str(broken), 2.0, 1, 1, set(), results) == 1
    with results.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["instance"] == "broken" and "InputError" in row["error"] and row["cost"] == ""


def test_an_unknown_suite_is_refused_by_name() -> None:
    with pytest.raises(FileNotFoundError, match="'moon' is no suite"):
        instances("moon")


def test_a_folder_is_a_suite_of_the_kinds_that_can_be_read(tmp_path: Path) -> None:
    for name in ("b.ctt", "a.json", "c.tim", "notes.txt"):
        (tmp_path / name).touch()
    assert [Path(name).name for name in instances(str(tmp_path))] == ["a.json", "b.ctt", "c.tim"]


def test_a_report_without_results_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_report(tmp_path / "none.csv", None) == 1
    assert "benchmarks run" in capsys.readouterr().out


def test_published_values_are_consistent() -> None:
    for name, values in known_values().items():
        assert values.get("lower_bound", 0) <= values["best_known"] <= values["lowest_avg"], name
        assert values["lowest_avg"] <= values.get("mueller_avg", values["lowest_avg"]), name


def test_names_of_instances_are_short() -> None:
    names = ("a/b/comp01.ctt", "a/comp-2007-2-1.tim", "sample:college", "sample:bhu*2")
    assert [short_name(name) for name in names] == ["comp01", "comp-2007-2-1", "college", "bhu*2"]


def test_a_sample_can_be_measured_in_multiples_of_its_size() -> None:
    (twice,) = instances("tiny*2")
    assert len(load(twice).courses) == 2 * len(load("sample:tiny").courses)
    with pytest.raises(FileNotFoundError):
        instances("tiny*0")


def test_the_competition_is_looked_for_where_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DATASETS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="BENCHMARK_DATASETS"):
        instances("cbctt")
    (tmp_path / "itc2007-cbctt").mkdir()
    (tmp_path / "itc2007-cbctt" / "comp99.ctt").touch()
    assert [short_name(name) for name in instances("cbctt")] == ["comp99"]


def test_runs_side_by_side_need_a_core_each(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        run_suite("tiny", 1.0, 1, 1, set(), tmp_path / "runs.csv", side_by_side=1000)


def test_the_curve_of_a_run_is_drawn_and_its_last_point_is_the_cost_of_its_row(tmp_path: Path) -> None:
    results = tmp_path / "runs.csv"
    for suite in ("tiny", "tiny*2"):
        assert run_suite(suite, 1.0, 1, 1, set(), results) == 0
    with results.open(newline="", encoding="utf-8") as file:
        costs = [float(row["cost"]) for row in csv.DictReader(file)]
    curves = [json.loads(line)["curve"] for line in curves_of(results).read_text(encoding="utf-8").splitlines()]
    assert [curve[-1][4] for curve in curves] == costs
    assert all(a[0] <= b[0] and a[1:] > b[1:] for curve in curves for a, b in itertools.pairwise(curve))
    drawn = draw(results, tmp_path / "pictures")
    assert [path.name for path in drawn] == ["cost-over-time.svg", "growth.svg"]
    assert all(path.read_text(encoding="utf-8").count("<path") > 10 for path in drawn)


def test_growth_is_the_slope_between_logarithms() -> None:
    assert growth_exponent([10, 20, 40], [3, 6, 12]) == pytest.approx(1.0)
    assert growth_exponent([10, 20, 40], [1, 4, 16]) == pytest.approx(2.0)


def test_a_curve_begins_with_the_first_complete_timetable_and_lasts_to_the_limit() -> None:
    assert steps([[0.1, 0, 3, 0, 50], [0.5, 0, 0, 0, 90], [2.0, 0, 0, 0, 70]], 10.0) == ([0.5, 2.0, 10.0], [90, 70, 70])
    assert steps([[0.1, 0, 3, 0, 50]], 10.0) == ([], [])


def test_the_parts_are_timed_for_every_rule_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_parts("tiny", 0.3, frozenset()) == 0
    told = capsys.readouterr().out
    assert told.count("| tiny | ") == 2 and told.count(" M/s") == len(RULE_SETS)


def test_bounds_are_shown_for_what_can_be_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_bounds("tiny", 2.0, frozenset()) == 0
    cells = [cell.strip() for cell in capsys.readouterr().out.splitlines()[-1].split("|")]
    assert cells[1] == "tiny" and int(cells[2]) >= 0


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout: there are no commits to compare")
def test_a_commit_is_unpacked_as_it_was_committed(tmp_path: Path) -> None:
    place = unpacked("HEAD", tmp_path)
    assert (place / "benchmarks" / "compare.py").is_file() and not (place / ".git").exists()
    with pytest.raises(subprocess.CalledProcessError):
        unpacked("no-such-commit", tmp_path)


def test_two_commits_are_compared_by_level_before_cost() -> None:
    complete = {"rigid": 0, "unplaced": 0, "bent": 0, "cost": 90, "seconds_first_complete": 1.0, "peak_mb": 200}
    cheap_but_open = {**complete, "unplaced": 2, "cost": 10, "seconds_first_complete": None}
    told = line("comp01", [(cheap_but_open, complete), (complete, {**complete, "cost": 95}), (None, complete)])
    assert told == "| comp01 | 50..92.5 | 1..1 | 200..200 | 1 better, 1 worse of 3 |"


def test_a_profile_books_every_second_of_a_solve_on_one_place() -> None:
    began = time.perf_counter()
    spent = profiled("sample:tiny", 1.0, 1, 2)
    whole = time.perf_counter() - began
    assert 0.8 * whole < sum(spent.values()) <= whole
    assert all(spent[place] > 0 for place in (Place.LOAD, Place.COMPILE, Place.LOCAL_SEARCH, Place.VERIFY))
