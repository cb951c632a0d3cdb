"""A service that cannot start says why in a sentence, and its exit code is that of our own faults."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.store.folder import LOCK_NAME
from app.store.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]


def serve(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIMETABLE_DATA_DIR": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment, check=False)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


def test_a_data_folder_in_use_is_named_with_its_owner(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)):
        done = serve(tmp_path, "--port", "0")
    assert done.returncode == 1
    assert f"the data folder {tmp_path} is in use by process {os.getpid()}" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        path = store.path
    path.write_bytes(b"this is a letter to my aunt" * 400)
    assert (tmp_path / LOCK_NAME).exists()
    done = serve(tmp_path, "--port", "0")
    assert done.returncode == 1
    assert f"{path} cannot be used as a job store: file is not a database" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_busy_port_is_named_before_anything_is_opened(tmp_path: Path, busy_port: int) -> None:
    done = serve(tmp_path / "data", "--port", str(busy_port))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{busy_port}: address already in use" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "data").exists()


def test_a_second_ctrl_c_ends_the_service_at_once(tmp_path: Path) -> None:
    environment = {**os.environ, "TIMETABLE_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    serving = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert serving.stderr is not None
    while "running on" not in serving.stderr.readline():
        assert serving.poll() is None
    serving.send_signal(signal.SIGSTOP)  # both signals are waiting when it goes on, in this order
    serving.send_signal(signal.SIGINT)
    serving.send_signal(signal.SIGTERM)
    serving.send_signal(signal.SIGCONT)
    _, said = serving.communicate(timeout=60)
    assert serving.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert "Traceback" not in said


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True).stdout


def test_the_service_process_loads_neither_the_exact_solver_nor_the_compiler_of_kernels() -> None:
    heavy = "{'ortools', 'numba', 'pandas', 'llvmlite'}"
    code = f"import sys, app.cli, app.serving; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_of_the_solver_is_there_when_it_is_asked_for() -> None:
    code = (
        "import solver.diagnose, solver; print([n for n in solver.__all__ if getattr(solver, n) is None]);"
        "from solver import diagnose, solve; print(callable(diagnose), callable(solve), hasattr(solver, 'nothing'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "True True False"]


def test_an_address_for_everybody_without_keys_is_refused(tmp_path: Path) -> None:
    done = serve(tmp_path, "--port", "0", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "no API key protects the service" in " ".join(done.stderr.split())
    assert not list(tmp_path.glob("*.sqlite3"))


def test_the_log_of_a_run_is_json_from_the_first_line_to_the_last(tmp_path: Path) -> None:
    file = tmp_path / "service.log"
    environment = {**os.environ, "TIMETABLE_DATA_DIR": str(tmp_path / "data"), "TIMETABLE_LOG_FILE": str(file)}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        lines = [serving.stderr.readline()]
        while "running on" not in lines[-1]:
            lines.append(serving.stderr.readline())
        port = int(lines[-1].split("running on http://127.0.0.1:")[1].split(" ")[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=10) as answer:
            assert (answer.status, answer.headers["server"]) == (200, None)
        serving.send_signal(signal.SIGTERM)
        lines += serving.stderr.readlines()
        assert serving.wait(30) == 0
    events = [json.loads(line)["event"] for line in lines]
    assert any("Finished server process" in event for event in events)
    assert [json.loads(line)["event"] for line in file.read_text(encoding="utf-8").splitlines()] == events
