"""The watch over the machine: what lasts counts, what flickers does not, and nothing here waits."""

from __future__ import annotations

import itertools
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.operations.capacity import LAG_WINDOW_SECONDS, Capacity, CapacitySample, Hold, Lag, alarms, disk_of
from app.settings import Settings
from tests.app.operations.watching import CALM, signs
from tests.effort import PATIENCE_SECONDS
from tests.groups import tree, version_2

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_condition_counts_when_it_has_lasted_and_ends_when_its_absence_has() -> None:
    hold = Hold(up=10, down=20)
    looks = [(0, True), (9, True), (10, True), (11, False), (15, True), (16, False), (35, False), (36, False)]
    assert [hold.see(at, holds) for at, holds in looks] == [False, False, True, True, True, True, True, False]


def test_a_solver_that_flickers_raises_nothing() -> None:
    hold = Hold(up=60, down=60)
    assert not any(hold.see(second, second % 50 != 0) for second in range(1000))


@given(st.lists(st.tuples(st.floats(0.1, 5), st.booleans()), max_size=100), st.floats(1, 10), st.floats(1, 10))
def test_between_two_changes_lies_at_least_the_hold_time(
    looks: list[tuple[float, bool]], up: float, down: float
) -> None:
    hold, at, changes = Hold(up, down), 0.0, []
    for pause, holds in looks:
        at += pause
        before = hold.raised
        if hold.see(at, holds) != before:
            changes.append(at)
    assert all(later - earlier >= min(up, down) for earlier, later in itertools.pairwise(changes))


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 2)), min_size=1, max_size=60))
def test_the_worst_lag_is_that_of_the_last_minute(looks: list[tuple[float, float]]) -> None:
    told: list[float] = []
    lag, at, seen = Lag(told.append), 0.0, []
    for pause, late in looks:
        at += pause
        lag.see(at, late)
        seen.append((at, late))
        assert lag.worst(at) == max(value for when, value in seen if when >= at - LAG_WINDOW_SECONDS)
    assert told == [late for _, late in looks]


def test_an_alarm_is_a_sentence_with_value_and_limit() -> None:
    settings = Settings(alarm_memory_percent=5)
    assert alarms(CALM, settings) == ["memory_percent is 10, above 5"]


def test_a_disk_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    total, free = disk_of(tmp_path / "not" / "there")
    assert total > free > 0


async def test_it_measures_the_machine_the_loop_and_the_supervisor(tmp_path: Path) -> None:
    lags: list[float] = []
    samples: list[CapacitySample] = []
    capacity = Capacity(Settings(data_dir=tmp_path), signs, on_lag=lags.append, on_sample=samples.append)
    assert capacity.seen.signs == signs(), "there is a sample before anything has run"
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(capacity.run)
            while not samples or len(lags) < 2:
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert 0 < samples[0].resources.memory_percent <= 100
    assert samples[0].resources.disk_free_bytes > 0


async def test_a_container_that_is_nearly_full_is_told_of_on_a_machine_that_is_not(tmp_path: Path) -> None:
    group = {"pod/memory.max": 100 << 20, "pod/memory.current": 95 << 20, "pod/app/cpu.max": "10000 100000"}
    here = version_2(tmp_path / "container", {**group, "pod/app/cpu.stat": "usage_usec 0"})
    watched: list[CapacitySample] = []
    capacity = Capacity(
        Settings(data_dir=tmp_path), signs, on_lag=lambda lag: None, on_sample=watched.append, machine=here
    )
    assert capacity.seen.resources.memory_percent == 95.0
    tree(tmp_path / "container/sys/fs/cgroup", {"pod/app/cpu.stat": "usage_usec 9000000000"})
    assert capacity._look().resources.cpu_percent == 100.0
