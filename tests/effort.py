"""
How much work something is, told without a clock on the wall, which goes on while others have the processor.

Calls of Python functions are the same on every machine. Where the work is done in C, the processor's time at one size
is compared with that at another, in turns in one process. How long things take is for `benchmarks/`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType

PATIENCE_SECONDS = 120.0
"""Nothing takes as long that is waited for, also on a slow machine with other work."""
PROMPT_SECONDS = 20.0
"""What supervision promises within a second or a few, on a machine of a third of the speed that has other work."""
FOR_EVER = 600.0
"""Longer than the timeout of any test: for what has to end by itself or hear a stop before its time is over."""
TIMES = 4
"""How much larger the larger of two sizes is."""
TRIES = 3
MOST_GROWTH = 2.2 * TIMES
"""Work that grows with its input comes to 4, with room for caches that no longer suffice; with its square, to 16."""
LEAST_SECONDS = 0.02
"""Below this the processor's time counts what else happens, a collection of garbage say."""


def calls_of(work: Callable[[], object]) -> int:
    """How many Python functions are called while something is done."""
    count = 0

    def counting(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def processor_seconds(work: Callable[[], object]) -> float:
    """What this thread computed for something, in seconds of processor time."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def grows_with_its_input(work_of: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether work of four times the size costs about four times as much; one try of three is enough."""
    small, large = work_of(size // TIMES), work_of(size)
    return any(
        processor_seconds(large) <= MOST_GROWTH * max(LEAST_SECONDS, processor_seconds(small)) for _ in range(TRIES)
    )
