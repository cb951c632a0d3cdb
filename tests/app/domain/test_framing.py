"""A frame says how long it is before anything else, and nobody takes one that is too long."""

from __future__ import annotations

import pytest

from app.domain.framing import LENGTHS, FrameError, FrameLimits, framed


def test_a_frame_begins_with_the_lengths_of_its_two_parts() -> None:
    frame = framed(b'{"a":1}', b"body")
    assert frame == bytes((0, 0, 0, 7, 0, 0, 0, 4)) + b'{"a":1}body'
    assert LENGTHS.unpack(frame[: LENGTHS.size]) == (7, 4)


@pytest.mark.parametrize(("header", "body", "taken"), [(1, 0, True), (8, 16, True), (0, 0, False), (9, 0, False)])
def test_lengths_beyond_the_limits_are_refused_before_anything_is_read(header: int, body: int, taken: bool) -> None:
    limits = FrameLimits(header=8, body=16)
    if taken:
        limits.check(header, body)
        return
    with pytest.raises(FrameError, match=f"a frame of {header} \\+ {body} bytes"):
        limits.check(header, body)
