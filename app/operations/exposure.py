"""Who can reach the service, and whether it may start without a key or token in front of it."""

from __future__ import annotations

import time

from app.settings import Settings, variable
from app.store.api_keys import KeyFile, KeysDamaged
from app.store.tokens import Tokens, TokensUnusable
from app.system import addresses


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
