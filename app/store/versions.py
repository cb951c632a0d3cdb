"""
Versions of a store's schema, and the way from one to the next, by Alembic.

Alembic and SQLAlchemy are loaded only where there is something to bring up to date: every other start is quicker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

Kind = Literal["postgres"]

NEWEST: dict[Kind, str] = {"postgres": "p003"}
"""The last version of each kind of store; a test compares it with the scripts."""
_DIALECTS: dict[Kind, str] = {"postgres": "postgresql+psycopg"}
_SCRIPTS = Path(__file__).parent / "migrations"

_log = logging.getLogger("timetable.store")


def knows(kind: Kind, version: str) -> bool:
    """Whether there is a way from this version to the newest."""
    if version == NEWEST[kind]:
        return True
    from alembic.script import ScriptDirectory

    return version in {script.revision for script in ScriptDirectory.from_config(_config(kind)).walk_revisions()}


def upgrade(kind: Kind, connect: Callable[[], Any], first: str | None = None) -> None:
    """
    Brings the store that `connect` opens (a DB-API connection, closed here) to the newest version, in one transaction.

    `first` is a statement that begins it: a lock that keeps a second service from doing the same.
    """
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(f"{_DIALECTS[kind]}://", creator=connect, poolclass=NullPool)
    with engine.connect() as connection:
        config = _config(kind)
        config.attributes.update(connection=connection, first=first)
        command.upgrade(config, "head")
    _log.warning("the store has been brought to schema %s", NEWEST[kind])


def _config(kind: Kind) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_SCRIPTS / kind).replace("%", "%%"))
    return config
