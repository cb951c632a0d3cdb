"""
The child: one process, one attempt at one job.

The main thread does nothing but talk: it hears the command socket and sends what the solving thread has left for it, a
few times a second at most. Solving runs in a side thread, because a signal or a command must be heard while native code
runs. Beats and the stop word need no talk at all; they lie in memory shared with the supervisor, where kernels reach
them.

When the socket closes, the supervisor is gone and so are we. The kernel kills us too when the forkserver ends, in case
some native code holds the interpreter lock.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import mmap
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from app.conversation import MAX_TEXT, Conversation, Outbox, numbers
from app.jobs import effective_dataset
from app.messages import (
    MAX_ISSUES,
    REASON_WORD,
    TIME_WAS_UP,
    WORDS_BYTES,
    ErrorFrame,
    ErrorKind,
    Hello,
    IncumbentFrame,
    IssueRecord,
    ResultFrame,
    Start,
    pack,
    unpack,
)
from app.recount import NotVerified, check, publish
from solver.control import Control, Progress
from solver.errors import InputError
from solver.formats.native import dump_result, load_dataset, load_timetable
from solver.model import Dataset, Timetable
from solver.params import SolveParams
from solver.result import Result, StoppedBy

NICENESS = 10
OUT_OF_MEMORY_SCORE = 500
"""When memory runs out, the kernel shall take a child and not the service."""
SOLVER_PACKAGE = "solver"
_PR_SET_PDEATHSIG = 1


class Solve(Protocol):
    def __call__(
        self, dataset: Dataset, params: SolveParams, control: Control, *, start: Timetable | None = None
    ) -> Result: ...


def preload(path: str) -> Solve:
    """The function `module:name`; for our own solver the kernels are loaded too, so that no child has to compile."""
    module_name, _, name = path.partition(":")
    solve: Solve = getattr(importlib.import_module(module_name), name)
    if module_name == SOLVER_PACKAGE:
        try:
            importlib.import_module("solver.search").warm_up()
        except Exception:  # noqa: BLE001 - a broken kernel fails jobs, with its cause in their journal, not the service
            traceback.print_exc()
    return solve


def main(talk: int, words: int, solve: Solve, parent: int) -> None:
    """Works on one attempt. `talk` is the command socket, `words` the shared memory, `parent` the forkserver's id."""
    harden(parent)
    run(socket.socket(fileno=talk), mmap.mmap(words, WORDS_BYTES), solve)


def harden(parent: int) -> None:
    """Makes this process easy to kill, quiet, and polite to its neighbours."""
    os.setsid()  # a process group of our own: one kill reaches everything we might start
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before we asked to be told
    os.dup2(2, 1)  # native code prints to descriptor 1
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE), encoding="ascii")
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)


def run(channel: socket.socket, words: mmap.mmap, solve: Solve) -> None:
    """The whole attempt, from the first word to the last."""
    outbox = Outbox()
    control = Control(
        words=np.frombuffer(words, dtype=np.int64),
        on_progress=outbox.keep_progress,
        on_incumbent=outbox.keep_incumbent,
    )
    conversation = Conversation(channel, control, outbox)
    conversation.send(Hello(pid=os.getpid()))
    start = conversation.wait_for_start()
    done, finished = socket.socketpair()
    thread = threading.Thread(
        target=_solve_and_tell, args=(start, conversation.seed, solve, control, outbox, finished), daemon=True
    )
    thread.start()
    conversation.until_done(done)
    sys.stderr.flush()
    os._exit(0)  # native threads of a stopped solver may take their time to end; nobody needs to wait for them


def _solve_and_tell(
    start: Start, seed: IncumbentFrame | None, solve: Solve, control: Control, outbox: Outbox, finished: socket.socket
) -> None:
    """Runs in the side thread; whatever happens, a last word stands in the outbox when `finished` closes."""
    try:
        outbox.last = attempt(start, seed, solve, control)
    except InputError as error:
        issues = tuple(
            IssueRecord(pointer=i.pointer[:MAX_TEXT], code=i.code, message=i.message[:MAX_TEXT])
            for i in error.issues[:MAX_ISSUES]
        )
        outbox.last = _error("input", str(error), issues)
    except MemoryError:
        outbox.last = _error("memory", "memory ran out")
    except NotVerified as error:
        outbox.last = _error("verify", str(error))
    except Exception as error:  # noqa: BLE001 - whatever a solver can raise becomes the journal's last line
        traceback.print_exc()
        outbox.last = _error("error", f"{type(error).__name__}: {error}")
    finally:
        finished.close()


def attempt(start: Start, seed: IncumbentFrame | None, solve: Solve, control: Control) -> ResultFrame:
    """Load, solve or publish, recount."""
    control.report(Progress(stage="load", share=0.0, message="reading the dataset"))
    dataset = load_dataset(effective_dataset(unpack(start.body), start.rules))
    known = load_timetable(unpack(seed.body)) if seed is not None else None
    control.report(Progress(stage="validate", share=1.0, message="the dataset is sound"))
    if start.publish is not None and known is not None:
        control.report(Progress(stage="verify", share=0.0, message="recounting the best timetable"))
        result = publish(
            dataset, known, start.publish, start.rung, control, simplified_context=start.simplified_context
        )
    else:
        result = solve(dataset, _params(start), control, start=known)
        control.report(_last_look(result))
        check(result, dataset, simplified_context=start.simplified_context)
        if result.stopped_by is StoppedBy.FINISHED_EARLY and control.words[REASON_WORD] == TIME_WAS_UP:
            result = replace(result, stopped_by=StoppedBy.DEADLINE)
    control.beat()
    return _result_frame(result)


def _params(start: Start) -> SolveParams:
    return SolveParams(
        time_limit_seconds=start.time_limit_seconds,
        workers=start.workers,
        seed=start.seed,
        num_variants=start.num_variants,
        start_at=start.start_at,
        simplified_context=start.simplified_context,
        max_courses=start.max_courses,
        max_faculty=start.max_faculty,
        max_rooms=start.max_rooms,
        quality_threshold=start.quality_threshold,
    )


def _last_look(result: Result) -> Progress:
    best = result.best
    return Progress(
        stage="verify",
        share=0.5,
        message="recounting every variant",
        rung=best.rung,
        score=best.score,
        bound=result.lower_bound,
        placed=best.report.placed,
        total=best.report.total,
    )


def _result_frame(result: Result) -> ResultFrame:
    best = result.best
    return ResultFrame(
        stopped_by=result.stopped_by,
        quality=best.quality,
        rung=best.rung,
        score=numbers(best.score),
        bound=None if result.lower_bound is None else int(result.lower_bound),
        placed=best.report.placed,
        total=best.report.total,
        verified=True,
        body=pack(dump_result(result)),
    )


def _error(kind: ErrorKind, message: str, issues: tuple[IssueRecord, ...] = ()) -> ErrorFrame:
    return ErrorFrame(error=kind, message=message[:MAX_TEXT], issues=issues)
