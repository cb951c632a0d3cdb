"""
The door: no route is reached, and no body is read, without a key or token that has the right `app.http.access` names.

A caller may be bound to organisations. Here it is kept from what concerns the whole service, and from naming another
organisation in a query; what it sees of jobs is narrowed down in `app.service.tenant`, for whatever route asks.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from app.domain.callers import Caller
from app.domain.exceptions import NotAllowed, ServiceError
from app.http.access import Access, access_of
from app.http.problems import NoKey, refuse
from app.operations.exposure import is_private
from app.settings import Settings
from app.store.api_keys import Keyring
from app.store.tokens import Tokens, looks_like_token

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
