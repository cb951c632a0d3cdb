"""
The supervisor's hold on its processes: starting the forkserver, forking children, watching and killing them.

Everything here waits on descriptors (a socket, a pidfd) and never blocks the event loop. A child is killed by process
group; that is safe while the child has not been reaped, because its id cannot be reused before, and only we reap.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import anyio

from app.domain.diagnosis import ProcessSample
from app.domain.messages import WORDS_BYTES, Frame, FrameReader
from app.domain.telemetry import Remedy
from app.processes.hardening import environment_of
from app.processes.sending import send_all
from app.processes.vitals import TAG, is_stopped, threads_of, vitals_of
from solver.control import BEAT_WORD, PLACE_WORD, REASON_WORD, STOP_WORD, Place, Stop
from solver.errors import in_words

MESSAGE = struct.Struct("=6sii")
READY, FORK, FORKED, REAP, REAPED = b"ready ", b"fork  ", b"forked", b"reap  ", b"reaped"
LOOK, LOOKED = b"look  ", b"looked"
SOLVE = "solver:solve"
"""What children run: `module:function`."""
NO_CODE = 2**31 - 1
"""Instead of an exit code, which is 0 to 255, or minus the number of a signal."""
READY_SECONDS = 600.0
"""Importing takes a second; compiling all kernels on a machine that never did takes minutes."""
ANSWER_SECONDS = 10.0
"""For a fork, at most; it copies page tables."""
WORD_SECONDS = 5.0
"""For what takes no work at all. It is never as late on a busy machine, where its turn comes like anybody's."""
HELD_UP_SECONDS = 1.0
TURN_SECONDS = 0.02
END_SECONDS = 2.0
"""For a forkserver that was given up to be gone. One that is frozen stays; it is of no more concern."""
STOPPED_SECONDS = 0.5
"""While we wait for an answer we look this often whether the forkserver was stopped; then it is told to go on."""
RECEIVE_BYTES = 1 << 18
STACKS_BYTES = 1 << 16
STACKS_PAUSE_SECONDS = 0.02
_NO_PLACE = Place.OTHER


class ForkServerLost(Exception):
    """The forkserver does not answer, or could not be started."""


class Child:
    """
    One forked process. Close it when it has ended and was reaped.

    `stacks` is the descriptor of the memory into which the child's fault handler writes, `forkserver` the process that
    has forked it, and alone can reap it.
    """

    def __init__(
        self, pid: int, pidfd: int, channel: socket.socket, words: mmap.mmap, stacks: int, forkserver: int | None
    ) -> None:
        self.pid, self.forkserver = pid, forkserver
        self._pidfd = pidfd
        self._channel = channel
        self._stacks = stacks
        self._map = words
        self._words = memoryview(words).cast("q")

    @property
    def beat(self) -> int:
        """The heartbeat that the child counts up in the shared memory."""
        return self._words[BEAT_WORD]

    @property
    def place(self) -> Place:
        """Where the child says it is; a child gone mad may write anything."""
        return Place._value2member_map_.get(self._words[PLACE_WORD], _NO_PLACE)  # type: ignore[return-value]

    def request_stop(self, stop: Stop, reason: int = 0) -> None:
        """Writes the stop word, which kernels read; a cancel is never weakened to a finish."""
        if self._words[STOP_WORD] != Stop.CANCEL:
            self._words[REASON_WORD] = reason
            self._words[STOP_WORD] = stop

    async def send(self, data: bytes) -> None:
        """Sends everything, or as much as a child that dies will take."""
        with contextlib.suppress(OSError):  # its end is closed; its death is noticed elsewhere
            await send_all(self._channel, data)

    async def frames(self) -> AsyncIterator[Frame]:
        """Everything the child says, until its end of the socket closes. Raises FrameError for garbage."""
        reader = FrameReader()
        while True:
            await anyio.wait_readable(self._channel)
            try:
                data = self._channel.recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not data:
                return
            for frame in reader.feed(data):
                yield frame

    async def ended(self) -> None:
        """Waits until the process is dead. It stays a zombie, and its id stays taken, until it is reaped."""
        await anyio.wait_readable(self._pidfd)

    @property
    def dead(self) -> bool:
        """Whether the process has ended, reaped or not."""
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def kill(self) -> None:
        """SIGKILL to the process group, unless it is dead already."""
        if self.dead:
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not made its group yet
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def dump_stacks(self, seconds: float) -> None:
        """
        Has the fault handler of the child write the stacks of all threads; that works inside native code.

        Waits for them, at most `seconds`: on a busy machine the child may not get to it at once.

        A stopped child is let run again for it: the signal is the first thing it meets. Only ask of a child that is to
        be killed.
        """
        before = len(self.stacks())
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGUSR1)
            signal.pidfd_send_signal(self._pidfd, signal.SIGCONT)
        seen = before
        with anyio.move_on_after(seconds):
            while not before < len(self.stacks()) == seen:
                seen = len(self.stacks())
                await anyio.sleep(STACKS_PAUSE_SECONDS)

    def stacks(self) -> str:
        """What the fault handler has written, after a crash too; empty when nothing."""
        written = os.pread(self._stacks, STACKS_BYTES, 0)
        return written.rstrip(b"\0").decode("utf-8", "replace")

    def look(self, now: float, *, closely: bool) -> ProcessSample | None:
        """How the child is, with its threads when asked to look closely; None when it is gone."""
        vitals = vitals_of(self.pid)
        if vitals is None:
            return None
        return ProcessSample(
            at=now,
            beat=self.beat,
            place=self.place,
            cpu_seconds=vitals.cpu_seconds,
            state=vitals.state,
            resident_bytes=vitals.resident_bytes,
            threads=threads_of(self.pid) if closely else None,
        )

    def close(self) -> None:
        """Gives back pipe, memory and files; the process must have ended."""
        self._words.release()
        self._map.close()
        self._channel.close()
        os.close(self._stacks)
        os.close(self._pidfd)


