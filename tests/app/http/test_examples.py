"""The examples of the API description and the client of the documents, sent to a service as they stand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import openpyxl
import pytest
from fastapi import FastAPI

from app.http.examples import BODIES, EVERYWHERE, JOB_ID, PARAMETERS
from tests.app.conftest import TERMINAL

ROOT = Path(__file__).resolve().parents[3]
FIRST = ("POST /generate_variants", "GET /progress/{job_id}", "running", "POST /finish/{job_id}", "wait")
LAST = ("POST /restart/{job_id}", "POST /cancel/{job_id}", "wait", "DELETE /jobs/{job_id}")
"""In what order the story goes; everything else is asked between the two, when the job has ended."""
ABSENT = {"GET /jobs/{job_id}/attempts/{n}/diagnosis": 404, "POST /conflicts/resolve/{conflict_id}": 404}
"""A sound job leaves no diagnosis, a sound timetable no conflict, and that is what a client is told."""


def operations(application: FastAPI) -> dict[str, Any]:
    paths = application.openapi()["paths"]
    return {f"{method.upper()} {path}": what for path, verbs in paths.items() for method, what in verbs.items()}


def requests(route: str, operation: dict[str, Any]) -> Iterator[httpx.Request]:
    """One request for each example of a body, or the only one, made from the description and nothing else."""
    method, path = route.split()
    places: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation.get("parameters", ()):
        assert "example" in parameter or not parameter["required"], f"{route}: {parameter['name']} has no example"
        if "example" in parameter:
            places[parameter["in"]][parameter["name"]] = parameter["example"]
    url = "http://service" + path.format(**places["path"])
    if "requestBody" not in operation:
        yield httpx.Request(method, url, params=places["query"], headers=places["header"])
        return
    (content,) = operation["requestBody"]["content"].values()
    assert content["examples"], f"{route} has no example of a body"
    for example in content["examples"].values():
        yield httpx.Request(method, url, params=places["query"], headers=places["header"], json=example["value"])


WAITS = {"running": ("running",), "wait": TERMINAL}


async def reached(client: httpx.AsyncClient, statuses: tuple[str, ...]) -> None:
    """Waits until the job of the story is in one of these states."""
    with anyio.fail_after(280):
        while (await client.get(f"/progress/{JOB_ID}")).json()["status"] not in statuses:
            await anyio.sleep(0.05)


@pytest.mark.anyio
async def test_every_example_is_answered_as_documented(application: FastAPI, client: httpx.AsyncClient) -> None:
    known = operations(application)
    between = [route for route in known if route not in (*FIRST, *LAST)]
    for route in (*FIRST, *between, *LAST):
        if route in WAITS:
            await reached(client, WAITS[route])
            continue
        for request in requests(route, known[route]):
            answer = await client.send(request)
            good = next(status for status in known[route]["responses"] if status.startswith("2"))
            assert str(answer.status_code) == str(ABSENT.get(route, good)), f"{route}: {answer.text[:500]}"
            assert str(answer.status_code) in known[route]["responses"]
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in known[route]["responses"][str(answer.status_code)]["content"], route


def test_no_example_is_for_a_route_or_a_parameter_that_does_not_exist(application: FastAPI) -> None:
    known = operations(application)
    names = {route: {p["name"] for p in what.get("parameters", ())} for route, what in known.items()}
    assert BODIES.keys() | PARAMETERS.keys() <= known.keys()
    assert all(given.keys() <= names[route] for route, given in PARAMETERS.items())
    assert all(any(name in of_route for of_route in names.values()) for name in EVERYWHERE)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A service in a process of its own."""
    environment = {**os.environ, "TIMETABLE_DATA_DIR": str(tmp_path / "data"), "TIMETABLE_POLL_SECONDS": "0.2"}
    environment |= {"TIMETABLE_LOG_FORMAT": "text"}
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        while "running on" not in (line := serving.stderr.readline()):
            assert serving.poll() is None
        yield line.split("running on ")[1].split(" ")[0].strip()
        serving.send_signal(signal.SIGTERM)
        serving.stderr.read()


def test_the_client_of_the_documents_keeps_a_workbook(address: str, tmp_path: Path) -> None:
    document = (ROOT / "app" / "docs" / "api.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import httpx.*?)```", document, re.S)
    assert len([line for line in code.splitlines() if line]) == 5
    for long, short in (("http://127.0.0.1:8001", address), ('"college"', '"tiny"'), (": 30}", ": 3}")):
        assert code.count(long) == 1
        code = code.replace(long, short)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=280, check=True)
    book = openpyxl.load_workbook(tmp_path / "week.xlsx")
    assert book.sheetnames[:2] == ["Index", "Sessions"] and book["Sessions"].max_row == 32
