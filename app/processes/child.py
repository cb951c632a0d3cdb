"""
The child: one process, one attempt at one job.

The main thread does nothing but talk: it hears the command socket and sends what the solving thread has left for it, a
few times a second at most. Solving runs in a side thread, because a signal or a command must be heard while native code
runs. Beats and the stop word need no talk at all; they lie in memory shared with the supervisor, where kernels reach
them.

When the socket closes, the supervisor is gone and so are we. The kernel kills us too when the forkserver ends, in case
some native code holds the interpreter lock. And should both live on and not care, then two things end us that need
neither them nor that lock: a timer of the fault handler, wound up by every stage, and the limit of processor time.
"""

from __future__ import annotations

import faulthandler
import importlib
import math
import mmap
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from app.domain.jobs import effective_dataset
from app.domain.messages import (
    MAX_ISSUES,
    MAX_TRACE,
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
from app.processes import hardening
from app.processes.child_log import tell_error
from app.processes.claims import NotVerified
from app.processes.conversation import MAX_TEXT, Conversation, Mailbox
from app.processes.last_recount import publish, timetable_of
from app.processes.offers import Offers
from app.system.failpoints import failpoint
from solver.control import REASON_WORD, Control, Place, Progress, Stage
from solver.errors import InputError
from solver.formats.native import dump_result, load_dataset
from solver.model import Dataset, Timetable
from solver.params import SolveParams
from solver.result import Result, StoppedBy

T = TypeVar("T")

NICENESS = 10
OUT_OF_MEMORY_SCORE = 500
"""When memory runs out, the kernel shall take a child and not the service."""
SOLVER_PACKAGE = "solver"
MOST_DESCRIPTORS = 256
FILE_BYTES = 64 << 20
"""How far a child may lengthen any file, its standard error included, which may be a log that is long already."""
CPU_STAGES = 2
"""The limit of processor time is that of so many stages that each last until the last resort, times the workers."""


class Descriptors(NamedTuple):
    """Descriptors that a child is given: the command socket, the shared words, the memory for its stacks."""

    talk: int
    words: int
    stacks: int


class Solve(Protocol):
    """The signature of `solver.solve`."""

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
            tell_error("the search kernels cannot be made ready; jobs that need them will fail")
    return solve


def main(given: Descriptors, solve: Solve, parent: int) -> None:
    """Works on one attempt. `parent` is the process id of the forkserver."""
    harden(parent, given)
    run(socket.socket(fileno=given.talk), mmap.mmap(given.words, WORDS_BYTES), solve, given.stacks)


def harden(parent: int, given: Descriptors) -> None:
    """Makes this process easy to kill, quiet, polite to its neighbours, and poor in what it could do harm with."""
    os.setsid()  # a process group of our own: one kill reaches everything we might start
    hardening.end_with_parent()
    if os.getppid() != parent:
        os._exit(1)  # it ended before we asked to be told
    hardening.gain_nothing()
    hardening.print_to_stderr()
    hardening.close_all_but({0, 1, 2, *given})
    os.nice(NICENESS)
    hardening.leave_no_core()
    hardening.limit(resource.RLIMIT_NOFILE, MOST_DESCRIPTORS)
    hardening.limit(resource.RLIMIT_FSIZE, os.fstat(2).st_size + FILE_BYTES)
    hardening.be_killed_first(OUT_OF_MEMORY_SCORE)
    faulthandler.enable(file=given.stacks)
    faulthandler.register(signal.SIGUSR1, file=given.stacks, all_threads=True)


class LastResort:
    """Ends this process when it has been in one stage for too long, without the interpreter lock."""

    def __init__(self, stacks: int) -> None:
        self._stacks, self._seconds = stacks, 0.0

    def wind_up(self, start: Start) -> None:
        """Sets the limits of the job: so many seconds per stage, and as much processor time for all of them."""
        self._seconds = start.last_resort_seconds
        hardening.limit(resource.RLIMIT_CPU, math.ceil(CPU_STAGES * (start.options.workers or 1) * self._seconds))
        self._again()

    def enter(self, stage: Stage) -> None:
        """Every stage has the whole time."""
        self._again()
        failpoint(f"stage.{stage}")

    def _again(self) -> None:
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._stacks)


def run(channel: socket.socket, words: mmap.mmap, solve: Solve, stacks: int) -> None:
    """The whole attempt, from the first word to the last."""
    last_resort = LastResort(stacks)
    mailbox, offers = Mailbox(last_resort.enter), Offers()
    control = Control(
        words=np.frombuffer(words, dtype=np.int64),
        on_progress=mailbox.keep_progress,
        on_incumbent=mailbox.keep_incumbent,
        offered=offers.take,
    )
    conversation = Conversation(channel, control, mailbox, offers)
    conversation.send(Hello(pid=os.getpid()))
    start = conversation.wait_for_start()
    last_resort.wind_up(start)
    done, finished = socket.socketpair()
    thread = threading.Thread(
        target=_solve_and_tell, args=(start, conversation, solve, control, mailbox, finished), daemon=True
    )
    thread.start()
    conversation.until_done(done)
    sys.stderr.flush()
    os._exit(0)  # native threads of a stopped solver may take their time to end; nobody needs to wait for them


