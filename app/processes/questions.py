"""
What a parse worker is asked and what it answers: the words that its pool and it share, and their records as bytes.

A record travels as a JSON header and one body: its fields of bytes stand in the body one behind the other, and the
header says how long each is. It is read back by the types of its fields, so an answer that is none of ours is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from pydantic import TypeAdapter

from app.domain.exceptions import Refused, ServiceError
from app.domain.issues import MAX_ISSUES, detail_of, issues_of, wire_issue
from app.domain.jobs import JobRequest
from app.processes.claims import Claim, Counted, NotVerified
from app.processes.intake import Order
from app.processes.salvage import Salvageable, Salvaged
from solver.rules import Score

R = TypeVar("R")

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


# --- records ----------------------------------------------------------------------------------------------------------


def written(record: Any) -> tuple[dict[str, Any], bytes]:
    """Header and body of a dataclass."""
    values = asdict(record)
    parts = {name: value for name, value in values.items() if isinstance(value, bytes)}
    others = ((name, value) for name, value in values.items() if name not in parts)
    plain = {name: value.numbers if isinstance(value, Score) else value for name, value in others}
    return {"fields": plain, "sizes": {name: len(part) for name, part in parts.items()}}, b"".join(parts.values())


def read(kind: type[R], header: Mapping[str, Any], body: bytes) -> R:
    """The record that `written` has made a header and a body of."""
    fields, begin = dict(header["fields"]), 0
    for name, size in header["sizes"].items():
        fields[name] = body[begin : begin + size]
        begin += size
    record: R = _ADAPTERS[kind].validate_python(fields)
    return record


_ADAPTERS: Mapping[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (JobRequest, Salvageable, Salvaged, Claim, Counted)
}


# --- what stands in an answer -----------------------------------------------------------------------------------------


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
        raise WorkerFault(f"a parse worker failed:\n{reply.header['traceback']}")
    return reply.body


def order_reply(order: Order) -> Reply:
    """The reply to the work `order`."""
    request, packed = written(order.request)
    told = {"notes": order.notes, "adjusted": order.adjusted, "warnings": order.warnings}
    return Reply("order", {"request": request, **told}, packed)


def order_of(reply: Reply) -> Order:
    """The order in such a reply. Raises what `content_of` raises."""
    packed, header = content_of(reply), reply.header
    return Order(
        request=read(JobRequest, header["request"], packed),
        notes=tuple(header["notes"]),
        adjusted=header["adjusted"],
        warnings=tuple(header["warnings"]),
    )


def salvaging_of(held: Salvageable) -> Question:
    """The question that has the timetable of a cancelled job made into a result."""
    options, body = written(held)
    return Question("salvage", body, options)


def salvaged_of(reply: Reply) -> Salvaged | None:
    """What came of it. Raises what `content_of` raises."""
    body = content_of(reply)
    return read(Salvaged, reply.header, body) if reply.header else None


def recounting_of(claim: Claim) -> Question:
    """The question that has a claim recounted."""
    options, body = written(claim)
    return Question("last_recount", body, options)


def counted_of(reply: Reply) -> Counted:
    """What came of it. Raises NotVerified, and what `content_of` raises."""
    body = content_of(reply)
    if "false" in reply.header:
        raise NotVerified(reply.header["false"])
    return read(Counted, reply.header, body)
