"""
The files of the page in `app/static/`, held in memory with what HTTP wants to know about each.

The page loads its modules from a folder that is named after a digest of all of them. So browsers may keep them for
ever, never mix two versions, and a page that was left open still finds its modules after the service was replaced.

Starlette's `StaticFiles` does not do this. It has no such folder and packs nothing, says neither how long a file may be
kept nor what it may load, takes the time of a file for its version, and its type from a table of the machine.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Collection, Mapping
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

MEDIA_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
START = "index.html"
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
"""Nothing from other hosts, no inline scripts or styles, nothing evaluated."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOR_EVER, ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"
_VERSION_MARK = b"@version@"
_VERSIONED = re.compile(r"v-([0-9a-f]{16})/")


class Asset(NamedTuple):
    """One file; `packed` is the same in gzip."""

    content: bytes
    packed: bytes
    etag: str
    media_type: str


class Page:
    """All files of one folder, or those of some `names`. They are read when first asked for, and never again."""

    def __init__(self, folder: Traversable | None = None, names: Collection[str] | None = None) -> None:
        self._folder = folder if folder is not None else files("app") / "static"
        self._names = names

    @cached_property
    def _raw(self) -> Mapping[str, bytes]:
        if self._names is not None:
            return {name: (self._folder / name).read_bytes() for name in self._names}
        return dict(_walk(self._folder, ""))

    @cached_property
    def version(self) -> str:
        """Changes with any byte of any file."""
        digest = hashlib.sha256()
        for name, content in sorted(self._raw.items()):
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()[:16]

    @cached_property
    def _assets(self) -> Mapping[str, Asset]:
        return {
            name: asset_of(name, content.replace(_VERSION_MARK, self.version.encode()) if name == START else content)
            for name, content in self._raw.items()
        }

    @property
    def start(self) -> Asset:
        """The document itself; it names the version of everything else."""
        return self._assets[START]

    def find(self, path: str) -> tuple[Asset, str] | None:
        """The file under `path`, which may begin with a version, and how long it may be kept; None without such."""
        versioned = _VERSIONED.match(path)
        asset = self._assets.get(path[versioned.end() :] if versioned else path)
        if asset is None:
            return None
        return asset, FOR_EVER if versioned and versioned[1] == self.version else ASK_AGAIN


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in MEDIA_TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _suffix(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""


def asset_of(name: str, content: bytes) -> Asset:
    """A file of this name and content; the suffix tells its type."""
    etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    # mtime 0: the same file is the same bytes in every process.
    return Asset(content, gzip.compress(content, 9, mtime=0), etag, MEDIA_TYPES[_suffix(name)])
