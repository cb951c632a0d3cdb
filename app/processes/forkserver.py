"""
The forkserver: one quiet process that has the solver imported, and forks a child per attempt in milliseconds.

Why our own and not that of `multiprocessing`: that one imports the `__main__` of the service again in every child; it
reaps children on its own, so that their process ids can be reused before we kill; and when it dies it reports every
child as dead, with code 255, while they run on. Here a child stays a zombie until the supervisor has seen it end and
asks for its exit status, the supervisor holds a pidfd that was opened before the child could be reaped, and children
die with us.

It never solves, never opens the store, and has a single thread, so that forking it is safe. It ends when its socket
closes.

Conversation over a SOCK_SEQPACKET socket, one message at a time:

    supervisor                                  forkserver
                                                "ready" once everything is imported
    "fork", with three descriptors              "forked" pid, with a pidfd
      (the child's socket, the shared words,
      the memory for its stacks)
    "reap" pid                                  "reaped" pid exit-code, or pid NO_CODE while it lives
    "look"                                      "looked"
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

from app.processes import child as worker
from app.processes.child_log import tell_error
from app.processes.children import FORK, FORKED, LOOK, LOOKED, MESSAGE, NO_CODE, READY, REAP, REAPED


def main(argv: list[str]) -> None:
    """`python -m app.processes.forkserver SOCKET SOLVE`: a descriptor, and the `module:function` of the solver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is the service's to hear
    channel = socket.socket(fileno=int(argv[0]))
    solve = worker.preload(argv[1])
    gc.freeze()  # a collection in a child would touch, and so copy, every page it shares with us
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        print("forkserver: a library started a thread on import; forking is not safe", file=sys.stderr)  # noqa: T201
    with suppress(BrokenPipeError, ConnectionResetError):  # the supervisor is gone, and so shall we be
        channel.send(MESSAGE.pack(READY, os.getpid(), 0))
        while _serve(channel, solve):
            pass


def _serve(channel: socket.socket, solve: worker.Solve) -> bool:
    """Answers one message; False when the supervisor is gone."""
    data, descriptors, _, _ = socket.recv_fds(channel, MESSAGE.size, len(worker.Descriptors._fields))
    if len(data) < MESSAGE.size:
        return False
    order, pid, _ = MESSAGE.unpack(data)
    if order == FORK:
        _answer_fork(channel, descriptors, solve)
    elif order == LOOK:
        channel.send(MESSAGE.pack(LOOKED, 0, 0))
    elif order == REAP:
        channel.send(MESSAGE.pack(REAPED, pid, _reap(pid)))
    return True


def _answer_fork(channel: socket.socket, descriptors: list[int], solve: worker.Solve) -> None:
    """A fork that fails (no processes, memory or descriptors left) is answered without a handle; the others live on."""
    with ExitStack() as ours:
        for descriptor in descriptors:
            ours.callback(os.close, descriptor)
        try:
            child = _fork(channel, worker.Descriptors(*descriptors), solve)
            try:
                pidfd = os.pidfd_open(child)
            except OSError:
                os.kill(child, signal.SIGKILL)  # nobody could watch it
                os.waitpid(child, 0)
                raise
        except (OSError, TypeError) as error:  # TypeError: descriptors were lost on the way
            print(f"forkserver: no child can be made: {error}", file=sys.stderr)  # noqa: T201
            channel.send(MESSAGE.pack(FORKED, 0, 0))
            return
        ours.callback(os.close, pidfd)
        socket.send_fds(channel, [MESSAGE.pack(FORKED, child, 0)], [pidfd])


def _fork(channel: socket.socket, given: worker.Descriptors, solve: worker.Solve) -> int:
    forkserver = os.getpid()
    pid = os.fork()
    if pid == 0:
        channel.close()
        _child(given, solve, forkserver)
    return pid


def _child(given: worker.Descriptors, solve: worker.Solve, parent: int) -> NoReturn:
    code = 1
    try:
        worker.main(given, solve, parent)
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the forkserver's loop; the exit code tells
        tell_error("a child has ended by an error")
    finally:
        os._exit(code)


def _reap(pid: int) -> int:
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return NO_CODE
    return os.waitstatus_to_exitcode(status) if done else NO_CODE


if __name__ == "__main__":
    main(sys.argv[1:])
