"""
Services and workers as processes of their own, on a real PostgreSQL and a real broker.

`main` is the command `timetable` with the solvers of `tests.service.quick` and, where asked for, with all clocks of
leases at two fifths of their time. The command itself is `python -m app.cli`.
"""

from __future__ import annotations

import importlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import redis
from celery import Celery

from app.cluster.broker import celery_of
from app.settings import Settings
from tests.effort import PATIENCE_SECONDS
from tests.real import RABBITMQ, REDIS, free_port, listening

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
SECONDS = PATIENCE_SECONDS
"""Nothing takes as long that is waited for, also of programs that start together on a machine that does other work."""
REDIS_INDEX = 14
COMMAND = ("-m", "app.cli")
QUICK = ("-c", "from tests.cluster.rig import main; main()")
CLOCKS = {
    "app.store.postgres.LEASE_SECONDS": 6.0,
    "app.store.postgres.RENEW_CALL_SECONDS": 1.2,
    "app.store.connections.CALL_SECONDS": 2.4,
    "app.store.fair_queue.FIRST_AGAIN_SECONDS": 1.0,
    "app.service.leases.RENEW_SECONDS": 1.2,
    "app.service.leases.FENCE_SECONDS": 4.0,
    "app.service.leases.SILENT_SECONDS": 2.4,
    "app.service.membership.SILENT_SECONDS": 2.4,
    "app.service.membership.LOST_SECONDS": 6.0,
    "app.service.membership.LOOK_SECONDS": 0.6,
    "app.cluster.sender.PING_SECONDS": 0.5,
    "app.store.portfolio.HANDOVER_SECONDS": 0.6,
    "app.store.portfolio.LEAST_SECONDS": 1.0,
    "app.store.portfolio.INVITE_AGAIN_SECONDS": 0.6,
    "app.service.portfolio_assistants.LOOK_SECONDS": 0.2,
}


def main() -> None:
    """`timetable`, quicker."""
    for place, seconds in CLOCKS.items():
        module, _, name = place.rpartition(".")
        assert hasattr(importlib.import_module(module), name), place
        setattr(importlib.import_module(module), name, seconds)
    importlib.import_module("app.processes.children").SOLVE = "tests.service.quick:solve"  # type: ignore[attr-defined]
    from app.cli import main as command

    command()


def address_of(broker: str) -> str:
    """Of the real one called `redis` or `rabbitmq`."""
    if broker == "rabbitmq":
        return listening(RABBITMQ)
    return urlsplit(listening(REDIS))._replace(path=f"/{REDIS_INDEX}").geturl()


@contextmanager
def queue_of_its_own(broker: str) -> Iterator[str]:
    """The name of a queue that is gone afterwards, with all that Celery has made beside it."""
    name = f"timetable_test_{secrets.token_hex(6)}"
    try:
        yield name
    finally:
        if broker.startswith("redis"):
            client = redis.Redis.from_url(broker)
            for key in client.scan_iter(f"*{name}*"):
                client.delete(key)
            client.close()
        else:
            with celery(broker, name).connection_for_write() as connection:
                connection.default_channel.queue_delete(name)
                for exchange in (name, f"{name}.control.pidbox", f"reply.{name}.control.pidbox", f"{name}.events"):
                    connection.default_channel.exchange_delete(exchange)


def celery(broker: str, queue: str) -> Celery:
    return celery_of(Settings(broker_url=broker, broker_queue=queue), waits=3.0)


