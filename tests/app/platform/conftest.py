"""The whole service with a quick solver, and everything it tells: a real database, Redis, broker and receiver."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg.rows import dict_row
from redis import Redis

from app.main import create_app
from app.platform.addresses import with_index
from app.processes.children import ForkServer, tag_of
from app.settings import Settings
from tests import postgres, real
from tests.effort import PATIENCE_SECONDS
from tests.service.conftest import SOLVE
from tests.service.solvers import campus

KEY = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
OTHER_KEY = "whsec_" + "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
REDIS_INDEX = 9
CALLERS = {
    "academic_year": "2026-2027",
    "semester": "odd",
    "org_id": "BHU",
    "priority": "normal",
    "time_config": {"a": 1},
}
"""What the platform writes into `timetable_data` when it makes a job."""
CREATE = """
CREATE TABLE generation_jobs (
    id uuid PRIMARY KEY, status varchar(20) NOT NULL, progress integer NOT NULL DEFAULT 0, timetable_data jsonb,
    error_message text, completed_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz
)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def new_id() -> str:
    return str(uuid.uuid4())


class Running(NamedTuple):
    """A service and a client of it."""

    app: FastAPI
    client: httpx.AsyncClient

    async def submit(self, job_id: str, behaviour: str = "quick", **given: Any) -> httpx.Response:
        body = {"job_id": job_id, "dataset": campus(behaviour), "num_variants": 1, "time_limit_seconds": 20, **given}
        answer = await self.client.post("/api/generate_variants", json=body)
        assert answer.status_code == 200, answer.text
        return answer

    async def progress(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.client.get(f"/progress/{job_id}")).json()
        return found

    async def deliveries(self, job_id: str) -> dict[str, dict[str, Any]]:
        """The rows of the outbox by channel."""
        return {row["channel"]: row for row in (await self.client.get(f"/jobs/{job_id}")).json()["deliveries"]}

    async def told(self, job_id: str, state: str = "delivered", **of: str) -> dict[str, dict[str, Any]]:
        """Waits until the job has ended and every delivery of it is in a state; `of` names another one by channel."""

        async def settled() -> dict[str, dict[str, Any]] | None:
            rows = await self.deliveries(job_id)
            return rows if rows and all(row["state"] == of.get(name, state) for name, row in rows.items()) else None

        return await until(settled)


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, as soon as it finds something."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while not (found := await look()):
            await anyio.sleep(0.02)
    return found


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a service on the test's folder, again and again if wanted."""

    @asynccontextmanager
    async def started(**given: Any) -> AsyncIterator[Running]:
        quick: dict[str, Any] = {"slots": 2, "delivery_first_wait_seconds": 0.05, "platform_redis_seconds": 0.05}
        settings = Settings(**{"data_dir": tmp_path, **quick, **given})
        app = create_app(settings, ForkServer(SOLVE, tag_of(settings.data_dir)))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60) as client,
        ):
            yield Running(app, client)

    return started


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A database of our own; the keys of a test are named by its own job ids."""
    url = with_index(real.listening(real.REDIS), REDIS_INDEX)
    with Redis.from_url(url, decode_responses=True, socket_timeout=None) as redis:
        yield redis


class Database(NamedTuple):
    """A database of the platform with its table of jobs, as far as the contract tells."""

    url: str

    def add(self, job_id: str, status: str = "running", data: Any = CALLERS) -> str:
        self._do("INSERT INTO generation_jobs (id, status, timetable_data) VALUES (%s, %s, %s)", job_id, status, data)
        return job_id

    def row(self, job_id: str) -> dict[str, Any]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            row = connection.execute("SELECT * FROM generation_jobs WHERE id = %s", (job_id,)).fetchone()
        assert row is not None
        return row

    def execute(self, statement: str) -> None:
        self._do(statement)

    def _do(self, statement: Any, *values: Any) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement, [json.dumps(v) if isinstance(v, dict) else v for v in values] or None)


@pytest.fixture(scope="module")
def base() -> Iterator[Database]:
    with postgres.database() as url:
        yield Database(url)


@pytest.fixture
def database(base: Database) -> Database:
    """With the table of jobs made anew."""
    base.execute(f"DROP TABLE IF EXISTS generation_jobs; {CREATE}")
    return base


class Post(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """A real HTTP server. `answers` are the codes of the next answers, then `usual`; `hold` keeps it from answering."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answers: list[int] = []
        self.usual = 204
        self.answer_bytes = 0
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.posts.append(Post(self.path, headers, body))
                receiver.hold.wait(PATIENCE_SECONDS)
                self.send_response(receiver.answers.pop(0) if receiver.answers else receiver.usual)
                self.send_header("Location", receiver.url + "/elsewhere")
                self.end_headers()
                try:
                    for _ in range(receiver.answer_bytes // 1000):
                        self.wfile.write(b"x" * 1000)
                except OSError:
                    receiver.answer_bytes = -1  # the client had enough

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
