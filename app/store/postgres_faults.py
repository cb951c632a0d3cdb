"""
What PostgreSQL and its driver complain about, in the words of the contract. No `psycopg` error leaves `app.store`.

The split that matters to callers is whether waiting may help. An error without a code came from the driver: there is no
connection, or it was lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from app.store import StoreDamaged, StoreError, StoreFull, StoreUnavailable

_EXACT: Mapping[str, type[StoreError]] = {
    "53100": StoreFull,
    "25006": StoreUnavailable,  # a standby: it takes no writes before it is promoted
    "55P03": StoreUnavailable,
    "XX001": StoreDamaged,
    "XX002": StoreDamaged,
    "42P01": StoreDamaged,  # a table, a column or a function of ours is gone
    "42703": StoreDamaged,
    "42883": StoreDamaged,
}
_CLASSES: Mapping[str, type[StoreError]] = {
    "08": StoreUnavailable,
    "25": StoreUnavailable,
    "28": StoreUnavailable,
    "40": StoreUnavailable,
    "53": StoreUnavailable,
    "57": StoreUnavailable,
    "58": StoreUnavailable,
}
"""The first two characters of an SQLSTATE; what is not here (a constraint, a value that does not fit) is our fault."""
_LOST = ("08", "57P")


@contextmanager
def told() -> Iterator[None]:
    """Raises the `StoreError` that stands for whatever `psycopg` error leaves the body."""
    try:
        yield
    except psycopg.Error as error:
        raise kind_of(error)(f"PostgreSQL: {said(error)}") from error


def kind_of(error: psycopg.Error) -> type[StoreError]:
    """Which error of the contract stands for this one."""
    code = error.sqlstate
    if code is None:
        return StoreUnavailable if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else StoreError
    return _EXACT.get(code) or _CLASSES.get(code[:2], StoreError)


def said(error: psycopg.Error) -> str:
    """In one line; the detail of a server may quote values, and is left out."""
    text = error.diag.message_primary or str(error)
    return " ".join(text.split())[:300]


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection is gone, so that the same may be tried on another one."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_LOST)


def is_clash(error: psycopg.Error) -> bool:
    """Whether two transactions stood in each other's way; one of them has to begin again."""
    return (error.sqlstate or "").startswith("40")
