"""
API keys: who may ask for what. `timetable keys` makes, lists and revokes them; the service only checks them.

`keys.json` in the data folder holds a record per key and never the key itself: only an HMAC of it under the pepper, a
random secret of this installation that lies in a file of its own. A presented key is hashed and compared with every
record in constant time, so that an unknown, a wrong and a revoked key take the same path. Both files are readable by
their owner only, and replaced as a whole; the service reads `keys.json` again when it has changed.

As long as there is no `keys.json` the service is open, on a loopback address only. Once there is one, even with expired
keys alone, every route asks for a key that has the right `app.http.access` names. A file that cannot be read lets
nobody in. The layer that asks is `app.http.auth`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.domain.callers import Caller, Scope
from app.store.folder import write_whole

KEYS_FILE, PEPPER_FILE, USES_FILE = "keys.json", "keys.pepper", "keys-used.json"
LOCK_FILE = "keys.lock"
"""Held by whoever changes the keys. A file of its own, since `keys.json` is replaced by another one each time."""
OWNER_ONLY = 0o600
PREFIX = "tt_"
SECRET_BYTES = 32
PEPPER_BYTES = 32
MAX_KEYS = 1000
MAX_ORGANISATIONS = 50
MAX_ORGANISATION = 300
"""Characters, as many as a request may have in its `organization_id`."""
MAX_HEADER = 200
"""Characters of a presented key that are looked at; ours are shorter."""
LOOK_EVERY_SECONDS = 1.0
NOTE_EVERY_SECONDS = 60.0
_UNREAD = object()
"""The version of a key file that could not be read; no file ever has it, so the file is read again."""
DAY = 86_400.0

_log = logging.getLogger("timetable.keys")
_audit_log = logging.getLogger("timetable.audit")


class KeysDamaged(Exception):
    """A key file cannot be read; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """
    What is kept of a key. Times are wall-clock seconds since 1970.

    `digest` is the HMAC-SHA256 of the whole key in hex; `expires_at` None means never. `organisations` are those whose
    jobs the key is for, by every name that jobs give them; None means all.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    organisations: tuple[str, ...] | None = None

    def state(self, at: float) -> str:
        """ "live", "revoked" or "expired"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and at >= self.expires_at else "live"

    @property
    def caller(self) -> Caller:
        """Who shows it."""
        return Caller(id=self.id, scopes=self.scopes, organisations=self.organisations)


_KEYS = TypeAdapter(tuple[Key, ...])
_USES = TypeAdapter(dict[str, float])


class KeyFile:
    """The keys of one data folder, for the command line. Whoever changes them waits for others who do."""

    def __init__(self, folder: Path, record: Callable[[str, Key], None] = lambda action, key: None) -> None:
        """`record` is told of each change before it is made, and prevents it by raising OSError."""
        self._folder, self._record = folder, record

    @property
    def exists(self) -> bool:
        """Whether a key was ever made; a file whose last key was withdrawn still exists."""
        return (self._folder / KEYS_FILE).exists()

    def all(self) -> tuple[Key, ...]:
        """Every key ever made here. Raises KeysDamaged."""
        path = self._folder / KEYS_FILE
        try:
            return _KEYS.validate_json(path.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no list of keys"
            raise KeysDamaged(f"{path} cannot be read: {reason}; restore it, or delete it and make new keys") from error

    def pepper(self, *, make: bool = False) -> bytes:
        """The secret under which keys are hashed. Raises KeysDamaged when there is none and none shall be made."""
        path = self._folder / PEPPER_FILE
        if make and not path.exists():
            write_whole(path, secrets.token_bytes(PEPPER_BYTES), OWNER_ONLY)
        try:
            pepper = path.read_bytes()
        except OSError as error:
            raise KeysDamaged(f"{path} cannot be read: {error.strerror}; without it no key is valid") from error
        if len(pepper) != PEPPER_BYTES:
            raise KeysDamaged(f"{path} has {len(pepper)} bytes instead of {PEPPER_BYTES}; without it no key is valid")
        return pepper

    def add(
        self, name: str, scopes: Iterable[Scope], days: float | None = None, organisations: Iterable[str] | None = None
    ) -> tuple[Key, str]:
        """A new key and its text, which nobody can ever see again. Raises KeysDamaged, ValueError."""
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise ValueError("a name has 1 to 100 printable characters")
        bound = None if organisations is None else tuple(dict.fromkeys(organisations))
        if bound is not None and not are_organisations(bound):
            raise ValueError(
                f"a key is bound to 1 to {MAX_ORGANISATIONS} organisations, each a name of 1 to "
                f"{MAX_ORGANISATION} printable characters without blanks around it"
            )
        with self._alone():
            return self._add(name, scopes, days, bound)

    def _add(
        self, name: str, scopes: Iterable[Scope], days: float | None, organisations: tuple[str, ...] | None
    ) -> tuple[Key, str]:
        keys = self.all()
        if len(keys) >= MAX_KEYS:
            raise ValueError(f"there are {MAX_KEYS} keys already")
        now = time.time()
        id = secrets.token_hex(6)
        text = f"{PREFIX}{id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        key = Key(
            id=id,
            name=name,
            digest=digest_of(text, self.pepper(make=not keys)).hex(),
            scopes=tuple(dict.fromkeys(scopes)),
            created_at=now,
            expires_at=None if days is None else now + days * DAY,
            organisations=organisations,
        )
        self._record("keys add", key)
        self._write((*keys, key))
        return key, text

    def revoke(self, id: str) -> Key | None:
        """Revokes a key; None when there is none of this id. Raises KeysDamaged."""
        with self._alone():
            return self._revoke(id)

    def _revoke(self, id: str) -> Key | None:
        keys = self.all()
        found = next((key for key in keys if key.id == id), None)
        if found is None or found.revoked_at is not None:
            return found
        revoked = replace(found, revoked_at=time.time())
        self._record("keys revoke", revoked)
        self._write(tuple(revoked if key.id == id else key for key in keys))
        return revoked

    def uses(self) -> Mapping[str, float]:
        """When each key was used last, to the minute, as far as known."""
        try:
            return _USES.validate_json((self._folder / USES_FILE).read_bytes())
        except (OSError, ValidationError):
            return {}

    def note_uses(self, uses: Mapping[str, float]) -> None:
        """Keeps the times of last use; what cannot be written is lost."""
        try:
            write_whole(self._folder / USES_FILE, json.dumps({**self.uses(), **uses}).encode(), OWNER_ONLY)
        except OSError as error:
            _log.warning("the last uses of keys cannot be kept: %s", error.strerror)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two changes at a time would both begin with the same keys, and the later one would undo a revocation."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _write(self, keys: tuple[Key, ...]) -> None:
        records = json.dumps([asdict(key) for key in keys], indent=1)
        write_whole(self._folder / KEYS_FILE, records.encode(), OWNER_ONLY)


