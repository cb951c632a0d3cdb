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
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeAlias

from app.domain.documents import encoded
from app.domain.exceptions import Refused, ServiceError, TooHeavy
from app.domain.framing import LENGTHS, Limits, framed
from app.domain.issues import MAX_ISSUES, REFUSALS, detail_of, issues_of, wire_issue
from app.domain.jobs import JobRequest
from app.domain.options import SolveOptions
from app.domain.requests import Source
from app.domain.samples import load_sample
from app.processes import hardening
from app.processes.claims import Claim, Counted, NotVerified
from app.processes.intake import Order, load_source, read_order
from app.processes.salvage import Held, Salvaged, salvage
from app.processes.validation import score_timetable, size_of, validate_dataset
from app.settings import Settings
from app.system.failpoints import failpoint
from app.views import result as results
from app.views.result import Opened, open_result
from app.views.shapes import SHAPES
from solver.result import Quality, StoppedBy
from solver.rules import Score

REPLY_LIMITS = Limits(header=4 << 20, body=256 << 20)
NICENESS = 1
"""Behind the event loop, and far before the children: a client waits for a worker, nobody for a few more moves."""
OUT_OF_MEMORY_SCORE = 600
"""When memory runs out, the kernel shall take a worker before a child, and both before the service."""
MAX_QUESTIONS = 500
MAX_RESIDENT_MB = 700
"""A worker that has grown so large, or has answered so many questions, asks to be replaced by a fresh one."""
LARGE_BODY = 256 * 1024
"""After a body of this size rubbish is collected, between two questions; never while one is being answered."""
SAMPLES_KEPT, RESULTS_KEPT = 8, 1
"""Of what was read lately, under the bytes that it was read from."""

Work: TypeAlias = Literal[
    "order",
    "validate",
    "score",
    "sample",
    "preview",
    "variants",
    "variant",
    "variant_file",
    "account",
    "who",
    "students",
    "week",
    "department",
    "load",
    "difference",
    "session",
    "conflicts",
    "resolutions",
    "resolution",
    "shape",
    "salvage",
    "last_recount",
]


class Question(NamedTuple):
    """What is to be read: a body, and what `work` needs beside it."""

    work: Work
    body: bytes = b""
    options: Mapping[str, Any] = {}


class Reply(NamedTuple):
    """
    `json`, `file`: the body is the answer. `order`: the header is an order, the body its dataset. `kept`: the header is
    what a job has to know of a recounted result, the body that result; both empty when there is none. `counted`: the
    header is what was counted of a claim, or the reason why that is `false`. `refused`: the header is a `Refused`.
    `fault`: our own bug, with its traceback in the header.
    """

    kind: Literal["json", "file", "order", "kept", "counted", "refused", "fault"]
    header: Mapping[str, Any]
    body: bytes = b""


class WorkerFault(RuntimeError):
    """A worker failed for a reason of its own."""


def perform(question: Question, settings: Settings) -> Reply:
    """Answers a question. Blocking; what is wrong with the request becomes a reply, only our own bugs are raised."""
    try:
        return _WORKS[question.work](question, settings)
    except MemoryError:
        open_lately.cache_clear()
        return _no_memory()
    except REFUSALS as error:
        return refusal(error)


def refusal(error: Exception) -> Reply:
    """The reply that says no; what that means over HTTP is for others to know."""
    issues = issues_of(error)
    header = {
        "kinds": [kind.__name__ for kind in type(error).__mro__],
        "detail": detail_of(error, issues),
        "wire_issues": [wire_issue(issue) for issue in issues[:MAX_ISSUES]],
        "total": len(issues),
        "members": error.members if isinstance(error, ServiceError) else {},
    }
    return Reply("refused", header)


def content_of(reply: Reply) -> bytes:
    """
    The body of a reply that is no refusal.

    Raises
    ------
    Refused, WorkerFault
        It is one.
    """
    if reply.kind == "refused":
        raise Refused(**reply.header)
    if reply.kind == "fault":
        raise WorkerFault(f"a reader failed:\n{reply.header['traceback']}")
    return reply.body


def order_of(reply: Reply) -> Order:
    """The order in a reply to the work `order`. Raises what `content_of` raises."""
    packed, header = content_of(reply), reply.header
    options = SolveOptions(**header["options"])
    return Order(
        request=JobRequest(**header["request"], options=options, packed=packed),
        notes=tuple(header["notes"]),
        adjusted=header["adjusted"],
        warnings=tuple(header["warnings"]),
    )


def salvaging_of(held: Held) -> Question:
    """The question that has the timetable of a cancelled job made into a result."""
    parts = (held.dataset, held.timetable, held.earlier or b"")
    options = {
        "sizes": [len(part) for part in parts],
        "rules": dict(held.rules),
        "score": held.score.numbers,
        "rung": held.rung,
        "simplified_context": held.simplified_context,
    }
    return Question("salvage", b"".join(parts), options)


