"""
The service under test: a real one, in a process of its own, on a free port and a folder of its own.

It is asked over HTTP only, and it may die at any moment: every question is repeated until it is answered, which is safe
because submitting, cancelling and asking again are harmless by contract. A lost answer is a fact for the ledger.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import psutil

from app.processes.vitals import TAG
from app.settings import PREFIX
from app.system.failpoints import VARIABLE as FAILPOINTS
from benchmarks.faults.ledger import COMPLETED, TERMINAL, Ledger
from benchmarks.faults.sources import body_of, recount

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "app.cli")
JOIN = ("sh", "-c", 'echo $$ > "$0" && exec "$@"')
"""Joins the group whose file comes next, and becomes the command behind that."""
START_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
"""A question that nobody answers for so long is a breach by itself."""
LOOK_SECONDS = 0.02
POLL_SECONDS = 0.1
ORPHAN_SECONDS = 2.0
"""What a dead process has started may outlive it by this much."""
SETTINGS: Mapping[str, object] = {
    "slots": 2,
    "retry_wait_seconds": 0.2,
    "submits_per_minute": 0,
    "checks_per_minute": 0,
    "reads_per_minute": 0,
    "queue_limit": 10_000,
}
"""One client asks more here than a polite one would; everything else is as it comes."""


class Died(Exception):
    """The service ended when it should have served; the message has its exit code."""


class Unanswered(Exception):
    """The service gave no answer that can be used, for too long."""


class Target:
    """
    One service. `folder` holds its data, its log and its armed failpoints; `settings` overrule `SETTINGS`. Where a
    control group is given as `group`, the service and all that it starts are in it.

    Use it as an async context: entering starts it, leaving ends whatever is left of it.
    """

    def __init__(self, folder: Path, ledger: Ledger, *, group: Path | None = None, **settings: object) -> None:
        self.folder, self.ledger, self._group = folder, ledger, group
        self.data, self.failpoints = folder / "data", folder / "failpoints"
        self.failpoints.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._tag: str | None = None
        self._settings = {**SETTINGS, **settings}
        self.extra_environment: dict[str, str] = {}
        self._numbers = 0
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=10.0, trust_env=False)

    async def __aenter__(self) -> Target:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.http.aclose()
            self.kill()
            for process in self.census():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    # --- processes ---

    @property
    def environment(self) -> dict[str, str]:
        """Ours without our own settings, and those of this service."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        given = {PREFIX + name.upper(): str(value) for name, value in self._settings.items()}
        places = {
            f"{PREFIX}DATA_DIR": str(self.data),
            f"{PREFIX}PORT": str(self.port),
            FAILPOINTS: str(self.failpoints),
        }
        return {**ours, **given, **places, **self.extra_environment}

    def launch(self) -> None:
        """Starts the process and waits for nothing."""
        self.starts += 1
        joins = () if self._group is None else (*JOIN, str(self._group / "cgroup.procs"))
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*joins, *COMMAND, "serve"],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def start(self) -> float:
        """Starts the service; returns the seconds until it was ready. Raises Died."""
        began = time.monotonic()
        self.launch()
        await self.ready()
        return time.monotonic() - began

    async def ready(self, within: float = START_SECONDS) -> None:
        with anyio.fail_after(within):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await self.http.get("/health/ready")).status_code == httpx.codes.OK:
                        return
                if not self.alive:
                    raise Died(f"the service ended with {self.exit_code} before it was ready")
                await anyio.sleep(LOOK_SECONDS)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def kill(self) -> None:
        """SIGKILL to the service's main process, and to nothing else."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def stop(self, within: float = 30.0) -> tuple[int | None, float]:
        """SIGTERM; returns the exit code and the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        with anyio.move_on_after(within):
            while self.alive:
                await anyio.sleep(LOOK_SECONDS)
        return self.exit_code, time.monotonic() - began

    def forkserver(self) -> psutil.Process | None:
        """The process that forks solving children, None while there is none."""
        return next(
            (process for process in self._below(self.process.pid if self.process else None) if _forks(process)), None
        )

    def children(self) -> list[psutil.Process]:
        """The solving children at this moment."""
        forkserver = self.forkserver()
        return self._below(forkserver.pid) if forkserver else []

    def _below(self, pid: int | None) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return [] if pid is None else psutil.Process(pid).children()
        return []

    def census(self) -> list[psutil.Process]:
        """Every process that carries this service's tag, whoever its parent is. Zombies have no environment."""
        if self._tag is None and (forkserver := self.forkserver()) is not None:
            self._tag = tag_of(forkserver)
        if self._tag is None:
            return []
        return [process for process in psutil.process_iter() if tag_of(process) == self._tag]

    async def no_survivors(self, of: list[psutil.Process], killed_at: float) -> None:
        """Notes every process of an earlier census that still lives two seconds after `killed_at` (monotonic)."""
        await anyio.sleep(max(0.0, killed_at + ORPHAN_SECONDS - time.monotonic()))
        for process in of:
            if tag_of(process) is not None:
                self.ledger.breach(f"process {process.pid} survived for {ORPHAN_SECONDS:g} s")

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[list[int]]:
        """Starts the service again whenever it has died, as an init system does; yields the list of exit codes."""
        deaths: list[int] = []

        async def keep() -> None:
            while True:
                if not self.alive:
                    deaths.append(self.exit_code or 0)
                    self.launch()
                await anyio.sleep(LOOK_SECONDS)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep)
            yield deaths
            tasks.cancel_scope.cancel()

    async def command(self, *words: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs `timetable` with the same settings and failpoints."""

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*COMMAND, *words],
                env=self.environment,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=within,
                check=False,
            )

        return await anyio.to_thread.run_sync(run)

    # --- failpoints ---

    def arm(self, point: str, action: str) -> None:
        unfinished = self.failpoints / f".{point}"
        unfinished.write_text(action, encoding="ascii")
        unfinished.rename(self.failpoints / point)

    def armed(self, point: str) -> bool:
        return (self.failpoints / point).exists()

    async def fired(self, point: str, within: float) -> bool:
        """Waits until somebody has passed the armed point; disarms it when nobody does."""
        with anyio.move_on_after(within):
            while self.armed(point):
                await anyio.sleep(LOOK_SECONDS)
            return True
        (self.failpoints / point).unlink(missing_ok=True)
        return False

    # --- questions ---

    async def ask(self, method: str, path: str, *, within: float = PATIENCE_SECONDS, **given: Any) -> httpx.Response:
        """
        The answer, whatever it says; a lost one, "not ready" and "too many" are asked for again.

        Raises
        ------
        Unanswered
            There was none for `within` seconds.
        """
        last: object = None
        until = time.monotonic() + within
        while time.monotonic() < until:
            try:
                answer = await self.http.request(method, path, **given)
            except httpx.TransportError as error:
                last = error
            else:
                if answer.status_code not in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS):
                    return answer
                last = answer.text
            await anyio.sleep(5 * LOOK_SECONDS)
        raise Unanswered(f"{method} {path}: no answer for {within:g} s; the last was {last}")

    async def submit(
        self,
        source: str,
        seconds: float,
        *,
        may_end: frozenset[str] = COMPLETED,
        job_id: str | None = None,
        **fields: Any,
    ) -> str:
        """Posts a job until it is acknowledged; returns its id. Raises Unanswered, also for a refusal."""
        self._numbers += 1
        job_id = job_id or f"{source}-{self._numbers}"
        self.ledger.asked(job_id, source, may_end)
        body = {"job_id": job_id, "num_variants": 1, "time_limit_seconds": seconds, **body_of(source), **fields}
        answer = await self.ask("POST", "/generate_variants", json=body)
        if answer.status_code != httpx.codes.OK:
            raise Unanswered(f"the job was refused: {answer.status_code} {answer.text[:200]}")
        self.ledger.acknowledged(job_id)
        return job_id

    async def progress(self, job_id: str) -> dict[str, Any]:
        """One look at a job, noted in the ledger. A job that is not known is noted as lost, and counts as failed."""
        answer = await self.ask("GET", f"/progress/{job_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            self.ledger.missing(job_id)
            return {"status": "failed", "attempt": 0, "message": "lost", "metadata": {}, "cost": None}
        snapshot: dict[str, Any] = answer.json()
        self.ledger.saw(job_id, snapshot["status"], snapshot["attempt"])
        return snapshot

    async def until(self, job_id: str, wanted: Any, within: float, every: float = POLL_SECONDS) -> dict[str, Any]:
        """Polls a job until `wanted(snapshot)`, or until it has ended. Raises Unanswered."""
        until = time.monotonic() + within
        while True:
            snapshot = await self.progress(job_id)
            if wanted(snapshot) or snapshot["status"] in TERMINAL:
                return snapshot
            if time.monotonic() > until:
                raise Unanswered(f"job {job_id} is {snapshot['status']} ({snapshot['message']}) after {within:g} s")
            await anyio.sleep(every)

    async def ended(self, job_id: str, within: float = 60.0, every: float = POLL_SECONDS) -> dict[str, Any]:
        return await self.until(job_id, lambda snapshot: False, within, every)

    async def runs(self, job_id: str, after_attempt: int = 0, within: float = 30.0) -> dict[str, Any]:
        """Waits until a child of a later attempt has been heard, or the job has ended."""
        return await self.until(
            job_id, lambda snapshot: snapshot["attempt"] > after_attempt and is_heard(snapshot), within, LOOK_SECONDS
        )

    async def job(self, job_id: str) -> dict[str, Any]:
        """The job with its journal of attempts."""
        answer = await self.ask("GET", f"/jobs/{job_id}")
        view: dict[str, Any] = answer.raise_for_status().json()
        return view

    async def pid_of(self, job_id: str) -> int | None:
        """The child of the running attempt, None when there is none."""
        attempts = (await self.job(job_id))["attempts"]
        return attempts[-1]["pid"] if attempts and attempts[-1]["how"] is None else None

    # --- the end ---

    async def settle(self, within: float = 120.0) -> None:
        """
        Waits for every acknowledged job, compares all of them with the ledger, recounts what they published, stops the
        service and looks for what it has left behind.
        """
        until = time.monotonic() + within
        for entry in list(self.ledger.entries.values()):
            if entry.acknowledged and not entry.deleted:
                with contextlib.suppress(Unanswered):  # it is compared below, and is not in a state it may end in
                    await self.ended(entry.job_id, max(1.0, until - time.monotonic()))
                await self._compare(entry.job_id, entry.source)
        self.ledger.compare_list(await self._all_ids())
        survivors = self.census()
        code, _ = await self.stop()
        if code is None:
            self.ledger.breach("the service did not end after SIGTERM")
        await self.no_survivors([*survivors, *self.census()], time.monotonic())
        for sentence in await anyio.to_thread.run_sync(store_faults, self.data):
            self.ledger.breach(f"store: {sentence}")

    async def _compare(self, job_id: str, source: str) -> None:
        answer = await self.ask("GET", f"/jobs/{job_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return self.ledger.missing(job_id)
        view = answer.json()
        self.ledger.compare(job_id, view["status"], view["attempts"])
        if view["status"] == "completed":
            answer = await self.ask("GET", f"/variants/{job_id}")
            variants = answer.json().get("variants", []) if answer.status_code == httpx.codes.OK else []
            faults = [fault for variant in variants for fault in recount(source, variant)]
            if not variants:
                faults.append(f"its result cannot be fetched ({answer.status_code})")
            for fault in faults:
                self.ledger.breach(f"job {job_id}: {fault}")
        return None

    async def _all_ids(self) -> list[str]:
        ids: list[str] = []
        while True:
            page = (await self.ask("GET", "/jobs", params={"limit": 1000, "offset": len(ids)})).json()["jobs"]
            ids += [job["job_id"] for job in page]
            if len(page) < 1000:
                return ids

    def log_tail(self, lines: int = 5) -> str:
        return "\n".join((self.folder / "service.log").read_text("utf-8", "replace").splitlines()[-lines:])


def is_heard(snapshot: Mapping[str, Any]) -> bool:
    """Whether the job runs and its child has said where it is; until then the message is that of the supervisor."""
    return snapshot["status"] == "running" and not str(snapshot["message"]).startswith("starting")


def store_faults(data: Path) -> list[str]:
    """What SQLite itself finds wrong with the store of a service that does not run."""
    path = data / "jobs.sqlite3"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"dangling reference {row}" for row in db.execute("PRAGMA foreign_key_check")]


def tag_of(process: psutil.Process) -> str | None:
    """The folder that a process works for, None when it has ended or works for none."""
    try:
        tag: str | None = process.environ().get(TAG)
    except (psutil.Error, OSError):
        return None
    return tag


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _forks(process: psutil.Process) -> bool:
    try:
        return "app.processes.forkserver" in process.cmdline()
    except psutil.Error:
        return False
