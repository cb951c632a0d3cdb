"""
A small pool of parse workers (`app.processes.parse_worker`), so that no request body can stop the event loop.

Processes are started early and replaced at once when they end, so that nobody waits for one to be loaded. A body that
takes too long costs its worker and nothing else; but only a worker that has computed for that long tells anything of
the body. One that was stopped is ended within seconds, and its question is asked of another. What is too much for the
memory of one worker is refused by the worker itself; those that the kernel ends for want of memory tell that all of us
have too little. Small bodies are read here, in one thread: they cannot hold the interpreter for longer than a request
may wait.

Since these processes have never searched, they also have the last look at what children hand in (`recount`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from app.domain.exceptions import ParsePoolAway, ParsePoolBusy, ParsePoolStarved, ServiceError, TooHeavy
from app.domain.framing import LENGTHS, FrameError
from app.domain.portfolio import most_workers
from app.domain.telemetry import HelperStopped, Observer, nobody
from app.processes.children import RECEIVE_BYTES
from app.processes.claims import CannotRecount, Claim, Counted
from app.processes.hardening import environment_of
from app.processes.parse_worker import REPLY_LIMITS, frame, perform
from app.processes.questions import Question, Reply, Work, WorkerFault, counted_of, recounting_of
from app.processes.sending import send_all
from app.processes.size_limits import AMOUNTS
from app.processes.vitals import STOPPED_STATES, Vitals, cpu_seconds_of, vitals_of
from app.settings import Settings, variable
from app.system.machine import Machine, this_machine
from solver.errors import in_words

SMALL_BODY = 8 * 1024
"""Bytes of a body that is read in this process."""
SMALL_RESULT = 2 * 1024
"""The same for a packed result with its dataset, which becomes some fifty times as much JSON."""
READ_HERE: Mapping[Work, int] = {
    **dict.fromkeys(("order", "validate", "score"), SMALL_BODY),
    # Files are not among them: what writes a workbook or a calendar takes a while to be loaded.
    **dict.fromkeys(("variants", "variant", "account"), SMALL_RESULT),
    **dict.fromkeys(("who", "students", "week", "load", "difference"), SMALL_RESULT),
}
"""Up to which size this process does a work itself; what is not named is made from little and may still take long."""
MAY_BE_MORE = re.compile(rb"dataset_name|csv|\\u")
"""A body may be small and yet ask for a sample, or be a zip file, of many times its size; and write it as escapes."""
MAX_WAITING = 64
"""Questions that may wait for a worker, each holding its body; more are sent away."""
EARLY = 2
"""So many processes are there before anybody needs them, as far as the settings allow."""
EARLY_EVERY_SECONDS = 5.0
"""
How often we look whether one of them is missing: not at once, since loading takes a second of processor time that the
start of the service has other uses for, and long before a crowd comes, which would wait for that second.
"""
LOOK_SECONDS = 0.5
"""How often we look whether a worker was stopped; one that is found so twice is ended and replaced."""
STILL_LOOKS = 8
"""One that has a question and has not computed at all in so many looks in a row does not come to it: it is frozen."""
RECOUNT_WAIT_SECONDS = 120.0
"""A result waits longer for a free process than a client does: behind it is a whole search."""
RECOUNT_SECONDS = 600.0
"""Whoever has one recounted gives up before, by a deadline of its own; this is for the case that it does not."""
MOST_DEATHS = 2
"""So many workers may end over one question."""
COMPUTED_SHARE = 0.1
"""Whoever has not had even this share of its time on a processor has not been kept busy by a body."""
LOAD_SECONDS = 120.0
RETRY_SECONDS = 1.0
CLOSING_SECONDS = 5.0
SETTINGS = frozenset(
    {"num_variants", "max_variants", "solve_seconds", "max_solve_seconds", "workers_per_job"}
    | {"portfolio_workers"}
    | {"max_json_values", "max_json_lists", "limit_places", "limit_pairs", "reader_memory_mb"}
    | {amount.setting for amount in AMOUNTS}
    | {"data_dir"}  # nothing is read there, but its default cannot be found for a user without a home
)
"""What a worker learns of the settings; the others may hold secrets, and a worker works on hostile bodies."""

_log = logging.getLogger("timetable.parse_pool")


class WorkerLost(Exception):
    """A worker has ended, or talks nonsense."""


class WorkerStopped(WorkerLost):
    """A worker was stopped or frozen and ended by us; what it was reading has nothing to do with that."""


class Terms(NamedTuple):
    """
    How long a question may wait for a process, how many may wait before it, and how long answering may take.

    `begun` is called whenever a process has got it.
    """

    wait_seconds: float
    most_waiting: float
    work_seconds: float
    begun: Callable[[], None]


class ParsePool:
    """
    Use it as an async context; entering starts the first process and does not wait for it.

    A second one is started soon after, more when all are found busy. Whoever asks waits for the first process that is
    free, not for the one that was started for it; and a process that has become large or old works on until its
    successor is loaded. `machine` tells whom the kernel has ended for want of memory.
    """

    def __init__(self, settings: Settings, observe: Observer = nobody, machine: Machine | None = None) -> None:
        self._observe, self._machine = observe, machine or this_machine()
        # A worker does not know how jobs are queued, which decides how many workers one may have.
        self._settings = settings.changed(portfolio_workers=most_workers(settings))
        self._staff: set[_Process] = set()
        self._here = anyio.CapacityLimiter(1)
        self._waiting = 0
        self._open = False

    async def __aenter__(self) -> Self:
        self._free, self._next = anyio.create_memory_object_stream["_Process"](math.inf)
        self._tasks: TaskGroup = await anyio.create_task_group().__aenter__()
        self._open = True
        self._hire()
        self._tasks.start_soon(self._hire_early)
        self._tasks.start_soon(self._look_after)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        self._free.close()
        self._next.close()
        for process in list(self._staff):
            await self._dismiss(process)

    @property
    def _alive(self) -> list[_Process]:
        """Those that have not ended; one that has while it waited is put away by whoever comes next."""
        return [process for process in self._staff if not process.has_ended]

    @property
    def pids(self) -> list[int]:
        """Every process there is, those that are still being loaded included."""
        return [process.pid for process in self._staff]

    @property
    def ready(self) -> int:
        """Those that have loaded what they need."""
        return sum(process.is_ready for process in self._staff)

    async def ask(self, question: Question) -> Reply:
        """
        The reply of some worker. One that dies may have been killed from outside, so another one reads as well.

        Raises
        ------
        ParsePoolBusy
            No worker was free in time; worth another try.
        ParsePoolAway
            Workers were stopped, or not let run, again and again; the same.
        ParsePoolStarved
            Two workers died while the kernel was ending processes for want of memory; the same.
        TooHeavy
            Reading took longer than `read_seconds`, or two workers died of it.
        """
        if _is_small(question):
            return await anyio.to_thread.run_sync(perform, question, self._settings, limiter=self._here)
        seconds = self._settings.read_seconds
        return await self._answered(question, Terms(seconds, MAX_WAITING, seconds, lambda: None))

    async def recount(self, claim: Claim, begun: Callable[[], None]) -> Counted:
        """See `app.processes.claims.LastRecount`. No crowd of clients keeps a result from being recounted."""
        terms = Terms(RECOUNT_WAIT_SECONDS, math.inf, RECOUNT_SECONDS, begun)
        try:
            return counted_of(await self._answered(recounting_of(claim), terms))
        except (ServiceError, WorkerFault) as error:
            raise CannotRecount(str(error)) from error

    async def _answered(self, question: Question, terms: Terms) -> Reply:
        died, until = 0, anyio.current_time() + terms.work_seconds
        kills = self._machine.memory_kills()
        while True:
            try:
                return await self._ask(question, terms)
            except WorkerStopped as error:
                if anyio.current_time() >= until:
                    raise ParsePoolAway("The processes that read requests were stopped; try again later.") from error
            except WorkerLost as error:
                died += 1
                if died == MOST_DEATHS:
                    raise self._blamed(kills) from error

    def _blamed(self, kills_before: int | None) -> ServiceError:
        """What two workers have died of: whatever was sent, if the kernel has not ended anybody meanwhile."""
        kills = self._machine.memory_kills()
        if kills is None or kills_before is None or kills <= kills_before:
            return TooHeavy("Two processes have died of reading this request. Maybe send less at once.")
        where = "container" if self._machine.memory().in_container else "machine"
        _log.error("memory of the %s ran out: two parse workers were ended; it needs more, or fewer slots", where)
        return ParsePoolStarved(
            f"Memory of the {where} ran out while the request was being read, so the system ended the processes that "
            "read it. The request need not be at fault; please try again later."
        )

    async def _ask(self, question: Question, terms: Terms) -> Reply:
        while (process := await self._next_free(terms)).has_ended:  # while it waited, so nobody's body is to blame
            await self._put_back(process, usable=False)
        usable, before, seconds = False, process.cpu_seconds, terms.work_seconds
        try:
            terms.begun()
            with anyio.fail_after(seconds):
                reply = await process.ask(question)
            usable = True
            return reply
        except TimeoutError:
            if process.cpu_seconds - before < COMPUTED_SHARE * seconds:
                raise ParsePoolAway("The process that reads the request did not get to it; try again later.") from None
            told = f"Reading the request took longer than {seconds:g} s and was given up. Maybe send less at once."
            raise TooHeavy(told) from None
        finally:
            with anyio.CancelScope(shield=True):
                await self._put_back(process, usable)

    async def _next_free(self, terms: Terms) -> _Process:
        if self._waiting >= terms.most_waiting:
            raise ParsePoolBusy(f"{self._waiting} large requests are waiting to be read already; try again later.")
        all_busy, alive = self._waiting >= self._next.statistics().current_buffer_used, self._alive
        if all_busy and len(alive) < self._settings.readers and all(one.is_ready for one in alive):
            self._hire()
        self._waiting += 1
        try:
            with anyio.fail_after(terms.wait_seconds):
                return await self._next.receive()
        except TimeoutError:
            raise ParsePoolBusy("All parse workers are still at work, or being loaded; try again later.") from None
        except anyio.EndOfStream:
            raise ParsePoolBusy("The service is about to end; try again later.") from None
        finally:
            self._waiting -= 1

    async def _put_back(self, process: _Process, usable: bool) -> None:
        has_successor = any(one.is_ready and not one.tired for one in self._staff)
        if usable and self._open and not (process.tired and has_successor):
            self._free.send_nowait(process)
        else:
            await self._dismiss(process)
        if self._open and all(one.tired for one in self._alive):
            self._hire()

    async def _hire_early(self) -> None:
        while True:
            await anyio.sleep(EARLY_EVERY_SECONDS)
            alive = self._alive
            if len(alive) < min(EARLY, self._settings.readers) and all(one.is_ready for one in alive):
                self._hire()

    async def _look_after(self) -> None:
        """Ends those that are stopped, whether they read, wait or are being loaded. Others take their places."""
        while True:
            await anyio.sleep(LOOK_SECONDS)
            for process in list(self._staff):
                if process.is_stuck():
                    _log.error(
                        "a parse worker (process %d) was stopped or frozen; it is ended and replaced", process.pid
                    )
                    self._observe(HelperStopped(helper="reader", pid=process.pid, remedy="replaced"))
                    process.kill()  # whoever asks or loads it puts it away
            if self._staff and not self._alive:
                self._hire()

    def _hire(self) -> None:
        try:
            process = _Process(self._settings)
        except OSError as error:  # no memory, processes or descriptors; whoever asks next tries again
            _log.error("a parse worker could not be started: %s", in_words(error))
            return
        self._staff.add(process)
        self._tasks.start_soon(self._load, process)

    async def _load(self, process: _Process) -> None:
        try:
            with anyio.fail_after(LOAD_SECONDS):
                await process.ready()
        except (WorkerLost, TimeoutError) as error:
            _log.error("a parse worker could not be loaded: %s", error or "it took too long")
            await self._dismiss(process)
            await anyio.sleep(RETRY_SECONDS)
            if not self._alive:
                self._hire()
            return
        self._free.send_nowait(process)

    async def _dismiss(self, process: _Process) -> None:
        self._staff.discard(process)
        await process.end()


def _is_small(question: Question) -> bool:
    most = READ_HERE.get(question.work)
    if most is None or len(question.body) > most:
        return False
    return most == SMALL_RESULT or MAY_BE_MORE.search(question.body) is None


class _Process:
    """One worker, and our end of the conversation with it."""

    def __init__(self, settings: Settings) -> None:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as on_failure, theirs:
            on_failure.callback(ours.close)
            # Started from the thread of the event loop: the process is told to end when the thread that made it ends.
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "app.processes.parse_worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env=environment_of_workers(os.environ, settings),
                start_new_session=True,
            )
            on_failure.pop_all()
        ours.setblocking(False)
        self._channel = ours
        self.is_ready = False
        self.tired = False
        self.was_stuck = self._asked = False
        self._seen: Vitals | None = None
        self._still = 0

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        return self._popen.poll() is not None

    async def ready(self) -> None:
        """Waits until the process has loaded what it needs."""
        await self._receive()
        self.is_ready = True

    async def ask(self, question: Question) -> Reply:
        """The reply; afterwards `tired` says whether the process should make room for a fresh one."""
        self._asked, self._still = True, 0
        await self._send(frame({"work": question.work, "options": question.options}, question.body))
        header, body = await self._receive()
        self._asked = False
        self.tired = header["tired"]
        return Reply(header["kind"], header["header"], body)

    @property
    def cpu_seconds(self) -> float:
        """Processor time it has used; none when it is gone."""
        return cpu_seconds_of(self.pid) or 0.0

    def is_stuck(self) -> bool:
        """One look, of many: whether it was stopped by a signal, or has a question and neither runs nor wants to."""
        seen, before = vitals_of(self.pid), self._seen
        self._seen = seen
        if seen is None or before is None or self.was_stuck:
            return False
        computes = seen.state == "R" or seen.cpu_seconds > before.cpu_seconds
        self._still = 0 if computes or not self._asked else self._still + 1
        stopped = seen.state in STOPPED_STATES and before.state in STOPPED_STATES
        return stopped or self._still >= STILL_LOOKS

    def kill(self) -> None:
        """Ends it because it is stuck; whoever waits for its answer is told so, even if it cannot die."""
        self.was_stuck = True
        self._popen.kill()
        with contextlib.suppress(OSError):  # its end is closed already
            self._channel.shutdown(socket.SHUT_RDWR)

    async def end(self) -> None:
        """Ends the process at once and waits until it is gone."""
        self._channel.close()
        self._popen.kill()
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            await anyio.to_thread.run_sync(self._popen.wait, abandon_on_cancel=True)

    async def _send(self, data: bytes) -> None:
        try:
            await send_all(self._channel, data)
        except OSError as error:
            raise self._lost("the parse worker does not listen") from error

    async def _receive(self) -> tuple[dict[str, Any], bytes]:
        header_length, body_length = LENGTHS.unpack(await self._exactly(LENGTHS.size))
        try:
            REPLY_LIMITS.check(header_length, body_length)
        except FrameError as error:
            raise WorkerLost(str(error)) from error
        header: dict[str, Any] = json.loads(await self._exactly(header_length))
        return header, bytes(await self._exactly(body_length))

    async def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            await anyio.wait_readable(self._channel)
            try:
                received = self._channel.recv_into(view, min(len(view), RECEIVE_BYTES))
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._lost("the parse worker does not talk") from error
            if not received:
                raise self._lost("the parse worker has ended")
            view = view[received:]
        return data

    def _lost(self, why: str) -> WorkerLost:
        return WorkerStopped("the parse worker was stopped, or frozen") if self.was_stuck else WorkerLost(why)


def environment_of_workers(ours: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """What workers find in their environment: as little as children do, and the settings that reading needs."""
    return environment_of(ours, {variable(name): str(getattr(settings, name)) for name in SETTINGS})
