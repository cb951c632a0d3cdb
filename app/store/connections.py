"""
Connections to PostgreSQL: few of them, none waited for without end, a lost one replaced.

Three clocks bound a transaction: the server's (`statement_timeout` and the like), the kernel's (TCP keepalives), and
ours, because a network that swallows everything is noticed by neither: then the socket is shut down under the driver.

A transaction that loses its connection before its commit is begun again on a new one, a bounded number of times. At the
commit itself nobody knows; then the caller is told, and asks the store.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from app.store import StoreError, StoreUnavailable
from app.store.postgres_faults import is_clash, is_lost, kind_of, said, told
from app.store.rows import Work

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]

MOST = 5
"""The supervisor calls from one thread at a time; renewals, what follows the others, and checks come beside it."""
CALL_SECONDS = 6.0
"""A transaction that takes longer by our clock is cut off."""
GET_SECONDS = 1.0
"""So long a call waits for a connection. The server is there, or it is not; half of the time after which we say so."""
OPEN_SECONDS = 10.0
TRIES = 3
_SESSION = {
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}
_DEFAULTS = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}


# The pool would repeat every second that there is no server. Whoever needs one says so, in our words.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class Connections:
    """
    A bounded pool of connections to the database `url` names, in whichever of libpq's two spellings.

    Raises
    ------
    StoreError
        The address cannot be used. It is never repeated: it holds a password.
    StoreUnavailable
        There is no server, or it refuses us, for `OPEN_SECONDS`.
    """

    def __init__(self, url: str, application: str) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            raise StoreError("the database address is none; write it as postgresql://user@host:port/name") from None
        self.conninfo = make_conninfo("", **{**_DEFAULTS, "application_name": application[:60], **given})
        shown = {name: given.get(name) for name in ("host", "port", "dbname")}
        self.where = f"PostgreSQL at {shown['host'] or 'localhost'}:{shown['port'] or 5432}/{shown['dbname'] or ''}"
        self._wait_for_server()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            self.conninfo,
            min_size=1,
            max_size=MOST,
            kwargs={"prepare_threshold": None},  # a pooler in between may not know what was prepared
            configure=_configure,
            timeout=GET_SECONDS,
            reconnect_timeout=GET_SECONDS,  # no back-off beyond this: whoever calls next tries again
            max_lifetime=1800.0,
            num_workers=2,
            open=True,
        )

    def _wait_for_server(self) -> None:
        until = time.monotonic() + OPEN_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.Error as error:
                if time.monotonic() > until or not is_lost(error):
                    raise kind_of(error)(f"{self.where} cannot be used as a job store: {said(error)}") from error
            time.sleep(0.2)

    def connect(self) -> Connection:
        """A connection outside of the pool; the caller closes it. Raises psycopg.Error."""
        return psycopg.connect(self.conninfo, prepare_threshold=None)

    def close(self) -> None:
        """Closes those that are free, and those that are in use as soon as they are given back."""
        self._pool.close(timeout=2.0)

    def run(self, body: Callable[[Work], T], seconds: float | None = None) -> T:
        """What `body` returns, committed, within `CALL_SECONDS` or the given time. Raises StoreError."""
        began, seconds = time.monotonic(), CALL_SECONDS if seconds is None else seconds
        for left in reversed(range(TRIES)):
            committing = False
            try:
                with told(), self._one() as connection, cut_off(connection, seconds):
                    answer = body(_Transaction(connection))
                    committing = True
                    connection.commit()
                    return answer
            except StoreUnavailable as error:
                cause = error.__cause__
                again = isinstance(cause, psycopg.Error) and not isinstance(cause, PoolTimeout)
                if not again or committing or not left or time.monotonic() - began >= seconds:
                    raise
                if is_lost(cause):  # type: ignore[arg-type]
                    self._pool.drain()
                elif not is_clash(cause):  # type: ignore[arg-type]
                    raise
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _one(self) -> Iterator[Connection]:
        connection = self._pool.getconn()
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                connection.rollback()
            raise
        finally:
            self._pool.putconn(connection)


class _Transaction:
    """A transaction in PostgreSQL (`app.store.rows.Work`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(_spelled(statement), tuple(values)).fetchall()

    def change(self, statement: str, values: Collection[object] = ()) -> int:
        return self._connection.execute(_spelled(statement), tuple(values)).rowcount


@lru_cache(maxsize=200)
def _spelled(statement: str) -> bytes:
    """Statements are constants of ours, spelled with `?`; none has either sign in a text."""
    return statement.replace("?", "%s").encode()


def _configure(connection: Connection) -> None:
    for name, value in _SESSION.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


@contextmanager
def cut_off(connection: Connection, seconds: float) -> Iterator[None]:
    """Shuts the connection down when the body takes longer than this, so that it ends by an error."""
    timer = threading.Timer(seconds, _shut_down, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut_down(connection: Connection) -> None:
    with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as raw:
        raw.shutdown(socket.SHUT_RDWR)
