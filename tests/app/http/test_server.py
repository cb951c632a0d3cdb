"""A service that cannot start says why in a sentence, and its exit code is that of our own faults."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.store.folder import LOCK_NAME
from app.store.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[3]


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
    assert f"cannot listen on 127.0.0.1:{busy_port}: address already in use; stop what listens" in done.stderr
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
    code = f"import sys, app.cli, app.http.server; print(sorted({heavy} & set(sys.modules)))"
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
    assert "no API key protects what is served there" in " ".join(done.stderr.split())
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


@pytest.fixture(scope="module")
def running_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service that waits a second for a header, and lets a client check once in a minute."""
    environment = {**os.environ, "TIMETABLE_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    environment |= {"TIMETABLE_BODY_SECONDS": "1", "TIMETABLE_CHECKS_PER_MINUTE": "1", "TIMETABLE_LOG_FORMAT": "text"}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        while "running on" not in (line := serving.stderr.readline()):
            assert serving.poll() is None
        yield int(line.split("running on http://127.0.0.1:")[1].split(" ")[0])
        serving.send_signal(signal.SIGTERM)
        serving.stderr.read()


def answer_to(connection: socket.socket, sent: str) -> str:
    """An answer with its body, "" when there is none because the connection was closed."""
    connection.sendall(sent.encode())
    answer = ""
    while not answer.endswith("}") and (received := connection.recv(65_536)):
        answer += received.decode()
    return answer


HALF_A_HEADER = "GET /health/live HTTP/1.1\r\nHost:"
GET_LIVE = f"{HALF_A_HEADER} a\r\n\r\n"


@pytest.mark.parametrize(("already_served", "said"), [(False, ""), (False, HALF_A_HEADER), (True, HALF_A_HEADER)])
def test_a_connection_without_a_whole_request_is_closed(running_port: int, already_served: bool, said: str) -> None:
    with socket.create_connection(("127.0.0.1", running_port), timeout=20) as connection:
        if already_served:
            assert " 200 " in answer_to(connection, GET_LIVE)
        began = time.monotonic()
        assert answer_to(connection, said) == "", "closed by the service before this client gives up"
        assert time.monotonic() - began > 0.5


def test_a_connection_is_kept_for_clients_that_ask_again(running_port: int) -> None:
    with socket.create_connection(("127.0.0.1", running_port), timeout=20) as connection:
        for pause in (0.0, 1.2):  # longer than a header may take, and shorter than uvicorn keeps a connection
            time.sleep(pause)
            assert " 200 " in answer_to(connection, GET_LIVE)


def test_a_client_cannot_choose_the_address_under_which_it_is_counted(running_port: int) -> None:
    statuses = []
    for number in range(3):
        with socket.create_connection(("127.0.0.1", running_port), timeout=20) as connection:
            sent = (
                f"POST /validate HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.{number}\r\nContent-Length: 0\r\n\r\n"
            )
            statuses.append(answer_to(connection, sent).split()[1])
    assert statuses[-1] == "429"


def test_a_service_whose_application_dies_ends_so_that_it_is_started_again(tmp_path: Path) -> None:
    code = (
        "import anyio, contextlib, app.cli, app.http.server as serving\n"
        "create_app = serving.create_app\n"
        "async def die():\n"
        "    await anyio.sleep(0.1)\n"
        "    raise ValueError('a background task is gone')\n"
        "def mortal(settings, forkserver):\n"
        "    made = create_app(settings)\n"
        "    inner = made.router.lifespan_context\n"
        "    @contextlib.asynccontextmanager\n"
        "    async def lifespan(app):\n"
        "        async with inner(app), anyio.create_task_group() as tasks:\n"
        "            tasks.start_soon(die)\n"
        "            yield\n"
        "    made.router.lifespan_context = lifespan\n"
        "    return made\n"
        "serving.create_app = mortal\n"
        "app.cli.main()\n"
    )
    environment = {**os.environ, "TIMETABLE_DATA_DIR": str(tmp_path), "COLUMNS": "200"}
    command = [sys.executable, "-c", code, "serve", "--host", "127.0.0.1", "--port", "0"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1
    assert "a background task is gone" in done.stderr and "the service has died" in done.stderr
    assert "Finished server process" in done.stderr
