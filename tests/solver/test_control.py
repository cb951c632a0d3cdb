"""The only clock and the only stop word."""

from __future__ import annotations

import contextlib
import time

from solver.control import (
    BEAT_WORD,
    NUM_WORDS,
    PLACE_WORD,
    REASON_WORD,
    STOP_WORD,
    Control,
    Place,
    Progress,
    Stop,
)


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


def test_the_place_is_shown_while_the_work_is_done_there_and_coming_to_it_is_a_beat() -> None:
    control = Control()
    part = control.until(60)
    with control.at(Place.CONSTRUCT):
        with part.at(Place.VERIFY):
            assert control.place is Place.VERIFY and control.words[PLACE_WORD] == Place.VERIFY
            before = control.words[BEAT_WORD]
        assert control.place is Place.CONSTRUCT and control.words[BEAT_WORD] > before
    assert control.place is Place.OTHER


def test_a_place_is_left_also_when_the_work_there_fails() -> None:
    control = Control()
    with contextlib.suppress(RuntimeError), control.at(Place.COMPILE):
        raise RuntimeError
    assert control.place is Place.OTHER


def test_no_two_words_share_a_place_in_memory() -> None:
    words = (STOP_WORD, BEAT_WORD, REASON_WORD, PLACE_WORD)
    assert sorted(words) == list(range(NUM_WORDS)) and len(Control().words) == NUM_WORDS
