"""
Reading requests and results: from the bytes of a body to a checked order, an answer, or a problem document.

The interpreter gives nobody else a turn while it parses one JSON text, so a thread would not keep a large body from
stopping the event loop. `python -m app.processes.parse_worker SOCKET` is a process that answers one `Question` after
the other on a socket, in frames (`app.domain.framing`).
`app.processes.parse_pool` keeps such processes; small bodies it gives to `perform` in a thread of its own.

A worker may be killed at any moment: it holds nothing that anybody would miss.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import resource
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from app import MEBIBYTE
from app.domain.documents import encoded
from app.domain.exceptions import TooHeavy
from app.domain.framing import LENGTHS, FrameLimits, framed
from app.domain.issues import REFUSALS
from app.domain.requests import Source
from app.domain.samples import load_sample
from app.processes import hardening
from app.processes.claims import Claim, NotVerified
from app.processes.intake import load_source, read_order
from app.processes.questions import Question, Reply, Work, order_reply, read, refusal, written
from app.processes.salvage import Salvageable, salvage
from app.processes.size_limits import size_of
from app.processes.validation import score_timetable, validate_dataset
from app.settings import Settings
from app.system.failpoints import failpoint
from app.views.result import PIECES, Opened, as_file, one_variant, open_result

REPLY_LIMITS = FrameLimits(header=4 << 20, body=256 << 20)
NICENESS = 1
"""Behind the event loop, and far before the children: a client waits for a worker, nobody for a few more moves."""
OUT_OF_MEMORY_SCORE = 600
"""When memory runs out, the kernel shall take a worker before a child, and both before the service."""
MAX_QUESTIONS = 500
MAX_RESIDENT_MB = 700
"""A worker that has grown so large, or has answered so many questions, asks to be replaced by a fresh one."""
LARGE_BODY = 256 * 1024
"""After a body of this size rubbish is collected, between two questions; never while one is being answered."""
OF_EVERY_RESULT = frozenset({"rules", "dataset_bytes"})
"""Options that say how a result is opened, whatever is asked of it."""
SAMPLES_KEPT, RESULTS_KEPT = 8, 1
"""Of what was read lately, under the bytes that it was read from."""


def perform(question: Question, settings: Settings) -> Reply:
    """Answers a question. Blocking; what is wrong with the request becomes a reply, only our own bugs are raised."""
    try:
        return _WORKS.get(question.work, _piece)(question, settings)
    except MemoryError:
        open_lately.cache_clear()
        return _no_memory()
    except REFUSALS as error:
        return refusal(error)


def _salvage(question: Question, settings: Settings) -> Reply:
    found = salvage(read(Salvageable, question.options, question.body))
    return Reply("kept", {}) if found is None else Reply("kept", *written(found))


def _last_recount(question: Question, settings: Settings) -> Reply:
    from app.processes.last_recount import recount  # takes half a second, which every other work can do without

    failpoint("recount.begun")
    try:
        return Reply("counted", *written(recount(read(Claim, question.options, question.body))))
    except NotVerified as error:
        return Reply("counted", {"false": str(error)})


def _order(question: Question, settings: Settings) -> Reply:
    options = question.options
    order = read_order(
        question.body,
        settings,
        options.get("default_job_id"),
        options.get("default_organization_id"),
        has_platform=options.get("has_platform", False),
    )
    return order_reply(order)


def _validate(question: Question, settings: Settings) -> Reply:
    return _json(validate_dataset(question.body, settings))


def _score(question: Question, settings: Settings) -> Reply:
    return _json(score_timetable(question.body, settings))


def _json(document: object) -> Reply:
    return Reply("json", {}, encoded(document))


def _sample(question: Question, settings: Settings) -> Reply:
    name, seed = question.options["name"], question.options["seed"]
    return Reply("json", {}, _sample_body(name, seed, settings.num_variants, settings.solve_seconds))


@lru_cache(maxsize=SAMPLES_KEPT)
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


def _preview(question: Question, settings: Settings) -> Reply:
    """The size of the data that a query names."""
    return _json(size_of(load_source(Source(dataset_name=question.options["dataset_name"]), settings).dataset))


def _opened(question: Question) -> Opened:
    """The body of a question about a result is its packed dataset, and behind that the packed result."""
    options = question.options
    return open_lately(question.body, options["dataset_bytes"], json.dumps(options["rules"], sort_keys=True))


@lru_cache(maxsize=RESULTS_KEPT)
def open_lately(body: bytes, split: int, rules: str) -> Opened:
    """Whoever looks at a result asks for one piece of it after the other, so the last one stays open."""
    return open_result(body[:split], body[split:], json.loads(rules))


def _piece(question: Question, settings: Settings) -> Reply:
    asked = {name: value for name, value in question.options.items() if name not in OF_EVERY_RESULT}
    return _json(PIECES[question.work](_opened(question), **asked))


def _variant(question: Question, settings: Settings) -> Reply:
    return _json(one_variant(_opened(question), question.options["n"], question.options))


def _variant_file(question: Question, settings: Settings) -> Reply:
    options = question.options
    return Reply("file", {}, as_file(_opened(question), options["n"], options["format"], options))


_WORKS: Mapping[Work, Callable[[Question, Settings], Reply]] = {
    "order": _order,
    "validate": _validate,
    "score": _score,
    "sample": _sample,
    "preview": _preview,
    "variant": _variant,
    "variant_file": _variant_file,
    "salvage": _salvage,
    "last_recount": _last_recount,
}
"""Every work but those that answer with a piece of a result (`app.views.result.PIECES`)."""


# --- the process ----------------------------------------------------------------------------------------------------


def frame(header: Mapping[str, Any], body: bytes) -> bytes:
    """A header and a body as bytes."""
    return framed(json.dumps(header, separators=(",", ":")).encode("utf-8", "backslashreplace"), body)


def main(descriptor: int) -> None:
    """
    Answers questions until the socket closes. The environment that `app.processes.parse_pool` made holds the settings.
    """
    settings = Settings.from_environment()
    channel = socket.socket(fileno=descriptor)
    _harden(settings)
    service_is_gone = (EOFError, BrokenPipeError, ConnectionResetError)  # and nobody waits for an answer
    with contextlib.suppress(*service_is_gone), channel.makefile("rb") as questions:
        _serve(channel, questions, settings)


def _serve(channel: socket.socket, questions: BinaryIO, settings: Settings) -> None:
    channel.sendall(frame({"ready": True}, b""))
    for count in itertools.count(1):
        lengths = questions.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            return
        header_length, body_length = LENGTHS.unpack(lengths)
        answer = _answer(questions, header_length, body_length, settings, count)
        if answer is None:
            gc.collect()  # the failed work has only now let go of what it held
            answer = _framed(_no_memory(), count)
        channel.sendall(answer)
        del answer
        if body_length > LARGE_BODY or count % 50 == 0:
            gc.collect()


def _harden(settings: Settings) -> None:
    """Dies with the service, is polite to it, and cannot take all of its memory."""
    hardening.end_with_parent()
    os.nice(NICENESS)
    hardening.leave_no_core()
    hardening.limit(resource.RLIMIT_DATA, settings.reader_memory_mb * MEBIBYTE)
    hardening.be_killed_first(OUT_OF_MEMORY_SCORE)
    # A hostile body is millions of small objects, and looking for rubbish among them takes longer than reading them.
    gc.collect()
    gc.freeze()
    gc.disable()


def _answer(questions: BinaryIO, header_length: int, body_length: int, settings: Settings, count: int) -> bytes | None:
    """The next question's answer as a frame; None when memory does not reach for the question or for its answer."""
    try:
        header = json.loads(questions.read(header_length))
        question = Question(header["work"], _body(questions, body_length), header["options"])
        return _framed(perform(question, settings), count)
    except MemoryError:
        return None
    except EOFError:
        raise
    except Exception:  # noqa: BLE001 - the service logs it with a correlation id, and the next body may be sound
        return _framed(Reply("fault", {"traceback": traceback.format_exc()}), count)


def _body(questions: BinaryIO, size: int) -> bytes:
    try:
        body = questions.read(size)
    except MemoryError:  # before the first byte of it was read: the next question stands behind all of it
        for begin in range(0, size, LARGE_BODY):
            questions.read(min(LARGE_BODY, size - begin))
        raise
    if len(body) < size:
        raise EOFError
    return body


def _framed(reply: Reply, count: int) -> bytes:
    tired = count >= MAX_QUESTIONS or _resident_mb() > MAX_RESIDENT_MB
    return frame({"kind": reply.kind, "header": reply.header, "tired": tired}, reply.body)


def _no_memory() -> Reply:
    return refusal(TooHeavy("Reading the request takes more memory than is allowed. Maybe send less at once."))


def _resident_mb() -> float:
    """The largest amount of memory this process ever had, in MB. `getrusage` begins with that of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]))
