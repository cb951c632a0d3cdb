"""The benchmarks measure real runs and report them truthfully."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.report import known_values, print_report
from benchmarks.runner import COLUMNS, run_suite
from benchmarks.suites import instances, short_name


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
    assert [Path(name).name for name in instances(str(tmp_path))] == ["a.json", "b.ctt"]


def test_a_report_without_results_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_report(tmp_path / "none.csv", None) == 1
    assert "benchmarks run" in capsys.readouterr().out


def test_published_values_are_consistent() -> None:
    for name, values in known_values().items():
        assert values["lower_bound"] <= values["best_known"] <= values["mueller_avg"], name


def test_names_of_instances_are_short() -> None:
    assert [short_name(name) for name in ("a/b/comp01.ctt", "sample:college")] == ["comp01", "college"]
