"""
Reading requests: from the bytes of a body to a checked order, an answer, or a problem document.

The interpreter gives nobody else a turn while it parses one JSON text, so a thread would not keep a large body from
stopping the event loop. `python -m app.gate.reader SOCKET` is a process that answers one `Question` after the other on
a socket: two 4-byte lengths (big endian), a JSON header and a body of bytes each way, never pickle. `app.gate.readers`
keeps such processes; small bodies it gives to `perform` in a thread of its own.

A reader may be killed at any moment: it holds nothing that anybody would miss.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import json
import os
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from fastapi.responses import JSONResponse

from app.catalogue import load_sample
from app.errors import PROBLEMS, Told, TooHeavy, problem_response, row_of
from app.gate.checking import score_timetable, validate_dataset
from app.gate.intake import Order, read_order
from app.jobs import JobRequest
from app.settings import Settings

LENGTHS = struct.Struct(">II")
MAX_HEADER_BYTES = 4 << 20
MAX_REPLY_BYTES = 256 << 20
NICENESS = 5
"""Behind the event loop, before the children."""
OUT_OF_MEMORY_SCORE = 600
"""When memory runs out, the kernel shall take a reader before a child, and both before the service."""
MAX_QUESTIONS = 500
MAX_RESIDENT_MB = 700
"""A reader that has grown so large, or has answered so many questions, asks to be replaced by a fresh one."""
LARGE_BODY = 256 * 1024
"""After a body of this size rubbish is collected, between two questions; never while one is being answered."""
_PR_SET_PDEATHSIG = 1

Work: TypeAlias = Literal["order", "validate", "score", "sample"]


class Question(NamedTuple):
    """What is to be read: a body, and what `work` needs beside it."""

    work: Work
    body: bytes = b""
    options: Mapping[str, Any] = {}


class Reply(NamedTuple):
    """
    `json`: the body is the answer. `order`: the header is an order, the body its dataset. `problem`: the body is a
    problem document, the header its status. `fault`: our own bug, with its traceback in the header.
    """

    kind: Literal["json", "order", "problem", "fault"]
    header: Mapping[str, Any]
    body: bytes = b""


class ReaderFault(RuntimeError):
    """A reader failed for a reason of its own."""


def perform(question: Question, settings: Settings) -> Reply:
    """Answers a question. Blocking; what is wrong with the request becomes a reply, only our own bugs are raised."""
    try:
        return _WORKS[question.work](question, settings)
    except MemoryError:
        return refusal(TooHeavy("Reading the request takes more memory than is allowed. Maybe send less at once."))
    except tuple(PROBLEMS) as error:
        return refusal(error)


def refusal(error: Exception) -> Reply:
    """The reply that says no."""
    answer = problem_response(error)
    headers = {"Retry-After": answer.headers["retry-after"]} if "retry-after" in answer.headers else {}
    header = {"status": answer.status_code, "code": row_of(error).code, "headers": headers}
    return Reply("problem", header, bytes(answer.body))


def content_of(reply: Reply) -> bytes:
    """
    The body of a reply that is no refusal.

    Raises
    ------
    Told, ReaderFault
        It is one.
    """
    if reply.kind == "problem":
        raise Told(reply.header["status"], reply.header["code"], reply.header["headers"], reply.body)
    if reply.kind == "fault":
        raise ReaderFault(f"a reader failed:\n{reply.header['traceback']}")
    return reply.body


def order_of(reply: Reply) -> Order:
    """The order in a reply to the work `order`. Raises what `content_of` raises."""
    packed, header = content_of(reply), reply.header
    return Order(
        request=JobRequest(**header["request"], packed=packed),
        notes=tuple(header["notes"]),
        adjusted=header["adjusted"],
    )


def _order(question: Question, settings: Settings) -> Reply:
    order = read_order(question.body, settings, question.options.get("default_job_id"))
    request = asdict(order.request)
    packed = request.pop("packed")
    return Reply("order", {"request": request, "notes": order.notes, "adjusted": order.adjusted}, packed)


def _validate(question: Question, settings: Settings) -> Reply:
    return _json(validate_dataset(question.body, settings))


def _score(question: Question, settings: Settings) -> Reply:
    return _json(score_timetable(question.body, settings))


def _json(document: object) -> Reply:
    return Reply("json", {}, bytes(JSONResponse(document).body))


def _sample(question: Question, settings: Settings) -> Reply:
    name, seed = question.options["name"], question.options["seed"]
    return Reply("json", {}, _sample_body(name, seed, settings.num_variants, settings.solve_seconds))


@lru_cache(maxsize=8)
def _sample_body(name: str, seed: int, num_variants: int, time_limit_seconds: float) -> bytes:
    """A body for `POST /generate_variants` with the whole sample in it."""
    sample = load_sample(name, seed)
    body = {
        "organization_id": sample.dataset.name,
        "semester": 1,
        "num_variants": num_variants,
        "time_limit_seconds": time_limit_seconds,
        "seed": 0,
        "dataset": sample.document,
    }
    return json.dumps(body, separators=(",", ":")).encode()


_WORKS: Mapping[Work, Callable[[Question, Settings], Reply]] = {
    "order": _order,
    "validate": _validate,
    "score": _score,
    "sample": _sample,
}


# --- the process ----------------------------------------------------------------------------------------------------


def frame(header: Mapping[str, Any], body: bytes) -> bytes:
    """A header and a body as bytes."""
    text = json.dumps(header, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return LENGTHS.pack(len(text), len(body)) + text + body


def main(descriptor: int) -> None:
    """Answers questions until the socket closes. The environment that `app.gate.readers` made holds the settings."""
    settings = Settings.from_environment()
    channel = socket.socket(fileno=descriptor)
    _harden(settings)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the service is gone; nobody waits for an answer
        _serve(channel, settings)


def _serve(channel: socket.socket, settings: Settings) -> None:
    channel.sendall(frame({"ready": True}, b""))
    for count in itertools.count(1):
        question = _next(channel)
        if question is None:
            return
        reply = _answer(question, settings)
        tired = count >= MAX_QUESTIONS or _resident_mb() > MAX_RESIDENT_MB
        channel.sendall(frame({"kind": reply.kind, "header": reply.header, "tired": tired}, reply.body))
        if len(question.body) > LARGE_BODY or count % 50 == 0:
            del question, reply
            gc.collect()


def _harden(settings: Settings) -> None:
    """Dies with the service, is polite to it, and cannot take all of its memory."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = settings.reader_memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE), encoding="ascii")
    # A hostile body is millions of small objects, and looking for rubbish among them takes longer than reading them.
    gc.collect()
    gc.freeze()
    gc.disable()


def _answer(question: Question, settings: Settings) -> Reply:
    try:
        return perform(question, settings)
    except Exception:  # noqa: BLE001 - the service logs it with a correlation id, and the next body may be sound
        return Reply("fault", {"traceback": traceback.format_exc()})


def _next(channel: socket.socket) -> Question | None:
    """None when the service has closed its end, or is gone."""
    try:
        header_length, body_length = LENGTHS.unpack(_exactly(channel, LENGTHS.size))
        header = json.loads(_exactly(channel, header_length))
        return Question(header["work"], bytes(_exactly(channel, body_length)), header["options"])
    except (EOFError, OSError):
        return None


def _exactly(channel: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        received = channel.recv_into(view)
        if not received:
            raise EOFError
        view = view[received:]
    return data


def _resident_mb() -> float:
    """The largest amount of memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
