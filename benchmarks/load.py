"""
Load on a running service: pollers, event streams and a submitter, and how long each of them had to wait.

`measure_load()` is the client; `python -m benchmarks.load URL` prints its figures. The client speaks HTTP over plain
sockets, because on a machine of few cores a comfortable client would measure mostly itself. It tells how late its own
timers were, so that figures of a starved client are seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from solver.samples import PRESETS

POLL_SECONDS = 1.0
ANSWER_SECONDS = 10.0
SUBMIT_EVERY_SECONDS = 1.0
TICK_SECONDS = 0.02


@dataclass
class Kind:
    """Seconds that requests of one kind took."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def percentile(self, share: float) -> float:
        """Seconds below which `share` of the requests stayed; NaN without any."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclass
class LoadFigures:
    """What a measurement found. `event_delay` is from the instant a snapshot was made until it was read."""

    progress: Kind = field(default_factory=Kind)
    submit: Kind = field(default_factory=Kind)
    event_delay: Kind = field(default_factory=Kind)
    client_lag: Kind = field(default_factory=Kind)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        return {
            "progress": self.progress,
            "submit": self.submit,
            "event delay": self.event_delay,
            "client's own lag": self.client_lag,
        }

    @property
    def errors(self) -> int:
        return sum(kind.errors.total() for kind in self.kinds.values())

    def table(self) -> str:
        """One line per kind; times in milliseconds."""
        lines = [f"{'kind':<17}{'count':>8}{'p50':>9}{'p99':>9}{'max':>9}{'errors':>8}  (ms)"]
        for name, kind in self.kinds.items():
            p50, p99, most = (1000 * kind.percentile(share) for share in (0.5, 0.99, 1.0))
            lines.append(
                f"{name:<17}{len(kind.seconds):>8}{p50:>9.1f}{p99:>9.1f}{most:>9.1f}{kind.errors.total():>8}"
                + (f"  {dict(kind.errors)}" if kind.errors else "")
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def of(cls, base_url: str) -> Address:
        parts = urlsplit(base_url)
        return cls(parts.hostname or "127.0.0.1", parts.port or 80)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, limit=1 << 22)


async def measure_load(
    base_url: str,
    seconds: float,
    pollers: int,
    streams: int,
    *,
    job_ids: Sequence[str] = (),
    submit_body: Mapping[str, object] | None = None,
    key: str | None = None,
) -> LoadFigures:
    """
    Polls at 1 Hz with `pollers` clients and listens with `streams` for `seconds`.

    `job_ids` are followed in turn; without any the submitter's jobs are. `submit_body` is posted once a second with a
    new `job_id` each time; None submits one small job only when there is nothing else to follow. `key` is an API key.
    """
    address, figures = Address.of(base_url), LoadFigures()
    headers = f"Host: {address.host}\r\n" + (f"X-API-Key: {key}\r\n" if key else "")
    followed = list(job_ids)
    if not followed:
        body = submit_body or {"dataset_name": "tiny", "time_limit_seconds": seconds, "num_variants": 1}
        followed = [await _submit(address, headers, body, figures.submit)]
    began = time.monotonic()
    until = began + seconds
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_tick(figures.client_lag, until))
        for number in range(pollers):
            job_id = followed[number % len(followed)]
            first = began + POLL_SECONDS * number / pollers
            tasks.create_task(_poll(address, headers, job_id, first, until, figures.progress))
        for number in range(streams):
            job_id = followed[number % len(followed)]
            tasks.create_task(_listen(address, headers, job_id, until, figures.event_delay))
        if submit_body is not None:
            tasks.create_task(_submit_steadily(address, headers, submit_body, until, figures.submit))
    return figures


async def _poll(address: Address, headers: str, job_id: str, due: float, until: float, kind: Kind) -> None:
    """One poller on one connection that it keeps; a broken one counts as an error and is made anew."""
    request = f"GET /progress/{job_id} HTTP/1.1\r\n{headers}\r\n".encode()
    reader = writer = None
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if reader is None or writer is None:
                    reader, writer = await address.connect()
                writer.write(request)
                status, _ = await _answer(reader)
            kind.seconds.append(time.monotonic() - began)
            if status != 200:
                kind.errors[f"status {status}"] += 1
        except (OSError, EOFError, ValueError) as error:
            kind.errors[type(error).__name__] += 1
            _close(writer)
            reader = writer = None
        due += POLL_SECONDS
    _close(writer)


async def _listen(address: Address, headers: str, job_id: str, until: float, kind: Kind) -> None:
    """One event stream; comes back when it ends, as a browser would."""
    request = f"GET /progress/{job_id}/events HTTP/1.1\r\n{headers}\r\n".encode()
    while time.monotonic() < until:
        writer = None
        try:
            async with asyncio.timeout(until - time.monotonic()):
                reader, writer = await address.connect()
                writer.write(request)
                status, _ = await _head(reader)
                if status != 200:
                    kind.errors[f"status {status}"] += 1
                    return
                await _follow(reader, kind)
        except TimeoutError:
            return
        except (OSError, EOFError, ValueError) as error:
            kind.errors[type(error).__name__] += 1
        finally:
            _close(writer)
        await asyncio.sleep(POLL_SECONDS)


async def _follow(reader: asyncio.StreamReader, kind: Kind) -> None:
    """Reads events until `done`. Only running jobs tell the instant at which their snapshot was made."""
    first = True
    while line := await reader.readline():
        if line.startswith(b"event: done"):
            return
        if line.startswith(b"data: {") and b'"last_updated"' in line:
            snapshot = json.loads(line.removeprefix(b"data: "))
            if snapshot["status"] == "running" and not first:
                kind.seconds.append(max(0.0, time.time() - snapshot["last_updated"]))
            first = False


async def _submit_steadily(
    address: Address, headers: str, body: Mapping[str, object], until: float, kind: Kind
) -> None:
    while time.monotonic() < until:
        await _submit(address, headers, body, kind)
        await asyncio.sleep(SUBMIT_EVERY_SECONDS)


async def _submit(address: Address, headers: str, body: Mapping[str, object], kind: Kind) -> str:
    """One job under an id of its own; returns the id."""
    job_id = f"load-{uuid.uuid4()}"
    text = json.dumps({**body, "job_id": job_id}).encode()
    head = f"POST /generate_variants HTTP/1.1\r\n{headers}Content-Type: application/json\r\nContent-Length: {len(text)}"
    writer, began = None, time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await address.connect()
            writer.write(head.encode() + b"\r\n\r\n" + text)
            status, _ = await _answer(reader)
        kind.seconds.append(time.monotonic() - began)
        if status not in (200, 202):
            kind.errors[f"status {status}"] += 1
    except (OSError, EOFError, ValueError) as error:
        kind.errors[type(error).__name__] += 1
    finally:
        _close(writer)
    return job_id


async def _tick(kind: Kind, until: float) -> None:
    """How late the client's own timers are: what is below that is not the service's doing."""
    while time.monotonic() < until:
        began = time.monotonic()
        await asyncio.sleep(TICK_SECONDS)
        kind.seconds.append(time.monotonic() - began - TICK_SECONDS)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    fields = (line.partition(b":") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in fields}


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, fields = await _head(reader)
    return status, await reader.readexactly(int(fields.get(b"content-length", b"0")))


def _close(writer: asyncio.StreamWriter | None) -> None:
    if writer is not None:
        writer.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("url", help="where the service listens, such as http://127.0.0.1:8001")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--pollers", type=int, default=200)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=4, help="large jobs that are submitted first, to be followed")
    parser.add_argument("--dataset", choices=sorted(PRESETS), default="university", help="sample of these jobs")
    parser.add_argument("--key", default=None, help="API key, where the service asks for one")
    given = parser.parse_args()
    figures = asyncio.run(_loaded(given))
    print(figures.table())
    return 1 if figures.errors else 0


async def _loaded(given: argparse.Namespace) -> LoadFigures:
    address = Address.of(given.url)
    headers = f"Host: {address.host}\r\n" + (f"X-API-Key: {given.key}\r\n" if given.key else "")
    large = {"dataset_name": given.dataset, "time_limit_seconds": given.seconds + 60}
    job_ids = [await _submit(address, headers, large, Kind()) for _ in range(given.jobs)]
    small = {"dataset_name": "tiny", "time_limit_seconds": 5, "num_variants": 1}
    return await measure_load(
        given.url,
        given.seconds,
        given.pollers,
        given.streams,
        job_ids=job_ids,
        submit_body=small,
        key=given.key,
    )


if __name__ == "__main__":
    raise SystemExit(main())
