"""
What parent and child say to each other: small frozen records in frames (`app.domain.framing`).

The `kind` in a header names the record. Datasets, timetables and results travel as bodies, compressed by whoever made
them; the supervisor stores and forwards them without looking inside, so that no large document is ever parsed on the
event loop that answers requests.

A child may be killed in the middle of a frame, and a child gone mad may write anything. Whatever the bytes are,
`FrameReader.feed` either yields checked records or raises `FrameError`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AllowInfNan, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from app.domain.framing import LENGTHS, FrameError, FrameLimits, framed
from app.domain.options import SolveOptions
from solver.control import NUM_WORDS, Stage, Stop
from solver.ranks import MAX_TOLD
from solver.result import Quality, RungId, StoppedBy

LIMITS = FrameLimits(header=1 << 20, body=256 << 20)
MAX_ISSUES = 100
WORDS_BYTES = NUM_WORDS * 8
"""Size of the memory shared by supervisor and child: `Control.words`."""
TIME_WAS_UP = 1
"""In `REASON_WORD`: the supervisor asks to finish because the time limit has passed."""
_COMPRESSION = 1

Seconds: TypeAlias = Annotated[float, Field(ge=0), AllowInfNan(False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1), AllowInfNan(False)]
Count: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
Cost: TypeAlias = Annotated[int, Field(gt=-(2**63), lt=2**63)]
OpenRow: TypeAlias = tuple[Count, Cost, Count]
ScoreNumbers: TypeAlias = (
    tuple[Count, Count, Count, Cost]
    | tuple[Count, Count, Count, Cost, Annotated[tuple[OpenRow, ...], Field(max_length=MAX_TOLD)]]
)
"""`Score.numbers`."""
MAX_TRACE = 16_000
"""Characters of a traceback, the end of it."""
Text: TypeAlias = Annotated[str, Field(max_length=10_000)]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Base of all records. `body` is empty for kinds that carry none."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Hello(Frame):
    """First word of a child."""

    kind: Literal["hello"] = "hello"
    pid: Annotated[int, Field(gt=0, lt=2**31)]


@dataclass(frozen=True, kw_only=True)
class ProgressFrame(Frame):
    """`solver.control.Progress` on the wire."""

    kind: Literal["progress"] = "progress"
    stage: Stage
    share: Share
    message: Text = ""
    rung: RungId | None = None
    bound: Cost | None = None
    placed: Count | None = None
    total: Count | None = None


@dataclass(frozen=True, kw_only=True)
class IncumbentFrame(Frame):
    """
    The best timetable so far, from a child or, before `Start`, to one. The body is the packed timetable.

    `found_by` is the number of the assistant whose offer it is; 0 is the child itself.
    """

    kind: Literal["incumbent"] = "incumbent"
    score: ScoreNumbers
    rung: RungId | None = None
    found_by: Count = 0


@dataclass(frozen=True, kw_only=True)
class OfferFrame(Frame):
    """A timetable that assistant number `found_by` has found, to a child that solves. The body is the packed one."""

    kind: Literal["offer"] = "offer"
    found_by: Annotated[int, Field(ge=1, lt=2**31)]


@dataclass(frozen=True, kw_only=True)
class ResultFrame(Frame):
    """
    The end of a good attempt: the packed result as body, and what the child claims of its best variant.

    `found_by` as for incumbents.
    """

    kind: Literal["result"] = "result"
    stopped_by: StoppedBy
    quality: Quality
    rung: RungId
    score: ScoreNumbers
    bound: Cost | None
    placed: Count
    total: Count
    found_by: Count = 0


@dataclass(frozen=True, kw_only=True)
class IssueRecord:
    """One problem of the input, as the solver named it."""

    pointer: Text
    code: Text
    message: Text
    value: JsonValue = None


@dataclass(frozen=True, kw_only=True)
class SetAsideFrame(Frame):
    """The timetable sent before `Start` is none that can be used, for this reason; the child works without it."""

    kind: Literal["set_aside"] = "set_aside"
    message: Text


ErrorKind: TypeAlias = Literal["input", "memory", "verify", "error"]


@dataclass(frozen=True, kw_only=True)
class ErrorFrame(Frame):
    """
    The end of a bad attempt. `input` is final; anything else is tried again one rung down. `trace` is for the log.
    """

    kind: Literal["error"] = "error"
    error: ErrorKind
    message: Text
    issues: Annotated[tuple[IssueRecord, ...], Field(max_length=MAX_ISSUES)] = ()
    trace: Annotated[str, Field(max_length=MAX_TRACE)] = ""


@dataclass(frozen=True, kw_only=True)
class Start(Frame):
    """
    What a child has to do. The body is the packed dataset.

    `publish` means: do not search, recount the timetable sent before this frame and hand it in as the result. A child
    that has been in one stage for `last_resort_seconds` ends itself, whoever still watches it.
    """

    kind: Literal["start"] = "start"
    job_id: Text
    attempt: Count
    options: SolveOptions
    max_courses: Annotated[int, Field(ge=1)]
    max_faculty: Annotated[int, Field(ge=1)]
    max_rooms: Annotated[int, Field(ge=1)]
    quality_threshold: Share
    publish: StoppedBy | None = None
    rung: RungId | None = None
    last_resort_seconds: Annotated[float, Field(gt=0), AllowInfNan(False)]


@dataclass(frozen=True, kw_only=True)
class StopFrame(Frame):
    """Asks a child to end; the stop word in shared memory says the same to its kernels."""

    kind: Literal["stop"] = "stop"
    stop: Literal[1, 2]

    @property
    def value(self) -> Stop:
        """The number that a child reads in the shared memory for the same word."""
        return Stop(self.stop)


AnyFrame: TypeAlias = Annotated[
    Hello | ProgressFrame | IncumbentFrame | SetAsideFrame | OfferFrame | ResultFrame | ErrorFrame | Start | StopFrame,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[AnyFrame] = TypeAdapter(AnyFrame)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Raises FrameError when it is larger than a reader would take."""
    header = asdict(replace(frame, body=b""))
    del header["body"]
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
    LIMITS.check(len(text), len(frame.body))
    return framed(text, frame.body)


