"""
The door: no route is reached, and no body is read, without a key or token that has the right `app.domain.access` names.

A caller may be bound to organisations. Here it is kept from what concerns the whole service, and from naming another
organisation in a query; what it sees of jobs is narrowed down in `app.service.tenant`, for whatever route asks.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from app.domain import addresses
from app.domain.access import Access, Caller, access_of
from app.http.problems import NoKey, NotAllowed, ServiceError, refuse
from app.http.tokens import Tokens, TokensUnusable, looks_like_token
from app.settings import Settings, variable
from app.store.api_keys import KeyFile, Keyring, KeysDamaged

ORGANISATION = "organization_id"
"""What requests call the organisation."""


class KeyGuard:
    """The layer. What it lets in has a `caller` in its scope, unless nobody needs a key."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        """Raises TokensUnusable."""
        self._app = app
        self._tokens = Tokens(settings)
        self._ring = Keyring(settings.keys_folder, open_without=is_private(settings))

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        access = access_of(scope["method"], scope["path"])
        if access.scope is None or not (self._tokens.wanted or self._ring.needed()):
            return await self._app(scope, receive, send)
        caller = self._caller(scope)
        if caller is None:
            return await refuse(NoKey(), scope, receive, send)
        scope["key_id"], scope["caller"] = caller.id, caller
        problem = _problem(caller, access, scope)
        if problem is not None:
            return await refuse(problem, scope, receive, send)
        return await self._app(scope, receive, send)

    def _caller(self, scope: Connection) -> Caller | None:
        text = presented_key(scope)
        if self._tokens.wanted and looks_like_token(text):
            return self._tokens.find(text)
        key = self._ring.find(text)
        return None if key is None else key.caller


def _problem(caller: Caller, access: Access, scope: Connection) -> ServiceError | None:
    if access.scope is not None and not caller.may(access.scope):
        held = ", ".join(caller.scopes) or "none"
        return NotAllowed(f"This takes the right {access.scope.value!r}; the key has {held}.")
    if access.whole and caller.organisations is not None:
        return NotAllowed("This concerns all organisations, and the key is for single ones.")
    named = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if not all(caller.reaches(value) for name, value in named if name == ORGANISATION):
        return NotAllowed("The key is for another organisation than the one that is named.")
    return None


def presented_key(scope: Connection) -> str:
    """The key or token in the headers of a request, "" when there is none; `X-API-Key` wins."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if b"x-api-key" in headers:
        return headers[b"x-api-key"].decode("latin-1").strip()
    kind, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    read = _SCHEMES.get(kind.lower())
    return "" if read is None else read(text.strip())


def _password(text: str) -> str:
    """The password of HTTP Basic, whatever the user is called; "" when there is none."""
    try:
        return base64.b64decode(text, validate=True).decode("latin-1").partition(":")[2].strip()
    except binascii.Error:
        return ""


# We do not ask for Basic in a 401: browsers would open a window of theirs, and the page asks for a key itself.
_SCHEMES: Mapping[str, Callable[[str], str]] = {"bearer": str, "basic": _password}
"""
Scheme of `Authorization`, in lower case -> the key or token in what follows it.

Basic is for callers that send no header of their own, and know an address only: `http://platform:KEY@host`.
"""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    return addresses.is_loopback(host.strip("[]"))


def is_private(settings: Settings) -> bool:
    """Whether only this machine can reach the service; a proxy in front of it lets others in on a loopback address."""
    return is_loopback(settings.host) and not settings.proxies


def refusal(settings: Settings) -> str | None:
    """Why a service or a worker must not start on its address, in a sentence; None when it may."""
    try:
        tokens = Tokens(settings)
    except TokensUnusable as error:
        return str(error)
    if is_private(settings):
        return None
    now, file = time.time(), KeyFile(settings.keys_folder)
    try:
        if any(key.state(now) == "live" for key in file.all()):
            file.pepper()
            return None
    except KeysDamaged as error:
        return str(error)
    if tokens.wanted:
        return None
    way, help = f"{settings.host} can be reached from other machines", f"set {variable('host')}=127.0.0.1"
    if settings.proxies:
        way, help = f"other machines reach {settings.host} through a proxy", f"unset {variable('trusted_proxies')}"
    return (
        f"{way}, and no API key protects what is served there; make one with "
        f"`timetable keys add NAME --scope submit --scope read --scope cancel`, or {help}"
    )
