"""A service that cannot start says why in a sentence, and its exit code is that of our own faults."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
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
