"""
The backups in a folder, one by one: what each holds, and whether it would be taken if it were needed.

Whoever can write the folder can lay something into it that looks like a backup. With a key nothing counts that is not
signed with it: neither here nor for rotation, so that no stranger pushes a real backup out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from app.store import StoreDamaged, StoreTooNew
from app.store.manifests import Manifest, NotRestored, check_copy, copies_in, manifest_path, read_manifest

State: TypeAlias = Literal["good", "unsigned", "too new", "damaged"]


class BackupEntry(NamedTuple):
    """
    One copy with a manifest. `manifest` is None where it cannot be read.

    `state`: "good"; "unsigned" and "too new" are refused by `restore`, and no damage; "damaged" is.
    """

    path: Path
    manifest: Manifest | None
    state: State
    why: str = ""

    @property
    def made_at(self) -> float:
        """Wall time of the backup; 0 without a manifest that says so."""
        return 0.0 if self.manifest is None else self.manifest.made_at


def inventory(folder: Path, key: bytes | None, *, read_all: bool = True) -> Iterator[BackupEntry]:
    """Every copy with a manifest, by name; `read_all` False looks at manifests only and compares no digest."""
    for path in copies_in(folder):
        if manifest_path(path).exists():
            yield _entry(path, key, read_all=read_all)


def _entry(path: Path, key: bytes | None, *, read_all: bool) -> BackupEntry:
    manifest = None
    try:
        manifest = read_manifest(path)
        if key is not None and manifest.signature is None:
            return BackupEntry(path, manifest, "unsigned", "not signed, so it is refused while there is a key")
        read_manifest(path, key)
        if read_all:
            check_copy(path, key)
        elif path.stat().st_size != manifest.bytes:
            return BackupEntry(path, manifest, "damaged", f"{path.stat().st_size} bytes instead of {manifest.bytes}")
    except StoreTooNew as error:
        return BackupEntry(path, manifest, "too new", str(error))
    except (NotRestored, StoreDamaged) as error:
        return BackupEntry(path, manifest, "damaged", str(error))
    except OSError as error:
        return BackupEntry(path, manifest, "damaged", f"it cannot be read: {error.strerror}")
    return BackupEntry(path, manifest, "good")
