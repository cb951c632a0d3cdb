"""The processes of a cluster, each with a folder that outlives it, and a client that asks whichever service answers."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import psycopg

from app.settings import PREFIX
from benchmarks.faults.ledger import TERMINAL, Ledger
from benchmarks.faults.sources import body_of
from benchmarks.faults.target import COMMAND, ROOT, SETTINGS, free_port

START_SECONDS = 180.0
PATIENCE_SECONDS = 150.0
PAUSE_SECONDS = 0.1


@contextmanager
def database(server: str) -> Iterator[str]:
    """An empty database that ends with the block."""
    name = f"timetable_cluster_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Member:
    """One process, begun again by hand or, in `kept_alive`, whenever it has ended."""

    def __init__(self, folder: Path, words: list[str], given: Mapping[str, object]) -> None:
        self.name, self._words, self._folder = folder.name, words, folder
        folder.mkdir(parents=True)
        ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        settings = {**SETTINGS, **given, "data_dir": folder, "log_format": "json"}
        self._environment = {**ours, **{PREFIX + name.upper(): str(value) for name, value in settings.items()}}
        self.starts, self.stopped = 0, False
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.starts += 1
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *self._words], env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.process is not None and self.alive:
            self.process.send_signal(number)

    def said(self, words: str) -> int:
        """Lines of its log with these words."""
        log = self._folder / "log"
        return sum(words in line for line in log.read_text("utf-8", "replace").splitlines()) if log.exists() else 0

    async def end(self) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with anyio.move_on_after(30, shield=True):
            while self.alive:
                await anyio.sleep(PAUSE_SECONDS)
        if self.process is not None and self.alive:
            self.process.kill()


class Cluster:
    """`services` and `workers`, all begun; `ledger` knows what was acknowledged."""

    def __init__(self, folder: Path, given: Mapping[str, object], *, services: int, workers: int) -> None:
        self.ledger, self.quiet = Ledger(), False
        ports = [free_port() for _ in range(services)]
        self.services = [
            Member(folder / f"service-{n}", ["serve", "--queue", "celery", "--port", str(port)], given)
            for n, port in enumerate(ports)
        ]
        self.workers = [Member(folder / f"worker-{n}", ["worker", "--slots", "1"], given) for n in range(workers)]
        self.clients = [httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5.0) for port in ports]

    @property
    def members(self) -> list[Member]:
        return [*self.services, *self.workers]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        for member in self.members:
            member.start()
        try:
            with anyio.fail_after(START_SECONDS):
                while len((await self.ask("GET", "/workers")).json()["workers"]) < len(self.workers):
                    await anyio.sleep(PAUSE_SECONDS)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                for client in self.clients:
                    await client.aclose()
                async with anyio.create_task_group() as tasks:
                    for member in self.members:
                        tasks.start_soon(member.end)

    async def keep_alive(self) -> None:
        """Starts again what has died, as an init system does."""
        while True:
            for member in self.members:
                if not member.alive:
                    member.start()
            await anyio.sleep(PAUSE_SECONDS)

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """The first answer of any service that is none of "not ready"; it may take a while."""
        last: object = None
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            for client in self.clients:
                try:
                    answer = await client.request(method, path, **given)
                except httpx.TransportError as error:
                    last = error
                    continue
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return answer
                last = answer.text
            await anyio.sleep(PAUSE_SECONDS)
        raise RuntimeError(f"{method} {path}: no answer for {PATIENCE_SECONDS:g} s; the last was {last!r}")

    async def submit(self, job_id: str, source: str, seconds: float, organisation: str, **more: object) -> None:
        self.ledger.asked(job_id, source)
        body = {"job_id": job_id, "num_variants": 1, "time_limit_seconds": seconds, "organization_id": organisation}
        answer = await self.ask("POST", "/generate_variants", json={**body, **more, **body_of(source)})
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{job_id} was refused: {answer.text[:300]}")
        self.ledger.acknowledged(job_id)

    async def all_ended(self, within: float) -> float:
        """Waits for every acknowledged job; the seconds that took. What has not ended then is a breach of its own."""
        began = time.monotonic()
        open_ones = [entry.job_id for entry in self.ledger.entries.values() if entry.acknowledged]
        while open_ones and time.monotonic() - began < within:
            answer = await self.ask("GET", f"/progress/{open_ones[0]}")
            if answer.status_code == httpx.codes.NOT_FOUND or answer.json()["status"] in TERMINAL:
                open_ones.pop(0)
            else:
                await anyio.sleep(PAUSE_SECONDS)
        return time.monotonic() - began

    async def compare(self) -> list[Mapping[str, Any]]:
        """Compares every job with the ledger; the journals of all attempts."""
        journal: list[Mapping[str, Any]] = []
        for job_id in self.ledger.entries:
            answer = await self.ask("GET", f"/jobs/{job_id}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                self.ledger.missing(job_id)
                continue
            view = answer.json()
            self.ledger.compare(job_id, view["status"], view["attempts"])
            if view["status"] == "failed":
                print(f"   {job_id} has failed: {view['error']}; {[row['how'] for row in view['attempts']]}")
            journal += [{**row, "job_id": job_id} for row in view["attempts"]]
        return journal

    async def readiness(self) -> list[bool]:
        """Of each service, at this moment."""
        found = []
        for client in self.clients:
            ready = False
            with contextlib.suppress(httpx.TransportError):
                ready = (await client.get("/health/ready")).status_code == httpx.codes.OK
            found.append(ready)
        return found
