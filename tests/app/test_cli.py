"""The command line as a user meets it: real processes, real files, exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import NamedTuple

import openpyxl
import pytest

from tests.solver.formats.tim_cases import count, tim_case

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


class Solved(NamedTuple):
    """A small problem and the result of solving it once."""

    problem: Path
    result: Path


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Solved:
    folder = tmp_path_factory.mktemp("solved")
    solved = Solved(folder / "toy.ctt", folder / "result.json")
    solved.problem.write_text(CTT, encoding="utf-8")
    done = timetable("solve", solved.problem, "-o", solved.result, "--time-limit", "2")
    assert done.returncode == 0, done.stderr
    return solved


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


def test_a_post_enrolment_problem_is_solved_and_its_answer_verified(tmp_path: Path) -> None:
    case = tim_case(Random(3))
    problem, answer = tmp_path / "toy.tim", tmp_path / "toy.sln"
    problem.write_text(case.problem, encoding="utf-8")
    solved = timetable("solve", problem, "-o", answer, "--time-limit", "3")
    assert solved.returncode == 0, solved.stderr
    told = count(case.problem, answer.read_text())
    assert (told.breaches, told.distance) == (0, 0)
    verified = timetable("verify", problem, answer)
    assert verified.returncode == 0
    assert f"12 of 12 sessions placed, 0 hard breaches, soft cost {told.cost}" in verified.stdout
    answer.write_text("-1 -1\n" * 12)
    nothing = timetable("verify", problem, answer)
    students = count(case.problem, "-1 -1\n" * 12).distance
    assert nothing.returncode == 3 and f"distance to feasibility {students}" in nothing.stdout


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
    assert "Rooms double-booked" in verified.stdout and "_" not in verified.stdout


def test_what_is_odd_about_a_dataset_is_printed_beside_the_answer_and_stands_in_its_json(tmp_path: Path) -> None:
    data, nothing = tmp_path / "data.json", tmp_path / "nothing.json"
    rooms = [{"id": "r1", "capacity": 9, "building": "North"}, {"id": "r2", "capacity": 9, "building": "South"}]
    grid = {"slots_per_day": 8, "start_time": "09:00"}
    walk = {"North": {"south": 90, "South": 5}}
    whole = {"schema": "timetable-dataset/1", "rooms": rooms, "courses": [{"id": "c"}]}
    data.write_text(json.dumps({**whole, "time_grid": grid, "travel_minutes": walk}))
    nothing.write_text('{"placements": []}')
    told = timetable("verify", data, nothing)
    assert "only 7 slots of 60 minutes fit" in told.stderr
    assert "is 'South' meant?" in told.stderr
    assert "only 7 slots" not in told.stdout
    document = json.loads(timetable("verify", data, nothing, "--json").stdout)
    assert [warning["code"] for warning in document["warnings"]] == ["shorter_day", "dangling_name"]


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
    assert "rules given up" in solved.stdout and "proved by counting" in solved.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("solve", "nowhere.json"), "nowhere.json: no such file or directory"),
        (("verify", "nowhere.ctt", "nowhere.sol"), "nowhere.ctt: no such file or directory"),
        (("generate", "tiny", "-o", "nowhere/x.json"), "nowhere/x.json: no such file or directory"),
        (("generate", "moon", "-o", "x.json"), "presets are tiny"),
        (("generate", "tiny", "--seed", "-1", "-o", "x.json"), "--seed"),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_names_it(arguments: tuple[str, ...], said: str) -> None:
    done = timetable(*arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Errno" not in done.stderr and "Traceback" not in done.stderr


def test_every_problem_of_a_dataset_is_shown_at_once(tmp_path: Path) -> None:
    data = tmp_path / "bad.json"
    data.write_text(
        '{"schema": "timetable-dataset/1", "rooms": [], "courses": [{"id": "c", "sessions_per_week": "2"}]}'
    )
    done = timetable("solve", data)
    assert done.returncode == 2
    assert "/rooms" in done.stderr and "/courses/0/sessions_per_week" in done.stderr


def test_values_of_a_problem_are_shown_as_the_file_has_them(tmp_path: Path) -> None:
    data = tmp_path / "bad.json"
    data.write_text('{"schema": "timetable-dataset/1", "rooms": null, "courses": [], "moon": true}')
    done = timetable("solve", data)
    assert "true" in done.stderr and "True" not in done.stderr and "None" not in done.stderr


def test_the_version_is_told() -> None:
    done = timetable("--version")
    assert (done.returncode, done.stdout.split()) == (0, ["timetable", version("timetable")])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--time-limit", "0"), "time_limit_seconds must be"),
        (("--workers", "0"), "workers must be"),
        (("--seed", "-1"), "seed must be 0"),
        (("--start-at", "heaven"), "no rung 'heaven'"),
        (("-o", "x.pdf"), "no format of"),
        (("-o", "x.xlsx", "--group", "nobody"), "has no group 'nobody'"),
        (("-o", "x.ics", "--term-start", "2026-09-01"), "needs term_end"),
        (("-o", "absent/folder/x.json"), "cannot be written"),
    ],
)
def test_an_impossible_option_ends_with_exit_code_2_before_any_work(
    toy: Path, option: tuple[str, str], said: str
) -> None:
    done = timetable("solve", toy, *option)
    assert done.returncode == 2, done.stdout
    assert "1 problem in the input" in done.stderr and said in done.stderr
    assert "kernels" not in done.stderr and done.stdout == ""


def test_bad_input_is_one_json_document_on_json(toy: Path, tmp_path: Path) -> None:
    data = tmp_path / "bad.json"
    data.write_text('{"schema": "timetable-dataset/1", "rooms": [], "courses": [{"id": "c"}], "moon": NaN}')
    for arguments, pointers in (
        (("solve", data), {"/moon"}),
        (("solve", tmp_path / "absent.json"), set()),
        (("solve", toy, "--time-limit", "nan"), {"/time_limit_seconds"}),
        (("verify", toy, data), set()),
    ):
        done = timetable(*arguments, "--json")
        assert done.returncode == 2, done.stderr
        document = json.loads(done.stdout, parse_constant=pytest.fail)
        assert document["code"] == "invalid_input" and document["detail"]
        assert pointers <= {issue["pointer"] for issue in document["errors"]}


@pytest.fixture
def csv_set(tmp_path: Path) -> Path:
    """A CSV set with one cell to mend and one row that cannot be used."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, text in (
        ("subjects", "subject_id,subject_name,faculty_assigned,credits\nS1,Optics,F9,many\n"),
        ("students", "student_id,electives\nT1,Optics\nT1,Optics\n"),
        ("faculty", "faculty_id,max_workload_per_week\nF1,12\n"),
        ("classrooms", "room_id,capacity\nR1,60\n"),
    ):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_what_was_mended_in_a_csv_set_is_printed(csv_set: Path) -> None:
    done = timetable("solve", csv_set, "--time-limit", "2")
    assert done.returncode == 0, done.stderr
    assert "5 rows read, 1 cell corrected, 1 row could not be used" in done.stdout
    assert "subjects.csv:2  credits 'many': is no number; 3 is used" in done.stdout
    assert "students.csv:3  student_id 'T1': the id stands on an earlier line already" in done.stdout
    first = "please confirm  subjects.csv:2  faculty_assigned 'F9': names no teacher of the faculty file; F1 takes it"
    assert done.stdout.index(first) < done.stdout.index("corrected  subjects.csv:2")
    assert "solved as imported" in done.stderr  # nobody sits before it


