"""
Two small files beside the store: the lock that keeps a second service out, and the mark of the last commit.

SQLite cannot know that committed work is missing: a write-ahead log that is damaged, cut or taken away ends earlier,
and looks like one that nobody wrote further. So the store counts its commits, and the count of the last acknowledged
one also stands in the mark. A store that knows fewer commits than its mark has lost work, and is refused. The mark is
written behind the commit and not flushed, so after a power cut it may name too few, which harms nobody, never too many.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import socket
from pathlib import Path
from typing import NamedTuple

from app.store import StoreError, StoreFull, StoreLocked, StoreUnavailable
from solver.errors import in_words

FILE_NAME = "jobs.sqlite3"
LOCK_NAME = "service.lock"
MARK_NAME = "jobs.mark"
INSTANCE_NAME = "instance"
SPOOL_NAME = "spool"
"""Folder of ends that wait for the store."""
UNFINISHED_SUFFIX = ".part"
"""Of a file that is being written, and does not count yet."""
_DIGITS = 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Commit(NamedTuple):
    """A commit of the store `store_id`; the first has number 1."""

    store_id: str
    number: int


class Mark:
    """The mark in `folder`, open for as long as the store is. `found` is what it said when it was opened."""

    def __init__(self, folder: Path) -> None:
        self.found = read_mark(folder)
        try:
            self._file = os.open(folder / MARK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise os_trouble(error) from error

    def write(self, commit: Commit) -> None:
        """Overwrites in place, so it takes no new room; raises OSError."""
        os.pwrite(self._file, _line(commit), 0)

    def flush(self) -> None:
        """Has what was written reach the disk. Raises OSError."""
        os.fsync(self._file)

    def close(self) -> None:
        """Closes the file; no number can be written afterwards."""
        os.close(self._file)


def read_mark(folder: Path) -> Commit | None:
    """The last acknowledged commit as far as it is known; None without a mark, or with one that cannot be read."""
    try:
        text = (folder / MARK_NAME).read_bytes()[:200].decode("ascii")
        store_id, count, _ = text.split()
        commit = Commit(store_id, int(count))
    except (OSError, ValueError):
        return None
    return commit if text.encode() == _line(commit) else None


def holds_store(folder: Path) -> bool:
    """Whether there is a store in the folder, or was one that is missing now."""
    return (folder / FILE_NAME).exists() or read_mark(folder) is not None


def write_mark(folder: Path, commit: Commit) -> None:
    """Puts a mark in place where none is open, durably."""
    write_whole(folder / MARK_NAME, _line(commit))


def _line(commit: Commit) -> bytes:
    text = f"{commit.store_id} {commit.number:0{_DIGITS}d}"
    return f"{text} {hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}\n".encode()


def take_lock(folder: Path) -> int:
    """
    A descriptor that holds the lock of the folder; closing it gives the lock back.

    Raises
    ------
    StoreLocked
        A process holds it.
    StoreError
        The folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be used: {in_words(error)}; choose another data_dir"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        message = f"the data folder {folder} is in use by process {owner}; stop it, or choose another data_dir"
        raise StoreLocked(message) from error
    _name_owner(handle)
    return handle


def _name_owner(handle: int) -> None:
    """Whose lock it is; on a full disk the lock holds without a name."""
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            os.close(handle)
            raise os_trouble(error) from error


def instance_of(folder: Path) -> str:
    """
    The name of the service that works in `folder`, whose lock is held: host name and a random part, kept in a file.

    A copy of the folder on another host gets a name of its own. Raises StoreError.
    """
    path, host = folder / INSTANCE_NAME, re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())[:60] or "host"
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip() if path.exists() else ""
        if re.fullmatch(rf"{re.escape(host)}/[0-9a-f]{{16}}", found):
            return found
        name = f"{host}/{secrets.token_hex(8)}"
        write_whole(path, f"{name}\n".encode("ascii"))
    except OSError as error:
        raise os_trouble(error) from error
    return name


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """
    Writes a file durably: under another name, flushed and renamed, so that it is there as a whole or not at all.

    `mode` are its rights. Raises OSError; then what was there before still is.
    """
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}{UNFINISHED_SUFFIX}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes what was created, renamed or removed in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def os_trouble(error: OSError) -> StoreError:
    """The error of the contract that stands for a file that cannot be written."""
    kind = StoreFull if error.errno in _NO_ROOM else StoreUnavailable
    return kind(f"the folder cannot be written: {in_words(error)}")
