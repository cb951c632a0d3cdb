"""The only clock and the only stop word."""

from __future__ import annotations

import time

from solver.control import BEAT_WORD, STOP_WORD, Control, Progress, Stop


def test_a_fresh_control_has_all_the_time_in_the_world() -> None:
    control = Control()
    assert control.remaining == float("inf")
    assert not control.should_stop


def test_a_cancel_is_never_weakened_to_a_finish() -> None:
    control = Control()
    control.request_stop(Stop.FINISH)
    assert control.stop is Stop.FINISH
    control.request_stop(Stop.CANCEL)
    control.request_stop(Stop.FINISH)
    assert control.stop is Stop.CANCEL
    assert control.words[STOP_WORD] == Stop.CANCEL


def test_a_part_shares_stop_word_and_beat_with_the_whole() -> None:
    whole = Control()
    beats: list[int] = []
    part = whole.until(60, on_beat=lambda: beats.append(1))
    part.beat()
    whole.beat()
    assert beats == [1]
    assert whole.words[BEAT_WORD] == 2
    whole.request_stop(Stop.FINISH)
    assert part.should_stop


def test_a_part_never_outlives_the_whole() -> None:
    whole = Control(deadline=time.monotonic() + 1)
    assert whole.until(3600).remaining <= 1
    assert whole.until(-5).should_stop
    assert not whole.should_stop


def test_a_report_is_a_beat_and_reaches_the_watcher() -> None:
    seen: list[Progress] = []
    control = Control(on_progress=seen.append)
    control.report(Progress(stage="search", share=0.5))
    assert [progress.stage for progress in seen] == ["search"]
    assert control.words[BEAT_WORD] == 1
