"""
Signatures of backups: whoever can write the folder of the backups could otherwise put another store in our place.

A digest tells that a file was damaged; anybody can compute it anew for another file. A signature is an HMAC-SHA256 of
the manifest, which holds the digest of the copy, under a key that does not lie beside the backups.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from app.store import StoreError

MIN_KEY_BYTES = 32
MAX_KEY_BYTES = 4096
_FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class NoBackupKey(StoreError):
    """The file with the key cannot be used, so nothing is signed and no signature can be checked."""


def read_key(path: str) -> bytes | None:
    """
    The key in the file that `backup_key_file` names; None when it names none. A line end behind it does not count.

    Raises
    ------
    NoBackupKey
        It cannot be read, is too short or too long, or others than its owner may use it.
    """
    if not path:
        return None
    try:
        with Path(path).expanduser().open("rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode, file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise NoBackupKey(f"the key of the backups, {path}, cannot be read: {error.strerror}") from error
    if mode & _FOR_OTHERS:
        raise NoBackupKey(f"others than its owner may use the key of the backups: chmod 600 {path}")
    key = key.rstrip(b"\r\n")
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise NoBackupKey(f"the key of the backups, {path}, must have {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes")
    return key


def signature_of(manifest: Mapping[str, object], key: bytes) -> str:
    """
    The signature of a manifest in hex: over its canonical JSON, without the signature itself.

    What is None counts as not said, so that manifests of before there was such a field keep their signatures.
    """
    signed = {name: value for name, value in manifest.items() if name != "signature" and value is not None}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_signed(manifest: Mapping[str, object], key: bytes) -> bool:
    """Whether a manifest has the signature of this key; compared in constant time."""
    claimed = manifest.get("signature")
    text = claimed if isinstance(claimed, str) else ""
    return hmac.compare_digest(text.encode(), signature_of(manifest, key).encode())
