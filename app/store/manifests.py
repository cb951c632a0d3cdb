"""
Backups as files in a folder: a copy of a store, and the manifest beside it.

A manifest names its copy, the digest of it and what it holds. It is written last, and only when the copy was read back
and found sound, so a copy without one is a leftover. Both kinds of store have the same manifests; how a copy is made
and put back is told in `app.store.backups` (a file of SQLite) and `app.store.postgres_backups` (a dump).
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app import MEGABYTE, service_version
from app.settings import Settings, variable
from app.store import StoreDamaged, StoreError, StoreTooNew, versions
from app.store.folder import UNFINISHED_SUFFIX, os_trouble, sync_folder, write_whole
from app.store.signing import is_signed, signature_of
from app.system.failpoints import failpoint

PRODUCT = "timetable-backup"
COPY_SUFFIX, DUMP_SUFFIX = ".sqlite3", ".pgdump"
KINDS: Mapping[str, versions.Kind] = {COPY_SUFFIX: "sqlite", DUMP_SUFFIX: "postgres"}
"""Ending of a copy -> the kind of store that it is of."""
MANIFEST_SUFFIX = ".json"
PREFIX = "timetable-"
SPARE_BYTES = 64 * MEGABYTE
"""Left free by a backup beside the copy itself; the store must not lose its room to its backups."""
MAX_MANIFEST_BYTES = 100_000
_ID_SHOWN = 8
_ONE_AT_A_TIME = threading.Lock()

_log = logging.getLogger("timetable.backups")


class NotRestored(StoreError):
    """A backup was refused, and nothing was changed; the message says why and what helps."""


class NoTools(StoreError):
    """The programs that make or read dumps of PostgreSQL are missing here, or older than what they are needed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    What stands beside a copy. `made_at` is wall-clock seconds since 1970.

    `store_id` and `commits` say which store it is a copy of, and after which of its commits; `rows` counts the rows of
    each table and `jobs` the jobs of each status; `verified` says that the copy was read back and found sound.
    `signature` is that of `app.store.signing`, None where no key was set. `postgres_version` is that of the server, in
    words, of a dump; None of a file of SQLite. `commits` of a dump is the number of the server's next transaction.
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
    postgres_version: str | None = None


_MANIFEST = TypeAdapter(Manifest)


def folder_of(settings: Settings) -> Path:
    """Where the backups of a service go; nobody can name another place over HTTP."""
    return Path(settings.backup_dir).expanduser() if settings.backup_dir else settings.data_dir / "backups"


