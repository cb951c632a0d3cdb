"""
Copies of the store: made under load, verified before they count, put back without a moment in which nothing is there.

A backup is a pair of files: a database, and a manifest that names it, its digest and what it holds. The manifest is
written last, and only when the copy was read back and found sound, so a copy without one is a leftover. `restore` takes
nothing without a manifest, compares everything it says, and puts what it replaces aside.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from pydantic import TypeAdapter, ValidationError

from app import service_version
from app.failpoints import failpoint
from app.settings import Settings, variable
from app.store import StoreDamaged, StoreError, StoreTooNew
from app.store.audit import SQLITE_VERSION, audit, into_one_file
from app.store.folder import (
    FILE_NAME,
    MARK_NAME,
    SPOOL_NAME,
    Commit,
    os_trouble,
    read_mark,
    sync_folder,
    take_lock,
    write_mark,
)
from app.store.schema import SCHEMA_VERSION
from app.store.signing import NoBackupKey, is_signed, read_key, signature_of
from app.store.sqlite import SqliteStore

PRODUCT = "timetable-backup"
COPY_SUFFIX, MANIFEST_SUFFIX, UNFINISHED_SUFFIX = ".sqlite3", ".json", ".part"
PREFIX, REPLACED_PREFIX = "timetable-", "replaced-"
RESTORING_NAME = "restoring" + UNFINISHED_SUFFIX
SPARE_BYTES = 64_000_000
"""Left free by a backup beside the copy itself; the store must not lose its room to its backups."""
RETRY_SECONDS = 600.0
"""A scheduled backup that failed is tried again after this long."""
MAX_MANIFEST_BYTES = 100_000
_CHUNK = 1 << 20
_BESIDE = ("-wal", "-shm")
_ID_SHOWN = 8
_ONE_AT_A_TIME = threading.Lock()

_log = logging.getLogger("timetable.backups")


class NotRestored(StoreError):
    """A backup was refused, and nothing was changed; the message says why and what helps."""


class NoBackups(StoreError):
    """The store is not in a file of ours."""

    def __init__(self) -> None:
        super().__init__(
            "the job store is a PostgreSQL database: back it up with pg_dump, put it back with pg_restore; "
            "`timetable check` tells whether what it holds is what was written"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    What stands beside a copy. `made_at` is wall-clock seconds since 1970.

    `store_id` and `commits` say which store it is a copy of, and after which of its commits; `rows` counts the rows of
    each table and `jobs` the jobs of each status; `verified` says that the copy was read back and found sound.
    `signature` is that of `app.store.signing`, None where no key was set.
    """

    product: str
    service_version: str
    sqlite_version: str
    schema: int
    made_at: float
    file: str
    bytes: int
    sha256: str
    store_id: str
    commits: int
    rows: dict[str, int]
    jobs: dict[str, int]
    verified: bool
    signature: str | None = None


_MANIFEST = TypeAdapter(Manifest)


def folder_of(settings: Settings) -> Path:
    """Where the backups of a service go; nobody can name another place over HTTP."""
    return Path(settings.backup_dir).expanduser() if settings.backup_dir else settings.data_dir / "backups"


