"""The command line as a user meets it: real processes, real files, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CTT = """Name: Toy
Courses: 3
Rooms: 2
Days: 2
Periods_per_day: 3
Curricula: 1
Constraints: 1

COURSES:
c1 t1 2 2 30
c2 t2 2 1 25
c3 t1 1 1 10

ROOMS:
big 40
small 20

CURRICULA:
q1 2 c1 c2

UNAVAILABILITY_CONSTRAINTS:
c1 0 0

END.
"""


def timetable(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    environment = {**os.environ, **(env or {}), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=ROOT, env=environment, check=False)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    path = tmp_path / "toy.ctt"
    path.write_text(CTT, encoding="utf-8")
    return path


def test_solve_writes_a_solution_that_verify_confirms(toy: Path, tmp_path: Path) -> None:
    solution = tmp_path / "toy.sol"
    solved = timetable("solve", toy, "-o", solution, "--time-limit", "3")
    assert solved.returncode == 0, solved.stderr
    assert "0 hard breaches" in solved.stdout
    lines = solution.read_text().splitlines()
    assert len(lines) == 5
    assert all(len(line.split()) == 4 for line in lines)
    verified = timetable("verify", toy, solution)
    assert verified.returncode == 0
    assert "5 of 5 sessions placed, 0 hard breaches" in verified.stdout


def test_solve_prints_one_json_document_on_json(toy: Path) -> None:
    solved = timetable("solve", toy, "--time-limit", "2", "--json")
    document = json.loads(solved.stdout)
    assert document["verified"] is True
    assert document["variants"][0]["levels"]["unplaced"] == 0


def test_verify_finds_the_breach_in_a_broken_solution(toy: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sol"
    broken.write_text("c1 big 0 1\nc1 big 1 0\nc2 big 0 1\nc2 big 1 1\nc3 small 0 2\n")
    verified = timetable("verify", toy, broken)
    assert verified.returncode == 3
    assert "room_clash" in verified.stdout and "group_clash" in verified.stdout


def test_generate_writes_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    one, two, other = tmp_path / "1.json", tmp_path / "2.json", tmp_path / "3.json"
    for path, seed in ((one, "7"), (two, "7"), (other, "8")):
        assert timetable("generate", "tiny", "--seed", seed, "-o", path).returncode == 0
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_concessions_end_with_exit_code_3(tmp_path: Path) -> None:
    data = tmp_path / "infeasible.json"
    timetable("generate", "infeasible", "-o", data)
    solved = timetable("solve", data, "--time-limit", "8")
    assert solved.returncode == 3, solved.stderr
    assert "ledger" in solved.stdout and "certificate" in solved.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("solve", "nowhere.json"), "nowhere.json"),
        (("verify", "nowhere.ctt", "nowhere.sol"), "nowhere.ctt"),
        (("generate", "moon", "-o", "x.json"), "presets are tiny"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_names_it(arguments: tuple[str, ...], said: str) -> None:
    done = timetable(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_every_problem_of_a_dataset_is_shown_at_once(tmp_path: Path) -> None:
    data = tmp_path / "bad.json"
    data.write_text(
        '{"schema": "timetable-dataset/1", "rooms": [], "courses": [{"id": "c", "sessions_per_week": "2"}]}'
    )
    done = timetable("solve", data)
    assert done.returncode == 2
    assert "/rooms" in done.stderr and "/courses/0/sessions_per_week" in done.stderr


@pytest.mark.parametrize(
    "option", [("--time-limit", "0"), ("--workers", "0"), ("--start-at", "heaven"), ("-o", "x.xlsx")]
)
def test_an_impossible_option_ends_with_exit_code_2_before_any_work(toy: Path, option: tuple[str, str]) -> None:
    done = timetable("solve", toy, *option)
    assert done.returncode == 2, done.stdout


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    done = timetable("doctor", env={"TIMETABLE_SLOTS": "many", "TIMETABLE_DATA_DIR": str(tmp_path)})
    assert done.returncode == 2
    assert "TIMETABLE_SLOTS" in done.stderr and "many" in done.stderr


def test_doctor_prints_every_setting_with_its_source(tmp_path: Path) -> None:
    done = timetable("doctor", "--json", env={"TIMETABLE_SLOTS": "1", "TIMETABLE_DATA_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    sources = {row["name"]: row["source"] for row in document["settings"]}
    assert sources["slots"] == "TIMETABLE_SLOTS" and sources["port"] == "default"
    assert {finding["check"] for finding in document["findings"]} >= {"versions", "kernels", "data folder", "store"}


def test_ctrl_c_ends_a_solve_with_the_best_so_far(tmp_path: Path) -> None:
    data, result = tmp_path / "tiny.json", tmp_path / "out.json"
    timetable("generate", "college", "-o", data)
    command = [sys.executable, "-m", "app.cli", "solve", str(data), "-o", str(result), "--time-limit", "100"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    while not running.stderr.readline().startswith("search:"):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 0, output
    assert "finished_early" in output
    assert json.loads(result.read_text())["variants"]
