"""What stands on one machine: services in processes of their own, and the shipped nginx in front of them."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.real import free_port

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "app" / "deploy"
TEMPLATE = FILES / "nginx.conf.template"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
LOOPBACK = "127.0.0.1"
SECONDS = 100.0
"""Nothing here takes as long, unless kernels have to be compiled for the very first job."""

# The package of the distribution brings such a frame as `/etc/nginx/nginx.conf`; here it writes to one folder only.
FRAME = """\
daemon off;
user {user};
worker_processes 2;
pid {folder}/pid;
error_log {folder}/error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/timetable.conf;
}}
"""


def until(holds: Callable[[], object], what: str) -> None:
    """Returns as soon as it holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


class Service:
    """`timetable serve` on a port that stays the same, with a data folder of its own."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.address = f"{LOOPBACK}:{self.port}"
        self.log = folder / "service.log"
        self._environment = {**os.environ, "TIMETABLE_DATA_DIR": str(folder), "TIMETABLE_KEYS_DIR": str(keys)}
        self._environment |= {"TIMETABLE_SLOTS": "1", "TIMETABLE_TRUSTED_PROXIES": LOOPBACK}
        self._environment |= {"TIMETABLE_LOG_FILE": str(self.log), "TIMETABLE_HEARTBEAT_SECONDS": "0.3"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Does nothing while it runs."""
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "app.cli", "serve", "--host", LOOPBACK, "--port", str(self.port)]
            sink = subprocess.DEVNULL
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=sink, stderr=sink)

    def wait(self) -> None:
        until(self._answers, f"the service of {self.folder} does not start")

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "the service has ended"
        try:
            return httpx.get(f"http://{self.address}/health/live", timeout=SECONDS).status_code == 200
        except httpx.TransportError:
            return False

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait(SECONDS)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self._process.wait(SECONDS)

    def connections(self) -> int:
        """Connections that the service itself holds open at this moment."""
        assert self._process is not None
        every = psutil.Process(self._process.pid).net_connections("tcp4")
        return sum(1 for one in every if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.port)

    def unread(self) -> int:
        """Connections on which bytes wait that the service has not read, as the kernel tells."""
        rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        mine, established = f":{self.port:04X}", "01"
        return sum(
            1
            for row in rows
            if row[1].endswith(mine) and row[3] == established and int(row[4].partition(":")[2], 16) > 0
        )


@contextmanager
def nginx(folder: Path, primary: str, backup: str) -> Iterator[str]:
    """The shipped configuration with addresses filled in, running; yields its own address."""
    assert NGINX is not None
    listen = f"{LOOPBACK}:{free_port()}"
    (folder / "timetable.conf").write_text(filled_in(listen, primary, backup))
    (folder / "nginx.conf").write_text(FRAME.format(folder=folder, user=getpass.getuser()))
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            until(lambda: running.poll() is not None or _listens(listen), "nginx does not start")
            assert running.poll() is None, (folder / "error.log").read_text()
            yield listen
        finally:
            running.terminate()


def filled_in(listen: str, primary: str, backup: str) -> str:
    text = TEMPLATE.read_text(encoding="utf-8")
    for word, value in (("LISTEN", listen), ("PRIMARY", primary), ("BACKUP", backup)):
        text = text.replace(f"${{{word}}}", value)
    return text


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with closing(socket.socket()) as trying:
        return trying.connect_ex((host, int(port))) == 0


def order(job_id: str, dataset: str = "tiny", seconds: float = 2.0) -> dict[str, Any]:
    """The body of a job on a sample."""
    return {"job_id": job_id, "dataset_name": dataset, "num_variants": 1, "time_limit_seconds": seconds}