def _solve_and_tell(
    start: Start, conversation: Conversation, solve: Solve, control: Control, mailbox: Mailbox, finished: socket.socket
) -> None:
    """Runs in the side thread; whatever happens, a last word stands in the mailbox when `finished` closes."""
    try:
        finder_of, set_aside = conversation.offers.finder_of, mailbox.set_aside.append
        mailbox.last = attempt(start, conversation.seed, solve, control, finder_of, set_aside)
    except InputError as error:
        issues = tuple(
            IssueRecord(pointer=i.pointer[:MAX_TEXT], code=i.code, message=i.message[:MAX_TEXT])
            for i in error.issues[:MAX_ISSUES]
        )
        mailbox.last = _error("input", str(error), issues)
    except MemoryError:
        mailbox.last = _error("memory", "memory ran out")
    except NotVerified as error:
        mailbox.last = _error("verify", str(error))
    except Exception as error:  # noqa: BLE001 - whatever a solver can raise becomes the journal's last line
        trace = traceback.format_exc()[-MAX_TRACE:]
        mailbox.last = replace(_error("error", f"{type(error).__name__}: {error}"), trace=trace)
    finally:
        finished.close()


def attempt(
    start: Start,
    seed: IncumbentFrame | None,
    solve: Solve,
    control: Control,
    finder_of: Callable[[Timetable], int] = lambda timetable: 0,
    set_aside: Callable[[str], None] = lambda why: None,
) -> ResultFrame:
    """
    Load, solve or publish, pack. What follows is the handing over, which stays at the last place.

    What is handed in is a claim; the supervisor has it recounted elsewhere (`app.processes.claims`).

    `set_aside` is told why the timetable of `seed` is not used, where it is none, or none that may be published.
    """
    control.place = Place.LOAD
    control.report(Progress(stage="load", share=0.0, message="reading the dataset"))
    dataset = load_dataset(effective_dataset(unpack(start.body), start.options.rules))
    known = _or_aside(lambda: timetable_of(seed.body), set_aside) if seed is not None else None
    control.place = Place.VALIDATE
    sessions = len(dataset.sessions)
    control.report(Progress(stage="validate", share=1.0, message="the dataset is sound", total=sessions))
    if start.publish is None or known is None:
        result = _solved(start, solve, dataset, known, control)
    else:
        recounted = _or_aside(partial(_published, start, start.publish, dataset, known, control), set_aside)
        result = recounted or _solved(start, solve, dataset, None, control)
    control.place = Place.STORE
    control.report(_last_look(result, "store", 0.0, "handing the result over"))
    frame = _result_frame(result, finder_of(result.best.timetable))
    control.beat()
    return frame


def _or_aside(use: Callable[[], T], set_aside: Callable[[str], None]) -> T | None:
    """What `use` makes of the timetable that we were given; None when that one is of no use."""
    try:
        return use()
    except NotVerified as error:
        set_aside(str(error))
        return None


def _solved(start: Start, solve: Solve, dataset: Dataset, known: Timetable | None, control: Control) -> Result:
    control.place = Place.OTHER
    result = solve(dataset, _params(start), control, start=known)
    control.place = Place.VERIFY
    control.report(_last_look(result, "verify", 0.5, "recounting every variant"))
    if result.stopped_by is StoppedBy.FINISHED_EARLY and control.words[REASON_WORD] == TIME_WAS_UP:
        return replace(result, stopped_by=StoppedBy.DEADLINE)
    return result


def _published(start: Start, why: StoppedBy, dataset: Dataset, known: Timetable, control: Control) -> Result:
    control.place = Place.VERIFY
    control.report(Progress(stage="verify", share=0.0, message="recounting the best timetable"))
    return publish(dataset, known, why, start.rung, control, simplified=start.options.simplified_context)


def _params(start: Start) -> SolveParams:
    return start.options.params(
        max_courses=start.max_courses,
        max_faculty=start.max_faculty,
        max_rooms=start.max_rooms,
        quality_threshold=start.quality_threshold,
    )


def _last_look(result: Result, stage: Stage, share: float, message: str) -> Progress:
    best = result.best
    return Progress(
        stage=stage,
        share=share,
        message=message,
        rung=best.rung,
        score=best.score,
        bound=result.lower_bound,
        placed=best.report.placed,
        total=best.report.total,
    )


def _result_frame(result: Result, found_by: int) -> ResultFrame:
    best = result.best
    return ResultFrame(
        stopped_by=result.stopped_by,
        quality=best.quality,
        rung=best.rung,
        score=best.score.numbers,
        bound=None if result.lower_bound is None else int(result.lower_bound),
        placed=best.report.placed,
        total=best.report.total,
        found_by=found_by,
        body=pack(dump_result(result)),
    )


def _error(kind: ErrorKind, message: str, issues: tuple[IssueRecord, ...] = ()) -> ErrorFrame:
    return ErrorFrame(error=kind, message=message[:MAX_TEXT], issues=issues)
