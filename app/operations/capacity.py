"""
The watch over the machine and over the service's own pulse: load, memory, disk, event loop, queue, beats.

It never blocks: the processor is asked without waiting, the disk in a thread that may hang without holding up anything
else. What it has seen last is answered from memory (`Capacity.seen`), for health, metrics and alerts alike. What is
above a threshold counts only when that has lasted for a while (`Hold`, used by `app.operations.alerts`), so that a
solver which takes every core for a second raises nothing. Load is no illness: nothing here makes the service unhealthy.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import anyio.to_thread
import psutil

from app.domain.telemetry import Signs
from app.settings import Settings
from app.system.machine import Machine, this_machine

LOOK_SECONDS = 1.0
DISK_EVERY_SECONDS = 5.0
LAG_EVERY_SECONDS = 0.1
LAG_WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """
    Use of the machine. Percent from 0 to 100; the disk is that of the data folder.

    Processors and memory are those of the container where its limits are used up sooner.
    """

    cpu_percent: float
    memory_percent: float
    disk_percent: float
    disk_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySample:
    """All that one look has found. `at` in monotonic seconds; `loop_lag_seconds` is the largest of the last minute."""

    at: float
    resources: Resources
    loop_lag_seconds: float
    signs: Signs


class Hold:
    """Whether a condition has held for `up` seconds; it ends when it has not held for `down` seconds."""

    def __init__(self, up: float, down: float) -> None:
        self._up, self._down = up, down
        self._since: float | None = None
        self.raised = False

    def see(self, at: float, holds: bool) -> bool:
        """One look at instant `at`; returns whether the condition counts."""
        if holds == self.raised:
            self._since = None
        elif self._since is None:
            self._since = at
        if self._since is not None and at - self._since >= (self._up if holds else self._down):
            self.raised, self._since = holds, None
        return self.raised


class Lag:
    """How late the event loop is. `worst` looks back over `LAG_WINDOW_SECONDS`."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._peaks: deque[tuple[float, float]] = deque()

    def see(self, at: float, late: float) -> None:
        """One measurement, and what is told of it. Of several only those can ever be the worst that nothing tops."""
        self._tell(late)
        while self._peaks and self._peaks[-1][1] <= late:
            self._peaks.pop()
        self._peaks.append((at, late))

    def worst(self, at: float) -> float:
        """The worst lag of the last `LAG_WINDOW_SECONDS` before the monotonic time `at`, in seconds."""
        while self._peaks and self._peaks[0][0] < at - LAG_WINDOW_SECONDS:
            self._peaks.popleft()
        return self._peaks[0][1] if self._peaks else 0.0

    async def run(self) -> None:
        """Measures for ever."""
        while True:
            wanted = time.monotonic() + LAG_EVERY_SECONDS
            await anyio.sleep(LAG_EVERY_SECONDS)
            now = time.monotonic()
            self.see(now, max(0.0, now - wanted))


class Capacity:
    """Looks once a second; `on_sample` hears of each look, and `seen` is the last one."""

    def __init__(
        self,
        settings: Settings,
        signs: Callable[[], Signs],
        *,
        on_lag: Callable[[float], None],
        on_sample: Callable[[CapacitySample], None],
        machine: Machine | None = None,
    ) -> None:
        self._folder = settings.data_dir
        self._signs, self._on_sample = signs, on_sample
        self._lag, self._machine = Lag(on_lag), machine or this_machine()
        self._disk = disk_of(self._folder)
        self._disk_thread = anyio.CapacityLimiter(1)
        psutil.cpu_percent(interval=None)  # the first call has nothing to compare with and answers 0
        self.seen = self._look()

    def now(self) -> CapacitySample:
        """The last look, with the signs of this moment."""
        return replace(self.seen, signs=self._signs())

    async def run(self) -> None:
        """Watches until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._lag.run)
            tasks.start_soon(self._watch_disk)
            while True:
                self.seen = self._look()
                self._on_sample(self.seen)
                await anyio.sleep(LOOK_SECONDS)

    def _look(self) -> CapacitySample:
        now = time.monotonic()
        total, free = self._disk
        of_quota = self._machine.quota_percent()
        resources = Resources(
            cpu_percent=max(psutil.cpu_percent(interval=None), of_quota or 0.0),
            memory_percent=self._machine.memory().percent,
            disk_percent=round(100 * (1 - free / total), 1) if total else 0.0,
            disk_free_bytes=free,
        )
        return CapacitySample(at=now, resources=resources, loop_lag_seconds=self._lag.worst(now), signs=self._signs())

    async def _watch_disk(self) -> None:
        """A disk that hangs holds one thread, and the last answer stands."""
        while True:
            self._disk = await anyio.to_thread.run_sync(
                disk_of, self._folder, limiter=self._disk_thread, abandon_on_cancel=True
            )
            await anyio.sleep(DISK_EVERY_SECONDS)


def disk_of(folder: Path) -> tuple[int, int]:
    """Bytes in all, and bytes free, on the disk of a folder that may not exist yet; zeros when it cannot be told."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0, 0
    return usage.total, usage.free


def alarms(resources: Resources, settings: Settings) -> list[str]:
    """A sentence for each resource above its alarm threshold at this moment."""
    limits = {
        "cpu_percent": (resources.cpu_percent, settings.alarm_cpu_percent),
        "memory_percent": (resources.memory_percent, settings.alarm_memory_percent),
        "disk_percent": (resources.disk_percent, settings.alarm_disk_percent),
    }
    return [f"{name} is {value:g}, above {limit:g}" for name, (value, limit) in limits.items() if value > limit]
