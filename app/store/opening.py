"""Which store the settings name, and its backups. The driver of PostgreSQL is loaded only where it is used."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from app.settings import Settings
from app.store import Store, backups
from app.store.manifests import DUMP_SUFFIX, KINDS, Manifest, NotRestored
from app.store.notifications import channels_of
from app.store.sqlite import SqliteStore


def open_store(settings: Settings) -> Store:
    """The store of a service; `app.store.sqlite` and `app.store.postgres` say what may be wrong with it."""
    if not settings.database_url:
        return SqliteStore(settings.data_dir, channels_of(settings))
    from app.store.postgres import PostgresStore

    return PostgresStore(settings.database_url, settings.data_dir, channels_of(settings))


def back_up(store: Store, folder: Path, keep: int, key: bytes | None) -> Manifest:
    """Makes a verified backup of an open store of either kind; see `app.store.backups.take`. Raises StoreError."""
    if isinstance(store, SqliteStore):
        return backups.take(store, folder, keep, key)
    from app.store.postgres import PostgresStore
    from app.store.postgres_backups import take

    assert isinstance(store, PostgresStore)  # nosec B101 - there are two kinds
    return take(store.database, folder, keep, key, lambda: store.closed)


def back_up_database(url: str, folder: Path, keep: int, key: bytes | None) -> Manifest:
    """The same of a store on PostgreSQL that is not open here, beside whoever uses it. Raises StoreError."""
    from app.store.connections import Connections
    from app.store.postgres_backups import take

    with closing(Connections(url, "timetable backup")) as database:
        return take(database, folder, keep, key)


def put_back(settings: Settings, backup: Path, *, force: bool, key: bytes | None) -> Manifest:
    """Puts a backup in place of the store that the settings name; a backup of the other kind is refused. StoreError."""
    kind = KINDS.get(backup.suffix)
    if not settings.database_url:
        if kind == "postgres":
            raise NotRestored(f"{backup} is of a store on PostgreSQL; name that database in TIMETABLE_DATABASE_URL")
        return backups.restore(backup, settings.data_dir, force=force, key=key)
    if kind != "postgres":
        raise NotRestored(
            f"{backup} is no dump ({DUMP_SUFFIX}), and the job store is a PostgreSQL database; unset "
            "TIMETABLE_DATABASE_URL to put it into a data folder"
        )
    from app.store.postgres_backups import restore

    return restore(backup, settings.database_url, force=force, key=key)
