"""
Tokens (JWT) of an issuer that the settings name, beside our own API keys.

A token is believed when one of the configured keys has signed it with the one algorithm that this kind of key is for,
and when issuer, audience and times are right. Its header never says where a key may be found: a `kid` must be the name
of one of the key files, and a header that brings or points to a key of its own is refused. Its claims say who shows it,
what it may do and for which organisation; a token that does not say so is refused, so an issuer that forgets the
organisation opens nothing.
"""

from __future__ import annotations

import logging
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.utils import base64url_decode, base64url_encode

from app.domain.callers import Caller, Scope
from app.settings import Settings, variable
from app.store.api_keys import are_organisations

MAX_TOKEN = 8_192
MAX_SUBJECT = 200
MAX_KEYS = 10
MAX_KEY_BYTES = 16_384
MIN_SECRET_BYTES = 32
MIN_RSA_BITS = 2048
EVERY_ORGANISATION = "*"
PREFIX = "jwt:"
"""In front of the subject of a token, where an API key has its id."""
_HEADER = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
"""All that a header may hold. Others bring or point to a key (jwk, jku, x5c, x5u) or change what is signed (b64)."""
_TYPES = ("JWT", "at+jwt")
_CLAIMS = ["exp", "iss", "aud", "sub"]
_TIMES = ("exp", "nbf", "iat")
_MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading a hostile text may end in."""

_log = logging.getLogger("timetable.keys")


class TokensUnusable(Exception):
    """Tokens shall be let in, and a key for them cannot be used; the message says which and why."""


class VerifyingKey(NamedTuple):
    """A key that tokens may be signed with, under the name that their `kid` gives it, for one algorithm only."""

    name: str
    algorithm: str
    key: Any


class _Refused(Exception):
    """The token is not believed; the message is for our log and quotes nothing of it."""


def looks_like_token(text: str) -> bool:
    """Whether this is meant as a token; our own keys have no dots."""
    return text.count(".") == 2


class Tokens:
    """The tokens of the configured issuer. Raises TokensUnusable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = read_keys(settings)

    @property
    def wanted(self) -> bool:
        """Whether tokens are let in at all, and requests therefore need one, or an API key."""
        return bool(self._keys)

    def find(self, text: str) -> Caller | None:
        """Who shows this token; None when it is not believed, for a reason that only the log learns."""
        try:
            return self._caller(self._claims(text))
        except _Refused as refused:
            _log.info("a token was refused: %s", refused)
        except _MALFORMED as error:
            _log.info("a token was refused: %s", type(error).__name__)
        return None

    def _claims(self, text: str) -> Mapping[str, Any]:
        if len(text) > MAX_TOKEN:
            raise _Refused("it is too long")
        if not all(_is_canonical(part) for part in text.split(".")):
            raise _Refused("it is not written in plain base64url")
        settings = self._settings
        for known in self._fitting(jwt.get_unverified_header(text)):
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    text,
                    known.key,
                    algorithms=[known.algorithm],
                    issuer=settings.jwt_issuer,
                    audience=settings.jwt_audience,
                    leeway=settings.jwt_leeway_seconds,
                    options={"require": _CLAIMS},
                )
            except jwt.InvalidSignatureError:
                continue  # while a key is being replaced, two may fit
            if not all(_is_time(claims[name]) for name in _TIMES if name in claims):
                raise _Refused("a time in it is no number")
            return claims
        raise _Refused("no key of ours has signed it")

    def _fitting(self, header: Mapping[str, Any]) -> list[VerifyingKey]:
        if not header.keys() <= _HEADER:
            raise _Refused("its header says more than it may")
        if header.get("typ", _TYPES[0]) not in _TYPES:
            raise _Refused("it is of another type")
        fitting = [known for known in self._keys if known.algorithm == header.get("alg")]
        return [known for known in fitting if header.get("kid", known.name) == known.name]

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        subject, organisation = claims["sub"], claims.get(self._settings.jwt_organisation_claim)
        if not 1 <= len(subject) <= MAX_SUBJECT:
            raise _Refused("its subject has no fitting length")
        bound = None
        if organisation != EVERY_ORGANISATION:
            bound = tuple(organisation) if isinstance(organisation, list) else (organisation,)
            if not are_organisations(bound):
                raise _Refused("it names no organisation")
        # Quoted, so that a subject cannot end where an Idempotency-Key begins, see `app.http.routes.jobs.job_id_of`.
        name = PREFIX + quote(subject, safe="@", errors="replace")
        return Caller(id=name, scopes=_scopes(claims.get(self._settings.jwt_scope_claim)), organisations=bound)


def _scopes(claimed: object) -> tuple[Scope, ...]:
    """The rights among the words of a claim, a text or a list; others are of other services."""
    words = claimed.split() if isinstance(claimed, str) else claimed if isinstance(claimed, list) else []
    return tuple(scope for scope in Scope if scope.value in words)


def _is_canonical(part: str) -> bool:
    """Whether base64url can be written in no other way; lenient readers skip characters and ignore loose bits."""
    return part.isascii() and base64url_encode(base64url_decode(part)) == part.encode()


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_keys(settings: Settings) -> tuple[VerifyingKey, ...]:
    """Every key that the settings name; none where tokens are not let in. Raises TokensUnusable."""
    if not settings.token_algorithms:
        return ()
    paths = [Path(name.strip()).expanduser() for name in settings.jwt_key_files.split(",") if name.strip()]
    if not 1 <= len(paths) <= MAX_KEYS:
        raise TokensUnusable(f"{variable('jwt_key_files')} names {len(paths)} files, expected 1 to {MAX_KEYS}")
    keys = tuple(_read_key(path, settings.token_algorithms) for path in paths)
    if len({key.name for key in keys}) < len(keys):
        raise TokensUnusable(f"{variable('jwt_key_files')}: two files have the same name, which the kid of a token is")
    return keys


def _read_key(path: Path, algorithms: tuple[str, ...]) -> VerifyingKey:
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise TokensUnusable(f"the key of tokens {path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_KEY_BYTES:
        raise TokensUnusable(f"the key of tokens {path} has more than {MAX_KEY_BYTES} bytes")
    if algorithms == ("HS256",):
        return VerifyingKey(path.stem, "HS256", _secret(path, data, mode))
    algorithm, key = _public_key(path, data)
    if algorithm not in algorithms:
        raise TokensUnusable(f"{path} is a key for {algorithm}, which {variable('jwt_algorithms')} does not name")
    return VerifyingKey(path.stem, algorithm, key)


def _secret(path: Path, data: bytes, mode: int) -> bytes:
    secret = data.rstrip(b"\r\n")
    if b"-----BEGIN" in secret:
        raise TokensUnusable(
            f"{path} is no secret: it holds a PEM key, for {variable('jwt_algorithms')}=RS256 or EdDSA"
        )
    if len(secret) < MIN_SECRET_BYTES:
        raise TokensUnusable(f"the secret in {path} must have at least {MIN_SECRET_BYTES} bytes")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TokensUnusable(f"others than its owner may use the secret of tokens: chmod 600 {path}")
    return secret


def _public_key(path: Path, data: bytes) -> tuple[str, RSAPublicKey | Ed25519PublicKey]:
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TokensUnusable(f"{path} holds no public key in PEM form") from error
    if isinstance(key, Ed25519PublicKey):
        return "EdDSA", key
    if isinstance(key, RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise TokensUnusable(f"the RSA key in {path} has {key.key_size} bits, at least {MIN_RSA_BITS} are wanted")
        return "RS256", key
    raise TokensUnusable(f"{path} is a key of another kind than RSA and Ed25519")