class FrameReader:
    """Turns a stream of bytes, cut anywhere, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """
        Yields every frame completed by `data`.

        Raises
        ------
        FrameError
            The stream is not ours, or broken; nothing that follows can be read.
        """
        self._buffer += data
        while len(self._buffer) >= LENGTHS.size:
            header_length, body_length = LENGTHS.unpack_from(self._buffer)
            LIMITS.check(header_length, body_length)
            end = LENGTHS.size + header_length + body_length
            if len(self._buffer) < end:
                return
            header = bytes(self._buffer[LENGTHS.size : LENGTHS.size + header_length])
            body = bytes(self._buffer[LENGTHS.size + header_length : end])
            del self._buffer[:end]
            yield _decode(header, body)


def _decode(header: bytes, body: bytes) -> Frame:
    try:
        frame = _ADAPTER.validate_json(header)
    except (ValidationError, ValueError) as error:
        raise FrameError(f"a frame of {len(header)} + {len(body)} bytes does not follow its schema") from error
    if frame.body:
        raise FrameError("a body has to follow the header, not stand in it")
    return replace(frame, body=body)


def pack(document: Any) -> bytes:
    """A JSON document as a body."""
    return pack_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def pack_text(text: str) -> bytes:
    """A JSON document that was encoded already as a body."""
    return zlib.compress(text.encode(), _COMPRESSION)


def unpack(body: bytes) -> Any:
    """The JSON document of a body. Raises FrameError when it is none, or larger than a body may become."""
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(body, LIMITS.body)
        if not inflater.eof:
            raise FrameError("a packed document is cut off, or too large")
        return json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise FrameError("a body is no packed JSON document") from error