def are_organisations(names: Sequence[object]) -> bool:
    """Whether a caller can be bound to these: at least one, and each a name that a job may have."""
    return 1 <= len(names) <= MAX_ORGANISATIONS and all(
        isinstance(name, str) and 1 <= len(name) <= MAX_ORGANISATION and name.isprintable() and name == name.strip()
        for name in names
    )


def digest_of(text: str, pepper: bytes) -> bytes:
    """The digest under which a key is known, always 32 bytes."""
    return hmac.digest(pepper, text.encode("utf-8", "surrogateescape"), hashlib.sha256)


class Keyring:
    """The keys as the service sees them: in memory, and looked at again when the file has changed."""

    def __init__(self, folder: Path, *, open_without: bool) -> None:
        self._file, self._path = KeyFile(folder), folder / KEYS_FILE
        self._open_without = open_without
        self._seen: object = None
        self._trouble = ""
        self._next_look = 0.0
        self._pepper = secrets.token_bytes(PEPPER_BYTES)
        self._keys: tuple[tuple[bytes, Key], ...] = ()
        self._uses: dict[str, float] = {}
        self._known: dict[str, Key] | None = None
        self._noted_at = time.monotonic()

    def needed(self) -> bool:
        """Whether requests need a key."""
        self._look()
        return self._seen is not None or not self._open_without

    def find(self, text: str) -> Key | None:
        """The live key of this text. Compares with every key there is, whatever comes of it."""
        self._look()
        presented, found = digest_of(text[:MAX_HEADER], self._pepper), None
        for digest, key in self._keys:
            if hmac.compare_digest(digest, presented):
                found = key
        now = time.time()
        if found is None or found.state(now) != "live":
            return None
        self._uses[found.id] = now
        self._note()
        return found

    def _look(self) -> None:
        """Asks the file system once a second at most; a file that cannot be read lets nobody in."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY_SECONDS
        seen = _version_of(self._path)
        if seen == self._seen:
            return
        # A file that has gone while we run does not open the doors again: that takes a restart.
        self._open_without = self._open_without and self._seen is None
        self._seen, self._keys = seen, ()
        if seen is None:
            self._known = {} if self._known is None else self._known
            return
        try:
            self._pepper = self._file.pepper()
            keys = self._file.all()
            self._keys = tuple((bytes.fromhex(key.digest), key) for key in keys)
            self._trouble = ""
            self._tell_changes(keys)
        except (KeysDamaged, ValueError) as error:
            self._seen = _UNREAD  # the disk may have failed for a moment, after which the file is the same
            if self._trouble != str(error):
                self._trouble = str(error)
                _log.error("no API key is accepted: %s", error)

    def _tell_changes(self, keys: tuple[Key, ...]) -> None:
        """What the command line has changed while we run belongs into the log of who may do what."""
        known, self._known = self._known, {key.id: key for key in keys}
        if known is None:
            return
        for key in keys:
            added, revoked = key.id not in known, key.revoked_at is not None
            if added:
                _audit_log.info("keys add: noticed", extra={"action": "keys add", "key": key.id, "result": "done"})
            if revoked and (added or known[key.id].revoked_at is None):
                _audit_log.info(
                    "keys revoke: noticed", extra={"action": "keys revoke", "key": key.id, "result": "done"}
                )

    def _note(self) -> None:
        """Keeps times of use once a minute, in a thread of its own: a slow disk is no reason to let a client wait."""
        now = time.monotonic()
        if now - self._noted_at >= NOTE_EVERY_SECONDS:
            self._noted_at, uses = now, dict(self._uses)
            threading.Thread(target=self._file.note_uses, args=(uses,), daemon=True).start()


def _version_of(path: Path) -> object:
    """Changes whenever the file does; None when there is no file. A file that cannot be looked at is there."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.errno
    return state.st_mtime_ns, state.st_ino, state.st_size


def key_view(key: Key, used_at: float | None) -> dict[str, Any]:
    """A key as the command line lists it; the digest stays where it is."""
    now = time.time()
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "organisations": None if key.organisations is None else list(key.organisations),
        "state": key.state(now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": used_at,
    }
