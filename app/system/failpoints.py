"""
Named points at which a test, or the fault campaign, makes the service fail for real. Inert unless it is switched on.

`TIMETABLE_FAILPOINTS` names a folder, read once at import. The point `end.before_commit` is armed while a file of that
name lies in the folder; its text names the action. Passing an armed point takes the file away and then acts, so each
arming fires exactly once, whichever process comes first; with ` always` behind the action the file stays. Without the
variable a point costs one comparison.

Never set the variable in production: whoever can write the folder can end the service. The start-up checks warn.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "TIMETABLE_FAILPOINTS"
ALWAYS = " always"
HOG_STEP_BYTES = 5_000_000
HOG_PAUSE_SECONDS = 0.1

SERVICE_POINTS: Mapping[str, str] = {
    "submit.before_commit": "the job is checked, and not stored",
    "submit.after_commit": "the job is stored, and the client does not know yet",
    "claim.before_commit": "a slot is free, and the job is still queued",
    "claim.after_commit": "the job is running, and has no child",
    "child.started": "the child runs, and its process id is not noted",
    "incumbent.before_commit": "a better timetable is known, and not stored",
    "incumbent.after_commit": "a better timetable is stored, and not yet remembered as such",
    "end.before_commit": "the attempt has ended, and the store does not know",
    "end.after_commit": "the end is stored, and not yet shown",
    "cancel.after_commit": "the cancellation is stored, and the child does not know",
    "restart.after_commit": "the restart is stored, and not yet shown",
    "delivery.before_send": "somebody is to be told of the end of a job, and is not told yet",
    "delivery.after_send": "somebody was told of the end of a job, and that is not noted yet",
    "delete.before_commit": "a job is about to be deleted",
    "recover.between": "recovery has dealt with one interrupted job, and not with the next",
    "migrate.step": "the schema is between two versions",
    "backup.copied": "the copy is written, and not verified",
    "backup.before_manifest": "the copy is verified, and has no manifest",
    "restore.before_swap": "the restored store lies beside the old one",
    "restore.after_swap": "the restored store is in place, and not yet opened",
}
STAGE_POINTS: Mapping[str, str] = {
    f"stage.{stage}": f"the solving thread of a child enters stage {stage}"
    for stage in ("load", "validate", "context", "construct", "search", "exact", "variants", "verify", "store")
}
CHILD_POINTS: Mapping[str, str] = {
    **STAGE_POINTS,
    "result.before_send": "the result is packed, and not sent",
    "result.after_send": "the result is sent, and the child still lives",
}
POOL_POINTS: Mapping[str, str] = {"recount.begun": "a worker of the parse pool has a result to recount"}
POINTS: Mapping[str, str] = {**SERVICE_POINTS, **CHILD_POINTS, **POOL_POINTS}
"""Every point: where it stands. The campaign walks through this table; a test holds it against the code."""

_folder = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


class FailpointError(RuntimeError):
    """Raised by the action `raise`."""


def failpoint(name: str) -> None:
    """Does nothing, or, when the point is armed, what its file says."""
    if _folder is None:
        return
    armed = _folder / name
    try:
        text = armed.read_text(encoding="ascii").strip()
        if not text.endswith(ALWAYS):
            armed.unlink()
    except FileNotFoundError:
        return  # not armed, or another process was faster
    ACTIONS[text.removesuffix(ALWAYS)](name)


def _signal(number: int) -> Callable[[str], None]:
    """To this very thread, so that a signal with a stack shows the point itself."""
    return lambda name: signal.raise_signal(number)


def _raise(name: str) -> None:
    raise FailpointError(f"failpoint {name}")


def _exhaust_memory(name: str) -> None:
    raise MemoryError(f"failpoint {name}")


def _sleep(name: str) -> None:
    while True:
        time.sleep(3600)


def _spin(name: str) -> None:
    while True:
        pass


def _spin_kernel(*, nogil: bool) -> Callable[[str], None]:
    def run(name: str) -> None:
        import numba
        import numpy as np

        @numba.njit(nogil=nogil)
        def endless(cell):  # type: ignore[no-untyped-def]
            while cell[0] == 0:
                cell[1] += 1

        endless(np.zeros(2, dtype=np.int64))

    return run


def _sleep_in_native(name: str) -> None:
    """Sleeps in C with the interpreter lock held: no other thread of the process can run."""
    ctypes.PyDLL(None).sleep(1_000_000)


def _deadlock(name: str) -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _hog(name: str) -> None:
    hoard: list[bytearray] = []
    while True:
        hoard.append(bytearray(os.urandom(1) * HOG_STEP_BYTES))
        time.sleep(HOG_PAUSE_SECONDS)


def _hog_busily(name: str) -> None:
    """The same while it computes."""
    hoard: list[bytearray] = []
    while True:
        hoard.append(bytearray(os.urandom(1) * HOG_STEP_BYTES))
        until = time.thread_time() + HOG_PAUSE_SECONDS
        while time.thread_time() < until:
            pass


ACTIONS: Mapping[str, Callable[[str], None]] = {
    "kill": _signal(signal.SIGKILL),
    "terminate": _signal(signal.SIGTERM),
    "segv": _signal(signal.SIGSEGV),
    "abort": _signal(signal.SIGABRT),
    "stop": _signal(signal.SIGSTOP),
    "exit": lambda name: os._exit(3),
    "raise": _raise,
    "memory_error": _exhaust_memory,
    "sleep": _sleep,
    "spin": _spin,
    "spin_kernel": _spin_kernel(nogil=True),
    "spin_kernel_with_lock": _spin_kernel(nogil=False),
    "sleep_with_lock": _sleep_in_native,
    "deadlock": _deadlock,
    "hog": _hog,
    "hog_busily": _hog_busily,
}
"""What can be made to happen; the words stand in the files."""
