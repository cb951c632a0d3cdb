"""
The shipped nginx configuration, in a real nginx in front of two real services.

The services have a store each, where two of a real installation share one; a test that needs a job on both posts it
to both. They share their keys, as they have to.
"""

from __future__ import annotations

import itertools
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from app.domain.callers import Scope
from app.settings import Settings
from app.store.api_keys import KeyFile
from tests.deploy.rig import LOOPBACK, NGINX, SECONDS, TEMPLATE, Service, nginx, order, until
from tests.real import free_port, missing

LIMIT = Settings().max_body_bytes
CLIENTS = 20
PASSED_OVER_SECONDS = 30.0
"""Half of the 60 s that nginx would wait by default; the template says 3 s for polls."""

Two = tuple[Service, Service]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of keys, and one of them."""
    if NGINX is None:
        missing("nginx")
    folder = tmp_path_factory.mktemp("keys")
    return folder, KeyFile(folder).add("platform", [Scope.SUBMIT, Scope.READ, Scope.CANCEL])[1]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, key: tuple[Path, str]) -> Iterator[Two]:
    first, second = (Service(tmp_path_factory.mktemp(name), key[0]) for name in ("primary", "backup"))
    try:
        for service in (first, second):
            service.start()
        for service in (first, second):
            service.wait()
        yield first, second
    finally:
        for service in (first, second):
            service.stop()


@pytest.fixture
def services(both: Two) -> Two:
    """Both of them running, whatever the test before has done to them."""
    for service in both:
        service.start()
    for service in both:
        service.wait()
    return both


@pytest.fixture
def front(services: Two, tmp_path: Path) -> Iterator[str]:
    """A fresh nginx, which remembers no failures."""
    with nginx(tmp_path, *(service.address for service in services)) as address:
        yield address


@pytest.fixture
def client(front: str, key: tuple[Path, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{front}", headers={"X-API-Key": key[1]}, timeout=SECONDS) as client:
        yield client


@pytest.fixture
def direct(services: Two, key: tuple[Path, str]) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients that ask the primary and the backup themselves."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(
                httpx.Client(base_url=f"http://{one.address}", headers={"X-API-Key": key[1]}, timeout=SECONDS)
            )
            for one in services
        )
        yield first, second


def test_requests_go_to_the_primary_by_any_spelling_and_their_answers_come_back_as_they_are(
    client: httpx.Client, direct: tuple[httpx.Client, httpx.Client]
) -> None:
    assert client.post("/api/generate_variants/", json=order("spelled")).status_code == 200
    for path in ("/progress/spelled", "/api/progress/spelled/", "/jobs/spelled"):
        assert client.get(path).json()["job_id"] == "spelled"
    assert [one.get("/progress/spelled").status_code for one in direct] == [200, 404]
    unknown = client.get("/progress/nobody")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    assert client.get("/metrics").status_code == client.get("/api/metrics/").status_code == 404


def test_progress_is_never_cached(client: httpx.Client) -> None:
    client.post("/generate_variants", json=order("fresh", seconds=1))
    seen = set[str]()
    end = time.monotonic() + SECONDS
    while (answer := client.get("/progress/fresh")).json()["status"] not in ("completed", "failed"):
        assert answer.headers["cache-control"] == "no-store" and "age" not in answer.headers
        seen.add(answer.json()["version"])
        assert time.monotonic() < end
    assert answer.json()["status"] == "completed" and len(seen) > 1
    assert not re.search(r"^\s*proxy_cache", TEMPLATE.read_text(), re.M)


def test_events_arrive_when_they_are_sent(client: httpx.Client, direct: tuple[httpx.Client, httpx.Client]) -> None:
    client.post("/generate_variants", json=order("told", "college", 2))
    reading = threading.Barrier(2)

    def arrivals(asked: httpx.Client) -> dict[str, float]:
        """When each event came, by its name and id."""
        reading.wait(SECONDS)
        came, lines = {}, list[str]()
        with asked.stream("GET", "/progress/told/events") as answer:
            for line in answer.iter_lines():
                lines.append(line)
                if not line:
                    name, number = (next((x for x in lines if x.startswith(y)), "") for y in ("event:", "id:"))
                    came[f"{name} {number}"] = time.monotonic()
                    lines.clear()
        return came

    with ThreadPoolExecutor(2) as readers:
        past_nginx, itself = readers.map(arrivals, (client, direct[0]))
    shared = past_nginx.keys() & itself.keys()
    assert len(shared) >= 4 and any(name.startswith("event: done") for name in shared)
    lag = max(past_nginx[name] - itself[name] for name in shared)
    lasted = max(itself.values()) - min(itself.values())
    assert lag < lasted / 2, "the first event does not wait for the last one"


def test_even_a_ping_of_a_few_bytes_is_not_held_back(client: httpx.Client) -> None:
    for job_id in ("working", "waiting"):  # there is one slot, so that nothing happens to the second
        client.post("/generate_variants", json=order(job_id, "college", 60))
    came = list[float]()
    with client.stream("GET", "/progress/waiting/events") as answer:
        for line in answer.iter_lines():
            came += [time.monotonic()] if line == ": ping" else []
            if len(came) == 3:
                break
    for job_id in ("waiting", "working"):
        client.post(f"/cancel/{job_id}")
    assert all(later - sooner > 0.1 for sooner, later in itertools.pairwise(came))


def test_the_service_learns_the_address_of_the_client_and_no_other_it_may_claim(front: str, services: Two) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(transport=transport, headers={"X-Forwarded-For": "10.9.9.9"}) as stranger:
        assert stranger.get(f"http://{front}/jobs").status_code == 401

    def denied() -> list[str]:
        """Addresses in the audit, whose line is written after the answer."""
        lines = [json.loads(line) for line in services[0].log.read_text().splitlines()]
        return [line["address"] for line in lines if line.get("result") == "denied"]

    until(denied, "nothing is audited")
    assert denied() == ["127.0.0.2"]


def test_a_body_may_be_as_large_as_the_service_allows_and_no_larger(client: httpx.Client) -> None:
    assert f"client_max_body_size {LIMIT};" in TEMPLATE.read_text()
    json_body = {"content-type": "application/json"}
    assert client.post("/generate_variants", content=b" " * LIMIT, headers=json_body).status_code == 422
    pieces = (b" " * (1 << 20) for _ in range(LIMIT // (1 << 20) + 1))
    for path, keyed in (("/generate_variants", {}), ("/validate", {}), ("/generate", {"Idempotency-Key": "large"})):
        refused = client.post(path, content=b" " * (LIMIT + 1), headers=json_body | keyed)
        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
        assert refused.headers["content-type"] == "application/problem+json"
    chunked = client.post("/generate_variants", content=pieces, headers=json_body)
    assert (chunked.status_code, chunked.json()["code"]) == (413, "body_too_large")


def test_the_inner_spelling_of_a_repeatable_request_is_not_served(client: httpx.Client) -> None:
    assert client.post("/keyed/cancel/anything").status_code == 404


def test_slow_clients_hold_nginx_and_not_the_service(
    front: str, services: Two, client: httpx.Client, key: tuple[Path, str]
) -> None:
    host, _, port = front.partition(":")
    head = f"POST /generate_variants HTTP/1.1\r\nHost: a\r\nX-API-Key: {key[1]}\r\nContent-Length: 100000\r\n\r\n"
    large = f"GET /datasets/university HTTP/1.1\r\nHost: a\r\nX-API-Key: {key[1]}\r\n\r\n"
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(socket.create_connection((host, int(port))))) for _ in range(CLIENTS)]
        for one in slow[1:]:
            one.sendall(head.encode() + b"{")
        slow[0].sendall(large.encode())
        assert slow[0].recv(12) == b"HTTP/1.1 200"  # and it takes no more
        assert client.get("/health/live").status_code == 200, "nobody waits behind them"
        until(lambda: services[0].connections() == 0, "the service waits for slow clients")


def test_when_a_service_is_killed_polls_go_on_without_an_error(
    services: Two, client: httpx.Client, direct: tuple[httpx.Client, httpx.Client]
) -> None:
    for one in direct:
        assert one.post("/generate_variants", json=order("followed", seconds=1)).status_code == 200
    paths = ("/progress/followed", "/health/live", "/health/ready", "/health", "/variants/followed")
    until(lambda: client.get("/progress/followed").json()["status"] == "completed", "the job does not end")
    until(lambda: direct[1].get("/progress/followed").json()["status"] == "completed", "the job does not end")
    told = threading.Event()

    def polls(path: str) -> tuple[set[int], int]:
        """The statuses of answers before and after the kill, and how many answers were cut off."""
        seen, cut, after = set[int](), 0, 0
        while after < 25:
            after += told.is_set()
            try:
                seen.add(client.get(path).status_code)
            except httpx.RemoteProtocolError:  # killed between head and body of its answer, which no proxy can mend
                cut += 1
        return seen, cut

    with ThreadPoolExecutor(len(paths)) as pollers:
        polling = [pollers.submit(polls, path) for path in paths]
        services[0].signal(signal.SIGKILL)
        told.set()
        for seen, cut in (one.result(SECONDS) for one in polling):
            assert seen == {200} and cut <= 1  # one at most was on its way
    assert client.post("/generate_variants", json=order("after")).status_code == 200  # it reached nobody, so it may


def test_a_service_that_hangs_is_passed_over_by_polls(services: Two, client: httpx.Client) -> None:
    services[0].signal(signal.SIGSTOP)
    try:
        assert client.get("/health/live", timeout=PASSED_OVER_SECONDS).status_code == 200
    finally:
        services[0].signal(signal.SIGCONT)


def test_a_post_that_a_dying_service_had_received_is_repeated_only_with_an_idempotency_key(
    services: Two, client: httpx.Client, direct: tuple[httpx.Client, httpx.Client]
) -> None:
    plain, keyed = order("received"), {**order(""), "job_id": None}
    services[0].signal(signal.SIGSTOP)
    with ThreadPoolExecutor(2) as senders:
        lost = senders.submit(client.post, "/generate_variants", json=plain)
        saved = senders.submit(client.post, "/generate_variants", json=keyed, headers={"Idempotency-Key": "once"})
        until(lambda: services[0].unread() == 2, "nginx does not pass the requests on")
        services[0].signal(signal.SIGKILL)
        answer, job = lost.result(SECONDS), saved.result(SECONDS)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_service_answered")
    assert answer.headers["retry-after"] == "5" and answer.headers["content-type"] == "application/problem+json"
    assert direct[1].get("/progress/received").status_code == 404
    assert job.status_code == 200 and job.json()["created"]
    assert direct[1].get(f"/progress/{job.json()['job_id']}").status_code == 200
    assert [client.post("/generate_variants", json=plain).json()["created"] for _ in range(2)] == [True, False]
    again = client.post("/generate_variants", json=keyed, headers={"Idempotency-Key": "once"}).json()
    assert (again["job_id"], again["created"]) == (job.json()["job_id"], False)


def test_when_nobody_answers_the_platform_is_told_to_come_back(tmp_path: Path, key: tuple[Path, str]) -> None:
    nobody = f"{LOOPBACK}:{free_port()}"
    with nginx(tmp_path, nobody, nobody) as front:
        for method, path in (("GET", "/progress/x"), ("POST", "/generate_variants"), ("GET", "/progress/x/events")):
            answer = httpx.request(method, f"http://{front}{path}", timeout=SECONDS)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["code"] == "no_service_answered"
