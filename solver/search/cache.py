"""
Numba's cache of compiled kernels, with a digest at the end of every file.

The files are pickled objects with machine code in them: a truncated one would end every job that loads it, a flipped
bit may do worse. A file whose digest does not match counts as missing: its kernel is compiled anew and written again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba.core.caching import IndexDataCacheFile

DIGEST_BYTES = hashlib.sha256().digest_size


class SealedCacheFile(IndexDataCacheFile):
    """
    Index and data files of one kernel.

    Pickle stops where its object ends, so numba reads a sealed file like any other.
    """

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        with super()._open_for_write(filepath) as file:
            body = io.BytesIO()
            yield body
            file.write(body.getvalue() + hashlib.sha256(body.getvalue()).digest())

    def _load_index(self) -> dict[Any, str]:
        return dict(super()._load_index()) if is_whole(Path(self._index_path)) else {}  # type: ignore[no-untyped-call]

    def _load_data(self, name: str) -> Any:
        path = Path(self._cache_path) / name
        if not is_whole(path):
            raise OSError(f"{path} is not as it was written")  # to numba: gone since the index was written
        return super()._load_data(name)  # type: ignore[no-untyped-call]


def is_whole(path: Path) -> bool:
    """Whether a file is there and ends in the digest of what stands before."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return content[-DIGEST_BYTES:] == hashlib.sha256(content[:-DIGEST_BYTES]).digest()


def seal(dispatcher: Any) -> Any:
    """Has a jitted function use sealed files; one that is plain Python, or has no cache, stays as it is."""
    file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if file is not None:
        file.__class__ = SealedCacheFile
    return dispatcher
