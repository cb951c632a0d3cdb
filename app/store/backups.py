"""
Copies of an SQLite store: made under load, verified before they count, put back without a moment in which nothing is
there; and the clock by which backups of either kind of store are made.

`restore` takes nothing without a manifest (`app.store.manifests`), compares everything it says, and puts what it
replaces aside.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from app.settings import Settings
from app.store import StoreError
from app.store.audit import SQLITE_VERSION, audit, into_one_file
from app.store.folder import (
    FILE_NAME,
    MARK_NAME,
    SPOOL_NAME,
    UNFINISHED_SUFFIX,
    Commit,
    read_mark,
    sync_folder,
    take_lock,
    write_mark,
)
from app.store.manifests import (
    COPY_SUFFIX,
    Manifest,
    NotRestored,
    backups_in,
    check_room,
    check_sound,
    compare,
    copy_checked,
    folder_of,
    folder_told,
    make,
    manifest_of,
    read_manifest,
    stamp,
)
from app.store.signing import NoBackupKey, read_key
from app.store.sqlite import SqliteStore
from app.system.failpoints import failpoint

REPLACED_PREFIX = "replaced-"
RESTORING_NAME = "restoring" + UNFINISHED_SUFFIX
RETRY_SECONDS = 600.0
"""A scheduled backup that failed is tried again after this long."""
_BESIDE = ("-wal", "-shm")

_log = logging.getLogger("timetable.backups")


# --- making one ---


def take(store: SqliteStore, folder: Path, keep: int, key: bytes | None = None) -> Manifest:
    """
    Makes a verified backup of an open store in `folder`, and removes the oldest but `keep` of the same store.

    With a `key` it is signed.

    Blocks for as long as it takes; others may use the store meanwhile, from other threads.

    Raises
    ------
    StoreFull
        There is no room for it.
    StoreUnavailable
        The folder cannot be written, or the store was closed meanwhile.
    StoreDamaged
        The copy is not sound; it is removed, and earlier backups are kept.
    """

    def copy(path: Path, name: str) -> Manifest:
        store.backup(path)
        path.chmod(0o600)
        failpoint("backup.copied")
        return describe(path, name)

    with folder_told():
        size = store.path.stat().st_size
    return make(folder, COPY_SUFFIX, store.last_commit.store_id, size, keep, key, copy)


def describe(path: Path, name: str) -> Manifest:
    """The manifest of a copy that is sound; raises StoreDamaged when it is not."""
    with audit(path) as copy:
        check_sound(path, copy.problems())
        commit = copy.last_commit
        return manifest_of(
            path,
            name,
            sqlite_version=SQLITE_VERSION,
            schema=copy.version,
            store_id=commit.store_id,
            commits=commit.number,
            rows=copy.rows(),
            jobs=copy.jobs_by_status(),
        )


# --- putting one back ---


def restore(backup: Path, data_dir: Path, *, force: bool = False, key: bytes | None = None) -> Manifest:
    """
    Puts a backup in place of the store in `data_dir`; its running jobs are found interrupted at the next start.

    A store that is there is put aside into a folder `replaced-...` beside it, and only with `force`. Killed at any
    moment, this leaves the old store or the new one.

    Raises
    ------
    StoreLocked
        A service uses the folder.
    NotRestored
        It is no backup of ours, or not signed with `key`, or a store is there, or was there, and `force` is not given.
    StoreTooNew
        A later version of this program made it.
    StoreDamaged
        The backup is not what its manifest says.
    """
    with folder_told():
        manifest = read_manifest(backup, key)
        lock = take_lock(data_dir)
        try:
            _check_target(manifest, data_dir, force=force)
            unfinished = data_dir / RESTORING_NAME
            unfinished.unlink(missing_ok=True)
            check_room(data_dir, manifest.bytes)
            try:
                copy_checked(backup, manifest, unfinished)
                compare(describe(unfinished, manifest.file), manifest, "commits")
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            failpoint("restore.before_swap")
            _swap(unfinished, data_dir, manifest)
        finally:
            os.close(lock)
    return manifest


def _check_target(manifest: Manifest, data_dir: Path, *, force: bool) -> None:
    marked = read_mark(data_dir)
    if force:
        return
    if (data_dir / FILE_NAME).exists():
        raise NotRestored(f"{data_dir} holds a store; --force puts it aside and the backup in its place")
    if marked is not None and marked.store_id != manifest.store_id:
        raise NotRestored(f"{data_dir} held another store than the one of this backup; --force uses it all the same")


def _swap(new: Path, data_dir: Path, manifest: Manifest) -> None:
    """
    The one rename that counts, and the mark around it.

    A store that can be opened is brought into one file first, and its mark taken away: without a mark either store is
    accepted. A store that cannot be opened was refused before and is refused until the rename, whatever its mark.
    """
    current, mark = data_dir / FILE_NAME, Commit(manifest.store_id, manifest.commits)
    usable = current.exists() and into_one_file(current)
    aside = _put_aside(data_dir) if current.exists() else None
    for suffix in _BESIDE:  # a log that is left over would be laid over the new store
        current.with_name(FILE_NAME + suffix).unlink(missing_ok=True)
    if usable:
        (data_dir / MARK_NAME).unlink(missing_ok=True)
    else:
        write_mark(data_dir, mark)
    sync_folder(data_dir)
    new.replace(current)
    sync_folder(data_dir)
    failpoint("restore.after_swap")
    write_mark(data_dir, mark)
    if aside is not None and (data_dir / SPOOL_NAME).is_dir():  # results that wait for the store that was replaced
        (data_dir / SPOOL_NAME).rename(aside / SPOOL_NAME)
    sync_folder(data_dir)


def _put_aside(data_dir: Path) -> Path:
    """Links, so that the old store stays where it is until the rename."""
    aside = data_dir / f"{REPLACED_PREFIX}{stamp()}"
    aside.mkdir(mode=0o700)
    for name in (FILE_NAME, *(FILE_NAME + suffix for suffix in _BESIDE), MARK_NAME):
        if (data_dir / name).exists():
            os.link(data_dir / name, aside / name)
    sync_folder(aside)
    return aside


# --- by the clock ---


async def keep_backups(
    settings: Settings, take_one: Callable[[], Awaitable[Manifest]], report: Callable[[Manifest | StoreError], None]
) -> None:
    """
    Calls `take_one` every `backup_every_hours`, counted from the newest backup; returns at once when that is 0.

    `report` is given each manifest, or why there is none.
    """
    every = settings.backup_every_hours * 3600
    wait = await anyio.to_thread.run_sync(_due_in, settings, every) if every else 0.0
    while every:
        await anyio.sleep(wait)
        try:
            report(await take_one())
            wait = every
        except StoreError as error:
            report(error)
            wait = min(every, RETRY_SECONDS)


def _due_in(settings: Settings, every: float) -> float:
    try:
        key = read_key(settings.backup_key_file)
    except NoBackupKey:
        return 0.0  # the backup that is then due says what is wrong with the key
    newest = max((manifest.made_at for _, manifest in backups_in(folder_of(settings), key)), default=0.0)
    return min(every, max(0.0, newest + every - time.time()))