def environment_of_children(ours: Mapping[str, str], tag: str) -> dict[str, str]:
    """What the forkserver and all children find in their environment."""
    return environment_of(ours, {TAG: tag})


def tag_of(data_dir: Path) -> str:
    """The mark of all processes of the service that owns a data folder."""
    return hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:32]


class ForkServer:
    """
    Starts the forkserver when it is needed, and again when it has died.

    `solve` is the `module:function` that children run; `tag` marks all processes for `kill_orphans`. One that was
    stopped is told to go on, by whoever waits for it or looks after it; `on_trouble` hears of that, and of one that was
    given up because it gave no answer. Its children end with it, so going on is always tried first.
    """

    def __init__(self, solve: str, tag: str) -> None:
        self._solve, self._tag = solve, tag
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._talking = anyio.Lock()
        self._ready = False
        self.on_trouble: Callable[[int, Remedy], None] = _nobody_hears

    @property
    def pid(self) -> int | None:
        """Its process id, None before it is started."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it has everything imported, so that a child is a matter of milliseconds."""
        return self._ready and self.alive

    def launch(self) -> None:
        """
        Starts the process and waits for nothing; whoever needs it waits less then. To be called in the main thread.

        Raises
        ------
        ForkServerLost
            It could not be started. That may pass, and `start` tries again.
        """
        self._ready = False
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        try:
            self._channel = self._begin()
        except OSError as error:  # no descriptors, processes or memory left; that may pass
            raise ForkServerLost(f"the forkserver cannot be started: {in_words(error)}") from error

    def abandon(self) -> None:
        """Ends a forkserver that was launched for a service which does not start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()

    async def start(self) -> None:
        """Waits until the forkserver is ready; does nothing when it is. Raises ForkServerLost."""
        async with self._talking:
            await self._start()

    async def fork(self) -> Child:
        """A new child, from a fresh forkserver when the last one is gone. Raises ForkServerLost."""
        async with self._talking:
            await self._start()
            try:
                return await self._fork()
            except OSError as error:
                raise ForkServerLost(f"no child can be started: {in_words(error)}") from error

    async def reap(self, child: Child) -> int | None:
        """
        The exit code of a child that has ended: minus the signal when one killed it, None when nobody knows any more.

        When the forkserver is gone, its children were reaped by the system; one that was given up reaps nobody.
        """
        while self._talking.locked() and child.forkserver == self.pid:
            await anyio.sleep(TURN_SECONDS)  # whoever talks may be about to give it up, and then to load another one
        if child.forkserver != self.pid:
            return None
        async with self._talking:
            if not self.alive or child.forkserver != self.pid:
                return None
            try:
                code = (await self._ask(MESSAGE.pack(REAP, child.pid, 0), REAPED, within=WORD_SECONDS))[0][2]
            except ForkServerLost:
                return None
        return None if code == NO_CODE else int(code)

    async def look(self) -> None:
        """
        Finds out whether the forkserver answers, so that one that does not is noticed before anybody needs it.

        Does nothing while there is none, or while it is being loaded. Raises ForkServerLost when it was given up.
        """
        async with self._talking:
            if self.ready:
                await self._ask(MESSAGE.pack(LOOK, 0, 0), LOOKED, within=WORD_SECONDS)

    async def stop(self) -> None:
        """Ends the forkserver; its children die with it."""
        async with self._talking:
            if self._channel is not None:
                self._channel.close()
                self._channel = None
            process, self._process = self._process, None
            if process is not None:
                process.kill()
                await anyio.to_thread.run_sync(process.wait)

    async def _start(self) -> None:
        if not self.alive or self._channel is None:
            self.launch()
        if not self._ready:
            await self._answer(READY, READY_SECONDS)
            self._ready = True

    def _begin(self) -> socket.socket:
        """Starts the process; returns our end of the conversation."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as on_failure, theirs:
            on_failure.callback(ours.close)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.processes.forkserver", str(theirs.fileno()), self._solve],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env=environment_of_children(os.environ, self._tag),
                start_new_session=True,
            )
            on_failure.pop_all()
        ours.setblocking(False)
        return ours

    async def _fork(self) -> Child:
        with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as passed_on:
            ours, theirs = socket.socketpair()
            on_failure.callback(ours.close)
            passed_on.callback(theirs.close)
            words, stacks = _memory("words", WORDS_BYTES), _memory("stacks", STACKS_BYTES)
            passed_on.callback(os.close, words)
            on_failure.callback(os.close, stacks)
            pid, pidfd = await self._request_child([theirs.fileno(), words, stacks])
            on_failure.callback(os.close, pidfd)
            ours.setblocking(False)
            child = Child(pid, pidfd, ours, mmap.mmap(words, WORDS_BYTES), stacks, self.pid)
            on_failure.pop_all()
            return child

    async def _request_child(self, given: list[int]) -> tuple[int, int]:
        fields, descriptors = await self._ask(MESSAGE.pack(FORK, 0, 0), FORKED, given)
        if len(descriptors) != 1:
            raise ForkServerLost("the forkserver sent no handle of the child")
        return fields[1], descriptors[0]

    async def _ask(
        self,
        message: bytes,
        answer: bytes,
        descriptors: list[int] | None = None,
        *,
        within: float | None = None,
    ) -> tuple[tuple[bytes, int, int], list[int]]:
        channel = self._channel
        if channel is None:
            raise ForkServerLost("the forkserver is not running")
        try:
            socket.send_fds(channel, [message], descriptors or [])
        except OSError as error:
            raise ForkServerLost(f"the forkserver does not listen: {in_words(error)}") from error
        return await self._answer(answer, ANSWER_SECONDS if within is None else within)

    async def _answer(self, expected: bytes, seconds: float) -> tuple[tuple[bytes, int, int], list[int]]:
        """The next message; anything but the expected one means that this forkserver is of no more use."""
        channel, pid, late = self._channel, self.pid, True
        assert channel is not None
        while late:
            began = time.monotonic()
            with anyio.move_on_after(seconds, shield=seconds <= ANSWER_SECONDS):  # half a conversation helps nobody
                await self._until_it_speaks(channel)
                try:
                    data, descriptors, _, _ = socket.recv_fds(channel, MESSAGE.size, 1)
                except OSError:
                    data, descriptors = b"", []
                if len(data) == MESSAGE.size and data.startswith(expected):
                    return MESSAGE.unpack(data), list(descriptors)
                for descriptor in descriptors:  # of an answer to somebody else
                    os.close(descriptor)
                break
            late = time.monotonic() - began > seconds + HELD_UP_SECONDS  # we were stopped ourselves, and judge nobody
        gone = not self.alive
        await self._give_up()
        if pid is not None and not gone:
            self.on_trouble(pid, "replaced")
        raise ForkServerLost(f"the forkserver gave no answer ({expected.decode().strip()}); see its messages above")

    async def _until_it_speaks(self, channel: socket.socket) -> None:
        while True:
            with anyio.move_on_after(STOPPED_SECONDS):
                return await anyio.wait_readable(channel)
            self._continue()

    def _continue(self) -> None:
        """Tells it to go on if it was stopped."""
        process = self._process
        if process is not None and is_stopped(process.pid):
            process.send_signal(signal.SIGCONT)
            self.on_trouble(process.pid, "continued")

    async def _give_up(self) -> None:
        """A forkserver that has lost the thread of the conversation is killed; the next use starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with anyio.move_on_after(END_SECONDS, shield=True):
                await anyio.to_thread.run_sync(process.wait, abandon_on_cancel=True)


def _nobody_hears(pid: int, remedy: Remedy) -> None:
    """What a forkserver without a supervisor does about its troubles."""


def _memory(name: str, size: int) -> int:
    """Shared memory of a size that nobody can change: a child gone mad cannot make it fill the machine."""
    descriptor = os.memfd_create(f"timetable-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return descriptor