def test_whoever_sits_before_a_terminal_is_asked_before_a_teacher_is_replaced(csv_set: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "app.cli", "solve", str(csv_set), "-o", str(tmp_path / "r.json")]
    asked = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    while b"Solve with these changes?" not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, b"n\n")
    assert asked.wait(timeout=60) == 2
    os.close(ours)
    assert b"names no teacher" in shown and not (tmp_path / "r.json").exists()


def test_a_dataset_in_the_place_of_a_result_and_the_other_way_round_is_named(solved: Solved, tmp_path: Path) -> None:
    data = tmp_path / "d.json"
    data.write_text(
        '{"schema": "timetable-dataset/1", "rooms": [{"id": "R", "capacity": 5}], "courses": [{"id": "C"}]}'
    )
    given: tuple[tuple[tuple[str | Path, ...], str], ...] = (
        (("export", data, "--dataset", data, "-o", tmp_path / "x.csv"), "this is a dataset, which holds no timetable"),
        (("export", data, "-o", tmp_path / "x.csv"), "this is a dataset, which holds no timetable"),
        (("verify", solved.result, solved.result), "this is a result of `timetable solve`"),
        (("export", solved.result, "-o", tmp_path / "x.csv"), "name its dataset with --dataset"),
    )
    for arguments, said in given:
        done = timetable(*arguments)
        assert (done.returncode, done.stdout) == (2, "") and ("wrong_kind" in done.stderr) == ("this is" in said)
        assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "x.csv").exists()


