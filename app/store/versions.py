"""
Versions of a store's schema, and the way from one to the next, by Alembic: one environment for both kinds of store.

The version stands in Alembic's own table. Alembic and SQLAlchemy are loaded only where there is something to bring up
to date: they take longer to load than a store takes to open.

SQLAlchemy is here for Alembic alone, which runs over nothing else. It hands on a connection that is ours, and makes no
statement: those of both stores, and of every script, are written out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from app.store import StoreDamaged

Kind = Literal["postgres", "sqlite"]

TABLE = "alembic_version"
NEWEST: dict[Kind, str] = {"postgres": "p005", "sqlite": "s005"}
"""The last version of each kind of store; a test compares it with the scripts."""
_DIALECTS: dict[Kind, str] = {"postgres": "postgresql+psycopg", "sqlite": "sqlite"}
_SCRIPTS = Path(__file__).parent / "migrations"

_log = logging.getLogger("timetable.store")


def number_of(version: str) -> int:
    """Versions of one kind of store are numbered: "s004" is 4. Raises StoreDamaged for what is no version."""
    if not re.fullmatch(r"[a-z]\d{3}", version):
        raise StoreDamaged(f"its version is {version[:20]!r}, which is none of ours")
    return int(version[1:])


def named(kind: Kind, number: int) -> str:
    """The version of this number."""
    return f"{NEWEST[kind][0]}{number:03}"


def upgrade(
    kind: Kind,
    db: Any,
    first: str,
    *,
    adopted: str | None = None,
    to: str = "head",
    begun: Callable[[Any], None] = lambda db: None,
    last: Callable[[Any], None] = lambda db: None,
) -> None:
    """
    Brings a store to the newest version, or to another one, in one transaction: killed in between, it is what it was.

    Parameters
    ----------
    db
        A DB-API connection outside of a transaction; the caller closes it.
    first
        The statement that begins it: a lock that keeps a second service from doing the same.
    adopted
        The version of a store that Alembic does not know yet; None when it does, or when the store is empty.
    to
        The version that it is brought to; a backup is filled into the tables of its own.
    begun
        Called with `db` when the transaction has begun. What `db` did before is rolled back: SQLAlchemy does so when it
        first sees a connection.
    last
        Called with `db` before the commit.

    Raises
    ------
    Exception
        What the driver raised; the store is as it was.
    """
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool  # hands out `db`, and leaves it open

    engine = create_engine(f"{_DIALECTS[kind]}://", creator=lambda: db, poolclass=StaticPool)
    config = _config(kind)
    try:
        with engine.connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            connection.exec_driver_sql(first)
            begun(db)
            if adopted is not None:
                command.stamp(config, adopted)
            command.upgrade(config, to)
            last(db)
    except DBAPIError as error:
        raise (error.orig or error) from error
    _log.warning("the store has been brought to schema %s", NEWEST[kind] if to == "head" else to)


def _config(kind: Kind) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_SCRIPTS / kind).replace("%", "%%"))
    return config