def salvaged_of(reply: Reply) -> Salvaged | None:
    """What came of it. Raises what `content_of` raises."""
    body, header = content_of(reply), reply.header
    if not header:
        return None
    told = {**header, "score": Score.of(header["score"]), "quality": Quality(header["quality"])}
    return Salvaged(body=body, **told)


def _salvage(question: Question, settings: Settings) -> Reply:
    options, (first, second, _) = question.options, question.options["sizes"]
    held = Held(
        dataset=question.body[:first],
        timetable=question.body[first : first + second],
        earlier=question.body[first + second :] or None,
        rules=options["rules"],
        score=Score.of(options["score"]),
        rung=options["rung"],
        simplified_context=options["simplified_context"],
    )
    found = salvage(held)
    if found is None:
        return Reply("kept", {})
    header = asdict(found)
    return Reply("kept", header, header.pop("body"))


def recounting_of(claim: Claim) -> Question:
    """The question that has a claim recounted."""
    options = {
        "dataset_bytes": len(claim.dataset),
        "rules": dict(claim.rules),
        "simplified_context": claim.simplified_context,
        "score": claim.score.numbers,
        "placed": claim.placed,
        "total": claim.total,
    }
    return Question("last_recount", claim.dataset + claim.result, options)


def counted_of(reply: Reply) -> Counted:
    """What came of it. Raises NotVerified, and what `content_of` raises."""
    content_of(reply)
    header = dict(reply.header)
    if "false" in header:
        raise NotVerified(header["false"])
    told = {"score": Score.of(header["score"]), "quality": Quality(header["quality"])}
    return Counted(**{**header, **told, "stopped_by": StoppedBy(header["stopped_by"])})


def _last_recount(question: Question, settings: Settings) -> Reply:
    from app.processes.last_recount import recount  # takes half a second, which every other work can do without

    failpoint("recount.begun")
    options, split = question.options, question.options["dataset_bytes"]
    claim = Claim(
        dataset=question.body[:split],
        result=question.body[split:],
        rules=options["rules"],
        simplified_context=options["simplified_context"],
        score=Score.of(options["score"]),
        placed=options["placed"],
        total=options["total"],
    )
    try:
        counted = recount(claim)
    except NotVerified as error:
        return Reply("counted", {"false": str(error)})
    return Reply("counted", {**asdict(counted), "score": counted.score.numbers})


def _order(question: Question, settings: Settings) -> Reply:
    options = question.options
    order = read_order(
        question.body,
        settings,
        options.get("default_job_id"),
        options.get("default_organization_id"),
        has_platform=options.get("has_platform", False),
    )
    request = asdict(order.request)
    packed, options = request.pop("packed"), request.pop("options")
    told = {"options": options, "notes": order.notes, "adjusted": order.adjusted, "warnings": order.warnings}
    return Reply("order", {"request": request, **told}, packed)


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


def _of_result(make: Callable[..., object], *names: str) -> Callable[[Question, Settings], Reply]:
    """The work that answers with what `make` makes of an opened result and these options."""

    def work(question: Question, settings: Settings) -> Reply:
        return _json(make(_opened(question), *(question.options[name] for name in names)))

    return work


def _variant(question: Question, settings: Settings) -> Reply:
    return _json(results.one_variant(_opened(question), question.options["n"], question.options))


def _variant_file(question: Question, settings: Settings) -> Reply:
    options = question.options
    return Reply("file", {}, results.as_file(_opened(question), options["n"], options["format"], options))


def _shape(question: Question, settings: Settings) -> Reply:
    return _json(SHAPES[question.options["shape"]](*_opened(question)))


_WORKS: Mapping[Work, Callable[[Question, Settings], Reply]] = {
    "order": _order,
    "validate": _validate,
    "score": _score,
    "sample": _sample,
    "preview": _preview,
    "variants": _of_result(results.all_variants, "entries"),
    "variant": _variant,
    "variant_file": _variant_file,
    "account": _of_result(results.account),
    "shape": _shape,
    "salvage": _salvage,
    "last_recount": _last_recount,
    "who": _of_result(results.who),
    "students": _of_result(results.students, "search", "limit"),
    "week": _of_result(results.week, "n", "of", "id"),
    "department": _of_result(results.department, "n", "id"),
    "load": _of_result(results.load, "n"),
    "difference": _of_result(results.difference, "n", "other"),
    "session": _of_result(results.session, "n", "course_id", "number"),
    "conflicts": _of_result(results.conflicts, "n", "limit", "stamp", "timetable_id"),
    "resolutions": _of_result(results.resolutions, "n", "limit"),
    "resolution": _of_result(results.resolution, "n", "conflict_id"),
}


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
    hardening.limit(resource.RLIMIT_DATA, settings.reader_memory_mb * 2**20)
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