class Process:
    """A service (`serve ...`) or a worker (`worker ...`) with a data folder of its own."""

    def __init__(
        self, folder: Path, words: list[str], given: Mapping[str, str], program: tuple[str, ...] = QUICK
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        environment = {**os.environ, **given, "TIMETABLE_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}
        environment |= {"TIMETABLE_MIN_FREE_MB": "0", "TIMETABLE_RESERVE_MB": "0", "TIMETABLE_LOG_FORMAT": "text"}
        with self.log.open("ab") as log:
            command = [sys.executable, *program, *words]
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(SECONDS)

    def stop(self) -> int:
        """Tells it to end and waits; its exit code."""
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once it has one."""
        return self._process.wait(SECONDS)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class Cluster:
    """One service and any number of workers, each with `given` in its environment."""

    def __init__(
        self,
        folder: Path,
        database: str,
        broker: str,
        queue: str,
        program: tuple[str, ...] = QUICK,
        given: Mapping[str, str] = {},
    ) -> None:
        self.folder, self._program, self._count = folder, program, 0
        self.given = {
            "TIMETABLE_DATABASE_URL": database,
            "TIMETABLE_BROKER_URL": broker,
            "TIMETABLE_BROKER_QUEUE": queue,
            "TIMETABLE_RETRY_WAIT_SECONDS": "0.1",
            **given,
        }
        self.port = free_port()
        self.http = httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self.port}", timeout=SECONDS)
        self.service = self.start("service", "serve", "--queue", "celery", "--port", str(self.port))
        self.workers: list[Process] = []

    def start(self, name: str, *words: str) -> Process:
        return Process(self.folder / name, list(words), self.given, self._program)

    def add_worker(self, *words: str, slots: int = 1) -> Process:
        self._count += 1
        self.workers.append(self.start(f"worker-{self._count}", "worker", "--slots", str(slots), *words))
        return self.workers[-1]

    async def close(self) -> None:
        await self.http.aclose()
        for process in (*self.workers, self.service):
            if process._process.poll() is None:
                await anyio.to_thread.run_sync(process.stop)

    # --- what is seen over HTTP ---

    async def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(path)).raise_for_status().json()
        return found

    async def post(self, body: Mapping[str, Any]) -> None:
        (await self.http.post("/generate_variants", json=body)).raise_for_status()

    async def ready(self, *, workers: int) -> None:
        """Waits until the service answers and so many workers were heard of."""
        async with _Patience("the cluster does not start", self):
            while True:
                try:
                    if (await self.http.get("/health/ready")).status_code == 200:
                        found = (await self.get("/workers"))["workers"]
                        if sum(not one["silent"] for one in found) == workers:
                            return
                except httpx.TransportError:
                    pass  # it does not listen yet
                await anyio.sleep(0.1)

    async def until(self, job_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Follows a job until its progress is as wanted."""
        async with _Patience(f"job {job_id} does not get there", self):
            while True:
                found = await self.get(f"/progress/{job_id}")
                if wanted(found):
                    return found
                await anyio.sleep(0.05)
        raise AssertionError

    async def ended(self, job_id: str) -> dict[str, Any]:
        return await self.until(job_id, lambda found: found["status"] in ("completed", "failed", "cancelled"))

    async def searching(self, job_id: str, *, attempt: int = 1) -> dict[str, Any]:
        return await self.until(
            job_id, lambda f: f["status"] == "running" and f["attempt"] == attempt and f["cost"] is not None
        )

    async def attempts(self, job_id: str) -> list[str]:
        return [row["how"] for row in (await self.get(f"/jobs/{job_id}"))["attempts"]]

    async def worker_of(self, job_id: str) -> Process:
        """The one that works on a job."""
        found = [one["pid"] for one in (await self.get("/workers"))["workers"] if job_id in one["jobs"]]
        (process,) = (worker for worker in self.workers if worker.pid in found)
        return process


class _Patience:
    """Fails with what the processes have said when something takes too long."""

    def __init__(self, what: str, cluster: Cluster) -> None:
        self._what, self._cluster = what, cluster

    async def __aenter__(self) -> None:
        self._scope = anyio.move_on_after(SECONDS)
        self._scope.__enter__()

    async def __aexit__(self, *error: Any) -> None:
        self._scope.__exit__(*error)
        if self._scope.cancelled_caught:
            logs = "\n".join(process.said()[-3000:] for process in (self._cluster.service, *self._cluster.workers))
            raise AssertionError(f"{self._what}\n{logs}")
