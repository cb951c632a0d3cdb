"""Frames survive any cut of the stream, and garbage never raises anything but FrameError."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.framing import FrameError
from app.domain.messages import (
    LIMITS,
    ErrorFrame,
    Frame,
    FrameReader,
    Hello,
    IncumbentFrame,
    IssueRecord,
    OfferFrame,
    ProgressFrame,
    ResultFrame,
    SetAsideFrame,
    Start,
    StopFrame,
    encode,
    pack,
    unpack,
)
from app.domain.options import SolveOptions
from solver.control import Stop
from solver.result import Quality, StoppedBy

START = Start(
    job_id="j1",
    attempt=1,
    options=SolveOptions(
        time_limit_seconds=30.0, workers=1, seed=7, rules={"group_gap": {"tier": "soft", "weight": 2}}
    ),
    max_courses=500,
    max_faculty=300,
    max_rooms=200,
    quality_threshold=0.8,
    last_resort_seconds=120.0,
    publish=StoppedBy.CRASH,
    body=pack({"name": "Small college"}),
)
FRAMES: tuple[Frame, ...] = (
    Hello(pid=4711),
    ProgressFrame(stage="search", share=0.25, message="Übung 🙂", rung="full", bound=-3, placed=5, total=6),
    ProgressFrame(stage="load", share=0.0),
    IncumbentFrame(score=(0, 1, 2, 3), rung="relaxed", body=pack({"placements": []})),
    IncumbentFrame(score=(0, 7, 2, 3, ((1, 9, 1), (0, -4, 6))), body=pack({"placements": []})),
    OfferFrame(found_by=2, body=pack({"placements": []})),
    SetAsideFrame(message="it cannot be read"),
    ResultFrame(
        stopped_by=StoppedBy.DEADLINE,
        quality=Quality.FEASIBLE,
        rung="full",
        score=(0, 0, 0, 9),
        bound=None,
        placed=6,
        total=6,
        body=b"\x00" * 1000,
    ),
    ErrorFrame(
        error="input", message="no", issues=(IssueRecord(pointer="/a", code="bad", message="m", value=[1, None]),)
    ),
    START,
    StopFrame(stop=2),
)


def test_the_sample_holds_every_kind_of_frame() -> None:
    assert {type(frame) for frame in FRAMES} == set(Frame.__subclasses__())


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    assert list(FrameReader().feed(encode(frame))) == [frame]


@given(st.lists(st.integers(1, 4000), max_size=20))
def test_frames_survive_any_cut_of_the_stream(cuts: list[int]) -> None:
    stream = b"".join(map(encode, FRAMES))
    reader, seen, position = FrameReader(), [], 0
    for cut in [*cuts, len(stream)]:
        seen += reader.feed(stream[position : position + cut])
        position += cut
    assert tuple(seen) == FRAMES


def _fed(data: bytes) -> list[Frame] | None:
    """The frames in `data`, None when it was refused. Any other exception fails the test."""
    try:
        return list(FrameReader().feed(data))
    except FrameError:
        return None


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_waited_for(data: bytes) -> None:
    assert not _fed(data)


def _headers() -> Iterator[st.SearchStrategy[bytes]]:
    yield st.binary(min_size=1, max_size=80)
    yield st.text(max_size=80).map(str.encode)
    yield st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "pid", "share", "x"]), inner)
        ),
    ).map(lambda value: repr(value).replace("'", '"').encode())


@given(st.one_of(*_headers()), st.binary(max_size=20))
def test_a_well_measured_frame_with_a_wrong_header_is_refused(header: bytes, body: bytes) -> None:
    if header:
        assert _fed(struct.pack(">II", len(header), len(body)) + header + body) is None


@given(st.sampled_from(FRAMES), st.data())
def test_a_frame_with_changed_bytes_is_refused_or_still_a_frame(frame: Frame, data: st.DataObject) -> None:
    changed = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert all(isinstance(found, Frame) for found in _fed(bytes(changed)) or [])


@pytest.mark.parametrize(
    "header",
    [
        b'{"kind":"hello","pid":"12"}',
        b'{"kind":"hello","pid":-1}',
        b'{"kind":"hello","pid":true}',
        b'{"kind":"hello","pid":1,"more":1}',
        b'{"kind":"hello"}',
        b'{"kind":"goodbye"}',
        b'{"kind":"hello","pid":1,"body":"eA=="}',
        b'{"kind":"stop","stop":0}',
        b'{"kind":"stop","stop":3}',
        b'{"kind":"progress","stage":"dreaming","share":0.5}',
        b'{"kind":"progress","stage":"search","share":NaN}',
        b'{"kind":"progress","stage":"search","share":1.5}',
        b'{"kind":"progress","stage":"search","share":0,"score":[0,0,0]}',
        b'{"kind":"incumbent","score":[0,0,0,99999999999999999999]}',
        b'{"kind":"incumbent","score":[0,1,0,9,[[1,0]]]}',
        b'{"kind":"incumbent","score":[0,17,0,9,[' + b",".join(b"[0,%d,1]" % n for n in range(17)) + b"]]}",
        b"[" * 100_000,
        b"\xff\xfe",
        b"null",
    ],
)
def test_a_header_against_its_schema_is_refused(header: bytes) -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(struct.pack(">II", len(header), 0) + header))


@pytest.mark.parametrize("lengths", [(0, 0), (LIMITS.header + 1, 0), (10, LIMITS.body + 1), (2**32 - 1, 2**32 - 1)])
def test_a_length_beyond_the_limits_is_refused_before_anything_is_read(lengths: tuple[int, int]) -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(struct.pack(">II", *lengths)))


@given(st.binary(max_size=100))
def test_a_body_that_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(body)


def test_a_document_survives_packing() -> None:
    document = {"name": "Hochschule für Übungen", "rooms": [{"id": "R1", "capacity": 80}], "none": None}
    assert unpack(pack(document)) == document


def test_a_cut_off_document_is_refused() -> None:
    with pytest.raises(FrameError):
        unpack(pack({"name": "x" * 1000})[:-5])


def test_a_stop_frame_names_the_stop_word() -> None:
    assert StopFrame(stop=1).value is Stop.CANCEL
    assert StopFrame(stop=2).value is Stop.FINISH
