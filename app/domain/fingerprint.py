"""
Whether two requests with one job id ask for the same job. Pure.

A fingerprint begins with the SHA-256 of all that was asked for; where that is the same, so is the request. The platform
has two ways to post a job, and each leaves out some fields that the other one sends. So the fingerprint of a request
that names its organisation goes on with a digest of what has to agree in any case, and one for each of the fields that
may be missing (`app.domain.requests.MAY_BE_MISSING`): those agree when both have them and they are equal, or one has
none.

Jobs from before that have the SHA-256 alone, and are compared by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

DIGEST_LETTERS = 16


class _Parts(NamedTuple):
    whole: str
    fixed: str
    optional: Mapping[str, str]


def fingerprint(whole: str, fixed: str = "", optional: Mapping[str, str] | None = None) -> str:
    """
    Of a request: the SHA-256 of all of it, and where its organisation is known two canonical texts more.

    `fixed` is everything that has to agree; `optional` has the fields that may be missing, as far as they are there.
    """
    if optional is None:
        return whole
    fields = ",".join(f"{name}={_digest(text)}" for name, text in sorted(optional.items()))
    return f"{whole} {_digest(fixed)} {fields}"


def is_same(stored: str, sent: str) -> bool:
    """Whether the request with the fingerprint `sent` asks for the job that has `stored`."""
    one, other = _parts(stored), _parts(sent)
    if one.whole == other.whole:
        return True
    if not one.fixed or one.fixed != other.fixed:
        return False
    return all(other.optional.get(name, digest) == digest for name, digest in one.optional.items())


def added(stored: str, sent: str) -> list[str]:
    """The fields that the same request has now, and had not when its job was taken."""
    return sorted(_parts(sent).optional.keys() - _parts(stored).optional.keys()) if _parts(stored).fixed else []


def _parts(text: str) -> _Parts:
    whole, _, rest = text.partition(" ")
    fixed, _, fields = rest.partition(" ")
    pairs = (field.partition("=") for field in fields.split(",") if field)
    return _Parts(whole, fixed, {name: digest for name, _, digest in pairs})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LETTERS]
