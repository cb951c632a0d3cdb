"""Which store the settings name. The driver of PostgreSQL is loaded only where it is used."""

from __future__ import annotations

from app.channels import channels_of
from app.settings import Settings
from app.store import Store
from app.store.sqlite import SqliteStore


def open_store(settings: Settings) -> Store:
    """The store of a service; `app.store.sqlite` and `app.store.postgres` say what may be wrong with it."""
    if not settings.database_url:
        return SqliteStore(settings.data_dir, channels_of(settings))
    from app.store.postgres import PostgresStore

    return PostgresStore(settings.database_url, settings.data_dir, channels_of(settings))