def view(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """The manifest as JSON, with the path of the copy."""
    return {**asdict(manifest), "path": str(folder / manifest.file)}


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
    prefix = f"{PREFIX}{store.last_commit.store_id[:_ID_SHOWN]}-"
    with _told(), _ONE_AT_A_TIME:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_leftovers(folder, prefix)
        _check_room(folder, store.path.stat().st_size)
        name = prefix + _stamp() + COPY_SUFFIX
        unfinished = folder / (name + UNFINISHED_SUFFIX)
        try:
            store.backup(unfinished)
            unfinished.chmod(0o600)
            failpoint("backup.copied")
            manifest = describe(unfinished, name)
            if key is not None:
                manifest = replace(manifest, signature=signature_of(asdict(manifest), key))
            unfinished.replace(folder / name)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        failpoint("backup.before_manifest")
        _write_manifest(folder / name, manifest)
        _rotate(folder, manifest.store_id, keep, key)
    return manifest


def describe(path: Path, name: str) -> Manifest:
    """The manifest of a copy that is sound; raises StoreDamaged when it is not."""
    with audit(path) as copy:
        problems = copy.problems()
        if problems:
            raise StoreDamaged(f"{path}: {'; '.join(problems[:3])}")
        commit = copy.last_commit
        return Manifest(
            product=PRODUCT,
            service_version=service_version(),
            sqlite_version=SQLITE_VERSION,
            schema=copy.version,
            made_at=time.time(),
            file=name,
            bytes=path.stat().st_size,
            sha256=_sha256(path),
            store_id=commit.store_id,
            commits=commit.number,
            rows=copy.rows(),
            jobs=copy.jobs_by_status(),
            verified=True,
        )


def copy_to(backup: Path, folder: Path, key: bytes | None = None) -> Path:
    """Copies a backup, which is checked against its manifest before and after, into another folder."""
    with _told():
        manifest = read_manifest(backup, key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished, target = folder / (manifest.file + UNFINISHED_SUFFIX), folder / manifest.file
        try:
            _copy_checked(backup, manifest, unfinished)
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _write_manifest(target, manifest)
    return target


def backups_in(folder: Path, key: bytes | None = None) -> list[tuple[Path, Manifest]]:
    """Every copy with a manifest, oldest first; with a `key` only those that are signed with it."""
    found = []
    for path in sorted(folder.glob(f"{PREFIX}*{COPY_SUFFIX}")):
        with contextlib.suppress(NotRestored, StoreTooNew):
            found.append((path, read_manifest(path, key)))
    return sorted(found, key=lambda pair: pair[1].made_at)


def _rotate(folder: Path, store_id: str, keep: int, key: bytes | None) -> None:
    """What is not signed with the key takes no backup's place, and is left for a person to look at."""
    ours = [path for path, manifest in backups_in(folder, key) if manifest.store_id == store_id]
    for path in ours[:-keep]:
        manifest_path(path).unlink(missing_ok=True)  # first: a copy without one is a leftover, not a backup
        path.unlink(missing_ok=True)
    sync_folder(folder)


def leftovers_in(folder: Path, prefix: str = PREFIX) -> list[Path]:
    """What interrupted backups have left: one of a store is made at a time, and none counts without a manifest."""
    unfinished = folder.glob(f"{prefix}*{UNFINISHED_SUFFIX}")
    bare = (path for path in folder.glob(f"{prefix}*{COPY_SUFFIX}") if not manifest_path(path).exists())
    return sorted((*unfinished, *bare))


def _remove_leftovers(folder: Path, prefix: str) -> None:
    for path in leftovers_in(folder, prefix):
        _log.warning("removed %s, which an interrupted backup had left", path)
        path.unlink(missing_ok=True)


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        needed = (size + SPARE_BYTES) // 1_000_000
        raise OSError(errno.ENOSPC, f"{free // 1_000_000} MB are free in {folder}, a backup needs {needed} MB")


def _write_manifest(path: Path, manifest: Manifest) -> None:
    target = manifest_path(path)
    unfinished = target.with_name(target.name + UNFINISHED_SUFFIX)
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)
    sync_folder(path.parent)


# --- putting one back ---


def read_manifest(path: Path, key: bytes | None = None) -> Manifest:
    """
    The manifest beside a copy; with a `key` only one that is signed with it.

    Raises
    ------
    NotRestored
        There is none, or it is not one of ours.
    StoreTooNew
        A later version of this program made it.
    """
    beside = manifest_path(path)
    try:
        manifest = _MANIFEST.validate_json(beside.read_bytes()[:MAX_MANIFEST_BYTES])
    except FileNotFoundError as error:
        raise NotRestored(f"{path} has no manifest ({beside.name}) beside it, so it is no backup of ours") from error
    except (OSError, ValidationError) as error:
        raise NotRestored(f"{beside} is not the manifest of a backup of ours") from error
    if manifest.product != PRODUCT or manifest.file != path.name or not manifest.verified:
        raise NotRestored(f"{beside} is not the manifest of a verified backup named {path.name}")
    if key is not None and not is_signed(asdict(manifest), key):
        told = (
            "is not signed" if manifest.signature is None else "has a signature that is not of this key, or was altered"
        )
        raise NotRestored(f"{beside} {told}; without {variable('backup_key_file')} it would be taken as it is")
    if manifest.schema > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} has schema {manifest.schema}, this program knows up to {SCHEMA_VERSION}: use a newer one"
        )
    return manifest


def manifest_path(path: Path) -> Path:
    return path.with_suffix(MANIFEST_SUFFIX)


def check_copy(backup: Path, key: bytes | None = None) -> None:
    """Raises NotRestored or StoreDamaged when a copy is not what its manifest says, or that is not signed."""
    with _told():
        _check_digest(backup, backup, read_manifest(backup, key))


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
    with _told():
        manifest = read_manifest(backup, key)
        lock = take_lock(data_dir)
        try:
            _check_target(manifest, data_dir, force=force)
            unfinished = data_dir / RESTORING_NAME
            unfinished.unlink(missing_ok=True)
            _check_room(data_dir, manifest.bytes)
            try:
                _copy_checked(backup, manifest, unfinished)
                _compare(unfinished, manifest)
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


def _copy_checked(backup: Path, manifest: Manifest, target: Path) -> None:
    shutil.copyfile(backup, target)
    target.chmod(0o600)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    _check_digest(target, backup, manifest)


def _check_digest(copy: Path, backup: Path, manifest: Manifest) -> None:
    if copy.stat().st_size != manifest.bytes or _sha256(copy) != manifest.sha256:
        raise StoreDamaged(f"{backup} is not what its manifest says: it was altered or cut; use another backup")


def _compare(path: Path, manifest: Manifest) -> None:
    """Reads the copy as a store, whatever its digest says: a manifest can be made to fit."""
    found = describe(path, manifest.file)
    for name in ("store_id", "commits", "rows", "jobs", "schema"):
        if getattr(found, name) != getattr(manifest, name):
            raise StoreDamaged(f"the backup {manifest.file} does not hold what its manifest says ({name})")


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
    aside = data_dir / f"{REPLACED_PREFIX}{_stamp()}"
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


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise os_trouble(error) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