def test_what_was_mended_in_a_csv_set_stands_in_both_json_documents(csv_set: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = timetable("solve", csv_set, "--time-limit", "2", "--json", "-o", result)
    assert done.returncode == 0, done.stderr
    printed, written = json.loads(done.stdout)["import"], json.loads(result.read_text())["import"]
    assert printed == written
    assert [(note["code"], note["line"]) for note in printed["warnings"]] == [("teacher_unknown", 2)]
    assert [(note["file"], note["line"]) for note in printed["repairs"]] == [("subjects", 2)]
    assert [(note["file"], note["line"]) for note in printed["unusable"]] == [("students", 3)]


def test_a_csv_set_in_a_zip_file_is_solved_and_its_workbook_written(csv_set: Path, tmp_path: Path) -> None:
    packed, book = tmp_path / "set.zip", tmp_path / "week.xlsx"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in csv_set.iterdir():
            archive.write(file, f"set/{file.name}")
    done = timetable("solve", packed, "--time-limit", "2", "-o", book, "--teacher", "F1")
    assert done.returncode == 0, done.stderr
    assert "students.csv:3  student_id 'T1': the id stands on an earlier line already" in done.stdout
    sheets = openpyxl.load_workbook(book).sheetnames
    assert sheets == ["Index", "Sessions", "F1"]


def test_a_stored_result_is_exported_in_each_format(solved: Solved, tmp_path: Path) -> None:
    toy, result = solved
    term = (
        "--term-start",
        "2026-09-01",
        "--term-end",
        "2026-12-18",
        "--time-zone",
        "Asia/Kolkata",
        "--skip",
        "2026-10-02",
    )
    for name, begin, options in (
        ("x.xlsx", b"PK", ()),
        ("x.csv", b"\xef\xbb\xbfday,start", ("--room", "big")),
        ("x.html", b"<!doctype html>", ("--teacher", "t1")),
        ("x.svg", b"<?xml", ("--group", "q1")),
        ("x.ics", b"BEGIN:VCALENDAR\r\n", term),
    ):
        done = timetable("export", result, "--dataset", toy, "-o", tmp_path / name, *options)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "x.svg"), "shows one week"),
        (("-o", "x.json"), "no format of timetables"),
        (("-o", "x.csv", "--variant", "9"), "variants 1 to 1"),
        (("-o", "x.csv", "--room", "moon"), "has no room 'moon'"),
    ],
)
def test_an_export_that_cannot_be_is_bad_input(
    solved: Solved, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    toy, result = solved
    options = tuple(str(tmp_path / word) if word.startswith("x.") else word for word in options)
    done = timetable("export", result, "--dataset", toy, *options)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    stranger = tmp_path / "strange.sol"
    stranger.write_text("c1 moon 0 1\n")
    assert timetable("export", stranger, "--dataset", toy, "-o", tmp_path / "y.csv").returncode == 2


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
    assert "finished early, as asked" in output
    assert json.loads(result.read_text())["variants"]


LOADED = """
import sys, app.cli
try:
    app.cli.main()
finally:
    roots = {name.partition(".")[0] for name in sys.modules}
    rooms = {".".join(name.split(".")[:2]) for name in sys.modules}
    found = (roots & {"fastapi", "starlette", "uvicorn"}) | (rooms & {"app.http", "app.service"})
    print(*sorted(found), file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["--help", "verify", "export"])
def test_whoever_asks_for_a_file_or_for_help_waits_for_no_service(command: str, solved: Solved, tmp_path: Path) -> None:
    dataset, result, week = str(solved.problem), str(solved.result), str(tmp_path / "week.csv")
    words = {
        "--help": ["--help"],
        "verify": ["verify", dataset, result],
        "export": ["export", result, "--dataset", dataset, "-o", week],
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, timeout=110, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
