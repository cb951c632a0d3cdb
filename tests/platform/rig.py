"""The platform at work: a database with its own migrations, its web server, its worker, and our service beside them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import psycopg
from redis import Redis

from app.domain.callers import Scope
from app.platform.addresses import with_index
from app.store.api_keys import KeyFile
from tests import postgres, real
from tests.deploy.rig import LOOPBACK, ROOT, until

PROGRESS_INDEX, BROKER_INDEX = 11, 12


class Platform(NamedTuple):
    """
    Addresses of what runs; `service_port` is where its worker looks for us.

    It sends no header of its own: its address of us has `key` as the password, which the folder `keys` knows.
    """

    database: str
    queue: str
    service_port: int
    web: httpx.Client
    redis: Redis
    keys: Path
    key: str

    def create(self, organisation: str, semester: str = "odd") -> str:
        """A job, made as the page makes one."""
        body = {"academic_year": "2024-2025", "semester": semester, "org_id": organisation, "priority": "normal"}
        answer = self.web.post("/api/generation-jobs/generate/", json=body)
        assert answer.status_code == 201, answer.text
        job_id: str = answer.json()["job_id"]
        return job_id

    def steer(self, job_id: str, how: str) -> Any:
        """What the platform does to a job: "cancel", "again" or "directly"."""
        answer = self.web.post(f"/api/generation-jobs/{job_id}/{how}/")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def row_is(self, job_id: str, status: str) -> str | None:
        """Waits until the row of a job has a status; its error."""
        question = "SELECT status, error_message FROM generation_jobs WHERE id = %(job)s"
        until(lambda: self.rows(question, job=job_id)[0][0] == status, f"the row does not become {status}")
        error: str | None = self.rows(question, job=job_id)[0][1]
        return error

    def ask(self, path: str, **query: Any) -> Any:
        answer = self.web.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, question: str, **values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(question.encode(), values).fetchall()

    @contextmanager
    def service(self, folder: Path, **given: str) -> Iterator[httpx.Client]:
        """Our service where the worker looks for it, for small jobs; `given` are further settings."""
        small = {
            "solve_seconds": "2",
            "num_variants": "2",
            "platform_redis_url": real.REDIS,
            "platform_redis_db": str(PROGRESS_INDEX),
            "platform_redis_seconds": "0.05",
            "platform_rows_seconds": "0.3",
        }
        with service(self.database, self.service_port, folder, **small, **given) as client:
            client.headers["X-API-Key"] = self.key
            yield client


@contextmanager
def service(database: str, port: int, folder: Path, **given: str) -> Iterator[httpx.Client]:
    """Our service in a process of its own, with the platform's database as its source; `given` are settings."""
    settings = {
        "data_dir": str(folder),
        "slots": "1",
        "heartbeat_seconds": "0.3",
        "delivery_first_wait_seconds": "0.1",
        "platform_database_url": database,
        "platform_source": "yes",
        **given,
    }
    environment = {f"TIMETABLE_{name.upper()}": value for name, value in settings.items()}
    command = ["-m", "app.cli", "serve", "--host", LOOPBACK, "--port", str(port)]
    with running(command, environment), httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=30) as client:
        until(lambda: _answers(client, "/health/ready"), "the service does not start")
        yield client


@contextmanager
def platform() -> Iterator[Platform]:
    """Everything of the platform; its tables are there and empty."""
    redis_url = real.listening(real.REDIS)
    queue, service_port, web_port = f"platform-{uuid.uuid4().hex}", real.free_port(), real.free_port()
    with ExitStack() as stack:
        database = stack.enter_context(postgres.database())
        keys = Path(stack.enter_context(TemporaryDirectory()))
        _, key = KeyFile(keys).add("platform", (Scope.SUBMIT, Scope.READ, Scope.CANCEL))
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.django_project.settings",
            "DATABASE_URL": database,
            "REDIS_URL": with_index(redis_url, PROGRESS_INDEX),
            "BROKER_URL": with_index(redis_url, BROKER_INDEX),
            "CELERY_QUEUE": queue,
            "FASTAPI_URL": f"http://platform:{key}@{LOOPBACK}:{service_port}",
        }
        worker = ["-m", "celery", "-A", "tests.django_project", "worker", "--pool", "solo", "--loglevel", "error"]
        stack.enter_context(running([*worker, "--without-gossip", "--without-mingle"], environment))
        migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env={**os.environ, **environment}, check=True)
        serve = ["-m", "django", "runserver", f"{LOOPBACK}:{web_port}", "--noreload", "--skip-checks"]
        stack.enter_context(running(serve, environment))
        web = stack.enter_context(httpx.Client(base_url=f"http://{LOOPBACK}:{web_port}", timeout=30))
        until(lambda: _answers(web, "/"), "the web server of the platform does not start")
        redis = stack.enter_context(Redis.from_url(environment["REDIS_URL"], decode_responses=True))
        stack.callback(_forget, environment["BROKER_URL"], queue)
        yield Platform(database, queue, service_port, web, redis, keys, key)


def _forget(broker: str, queue: str) -> None:
    with Redis.from_url(broker) as client:
        client.delete(queue, f"_kombu.binding.{queue}")


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A Python process that ends with the block."""
    everything = {**os.environ, **environment}
    sink = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, env=everything, stdout=sink, stderr=sink) as process:
        try:
            yield
        finally:
            process.terminate()


def _answers(client: httpx.Client, path: str) -> bool:
    """Whether it answers, if only that it has no such page."""
    try:
        return client.get(path).status_code < 500
    except httpx.TransportError:
        return False
