"""
The supervisor's hold on its processes: starting the forkserver, forking children, watching and killing them.

Everything here waits on descriptors (a socket, a pidfd) and never blocks the event loop. A child is killed by process
group; that is safe while the child has not been reaped, because its id cannot be reused before, and only we reap.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator

import anyio

from app.messages import REASON_WORD, WORDS_BYTES, Frame, FrameReader
from app.vitals import TAG, Vitals, vitals_of
from solver.control import BEAT_WORD, STOP_WORD, Stop

MESSAGE = struct.Struct("=6sii")
READY, FORK, FORKED, REAP, REAPED = b"ready ", b"fork  ", b"forked", b"reap  ", b"reaped"
NO_CODE = 2**31 - 1
"""Instead of an exit code, which is 0 to 255, or minus the number of a signal."""
ENVIRONMENT = {
    # Importing numpy starts a thread per core otherwise, and a process with threads must not be forked.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
READY_SECONDS = 600.0
"""Importing takes a second; compiling all kernels on a machine that never did takes minutes."""
ANSWER_SECONDS = 10.0
RECEIVE_BYTES = 1 << 18


class ForkServerLost(Exception):
    """The forkserver does not answer, or could not be started."""


class Child:
    """One forked process. Close it when it has ended and was reaped."""

    def __init__(self, pid: int, pidfd: int, channel: socket.socket, words: mmap.mmap) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._channel = channel
        self._map = words
        self._words = memoryview(words).cast("q")

    @property
    def beat(self) -> int:
        return self._words[BEAT_WORD]

    def request_stop(self, stop: Stop, reason: int = 0) -> None:
        """Writes the stop word, which kernels read; a cancel is never weakened to a finish."""
        if self._words[STOP_WORD] != Stop.CANCEL:
            self._words[REASON_WORD] = reason
            self._words[STOP_WORD] = stop

    async def send(self, data: bytes) -> None:
        """Sends everything, or as much as a child that dies will take."""
        rest = memoryview(data)
        while rest:
            await anyio.wait_writable(self._channel)
            try:
                rest = rest[self._channel.send(rest) :]
            except BlockingIOError:
                continue
            except OSError:  # its end is closed; its death is noticed elsewhere
                return

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

    def dump_stacks(self) -> None:
        """Asks for the stacks of all threads on standard error; works inside native code."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGUSR1)

    def vitals(self) -> Vitals | None:
        """None when the process is gone, or a zombie."""
        return vitals_of(self.pid)

    def close(self) -> None:
        self._words.release()
        self._map.close()
        self._channel.close()
        os.close(self._pidfd)


class ForkServer:
    """
    Starts the forkserver when it is needed, and again when it has died.

    `solve` is the `module:function` that children run; `tag` marks all processes for `kill_orphans`.
    """

    def __init__(self, solve: str, tag: str) -> None:
        self._solve, self._tag = solve, tag
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._talking = anyio.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

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
                raise ForkServerLost(f"no child can be started: {error}") from error

    async def reap(self, child: Child) -> int | None:
        """
        The exit code of a child that has ended: minus the signal when one killed it, None when nobody knows any more.

        When the forkserver is gone, its children were reaped by the system.
        """
        async with self._talking:
            if not self.alive:
                return None
            try:
                code = (await self._ask(MESSAGE.pack(REAP, child.pid, 0), REAPED))[0][2]
            except ForkServerLost:
                return None
        return None if code == NO_CODE else int(code)

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
        if self.alive and self._channel is not None:
            return
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        try:
            self._channel = self._launch()
        except OSError as error:  # no descriptors, processes or memory left; that may pass
            raise ForkServerLost(f"the forkserver cannot be started: {error}") from error
        await self._answer(READY, READY_SECONDS)

    def _launch(self) -> socket.socket:
        """Starts the process; returns our end of the conversation."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as on_failure, theirs:
            on_failure.callback(ours.close)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.forkserver", str(theirs.fileno()), self._solve],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    TAG: self._tag,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                },
                start_new_session=True,
            )
            on_failure.pop_all()
        ours.setblocking(False)
        return ours

    async def _fork(self) -> Child:
        with contextlib.ExitStack() as on_failure, contextlib.ExitStack() as lent:
            ours, theirs = socket.socketpair()
            on_failure.callback(ours.close)
            lent.callback(theirs.close)
            words = os.memfd_create("timetable-words", os.MFD_CLOEXEC)
            lent.callback(os.close, words)
            os.ftruncate(words, WORDS_BYTES)
            pid, pidfd = await self._request_child(theirs.fileno(), words)
            on_failure.callback(os.close, pidfd)
            ours.setblocking(False)
            child = Child(pid, pidfd, ours, mmap.mmap(words, WORDS_BYTES))
            on_failure.pop_all()
            return child

    async def _request_child(self, talk: int, words: int) -> tuple[int, int]:
        fields, descriptors = await self._ask(MESSAGE.pack(FORK, 0, 0), FORKED, [talk, words])
        if len(descriptors) != 1:
            raise ForkServerLost("the forkserver sent no handle of the child")
        return fields[1], descriptors[0]

    async def _ask(
        self, message: bytes, answer: bytes, descriptors: list[int] | None = None
    ) -> tuple[tuple[bytes, int, int], list[int]]:
        channel = self._channel
        if channel is None:
            raise ForkServerLost("the forkserver is not running")
        try:
            socket.send_fds(channel, [message], descriptors or [])
        except OSError as error:
            raise ForkServerLost(f"the forkserver does not listen: {error}") from error
        return await self._answer(answer, ANSWER_SECONDS)

    async def _answer(self, expected: bytes, seconds: float) -> tuple[tuple[bytes, int, int], list[int]]:
        """The next message; anything but the expected one means that this forkserver is of no more use."""
        channel = self._channel
        assert channel is not None
        with anyio.move_on_after(seconds, shield=seconds <= ANSWER_SECONDS):  # half a conversation helps nobody
            await anyio.wait_readable(channel)
            try:
                data, descriptors, _, _ = socket.recv_fds(channel, MESSAGE.size, 1)
            except OSError:
                data, descriptors = b"", []
            if len(data) == MESSAGE.size and data.startswith(expected):
                return MESSAGE.unpack(data), list(descriptors)
        await self._give_up()
        raise ForkServerLost(f"the forkserver gave no answer ({expected.decode().strip()}); see its messages above")

    async def _give_up(self) -> None:
        """A forkserver that has lost the thread of the conversation is killed; the next use starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with anyio.move_on_after(ANSWER_SECONDS, shield=True):
                await anyio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
