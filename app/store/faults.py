"""
What SQLite complains about, in the words of the contract. No `sqlite3` error leaves `app.store`.

The split that matters to callers is whether waiting may help. Where SQLite names no code the message came from Python's
driver: text that is no UTF-8 any more, or a connection that was closed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.store import StoreDamaged, StoreError, StoreFull, StoreUnavailable

_EXACT: Mapping[int, type[StoreError]] = {
    sqlite3.SQLITE_IOERR_WRITE: StoreFull,  # a file-size limit; a full disk says SQLITE_FULL
    sqlite3.SQLITE_IOERR_SHMSIZE: StoreFull,
    sqlite3.SQLITE_IOERR_TRUNCATE: StoreFull,
    sqlite3.SQLITE_IOERR_SHORT_READ: StoreDamaged,
    sqlite3.SQLITE_IOERR_CORRUPTFS: StoreDamaged,
    sqlite3.SQLITE_IOERR_DATA: StoreDamaged,
}
_FAMILIES: Mapping[int, type[StoreError]] = {
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_BUSY: StoreUnavailable,
    sqlite3.SQLITE_LOCKED: StoreUnavailable,
    sqlite3.SQLITE_PROTOCOL: StoreUnavailable,
    sqlite3.SQLITE_IOERR: StoreUnavailable,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailable,
    sqlite3.SQLITE_READONLY: StoreUnavailable,
    sqlite3.SQLITE_PERM: StoreUnavailable,
    sqlite3.SQLITE_NOMEM: StoreUnavailable,
    sqlite3.SQLITE_INTERRUPT: StoreUnavailable,
    sqlite3.SQLITE_CONSTRAINT: StoreError,
}
"""Primary result codes; what is not here (corrupt, no database, no such table) is damage."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raises the `StoreError` that stands for whatever `sqlite3` error leaves the body; `path` is named in it."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise kind_of(error)(f"{path}: {error}") from error


def kind_of(error: Exception) -> type[StoreError]:
    """
    Which error of the contract stands for this one.

    A damaged schema is quoted in SQLite's message, and a message that is no text is a UnicodeDecodeError.
    """
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return StoreUnavailable if isinstance(error, sqlite3.ProgrammingError) else StoreDamaged
    return _EXACT.get(code) or _FAMILIES.get(code & 0xFF, StoreDamaged)