def view(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """The manifest as JSON, with the path of the copy."""
    return {**asdict(manifest), "path": str(folder / manifest.file)}


# --- in a folder ---


def make(
    folder: Path,
    suffix: str,
    store_id: str,
    size: int,
    keep: int,
    key: bytes | None,
    copy: Callable[[Path, str], Manifest],
) -> Manifest:
    """
    Makes a verified backup in `folder`, and removes the oldest but `keep` of the same store; with a `key` it is signed.

    `copy(path, name)` makes a copy at `path`, reads it back, and returns the manifest of it under its later `name`;
    `size` is how many bytes it may take. Raises what `copy` raises; then nothing is left, and earlier backups are kept.
    """
    prefix = f"{PREFIX}{store_id[:_ID_SHOWN]}-"
    with folder_told(), _ONE_AT_A_TIME:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_leftovers(folder, prefix)
        check_room(folder, size)
        name = prefix + stamp() + suffix
        unfinished = folder / (name + UNFINISHED_SUFFIX)
        try:
            manifest = copy(unfinished, name)
            if key is not None:
                manifest = replace(manifest, signature=signature_of(asdict(manifest), key))
            unfinished.replace(folder / name)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        failpoint("backup.before_manifest")
        write_manifest(folder / name, manifest)
        rotate(folder, manifest.store_id, keep, key)
    return manifest


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Puts it beside the copy `path`, durably."""
    write_whole(manifest_path(path), f"{json.dumps(asdict(manifest), indent=1)}\n".encode())


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
    newest = versions.number_of(versions.NEWEST[KINDS.get(path.suffix, "sqlite")])
    if manifest.schema > newest:
        raise StoreTooNew(f"{path} has schema {manifest.schema}, this program knows up to {newest}: use a newer one")
    return manifest


def check_sound(path: Path, problems: list[str]) -> None:
    """Raises StoreDamaged, with the first of them, when a copy has problems."""
    if problems:
        raise StoreDamaged(f"{path}: {'; '.join(problems[:3])}")


def manifest_of(path: Path, name: str, **found: Any) -> Manifest:
    """The manifest of a copy that is sound and holds what was `found` in it."""
    return Manifest(
        product=PRODUCT,
        service_version=service_version(),
        made_at=time.time(),
        file=name,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        verified=True,
        **found,
    )


def compare(found: Manifest, manifest: Manifest, *more: str) -> None:
    """Raises StoreDamaged unless a copy holds what its manifest says: one can be made that fits the digest."""
    for name in ("store_id", "rows", "jobs", "schema", *more):
        if getattr(found, name) != getattr(manifest, name):
            raise StoreDamaged(f"the backup {manifest.file} does not hold what its manifest says ({name})")


def manifest_path(path: Path) -> Path:
    """Where the manifest of the backup `path` stands: beside it."""
    return path.with_suffix(MANIFEST_SUFFIX)


def check_copy(backup: Path, key: bytes | None = None) -> None:
    """Raises NotRestored or StoreDamaged when a copy is not what its manifest says, or that is not signed."""
    with folder_told():
        check_digest(backup, backup, read_manifest(backup, key))


def copies_in(folder: Path, prefix: str = PREFIX) -> list[Path]:
    """Every copy by name, with a manifest or without."""
    return sorted(path for suffix in KINDS for path in folder.glob(f"{prefix}*{suffix}"))


def backups_in(folder: Path, key: bytes | None = None) -> list[tuple[Path, Manifest]]:
    """Every copy with a manifest, oldest first; with a `key` only those that are signed with it."""
    found = []
    for path in copies_in(folder):
        with contextlib.suppress(NotRestored, StoreTooNew):
            found.append((path, read_manifest(path, key)))
    return sorted(found, key=lambda pair: pair[1].made_at)


def rotate(folder: Path, store_id: str, keep: int, key: bytes | None) -> None:
    """What is not signed with the key takes no backup's place, and is left for a person to look at."""
    ours = [path for path, manifest in backups_in(folder, key) if manifest.store_id == store_id]
    for path in ours[:-keep]:
        manifest_path(path).unlink(missing_ok=True)  # first: a copy without one is a leftover, not a backup
        path.unlink(missing_ok=True)
    sync_folder(folder)


def leftovers_in(folder: Path, prefix: str = PREFIX) -> list[Path]:
    """What interrupted backups have left: one of a store is made at a time, and none counts without a manifest."""
    unfinished = folder.glob(f"{prefix}*{UNFINISHED_SUFFIX}")
    bare = (path for path in copies_in(folder, prefix) if not manifest_path(path).exists())
    return sorted((*unfinished, *bare))


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Removes files that begin with `prefix` and whose backup was never finished."""
    for path in leftovers_in(folder, prefix):
        _log.warning("removed %s, which an interrupted backup had left", path)
        path.unlink(missing_ok=True)


def copy_to(backup: Path, folder: Path, key: bytes | None = None) -> Path:
    """Copies a backup, which is checked against its manifest before and after, into another folder."""
    with folder_told():
        manifest = read_manifest(backup, key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished, target = folder / (manifest.file + UNFINISHED_SUFFIX), folder / manifest.file
        try:
            copy_checked(backup, manifest, unfinished)
            unfinished.replace(target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        write_manifest(target, manifest)
    return target


def copy_checked(backup: Path, manifest: Manifest, target: Path) -> None:
    """Copies a backup for its owner's eyes only, to the disk. Raises OSError, and StoreDamaged as `check_digest`."""
    shutil.copyfile(backup, target)
    target.chmod(0o600)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    check_digest(target, backup, manifest)


def check_digest(copy: Path, backup: Path, manifest: Manifest) -> None:
    """Raises StoreDamaged when a copy has not the size and the digest that the manifest tells."""
    if copy.stat().st_size != manifest.bytes or sha256_of(copy) != manifest.sha256:
        raise StoreDamaged(f"{backup} is not what its manifest says: it was altered or cut; use another backup")


def check_room(folder: Path, size: int) -> None:
    """Raises OSError (ENOSPC) unless `size` bytes fit into the folder and leave `SPARE_BYTES` free."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        needed = (size + SPARE_BYTES) // MEGABYTE
        raise OSError(errno.ENOSPC, f"{free // MEGABYTE} MB are free in {folder}, a backup needs {needed} MB")


def stamp() -> str:
    """The time now in UTC, to the microsecond, as it stands in names of files; sorts by time."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


@contextmanager
def folder_told() -> Iterator[None]:
    """Turns an OSError inside into the StoreError that says what the disk lacks."""
    try:
        yield
    except OSError as error:
        raise os_trouble(error) from error


def sha256_of(path: Path) -> str:
    """The digest of a file in hexadecimal digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
